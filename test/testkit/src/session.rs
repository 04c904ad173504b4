//! A client's half of the Session State (§4.1), without I/O: what it sent and was not answered, what it received and did not release. It
//! outlives connections, answers as the specification asks, and says what happened.

use std::collections::{BTreeSet, VecDeque};

use signet_mqtt::{Ack, Packet, PacketId, Publish, QoS, ReasonCode};

/// One message on its way to the server. `L` is the caller's name for it.
#[derive(Debug, Clone)]
struct Outgoing<L> {
    label: L,
    packet_id: PacketId,
    /// Nothing once PUBREC has come: only PUBREL is sent again.
    publish: Option<Publish>,
}

/// What a packet from the server means to the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened<L> {
    /// A message arrived.
    Arrived {
        /// As it was received.
        publish: Publish,
        /// A QoS 2 message that was received before and not released: the application does not get it again [MQTT-4.3.3-10].
        is_repeat: bool,
    },
    /// The server is responsible for the message from here on: PUBACK, or PUBREC.
    Accepted(L, ReasonCode),
    /// The server said no, in PUBACK or PUBREC.
    Refused(L, ReasonCode),
    /// QoS 2: PUBCOMP, the exchange is over.
    Completed(L),
    /// PUBREL: a message received with QoS 2 is done with.
    Released(PacketId),
    /// Belongs to no exchange: CONNACK, SUBACK, UNSUBACK, PINGRESP, DISCONNECT.
    Other(Packet),
    /// An acknowledgement of something that this client never sent or that has ended.
    Unexpected(Packet),
}

/// The state.
#[derive(Debug, Clone)]
pub struct Session<L> {
    outgoing: VecDeque<Outgoing<L>>,
    held: BTreeSet<PacketId>,
    last_packet_id: u16,
}

impl<L> Default for Session<L> {
    fn default() -> Self {
        Self { outgoing: VecDeque::new(), held: BTreeSet::new(), last_packet_id: 0 }
    }
}

impl<L: Clone> Session<L> {
    /// Messages on their way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.outgoing.len()
    }

    /// The names of the messages on their way, the oldest first.
    pub fn labels(&self) -> impl Iterator<Item = &L> {
        self.outgoing.iter().map(|outgoing| &outgoing.label)
    }

    /// QoS 2 messages received and not released.
    #[must_use]
    pub fn held(&self) -> &BTreeSet<PacketId> {
        &self.held
    }

    /// A Packet Identifier that is not in use [MQTT-2.2.1-3].
    pub fn packet_id(&mut self) -> PacketId {
        loop {
            self.last_packet_id = self.last_packet_id.wrapping_add(1);
            if let Some(free) = PacketId::new(self.last_packet_id)
                && self.outgoing.iter().all(|outgoing| outgoing.packet_id != free)
            {
                return free;
            }
        }
    }

    /// Begins an exchange, for QoS 1 and 2: gives the message its Packet Identifier and keeps it. The caller sends what is returned.
    pub fn publish(&mut self, mut publish: Publish, label: L) -> Packet {
        if publish.qos > QoS::AtMostOnce {
            let packet_id = self.packet_id();
            publish.packet_id = Some(packet_id);
            self.outgoing.push_back(Outgoing { label, packet_id, publish: Some(publish.clone()) });
        }
        Packet::Publish(publish)
    }

    /// A CONNACK came. What to send again, in the order of the first time [MQTT-4.4.0-1]; all is forgotten if the server has no session
    /// [MQTT-3.2.2-5].
    pub fn resume(&mut self, session_present: bool) -> Vec<Packet> {
        if !session_present {
            *self = Self::default();
        }
        let again = |outgoing: &Outgoing<L>| match &outgoing.publish {
            Some(publish) => Packet::Publish(Publish { dup: true, ..publish.clone() }),
            None => Packet::Pubrel(Ack::success(outgoing.packet_id)),
        };
        self.outgoing.iter().map(again).collect()
    }

    /// A packet came: what it means, and the answer to it if it wants one.
    pub fn receive(&mut self, packet: Packet) -> (Happened<L>, Option<Packet>) {
        match packet {
            Packet::Publish(publish) => self.arrived(publish),
            Packet::Puback(ack) => (self.answered(QoS::AtLeastOnce, ack, Packet::Puback), None),
            Packet::Pubrec(ack) => {
                let (packet_id, is_error) = (ack.packet_id, ack.reason_code.is_error());
                let happened = self.answered(QoS::ExactlyOnce, ack, Packet::Pubrec);
                // A PUBREC for what is unknown here is answered too: the server must not wait for ever.
                (happened, (!is_error).then(|| Packet::Pubrel(Ack::success(packet_id))))
            }
            Packet::Pubrel(ack) => {
                self.held.remove(&ack.packet_id);
                (Happened::Released(ack.packet_id), Some(Packet::Pubcomp(Ack::success(ack.packet_id))))
            }
            Packet::Pubcomp(ack) => {
                let at = self.outgoing.iter().position(|outgoing| outgoing.packet_id == ack.packet_id && outgoing.publish.is_none());
                let ended = at.and_then(|at| self.outgoing.remove(at));
                (ended.map_or(Happened::Unexpected(Packet::Pubcomp(ack)), |ended| Happened::Completed(ended.label)), None)
            }
            other => (Happened::Other(other), None),
        }
    }

    fn arrived(&mut self, publish: Publish) -> (Happened<L>, Option<Packet>) {
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(packet_id)) => {
                (Happened::Arrived { publish, is_repeat: false }, Some(Packet::Puback(Ack::success(packet_id))))
            }
            (QoS::ExactlyOnce, Some(packet_id)) => {
                let is_repeat = !self.held.insert(packet_id);
                (Happened::Arrived { publish, is_repeat }, Some(Packet::Pubrec(Ack::success(packet_id))))
            }
            _ => (Happened::Arrived { publish, is_repeat: false }, None),
        }
    }

    /// PUBACK or PUBREC.
    fn answered(&mut self, qos: QoS, ack: Ack, as_packet: fn(Ack) -> Packet) -> Happened<L> {
        let of_this = |outgoing: &Outgoing<L>| outgoing.packet_id == ack.packet_id;
        let Some(at) = self.outgoing.iter().position(of_this) else { return Happened::Unexpected(as_packet(ack)) };
        let Some(publish) = self.outgoing.get(at).and_then(|outgoing| outgoing.publish.as_ref()) else {
            // A repeated PUBREC after the first was answered: nothing new.
            return Happened::Other(as_packet(ack));
        };
        if publish.qos != qos {
            return Happened::Unexpected(as_packet(ack));
        }
        if qos == QoS::AtLeastOnce || ack.reason_code.is_error() {
            let label = self.outgoing.remove(at).map(|outgoing| outgoing.label);
            return match label {
                Some(label) if ack.reason_code.is_error() => Happened::Refused(label, ack.reason_code),
                Some(label) => Happened::Accepted(label, ack.reason_code),
                None => Happened::Unexpected(as_packet(ack)),
            };
        }
        match self.outgoing.get_mut(at) {
            Some(outgoing) => {
                outgoing.publish = None;
                Happened::Accepted(outgoing.label.clone(), ack.reason_code)
            }
            None => Happened::Unexpected(as_packet(ack)),
        }
    }
}
