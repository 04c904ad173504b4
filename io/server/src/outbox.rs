//! What a client is to be told and was not encoded yet.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use signet_broker::{OwnedPublishHeader, Ticket};
use signet_mqtt::{Message, Packet, ProtocolVersion, encode, encode_publish, encoded_len};

/// Octets waiting for a client from which on the broker holds back what it may hold back, and drops QoS 0 messages.
const HIGH_WATER: usize = 64 * 1024;

/// Octets from which on it may go on. Far below, so that a client at its limit does not make the mark flutter.
const LOW_WATER: usize = 16 * 1024;

/// What one entry costs besides its message, so that many small packets count too.
const ENTRY: usize = 64;

/// One packet to send.
pub(crate) enum Outgoing {
    /// A packet that may have to wait until what it promises is durable.
    Packet(Box<Packet>, Ticket),
    /// A message, encoded for this client when its turn comes.
    Publish(Arc<Message>, OwnedPublishHeader),
}

/// The packets waiting for one client, in their order.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: VecDeque<(Outgoing, usize)>,
    octets: usize,
    /// What the broker was told last.
    told_full: bool,
}

impl Outbox {
    pub(crate) fn push(&mut self, outgoing: Outgoing) {
        let size = ENTRY
            + match &outgoing {
                // A refusal carries words. MQTT 5.0 is never shorter than another version.
                Outgoing::Packet(packet, _) => encoded_len(packet, ProtocolVersion::V5),
                Outgoing::Publish(message, _) => message.size(),
            };
        self.octets += size;
        self.queue.push_back((outgoing, size));
    }

    /// Encodes into `buffer` from the front until that holds `enough` octets, the queue is empty, or something has to wait for a ticket after `durable`.
    pub(crate) fn encode(&mut self, version: ProtocolVersion, durable: Ticket, enough: usize, buffer: &mut BytesMut) {
        while buffer.len() < enough {
            // Nothing overtakes what waits: only a CONNACK must not be overtaken, but one rule is simpler than two.
            if matches!(self.queue.front(), Some((Outgoing::Packet(_, after), _)) if *after > durable) {
                break;
            }
            let Some((outgoing, size)) = self.queue.pop_front() else { break };
            self.octets = self.octets.saturating_sub(size);
            match outgoing {
                Outgoing::Packet(packet, _) => encode(&packet, version, buffer),
                Outgoing::Publish(message, header) => encode_publish(&message, &header.as_header(), version, buffer),
            }
        }
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether too much waits, with `written` octets that are encoded but not taken by the socket.
    pub(crate) fn is_full(&self, written: usize) -> bool {
        self.octets + written > HIGH_WATER
    }

    /// What the broker has to be told about this client since the last call: `Some(writable)`.
    pub(crate) fn crossed(&mut self, written: usize) -> Option<bool> {
        let waiting = self.octets + written;
        let full = if self.told_full { waiting > LOW_WATER } else { waiting > HIGH_WATER };
        if full == self.told_full {
            return None;
        }
        self.told_full = full;
        Some(!full)
    }
}

#[cfg(test)]
mod tests {
    use signet_mqtt::{Ack, MessageProperties, PacketId, QoS, ReasonCode, TopicName, UserProperties};

    use super::*;

    /// What the publisher puts into properties instead of the payload is held as well while nobody reads.
    #[test]
    fn properties_and_words_count() {
        let text = || "x".repeat(60_000).into();
        let properties = MessageProperties { user_properties: UserProperties(vec![(text(), text())]), ..Default::default() };
        let topic = TopicName::new("t").unwrap();
        let message = Message { topic, payload: Default::default(), qos: QoS::AtMostOnce, retain: false, properties };
        let header = OwnedPublishHeader {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            packet_id: None,
            message_expiry_interval: None,
            subscription_identifiers: Default::default(),
            topic_alias: None,
            send_topic: true,
        };
        let mut outbox = Outbox::default();
        outbox.push(Outgoing::Publish(Arc::new(message), header));
        assert!(outbox.is_full(0));

        let mut ack = Ack::new(PacketId::new(1).unwrap(), ReasonCode::NotAuthorized);
        ack.reason_string = Some("x".repeat(60_000).into());
        let mut outbox = Outbox::default();
        for _ in 0..2 {
            outbox.push(Outgoing::Packet(Box::new(Packet::Puback(ack.clone())), Ticket::NONE));
        }
        assert!(outbox.is_full(0));
    }
}
