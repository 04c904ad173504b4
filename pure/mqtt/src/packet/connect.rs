//! CONNECT (§3.1): the first packet of every client.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use crate::packet::Will;
use crate::{ClientIdentifier, Password, ProtocolVersion, UserProperties};

/// Connection request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Version that the connection speaks from here on.
    pub version: ProtocolVersion,
    /// Start without earlier Session State; MQTT 3.1.1 calls it Clean Session and forgets the session at the end too.
    pub clean_start: bool,
    /// Seconds; 0 turns the mechanism off.
    pub keep_alive: u16,
    /// May be empty.
    pub client_identifier: ClientIdentifier,
    /// Message to publish when the connection ends without a DISCONNECT.
    pub will: Option<Will>,
    /// User Name.
    pub username: Option<ByteString>,
    /// Password; MQTT 3.1.1 allows it only beside a User Name.
    pub password: Option<Password>,
    /// Empty in MQTT 3.1.1.
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
