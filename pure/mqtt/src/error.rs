//! Why bytes are not a packet we accept, and the one table from that to a Reason Code.

use std::borrow::Cow;

use crate::packet::{Connack, Packet};
use crate::{ProtocolVersion, ReasonCode, TopicError};

/// What is wrong with what a peer sent. Every one of them ends the Network Connection (§4.13).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes cannot be read as a packet: 0x81.
    #[error("malformed packet: {detail} ({statement})")]
    Malformed {
        /// Normative statement or section that decides.
        statement: &'static str,
        /// What was found and what was expected.
        detail: Cow<'static, str>,
    },
    /// A packet that can be read and is not allowed, here or at all: 0x82.
    #[error("protocol error: {detail} ({statement})")]
    Protocol {
        /// Normative statement or section that decides.
        statement: &'static str,
        /// What was found and what was expected.
        detail: Cow<'static, str>,
    },
    /// A CONNECT of a protocol or version that is not spoken here: 0x84.
    #[error(
        "protocol `{name}` version `{level}` is not supported, use MQTT 5.0 (`MQTT` 5), MQTT 3.1.1 (`MQTT` 4) or MQTT 3.1 (`MQIsdp` 3)"
    )]
    UnsupportedVersion {
        /// Protocol Name, with anything but printable ASCII replaced and cut to 16 characters.
        name: String,
        /// Protocol Version byte.
        level: u8,
    },
    /// A packet above the limit, seen from its fixed header alone: 0x95.
    #[error("packet of `{size}` bytes is too large, expected at most {maximum}")]
    TooLarge {
        /// Size it announces in bytes, fixed header included.
        size: usize,
        /// The limit in bytes.
        maximum: usize,
    },
    /// A count above one of [`crate::DecodeLimits`]: 0x97.
    #[error("more than {maximum} {what}, which is the limit here")]
    LimitExceeded {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        maximum: usize,
    },
    /// A Topic Name that is none: 0x90.
    #[error("invalid topic name: {0}")]
    TopicNameInvalid(#[source] TopicError),
    /// A Topic Filter that is none: 0x8F.
    #[error("invalid topic filter: {0}")]
    TopicFilterInvalid(#[source] TopicError),
    /// The Topic Alias 0: 0x94.
    #[error("topic alias is `0`, expected 1 to the topic alias maximum (MQTT-3.3.2-8)")]
    TopicAliasInvalid,
    /// An empty Client Identifier, which MQTT 3.1 never allows and MQTT 3.1.1 not where the session is to be kept: 0x85, return code 0x02.
    #[error("client identifier is empty {expected} ({statement})")]
    ClientIdentifierInvalid {
        /// Section that decides, with its version.
        statement: &'static str,
        /// What was expected.
        expected: &'static str,
    },
}

impl DecodeError {
    /// The Reason Code of the CONNACK or DISCONNECT that answers it (§4.13).
    #[must_use]
    pub fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Malformed { .. } => ReasonCode::MalformedPacket,
            Self::Protocol { .. } => ReasonCode::ProtocolError,
            Self::UnsupportedVersion { .. } => ReasonCode::UnsupportedProtocolVersion,
            Self::TooLarge { .. } => ReasonCode::PacketTooLarge,
            Self::LimitExceeded { .. } => ReasonCode::QuotaExceeded,
            Self::TopicNameInvalid(_) => ReasonCode::TopicNameInvalid,
            Self::TopicFilterInvalid(_) => ReasonCode::TopicFilterInvalid,
            Self::TopicAliasInvalid => ReasonCode::TopicAliasInvalid,
            Self::ClientIdentifierInvalid { .. } => ReasonCode::ClientIdentifierNotValid,
        }
    }

    /// The number of the normative statement that decides, or the section where the specification says it without a number.
    #[must_use]
    pub fn statement(&self) -> &'static str {
        match self {
            Self::Malformed { statement, .. } | Self::Protocol { statement, .. } | Self::ClientIdentifierInvalid { statement, .. } => {
                statement
            }
            Self::UnsupportedVersion { .. } => "MQTT-3.1.2-2",
            Self::TooLarge { .. } => "MQTT-3.2.2-15",
            Self::LimitExceeded { .. } => "§4.13",
            Self::TopicNameInvalid(error) | Self::TopicFilterInvalid(error) => error.statement(),
            Self::TopicAliasInvalid => "MQTT-3.3.2-8",
        }
    }

    /// The CONNACK, with the version to encode it for, that answers this error when it was found in the first packet of a client.
    /// `version` is what the decoder learned before it failed. `None`: close without an answer, since the peer did not get as far as
    /// saying that it speaks a version that could read one.
    #[must_use]
    pub fn refusal(&self, version: Option<ProtocolVersion>) -> Option<(Packet, ProtocolVersion)> {
        let version = match (self, version) {
            (_, Some(version)) => version,
            // [MQTT-3.1.2-2]; a client older than 5.0 reads the CONNACK of 3.1.1 only.
            (Self::UnsupportedVersion { level, .. }, None) if *level > ProtocolVersion::V5.level() => ProtocolVersion::V5,
            (Self::UnsupportedVersion { .. }, None) => ProtocolVersion::V311,
            (_, None) => return None,
        };
        let reason_code = self.reason_code();
        if !version.has_properties() && reason_code.connect_return_code().is_none() {
            return None;
        }
        let connack = Connack { session_present: false, reason_code, ..Connack::default() };
        Some((Packet::Connack(Box::new(connack)), version))
    }

    pub(crate) fn malformed(statement: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed { statement, detail: detail.into() }
    }

    pub(crate) fn protocol(statement: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Protocol { statement, detail: detail.into() }
    }
}
