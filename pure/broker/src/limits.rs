//! Every bound of what a peer can make the broker hold or do, with its default and the answer when it is reached.

use signet_mqtt::QoS;

use crate::durability::DurabilityRules;
use crate::rules::{ConnectRules, MessageRules};
use crate::totals::TotalLimits;

/// Bounds of what one client may use up. Every listener may have its own: a session has those of the listener by which its client came
/// last, and the broker's own until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// QoS 2 messages a client may have sent without the PUBREL; told to MQTT 5 clients as Receive Maximum. More is answered with
    /// DISCONNECT 0x93 [MQTT-3.3.4-7]. MQTT 3.1.1 knows no such thing: there only the Packet Identifiers bound it. Default 64, at least 1.
    pub receive_maximum: u16,
    /// Largest packet in bytes a client may send, told to MQTT 5 clients; the decoder refuses larger ones with 0x95. Default 1 MiB.
    pub maximum_packet_size: u32,
    /// Messages with QoS 1 or 2 that may be on their way to one client, if its own Receive Maximum does not say less. Default 64, at least
    /// 1.
    pub maximum_inflight: u16,
    /// Highest QoS a client may publish with; told to MQTT 5 clients, higher is answered with DISCONNECT 0x9B. Default 2.
    pub maximum_qos: QoS,
    /// Topic Aliases that a client may set on one connection; an alias above it is answered with DISCONNECT 0x94. Default 16, each costs one Topic
    /// Name.
    pub topic_alias_maximum: u16,
    /// Levels of a Topic Name or Topic Filter; more is answered with 0x90 or 0x8F. Default 32.
    pub topic_levels_maximum: u16,
    /// Longest Session Expiry Interval in seconds; a longer one is cut and the client told. MQTT 3.1.1 sessions without clean session get
    /// this one. Default 7 days.
    pub session_expiry_maximum: u32,
    /// Subscriptions per session; more are answered with 0x97 in the SUBACK. Default 1,000.
    pub subscriptions_maximum: usize,
    /// Answers of access sources that are remembered for one client, besides those on which its subscriptions rest. The one that ends first makes room.
    /// Default 32.
    pub access_answers_maximum: usize,
    /// Messages waiting in one session's queue, without the retained ones that a new subscription starts with. When it is full the newest
    /// message is dropped and counted. Default 1,000.
    pub queued_messages_maximum: usize,
    /// Bytes of topic, payload and properties waiting in one session's queue, the same rule. Default 4 MiB.
    pub queued_bytes_maximum: usize,
    /// Whom the Server takes.
    pub connect: ConnectRules,
    /// What becomes of messages. What concerns all of them counts by the broker's own limits, not by those of a listener's.
    pub messages: MessageRules,
    /// What the acknowledgement of a message says about the disk. Default: it is there.
    pub durability: DurabilityRules,
    /// Bounds over all sessions. Those of the broker's own limits count, not those of a listener's.
    pub total: TotalLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            receive_maximum: 64,
            maximum_packet_size: 1024 * 1024,
            maximum_inflight: 64,
            maximum_qos: QoS::ExactlyOnce,
            topic_alias_maximum: 16,
            topic_levels_maximum: 32,
            session_expiry_maximum: 7 * 24 * 3600,
            subscriptions_maximum: 1_000,
            access_answers_maximum: 32,
            queued_messages_maximum: 1_000,
            queued_bytes_maximum: 4 * 1024 * 1024,
            connect: ConnectRules::default(),
            messages: MessageRules::default(),
            durability: DurabilityRules::default(),
            total: TotalLimits::default(),
        }
    }
}
