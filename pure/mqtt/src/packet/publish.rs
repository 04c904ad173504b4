//! PUBLISH (§3.3): an Application Message on its way.

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;

use crate::packet::SubscriptionIdentifier;
use crate::{PacketId, QoS, TopicName, UserProperties};

/// Publish message. Topic, properties and payload of a decoded one share a single allocation that holds nothing but this packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Whether this may be a re-delivery.
    pub dup: bool,
    /// Quality of Service of this delivery.
    pub qos: QoS,
    /// RETAIN flag.
    pub retain: bool,
    /// `None`: the Topic Name is empty and the Topic Alias stands for it (MQTT 5.0).
    pub topic: Option<TopicName>,
    /// Present exactly when `qos` is above 0 [MQTT-2.2.1-2].
    pub packet_id: Option<PacketId>,
    /// Empty in MQTT 3.1.1.
    pub properties: PublishProperties,
    /// What is published; may be empty.
    pub payload: Bytes,
}

/// Properties of a PUBLISH.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishProperties {
    /// `true`: the payload is UTF-8 text.
    pub payload_format_indicator: Option<bool>,
    /// Lifetime in seconds.
    pub message_expiry_interval: Option<u32>,
    /// Number that stands for the Topic Name.
    pub topic_alias: Option<NonZeroU16>,
    /// Topic for the answer.
    pub response_topic: Option<TopicName>,
    /// What the answer is to repeat.
    pub correlation_data: Option<Bytes>,
    /// In order.
    pub user_properties: UserProperties,
    /// Of the subscriptions that asked for it; from a server only.
    pub subscription_identifiers: Vec<SubscriptionIdentifier>,
    /// What the payload is.
    pub content_type: Option<ByteString>,
}
