//! Packet Identifier (§2.2.1): a number that is never zero, as a type that cannot be.

use std::fmt;
use std::num::NonZeroU16;

/// Packet Identifier of a PUBLISH with QoS above 0, a SUBSCRIBE or an UNSUBSCRIBE, and of their acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// `None` for zero, which [MQTT-2.2.1-3] and [MQTT-2.2.1-4] rule out.
    #[must_use]
    pub fn new(value: u16) -> Option<Self> {
        NonZeroU16::new(value).map(Self)
    }

    /// The number on the wire.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl From<NonZeroU16> for PacketId {
    fn from(value: NonZeroU16) -> Self {
        Self(value)
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}
