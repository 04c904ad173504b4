//! PUBLISH (§3.3): an Application Message on its way.

use std::num::NonZeroU16;

use bytes::Bytes;
use bytestring::ByteString;

use crate::packet::SubscriptionIdentifier;
use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink};
use crate::{
    DecodeError, Empty, Message, PacketId, ProtocolVersion, PublishHeader, QoS, Rare, Role, TopicError, TopicName, UserProperties,
};

/// Publish message. Properties and payload of a decoded one share an allocation that holds nothing but this packet; the topic may be shared with
/// other packets of the same topic.
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
    /// Empty before MQTT 5.0.
    pub properties: Rare<PublishProperties>,
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

impl Publish {
    /// Reads what follows the fixed header, whose flags have been checked. `known` is the topic of an earlier packet: devices repeat themselves.
    pub(crate) fn read(flags: u8, known: &mut Option<TopicName>, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let qos = QoS::try_from((flags >> 1) & 0b11).unwrap_or_default();
        let topic = read_topic(known, reader)?;
        // [MQTT-2.2.1-2]
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            _ => Some(reader.packet_id()?),
        };
        let (properties, payload) = if reader.has_properties() {
            // The one copy that properties and payload are slices of.
            let copy = reader.take_rest();
            let mut reader = Reader::sharing(&copy, reader.context);
            (PublishProperties::read(&mut reader)?, reader.take_rest())
        } else {
            (PublishProperties::read(reader)?, reader.take_rest())
        };
        let publish = Self { dup: flags & 0b1000 != 0, qos, retain: flags & 0b0001 != 0, topic, packet_id, properties, payload };
        if publish.topic.is_none() {
            if !reader.context.version.has_properties() {
                return Err(DecodeError::TopicNameInvalid(TopicError::Empty));
            }
            if publish.properties.topic_alias.is_none() {
                let detail = "topic name is empty and there is no topic alias, expected one of them";
                return Err(DecodeError::protocol("§3.3.2.1", detail));
            }
        }
        Ok(publish)
    }
}

/// Longest topic that is remembered for the next packet, in bytes: a connection that sends nothing any more should hold little.
const KNOWN_MAXIMUM: usize = 256;

/// The Topic Name, as a reference to `known` if it is the same.
fn read_topic(known: &mut Option<TopicName>, reader: &mut Reader<'_>) -> Result<Option<TopicName>, DecodeError> {
    if let Some(known) = known.as_ref().filter(|known| reader.skip_string(known.as_str())) {
        return Ok(Some(known.clone()));
    }
    // [MQTT-3.3.2-1], [MQTT-3.3.2-2]
    let topic = reader.topic_name("topic name")?.transpose().map_err(DecodeError::TopicNameInvalid)?;
    if let Some(topic) = topic.as_ref().filter(|topic| topic.as_str().len() <= KNOWN_MAXIMUM) {
        *known = Some(topic.clone());
    }
    Ok(topic)
}

impl Empty for PublishProperties {
    fn empty() -> &'static Self {
        static EMPTY: PublishProperties = PublishProperties {
            payload_format_indicator: None,
            message_expiry_interval: None,
            topic_alias: None,
            response_topic: None,
            correlation_data: None,
            user_properties: UserProperties(Vec::new()),
            subscription_identifiers: Vec::new(),
            content_type: None,
        };
        &EMPTY
    }
}

impl PublishProperties {
    fn read(reader: &mut Reader<'_>) -> Result<Rare<Self>, DecodeError> {
        let sender = reader.context.sender;
        let mut list = Rare::<Self>::default();
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::PayloadFormatIndicator => list.payload_format_indicator = Some(properties.flag()?),
                PropertyId::MessageExpiryInterval => list.message_expiry_interval = Some(properties.u32()?),
                PropertyId::TopicAlias => list.topic_alias = Some(properties.topic_alias()?),
                // [MQTT-3.3.2-13], [MQTT-3.3.2-14]
                PropertyId::ResponseTopic => list.response_topic = Some(properties.response_topic()?),
                PropertyId::CorrelationData => list.correlation_data = Some(properties.binary()?),
                PropertyId::UserProperty => properties.user_property(&mut list.user_properties)?,
                // [MQTT-3.3.4-6]
                PropertyId::SubscriptionIdentifier if sender == Role::Client => {
                    let detail = "subscription identifier in a PUBLISH from the client, expected from servers only";
                    return Err(DecodeError::protocol("MQTT-3.3.4-6", detail));
                }
                PropertyId::SubscriptionIdentifier => {
                    list.subscription_identifiers.push(properties.subscription_identifier()?);
                }
                // [MQTT-3.3.2-19]
                PropertyId::ContentType => list.content_type = Some(properties.string()?),
                _ => return Err(properties.misplaced()),
            }
        }
        Ok(list)
    }
}

/// A PUBLISH about to be written, whether it comes from a packet or from a message and its header.
pub(crate) struct PublishView<'a> {
    dup: bool,
    qos: QoS,
    retain: bool,
    topic: &'a str,
    packet_id: Option<PacketId>,
    properties: PropertyView<'a>,
    payload: &'a [u8],
}

struct PropertyView<'a> {
    payload_format_indicator: Option<bool>,
    message_expiry_interval: Option<u32>,
    topic_alias: Option<NonZeroU16>,
    response_topic: Option<&'a TopicName>,
    correlation_data: Option<&'a Bytes>,
    user_properties: &'a UserProperties,
    subscription_identifiers: &'a [SubscriptionIdentifier],
    content_type: Option<&'a ByteString>,
}

impl<'a> PublishView<'a> {
    /// The delivery of `message` that `header` describes.
    pub(crate) fn of_message(message: &'a Message, header: &PublishHeader<'a>, version: ProtocolVersion) -> Self {
        let named_by_alias = version.has_properties() && header.topic_alias.is_some() && !header.send_topic;
        let properties = &message.properties;
        Self {
            dup: header.dup,
            qos: header.qos,
            retain: header.retain,
            topic: if named_by_alias { "" } else { message.topic.as_str() },
            packet_id: header.packet_id,
            properties: PropertyView {
                payload_format_indicator: properties.payload_format_indicator,
                message_expiry_interval: header.message_expiry_interval,
                topic_alias: header.topic_alias,
                response_topic: properties.response_topic.as_ref(),
                correlation_data: properties.correlation_data.as_ref(),
                user_properties: &properties.user_properties,
                subscription_identifiers: header.subscription_identifiers,
                content_type: properties.content_type.as_ref(),
            },
            payload: &message.payload,
        }
    }

    /// The low half of the first byte.
    pub(crate) fn flags(&self) -> u8 {
        (u8::from(self.dup) << 3) | (u8::from(self.qos) << 1) | u8::from(self.retain)
    }
}

impl<'a> From<&'a Publish> for PublishView<'a> {
    fn from(publish: &'a Publish) -> Self {
        let properties = &publish.properties;
        Self {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            topic: publish.topic.as_ref().map_or("", TopicName::as_str),
            packet_id: publish.packet_id,
            properties: PropertyView {
                payload_format_indicator: properties.payload_format_indicator,
                message_expiry_interval: properties.message_expiry_interval,
                topic_alias: properties.topic_alias,
                response_topic: properties.response_topic.as_ref(),
                correlation_data: properties.correlation_data.as_ref(),
                user_properties: &properties.user_properties,
                subscription_identifiers: &properties.subscription_identifiers,
                content_type: properties.content_type.as_ref(),
            },
            payload: &publish.payload,
        }
    }
}

impl Body for PublishView<'_> {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        sink.string(self.topic);
        // [MQTT-2.2.1-2]: with QoS 0 there is none.
        if self.qos > QoS::AtMostOnce {
            sink.u16(self.packet_id.map_or(0, PacketId::get));
        }
        sink.properties(version, &self.properties);
        sink.put(self.payload);
    }
}

/// The order is free (§2.2.2.2). First stands what belongs to the message, then what belongs to this delivery of it, as Mosquitto has it.
impl PropertyList for PropertyView<'_> {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_flag(PropertyId::PayloadFormatIndicator, self.payload_format_indicator);
        sink.property_string(PropertyId::ContentType, self.content_type.map(|text| &**text));
        sink.property_string(PropertyId::ResponseTopic, self.response_topic.map(TopicName::as_str));
        sink.property_binary(PropertyId::CorrelationData, self.correlation_data.map(|data| &**data));
        sink.user_properties(self.user_properties);
        sink.property_u32(PropertyId::MessageExpiryInterval, self.message_expiry_interval);
        sink.property_u16(PropertyId::TopicAlias, self.topic_alias.map(NonZeroU16::get));
        for identifier in self.subscription_identifiers {
            sink.property_subscription_identifier(*identifier);
        }
    }
}
