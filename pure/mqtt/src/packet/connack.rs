//! CONNACK (§3.2): the Server's answer to a CONNECT.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::writer::{Body, PropertyList, Sink};
use crate::{ClientIdentifier, DecodeError, ProtocolVersion, QoS, ReasonCode, UserProperties};

/// Connect acknowledgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connack {
    /// Whether the Server resumes Session State for this client. MQTT 3.1 cannot say so: always `false` there.
    pub session_present: bool,
    /// Success, or why the connection is refused. MQTT 3.1.1 carries [`ReasonCode::connect_return_code`] instead.
    pub reason_code: ReasonCode,
    /// Empty before MQTT 5.0.
    pub properties: ConnackProperties,
}

/// Properties of a CONNACK. `None` stands for the default that the specification gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnackProperties {
    /// Seconds, when it differs from what the client asked for.
    pub session_expiry_interval: Option<u32>,
    /// QoS 1 and 2 messages the Server takes at a time; default 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// Bytes; default: no limit beyond the protocol's.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// Given to a client that sent an empty one.
    pub assigned_client_identifier: Option<ClientIdentifier>,
    /// Highest alias the Server accepts; default 0.
    pub topic_alias_maximum: Option<u16>,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
    /// What the Server can do.
    pub features: ServerFeatures,
    /// Seconds the client must use instead of its own Keep Alive.
    pub server_keep_alive: Option<u16>,
    /// Basis for response topics.
    pub response_information: Option<ByteString>,
    /// Another Server to use.
    pub server_reference: Option<ByteString>,
    /// Of the enhanced authentication.
    pub authentication_method: Option<ByteString>,
    /// Meaning depends on the method.
    pub authentication_data: Option<Bytes>,
}

/// What a Server says it can do; `None` means yes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerFeatures {
    /// `AtMostOnce` or `AtLeastOnce`; `None` means QoS 2.
    pub maximum_qos: Option<QoS>,
    /// Retained messages.
    pub retain_available: Option<bool>,
    /// Wildcards in Topic Filters.
    pub wildcard_subscription_available: Option<bool>,
    /// Subscription Identifiers.
    pub subscription_identifiers_available: Option<bool>,
    /// Shared Subscriptions.
    pub shared_subscription_available: Option<bool>,
}

impl Connack {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = match (reader.u8("connect acknowledge flags")?, reader.context.version) {
            // MQTT 3.1 §3.2: the byte is reserved and not used.
            (_, ProtocolVersion::V31) => 0,
            (flags, _) => flags,
        };
        // [MQTT-3.2.2-1]
        if flags & !1 != 0 {
            let detail = format!("connect acknowledge flags are `{flags:#010b}`, expected 0 or 1");
            return Err(DecodeError::malformed("MQTT-3.2.2-1", detail));
        }
        let session_present = flags == 1;
        let reason_code = if reader.context.version.has_properties() {
            reader.reason_code("MQTT-3.2.2-8")?
        } else {
            let code = reader.u8("connect return code")?;
            ReasonCode::from_connect_return_code(code).ok_or_else(|| {
                let detail = format!("connect return code `{code}` is reserved, expected 0 to 5");
                DecodeError::protocol("§3.2.2.3 (3.1.1)", detail)
            })?
        };
        // [MQTT-3.2.2-6]
        if session_present && reason_code != ReasonCode::Success {
            let detail = format!("session present is `1` with {reason_code}, expected 0");
            return Err(DecodeError::protocol("MQTT-3.2.2-6", detail));
        }
        Ok(Self { session_present, reason_code, properties: ConnackProperties::read(reader)? })
    }
}

impl ConnackProperties {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = Self::default();
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::SessionExpiryInterval => list.session_expiry_interval = Some(properties.u32()?),
                PropertyId::ReceiveMaximum => list.receive_maximum = Some(properties.non_zero_u16()?),
                PropertyId::MaximumPacketSize => list.maximum_packet_size = Some(properties.non_zero_u32()?),
                PropertyId::AssignedClientIdentifier => list.assigned_client_identifier = Some(properties.client_identifier()?),
                PropertyId::TopicAliasMaximum => list.topic_alias_maximum = Some(properties.u16()?),
                PropertyId::ReasonString => list.reason_string = Some(properties.string()?),
                PropertyId::UserProperty => properties.user_property(&mut list.user_properties)?,
                PropertyId::ServerKeepAlive => list.server_keep_alive = Some(properties.u16()?),
                PropertyId::ResponseInformation => list.response_information = Some(properties.string()?),
                PropertyId::ServerReference => list.server_reference = Some(properties.string()?),
                PropertyId::AuthenticationMethod => list.authentication_method = Some(properties.string()?),
                PropertyId::AuthenticationData => list.authentication_data = Some(properties.binary()?),
                _ => list.features.read(id, &mut properties)?,
            }
        }
        Ok(list)
    }
}

impl ServerFeatures {
    fn read(&mut self, id: PropertyId, properties: &mut PropertyReader<'_>) -> Result<(), DecodeError> {
        match id {
            // A byte that is 0 or 1; QoS 2 is said by leaving it out (§3.2.2.3.4).
            PropertyId::MaximumQos => {
                self.maximum_qos = Some(if properties.flag()? { QoS::AtLeastOnce } else { QoS::AtMostOnce });
            }
            PropertyId::RetainAvailable => self.retain_available = Some(properties.flag()?),
            PropertyId::WildcardSubscriptionAvailable => self.wildcard_subscription_available = Some(properties.flag()?),
            PropertyId::SubscriptionIdentifierAvailable => self.subscription_identifiers_available = Some(properties.flag()?),
            PropertyId::SharedSubscriptionAvailable => self.shared_subscription_available = Some(properties.flag()?),
            _ => return Err(properties.misplaced()),
        }
        Ok(())
    }
}

impl Body for Connack {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        // MQTT 3.1 §3.2 has no Session Present: the byte is reserved.
        sink.u8(u8::from(self.session_present && version != ProtocolVersion::V31));
        sink.u8(if version.has_properties() {
            self.reason_code.value()
        } else {
            // For a code that MQTT 3.1.1 lacks a Server should send no CONNACK at all; 3 is "Server unavailable".
            self.reason_code.connect_return_code().unwrap_or(3)
        });
        sink.properties(version, &self.properties);
    }
}

/// The order is free (§2.2.2.2). It is that of Mosquitto, so that whoever compares octets finds the same.
impl PropertyList for ConnackProperties {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_u16(PropertyId::ServerKeepAlive, self.server_keep_alive);
        sink.property_u32(PropertyId::SessionExpiryInterval, self.session_expiry_interval);
        sink.property_u16(PropertyId::TopicAliasMaximum, self.topic_alias_maximum);
        let identifier = self.assigned_client_identifier.as_ref().map(ClientIdentifier::as_str);
        sink.property_string(PropertyId::AssignedClientIdentifier, identifier);
        sink.property_string(PropertyId::AuthenticationMethod, self.authentication_method.as_deref());
        sink.property_binary(PropertyId::AuthenticationData, self.authentication_data.as_deref());
        sink.property_flag(PropertyId::RetainAvailable, self.features.retain_available);
        sink.property_u32(PropertyId::MaximumPacketSize, self.maximum_packet_size.map(NonZeroU32::get));
        sink.property_u16(PropertyId::ReceiveMaximum, self.receive_maximum.map(NonZeroU16::get));
        PropertyList::write(&self.features, sink);
        sink.property_string(PropertyId::ReasonString, self.reason_string.as_deref());
        sink.user_properties(&self.user_properties);
        sink.property_string(PropertyId::ResponseInformation, self.response_information.as_deref());
        sink.property_string(PropertyId::ServerReference, self.server_reference.as_deref());
    }
}

/// What stands together: all but [`ServerFeatures::retain_available`].
impl PropertyList for ServerFeatures {
    fn write<S: Sink>(&self, sink: &mut S) {
        // QoS 2 is what its absence means; the value 2 does not exist (§3.2.2.3.4).
        let maximum_qos = self.maximum_qos.filter(|qos| *qos < QoS::ExactlyOnce);
        sink.property_u8(PropertyId::MaximumQos, maximum_qos.map(u8::from));
        sink.property_flag(PropertyId::WildcardSubscriptionAvailable, self.wildcard_subscription_available);
        sink.property_flag(PropertyId::SubscriptionIdentifierAvailable, self.subscription_identifiers_available);
        sink.property_flag(PropertyId::SharedSubscriptionAvailable, self.shared_subscription_available);
    }
}
