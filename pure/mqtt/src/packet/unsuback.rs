//! UNSUBACK (§3.11): one Reason Code for each Topic Filter of an UNSUBSCRIBE; none before MQTT 5.0.

use bytestring::ByteString;

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink};
use crate::{DecodeError, PacketId, ProtocolVersion, ReasonCode, UserProperties};

/// Unsubscribe acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsuback {
    /// Of the UNSUBSCRIBE [MQTT-2.2.1-6], [MQTT-3.10.4-5].
    pub packet_id: PacketId,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
    /// In the order of the Topic Filters [MQTT-3.11.3-1]; empty before MQTT 5.0.
    pub reason_codes: Vec<ReasonCode>,
}

impl Unsuback {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut unsuback = Self {
            packet_id: reader.packet_id()?,
            reason_string: None,
            user_properties: UserProperties::default(),
            reason_codes: Vec::new(),
        };
        // MQTT 3.1.1 carries no payload (§3.11.3 there); its length was checked with the fixed header.
        if !reader.context.version.has_properties() {
            return Ok(unsuback);
        }
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::ReasonString => unsuback.reason_string = Some(properties.string()?),
                PropertyId::UserProperty => properties.user_property(&mut unsuback.user_properties)?,
                _ => return Err(properties.misplaced()),
            }
        }
        while !reader.is_empty() {
            unsuback.reason_codes.push(reader.reason_code("MQTT-3.11.3-2")?);
        }
        // One for each Topic Filter, of which there is at least one [MQTT-3.11.3-1].
        if unsuback.reason_codes.is_empty() {
            let detail = "UNSUBACK has no reason code, expected one for each topic filter";
            return Err(DecodeError::malformed("MQTT-3.11.3-1", detail));
        }
        Ok(unsuback)
    }
}

impl Body for Unsuback {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        sink.u16(self.packet_id.get());
        sink.properties(version, self);
        if version.has_properties() {
            for code in &self.reason_codes {
                sink.u8(code.value());
            }
        }
    }
}

impl PropertyList for Unsuback {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_string(PropertyId::ReasonString, self.reason_string.as_deref());
        sink.user_properties(&self.user_properties);
    }
}
