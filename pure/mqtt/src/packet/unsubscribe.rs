//! UNSUBSCRIBE (§3.10): Topic Filters to give up.

use crate::{PacketId, TopicFilter, UserProperties};

/// Unsubscribe request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// To be repeated by the UNSUBACK.
    pub packet_id: PacketId,
    /// In order.
    pub user_properties: UserProperties,
    /// At least one [MQTT-3.10.3-2].
    pub filters: Vec<TopicFilter>,
}
