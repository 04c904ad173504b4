//! PUBACK, PUBREC, PUBREL, PUBCOMP (§3.4 to §3.7): four packets of one shape.

use bytestring::ByteString;

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink, counted};
use crate::{DecodeError, PacketId, PacketType, ProtocolVersion, ReasonCode, UserProperties};

/// Acknowledgement of a PUBLISH or of one step of its QoS 2 exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Of the PUBLISH that it belongs to [MQTT-2.2.1-5].
    pub packet_id: PacketId,
    /// [`ReasonCode::Success`] when the packet carries none; no other is known before MQTT 5.0.
    pub reason_code: ReasonCode,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
}

impl Ack {
    /// The short form: Success and nothing else.
    #[must_use]
    pub fn success(packet_id: PacketId) -> Self {
        Self::new(packet_id, ReasonCode::Success)
    }

    /// With a Reason Code and no properties.
    #[must_use]
    pub fn new(packet_id: PacketId, reason_code: ReasonCode) -> Self {
        Self { packet_id, reason_code, reason_string: None, user_properties: UserProperties::default() }
    }
}

impl Ack {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut ack = Self::success(reader.packet_id()?);
        // A Remaining Length of 2 is all of MQTT 3.1.1, and Success without properties in MQTT 5.0 (§3.4.2.1).
        if reader.is_empty() {
            return Ok(ack);
        }
        ack.reason_code = reader.reason_code(match reader.context.packet {
            PacketType::Puback => "MQTT-3.4.2-1",
            PacketType::Pubrec => "MQTT-3.5.2-1",
            PacketType::Pubrel => "MQTT-3.6.2-1",
            _ => "MQTT-3.7.2-1",
        })?;
        // A Remaining Length of 3 leaves the properties out (§3.4.2.2.1).
        if reader.is_empty() {
            return Ok(ack);
        }
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::ReasonString => ack.reason_string = Some(properties.string()?),
                PropertyId::UserProperty => properties.user_property(&mut ack.user_properties)?,
                _ => return Err(properties.misplaced()),
            }
        }
        Ok(ack)
    }
}

impl Body for Ack {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        sink.u16(self.packet_id.get());
        let properties = counted(|counter| PropertyList::write(self, counter)) > 0;
        if !version.has_properties() || (self.reason_code == ReasonCode::Success && !properties) {
            return;
        }
        sink.u8(self.reason_code.value());
        if properties {
            sink.properties(version, self);
        }
    }
}

impl PropertyList for Ack {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_string(PropertyId::ReasonString, self.reason_string.as_deref());
        sink.user_properties(&self.user_properties);
    }
}
