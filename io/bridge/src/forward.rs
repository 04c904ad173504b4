//! What becomes of each packet: sent on, answered here, or the end of the connection. No sockets and no clock.
//!
//! The one rule: a message is acknowledged to where it came from when the other broker has acknowledged it, or when it is certain that the other
//! broker will never have it. Everything between the two PUBLISH packets and the last acknowledgement is passed on with the Packet Identifier
//! it came with.

use std::sync::Arc;
use std::time::Instant;

use signet_mqtt::{
    Ack, AliasChoice, InboundAliases, OutboundAliases, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, encoded_len,
};

use crate::echo::Echoes;
use crate::error::{End, Fault};
use crate::hops::{Hops, InCircles};
use crate::leg::Leg;
use crate::status::{Board, Counters};
use crate::topics::Topics;

/// Decides for one connection.
#[derive(Debug)]
pub(crate) struct Forwarder {
    pub(crate) topics: Arc<Topics>,
    pub(crate) board: Arc<Board>,
    hops: Hops,
    echoes: Option<Echoes>,
    local: Leg,
    remote: Leg,
    /// Of the other broker's messages.
    inbound: InboundAliases,
    /// Of the messages for the other broker.
    outbound: OutboundAliases,
    /// What is to be sent, in order.
    pub(crate) sends: Vec<(End, Packet)>,
}

/// The moment, and how the receiver keeps up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) now: Instant,
    /// So much waits to be written to the receiver that messages with QoS 0 have to go.
    pub(crate) is_flooded: bool,
}

impl Forwarder {
    /// `echoes`: the other broker sends us what we send it.
    pub(crate) fn new(topics: Arc<Topics>, board: Arc<Board>, hops: Hops, echoes: bool, local: Leg, remote: Leg) -> Self {
        let (inbound, outbound) = (InboundAliases::new(0), OutboundAliases::new(0));
        Self { topics, board, hops, echoes: echoes.then(Echoes::default), local, remote, inbound, outbound, sends: Vec::new() }
    }

    /// The same with Topic Aliases: so many that the other broker was allowed, and so many that it allows.
    pub(crate) fn with_aliases(self, inbound: u16, outbound: u16) -> Self {
        Self { inbound: InboundAliases::new(inbound), outbound: OutboundAliases::new(outbound), ..self }
    }

    /// Whether nothing is under way in either direction.
    pub(crate) fn is_quiet(&self) -> bool {
        self.local.is_quiet() && self.remote.is_quiet()
    }

    /// One packet that `from` sent.
    pub(crate) fn packet(&mut self, from: End, packet: Packet, circumstances: Circumstances) -> Result<(), Fault> {
        match packet {
            Packet::Publish(publish) => self.publish(from, publish, circumstances),
            Packet::Puback(ack) => self.puback(from, &ack),
            Packet::Pubrec(ack) => self.pubrec(from, &ack),
            Packet::Pubrel(ack) => {
                self.pubrel(from, &ack);
                Ok(())
            }
            Packet::Pubcomp(ack) => {
                self.send(from.other(), Packet::Pubcomp(Ack::new(ack.packet_id, ack.reason_code)));
                self.done(from, ack.packet_id);
                Ok(())
            }
            // Late answers to what the connection began with.
            Packet::Pingresp | Packet::Suback(_) => Ok(()),
            Packet::Disconnect(disconnect) => Err(Fault::disconnected(from, &disconnect)),
            other => Err(Fault::Unexpected { end: from, packet: other.name() }),
        }
    }

    fn publish(&mut self, from: End, mut publish: Publish, circumstances: Circumstances) -> Result<(), Fault> {
        let to = from.other();
        let (topic, alias) = (publish.topic.take(), publish.properties.topic_alias.take());
        let resolved = match from {
            // We allow it no Topic Alias, so none may be used [MQTT-3.3.2-9].
            End::Local => InboundAliases::new(0).resolve(topic, alias),
            End::Remote => self.inbound.resolve(topic, alias),
        };
        let topic = resolved.map_err(|_| Fault::Unexpected { end: from, packet: "PUBLISH without a topic that is known" })?;
        let board = Arc::clone(&self.board);
        let counters = &board.counters;
        if from == End::Remote
            && let Some(echoes) = &mut self.echoes
            && echoes.is_echo(&topic, &publish.payload, circumstances.now)
        {
            return self.settle(from, &publish);
        }
        let renamed = match from {
            End::Local => self.topics.outward(&topic),
            End::Remote => self.topics.inward(&topic),
        };
        let Some(renamed) = renamed else {
            Counters::count(&counters.unmapped);
            return self.settle(from, &publish);
        };
        let mut outgoing = publish.clone();
        outgoing.topic = Some(renamed);
        if self.note_hop(from, &mut outgoing).is_err() {
            Counters::count(&counters.loops);
            return self.settle(from, &publish);
        }
        let receiver = self.leg(to);
        outgoing.qos = publish.qos.min(receiver.maximum_qos);
        outgoing.retain = publish.retain && receiver.takes_retained;
        // A server's own affair with its subscriber; a client must not send them [MQTT-3.3.4-6].
        outgoing.properties.subscription_identifiers.clear();
        if outgoing.qos == QoS::AtMostOnce {
            outgoing.packet_id = None;
            outgoing.dup = false;
        }
        let version = receiver.version;
        let packet = Packet::Publish(outgoing);
        if self.leg(to).is_too_large(encoded_len(&packet, version)) {
            Counters::count(&counters.too_large);
            return self.settle(from, &publish);
        }
        let Packet::Publish(outgoing) = packet else { return Ok(()) };
        self.pass_on(from, &publish, outgoing, circumstances)
    }

    fn pass_on(&mut self, from: End, publish: &Publish, outgoing: Publish, circumstances: Circumstances) -> Result<(), Fault> {
        let to = from.other();
        if outgoing.qos == QoS::AtMostOnce && publish.qos == QoS::AtMostOnce && circumstances.is_flooded {
            Counters::count(&self.board.counters.slow);
            return Ok(());
        }
        if to == End::Remote
            && let Some(echoes) = &mut self.echoes
            && let Some(topic) = outgoing.topic.as_ref().filter(|topic| self.topics.comes_back(topic))
        {
            echoes.sent(topic, &outgoing.payload, circumstances.now);
        }
        let is_last_word = outgoing.qos == QoS::AtMostOnce;
        if publish.qos == QoS::ExactlyOnce && outgoing.qos == QoS::AtLeastOnce {
            self.lower(to, outgoing.packet_id);
        }
        let now = self.leg_mut(to).enter(outgoing).map_err(|_| Fault::Overflow { end: to })?;
        if let Some(outgoing) = now {
            self.count_forwarded(to);
            self.send(to, Packet::Publish(outgoing));
        }
        if is_last_word { self.settle(from, publish) } else { Ok(()) }
    }

    fn lower(&mut self, to: End, packet_id: Option<PacketId>) {
        if let Some(packet_id) = packet_id {
            self.leg_mut(to).lower(packet_id);
        }
    }

    /// The hops are noted where both sides can read them.
    fn note_hop(&self, from: End, publish: &mut Publish) -> Result<(), InCircles> {
        if self.remote.version != ProtocolVersion::V5 {
            return Ok(());
        }
        match from {
            End::Local => self.hops.outward(&mut publish.properties.user_properties),
            End::Remote => self.hops.inward(&mut publish.properties.user_properties),
        }
    }

    /// Acknowledges a message that the other side will not have, or that it cannot acknowledge.
    fn settle(&mut self, from: End, publish: &Publish) -> Result<(), Fault> {
        let Some(packet_id) = publish.packet_id else { return Ok(()) };
        match publish.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.send(from, Packet::Puback(Ack::success(packet_id))),
            QoS::ExactlyOnce => {
                self.leg_mut(from.other()).settle(packet_id);
                self.send(from, Packet::Pubrec(Ack::success(packet_id)));
            }
        }
        Ok(())
    }

    fn puback(&mut self, from: End, ack: &Ack) -> Result<(), Fault> {
        self.judge(from, ack)?;
        let to = from.other();
        if self.leg_mut(from).was_lowered(ack.packet_id) {
            self.leg_mut(from).settle(ack.packet_id);
            self.send(to, Packet::Pubrec(Ack::success(ack.packet_id)));
        } else {
            self.send(to, Packet::Puback(Ack::new(ack.packet_id, ack.reason_code)));
        }
        self.done(from, ack.packet_id);
        Ok(())
    }

    fn pubrec(&mut self, from: End, ack: &Ack) -> Result<(), Fault> {
        self.judge(from, ack)?;
        let to = from.other();
        self.send(to, Packet::Pubrec(Ack::new(ack.packet_id, ack.reason_code)));
        if ack.reason_code.is_error() {
            // The exchange is over on the side that said so [MQTT-4.3.3-4]. Before MQTT 5.0 the sender cannot hear it and sends its PUBREL.
            if !self.leg(to).version.has_properties() {
                self.leg_mut(from).settle(ack.packet_id);
            }
            self.done(from, ack.packet_id);
        }
        Ok(())
    }

    fn pubrel(&mut self, from: End, ack: &Ack) {
        let to = from.other();
        if self.leg_mut(to).was_settled(ack.packet_id) {
            self.send(from, Packet::Pubcomp(Ack::success(ack.packet_id)));
        } else {
            self.send(to, Packet::Pubrel(Ack::success(ack.packet_id)));
        }
    }

    /// A refusal that may pass is none to acknowledge a message for: the connection ends, and the message is sent again on the next one.
    fn judge(&self, from: End, ack: &Ack) -> Result<(), Fault> {
        match ack.reason_code {
            code @ (ReasonCode::QuotaExceeded | ReasonCode::PacketIdentifierInUse) => Err(Fault::Busy { end: from, code }),
            code => {
                if code.is_error() {
                    Counters::count(&self.board.counters.refused);
                }
                Ok(())
            }
        }
    }

    /// The receiver has finished with a message; the next one may go.
    fn done(&mut self, receiver: End, packet_id: PacketId) {
        if let Some(next) = self.leg_mut(receiver).leave(packet_id) {
            self.count_forwarded(receiver);
            self.send(receiver, Packet::Publish(next));
        }
    }

    fn count_forwarded(&self, to: End) {
        Counters::count(match to {
            End::Local => &self.board.counters.forwarded_in,
            End::Remote => &self.board.counters.forwarded_out,
        });
    }

    fn send(&mut self, to: End, mut packet: Packet) {
        if let (End::Remote, Packet::Publish(publish)) = (to, &mut packet) {
            self.shorten(publish);
        }
        self.sends.push((to, packet));
    }

    /// Puts an alias in the place of the topic, or beside it where it is the first time.
    fn shorten(&mut self, publish: &mut Publish) {
        let Some(topic) = publish.topic.take() else { return };
        let choice = self.outbound.choose(&topic);
        let (alias, has_topic) = choice.as_header();
        publish.properties.topic_alias = alias;
        publish.topic = has_topic.then(|| topic.clone());
        if matches!(choice, AliasChoice::New(_)) {
            let size = encoded_len(&Packet::Publish(publish.clone()), self.remote.version);
            if self.remote.is_too_large(size) {
                // It fits without.
                publish.properties.topic_alias = None;
                return;
            }
        }
        self.outbound.commit(&topic, choice);
    }

    fn leg(&self, end: End) -> &Leg {
        match end {
            End::Local => &self.local,
            End::Remote => &self.remote,
        }
    }

    fn leg_mut(&mut self, end: End) -> &mut Leg {
        match end {
            End::Local => &mut self.local,
            End::Remote => &mut self.remote,
        }
    }
}

#[cfg(test)]
mod tests;
