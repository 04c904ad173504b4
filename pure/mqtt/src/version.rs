//! The protocol versions one packet model serves; the only place versions are told apart by number.

use std::fmt;

/// Version of MQTT that a connection speaks, learned from its CONNECT packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// MQTT 3.1.1 (ISO/IEC 20922), Protocol Level 4.
    V311,
    /// MQTT 5.0, Protocol Version 5.
    V5,
}

impl ProtocolVersion {
    /// The Protocol Version byte of the CONNECT packet.
    #[must_use]
    pub fn level(self) -> u8 {
        match self {
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// The version with this Protocol Name and Protocol Version byte, if this crate speaks it.
    #[must_use]
    pub fn from_name_and_level(name: &[u8], level: u8) -> Option<Self> {
        match (name, level) {
            (b"MQTT", 4) => Some(Self::V311),
            (b"MQTT", 5) => Some(Self::V5),
            _ => None,
        }
    }

    /// Whether packets of this version carry properties and Reason Codes.
    #[must_use]
    pub fn has_properties(self) -> bool {
        self == Self::V5
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V311 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5.0",
        })
    }
}
