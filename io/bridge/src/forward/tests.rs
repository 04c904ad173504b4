//! What becomes of packets, seen from both brokers.

use bytes::Bytes;
use bytestring::ByteString;
use signet_mqtt::{Connack, Disconnect, SubscriptionIdentifier, TopicName};

use super::*;
use crate::topics::{Direction, TopicRule};

struct Rig {
    forwarder: Forwarder,
    is_flooded: bool,
}

fn rule(filter: &str, direction: Direction, local_prefix: &str, remote_prefix: &str) -> TopicRule {
    let (local_prefix, remote_prefix) = (local_prefix.to_owned(), remote_prefix.to_owned());
    TopicRule { filter: filter.to_owned(), direction, qos: QoS::ExactlyOnce, local_prefix, remote_prefix }
}

impl Rig {
    /// Everything in both directions, under `far/` over there.
    fn new() -> Self {
        Self::with(ProtocolVersion::V5, &Connack::default(), false)
    }

    fn with(version: ProtocolVersion, remote: &Connack, echoes: bool) -> Self {
        let topics = Arc::new(Topics::new(&[rule("#", Direction::Both, "near/", "far/")]).unwrap());
        let legs = (Leg::new(ProtocolVersion::V5, &Connack::default()), Leg::new(version, remote));
        let hops = Hops::new(ByteString::from_static("here"), 4);
        let forwarder = Forwarder::new(topics, Arc::new(Board::new("b", 0)), hops, echoes, legs.0, legs.1);
        Self { forwarder, is_flooded: false }
    }

    fn packet(&mut self, from: End, packet: Packet) -> Result<Vec<(End, Packet)>, Fault> {
        let circumstances = Circumstances { now: Instant::now(), is_flooded: self.is_flooded };
        self.forwarder.packet(from, packet, circumstances)?;
        Ok(std::mem::take(&mut self.forwarder.sends))
    }

    /// Exactly one packet goes out.
    fn one(&mut self, from: End, packet: Packet) -> (End, Packet) {
        let mut sends = self.packet(from, packet).unwrap();
        assert_eq!(sends.len(), 1, "{sends:?}");
        sends.remove(0)
    }

    fn publish(&mut self, from: End, topic: &str, qos: QoS, id: u16) -> (End, Packet) {
        self.one(from, Packet::Publish(publish(topic, qos, id)))
    }

    fn dropped(&self) -> crate::Dropped {
        self.forwarder.board.counters.dropped()
    }
}

fn publish(topic: &str, qos: QoS, id: u16) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: true,
        topic: Some(TopicName::new(topic.to_owned()).unwrap()),
        packet_id: PacketId::new(id),
        properties: Default::default(),
        payload: Bytes::from_static(b"payload"),
    }
}

fn ack(id: u16) -> Ack {
    Ack::success(PacketId::new(id).unwrap())
}

fn refusal(id: u16, code: ReasonCode) -> Ack {
    Ack::new(PacketId::new(id).unwrap(), code)
}

#[track_caller]
fn sent((end, packet): (End, Packet), expected: End) -> Publish {
    assert_eq!(end, expected);
    match packet {
        Packet::Publish(publish) => publish,
        other => panic!("expected PUBLISH, got {other:?}"),
    }
}

#[test]
fn a_message_keeps_its_identifier_and_nobody_is_told_before_the_receiver_has_said_so() {
    for (from, topic, renamed) in [(End::Local, "near/a", "far/a"), (End::Remote, "far/a", "near/a")] {
        let mut rig = Rig::new();
        let to = from.other();
        let carried = sent(rig.publish(from, topic, QoS::AtLeastOnce, 7), to);
        assert_eq!((carried.topic.unwrap().as_str(), carried.packet_id.unwrap().get(), carried.retain), (renamed, 7, true));
        assert_eq!(rig.one(to, Packet::Puback(ack(7))), (from, Packet::Puback(ack(7))));

        sent(rig.publish(from, topic, QoS::ExactlyOnce, 8), to);
        assert_eq!(rig.one(to, Packet::Pubrec(ack(8))), (from, Packet::Pubrec(ack(8))));
        assert_eq!(rig.one(from, Packet::Pubrel(ack(8))), (to, Packet::Pubrel(ack(8))));
        assert_eq!(rig.one(to, Packet::Pubcomp(ack(8))), (from, Packet::Pubcomp(ack(8))));

        assert_eq!(sent(rig.publish(from, topic, QoS::AtMostOnce, 0), to).packet_id, None);
    }
}

#[test]
fn what_is_between_a_server_and_its_subscriber_is_not_passed_on() {
    let mut rig = Rig::new();
    let mut message = publish("near/a", QoS::AtLeastOnce, 1);
    message.properties.subscription_identifiers = vec![SubscriptionIdentifier::new(5).unwrap()];
    message.properties.message_expiry_interval = Some(60);
    message.properties.user_properties.0.push(("k".into(), "v".into()));
    let carried = sent(rig.one(End::Local, Packet::Publish(message)), End::Remote);
    assert!(carried.properties.subscription_identifiers.is_empty());
    assert_eq!(carried.properties.message_expiry_interval, Some(60));
    let properties: Vec<_> = carried.properties.user_properties.iter().collect();
    assert_eq!(properties, [("k", "v"), ("signet-hop", "here")]);
}

#[test]
fn what_no_topic_covers_is_acknowledged_here_to_its_end() {
    let mut rig = Rig::new();
    assert_eq!(rig.publish(End::Local, "other", QoS::AtLeastOnce, 1), (End::Local, Packet::Puback(ack(1))));
    assert_eq!(rig.publish(End::Local, "other", QoS::ExactlyOnce, 2), (End::Local, Packet::Pubrec(ack(2))));
    assert_eq!(rig.one(End::Local, Packet::Pubrel(ack(2))), (End::Local, Packet::Pubcomp(ack(2))));
    assert_eq!(rig.dropped().unmapped, 2);
    // The same identifier again is another message.
    sent(rig.publish(End::Local, "near/a", QoS::ExactlyOnce, 2), End::Remote);
    assert_eq!(rig.one(End::Local, Packet::Pubrel(ack(2))).0, End::Remote);
}

#[test]
fn what_has_been_here_before_is_not_carried_over_again() {
    let mut rig = Rig::new();
    let mut message = publish("far/a", QoS::AtLeastOnce, 1);
    message.properties.user_properties.0.push(("signet-hop".into(), "here".into()));
    assert_eq!(rig.one(End::Remote, Packet::Publish(message)), (End::Remote, Packet::Puback(ack(1))));
    assert_eq!(rig.dropped().loops, 1);
}

#[test]
fn a_receiver_with_a_lower_maximum_qos_gets_that_and_the_sender_its_own_exchange() {
    let mut connack = Connack::default();
    connack.properties.features.maximum_qos = Some(QoS::AtLeastOnce);
    let mut rig = Rig::with(ProtocolVersion::V5, &connack, false);
    assert_eq!(sent(rig.publish(End::Local, "near/a", QoS::ExactlyOnce, 3), End::Remote).qos, QoS::AtLeastOnce);
    assert_eq!(rig.one(End::Remote, Packet::Puback(ack(3))), (End::Local, Packet::Pubrec(ack(3))));
    assert_eq!(rig.one(End::Local, Packet::Pubrel(ack(3))), (End::Local, Packet::Pubcomp(ack(3))));

    connack.properties.features.maximum_qos = Some(QoS::AtMostOnce);
    let mut rig = Rig::with(ProtocolVersion::V5, &connack, false);
    let sends = rig.packet(End::Local, Packet::Publish(publish("near/a", QoS::AtLeastOnce, 3))).unwrap();
    assert_eq!(sends.len(), 2);
    assert_eq!(sends[1], (End::Local, Packet::Puback(ack(3))));
    assert_eq!(sent(sends[0].clone(), End::Remote).packet_id, None);
}

#[test]
fn a_message_that_is_too_large_is_acknowledged_and_counted() {
    let mut connack = Connack::default();
    connack.properties.maximum_packet_size = std::num::NonZeroU32::new(20);
    connack.properties.features.retain_available = Some(false);
    let mut rig = Rig::with(ProtocolVersion::V311, &connack, false);
    assert!(!sent(rig.publish(End::Local, "near/a", QoS::AtLeastOnce, 1), End::Remote).retain, "it keeps none");
    assert_eq!(rig.publish(End::Local, "near/abcd", QoS::AtLeastOnce, 2), (End::Local, Packet::Puback(ack(2))));
    assert_eq!(rig.dropped().too_large, 1);
}

#[test]
fn no_more_is_under_way_than_the_receiver_takes_and_the_rest_keeps_its_order() {
    let mut connack = Connack::default();
    connack.properties.receive_maximum = std::num::NonZeroU16::new(2);
    let mut rig = Rig::with(ProtocolVersion::V5, &connack, false);
    for id in [1, 2] {
        sent(rig.publish(End::Local, "near/a", QoS::ExactlyOnce, id), End::Remote);
    }
    for id in [3, 4] {
        assert!(rig.packet(End::Local, Packet::Publish(publish("near/a", QoS::AtLeastOnce, id))).unwrap().is_empty());
    }
    sent(rig.publish(End::Local, "near/a", QoS::AtMostOnce, 0), End::Remote);
    assert_eq!(rig.one(End::Remote, Packet::Pubrec(ack(1))).0, End::Local);
    assert_eq!(rig.one(End::Local, Packet::Pubrel(ack(1))).0, End::Remote);
    let sends = rig.packet(End::Remote, Packet::Pubcomp(ack(1))).unwrap();
    assert_eq!(sends[0], (End::Local, Packet::Pubcomp(ack(1))));
    assert_eq!(sent(sends[1].clone(), End::Remote).packet_id, PacketId::new(3));
    let sends = rig.packet(End::Remote, Packet::Puback(ack(3))).unwrap();
    assert_eq!(sent(sends[1].clone(), End::Remote).packet_id, PacketId::new(4));
}

#[test]
fn a_refusal_for_good_is_passed_on_and_one_that_may_pass_ends_the_connection() {
    let mut rig = Rig::new();
    sent(rig.publish(End::Local, "near/a", QoS::AtLeastOnce, 1), End::Remote);
    let refused = refusal(1, ReasonCode::NotAuthorized);
    assert_eq!(rig.one(End::Remote, Packet::Puback(refused.clone())), (End::Local, Packet::Puback(refused)));
    assert_eq!(rig.dropped().refused, 1);

    sent(rig.publish(End::Remote, "far/a", QoS::ExactlyOnce, 1), End::Local);
    let fault = rig.packet(End::Local, Packet::Pubrec(refusal(1, ReasonCode::QuotaExceeded))).unwrap_err();
    assert!(matches!(fault, Fault::Busy { end: End::Local, .. }), "{fault}");
    assert!(rig.forwarder.sends.is_empty(), "the other broker keeps the message");
}

#[test]
fn a_refused_exchange_ends_for_a_sender_that_cannot_hear_of_it() {
    let mut rig = Rig::with(ProtocolVersion::V311, &Connack::default(), false);
    sent(rig.publish(End::Remote, "far/a", QoS::ExactlyOnce, 1), End::Local);
    assert_eq!(rig.one(End::Local, Packet::Pubrec(refusal(1, ReasonCode::NotAuthorized))).0, End::Remote);
    assert_eq!(rig.one(End::Remote, Packet::Pubrel(ack(1))), (End::Remote, Packet::Pubcomp(ack(1))));
}

#[test]
fn what_a_server_sends_back_is_dropped_once() {
    let mut rig = Rig::with(ProtocolVersion::V311, &Connack::default(), true);
    sent(rig.publish(End::Local, "near/a", QoS::AtLeastOnce, 1), End::Remote);
    assert_eq!(rig.publish(End::Remote, "far/a", QoS::AtLeastOnce, 1), (End::Remote, Packet::Puback(ack(1))), "our own");
    sent(rig.publish(End::Remote, "far/a", QoS::AtLeastOnce, 2), End::Local);
}

#[test]
fn a_flood_costs_messages_without_acknowledgement_only() {
    let mut rig = Rig::new();
    rig.is_flooded = true;
    assert!(rig.packet(End::Local, Packet::Publish(publish("near/a", QoS::AtMostOnce, 0))).unwrap().is_empty());
    sent(rig.publish(End::Local, "near/a", QoS::AtLeastOnce, 1), End::Remote);
    assert_eq!(rig.dropped().slow, 1);
}

#[test]
fn a_disconnect_and_what_has_no_place_here_end_the_connection() {
    let mut rig = Rig::new();
    let disconnect = Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::ServerShuttingDown)));
    assert!(matches!(rig.packet(End::Remote, disconnect), Err(Fault::Disconnected { end: End::Remote, .. })));
    assert!(matches!(rig.packet(End::Remote, Packet::Pingreq), Err(Fault::Unexpected { .. })));
    let mut aliased = publish("far/a", QoS::AtMostOnce, 0);
    aliased.topic = None;
    assert!(matches!(rig.packet(End::Remote, Packet::Publish(aliased)), Err(Fault::Unexpected { .. })));
}
