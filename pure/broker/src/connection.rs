//! One Network Connection after its CONNECT: what dies with the socket.

use std::sync::Arc;

use signet_mqtt::{
    AliasChoice, InboundAliases, Message, OutboundAliases, Packet, PacketId, ProtocolVersion, QoS, ReasonCode, UserProperties, encoded_len,
    publish_len,
};
use signet_policy::{Client, Mount};

use crate::asking::Asking;
use crate::ids::{ConnectionId, SessionId};
use crate::inflight::Window;
use crate::keep_alive::KeepAlive;
use crate::limits::Limits;
use crate::memo::Memo;
use crate::moment::Moment;
use crate::output::{CloseCause, Output, OwnedPublishHeader};
use crate::packet_ids::PacketIds;
use crate::queue::Pending;
use crate::rules::Wording;
use crate::stats::Stats;
use crate::store::Ticket;

/// A connected client.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) session: SessionId,
    pub(crate) client: Arc<Client>,
    /// Those of its listener.
    pub(crate) limits: Arc<Limits>,
    pub(crate) manners: Manners,
    /// Exchanges that may be under way to the client, as it says [MQTT-3.3.4-9].
    pub(crate) receive_maximum: u16,
    pub(crate) incoming: Incoming,
    /// Largest packet the client takes, in bytes [MQTT-3.1.2-24].
    pub(crate) maximum_packet_size: usize,
    pub(crate) keep_alive: KeepAlive,
    /// They end with the connection [MQTT-3.3.2-7].
    pub(crate) inbound: InboundAliases,
    pub(crate) outbound: OutboundAliases,
    pub(crate) is_writable: bool,
    pub(crate) memo: Memo,
    /// What it waits for, if it waits for somebody who is asked.
    pub(crate) asking: Option<Box<Asking>>,
    /// Where the topics of its tenant are, if it has one.
    pub(crate) mount: Option<Box<Mount>>,
}

/// What its version and its CONNECT settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// Handed to the encoder, never asked about: what differs between versions is settled at CONNECT in the fields below.
    pub(crate) version: ProtocolVersion,
    /// Whether a Server may say why it closes.
    pub(crate) hears_disconnect: bool,
    /// Whether acknowledgements may carry reasons in words [MQTT-3.1.2-29].
    pub(crate) hears_problems: bool,
    /// Whether a PUBACK or PUBREC can say that a message was not taken.
    pub(crate) hears_refused_publish: bool,
    /// Whether a SUBACK can say that a subscription was not made.
    pub(crate) hears_refused_subscription: bool,
    /// Another broker: what it publishes is not sent back to it, and what is retained here is retained there.
    pub(crate) is_bridge: bool,
}

/// QoS 1 and 2 messages from the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incoming {
    /// QoS 2 messages that may be under way [MQTT-3.3.4-7].
    pub(crate) maximum: u16,
    /// How many are. Not kept over connections (§4.9).
    pub(crate) open: u16,
    /// Whether one was not taken and its version has no way to say so: then nothing that needs an acknowledgement is taken on this
    /// connection any more, so that the order is kept when the client sends all of it again on the next.
    pub(crate) owes: bool,
}

impl Connection {
    /// What may be under way to the client: no more than it says, nor than it may have.
    pub(crate) fn window(&self) -> Window {
        Window {
            exchanges: self.receive_maximum.min(self.limits.maximum_inflight).clamp(1, PacketIds::EACH_KIND),
            payload_bytes: self.limits.messages.inflight_bytes_maximum,
        }
    }

    /// Sends an answer, however full the window is [MQTT-3.3.4-10], [MQTT-4.9.0-3]. The words are left out where they do not fit
    /// [MQTT-3.4.2-2], [MQTT-3.5.2-2], [MQTT-3.9.2-1], [MQTT-3.14.2-3]. Returns false if it is larger than the client takes, even without
    /// the words in it [MQTT-3.1.2-24].
    #[must_use]
    pub(crate) fn answer(&self, mut packet: Packet, after: Ticket, output: &mut Vec<Output>) -> bool {
        if self.limits.messages.answers == Wording::Plain {
            strip_words(&mut packet);
            plain(&mut packet);
        } else if !self.manners.hears_problems && !matches!(packet, Packet::Connack(_) | Packet::Disconnect(_)) {
            strip_words(&mut packet);
        }
        if !self.fits(&packet) {
            strip_words(&mut packet);
            if !self.fits(&packet) {
                return false;
            }
        }
        output.push(Output::Send { connection: self.id, packet, after });
        true
    }

    /// The Reason Code of a DISCONNECT. A topic that is malformed makes a malformed packet, and only the exact answer says which.
    pub(crate) fn worded(&self, cause: &CloseCause, reason_code: ReasonCode) -> ReasonCode {
        let is_topic = matches!(reason_code, ReasonCode::TopicNameInvalid | ReasonCode::TopicFilterInvalid);
        let is_plain = self.limits.messages.answers == Wording::Plain;
        if is_plain && is_topic && matches!(cause, CloseCause::Malformed(..)) { ReasonCode::MalformedPacket } else { reason_code }
    }

    /// Sends a PUBLISH with QoS 0 [MQTT-4.3.1-1], if it can be sent.
    pub(crate) fn transmit(&mut self, pending: Pending, now: Moment, (output, stats): (&mut Vec<Output>, &mut Stats)) {
        if let Some((seen, header)) = self.prepare(&pending, None, false, now, stats) {
            self.emit(seen.unwrap_or(pending.message), header, Ticket::NONE, (output, stats));
        }
    }

    /// Decides how a PUBLISH is sent; `dup` is about this sending, not about how the message came [MQTT-3.3.1-3]. Gives the message as this
    /// client sees it, if that is another one. Nothing at all if it is to be dropped instead: expired, larger than the client takes, or not one its tenant can see.
    pub(crate) fn prepare(
        &mut self,
        pending: &Pending,
        packet_id: Option<PacketId>,
        dup: bool,
        now: Moment,
        stats: &mut Stats,
    ) -> Option<(Option<Arc<Message>>, OwnedPublishHeader)> {
        debug_assert_eq!(packet_id.is_some(), pending.qos > QoS::AtMostOnce, "[MQTT-2.2.1-2]");
        // What was sent once is not taken back [MQTT-4.3.3-7]: the client may already have it.
        if !dup && pending.is_expired(now) {
            stats.dropped_expired += 1;
            return None;
        }
        let mut seen = None;
        if let Some(mount) = &self.mount {
            seen = seen_from(mount, &pending.message);
            if seen.is_none() {
                stats.refused.messages_withheld += 1;
                return None;
            }
        }
        let message = seen.as_ref().unwrap_or(&pending.message);
        let mut header = OwnedPublishHeader {
            dup,
            qos: pending.qos,
            retain: pending.retain,
            packet_id,
            message_expiry_interval: pending.remaining(now),
            subscription_identifiers: pending.identifiers.clone(),
            topic_alias: None,
            send_topic: true,
        };
        let mut choice = self.outbound.choose(&message.topic);
        (header.topic_alias, header.send_topic) = choice.as_header();
        if self.is_too_large(message, &header) && matches!(choice, AliasChoice::New(_)) {
            // Setting an alias takes three bytes more than going without.
            choice = AliasChoice::None;
            (header.topic_alias, header.send_topic) = choice.as_header();
        }
        if self.is_too_large(message, &header) {
            // [MQTT-3.1.2-25]
            stats.dropped_too_large += 1;
            return None;
        }
        self.outbound.commit(&message.topic, choice);
        Some((seen, header))
    }

    /// Sends a prepared PUBLISH.
    pub(crate) fn emit(
        &self,
        message: Arc<Message>,
        header: OwnedPublishHeader,
        after: Ticket,
        (output, stats): (&mut Vec<Output>, &mut Stats),
    ) {
        stats.messages_sent += 1;
        output.push(Output::Publish { connection: self.id, message, header, after });
    }

    fn is_too_large(&self, message: &Message, header: &OwnedPublishHeader) -> bool {
        self.maximum_packet_size < usize::MAX && publish_len(message, &header.as_header(), self.manners.version) > self.maximum_packet_size
    }

    fn fits(&self, packet: &Packet) -> bool {
        self.maximum_packet_size == usize::MAX || encoded_len(packet, self.manners.version) <= self.maximum_packet_size
    }
}

/// A message with the topics that clients of a tenant see. The rest of it is shared with the original. An answer that is wanted outside of the
/// tenant's topics cannot be given.
fn seen_from(mount: &Mount, message: &Arc<Message>) -> Option<Arc<Message>> {
    let topic = mount.view_topic(&message.topic)?;
    let mut seen = Message { topic, ..Message::clone(message) };
    if let Some(topic) = &message.properties.response_topic {
        seen.properties.response_topic = mount.view_topic(topic);
    }
    Some(Arc::new(seen))
}

/// Leaves out of the Reason Code what it need not say: MQTT 5.0 lets a Server choose there.
fn plain(packet: &mut Packet) {
    match packet {
        Packet::Pubrec(ack) if ack.reason_code == ReasonCode::NoMatchingSubscribers => ack.reason_code = ReasonCode::Success,
        Packet::Pubrel(ack) | Packet::Pubcomp(ack) if ack.reason_code == ReasonCode::PacketIdentifierNotFound => {
            ack.reason_code = ReasonCode::Success;
        }
        _ => {}
    }
}

fn strip_words(packet: &mut Packet) {
    let (reason_string, user_properties) = match packet {
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            (&mut ack.reason_string, &mut ack.user_properties)
        }
        Packet::Suback(suback) => (&mut suback.reason_string, &mut suback.user_properties),
        Packet::Unsuback(unsuback) => (&mut unsuback.reason_string, &mut unsuback.user_properties),
        Packet::Connack(connack) => (&mut connack.properties.reason_string, &mut connack.properties.user_properties),
        Packet::Disconnect(disconnect) => (&mut disconnect.reason_string, &mut disconnect.user_properties),
        Packet::Connect(_)
        | Packet::Publish(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::Pingreq
        | Packet::Pingresp
        | Packet::Auth(_) => return,
    };
    *reason_string = None;
    *user_properties = UserProperties::default();
}
