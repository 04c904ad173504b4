//! What a peer can make grow stops at its limit, with the answer the specification has for it.

use signet_mqtt::{Packet, Publish, QoS, ReasonCode};
use signet_policy::Ruleset;

use super::rig::*;
use crate::{CloseCause, ConnectRules, Limits, TotalLimits};

fn rig(limits: Limits) -> Rig {
    Rig::with(1, limits, Ruleset::allow_all())
}

#[test]
fn sessions() {
    let mut rig = rig(Limits { total: TotalLimits { sessions_maximum: 2, ..TotalLimits::default() }, ..Limits::default() });
    let a = rig.connect(v5("a"));
    rig.connect(v5("b"));
    let c = rig.dial(v5("c")).unwrap();
    assert!(matches!(rig.next(c), Some(Packet::Connack(connack)) if connack.reason_code == ReasonCode::QuotaExceeded));
    assert!(matches!(rig.closed(c), Some(CloseCause::QuotaExceeded(_))));
    rig.connect(v5("b"));
    rig.lose(a);
    rig.connect(v5("c"));
}

#[test]
fn subscriptions_of_a_session() {
    let mut rig = rig(Limits { subscriptions_maximum: 2, topic_levels_maximum: 3, ..Limits::default() });
    let a = rig.connect(v5("a"));
    assert_eq!(rig.subscribe(a, "1/2/3/4", QOS0), ReasonCode::TopicFilterInvalid);
    assert_eq!(rig.subscribe(a, "1", QOS0), ReasonCode::Success);
    assert_eq!(rig.subscribe(a, "2", QOS0), ReasonCode::Success);
    assert_eq!(rig.subscribe(a, "3", QOS0), ReasonCode::QuotaExceeded);
    assert_eq!(rig.subscribe(a, "2", QOS1), ReasonCode::GrantedQoS1, "replacing needs no room");
    rig.unsubscribe(a, "1");
    assert_eq!(rig.subscribe(a, "3", QOS0), ReasonCode::Success);
}

#[test]
fn the_queue_of_a_session_refuses_the_newest() {
    for limits in [Limits { queued_messages_maximum: 2, ..Limits::default() }, Limits { queued_bytes_maximum: 5, ..Limits::default() }] {
        let mut rig = rig(limits);
        let publisher = rig.connect(v5("publisher"));
        let a = rig.connect(v5("a").expiry(100));
        rig.subscribe(a, "t", QOS1);
        rig.lose(a);
        for payload in ["1", "2", "3"] {
            assert_eq!(rig.publish1(publisher, "t", payload), ReasonCode::Success);
        }
        let a = rig.connect(v5("a").expiry(100).resume());
        assert_eq!(rig.payloads(a), ["1", "2"]);
        assert_eq!(rig.stats().dropped_queue_full, 1);
    }
}

#[test]
fn expired_messages_make_room_in_a_full_queue() {
    let mut rig = rig(Limits { queued_messages_maximum: 1, ..Limits::default() });
    let publisher = rig.connect(v5("publisher"));
    let a = rig.connect(v5("a").expiry(100));
    rig.subscribe(a, "t", QOS1);
    rig.lose(a);
    let mut packet = publish("t", "old", QOS1, Some(1));
    packet.properties.message_expiry_interval = Some(1);
    rig.publish_acknowledged(publisher, packet);
    rig.pass(1_000);
    rig.publish1(publisher, "t", "new");
    let a = rig.connect(v5("a").resume());
    assert_eq!(rig.payloads(a), ["new"]);
}

/// The queue knows when to look for expired messages, also after it has looked before.
#[test]
fn expired_messages_make_room_again_and_again() {
    let mut rig = rig(Limits { queued_messages_maximum: 2, ..Limits::default() });
    let publisher = rig.connect(v5("publisher"));
    let a = rig.connect(v5("a").expiry(1000));
    rig.subscribe(a, "t", QOS1);
    rig.lose(a);
    let send = |rig: &mut Rig, payload: &str, expiry| {
        let mut packet = publish("t", payload, QOS1, Some(1));
        packet.properties.message_expiry_interval = expiry;
        rig.publish_acknowledged(publisher, packet);
    };
    send(&mut rig, "long", Some(30));
    send(&mut rig, "short", Some(10));
    send(&mut rig, "too many", None);
    rig.pass(15_000);
    send(&mut rig, "second", None);
    send(&mut rig, "too many", None);
    rig.pass(16_000);
    send(&mut rig, "third", None);
    let a = rig.connect(v5("a").expiry(1000).resume());
    assert_eq!(rig.payloads(a), ["second", "third"]);
    assert_eq!((rig.stats().dropped_queue_full, rig.stats().dropped_expired), (2, 2));
}

#[test]
fn retained_messages() {
    for total in [
        TotalLimits { retained_messages_maximum: 1, ..TotalLimits::default() },
        TotalLimits { retained_bytes_maximum: 3, ..TotalLimits::default() },
    ] {
        let mut rig = rig(Limits { total, ..Limits::default() });
        let a = rig.connect(v5("a"));
        rig.subscribe(a, "#", QOS0);
        let keep = |topic: &str, payload: &str| Publish { retain: true, ..publish(topic, payload, QOS1, Some(1)) };
        assert_eq!(rig.publish_acknowledged(a, keep("x", "1")), ReasonCode::Success);
        assert_eq!(rig.publish_acknowledged(a, keep("y", "2")), ReasonCode::QuotaExceeded);
        assert_eq!(rig.publish_acknowledged(a, keep("x", "3")), ReasonCode::Success, "replacing needs no room");
        assert_eq!(rig.publish_acknowledged(a, keep("x", "")), ReasonCode::Success);
        assert_eq!(rig.publish_acknowledged(a, keep("y", "4")), ReasonCode::Success);
        assert_eq!(rig.payloads(a), ["1", "3", "", "4"], "what was refused went nowhere");
    }
}

/// One SUBSCRIBE with the same filter again and again must not collect the retained messages as many times over.
#[test]
fn retained_messages_collected_by_one_subscribe() {
    let mut rig = rig(Limits { total: TotalLimits { retained_messages_maximum: 2, ..TotalLimits::default() }, ..Limits::default() });
    let a = rig.connect(v5("a"));
    for topic in ["1", "2"] {
        rig.send(a, retained(topic, "m"));
    }
    let mut packet = subscribe("#", signet_mqtt::SubscriptionOptions::default(), None);
    packet.subscriptions = vec![packet.subscriptions[0].clone(); 1000];
    rig.send(a, Packet::Subscribe(packet));
    assert!(matches!(rig.next(a), Some(Packet::Suback(suback)) if suback.reason_codes.len() == 1000));
    assert_eq!(rig.payloads(a).len(), 2);
    assert_eq!(rig.stats().dropped_queue_full, 0, "nothing above the limit was collected to be thrown away");
}

#[test]
fn mqtt_3_2_2_11_quality_of_service() {
    let mut rig = rig(Limits { maximum_qos: QoS::AtLeastOnce, ..Limits::default() });
    let (a, connack) = rig.connected(v5("a"));
    assert_eq!(connack.properties.features.maximum_qos, Some(QOS1), "[MQTT-3.2.2-9]");
    assert_eq!(rig.subscribe(a, "t", QOS2), ReasonCode::GrantedQoS1, "[MQTT-3.2.2-10]");
    rig.send(a, Packet::Publish(publish("t", "m", QOS2, Some(1))));
    assert!(matches!(rig.next(a), Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == ReasonCode::QosNotSupported));
}

#[test]
fn mqtt_3_2_2_12_quality_of_service_of_a_will() {
    let mut rig = rig(Limits { maximum_qos: QoS::AtMostOnce, ..Limits::default() });
    assert_eq!(rig.dial(v5("a").will("w", "m", 0)).unwrap_err().denied.reason_code, ReasonCode::QosNotSupported);
}

/// [MQTT-3.2.2-6] of MQTT 3.1.1: without a return code that fits, the connection closes without a CONNACK.
#[test]
fn a_refusal_that_mqtt_3_1_1_has_no_code_for_is_not_told() {
    let mut rig = rig(Limits { maximum_qos: QOS0, ..Limits::default() });
    assert!(rig.dial(v311("a").will("w", "m", 0)).unwrap_err().connack.is_none());
    assert!(rig.dial(v5("a").will("w", "m", 0)).unwrap_err().connack.is_some());
}

#[test]
fn levels_of_a_topic() {
    let mut rig = rig(Limits { topic_levels_maximum: 3, ..Limits::default() });
    let a = rig.connect(v5("a"));
    rig.publish0(a, "1/2/3", "m");
    assert_eq!(rig.closed(a), None);
    rig.publish0(a, "1/2/3/4", "m");
    assert!(matches!(rig.closed(a), Some(CloseCause::TopicNameInvalid(_))));
    assert_eq!(rig.dial(v5("b").will("1/2/3/4", "m", 0)).unwrap_err().denied.reason_code, ReasonCode::TopicNameInvalid);
}

#[test]
fn length_of_a_client_identifier() {
    let mut rig =
        rig(Limits { connect: ConnectRules { client_identifier_bytes_maximum: 8, ..ConnectRules::default() }, ..Limits::default() });
    rig.connect(v5("12345678"));
    assert_eq!(rig.dial(v5("123456789")).unwrap_err().denied.reason_code, ReasonCode::ClientIdentifierNotValid);
}

#[test]
fn mqtt_3_1_2_24_an_answer_that_the_client_cannot_take_is_not_sent() {
    let mut rig = rig(Limits::default());
    let a = rig.dial(v5("a").properties(|properties| properties.maximum_packet_size = std::num::NonZeroU32::new(6))).unwrap();
    assert_eq!(rig.next(a), None);
    assert_eq!(rig.closed(a), Some(&CloseCause::PacketTooLarge));
}

#[test]
fn mqtt_3_1_2_29_reasons_in_words_only_for_those_who_ask() {
    for (asked, expected) in [(None, true), (Some(true), true), (Some(false), false)] {
        let mut rig = Rig::with(1, Limits::default(), Ruleset::compile(Vec::new()));
        let a = rig.connect(v5("a").properties(|properties| properties.request_problem_information = asked));
        rig.send(a, Packet::Publish(publish("t", "m", QOS1, Some(1))));
        match rig.next(a) {
            Some(Packet::Puback(ack)) => assert_eq!((ack.reason_code, ack.reason_string.is_some()), (ReasonCode::NotAuthorized, expected)),
            other => panic!("no PUBACK: {other:?}"),
        }
    }
}

/// Somebody's message for so many sessions that it fits under no circumstances must not keep everybody else waiting.
#[test]
fn who_is_held_back_does_not_wait_for_room_that_there_never_is() {
    let total = TotalLimits { queued_messages_maximum: 8, ..TotalLimits::default() };
    let mut rig = rig(Limits { total, ..Limits::default() });
    let crowd: Vec<String> = (0..10).map(|number| format!("crowd-{number}")).collect();
    for name in &crowd {
        let id = rig.connect(v5(name));
        rig.subscribe(id, "crowd", QOS1);
    }
    let keeper = rig.connect(v5("keeper").expiry(1000));
    rig.subscribe(keeper, "t", QOS1);
    rig.lose(keeper);
    let publisher = rig.connect(v5("publisher"));
    for _ in 0..8 {
        assert_eq!(rig.publish1(publisher, "t", "m"), ReasonCode::Success);
    }
    let (greedy, old) = (rig.connect(v311("greedy")), rig.connect(v311("old")));
    rig.send(greedy, Packet::Publish(publish("crowd", "m", QOS1, Some(1))));
    rig.send(old, Packet::Publish(publish("t", "m", QOS1, Some(1))));
    let keeper = rig.connect(v5("keeper").expiry(1000).resume());
    for _ in 0..8 {
        let packet_id = rig.take(keeper).packet_id;
        rig.puback(keeper, packet_id);
    }
    rig.pass(2_000);
    assert!(matches!(rig.closed(old), Some(CloseCause::QuotaExceeded(_))));
}
