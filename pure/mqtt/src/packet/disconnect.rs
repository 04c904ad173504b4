//! DISCONNECT (§3.14): the last packet of a connection.

use bytestring::ByteString;

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink, counted};
use crate::{DecodeError, ProtocolVersion, ReasonCode, Role, UserProperties};

/// Disconnect notification. The default is the normal disconnection, the only one there is before MQTT 5.0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disconnect {
    /// [`ReasonCode::Success`] stands for Normal disconnection.
    pub reason_code: ReasonCode,
    /// Seconds; from a client only [MQTT-3.14.2-2].
    pub session_expiry_interval: Option<u32>,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
    /// Another Server to use; from a server only.
    pub server_reference: Option<ByteString>,
}

impl Disconnect {
    /// With a Reason Code and no properties.
    #[must_use]
    pub fn new(reason_code: ReasonCode) -> Self {
        Self { reason_code, ..Self::default() }
    }
}

impl Disconnect {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut disconnect = Self::default();
        // A Remaining Length of 0 is Normal disconnection, one of 1 leaves the properties out (§3.14.2.1, §3.14.2.2.1).
        if reader.is_empty() {
            return Ok(disconnect);
        }
        disconnect.reason_code = reader.reason_code("MQTT-3.14.2-1")?;
        if reader.is_empty() {
            return Ok(disconnect);
        }
        let sender = reader.context.sender;
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                // [MQTT-3.14.2-2]
                PropertyId::SessionExpiryInterval if sender == Role::Server => {
                    let detail = "session expiry interval in a DISCONNECT from the server, expected from clients only";
                    return Err(DecodeError::protocol("MQTT-3.14.2-2", detail));
                }
                PropertyId::SessionExpiryInterval => disconnect.session_expiry_interval = Some(properties.u32()?),
                PropertyId::ReasonString => disconnect.reason_string = Some(properties.string()?),
                PropertyId::UserProperty => properties.user_property(&mut disconnect.user_properties)?,
                PropertyId::ServerReference => disconnect.server_reference = Some(properties.string()?),
                _ => return Err(properties.misplaced()),
            }
        }
        Ok(disconnect)
    }
}

impl Body for Disconnect {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
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

impl PropertyList for Disconnect {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_u32(PropertyId::SessionExpiryInterval, self.session_expiry_interval);
        sink.property_string(PropertyId::ReasonString, self.reason_string.as_deref());
        sink.user_properties(&self.user_properties);
        sink.property_string(PropertyId::ServerReference, self.server_reference.as_deref());
    }
}
