//! How the Server goes about what the specification leaves to it: whom it takes, and what becomes of messages. Every default is what Signet does by
//! itself; the other values are for those who come from a broker that does it another way.

use std::sync::Arc;

use signet_mqtt::{ProtocolVersion, QoS};

/// Whom the Server takes, by what a CONNECT says besides who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectRules {
    /// Versions that are spoken; a CONNECT of another one is refused with 0x84 (before MQTT 5.0: 1). Default: all.
    pub protocol_versions: Vec<ProtocolVersion>,
    /// Whether a client may leave its Client Identifier to the Server; otherwise it is refused with 0x80 (before MQTT 5.0: 2). Default: it may.
    pub empty_client_identifier: bool,
    /// What Client Identifiers that the Server gives begin with. Default: `auto-`.
    pub assigned_client_identifier_prefix: Arc<str>,
    /// What Client Identifiers have to begin with, as clients send them or are given them; others are refused with 0x87 (before MQTT 5.0: 5).
    /// Default: anything.
    pub client_identifier_prefix: Arc<str>,
    /// Bytes of a Client Identifier; a longer one is refused with 0x85. Default 1024.
    pub client_identifier_bytes_maximum: u16,
    /// Longest Keep Alive in seconds; an MQTT 5 client that asks for more, or for none, is told this as Server Keep Alive. 0 (the default):
    /// clients choose.
    pub keep_alive_maximum: u16,
    /// Whether clients older than MQTT 5.0, which cannot be told another Keep Alive, are refused with 2 when theirs is longer or none. Default: no.
    pub keep_alive_enforced: bool,
    /// What becomes of the session that somebody else has left under a Client Identifier.
    pub foreign_session: ForeignSession,
}

impl Default for ConnectRules {
    fn default() -> Self {
        Self {
            protocol_versions: ProtocolVersion::ALL.to_vec(),
            empty_client_identifier: true,
            assigned_client_identifier_prefix: "auto-".into(),
            client_identifier_prefix: "".into(),
            client_identifier_bytes_maximum: 1024,
            keep_alive_maximum: 0,
            keep_alive_enforced: false,
            foreign_session: ForeignSession::Refuse,
        }
    }
}

/// What becomes of the session that another device or user has left under a Client Identifier, or has still a connection to. Those of other tenants
/// are out of reach in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForeignSession {
    /// Whoever comes is refused with 0x85, and a session that nobody has proven to be theirs ends.
    #[default]
    Refuse,
    /// Whoever comes has it. What it subscribed to is judged by the rights of its new owner, and so is every message that waits.
    Resume,
}

/// What becomes of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRules {
    /// Bytes of a payload; a larger message goes nowhere, and its exchange is completed, with 0x83 where that can be said. 0 (the default): any.
    pub payload_maximum: usize,
    /// Bytes of payloads with QoS 1 and 2 that may be on their way to one client before the next has to wait. 0 (the default): any.
    pub inflight_bytes_maximum: usize,
    /// Whether messages with QoS 0 wait for clients that are away, in memory. Default: no.
    pub queued_qos0: bool,
    /// Topic Aliases that the Server sets on one connection, if the client allows as many. Default 16, each costs one Topic Name.
    pub topic_alias_outgoing_maximum: u16,
    /// What answers say besides what they have to.
    pub answers: Wording,
    /// Whether there are retained messages; a PUBLISH with RETAIN ends its connection with 0x9A otherwise, and clients are told. Default: yes.
    pub retained_available: bool,
    /// How often retained messages that have expired are looked for and forgotten, in seconds. 0 (the default): with the next one that is retained.
    /// Nobody gets one that has expired.
    pub retained_expiry: u32,
    /// Whether whoever retained a message has to have the right to still when it is sent to somebody. Default: no.
    pub is_retained_source_checked: bool,
    /// What a session gets by several subscriptions that match.
    pub overlapping_subscriptions: Overlapping,
    /// Whether a message is delivered with the QoS of the subscription even where its own is lower. Default: no.
    pub raises_qos: bool,
}

impl Default for MessageRules {
    fn default() -> Self {
        Self {
            payload_maximum: 0,
            inflight_bytes_maximum: 0,
            queued_qos0: false,
            topic_alias_outgoing_maximum: 16,
            answers: Wording::Full,
            retained_available: true,
            retained_expiry: 0,
            is_retained_source_checked: false,
            overlapping_subscriptions: Overlapping::Once,
            raises_qos: false,
        }
    }
}

impl MessageRules {
    /// The QoS with which a message goes to a subscription that was granted `maximum`.
    pub(crate) fn delivered(&self, maximum: QoS, published: QoS) -> QoS {
        if self.raises_qos { maximum } else { maximum.min(published) }
    }
}

/// What answers say besides what they have to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wording {
    /// Reason Strings, and the most exact Reason Code.
    #[default]
    Full,
    /// No Reason Strings. A PUBREC does not say that nobody has subscribed, PUBREL and PUBCOMP not that a Packet Identifier is unknown, and topics that
    /// are malformed are a malformed packet.
    Plain,
}

/// What a session gets by several subscriptions that match [MQTT-3.3.4-2].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overlapping {
    /// One message, with the highest QoS and all identifiers.
    #[default]
    Once,
    /// One for each subscription, each with its own QoS and identifier.
    Each,
    /// One for each subscription that was made by MQTT 5.0, otherwise one.
    EachOf5,
}

impl Overlapping {
    /// Whether a subscription gets a message of its own; `is_mqtt5`: by what it was made.
    pub(crate) fn is_each(self, is_mqtt5: bool) -> bool {
        match self {
            Self::Once => false,
            Self::Each => true,
            Self::EachOf5 => is_mqtt5,
        }
    }
}
