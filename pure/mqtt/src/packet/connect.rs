//! CONNECT (§3.1): the first packet of every client.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use crate::packet::Will;
use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::version::BRIDGE_BIT;
use crate::writer::{Body, PropertyList, Sink};
use crate::{ClientIdentifier, DecodeError, Password, ProtocolVersion, QoS, UserProperties};

/// Connection request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Version that the connection speaks from here on.
    pub version: ProtocolVersion,
    /// Whether another broker says of itself that it is one, a convention of Mosquitto's for MQTT 3.1 and 3.1.1: its subscriptions are
    /// to be served as published (RETAIN kept) and without what it sent itself. Always `false` in MQTT 5.0.
    pub is_bridge: bool,
    /// Start without earlier Session State; before MQTT 5.0 it is it Clean Session, and the session ends with the connection too.
    pub clean_start: bool,
    /// Seconds; 0 turns the mechanism off.
    pub keep_alive: u16,
    /// May be empty.
    pub client_identifier: ClientIdentifier,
    /// Message to publish when the connection ends without a DISCONNECT.
    pub will: Option<Will>,
    /// User Name.
    pub username: Option<ByteString>,
    /// Password; before MQTT 5.0 only beside a User Name.
    pub password: Option<Password>,
    /// Empty before MQTT 5.0.
    pub properties: ConnectProperties,
}

/// Properties of a CONNECT. `None` stands for the default that the specification gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectProperties {
    /// Seconds; default 0, `u32::MAX` never expires.
    pub session_expiry_interval: Option<u32>,
    /// QoS 1 and 2 messages the client takes at a time; default 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// Bytes; default: no limit beyond the protocol's.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// Highest alias the client accepts; default 0.
    pub topic_alias_maximum: Option<u16>,
    /// Whether the client asks for Response Information; default no.
    pub request_response_information: Option<bool>,
    /// Whether Reason Strings and User Properties may be sent on failures; default yes.
    pub request_problem_information: Option<bool>,
    /// Asks for enhanced authentication.
    pub authentication_method: Option<ByteString>,
    /// Only beside a method. Treat as a secret.
    pub authentication_data: Option<Bytes>,
    /// In order.
    pub user_properties: UserProperties,
}

const USERNAME_FLAG: u8 = 0b1000_0000;
const PASSWORD_FLAG: u8 = 0b0100_0000;
const WILL_RETAIN_FLAG: u8 = 0b0010_0000;
const WILL_QOS_SHIFT: u8 = 3;
const WILL_FLAG: u8 = 0b0000_0100;
const CLEAN_START_FLAG: u8 = 0b0000_0010;
const RESERVED_FLAG: u8 = 0b0000_0001;

impl Connect {
    /// The version at the start of a CONNECT body, which decides how the rest is read.
    pub(crate) fn announced_version(body: &[u8]) -> Result<ProtocolVersion, DecodeError> {
        let short = || DecodeError::malformed("MQTT-3.1.2-1", "CONNECT ends inside its protocol name or version");
        let (length, rest) = body.split_first_chunk::<2>().ok_or_else(short)?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or_else(short)?;
        let level = *rest.first().ok_or_else(short)?;
        // [MQTT-3.1.2-1], [MQTT-3.1.2-2]
        ProtocolVersion::from_name_and_level(name, level).ok_or_else(|| DecodeError::UnsupportedVersion { name: printable(name), level })
    }

    /// Reads a body that [`Self::announced_version`] has looked at already.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.context.version;
        reader.prefixed("protocol name")?;
        let is_bridge = reader.u8("protocol version")? & BRIDGE_BIT != 0;
        let flags = reader.u8("connect flags")?;
        let will_qos = check_flags(flags, version)?;
        let keep_alive = reader.u16("keep alive")?;
        let properties = ConnectProperties::read(reader)?;
        // The order of the payload is fixed [MQTT-3.1.3-1]; the Client Identifier is always there [MQTT-3.1.3-3], and UTF-8
        // [MQTT-3.1.3-4].
        let client_identifier = reader.client_identifier("client identifier")?;
        let clean_start = flags & CLEAN_START_FLAG != 0;
        if client_identifier.is_empty() {
            check_empty_identifier(version, clean_start)?;
        }
        // [MQTT-3.1.2-9]
        let will = match flags & WILL_FLAG {
            0 => None,
            _ => Some(Will::read(reader, will_qos, flags & WILL_RETAIN_FLAG != 0)?),
        };
        // [MQTT-3.1.2-16], [MQTT-3.1.2-17]: there exactly when the flag says so; [MQTT-3.1.3-12]: UTF-8.
        // MQTT 3.1 §3.1 lets a packet end before a user name or password that its flags announce: then there is none.
        let may_be_missing = version == ProtocolVersion::V31;
        let is_there = |flag: u8, reader: &Reader<'_>| flags & flag != 0 && !(may_be_missing && reader.is_empty());
        let username = if is_there(USERNAME_FLAG, reader) { Some(reader.string("user name")?) } else { None };
        // [MQTT-3.1.2-18], [MQTT-3.1.2-19]
        let password = if is_there(PASSWORD_FLAG, reader) { Some(Password::new(reader.binary("password")?)) } else { None };
        Ok(Self { version, is_bridge, clean_start, keep_alive, client_identifier, will, username, password, properties })
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        if self.clean_start {
            flags |= CLEAN_START_FLAG;
        }
        if let Some(will) = &self.will {
            flags |= WILL_FLAG | (u8::from(will.qos) << WILL_QOS_SHIFT);
            if will.retain {
                flags |= WILL_RETAIN_FLAG;
            }
        }
        if self.username.is_some() {
            flags |= USERNAME_FLAG;
        }
        if self.writable_password().is_some() {
            flags |= PASSWORD_FLAG;
        }
        flags
    }

    /// MQTT 3.1.1 §3.1.2.9, and 3.1 too, has no password without a user name.
    fn writable_password(&self) -> Option<&Password> {
        self.password.as_ref().filter(|_| self.username.is_some() || self.version.has_properties())
    }
}

impl ConnectProperties {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut list = Self::default();
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::SessionExpiryInterval => list.session_expiry_interval = Some(properties.u32()?),
                PropertyId::ReceiveMaximum => list.receive_maximum = Some(properties.non_zero_u16()?),
                PropertyId::MaximumPacketSize => list.maximum_packet_size = Some(properties.non_zero_u32()?),
                PropertyId::TopicAliasMaximum => list.topic_alias_maximum = Some(properties.u16()?),
                PropertyId::RequestResponseInformation => list.request_response_information = Some(properties.flag()?),
                PropertyId::RequestProblemInformation => list.request_problem_information = Some(properties.flag()?),
                PropertyId::AuthenticationMethod => list.authentication_method = Some(properties.string()?),
                PropertyId::AuthenticationData => list.authentication_data = Some(properties.binary()?),
                PropertyId::UserProperty => properties.user_property(&mut list.user_properties)?,
                _ => return Err(properties.misplaced()),
            }
        }
        if list.authentication_data.is_some() && list.authentication_method.is_none() {
            let detail = "CONNECT has authentication data and no authentication method, expected both or neither";
            return Err(DecodeError::protocol("§3.1.2.11.10", detail));
        }
        Ok(list)
    }
}

/// Whether a client may leave its name to the Server. MQTT 3.1 wants 1 to 23 characters; longer ones are taken as in later versions, as
/// every broker in use takes them.
fn check_empty_identifier(version: ProtocolVersion, clean_start: bool) -> Result<(), DecodeError> {
    let (statement, expected) = match version {
        ProtocolVersion::V31 => ("§3.1 (3.1)", "expected at least one character in MQTT 3.1"),
        // [MQTT-3.1.3-7] (3.1.1), [MQTT-3.1.3-8] (3.1.1): without an identifier there is no session to keep.
        ProtocolVersion::V311 if !clean_start => {
            ("§3.1.3.1 (3.1.1)", "and clean session is `0`, expected an identifier or clean session `1`")
        }
        ProtocolVersion::V311 | ProtocolVersion::V5 => return Ok(()),
    };
    Err(DecodeError::ClientIdentifierInvalid { statement, expected })
}

/// The rules of the Connect Flags among themselves (§3.1.2.3). Returns the Will QoS.
fn check_flags(flags: u8, version: ProtocolVersion) -> Result<QoS, DecodeError> {
    // MQTT 3.1 does not say what must stand in bits it does not use.
    let is_strict = version != ProtocolVersion::V31;
    // [MQTT-3.1.2-3]
    if is_strict && flags & RESERVED_FLAG != 0 {
        return Err(DecodeError::malformed("MQTT-3.1.2-3", "reserved connect flag is `1`, expected 0"));
    }
    // [MQTT-3.1.2-12]
    let will_qos = QoS::try_from((flags >> WILL_QOS_SHIFT) & 0b11)
        .map_err(|_| DecodeError::malformed("MQTT-3.1.2-12", "will qos is `3`, expected 0, 1 or 2"))?;
    if is_strict && flags & WILL_FLAG == 0 {
        // [MQTT-3.1.2-11]
        if will_qos != QoS::AtMostOnce {
            let detail = format!("will qos is `{will_qos}` without a will, expected 0");
            return Err(DecodeError::malformed("MQTT-3.1.2-11", detail));
        }
        // [MQTT-3.1.2-13]
        if flags & WILL_RETAIN_FLAG != 0 {
            return Err(DecodeError::malformed("MQTT-3.1.2-13", "will retain is `1` without a will, expected 0"));
        }
    }
    // [MQTT-3.1.2-22] (3.1.1), and MQTT 3.1 §3.1; MQTT 5.0 allows a password alone (§3.1.2.9).
    if !version.has_properties() && flags & (USERNAME_FLAG | PASSWORD_FLAG) == PASSWORD_FLAG {
        return Err(DecodeError::malformed("§3.1.2.9 (3.1.1)", "password flag is `1` without a user name, expected 0"));
    }
    Ok(will_qos)
}

/// A protocol name as it may stand in a log line.
fn printable(name: &[u8]) -> String {
    name.iter().take(16).map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect()
}

impl Body for Connect {
    /// The version is the packet's own, which is what it says on the wire.
    fn write<S: Sink>(&self, _: ProtocolVersion, sink: &mut S) {
        sink.string(self.version.name());
        let is_marked = self.is_bridge && self.version.has_bridge_bit();
        sink.u8(if is_marked { self.version.level() | BRIDGE_BIT } else { self.version.level() });
        sink.u8(self.flags());
        sink.u16(self.keep_alive);
        sink.properties(self.version, &self.properties);
        sink.string(self.client_identifier.as_str());
        if let Some(will) = &self.will {
            Body::write(will, self.version, sink);
        }
        if let Some(username) = &self.username {
            sink.string(username);
        }
        if let Some(password) = self.writable_password() {
            sink.binary(password.expose());
        }
    }
}

impl PropertyList for ConnectProperties {
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.property_u32(PropertyId::SessionExpiryInterval, self.session_expiry_interval);
        sink.property_u16(PropertyId::ReceiveMaximum, self.receive_maximum.map(NonZeroU16::get));
        sink.property_u32(PropertyId::MaximumPacketSize, self.maximum_packet_size.map(NonZeroU32::get));
        sink.property_u16(PropertyId::TopicAliasMaximum, self.topic_alias_maximum);
        sink.property_flag(PropertyId::RequestResponseInformation, self.request_response_information);
        sink.property_flag(PropertyId::RequestProblemInformation, self.request_problem_information);
        sink.property_string(PropertyId::AuthenticationMethod, self.authentication_method.as_deref());
        sink.property_binary(PropertyId::AuthenticationData, self.authentication_data.as_deref());
        sink.user_properties(&self.user_properties);
    }
}
