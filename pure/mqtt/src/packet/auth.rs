//! AUTH (§3.15): one step of an enhanced authentication; MQTT 5.0 only.

use bytes::Bytes;
use bytestring::ByteString;

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink, counted};
use crate::{DecodeError, ProtocolVersion, ReasonCode, UserProperties};

/// Authentication exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// Success, Continue authentication or Re-authenticate.
    pub reason_code: ReasonCode,
    /// `None` only in the short form, which carries the Reason Code Success and no properties.
    pub authentication_method: Option<ByteString>,
    /// Meaning depends on the method. Treat as a secret.
    pub authentication_data: Option<Bytes>,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
}

impl Auth {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut auth = Self::default();
        // A Remaining Length of 0 is Success without properties (§3.15.2.1).
        if reader.is_empty() {
            return Ok(auth);
        }
        auth.reason_code = reader.reason_code("MQTT-3.15.2-1")?;
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::AuthenticationMethod => auth.authentication_method = Some(properties.string()?),
                PropertyId::AuthenticationData => auth.authentication_data = Some(properties.binary()?),
                PropertyId::ReasonString => auth.reason_string = Some(properties.string()?),
                PropertyId::UserProperty => properties.user_property(&mut auth.user_properties)?,
                _ => return Err(properties.misplaced()),
            }
        }
        if auth.authentication_method.is_none() {
            return Err(DecodeError::protocol("§3.15.2.2.2", "AUTH has no authentication method, expected one"));
        }
        Ok(auth)
    }
}

impl Body for Auth {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        if self.reason_code == ReasonCode::Success && counted(|counter| PropertyList::write(self, counter)) == 0 {
            return;
        }
        sink.u8(self.reason_code.value());
        sink.properties(version, self);
    }
}

impl PropertyList for Auth {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_string(PropertyId::AuthenticationMethod, self.authentication_method.as_deref());
        sink.property_binary(PropertyId::AuthenticationData, self.authentication_data.as_deref());
        sink.property_string(PropertyId::ReasonString, self.reason_string.as_deref());
        sink.user_properties(&self.user_properties);
    }
}
