//! SUBACK (§3.9): one Reason Code for each Topic Filter of a SUBSCRIBE.

use bytestring::ByteString;

use crate::{PacketId, ReasonCode, UserProperties};

/// Subscribe acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suback {
    /// Of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
    /// In the order of the Topic Filters [MQTT-3.9.3-1]. MQTT 3.1.1 has 0x80 for every failure.
    pub reason_codes: Vec<ReasonCode>,
}
