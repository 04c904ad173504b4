//! SUBACK (§3.9): one Reason Code for each Topic Filter of a SUBSCRIBE.

use bytestring::ByteString;

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink};
use crate::{DecodeError, PacketId, ProtocolVersion, ReasonCode, UserProperties};

/// Subscribe acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suback {
    /// Of the SUBSCRIBE [MQTT-2.2.1-6], [MQTT-3.8.4-2].
    pub packet_id: PacketId,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
    /// In the order of the Topic Filters [MQTT-3.9.3-1]. MQTT 3.1.1 has 0x80 for every failure.
    pub reason_codes: Vec<ReasonCode>,
}

impl Suback {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut suback = Self {
            packet_id: reader.packet_id()?,
            reason_string: None,
            user_properties: UserProperties::default(),
            reason_codes: Vec::new(),
        };
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::ReasonString => suback.reason_string = Some(properties.string()?),
                PropertyId::UserProperty => properties.user_property(&mut suback.user_properties)?,
                _ => return Err(properties.misplaced()),
            }
        }
        while !reader.is_empty() {
            suback.reason_codes.push(read_reason_code(reader)?);
        }
        // One for each Topic Filter, of which there is at least one [MQTT-3.9.3-1].
        if suback.reason_codes.is_empty() {
            let detail = "SUBACK has no reason code, expected one for each topic filter";
            return Err(DecodeError::malformed("MQTT-3.9.3-1", detail));
        }
        Ok(suback)
    }
}

fn read_reason_code(reader: &mut Reader<'_>) -> Result<ReasonCode, DecodeError> {
    let code = reader.reason_code("MQTT-3.9.3-2")?;
    // [MQTT-3.9.3-2] (3.1.1): 0x80 is the only failure there.
    if !reader.context.version.has_properties() && code.is_error() && code != ReasonCode::UnspecifiedError {
        let detail = format!("return code `{:#04x}` in SUBACK, expected 0x00, 0x01, 0x02 or 0x80", code.value());
        return Err(DecodeError::protocol("§3.9.3 (3.1.1)", detail));
    }
    Ok(code)
}

impl Body for Suback {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        sink.u16(self.packet_id.get());
        sink.properties(version, self);
        for code in &self.reason_codes {
            // MQTT 3.1.1 §3.9.3: 0x80 is the only failure there. MQTT 3.1 has none, so that a Server says what it must in another way.
            let known = version.has_properties() || !code.is_error();
            sink.u8(if known { code.value() } else { ReasonCode::UnspecifiedError.value() });
        }
    }
}

impl PropertyList for Suback {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_string(PropertyId::ReasonString, self.reason_string.as_deref());
        sink.user_properties(&self.user_properties);
    }
}
