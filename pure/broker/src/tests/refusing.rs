//! What happens when there is no room: in the store, in all queues together. What was acknowledged is never given up for what is new.

use std::sync::Arc;

use signet_mqtt::{Ack, Message, Packet, ProtocolVersion, Publish, QoS, ReasonCode, TopicName};
use signet_policy::{Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{CloseCause, ConnectionId, Durability, DurabilityRules, Event, Input, Limits, TotalLimits};

fn rig(total: TotalLimits) -> Rig {
    Rig::with(1, Limits { total, ..Limits::default() }, Ruleset::allow_all())
}

fn v31(client_identifier: &str) -> Dial {
    let mut dial = v5(client_identifier);
    dial.connect.version = ProtocolVersion::V31;
    dial
}

/// Connects a subscriber whose queue outlives the process, and one whose queue does not.
fn keeper_and_visitor(rig: &mut Rig) -> (ConnectionId, ConnectionId) {
    let keeper = rig.connect(v5("keeper").expiry(1000));
    rig.subscribe(keeper, "kept/#", QOS2);
    let visitor = rig.connect(v5("visitor"));
    rig.subscribe(visitor, "#", QOS2);
    (keeper, visitor)
}

fn store_has_room(rig: &mut Rig, any: ConnectionId) {
    rig.store.is_full = false;
    rig.input(any, Input::StoreHasRoom);
}

#[test]
fn a_full_store_refuses_what_it_would_have_to_keep_and_nothing_else() {
    let mut rig = rig(TotalLimits::default());
    let (keeper, visitor) = keeper_and_visitor(&mut rig);
    let (publisher, persistent) = (rig.connect(v5("publisher")), rig.connect(v5("persistent").expiry(100)));
    rig.publish1(publisher, "kept/x", "before");
    rig.send(publisher, retained("old", "m"));
    let packet_id = rig.take(keeper).packet_id;
    rig.drain(visitor);
    rig.store.is_full = true;
    let before = rig.store.changes.len();
    assert_eq!(rig.publish1(publisher, "kept/x", "m"), ReasonCode::QuotaExceeded);
    let keep = |payload: &str, qos, id| Publish { retain: true, ..publish("r", payload, qos, id) };
    assert_eq!(rig.publish_acknowledged(publisher, keep("m", QOS1, Some(1))), ReasonCode::QuotaExceeded);
    rig.send(persistent, Packet::Publish(publish("free", "m", QOS2, Some(2))));
    assert!(
        matches!(rig.next(persistent), Some(Packet::Pubrec(ack)) if ack.reason_code == ReasonCode::QuotaExceeded),
        "its Packet Identifier"
    );
    assert_eq!(rig.payloads(visitor), Vec::<String>::new(), "what was refused went nowhere");
    assert_eq!(rig.publish1(publisher, "free", "1"), ReasonCode::Success);
    rig.send(publisher, Packet::Publish(publish("free", "2", QOS2, Some(3))));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubrec(ack)) if ack.reason_code == ReasonCode::Success));
    rig.publish0(publisher, "kept/x", "3");
    rig.send(publisher, Packet::Publish(keep("4", QOS0, None)));
    assert_eq!(rig.payloads(visitor), ["1", "2", "3", "4"], "nobody durable wants it, or nobody was promised anything");
    assert_eq!(rig.store.changes.len(), before, "nothing was written");
    rig.drain(keeper);
    rig.puback(keeper, packet_id);
    assert_eq!(rig.store.changes.last().copied(), Some("MessageDone"), "what gives room back is");
    let clear = Publish { retain: true, ..publish("old", "", QOS1, Some(4)) };
    assert_eq!(rig.publish_acknowledged(publisher, clear), ReasonCode::Success);
    assert!(rig.store.changes.contains(&"RetainedCleared"));
    assert_eq!(rig.stats().refused.store_full, 3);
    store_has_room(&mut rig, keeper);
    assert_eq!(rig.publish1(publisher, "kept/x", "m"), ReasonCode::Success);
}

#[test]
fn a_full_store_refuses_new_sessions_wills_and_subscriptions_and_lets_old_ones_empty_their_queues() {
    let mut rig = rig(TotalLimits::default());
    let (keeper, visitor) = keeper_and_visitor(&mut rig);
    rig.store.is_full = true;
    for (dial, expected) in [
        (v5("new").expiry(10), ReasonCode::QuotaExceeded),
        (v5("new").will("w", "m", 0), ReasonCode::QuotaExceeded),
        (v311("new").resume(), ReasonCode::ServerUnavailable),
        (v5("keeper").expiry(1000), ReasonCode::QuotaExceeded),
    ] {
        let id = rig.dial(dial).unwrap();
        assert!(matches!(rig.next(id), Some(Packet::Connack(connack)) if connack.reason_code == expected));
        assert!(matches!(rig.closed(id), Some(CloseCause::QuotaExceeded(_))));
    }
    assert_eq!(rig.closed(keeper), None, "a session that cannot be replaced is not ended either");
    assert_eq!(rig.subscribe(keeper, "new", QOS1), ReasonCode::QuotaExceeded);
    assert_eq!(rig.subscribe(keeper, "kept/#", QOS2), ReasonCode::GrantedQoS2, "nothing changes");
    assert_eq!(rig.subscribe(visitor, "new", QOS1), ReasonCode::GrantedQoS1, "nothing is kept");
    assert_eq!(rig.unsubscribe(keeper, "kept/#"), ReasonCode::Success);
    let (_, connack) = rig.connected(v5("keeper").expiry(1000).resume().will("w", "m", 0));
    assert!(connack.session_present);
    rig.connect(v5("clean"));
}

/// Before MQTT 5.0 there is no way to say no: what is not acknowledged is still the client's.
#[test]
fn before_mqtt_5_what_finds_no_room_is_not_acknowledged_and_sent_again_when_there_is_some() {
    for qos in [QOS1, QOS2] {
        let mut rig = rig(TotalLimits::default());
        let (keeper, _) = keeper_and_visitor(&mut rig);
        let old = rig.connect(v311("old").resume());
        rig.store.is_full = true;
        for (packet_id, topic) in [(1, "kept/x"), (2, "free"), (3, "kept/x")] {
            rig.send(old, Packet::Publish(publish(topic, &packet_id.to_string(), qos, Some(packet_id))));
        }
        rig.publish0(old, "kept/x", "passing");
        rig.send(old, Packet::Pingreq);
        assert_eq!(rig.drain(old), [Packet::Pingresp], "held back, and so is what comes after: its order is kept");
        assert!(rig.events.iter().any(|event| matches!(event, Event::HeldBack { .. })));
        rig.pass(5_000);
        assert_eq!(rig.closed(old), None);
        store_has_room(&mut rig, keeper);
        assert!(matches!(rig.closed(old), Some(CloseCause::QuotaExceeded(_))));
        let old = rig.connect(v311("old").resume());
        for (packet_id, topic) in [(1, "kept/x"), (2, "free"), (3, "kept/x")] {
            rig.send(old, Packet::Publish(Publish { dup: true, ..publish(topic, &packet_id.to_string(), qos, Some(packet_id)) }));
        }
        assert_eq!(rig.drain(old).len(), 3, "acknowledged");
        assert_eq!(rig.payloads(keeper), ["passing", "1", "3"]);
    }
}

#[test]
fn all_queues_together_are_bounded_and_the_publisher_hears_of_it() {
    for total in [
        TotalLimits { queued_messages_maximum: 3, ..TotalLimits::default() },
        TotalLimits { queued_bytes_maximum: 3 * 10 + 9, ..TotalLimits::default() },
    ] {
        let mut rig = rig(total);
        let mut names = Vec::new();
        for name in ["a", "b"] {
            let id = rig.connect(v5(name).expiry(1000));
            rig.subscribe(id, "t", QOS1);
            rig.lose(id);
            names.push(name);
        }
        let publisher = rig.connect(v5("publisher"));
        let old = rig.connect(v311("old"));
        assert_eq!(rig.publish1(publisher, "t", "123456789"), ReasonCode::Success);
        assert_eq!((rig.totals.queued_messages(), rig.totals.queued_bytes()), (2, 20));
        assert_eq!(rig.publish1(publisher, "t", "123456789"), ReasonCode::QuotaExceeded, "two more would be too many");
        assert_eq!(rig.publish1(publisher, "elsewhere", "m"), ReasonCode::NoMatchingSubscribers);
        rig.publish0(publisher, "t", "123456789");
        rig.send(old, Packet::Publish(publish("t", "123456789", QOS1, Some(1))));
        assert_eq!(rig.next(old), None);
        assert_eq!(rig.stats().refused.queues_full, 2);
        rig.pass(3_000);
        assert_eq!(rig.closed(old), None);
        for name in names {
            let id = rig.connect(v5(name).expiry(1000).resume());
            let packet_id = rig.take(id).packet_id;
            rig.puback(id, packet_id);
        }
        assert_eq!((rig.totals.queued_messages(), rig.totals.queued_bytes()), (0, 0));
        rig.pass(1_000);
        assert!(matches!(rig.closed(old), Some(CloseCause::QuotaExceeded(_))), "it is noticed without the store");
        assert_eq!(rig.publish1(publisher, "t", "123456789"), ReasonCode::Success);
    }
}

#[test]
fn a_will_and_what_was_stored_find_room_whatever_the_limits_are() {
    let mut rig = rig(TotalLimits { queued_messages_maximum: 0, ..TotalLimits::default() });
    let (keeper, _) = keeper_and_visitor(&mut rig);
    rig.lose(keeper);
    let a = rig.connect(v5("a").will("kept/w", "gone", 0));
    rig.store.is_full = true;
    rig.lose(a);
    rig.store.is_full = false;
    rig.limits = Arc::new(Limits { queued_messages_maximum: 0, ..Limits::default() });
    rig.crash(rig.store.journal.len());
    assert_eq!(rig.totals.queued_messages(), 1);
    let keeper = rig.connect(v5("keeper").expiry(1000).resume());
    assert_eq!(rig.payloads(keeper), ["gone"]);
}

fn own(topic: &str, payload: &str) -> Input {
    let topic = TopicName::new(topic.to_owned()).unwrap();
    let message =
        Message { topic, payload: payload.to_owned().into(), qos: QoS::AtLeastOnce, retain: true, properties: Default::default() };
    Input::Publish { message }
}

#[test]
fn the_server_speaks_under_its_own_topics_and_keeps_nothing_of_it() {
    let mut rig = rig(TotalLimits { queued_messages_maximum: 0, ..TotalLimits::default() });
    let keeper = rig.connect(v5("keeper").expiry(1000));
    rig.subscribe(keeper, "$SYS/#", QOS1);
    rig.subscribe(keeper, "#", QOS1);
    let before = rig.store.changes.len();
    rig.store.is_full = true;
    rig.input(keeper, own("$SYS/broker/uptime", "1 second"));
    rig.input(keeper, own("elsewhere", "m"));
    rig.input(keeper, own("$SYSTEM/x", "m"));
    assert_eq!(rig.payloads(keeper), ["1 second"]);
    let late = rig.connect(v5("late"));
    rig.subscribe(late, "$SYS/broker/+", QOS0);
    assert_eq!(rig.payloads(late), ["1 second"]);
    assert_eq!(rig.store.changes.len(), before);
    assert_eq!((rig.stats().messages_received, rig.stats().refused.publish_denied), (0, 2));
}

/// MQTT 3.1 §3.8: a SUBACK can grant and nothing else.
#[test]
fn mqtt_3_1_hears_that_a_subscription_is_granted_or_nothing() {
    let rule = Rule {
        name: "own".to_owned(),
        who: Who::Everyone,
        publish: vec![TopicPattern::parse("#").unwrap()],
        subscribe: vec![TopicPattern::parse("open/#").unwrap()],
        ..Rule::default()
    };
    let mut rig = Rig::with(1, Limits { subscriptions_maximum: 1, ..Limits::default() }, Ruleset::compile(vec![rule]));
    let old = rig.connect(v31("old"));
    assert_eq!(rig.subscribe(old, "secret/#", QOS1), ReasonCode::Success, "what the rules refuse is granted in words");
    assert_eq!(rig.subscribe(old, "open/#", QOS1), ReasonCode::GrantedQoS1);
    rig.publish0(old, "secret/x", "not for you");
    rig.publish0(old, "open/x", "for you");
    assert_eq!(rig.payloads(old), ["for you"]);
    rig.send(old, Packet::Subscribe(subscribe("open/more", signet_mqtt::SubscriptionOptions::default(), None)));
    assert_eq!(rig.closed(old), Some(&CloseCause::SubscriptionRefused), "messages it may have must not be waited for in vain");
}

/// The mark of another broker stands for No Local and Retain As Published.
#[test]
fn another_broker_gets_nothing_back_and_sees_what_is_retained() {
    let mut rig = rig(TotalLimits::default());
    let mut dial = v311("other-broker");
    dial.connect.is_bridge = true;
    let bridge = rig.connect(dial);
    rig.subscribe(bridge, "#", QOS1);
    rig.subscribe(bridge, "$share/g/shared", QOS1);
    rig.send(bridge, retained("t", "its own"));
    let publisher = rig.connect(v5("publisher"));
    rig.send(publisher, retained("t", "from here"));
    let received = rig.take(bridge);
    assert_eq!((text(&received).as_str(), received.retain), ("from here", true));
    assert_eq!(rig.next(bridge), None);
}

/// A connection that owes nothing is not ended, and one that is told can go on.
#[test]
fn only_those_who_were_held_back_are_ended() {
    let durability = DurabilityRules::new(Durability::Always, []);
    let mut rig = Rig::with(1, Limits { durability, ..Limits::default() }, Ruleset::allow_all());
    let (keeper, visitor) = keeper_and_visitor(&mut rig);
    let (idle, told) = (rig.connect(v311("idle")), rig.connect(v5("told")));
    rig.store.is_full = true;
    assert_eq!(rig.publish1(told, "kept/x", "m"), ReasonCode::QuotaExceeded);
    store_has_room(&mut rig, keeper);
    for id in [keeper, visitor, idle, told] {
        assert_eq!(rig.closed(id), None);
    }
    rig.send(told, Packet::Publish(publish("kept/x", "m", QOS2, Some(1))));
    rig.send(told, Packet::Pubrel(Ack::success(pid(1))));
    assert_eq!(rig.payloads(keeper), ["m"]);
}

#[test]
fn what_the_server_says_to_nobody_is_no_message_that_missed_its_subscribers() {
    let mut rig = rig(TotalLimits::default());
    let client = rig.connect(v5("client"));
    rig.input(client, own("$SYS/broker/uptime", "1 second"));
    assert_eq!(rig.stats().messages_unmatched, 0);
}
