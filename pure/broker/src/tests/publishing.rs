//! PUBLISH in both directions: QoS, duplicates, redelivery, windows, aliases, sizes, expiry.

use std::num::{NonZeroU16, NonZeroU32};

use signet_mqtt::{Ack, Packet, Publish, ReasonCode};
use signet_policy::{Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{CloseCause, Input, Limits};

fn pair(rig: &mut Rig, qos: signet_mqtt::QoS) -> (crate::ConnectionId, crate::ConnectionId) {
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber").expiry(1000));
    rig.subscribe(subscriber, "t/#", qos);
    (publisher, subscriber)
}

#[test]
fn the_two_clients_of_these_tests_live_on_different_shards() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS0);
    assert_ne!(rig.shard_of(publisher), rig.shard_of(subscriber), "otherwise no handover is tested");
}

#[test]
fn mqtt_3_8_4_8_the_lower_qos_counts() {
    for (published, granted, expected) in
        [(QOS0, QOS2, QOS0), (QOS1, QOS2, QOS1), (QOS2, QOS1, QOS1), (QOS2, QOS0, QOS0), (QOS2, QOS2, QOS2)]
    {
        let mut rig = Rig::new();
        let (publisher, subscriber) = pair(&mut rig, granted);
        rig.send(publisher, Packet::Publish(publish("t/x", "m", published, (published > QOS0).then_some(5))));
        let received = rig.take(subscriber);
        assert_eq!((received.qos, text(&received).as_str(), received.dup), (expected, "m", false));
    }
}

#[test]
fn mqtt_4_3_2_4_a_qos_1_message_is_acknowledged() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS1);
    assert_eq!(rig.publish1(publisher, "t/x", "m"), ReasonCode::Success);
    let received = rig.take(subscriber);
    rig.puback(subscriber, received.packet_id);
    rig.lose(subscriber);
    let subscriber = rig.connect(v5("subscriber").resume().expiry(1000));
    assert_eq!(rig.payloads(subscriber), Vec::<String>::new(), "acknowledged is not sent again");
}

#[test]
fn a_message_that_nobody_wants_is_said_to_be_one() {
    let mut rig = Rig::new();
    let (publisher, _) = pair(&mut rig, QOS1);
    assert_eq!(rig.publish1(publisher, "elsewhere", "m"), ReasonCode::NoMatchingSubscribers);
    assert_eq!(rig.stats().messages_unmatched, 1);
}

#[test]
fn mqtt_4_3_3_10_a_repeated_qos_2_message_is_delivered_once() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS2);
    let message = publish("t/x", "m", QOS2, Some(5));
    rig.send(publisher, Packet::Publish(message.clone()));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubrec(ack)) if ack.reason_code == ReasonCode::Success));
    rig.send(publisher, Packet::Publish(Publish { dup: true, ..message.clone() }));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubrec(_))));
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(5))));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubcomp(ack)) if ack.reason_code == ReasonCode::Success));
    assert_eq!(rig.payloads(subscriber), ["m"]);
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(5))));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubcomp(ack)) if ack.reason_code == ReasonCode::PacketIdentifierNotFound));
    rig.send(publisher, Packet::Publish(message));
    assert_eq!(rig.payloads(subscriber), ["m"], "after PUBREL the identifier means a new message");
}

#[test]
fn a_qos_2_message_repeated_over_a_new_connection_is_delivered_once() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher").expiry(100));
    let subscriber = rig.connect(v5("subscriber"));
    rig.subscribe(subscriber, "t", QOS2);
    rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(5))));
    rig.lose(publisher);
    let publisher = rig.connect(v5("publisher").expiry(100).resume());
    rig.send(publisher, Packet::Publish(Publish { dup: true, ..publish("t", "m", QOS2, Some(5)) }));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubrec(_))));
    assert_eq!(rig.payloads(subscriber), ["m"]);
}

#[test]
fn mqtt_4_3_3_4_the_sender_side_of_qos_2() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS2);
    rig.send(publisher, Packet::Publish(publish("t/x", "m", QOS2, Some(5))));
    let packet_id = rig.take(subscriber).packet_id.unwrap();
    rig.send(subscriber, Packet::Pubrec(Ack::success(packet_id)));
    assert_eq!(rig.next(subscriber), Some(Packet::Pubrel(Ack::success(packet_id))));
    // From here on a lost connection repeats PUBREL, never the message.
    rig.lose(subscriber);
    let subscriber = rig.connect(v5("subscriber").resume().expiry(1000));
    assert_eq!(rig.drain(subscriber), [Packet::Pubrel(Ack::success(packet_id))]);
    rig.send(subscriber, Packet::Pubcomp(Ack::success(packet_id)));
    rig.lose(subscriber);
    let subscriber = rig.connect(v5("subscriber").resume());
    assert_eq!(rig.drain(subscriber), []);
}

#[test]
fn a_pubrec_that_refuses_ends_the_exchange() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS2);
    rig.send(publisher, Packet::Publish(publish("t/x", "m", QOS2, Some(5))));
    let packet_id = rig.take(subscriber).packet_id.unwrap();
    rig.send(subscriber, Packet::Pubrec(Ack::new(packet_id, ReasonCode::QuotaExceeded)));
    assert_eq!(rig.drain(subscriber), []);
    rig.send(subscriber, Packet::Pubrec(Ack::success(packet_id)));
    assert_eq!(rig.next(subscriber), Some(Packet::Pubrel(Ack::new(packet_id, ReasonCode::PacketIdentifierNotFound))));
}

#[test]
fn acknowledgements_of_the_wrong_kind_end_the_connection() {
    let wrong_kinds: [fn(Ack) -> Packet; 2] = [Packet::Puback, Packet::Pubcomp];
    for wrong in wrong_kinds {
        let mut rig = Rig::new();
        let (publisher, subscriber) = pair(&mut rig, QOS2);
        rig.send(publisher, Packet::Publish(publish("t/x", "m", QOS2, Some(5))));
        let packet_id = rig.take(subscriber).packet_id.unwrap();
        rig.send(subscriber, wrong(Ack::success(packet_id)));
        assert!(matches!(rig.closed(subscriber), Some(CloseCause::ProtocolError(_))));
    }
}

#[test]
fn mqtt_4_4_0_1_what_is_unacknowledged_is_sent_again_with_dup_in_the_first_order() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS1);
    for payload in ["1", "2", "3"] {
        rig.publish1(publisher, "t/x", payload);
    }
    let first: Vec<Publish> = (0..3).map(|_| rig.take(subscriber)).collect();
    rig.puback(subscriber, first[1].packet_id);
    rig.lose(subscriber);
    rig.publish1(publisher, "t/x", "4");
    let subscriber = rig.connect(v5("subscriber").resume().expiry(1000));
    let again: Vec<Publish> = (0..3).map(|_| rig.take(subscriber)).collect();
    let seen: Vec<_> = again.iter().map(|publish| (text(publish), publish.dup, publish.packet_id)).collect();
    assert_eq!(seen[0], ("1".to_owned(), true, first[0].packet_id), "[MQTT-3.3.1-1]");
    assert_eq!(seen[1], ("3".to_owned(), true, first[2].packet_id));
    assert_eq!((&*seen[2].0, seen[2].1), ("4", false));
}

#[test]
fn mqtt_3_3_4_9_no_more_is_under_way_than_the_client_receives() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let two = |dial: Dial| dial.expiry(1000).properties(|properties| properties.receive_maximum = NonZeroU16::new(2));
    let subscriber = rig.connect(two(v5("subscriber")));
    rig.subscribe(subscriber, "t", QOS2);
    for payload in ["1", "2", "3", "4", "5"] {
        rig.publish1(publisher, "t", payload);
    }
    let (one, _two) = (rig.take(subscriber), rig.take(subscriber));
    assert_eq!(rig.next(subscriber), None);
    rig.puback(subscriber, one.packet_id);
    assert_eq!(rig.payloads(subscriber), ["3"]);
    rig.lose(subscriber);
    // The window of the new connection is smaller than what is open.
    let subscriber =
        rig.connect(v5("subscriber").resume().expiry(1000).properties(|properties| properties.receive_maximum = NonZeroU16::new(1)));
    let mut seen = Vec::new();
    while let Some(Packet::Publish(publish)) = rig.next(subscriber) {
        assert_eq!(rig.next(subscriber), None, "one at a time");
        seen.push(text(&publish));
        rig.puback(subscriber, publish.packet_id);
    }
    assert_eq!(seen, ["2", "3", "4", "5"]);
}

#[test]
fn a_qos_2_exchange_holds_its_place_until_pubcomp() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber").properties(|properties| properties.receive_maximum = NonZeroU16::new(1)));
    rig.subscribe(subscriber, "t", QOS2);
    for (packet_id, payload) in [(1, "1"), (2, "2")] {
        rig.send(publisher, Packet::Publish(publish("t", payload, QOS2, Some(packet_id))));
    }
    let packet_id = rig.take(subscriber).packet_id.unwrap();
    rig.send(subscriber, Packet::Pubrec(Ack::success(packet_id)));
    assert_eq!(rig.drain(subscriber), [Packet::Pubrel(Ack::success(packet_id))]);
    rig.send(subscriber, Packet::Pubcomp(Ack::success(packet_id)));
    assert_eq!(rig.payloads(subscriber), ["2"]);
}

#[test]
fn mqtt_3_3_4_7_more_qos_2_messages_than_receive_maximum_end_the_connection() {
    let mut rig = Rig::with(1, Limits { receive_maximum: 2, ..Limits::default() }, Ruleset::allow_all());
    let (publisher, connack) = rig.connected(v5("publisher"));
    assert_eq!(connack.properties.receive_maximum, NonZeroU16::new(2));
    for packet_id in [1, 2, 3] {
        rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(packet_id))));
    }
    assert_eq!(rig.closed(publisher), Some(&CloseCause::ReceiveMaximumExceeded));
    let last = rig.drain(publisher).pop();
    assert!(matches!(last, Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == ReasonCode::ReceiveMaximumExceeded));
}

#[test]
fn a_denied_publish_reaches_nobody_and_is_told() {
    let rule = Rule {
        name: "access rule 1".to_owned(),
        who: Who::Everyone,
        publish: vec![TopicPattern::parse("open/#").unwrap()],
        subscribe: vec![TopicPattern::parse("#").unwrap()],
        ..Rule::default()
    };
    let read_only = Rule { publish: Vec::new(), ..rule.clone() };
    let mut rig = Rig::with(3, Limits::default(), Ruleset::compile(vec![rule]));
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber"));
    rig.subscribe(subscriber, "#", QOS2);
    assert_eq!(rig.publish1(publisher, "closed/x", "1"), ReasonCode::NotAuthorized);
    rig.publish0(publisher, "closed/x", "2");
    rig.send(publisher, Packet::Publish(publish("closed/x", "3", QOS2, Some(8))));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubrec(ack)) if ack.reason_code == ReasonCode::NotAuthorized));
    assert_eq!(rig.publish1(publisher, "open/x", "4"), ReasonCode::Success);
    assert_eq!(rig.publish1(publisher, "open/x", "5"), ReasonCode::Success, "by memory");
    assert_eq!(rig.payloads(subscriber), ["4", "5"]);
    assert_eq!(rig.stats().refused.publish_denied, 3);
    rig.change_rules(Ruleset::compile(vec![read_only]));
    assert_eq!(rig.publish1(publisher, "open/x", "6"), ReasonCode::NotAuthorized, "what is remembered belongs to the old rules");
    assert_eq!(rig.payloads(subscriber), Vec::<String>::new());
}

#[test]
fn what_is_remembered_of_a_topic_ends_with_a_new_subscription() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    assert_eq!(rig.publish1(publisher, "t", "1"), ReasonCode::NoMatchingSubscribers);
    let subscriber = rig.connect(v5("subscriber"));
    rig.subscribe(subscriber, "t", QOS0);
    assert_eq!(rig.publish1(publisher, "t", "2"), ReasonCode::Success);
    assert_eq!(rig.payloads(subscriber), ["2"]);
    rig.unsubscribe(subscriber, "t");
    assert_eq!(rig.publish1(publisher, "t", "3"), ReasonCode::NoMatchingSubscribers);
    assert_eq!(rig.payloads(subscriber), Vec::<String>::new());
}

#[test]
fn topic_aliases_of_the_client() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS0);
    let with = |topic: Option<&str>, alias: u16| {
        let mut packet = publish(topic.unwrap_or("x"), "m", QOS0, None);
        packet.properties.topic_alias = NonZeroU16::new(alias);
        if topic.is_none() {
            packet.topic = None;
        }
        Packet::Publish(packet)
    };
    rig.send(publisher, with(Some("t/one"), 3));
    rig.send(publisher, with(None, 3));
    rig.send(publisher, with(Some("t/two"), 3));
    rig.send(publisher, with(None, 3));
    let topics: Vec<String> = (0..4).map(|_| rig.take(subscriber).topic.unwrap().as_str().to_owned()).collect();
    assert_eq!(topics, ["t/one", "t/one", "t/two", "t/two"]);
    rig.send(publisher, with(None, 4));
    assert!(matches!(rig.closed(publisher), Some(CloseCause::ProtocolError(_))));
}

#[test]
fn mqtt_3_3_2_9_an_alias_above_the_maximum_ends_the_connection() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let mut packet = publish("t", "m", QOS0, None);
    packet.properties.topic_alias = NonZeroU16::new(17);
    rig.send(publisher, Packet::Publish(packet));
    assert!(matches!(rig.next(publisher), Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == ReasonCode::TopicAliasInvalid));
}

#[test]
fn topic_aliases_to_the_client() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber").properties(|properties| properties.topic_alias_maximum = Some(1)));
    rig.subscribe(subscriber, "#", QOS0);
    for topic in ["first", "first", "second"] {
        rig.publish0(publisher, topic, "m");
    }
    let seen: Vec<_> =
        (0..3).map(|_| rig.take(subscriber)).map(|publish| (publish.topic.is_some(), publish.properties.topic_alias)).collect();
    assert_eq!(seen, [(true, NonZeroU16::new(1)), (false, NonZeroU16::new(1)), (true, None)], "[MQTT-3.1.2-26]");
}

#[test]
fn mqtt_3_1_2_25_a_message_too_large_for_the_client_is_dropped_as_if_sent() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber").properties(|properties| properties.maximum_packet_size = NonZeroU32::new(40)));
    rig.subscribe(subscriber, "t", QOS1);
    rig.publish1(publisher, "t", &"x".repeat(100));
    rig.publish1(publisher, "t", "small");
    assert_eq!(rig.payloads(subscriber), ["small"]);
    assert_eq!(rig.stats().dropped_too_large, 1);
}

#[test]
fn mqtt_3_3_2_5_an_expired_message_is_not_delivered_and_the_rest_of_an_interval_is_told() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS1);
    rig.lose(subscriber);
    for (seconds, payload) in [(10, "short"), (100, "long")] {
        let mut packet = publish("t/x", payload, QOS1, Some(2));
        packet.properties.message_expiry_interval = Some(seconds);
        rig.publish_acknowledged(publisher, packet);
    }
    rig.pass(30_500);
    let subscriber = rig.connect(v5("subscriber").resume().expiry(1000));
    let received = rig.take(subscriber);
    assert_eq!((text(&received).as_str(), received.properties.message_expiry_interval), ("long", Some(70)), "[MQTT-3.3.2-6]");
    assert_eq!(rig.next(subscriber), None);
    assert_eq!(rig.stats().dropped_expired, 1);
}

#[test]
fn a_connection_that_is_full_gets_qos_0_dropped_and_the_rest_later() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS1);
    rig.input(subscriber, Input::Writable { connection: subscriber, writable: false });
    rig.publish0(publisher, "t/x", "lost");
    rig.publish1(publisher, "t/x", "kept");
    assert_eq!(rig.next(subscriber), None);
    rig.input(subscriber, Input::Writable { connection: subscriber, writable: true });
    assert_eq!(rig.payloads(subscriber), ["kept"]);
    assert_eq!(rig.stats().dropped_slow, 1);
}

#[test]
fn properties_travel_unaltered() {
    let mut rig = Rig::new();
    let (publisher, subscriber) = pair(&mut rig, QOS0);
    let mut packet = publish("t/x", "m", QOS0, None);
    packet.properties.content_type = Some("text/plain".into());
    packet.properties.user_properties.0 = vec![("b".into(), "1".into()), ("a".into(), "2".into()), ("b".into(), "3".into())];
    packet.properties.payload_format_indicator = Some(true);
    packet.properties.correlation_data = Some("c".into());
    rig.send(publisher, Packet::Publish(packet.clone()));
    assert_eq!(rig.take(subscriber), packet, "[MQTT-3.3.2-17], [MQTT-3.3.2-18], [MQTT-3.3.2-20]");
}
