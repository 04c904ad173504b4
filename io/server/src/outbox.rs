//! What a client is to be told and was not encoded yet.
//!
//! There are two lanes, because an acknowledgement may have to wait until the disk has what it promises, and messages for the same client need
//! not wait with it: packets in the order in which they were asked for, and PUBLISH packets in theirs [MQTT-4.6.0-2], [MQTT-4.6.0-3], [MQTT-4.6.0-6]. Within a
//! lane nothing overtakes what waits. Between the lanes the order is kept as long as nothing waits; a PUBLISH may overtake packets that do, but
//! never a CONNACK [MQTT-3.2.0-1], nor a SUBACK: a client need not be ready for messages of a subscription that nobody has confirmed.
//! PINGRESP waits for CONNACK only: a slow disk is no reason for clients to think that the connection is dead.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use signet_broker::{OwnedPublishHeader, Ticket};
use signet_mqtt::{Message, Packet, ProtocolVersion, encode, encode_publish, encoded_len};

use crate::counters::wide;

/// Octets waiting for a client from which on the broker holds back what it may hold back, and drops QoS 0 messages.
const HIGH_WATER: usize = 64 * 1024;

/// Octets from which on it may go on. Far below, so that a client at its limit does not make the mark flutter.
const LOW_WATER: usize = 16 * 1024;

/// What one entry costs besides its message, so that many small packets count too.
const ENTRY: usize = 64;

/// One packet to send, not before its ticket is durable.
pub(crate) enum Outgoing {
    /// Any packet but PUBLISH.
    Packet(Packet, Ticket),
    /// A message, encoded for this client when its turn comes.
    Publish(Arc<Message>, OwnedPublishHeader, Ticket),
}

impl Outgoing {
    /// Octets it takes in memory, about.
    pub(crate) fn size(&self) -> usize {
        match self {
            // A refusal carries words. MQTT 5.0 is never shorter than another version.
            Self::Packet(packet, _) => ENTRY + encoded_len(packet, ProtocolVersion::V5),
            Self::Publish(message, ..) => ENTRY + message.size(),
        }
    }

    fn after(&self) -> Ticket {
        match self {
            Self::Packet(_, after) | Self::Publish(_, _, after) => *after,
        }
    }
}

/// The packets waiting for one client.
#[derive(Default)]
pub(crate) struct Outbox {
    packets: Lane<Box<Packet>>,
    messages: Lane<(Arc<Message>, OwnedPublishHeader)>,
    /// PINGRESP packets: there is nothing to be known about them but how many.
    pongs: usize,
    /// What was asked for so far, to keep the order between the lanes.
    count: u64,
    /// CONNACK and SUBACK packets asked for so far: what no later PUBLISH may overtake. The first is the CONNACK.
    gates: u64,
    gates_passed: u64,
    /// The ticket that the shard was asked to wait for.
    awaited: Option<Ticket>,
    /// What the broker was told last.
    told_full: bool,
}

/// Packets that keep their order.
struct Lane<T> {
    queue: VecDeque<Entry<T>>,
    octets: usize,
}

struct Entry<T> {
    what: T,
    size: usize,
    after: Ticket,
    /// Its place in the order of both lanes.
    number: u64,
    /// Gates that were asked for before it.
    behind: u64,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), octets: 0 }
    }
}

impl<T> Lane<T> {
    fn push(&mut self, entry: Entry<T>) {
        self.octets += entry.size;
        self.queue.push_back(entry);
    }

    fn pop(&mut self) -> Option<T> {
        let entry = self.queue.pop_front()?;
        self.octets = self.octets.saturating_sub(entry.size);
        if self.queue.is_empty() {
            // An idle client costs no memory.
            self.queue = VecDeque::new();
        }
        Some(entry.what)
    }

    /// The ticket its first packet waits for.
    fn waits_for(&self, durable: Ticket) -> Option<Ticket> {
        self.queue.front().map(|entry| entry.after).filter(|after| *after > durable)
    }

    /// Leaves the first packets only and returns the others.
    fn cut(&mut self, first: usize) -> VecDeque<Entry<T>> {
        let rest = self.queue.split_off(first.min(self.queue.len()));
        self.octets = self.queue.iter().map(|entry| entry.size).sum();
        rest
    }
}

impl Outbox {
    pub(crate) fn push(&mut self, outgoing: Outgoing) {
        let (number, behind, size) = (self.count, self.gates, outgoing.size());
        self.count += 1;
        match outgoing {
            Outgoing::Packet(Packet::Pingresp, _) => self.pongs += 1,
            Outgoing::Packet(packet, after) => {
                self.gates += u64::from(is_gate(&packet));
                self.packets.push(Entry { what: Box::new(packet), size, after, number, behind });
            }
            Outgoing::Publish(message, header, after) => {
                self.messages.push(Entry { what: (message, header), size, after, number, behind });
            }
        }
    }

    /// Encodes into `buffer` at once what need not wait, if nothing else waits here; gives it back otherwise.
    pub(crate) fn bypass(
        &mut self,
        outgoing: Outgoing,
        version: ProtocolVersion,
        durable: Ticket,
        buffer: &mut BytesMut,
    ) -> Result<(), Outgoing> {
        if !self.is_empty() || outgoing.after() > durable {
            return Err(outgoing);
        }
        match &outgoing {
            Outgoing::Packet(packet, _) => {
                let gates = u64::from(is_gate(packet));
                self.gates += gates;
                self.gates_passed += gates;
                encode(packet, version, buffer);
            }
            Outgoing::Publish(message, header, _) => encode_publish(message, &header.as_header(), version, buffer),
        }
        Ok(())
    }

    /// Encodes into `buffer` until that holds `enough` octets, or nothing is left that need not wait for a ticket after `durable`.
    pub(crate) fn encode(&mut self, version: ProtocolVersion, durable: Ticket, enough: usize, buffer: &mut BytesMut) {
        while buffer.len() < enough {
            let packet = self.packets.queue.front().filter(|entry| entry.after <= durable).map(|entry| entry.number);
            let message = self.messages.queue.front().filter(|entry| self.may_go(entry, durable)).map(|entry| entry.number);
            match (packet, message) {
                (Some(packet), message) if message.is_none_or(|message| packet < message) => self.encode_packet(version, buffer),
                (_, Some(_)) => self.encode_message(version, buffer),
                _ if self.pongs > 0 && (self.gates_passed > 0 || self.gates == 0) => {
                    self.pongs -= 1;
                    encode(&Packet::Pingresp, version, buffer);
                }
                _ => break,
            }
        }
    }

    fn may_go(&self, message: &Entry<(Arc<Message>, OwnedPublishHeader)>, durable: Ticket) -> bool {
        message.after <= durable && message.behind <= self.gates_passed
    }

    fn encode_packet(&mut self, version: ProtocolVersion, buffer: &mut BytesMut) {
        let Some(packet) = self.packets.pop() else { return };
        self.gates_passed += u64::from(is_gate(&packet));
        encode(&packet, version, buffer);
    }

    fn encode_message(&mut self, version: ProtocolVersion, buffer: &mut BytesMut) {
        let Some((message, header)) = self.messages.pop() else { return };
        encode_publish(&message, &header.as_header(), version, buffer);
    }

    /// A ticket to come back for when it is durable, unless the caller was told one that is no later. To be asked after [`Self::encode`] has left
    /// off.
    pub(crate) fn next_ticket(&mut self, durable: Ticket) -> Option<Ticket> {
        self.awaited = self.awaited.filter(|awaited| *awaited > durable);
        let tickets = [self.packets.waits_for(durable), self.messages.waits_for(durable)];
        let earliest = tickets.into_iter().flatten().min()?;
        if self.awaited.is_some_and(|awaited| awaited <= earliest) {
            return None;
        }
        self.awaited = Some(earliest);
        Some(earliest)
    }

    /// The connection is about to be closed: what waits for the disk will not be said, nor what was to come after it. Only the DISCONNECT stays,
    /// because it says why, unless the CONNACK that has to come before it [MQTT-3.14.0-1] is among what waits.
    pub(crate) fn forget_waiting(&mut self, durable: Ticket) {
        let ready = self.packets.queue.iter().take_while(|entry| entry.after <= durable).count();
        let forgotten = self.packets.cut(ready);
        let is_greeted = !forgotten.iter().any(|entry| matches!(*entry.what, Packet::Connack(_)));
        for entry in forgotten.into_iter().filter(|entry| is_greeted && matches!(*entry.what, Packet::Disconnect(_))) {
            self.packets.push(entry);
        }
        let gates: u64 = self.packets.queue.iter().map(|entry| u64::from(is_gate(&entry.what))).sum();
        let passed = self.gates_passed + gates;
        let ready = self.messages.queue.iter().take_while(|entry| entry.after <= durable && entry.behind <= passed).count();
        drop(self.messages.cut(ready));
        self.pongs = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.queue.is_empty() && self.messages.queue.is_empty() && self.pongs == 0
    }

    /// Packets and octets that wait.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        (wide(self.packets.queue.len() + self.messages.queue.len() + self.pongs), wide(self.packet_octets() + self.messages.octets))
    }

    /// Whether so much waits, for the client or for the disk, with `written` octets that are encoded but not taken by the socket, that the client
    /// should not be read.
    pub(crate) fn is_full(&self, written: usize) -> bool {
        self.packet_octets() + self.messages.octets + written > HIGH_WATER
    }

    /// What the broker has to be told about this client since the last call: `Some(writable)`. Packets that wait for the disk alone say nothing
    /// about the client: messages for it are not dropped because of them.
    pub(crate) fn crossed(&mut self, written: usize) -> Option<bool> {
        let packets = if written > 0 { self.packet_octets() } else { 0 };
        let waiting = packets + self.messages.octets + written;
        let full = if self.told_full { waiting > LOW_WATER } else { waiting > HIGH_WATER };
        if full == self.told_full {
            return None;
        }
        self.told_full = full;
        Some(!full)
    }

    fn packet_octets(&self) -> usize {
        self.packets.octets + self.pongs.saturating_mul(ENTRY)
    }
}

/// What no later PUBLISH may overtake.
fn is_gate(packet: &Packet) -> bool {
    matches!(packet, Packet::Connack(_) | Packet::Suback(_))
}

#[cfg(test)]
mod tests;
