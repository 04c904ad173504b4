//! Will Message (§3.1.2.5, §3.1.3.2): the part of a CONNECT that is published when its client is lost.

use bytes::Bytes;
use bytestring::ByteString;

use crate::{QoS, TopicName, UserProperties};

/// Will Message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where it will be published.
    pub topic: TopicName,
    /// What will be published.
    pub payload: Bytes,
    /// Quality of Service it will be published with.
    pub qos: QoS,
    /// Whether it will be retained.
    pub retain: bool,
    /// Empty in MQTT 3.1.1.
    pub properties: WillProperties,
}

/// Will Properties (§3.1.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WillProperties {
    /// Seconds to wait before it is published; default 0.
    pub delay_interval: Option<u32>,
    /// `true`: the payload is UTF-8 text.
    pub payload_format_indicator: Option<bool>,
    /// Lifetime in seconds, counted from the moment it is published.
    pub message_expiry_interval: Option<u32>,
    /// What the payload is.
    pub content_type: Option<ByteString>,
    /// Topic for the answer.
    pub response_topic: Option<TopicName>,
    /// What the answer is to repeat.
    pub correlation_data: Option<Bytes>,
    /// In order.
    pub user_properties: UserProperties,
}
