//! What a bridge to another broker may do here: what its list of topics says, and nothing else.
//!
//! The list is the operator's own word in the configuration, so no access rule has to repeat it, and no access rule can widen it.

use bytestring::ByteString;
use signet_mqtt::{ClientIdentifier, TopicFilter, TopicName};

/// How the Client Identifiers of bridges start. No other client gets one of these, whatever it claims: it would take over what waits for the
/// other broker.
pub const BRIDGE_IDENTIFIERS: &str = "$bridge/";

/// The Client Identifier under which the session of the bridge `name` is kept, unless its configuration names another.
#[must_use]
pub fn bridge_identifier(name: &str) -> ClientIdentifier {
    ClientIdentifier::new(format!("{BRIDGE_IDENTIFIERS}{name}"))
}

/// Who a bridge is to its own broker, whatever its CONNECT says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeClient {
    /// The bridge's name, unique among the bridges of this broker.
    pub name: ByteString,
    /// The name of its session here.
    pub client_identifier: ClientIdentifier,
    /// The user name that stands beside it in lists of sessions; it decides nothing.
    pub username: Option<ByteString>,
}

impl BridgeClient {
    /// The bridge `name` with the session that it has unless another one is named.
    #[must_use]
    pub fn new(name: impl Into<ByteString>) -> Self {
        let name = name.into();
        Self { client_identifier: bridge_identifier(&name), name, username: None }
    }
}

/// The authority of one bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeRights {
    /// The bridge's name, unique among the bridges of this broker.
    pub name: ByteString,
    /// The name of its session here: one that it had under another name is nobody's any more.
    pub client_identifier: ClientIdentifier,
    /// Where it may publish: what it brings in from the other broker, and where it tells its state.
    pub publish: Vec<TopicFilter>,
    /// What it may subscribe to, each exactly as written here.
    pub subscribe: Vec<TopicFilter>,
}

impl BridgeRights {
    pub(crate) fn may_publish(&self, topic: &TopicName) -> bool {
        // A wildcard at the start reaches nothing that starts with `$` [MQTT-4.7.2-1]: `$SYS` is brought in by its name or not at all.
        self.publish.iter().any(|filter| filter.matches(topic))
    }

    pub(crate) fn may_subscribe(&self, filter: &TopicFilter) -> bool {
        self.subscribe.contains(filter)
    }

    /// Whether a message with this topic can come by one of its subscriptions.
    pub(crate) fn may_receive(&self, topic: &TopicName) -> bool {
        self.subscribe.iter().any(|filter| filter.matches(topic))
    }
}
