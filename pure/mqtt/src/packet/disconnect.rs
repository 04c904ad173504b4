//! DISCONNECT (§3.14): the last packet of a connection.

use bytestring::ByteString;

use crate::{ReasonCode, UserProperties};

/// Disconnect notification. The default is the normal disconnection, the only one MQTT 3.1.1 knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disconnect {
    /// [`ReasonCode::Success`] stands for Normal disconnection.
    pub reason_code: ReasonCode,
    /// Seconds; from a client only [MQTT-3.14.2-2].
    pub session_expiry_interval: Option<u32>,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
    /// Another Server to use; from a server only.
    pub server_reference: Option<ByteString>,
}

impl Disconnect {
    /// With a Reason Code and no properties.
    #[must_use]
    pub fn new(reason_code: ReasonCode) -> Self {
        Self {
            reason_code,
            ..Self::default()
        }
    }
}
