//! UNSUBACK (§3.11): one Reason Code for each Topic Filter of an UNSUBSCRIBE; MQTT 3.1.1 carries none.

use bytestring::ByteString;

use crate::{PacketId, ReasonCode, UserProperties};

/// Unsubscribe acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsuback {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
    /// In the order of the Topic Filters [MQTT-3.11.3-1]; empty in MQTT 3.1.1.
    pub reason_codes: Vec<ReasonCode>,
}
