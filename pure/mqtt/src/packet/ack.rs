//! PUBACK, PUBREC, PUBREL, PUBCOMP (§3.4 to §3.7): four packets of one shape.

use bytestring::ByteString;

use crate::{PacketId, ReasonCode, UserProperties};

/// Acknowledgement of a PUBLISH or of one step of its QoS 2 exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Of the PUBLISH that it belongs to.
    pub packet_id: PacketId,
    /// [`ReasonCode::Success`] when the packet carries none; MQTT 3.1.1 knows no other.
    pub reason_code: ReasonCode,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
}

impl Ack {
    /// The short form: Success and nothing else.
    #[must_use]
    pub fn success(packet_id: PacketId) -> Self {
        Self::new(packet_id, ReasonCode::Success)
    }

    /// With a Reason Code and no properties.
    #[must_use]
    pub fn new(packet_id: PacketId, reason_code: ReasonCode) -> Self {
        Self {
            packet_id,
            reason_code,
            reason_string: None,
            user_properties: UserProperties::default(),
        }
    }
}
