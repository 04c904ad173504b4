//! What waits for one client, in its lanes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use signet_broker::{OwnedPublishHeader, Ticket};
use signet_mqtt::{Message, Packet, ProtocolVersion, encode, encode_publish};

use super::{ENTRY, Outgoing, is_gate};

/// What there is to know as long as something waits.
pub(super) struct Lanes {
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

impl Lanes {
    /// Nothing yet, for a client to whom CONNACK has gone out or not.
    pub(super) fn new(is_greeted: bool) -> Self {
        let gates = u64::from(is_greeted);
        Self { packets: Lane::default(), messages: Lane::default(), pongs: 0, count: 0, gates, gates_passed: gates, awaited: None }
    }

    pub(super) fn push(&mut self, outgoing: Outgoing) {
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

    /// Encodes into `buffer` until that holds `enough` octets, or nothing is left that need not wait for a ticket after `durable`.
    pub(super) fn encode(&mut self, version: ProtocolVersion, durable: Ticket, enough: usize, buffer: &mut BytesMut) {
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
    pub(super) fn next_ticket(&mut self, durable: Ticket) -> Option<Ticket> {
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
    pub(super) fn forget_waiting(&mut self, durable: Ticket) {
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

    pub(super) fn is_empty(&self) -> bool {
        self.packets.queue.is_empty() && self.messages.queue.is_empty() && self.pongs == 0
    }

    /// Octets of all packets but PUBLISH.
    pub(super) fn packet_octets(&self) -> usize {
        self.packets.octets + self.pongs.saturating_mul(ENTRY)
    }

    /// Octets of PUBLISH packets.
    pub(super) fn message_octets(&self) -> usize {
        self.messages.octets
    }

    /// Packets.
    pub(super) fn len(&self) -> usize {
        self.packets.queue.len() + self.messages.queue.len() + self.pongs
    }

    /// Whether CONNACK has gone out.
    pub(super) fn is_greeted(&self) -> bool {
        self.gates_passed > 0
    }
}
