//! UNSUBSCRIBE (§3.10): Topic Filters to give up.

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink};
use crate::{DecodeError, PacketId, ProtocolVersion, TopicFilter, UserProperties};

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

impl Unsubscribe {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut unsubscribe = Self { packet_id: reader.packet_id()?, user_properties: UserProperties::default(), filters: Vec::new() };
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::UserProperty => properties.user_property(&mut unsubscribe.user_properties)?,
                _ => return Err(properties.misplaced()),
            }
        }
        // [MQTT-3.10.3-2]
        if reader.is_empty() {
            return Err(DecodeError::protocol("MQTT-3.10.3-2", "UNSUBSCRIBE has no topic filter, expected at least one"));
        }
        let maximum = reader.context.limits.maximum_filters;
        while !reader.is_empty() {
            if unsubscribe.filters.len() >= maximum {
                return Err(DecodeError::LimitExceeded { what: "topic filters in one packet", maximum });
            }
            // [MQTT-3.10.3-1]
            unsubscribe.filters.push(reader.topic_filter()?);
        }
        Ok(unsubscribe)
    }
}

impl Body for Unsubscribe {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        sink.u16(self.packet_id.get());
        sink.properties(version, self);
        for filter in &self.filters {
            sink.string(filter.as_str());
        }
    }
}

impl PropertyList for Unsubscribe {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.user_properties(&self.user_properties);
    }
}
