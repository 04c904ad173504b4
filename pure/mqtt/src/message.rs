//! An Application Message as it is stored and fanned out: without the connection it came by, and shared by all its receivers.

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;

use crate::packet::{Publish, PublishProperties, SubscriptionIdentifier, Will};
use crate::{Empty, PacketId, QoS, Rare, TopicName, UserProperties};

/// What a User Property takes besides its text: 128 empty ones are 640 bytes on the wire and a dozen times that in memory.
const USER_PROPERTY: usize = size_of::<(ByteString, ByteString)>();

/// Application Message with everything that travels on to its receivers unaltered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: TopicName,
    /// What was published.
    pub payload: Bytes,
    /// Quality of Service it was published with.
    pub qos: QoS,
    /// RETAIN flag it was published with.
    pub retain: bool,
    /// Properties that are forwarded.
    pub properties: Rare<MessageProperties>,
}

/// Properties of a PUBLISH or of a Will that belong to the message rather than to one delivery of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageProperties {
    /// `true`: the payload is UTF-8 text. Forwarded unaltered [MQTT-3.3.2-4].
    pub payload_format_indicator: Option<bool>,
    /// Lifetime in seconds, counted from the moment of publishing.
    pub message_expiry_interval: Option<u32>,
    /// Topic for the answer; unaltered [MQTT-3.3.2-15].
    pub response_topic: Option<TopicName>,
    /// What the answer is to repeat; unaltered [MQTT-3.3.2-16].
    pub correlation_data: Option<Bytes>,
    /// Unaltered and in order [MQTT-3.3.2-17], [MQTT-3.3.2-18].
    pub user_properties: UserProperties,
    /// What the payload is; unaltered [MQTT-3.3.2-20].
    pub content_type: Option<ByteString>,
}

impl Message {
    /// The message inside a PUBLISH whose topic is known: its own, or what its Topic Alias stands for.
    #[must_use]
    pub fn from_publish(mut publish: Publish, topic: TopicName) -> Self {
        let properties = publish.properties.take().map_or_else(Rare::default, |properties| MessageProperties::from(*properties).into());
        Self { topic, payload: publish.payload, qos: publish.qos, retain: publish.retain, properties }
    }

    /// Octets it holds in memory, about: all that its publisher chose, properties included. What bounds queues and buffers counts this.
    #[must_use]
    pub fn size(&self) -> usize {
        let properties = &self.properties;
        let optional = properties.response_topic.as_ref().map_or(0, |topic| topic.as_str().len())
            + properties.correlation_data.as_ref().map_or(0, Bytes::len)
            + properties.content_type.as_ref().map_or(0, |text| text.len());
        let pairs: usize = properties.user_properties.iter().map(|(name, value)| name.len() + value.len() + USER_PROPERTY).sum();
        self.topic.as_str().len() + self.payload.len() + optional + pairs
    }

    /// The message that a Will becomes when it is published.
    #[must_use]
    pub fn from_will(will: Will) -> Self {
        let properties = will.properties;
        Self {
            topic: will.topic,
            payload: will.payload,
            qos: will.qos,
            retain: will.retain,
            properties: MessageProperties {
                payload_format_indicator: properties.payload_format_indicator,
                message_expiry_interval: properties.message_expiry_interval,
                response_topic: properties.response_topic,
                correlation_data: properties.correlation_data,
                user_properties: properties.user_properties,
                content_type: properties.content_type,
            }
            .into(),
        }
    }
}

/// Without what belongs to one delivery: the Topic Alias and the Subscription Identifiers.
impl From<PublishProperties> for MessageProperties {
    fn from(properties: PublishProperties) -> Self {
        Self {
            payload_format_indicator: properties.payload_format_indicator,
            message_expiry_interval: properties.message_expiry_interval,
            response_topic: properties.response_topic,
            correlation_data: properties.correlation_data,
            user_properties: properties.user_properties,
            content_type: properties.content_type,
        }
    }
}

impl Empty for MessageProperties {
    fn empty() -> &'static Self {
        static EMPTY: MessageProperties = MessageProperties {
            payload_format_indicator: None,
            message_expiry_interval: None,
            response_topic: None,
            correlation_data: None,
            user_properties: UserProperties(Vec::new()),
            content_type: None,
        };
        &EMPTY
    }
}

/// What differs between two deliveries of one message: everything of a PUBLISH that is not in [`Message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishHeader<'a> {
    /// Whether this may be a re-delivery.
    pub dup: bool,
    /// Quality of Service of this delivery.
    pub qos: QoS,
    /// RETAIN flag of this delivery.
    pub retain: bool,
    /// Present exactly when `qos` is above 0.
    pub packet_id: Option<PacketId>,
    /// Lifetime that remains, in seconds; replaces the one in the message [MQTT-3.3.2-6].
    pub message_expiry_interval: Option<u32>,
    /// Of all subscriptions that asked for this delivery. Left out before MQTT 5.0.
    pub subscription_identifiers: &'a [SubscriptionIdentifier],
    /// Topic Alias to set or to use. Left out before MQTT 5.0.
    pub topic_alias: Option<NonZeroU16>,
    /// `false`: the alias is known to the receiver and the Topic Name is left empty. Ignored without an alias and before MQTT 5.0.
    pub send_topic: bool,
}
