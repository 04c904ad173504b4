//! Fixed header (§2.1): packet type, flags, Remaining Length; and everything that can be refused from it alone.

use std::fmt;

/// Who sends a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A Client: what a broker decodes.
    Client,
    /// A Server: what a client decodes.
    Server,
}

/// MQTT Control Packet type (§2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PacketType {
    /// Connection request.
    Connect,
    /// Connect acknowledgement.
    Connack,
    /// Publish message.
    Publish,
    /// Publish acknowledgement (QoS 1).
    Puback,
    /// Publish received (QoS 2, part 1).
    Pubrec,
    /// Publish release (QoS 2, part 2).
    Pubrel,
    /// Publish complete (QoS 2, part 3).
    Pubcomp,
    /// Subscribe request.
    Subscribe,
    /// Subscribe acknowledgement.
    Suback,
    /// Unsubscribe request.
    Unsubscribe,
    /// Unsubscribe acknowledgement.
    Unsuback,
    /// PING request.
    Pingreq,
    /// PING response.
    Pingresp,
    /// Disconnect notification.
    Disconnect,
    /// Authentication exchange.
    Auth,
}

impl PacketType {
    /// Name in the specification, as in `CONNECT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Connack => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::Puback => "PUBACK",
            Self::Pubrec => "PUBREC",
            Self::Pubrel => "PUBREL",
            Self::Pubcomp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::Suback => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Unsuback => "UNSUBACK",
            Self::Pingreq => "PINGREQ",
            Self::Pingresp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
