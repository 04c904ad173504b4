//! Messages and Wills.

use bytes::Bytes;
use bytestring::ByteString;
use signet_mqtt::{Message, MessageProperties, QoS, TopicName, UserProperties, Will, WillProperties};

use super::cursor::{Cursor, put_bytes, put_varint};
use super::{RecordError, qos};

const RETAIN: u8 = 0b0000_0100;
const FORMAT: u8 = 0b0000_1000;
const FORMAT_IS_TEXT: u8 = 0b0001_0000;
const EXPIRY: u8 = 0b0010_0000;
const OTHERS: u8 = 0b0100_0000;

const RESPONSE_TOPIC: u8 = 0b0001;
const CORRELATION_DATA: u8 = 0b0010;
const USER_PROPERTIES: u8 = 0b0100;
const CONTENT_TYPE: u8 = 0b1000;

/// What a message and a Will have in common.
struct Content<'a> {
    topic: &'a TopicName,
    payload: &'a Bytes,
    qos: QoS,
    retain: bool,
    format: Option<bool>,
    expiry: Option<u32>,
    response_topic: Option<&'a TopicName>,
    correlation_data: Option<&'a Bytes>,
    user_properties: &'a UserProperties,
    content_type: Option<&'a ByteString>,
}

impl Content<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        let mut others = 0;
        for (is_set, flag) in [
            (self.response_topic.is_some(), RESPONSE_TOPIC),
            (self.correlation_data.is_some(), CORRELATION_DATA),
            (!self.user_properties.is_empty(), USER_PROPERTIES),
            (self.content_type.is_some(), CONTENT_TYPE),
        ] {
            others |= if is_set { flag } else { 0 };
        }
        let mut flags = u8::from(self.qos);
        for (is_set, flag) in [
            (self.retain, RETAIN),
            (self.format.is_some(), FORMAT),
            (self.format == Some(true), FORMAT_IS_TEXT),
            (self.expiry.is_some(), EXPIRY),
            (others != 0, OTHERS),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        out.push(flags);
        if let Some(expiry) = self.expiry {
            out.extend_from_slice(&expiry.to_le_bytes());
        }
        if others != 0 {
            out.push(others);
        }
        if let Some(topic) = self.response_topic {
            put_bytes(out, topic.as_str().as_bytes());
        }
        if let Some(data) = self.correlation_data {
            put_bytes(out, data);
        }
        if !self.user_properties.is_empty() {
            put_varint(out, u64::try_from(self.user_properties.len()).unwrap_or(u64::MAX));
            for (name, value) in self.user_properties.iter() {
                put_bytes(out, name.as_bytes());
                put_bytes(out, value.as_bytes());
            }
        }
        if let Some(text) = self.content_type {
            put_bytes(out, text.as_bytes());
        }
        put_bytes(out, self.topic.as_str().as_bytes());
        put_bytes(out, self.payload);
    }
}

pub(crate) fn put_message(out: &mut Vec<u8>, message: &Message) {
    let properties = &message.properties;
    let content = Content {
        topic: &message.topic,
        payload: &message.payload,
        qos: message.qos,
        retain: message.retain,
        format: properties.payload_format_indicator,
        expiry: properties.message_expiry_interval,
        response_topic: properties.response_topic.as_ref(),
        correlation_data: properties.correlation_data.as_ref(),
        user_properties: &properties.user_properties,
        content_type: properties.content_type.as_ref(),
    };
    content.put(out);
}

/// Reads what [`put_message`] wrote.
pub(crate) fn read_message(bytes: &[u8]) -> Result<Message, RecordError> {
    let mut cursor = Cursor(bytes);
    let flags = cursor.u8()?;
    let expiry = if flags & EXPIRY == 0 { None } else { Some(cursor.u32()?) };
    let others = if flags & OTHERS == 0 { 0 } else { cursor.u8()? };
    let response_topic = if others & RESPONSE_TOPIC == 0 { None } else { Some(topic(&mut cursor)?) };
    let correlation_data = if others & CORRELATION_DATA == 0 { None } else { Some(Bytes::copy_from_slice(cursor.bytes()?)) };
    let mut user_properties = Vec::new();
    if others & USER_PROPERTIES != 0 {
        for _ in 0..cursor.varint()? {
            user_properties.push((cursor.byte_string()?, cursor.byte_string()?));
        }
    }
    let content_type = if others & CONTENT_TYPE == 0 { None } else { Some(cursor.byte_string()?) };
    let message = Message {
        topic: topic(&mut cursor)?,
        payload: Bytes::copy_from_slice(cursor.bytes()?),
        qos: qos(flags & 0b11)?,
        retain: flags & RETAIN != 0,
        properties: MessageProperties {
            payload_format_indicator: (flags & FORMAT != 0).then_some(flags & FORMAT_IS_TEXT != 0),
            message_expiry_interval: expiry,
            response_topic,
            correlation_data,
            user_properties: UserProperties(user_properties),
            content_type,
        }
        .into(),
    };
    cursor.end()?;
    Ok(message)
}

fn topic(cursor: &mut Cursor<'_>) -> Result<TopicName, RecordError> {
    TopicName::new(cursor.text()?).map_err(|_| RecordError::Malformed("Topic Name"))
}

pub(crate) fn put_will(out: &mut Vec<u8>, will: &Will) {
    let properties = &will.properties;
    // Nothing and zero mean the same, but a Will is given back as it came.
    put_varint(out, properties.delay_interval.map_or(0, |seconds| u64::from(seconds) + 1));
    let content = Content {
        topic: &will.topic,
        payload: &will.payload,
        qos: will.qos,
        retain: will.retain,
        format: properties.payload_format_indicator,
        expiry: properties.message_expiry_interval,
        response_topic: properties.response_topic.as_ref(),
        correlation_data: properties.correlation_data.as_ref(),
        user_properties: &properties.user_properties,
        content_type: properties.content_type.as_ref(),
    };
    content.put(out);
}

/// Reads what [`put_will`] wrote.
pub(crate) fn read_will(bytes: &[u8]) -> Result<Will, RecordError> {
    let mut cursor = Cursor(bytes);
    let delay_interval = match cursor.varint()?.checked_sub(1) {
        None => None,
        Some(seconds) => Some(u32::try_from(seconds).map_err(|_| RecordError::Malformed("Will Delay Interval"))?),
    };
    let message = read_message(cursor.rest())?;
    let properties = message.properties.into_inner();
    Ok(Will {
        topic: message.topic,
        payload: message.payload,
        qos: message.qos,
        retain: message.retain,
        properties: WillProperties {
            delay_interval,
            payload_format_indicator: properties.payload_format_indicator,
            message_expiry_interval: properties.message_expiry_interval,
            content_type: properties.content_type,
            response_topic: properties.response_topic,
            correlation_data: properties.correlation_data,
            user_properties: properties.user_properties,
        },
    })
}
