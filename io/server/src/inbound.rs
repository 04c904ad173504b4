//! What came from a client and is not decoded yet.

use signet_mqtt::{DecodeError, Decoder, Packet, ProtocolVersion, Role};

use crate::ListenerLimits;
use crate::counters::wide;
use crate::rate::{Bucket, Rate};

/// The largest buffer that goes from one connection to the next.
const SPARE_MAXIMUM: usize = 128 * 1024;

/// What a buffer may be larger than twice its contents while the rest of a packet is awaited.
const SLACK: usize = 512;

/// Bytes of one client, in plaintext, with their decoder. Holds no memory between packets.
pub(crate) struct Inbound {
    decoder: Decoder,
    bytes: Vec<u8>,
    /// How much of `bytes` is decoded.
    done: usize,
    /// How fast it may send; none where there is no bound.
    pace: Option<Box<Pace>>,
    /// Its CONNECT, while nobody can say whether its certificate is revoked. Nothing behind it is decoded.
    held: Option<Box<Packet>>,
}

/// How fast one connection may send.
struct Pace {
    publishes: Option<Bucket>,
    octets: Option<Bucket>,
    /// It waits already.
    held: bool,
}

/// Whether a connection may send more now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    /// In so many milliseconds.
    After(u64),
    /// When its wait is over, which began before.
    Waiting,
}

impl Inbound {
    pub(crate) fn new(limits: &ListenerLimits) -> Self {
        let publishes = Rate::per_second(limits.publish_rate.into()).map(Bucket::new);
        let octets = Rate::per_second(limits.receive_rate).map(Bucket::new);
        let pace = (publishes.is_some() || octets.is_some()).then(|| Box::new(Pace { publishes, octets, held: false }));
        Self { decoder: Decoder::new(Role::Client, limits.decode), bytes: Vec::new(), done: 0, pace, held: None }
    }

    /// Whether the next packet may be taken now; `now` in milliseconds. After [`Turn::After`] the caller ends the wait with [`Self::release`].
    pub(crate) fn turn(&mut self, now: u64) -> Turn {
        let Some(pace) = &mut self.pace else { return Turn::Now };
        let waits = [pace.publishes, pace.octets].into_iter().flatten().filter_map(|bucket| bucket.wait(now));
        match waits.max() {
            None => Turn::Now,
            Some(_) if pace.held => Turn::Waiting,
            Some(wait) => {
                pace.held = true;
                Turn::After(wait)
            }
        }
    }

    /// Keeps a CONNECT that cannot be answered yet.
    pub(crate) fn hold(&mut self, connect: Packet) {
        self.held = Some(Box::new(connect));
    }

    /// Whether a CONNECT waits for its answer.
    pub(crate) fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// The CONNECT that waits.
    pub(crate) fn take_held(&mut self) -> Option<Packet> {
        self.held.take().map(|connect| *connect)
    }

    /// The wait is over, or its first part.
    pub(crate) fn release(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.held = false;
        }
    }

    /// The next whole packet and its size in octets. `None`: more bytes are needed. The decoder refuses a packet that is too large from its first bytes, so what can
    /// wait here is bounded by the largest packet and one read.
    pub(crate) fn next(&mut self, now: u64) -> Result<Option<(Packet, usize)>, DecodeError> {
        let rest = self.bytes.get(self.done..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let Some((packet, used)) = self.decoder.decode(rest)? else { return Ok(None) };
        self.done += used;
        if let Some(pace) = &mut self.pace {
            if let (Some(publishes), Packet::Publish(_)) = (&mut pace.publishes, &packet) {
                publishes.take(1, now);
            }
            if let Some(octets) = &mut pace.octets {
                octets.take(wide(used), now);
            }
        }
        Ok(Some((packet, used)))
    }

    /// The buffer to append to: `spare` if that is larger than what is there, until [`Self::settle`] gives it back. That way the connections of
    /// a shard share one buffer as long as packets arrive whole.
    pub(crate) fn buffer(&mut self, spare: &mut Vec<u8>) -> &mut Vec<u8> {
        if self.bytes.capacity() < spare.capacity() {
            let part = std::mem::replace(&mut self.bytes, std::mem::take(spare));
            self.bytes.extend_from_slice(&part);
        }
        &mut self.bytes
    }

    /// Forgets what is decoded and gives the buffer back. Part of a packet stays, in no more memory than it needs: who sends one octet of a packet
    /// and waits must not keep a buffer of thousands.
    pub(crate) fn settle(&mut self, spare: &mut Vec<u8>) {
        let part = self.bytes.get(self.done..).unwrap_or_default();
        if part.is_empty() {
            self.clear(spare);
        } else if self.bytes.capacity() > part.len().saturating_mul(2).saturating_add(SLACK) {
            let part = part.to_vec();
            self.clear(spare);
            self.bytes = part;
        } else if self.done > 0 {
            self.bytes.drain(..self.done);
            self.done = 0;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, spare: &mut Vec<u8>) {
        self.bytes.clear();
        self.done = 0;
        if spare.capacity() == 0 && self.bytes.capacity() <= SPARE_MAXIMUM {
            std::mem::swap(&mut self.bytes, spare);
        } else {
            self.bytes = Vec::new();
        }
    }

    /// The first bytes that are not decoded, to tell what a client that does not speak MQTT speaks.
    pub(crate) fn head(&self) -> &[u8] {
        self.bytes.get(self.done..).unwrap_or_default()
    }

    /// The protocol version of the CONNECT.
    pub(crate) fn version(&self) -> Option<ProtocolVersion> {
        self.decoder.version()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x01\x00\x00";

    #[test]
    fn who_sends_part_of_a_packet_keeps_no_more_than_that() {
        let mut spare = Vec::with_capacity(64 * 1024);
        let mut inbound = Inbound::new(&ListenerLimits::default());
        for part in [&CONNECT[..1], &CONNECT[1..9]] {
            inbound.buffer(&mut spare).extend_from_slice(part);
            assert_eq!(inbound.next(0).unwrap(), None);
            inbound.settle(&mut spare);
            assert!(inbound.bytes.capacity() < 1024, "{}", inbound.bytes.capacity());
            assert!(spare.capacity() >= 64 * 1024);
        }
        inbound.buffer(&mut spare).extend_from_slice(&CONNECT[9..]);
        assert!(matches!(inbound.next(0), Ok(Some((Packet::Connect(_), 14)))));
        inbound.settle(&mut spare);
        assert_eq!((inbound.bytes.capacity(), spare.len()), (0, 0));
        assert!(spare.capacity() >= 64 * 1024);
    }

    #[test]
    fn the_buffer_of_a_large_packet_is_nobody_elses() {
        let mut spare = Vec::new();
        let mut inbound = Inbound::new(&ListenerLimits::default());
        inbound.buffer(&mut spare).extend_from_slice(&vec![0; 1024 * 1024]);
        inbound.clear(&mut spare);
        assert!(spare.capacity() <= SPARE_MAXIMUM && inbound.bytes.capacity() == 0);
    }
}
