//! Decoder: bytes of one connection in, at most one packet out per call.

use crate::fixed_header::{FixedHeader, check_flags};
use crate::packet::{Ack, Auth, Connack, Connect, Disconnect, Packet, Publish, Suback, Subscribe, Unsuback, Unsubscribe};
use crate::reader::{Context, Reader};
use crate::{DecodeError, DecodeLimits, PacketType, ProtocolVersion, Role, TopicName};

/// Decoder of one direction of one connection. It holds no bytes of packets: the caller keeps what was read until a packet is whole.
#[derive(Clone, Debug)]
pub struct Decoder {
    sender: Role,
    limits: DecodeLimits,
    version: Option<ProtocolVersion>,
    /// The topic of the last PUBLISH, unless it was a long one.
    known_topic: Option<TopicName>,
}

impl Decoder {
    /// A decoder of what `sender` sends. The version is learned from a client's CONNECT; a client sets it, before the first packet of
    /// its server, with [`Decoder::set_version`] (MQTT 5.0 until then).
    #[must_use]
    pub fn new(sender: Role, limits: DecodeLimits) -> Self {
        let version = match sender {
            Role::Client => None,
            Role::Server => Some(ProtocolVersion::V5),
        };
        Self { sender, limits, version, known_topic: None }
    }

    /// The version learned or set. A CONNECT that fails behind its Protocol Version has set it already.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.version
    }

    /// Sets the version, for a client that has sent its CONNECT.
    pub fn set_version(&mut self, version: ProtocolVersion) {
        self.version = Some(version);
    }

    /// The first packet in `input` and the bytes it took, or `None` while it is not whole. Errors that the fixed header shows are
    /// reported without waiting for the rest.
    ///
    /// # Errors
    /// [`DecodeError`]: the connection is to be closed; decoding on makes no sense.
    pub fn decode(&mut self, input: &[u8]) -> Result<Option<(Packet, usize)>, DecodeError> {
        let Some(header) = FixedHeader::read(input, self.sender, self.version, &self.limits)? else {
            return Ok(None);
        };
        let Some(body) = input.get(header.length..header.size()) else {
            return Ok(None);
        };
        Ok(Some((self.packet(header, body)?, header.size())))
    }

    /// How many bytes are missing, at least, until [`Decoder::decode`] yields a packet or an error; 0 when it would now.
    #[must_use]
    pub fn needed(&self, input: &[u8]) -> usize {
        match FixedHeader::read(input, self.sender, self.version, &self.limits) {
            Ok(Some(header)) => header.size().saturating_sub(input.len()),
            Ok(None) => 1,
            Err(_) => 0,
        }
    }

    fn packet(&mut self, header: FixedHeader, body: &[u8]) -> Result<Packet, DecodeError> {
        let version = match header.packet {
            PacketType::Connect => {
                // The version comes first, so that an error behind it can be answered in the peer's own version. A second CONNECT does
                // not change the version of the connection; that it is a Protocol Error [MQTT-3.1.0-2] is for the session to say.
                let version = Connect::announced_version(body)?;
                let _ = self.version.get_or_insert(version);
                check_flags(header.packet, header.flags, Some(version))?;
                version
            }
            // The fixed header has let nothing but a CONNECT through without a version.
            _ => self.version.unwrap_or(ProtocolVersion::V5),
        };
        let context = Context { version, sender: self.sender, limits: &self.limits, packet: header.packet };
        let mut reader = Reader::new(body, context);
        let packet = read_body(&mut reader, header.flags, &mut self.known_topic)?;
        reader.finish()?;
        Ok(packet)
    }
}

fn read_body(reader: &mut Reader<'_>, flags: u8, known_topic: &mut Option<TopicName>) -> Result<Packet, DecodeError> {
    Ok(match reader.context.packet {
        PacketType::Connect => Packet::Connect(Box::new(Connect::read(reader)?)),
        PacketType::Connack => Packet::Connack(Box::new(Connack::read(reader)?)),
        PacketType::Publish => Packet::Publish(Publish::read(flags, known_topic, reader)?),
        PacketType::Puback => Packet::Puback(Ack::read(reader)?),
        PacketType::Pubrec => Packet::Pubrec(Ack::read(reader)?),
        PacketType::Pubrel => Packet::Pubrel(Ack::read(reader)?),
        PacketType::Pubcomp => Packet::Pubcomp(Ack::read(reader)?),
        PacketType::Subscribe => Packet::Subscribe(Subscribe::read(reader)?),
        PacketType::Suback => Packet::Suback(Suback::read(reader)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::read(reader)?),
        PacketType::Unsuback => Packet::Unsuback(Unsuback::read(reader)?),
        PacketType::Pingreq => Packet::Pingreq,
        PacketType::Pingresp => Packet::Pingresp,
        PacketType::Disconnect => Packet::Disconnect(Box::new(Disconnect::read(reader)?)),
        PacketType::Auth => Packet::Auth(Box::new(Auth::read(reader)?)),
    })
}
