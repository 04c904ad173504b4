//! What a client is to be told and was not encoded yet.
//!
//! There are two lanes, because an acknowledgement may have to wait until the disk has what it promises, and messages for the same client need
//! not wait with it: packets in the order in which they were asked for, and PUBLISH packets in theirs [MQTT-4.6.0-2], [MQTT-4.6.0-3], [MQTT-4.6.0-6]. Within a
//! lane nothing overtakes what waits. Between the lanes the order is kept as long as nothing waits; a PUBLISH may overtake packets that do, but
//! never a CONNACK [MQTT-3.2.0-1], nor a SUBACK: a client need not be ready for messages of a subscription that nobody has confirmed.
//! PINGRESP waits for CONNACK only: a slow disk is no reason for clients to think that the connection is dead.

mod lanes;

use std::sync::Arc;

use bytes::BytesMut;
use signet_broker::{OwnedPublishHeader, Ticket};
use signet_mqtt::{Message, Packet, ProtocolVersion, encode, encode_publish, encoded_len};

use self::lanes::Lanes;

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

/// The packets waiting for one client. It costs next to nothing while nothing waits.
#[derive(Default)]
pub(crate) struct Outbox {
    lanes: Option<Box<Lanes>>,
    /// Whether CONNACK has gone out.
    is_greeted: bool,
    /// What the broker was told last.
    told_full: bool,
}

impl Outbox {
    /// Puts a packet behind what waits.
    pub(crate) fn push(&mut self, outgoing: Outgoing) {
        self.lanes.get_or_insert_with(|| Box::new(Lanes::new(self.is_greeted))).push(outgoing);
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
                self.is_greeted |= is_gate(packet);
                encode(packet, version, buffer);
            }
            Outgoing::Publish(message, header, _) => encode_publish(message, &header.as_header(), version, buffer),
        }
        Ok(())
    }

    /// Encodes into `buffer` until that holds `enough` octets, or nothing is left that need not wait for a ticket after `durable`.
    pub(crate) fn encode(&mut self, version: ProtocolVersion, durable: Ticket, enough: usize, buffer: &mut BytesMut) {
        if let Some(lanes) = &mut self.lanes {
            lanes.encode(version, durable, enough, buffer);
            self.tidy_up();
        }
    }

    /// A ticket to come back for when it is durable, unless the caller was told one that is no later. To be asked after [`Self::encode`] has left
    /// off.
    pub(crate) fn next_ticket(&mut self, durable: Ticket) -> Option<Ticket> {
        self.lanes.as_mut()?.next_ticket(durable)
    }

    /// The connection is about to be closed: what waits for the disk will not be said, nor what was to come after it.
    pub(crate) fn forget_waiting(&mut self, durable: Ticket) {
        if let Some(lanes) = &mut self.lanes {
            lanes.forget_waiting(durable);
            self.tidy_up();
        }
    }

    /// A client for whom nothing waits costs no memory.
    fn tidy_up(&mut self) {
        if let Some(lanes) = self.lanes.take_if(|lanes| lanes.is_empty()) {
            self.is_greeted |= lanes.is_greeted();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.as_ref().is_none_or(|lanes| lanes.is_empty())
    }

    /// Packets and octets that wait.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let (packets, messages) = self.octets();
        (wide(self.lanes.as_ref().map_or(0, |lanes| lanes.len())), wide(packets + messages))
    }

    /// Whether so much waits, for the client or for the disk, with `written` octets that are encoded but not taken by the socket, that the client
    /// should not be read.
    pub(crate) fn is_full(&self, written: usize) -> bool {
        let (packets, messages) = self.octets();
        packets + messages + written > HIGH_WATER
    }

    /// What the broker has to be told about this client since the last call: `Some(writable)`. Packets that wait for the disk alone say nothing
    /// about the client: messages for it are not dropped because of them.
    pub(crate) fn crossed(&mut self, written: usize) -> Option<bool> {
        let (packets, messages) = self.octets();
        let packets = if written > 0 { packets } else { 0 };
        let waiting = packets + messages + written;
        let full = if self.told_full { waiting > LOW_WATER } else { waiting > HIGH_WATER };
        if full == self.told_full {
            return None;
        }
        self.told_full = full;
        Some(!full)
    }

    /// Octets of packets and of messages that wait.
    fn octets(&self) -> (usize, usize) {
        self.lanes.as_ref().map_or((0, 0), |lanes| (lanes.packet_octets(), lanes.message_octets()))
    }
}

/// What no later PUBLISH may overtake.
fn is_gate(packet: &Packet) -> bool {
    matches!(packet, Packet::Connack(_) | Packet::Suback(_))
}

#[cfg(test)]
mod tests;
