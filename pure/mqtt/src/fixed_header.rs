//! Fixed header (§2.1): packet type, flags, Remaining Length; and everything that can be refused from it alone.

use std::fmt;

use crate::{DecodeError, DecodeLimits, ProtocolVersion, QoS, varint};

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

/// A fixed header that has been read and may be followed by its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FixedHeader {
    pub(crate) packet: PacketType,
    /// The low half of the first byte; checked, so it means something for PUBLISH only.
    pub(crate) flags: u8,
    /// Bytes of the fixed header itself.
    pub(crate) length: usize,
    /// Bytes that follow it: the Remaining Length.
    pub(crate) remaining: usize,
}

impl FixedHeader {
    /// The fixed header at the start of `input`, or `None` while it is not whole. Everything that can be refused without the rest of the
    /// packet is refused here. `version` is `None` before the CONNECT.
    pub(crate) fn read(
        input: &[u8],
        sender: Role,
        version: Option<ProtocolVersion>,
        limits: &DecodeLimits,
    ) -> Result<Option<Self>, DecodeError> {
        let Some((first, rest)) = input.split_first() else {
            return Ok(None);
        };
        let (packet, flags) = (packet_type(first >> 4)?, first & 0x0F);
        check_sender(packet, sender, version)?;
        check_flags(packet, flags, version)?;
        let Some((remaining, taken)) = varint::read(rest)? else {
            return Ok(None);
        };
        let remaining = usize::try_from(remaining).unwrap_or(usize::MAX);
        if let Some(expected) = fixed_remaining_length(packet, version).filter(|expected| *expected != remaining) {
            let detail = format!("remaining length of {packet} is `{remaining}`, expected {expected}");
            return Err(DecodeError::malformed("§2.1.4", detail));
        }
        let length = 1 + taken;
        let size = length.saturating_add(remaining);
        let maximum = maximum_size(packet, limits);
        if size > maximum {
            return Err(DecodeError::TooLarge { size, maximum });
        }
        Ok(Some(Self { packet, flags, length, remaining }))
    }

    /// Bytes of the whole packet.
    pub(crate) fn size(&self) -> usize {
        self.length + self.remaining
    }
}

/// The first byte of a packet of this type, for every type but PUBLISH complete with its flags [MQTT-2.1.3-1].
pub(crate) fn first_byte(packet: PacketType) -> u8 {
    match packet {
        PacketType::Connect => 0x10,
        PacketType::Connack => 0x20,
        PacketType::Publish => 0x30,
        PacketType::Puback => 0x40,
        PacketType::Pubrec => 0x50,
        PacketType::Pubrel => 0x62,
        PacketType::Pubcomp => 0x70,
        PacketType::Subscribe => 0x82,
        PacketType::Suback => 0x90,
        PacketType::Unsubscribe => 0xA2,
        PacketType::Unsuback => 0xB0,
        PacketType::Pingreq => 0xC0,
        PacketType::Pingresp => 0xD0,
        PacketType::Disconnect => 0xE0,
        PacketType::Auth => 0xF0,
    }
}

fn packet_type(number: u8) -> Result<PacketType, DecodeError> {
    Ok(match number {
        1 => PacketType::Connect,
        2 => PacketType::Connack,
        3 => PacketType::Publish,
        4 => PacketType::Puback,
        5 => PacketType::Pubrec,
        6 => PacketType::Pubrel,
        7 => PacketType::Pubcomp,
        8 => PacketType::Subscribe,
        9 => PacketType::Suback,
        10 => PacketType::Unsubscribe,
        11 => PacketType::Unsuback,
        12 => PacketType::Pingreq,
        13 => PacketType::Pingresp,
        14 => PacketType::Disconnect,
        15 => PacketType::Auth,
        _ => {
            return Err(DecodeError::malformed("§2.1.2", format!("packet type `{number}` is reserved, expected 1 to 15")));
        }
    })
}

/// Whether this packet may come from this side at this time (the column "Direction of flow" in §2.1.2).
fn check_sender(packet: PacketType, sender: Role, version: Option<ProtocolVersion>) -> Result<(), DecodeError> {
    // [MQTT-3.1.0-1]
    if sender == Role::Client && version.is_none() && packet != PacketType::Connect {
        return Err(DecodeError::protocol("MQTT-3.1.0-1", format!("the first packet is {packet}, expected CONNECT")));
    }
    let is_older = version.is_some_and(|version| !version.has_properties());
    if packet == PacketType::Auth && is_older {
        return Err(DecodeError::malformed("§2.2.1 (3.1.1)", "packet type `15` is reserved before MQTT 5.0, expected 1 to 14"));
    }
    let from_client = match packet {
        PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::Pingreq => true,
        PacketType::Connack | PacketType::Suback | PacketType::Unsuback | PacketType::Pingresp => false,
        // MQTT 3.1.1 §2.2.1: from a client only.
        PacketType::Disconnect if is_older => true,
        _ => return Ok(()),
    };
    if from_client == (sender == Role::Client) {
        return Ok(());
    }
    let sender = if from_client { "server" } else { "client" };
    Err(DecodeError::protocol("§2.1.2", format!("{packet} came from the {sender}, which never sends it")))
}

/// Whether the flags are those of the packet, as far as the version is known.
pub(crate) fn check_flags(packet: PacketType, flags: u8, version: Option<ProtocolVersion>) -> Result<(), DecodeError> {
    if packet == PacketType::Publish {
        let qos = (flags >> 1) & 0b11;
        // [MQTT-3.3.1-4]
        if QoS::try_from(qos).is_err() {
            return Err(DecodeError::malformed("MQTT-3.3.1-4", "both QoS bits of PUBLISH are set, expected QoS 0, 1 or 2"));
        }
        // [MQTT-3.3.1-2]
        if qos == 0 && flags & 0b1000 != 0 {
            return Err(DecodeError::malformed("MQTT-3.3.1-2", "DUP of a PUBLISH with QoS 0 is `1`, expected 0"));
        }
        return Ok(());
    }
    // [MQTT-2.1.3-1]; for single packets also [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1], [MQTT-3.15.1-1].
    let expected = first_byte(packet) & 0x0F;
    // MQTT 3.1 has DUP on PUBREL, SUBSCRIBE and UNSUBSCRIBE, and calls every other flag unused where 3.1.1 fixes its value. Of a first packet
    // the version is not known before its body is read.
    let is_lenient = match version {
        Some(version) => version == ProtocolVersion::V31,
        None => packet == PacketType::Connect,
    };
    if flags == expected || is_lenient {
        return Ok(());
    }
    Err(DecodeError::malformed("MQTT-2.1.3-1", format!("flags of {packet} are `{flags:#06b}`, expected {expected:#06b}")))
}

/// Remaining Length of packets that have only one.
fn fixed_remaining_length(packet: PacketType, version: Option<ProtocolVersion>) -> Option<usize> {
    let is_older = version.is_some_and(|version| !version.has_properties());
    match packet {
        PacketType::Pingreq | PacketType::Pingresp => Some(0),
        PacketType::Disconnect if is_older => Some(0),
        PacketType::Connack | PacketType::Puback | PacketType::Pubrec | PacketType::Pubrel | PacketType::Pubcomp | PacketType::Unsuback
            if is_older =>
        {
            Some(2)
        }
        _ => None,
    }
}

fn maximum_size(packet: PacketType, limits: &DecodeLimits) -> usize {
    let maximum = match packet {
        PacketType::Connect => limits.maximum_packet_size.min(limits.maximum_connect_size),
        _ => limits.maximum_packet_size,
    };
    usize::try_from(maximum).unwrap_or(usize::MAX)
}
