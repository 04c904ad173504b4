//! What can be said to a client, and how it is to be understood: settled at CONNECT, so that nobody asks for a version later.

use signet_mqtt::{Connect, ProtocolVersion, ReasonCode, SubscribeFilter};

/// What follows for a connection from its version and its CONNECT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// Whether a Server may say why it closes: before MQTT 5.0 it sends no DISCONNECT.
    pub(crate) hears_disconnect: bool,
    /// Whether acknowledgements may carry reasons in words [MQTT-3.1.2-29].
    pub(crate) hears_problems: bool,
    /// Whether a SUBACK can say that a subscription failed. MQTT 3.1 has the three grants only.
    hears_failures: bool,
    /// Another broker, by its own word (`Connect::is_bridge`).
    is_bridge: bool,
}

impl Dialect {
    pub(crate) fn of(connect: &Connect) -> Self {
        Self {
            hears_disconnect: connect.version.has_properties(),
            hears_problems: connect.properties.request_problem_information.unwrap_or(true),
            hears_failures: connect.version != ProtocolVersion::V31,
            is_bridge: connect.is_bridge,
        }
    }

    /// What the options of a subscription would be if this version had them: another broker wants messages as they were published, and not
    /// those it brought itself. MQTT 5.0 says so in the SUBSCRIBE.
    pub(crate) fn adapt(self, entry: &mut SubscribeFilter) {
        if self.is_bridge {
            entry.options.retain_as_published = true;
            // [MQTT-3.8.3-4]
            entry.options.no_local = entry.filter.shared().is_none();
        }
    }

    /// The codes of a SUBACK as this client can hear them; nothing when one of them is a failure that it would take for a grant.
    ///
    /// MQTT 3.1 §3.8 has a subscription that is not allowed acknowledged like any other. Any other failure concerns messages the client
    /// has a right to, so that it must not be left waiting for them.
    pub(crate) fn told(self, mut codes: Vec<ReasonCode>) -> Option<Vec<ReasonCode>> {
        if !self.hears_failures {
            for code in codes.iter_mut().filter(|code| code.is_error()) {
                if *code != ReasonCode::NotAuthorized {
                    return None;
                }
                *code = ReasonCode::Success;
            }
        }
        Some(codes)
    }
}
