//! One of the two brokers as a receiver: what it takes, how much at a time, and what is under way to it.

use std::collections::{HashSet, VecDeque};
use std::num::{NonZeroU16, NonZeroU32};

use foldhash::fast::RandomState;
use signet_mqtt::{Connack, PacketId, ProtocolVersion, Publish, QoS};

use crate::config::Outgoing;

/// Octets of messages that may wait for the receiver: for its window, for its answers to what the connection begins with, or to be written. Only
/// a server before MQTT 5.0 can send more than it is told to, and none sends so much.
pub(crate) const HELD_MAXIMUM: usize = 256 * 1024 * 1024;

/// What it said in its CONNACK, and what is under way.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) version: ProtocolVersion,
    pub(crate) maximum_qos: QoS,
    pub(crate) takes_retained: bool,
    maximum_packet_size: Option<NonZeroU32>,
    window: usize,
    in_flight: HashSet<PacketId, RandomState>,
    /// Messages beyond its Receive Maximum [MQTT-3.3.4-7], in order.
    held: VecDeque<Publish>,
    held_octets: usize,
    /// Sent with QoS 1 although they came with QoS 2.
    lowered: HashSet<PacketId, RandomState>,
    /// Identifiers of the *other* side's QoS 2 messages that were settled here, without this receiver: their PUBREL is ours to answer.
    settled: HashSet<PacketId, RandomState>,
}

/// More waits than a bridge should hold.
#[derive(Debug)]
pub(crate) struct Overflow;

impl Leg {
    pub(crate) fn new(version: ProtocolVersion, connack: &Connack) -> Self {
        let properties = &connack.properties;
        Self {
            version,
            maximum_qos: properties.features.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            takes_retained: properties.features.retain_available.unwrap_or(true),
            maximum_packet_size: properties.maximum_packet_size,
            window: usize::from(properties.receive_maximum.map_or(u16::MAX, NonZeroU16::get)),
            in_flight: HashSet::default(),
            held: VecDeque::new(),
            held_octets: 0,
            lowered: HashSet::default(),
            settled: HashSet::default(),
        }
    }

    /// The same within what this side is to be sent.
    pub(crate) fn within(mut self, outgoing: &Outgoing) -> Self {
        self.takes_retained &= outgoing.retain;
        self.maximum_packet_size = [self.maximum_packet_size, outgoing.maximum_packet_size].into_iter().flatten().min();
        self
    }

    /// Whether nothing is under way and nothing waits.
    pub(crate) fn is_quiet(&self) -> bool {
        self.in_flight.is_empty() && self.held.is_empty()
    }

    /// Whether a packet of so many octets is too large [MQTT-3.2.2-15].
    pub(crate) fn is_too_large(&self, size: usize) -> bool {
        self.maximum_packet_size.is_some_and(|maximum| u32::try_from(size).map_or(true, |size| size > maximum.get()))
    }

    /// Takes a place in the window for a message of QoS 1 or 2, or keeps the message until there is one. Gives back what may be sent now.
    pub(crate) fn enter(&mut self, publish: Publish) -> Result<Option<Publish>, Overflow> {
        let Some(packet_id) = publish.packet_id else { return Ok(Some(publish)) };
        if self.held.is_empty() && (self.in_flight.len() < self.window || self.in_flight.contains(&packet_id)) {
            self.in_flight.insert(packet_id);
            return Ok(Some(publish));
        }
        self.held_octets += publish.payload.len();
        if self.held_octets > HELD_MAXIMUM {
            return Err(Overflow);
        }
        self.held.push_back(publish);
        Ok(None)
    }

    /// The receiver is done with a message: the next one that waited may be sent.
    pub(crate) fn leave(&mut self, packet_id: PacketId) -> Option<Publish> {
        self.in_flight.remove(&packet_id);
        if self.in_flight.len() >= self.window {
            return None;
        }
        let next = self.held.pop_front()?;
        self.held_octets = self.held_octets.saturating_sub(next.payload.len());
        self.in_flight.extend(next.packet_id);
        Some(next)
    }

    /// The message will be sent with QoS 1 instead of 2.
    pub(crate) fn lower(&mut self, packet_id: PacketId) {
        self.lowered.insert(packet_id);
    }

    /// Whether it was, so that its PUBACK has to become a PUBREC.
    pub(crate) fn was_lowered(&mut self, packet_id: PacketId) -> bool {
        self.lowered.remove(&packet_id)
    }

    /// The PUBREL of this message will be answered by us.
    pub(crate) fn settle(&mut self, packet_id: PacketId) {
        self.settled.insert(packet_id);
    }

    /// Whether it is.
    pub(crate) fn was_settled(&mut self, packet_id: PacketId) -> bool {
        self.settled.remove(&packet_id)
    }
}
