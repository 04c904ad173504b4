//! CONNACK (§3.2): the Server's answer to a CONNECT.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use crate::{ClientIdentifier, QoS, ReasonCode, UserProperties};

/// Connect acknowledgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connack {
    /// Whether the Server resumes Session State for this client.
    pub session_present: bool,
    /// Success, or why the connection is refused. MQTT 3.1.1 carries [`ReasonCode::connect_return_code`] instead.
    pub reason_code: ReasonCode,
    /// Empty in MQTT 3.1.1.
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
