//! What comes from the broker, packet by packet.

use std::num::NonZeroU16;
use std::time::Instant;

use signet_client::ClientError;
use signet_mqtt::{Ack, Connack, Packet, PacketId, ProtocolVersion, Publish, QoS, TopicName};

use super::{Bounds, Ending, Event, MAXIMUM_PACKET_SIZE, Session, UNRELEASED, order};
use crate::output::Incoming;
use crate::trouble::Trouble;

impl Session<'_> {
    pub(super) fn handle(&mut self, packet: Packet) {
        self.clock.received(Instant::now());
        match packet {
            Packet::Connack(connack) => self.connack(*connack),
            // Nothing else before the broker has accepted us.
            other if !self.active && !matches!(other, Packet::Disconnect(_)) => self.over(ClientError::Unexpected { packet: other.name() }),
            Packet::Publish(publish) => self.incoming(publish),
            Packet::Pubrel(ack) => {
                self.trace.received(&Packet::Pubrel(ack.clone()));
                self.send(&Packet::Pubcomp(Ack::success(ack.packet_id)));
                if let Some(message) = self.unreleased.remove(&ack.packet_id) {
                    self.events.push_back(Event::Message(Box::new(message)));
                }
            }
            Packet::Pubrec(ack) => self.pubrec(ack),
            Packet::Puback(ack) => {
                self.trace.received(&Packet::Puback(ack.clone()));
                self.published(ack, QoS::AtLeastOnce);
            }
            Packet::Pubcomp(ack) => {
                self.trace.received(&Packet::Pubcomp(ack.clone()));
                self.published(ack, QoS::ExactlyOnce);
            }
            other => self.answer(other),
        }
    }

    fn answer(&mut self, packet: Packet) {
        self.trace.received(&packet);
        match packet {
            Packet::Suback(suback) => self.events.push_back(Event::Suback {
                mid: suback.packet_id.get(),
                codes: suback.reason_codes,
                reason_string: suback.reason_string.map(|text| text.to_string()),
            }),
            Packet::Unsuback(_) => {}
            Packet::Pingresp => self.clock.answered(),
            Packet::Disconnect(disconnect) => {
                let reason_string = disconnect.reason_string.as_ref().map(ToString::to_string);
                self.broken = None;
                self.over(ClientError::Disconnected { reason_code: disconnect.reason_code, reason_string });
            }
            other => self.over(ClientError::Unexpected { packet: other.name() }),
        }
    }

    fn connack(&mut self, connack: Connack) {
        let version = self.version();
        if self.active {
            self.trace.note("received duplicate CONNACK");
            return self.over(ClientError::Unexpected { packet: "CONNACK" });
        }
        if self.plan.connect.clean_start && connack.session_present {
            self.trace.note("received CONNACK with session present when clean start was set");
            return self.over(ClientError::Unexpected { packet: "CONNACK" });
        }
        let code = match version {
            ProtocolVersion::V5 => u8::from(connack.reason_code),
            _ => connack.reason_code.connect_return_code().unwrap_or_else(|| u8::from(connack.reason_code)),
        };
        let given = &connack.properties;
        if let Some(assigned) = &given.assigned_client_identifier {
            self.trace.named(assigned.as_str());
        }
        self.bounds = Bounds {
            maximum_qos: given.features.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain_available: given.features.retain_available.unwrap_or(true),
            maximum_packet_size: given.maximum_packet_size.map_or(MAXIMUM_PACKET_SIZE, std::num::NonZeroU32::get),
        };
        self.clock.set(given.server_keep_alive.unwrap_or(self.plan.connect.keep_alive));
        self.outgoing.connected(given.receive_maximum.map_or(self.plan.in_flight_maximum, NonZeroU16::get));
        self.trace.note(&format!("received CONNACK ({code})"));
        self.events.push_back(Event::Connack(code));
        self.active = code == 0;
        if code != 0 {
            let trouble = if version != ProtocolVersion::V5 && code <= 5 { Trouble::Refused } else { Trouble::Protocol };
            let reason_string = given.reason_string.as_ref().map(ToString::to_string);
            let error = ClientError::Refused { reason_code: connack.reason_code, reason_string, version };
            self.ending = Some(Ending { trouble, error, before_connect: false });
        }
    }

    /// Acknowledges as the QoS asks.
    fn incoming(&mut self, mut publish: Publish) {
        let order = self.wire.as_ref().map(|wire| order::of_publish(wire.last_received(), self.version())).unwrap_or_default();
        let Some(topic) = self.topic_of(&publish) else { return self.over(ClientError::Unexpected { packet: "PUBLISH without a topic" }) };
        publish.topic = Some(topic.clone());
        let shown = Packet::Publish(publish);
        self.trace.received(&shown);
        let Packet::Publish(Publish { qos, retain, packet_id, properties, payload, .. }) = shown else { return };
        let number = packet_id.map_or(0, PacketId::get);
        let message = Incoming { topic, payload, qos, retain, packet_id: number, properties: properties.into_inner(), order };
        match (qos, packet_id) {
            (QoS::ExactlyOnce, Some(id)) => {
                self.send(&Packet::Pubrec(Ack::success(id)));
                if self.unreleased.len() >= UNRELEASED && !self.unreleased.contains_key(&id) {
                    return self.over(ClientError::Unexpected { packet: "PUBLISH beyond what was released" });
                }
                self.unreleased.insert(id, message);
            }
            (QoS::AtLeastOnce, Some(id)) => {
                self.send(&Packet::Puback(Ack::success(id)));
                self.events.push_back(Event::Message(Box::new(message)));
            }
            _ => self.events.push_back(Event::Message(Box::new(message))),
        }
    }

    /// Its own, or the one that its alias stands for. None: neither, or an alias that we did not offer.
    fn topic_of(&mut self, publish: &Publish) -> Option<TopicName> {
        let Some(alias) = publish.properties.topic_alias else { return publish.topic.clone() };
        if alias.get() > self.plan.connect.properties.topic_alias_maximum.unwrap_or(0) {
            return None;
        }
        match &publish.topic {
            Some(topic) => {
                self.aliases.insert(alias, topic.clone());
                Some(topic.clone())
            }
            None => self.aliases.get(&alias).cloned(),
        }
    }

    fn pubrec(&mut self, ack: Ack) {
        self.trace.received(&Packet::Pubrec(ack.clone()));
        if ack.reason_code.is_error() {
            return self.published(ack, QoS::ExactlyOnce);
        }
        self.outgoing.received(ack.packet_id);
        self.send(&Packet::Pubrel(Ack::success(ack.packet_id)));
    }

    fn published(&mut self, ack: Ack, qos: QoS) {
        if self.outgoing.end(ack.packet_id, qos) {
            let reason_string = ack.reason_string.map(|text| text.to_string());
            self.events.push_back(Event::Published { mid: ack.packet_id.get(), reason: ack.reason_code, reason_string });
        }
        self.release();
    }
}
