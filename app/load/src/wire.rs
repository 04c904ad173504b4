//! Packets of the load itself, cheaply: a PUBLISH is a template with a few octets changed, and one that comes is looked at where it lies.
//!
//! `signet-mqtt` checks everything and makes packets that live on their own: a broker needs that, and a meter would pay for it with a part of what it
//! measures. Everything but PUBLISH and its acknowledgements still goes through it, templates included.

use bytes::{Bytes, BytesMut};
use signet_mqtt::{Packet, PacketId, ProtocolVersion, Publish, QoS, Rare, TopicError, TopicName, encode};

/// What a payload begins with: publisher, sequence number, time. See [`Head`].
pub(crate) const HEAD: usize = 16;

/// First octets of acknowledgements, with their flags (MQTT 5.0 §2.1).
const PUBACK: u8 = 0x40;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;

/// Reason Codes from here on are errors (MQTT 5.0 §2.4).
const FIRST_ERROR: u8 = 0x80;

/// What the beginning of a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) publisher: u32,
    /// The low half of the sequence number.
    pub(crate) sequence: u32,
    /// Nanoseconds of the clock of the run.
    pub(crate) at: u64,
}

impl Head {
    /// As octets.
    fn octets(self) -> [u8; HEAD] {
        let [a, b, c, d] = self.publisher.to_be_bytes();
        let [e, f, g, h] = self.sequence.to_be_bytes();
        let [i, j, k, l, m, n, o, p] = self.at.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// From a payload; `None` when it is too short to be ours.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let (publisher, rest) = payload.split_first_chunk::<4>()?;
        let (sequence, rest) = rest.split_first_chunk::<4>()?;
        let at = rest.first_chunk::<8>()?;
        Some(Self { publisher: u32::from_be_bytes(*publisher), sequence: u32::from_be_bytes(*sequence), at: u64::from_be_bytes(*at) })
    }
}

/// A PUBLISH in which the end of the topic, the Packet Identifier and the head of the payload are still to be filled in.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    octets: Vec<u8>,
    ending_at: usize,
    packet_id_at: Option<usize>,
    payload_at: usize,
}

impl Template {
    /// The topic is `topic` with its last `ending` octets to be changed; the payload has `payload` octets, at least [`HEAD`].
    ///
    /// # Errors
    /// It is no topic.
    pub(crate) fn new(version: ProtocolVersion, qos: QoS, topic: &str, ending: usize, payload: usize) -> Result<Self, TopicError> {
        let publish = Publish {
            dup: false,
            qos,
            retain: false,
            topic: Some(TopicName::new(topic.to_owned())?),
            packet_id: if qos == QoS::AtMostOnce { None } else { PacketId::new(1) },
            properties: Rare::default(),
            payload: Bytes::from(vec![b'x'; payload]),
        };
        let mut octets = BytesMut::new();
        encode(&Packet::Publish(publish), version, &mut octets);
        let payload_at = octets.len() - payload;
        // MQTT 5.0 has the length of no properties between the two.
        let properties_at = payload_at - usize::from(version.has_properties());
        let packet_id_at = (qos != QoS::AtMostOnce).then(|| properties_at - 2);
        let ending_at = packet_id_at.unwrap_or(properties_at) - ending;
        Ok(Self { octets: octets.to_vec(), ending_at, packet_id_at, payload_at })
    }

    /// Octets of the packet.
    pub(crate) fn len(&self) -> usize {
        self.octets.len()
    }

    /// Appends the packet.
    pub(crate) fn write(&self, ending: &[u8], packet_id: u16, head: Head, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.octets);
        put(out, start + self.ending_at, ending);
        if let Some(at) = self.packet_id_at {
            put(out, start + at, &packet_id.to_be_bytes());
        }
        put(out, start + self.payload_at, &head.octets());
    }
}

/// Overwrites what is there.
fn put(out: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = out.get_mut(at..at + octets.len()) {
        place.copy_from_slice(octets);
    }
}

/// One step of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
}

impl Step {
    /// Appends the packet, in its short form.
    pub(crate) fn write(self, packet_id: u16, out: &mut Vec<u8>) {
        let first = match self {
            Self::Puback => PUBACK,
            Self::Pubrec => PUBREC,
            Self::Pubrel => PUBREL,
            Self::Pubcomp => PUBCOMP,
        };
        let [high, low] = packet_id.to_be_bytes();
        out.extend_from_slice(&[first, 2, high, low]);
    }
}

/// A packet in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Publish {
        qos: QoS,
        packet_id: u16,
        payload: &'a [u8],
    },
    Acknowledgement {
        step: Step,
        packet_id: u16,
        is_error: bool,
    },
    /// Any other, whole.
    Other(&'a [u8]),
    /// What no server may send.
    Garbled,
}

/// The first packet in `input` and its length; `None` while it is not whole.
pub(crate) fn next(input: &[u8], version: ProtocolVersion) -> Option<(Frame<'_>, usize)> {
    let (first, rest) = input.split_first()?;
    let (remaining, taken) = match variable_integer(rest) {
        Varint::Whole(remaining, taken) => (remaining, taken),
        Varint::Unfinished => return None,
        Varint::Garbled => return Some((Frame::Garbled, input.len())),
    };
    let length = 1 + taken + remaining;
    let whole = input.get(..length)?;
    let body = whole.get(1 + taken..).unwrap_or_default();
    let step = match *first {
        PUBACK => Step::Puback,
        PUBREC => Step::Pubrec,
        PUBREL => Step::Pubrel,
        PUBCOMP => Step::Pubcomp,
        first if first >> 4 == 3 => return Some((publish(first, body, version).unwrap_or(Frame::Garbled), length)),
        _ => return Some((Frame::Other(whole), length)),
    };
    let frame = body.split_first_chunk().map_or(Frame::Garbled, |(packet_id, rest)| Frame::Acknowledgement {
        step,
        packet_id: u16::from_be_bytes(*packet_id),
        is_error: rest.first().is_some_and(|reason| *reason >= FIRST_ERROR),
    });
    Some((frame, length))
}

/// The parts of a PUBLISH that a meter needs (§3.3).
fn publish(first: u8, body: &[u8], version: ProtocolVersion) -> Option<Frame<'_>> {
    let qos = QoS::try_from((first >> 1) & 0b11).ok()?;
    let (length, rest) = body.split_first_chunk()?;
    let mut rest = rest.get(usize::from(u16::from_be_bytes(*length))..)?;
    let mut packet_id = 0;
    if qos != QoS::AtMostOnce {
        let (octets, behind) = rest.split_first_chunk()?;
        packet_id = u16::from_be_bytes(*octets);
        rest = behind;
    }
    if version.has_properties() {
        let Varint::Whole(length, taken) = variable_integer(rest) else { return None };
        rest = rest.get(taken + length..)?;
    }
    Some(Frame::Publish { qos, packet_id, payload: rest })
}

enum Varint {
    /// The number, and the octets it took.
    Whole(usize, usize),
    Unfinished,
    Garbled,
}

/// Variable Byte Integer (§1.5.5).
fn variable_integer(input: &[u8]) -> Varint {
    let mut number = 0;
    for (at, octet) in input.iter().take(4).enumerate() {
        number |= usize::from(octet & 0x7F) << (7 * at);
        if octet & 0x80 == 0 {
            return Varint::Whole(number, at + 1);
        }
    }
    if input.len() < 4 { Varint::Unfinished } else { Varint::Garbled }
}

#[cfg(test)]
mod tests;
