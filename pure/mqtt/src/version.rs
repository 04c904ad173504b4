//! The protocol versions one packet model serves; the only place versions are told apart by name and number.

use std::fmt;

/// Version of MQTT that a connection speaks, learned from its CONNECT packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProtocolVersion {
    /// MQTT 3.1, Protocol Version Number 3, which calls itself `MQIsdp`.
    V31,
    /// MQTT 3.1.1 (ISO/IEC 20922), Protocol Level 4.
    V311,
    /// MQTT 5.0, Protocol Version 5.
    V5,
}

/// Set in the Protocol Level of a CONNECT by another broker: a convention of Mosquitto's for 3.1 and 3.1.1, no part of any specification.
pub(crate) const BRIDGE_BIT: u8 = 0b1000_0000;

impl ProtocolVersion {
    /// Every version, the oldest first.
    pub const ALL: [Self; 3] = [Self::V31, Self::V311, Self::V5];

    /// The Protocol Name of the CONNECT packet.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V31 => "MQIsdp",
            Self::V311 | Self::V5 => "MQTT",
        }
    }

    /// The Protocol Version byte of the CONNECT packet.
    #[must_use]
    pub fn level(self) -> u8 {
        match self {
            Self::V31 => 3,
            Self::V311 => 4,
            Self::V5 => 5,
        }
    }

    /// The version with this Protocol Name and Protocol Version byte, if this crate speaks it. The bit with which another broker marks
    /// itself is not looked at where the version has it ([`Self::has_bridge_bit`]).
    #[must_use]
    pub fn from_name_and_level(name: &[u8], level: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|version| {
            let marked = if version.has_bridge_bit() { version.level() | BRIDGE_BIT } else { version.level() };
            name == version.name().as_bytes() && (level == version.level() || level == marked)
        })
    }

    /// Whether a broker may mark its CONNECT as a bridge's. MQTT 5.0 has No Local and Retain As Published instead.
    #[must_use]
    pub fn has_bridge_bit(self) -> bool {
        !self.has_properties()
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
            Self::V31 => "MQTT 3.1",
            Self::V311 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5.0",
        })
    }
}
