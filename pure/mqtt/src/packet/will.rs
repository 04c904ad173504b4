//! Will Message (§3.1.2.5, §3.1.3.2): the part of a CONNECT that is published when its client is lost.

use bytes::Bytes;
use bytestring::ByteString;

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink};
use crate::{DecodeError, ProtocolVersion, QoS, TopicError, TopicName, UserProperties};

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
    /// Empty before MQTT 5.0.
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

impl Will {
    /// Reads the Will fields of a CONNECT payload; QoS and RETAIN stand in its flags.
    pub(crate) fn read(reader: &mut Reader<'_>, qos: QoS, retain: bool) -> Result<Self, DecodeError> {
        let properties = WillProperties::read(reader)?;
        // [MQTT-3.1.3-11]
        let topic = reader.topic_name("will topic")?.unwrap_or(Err(TopicError::Empty)).map_err(DecodeError::TopicNameInvalid)?;
        Ok(Self { topic, payload: reader.binary("will payload")?, qos, retain, properties })
    }
}

impl WillProperties {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = Self::default();
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::WillDelayInterval => list.delay_interval = Some(properties.u32()?),
                PropertyId::PayloadFormatIndicator => list.payload_format_indicator = Some(properties.flag()?),
                PropertyId::MessageExpiryInterval => list.message_expiry_interval = Some(properties.u32()?),
                PropertyId::ContentType => list.content_type = Some(properties.string()?),
                PropertyId::ResponseTopic => list.response_topic = Some(properties.response_topic()?),
                PropertyId::CorrelationData => list.correlation_data = Some(properties.binary()?),
                PropertyId::UserProperty => properties.user_property(&mut list.user_properties)?,
                _ => return Err(properties.misplaced()),
            }
        }
        Ok(list)
    }
}

impl Body for Will {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        sink.properties(version, &self.properties);
        sink.string(self.topic.as_str());
        sink.binary(&self.payload);
    }
}

impl PropertyList for WillProperties {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_u32(PropertyId::WillDelayInterval, self.delay_interval);
        sink.property_flag(PropertyId::PayloadFormatIndicator, self.payload_format_indicator);
        sink.property_u32(PropertyId::MessageExpiryInterval, self.message_expiry_interval);
        sink.property_string(PropertyId::ContentType, self.content_type.as_deref());
        sink.property_string(PropertyId::ResponseTopic, self.response_topic.as_ref().map(TopicName::as_str));
        sink.property_binary(PropertyId::CorrelationData, self.correlation_data.as_deref());
        sink.user_properties(&self.user_properties);
    }
}
