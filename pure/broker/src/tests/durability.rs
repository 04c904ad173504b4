//! What is told to the store, and which packet waits for what of it.

use signet_mqtt::{Ack, Packet, Publish, ReasonCode, SubscriptionOptions};
use signet_policy::Ruleset;

use super::paper::Kept;
use super::rig::*;
use crate::{ConnectionId, Durability, DurabilityRules, Limits, Ticket, Urgency};

/// One shard, so that there is one row of tickets.
fn rig() -> Rig {
    Rig::with(1, Limits::default(), Ruleset::allow_all())
}

fn with_durability(default: Durability, prefix: &str, there: Durability) -> Rig {
    let durability = DurabilityRules::new(default, [(prefix.to_owned(), there)]);
    Rig::with(1, Limits { durability, ..Limits::default() }, Ruleset::allow_all())
}

/// A persistent subscriber to everything with QoS 2.
fn subscriber(rig: &mut Rig) -> ConnectionId {
    let subscriber = rig.connect(v5("subscriber").expiry(1000));
    rig.subscribe(subscriber, "#", QOS2);
    subscriber
}

/// Which transaction has the latest change that a test picks.
fn transaction_of(rig: &Rig, pick: fn(&Kept) -> bool) -> usize {
    rig.store.journal.iter().rposition(|(_, changes)| changes.iter().any(pick)).expect("such a change")
}

fn names_since(rig: &Rig, from: usize) -> Vec<&'static str> {
    rig.store.changes[from..].to_vec()
}

#[test]
fn a_connack_waits_for_the_session_it_promises() {
    let mut rig = rig();
    let a = rig.connect(v5("a").expiry(100));
    assert_eq!(rig.ticket(a, "CONNACK"), rig.store.ticket_of("SessionOpened"));
    rig.lose(a);
    let a = rig.connect(v5("a").expiry(100).resume());
    assert_eq!(rig.ticket(a, "CONNACK"), rig.store.ticket_of("SessionReturned"));
    assert_eq!(rig.store.changes, ["SessionOpened", "SessionLeft", "SessionReturned"], "of what did not change nothing is written");
    let a = rig.connect(v5("a").expiry(200).resume());
    assert_eq!(rig.ticket(a, "CONNACK"), rig.store.latest(0));
    assert_eq!(names_since(&rig, 3), ["SessionLeft", "SessionOpened", "SessionReturned"]);
    let clean = rig.connect(v5("clean"));
    assert_eq!(rig.ticket(clean, "CONNACK"), Ticket::NONE);
}

/// What a client was told is gone does not come back, whichever of its connections ended it and whether that one heard of it.
#[test]
fn a_connack_without_a_session_waits_for_the_end_of_the_one_before() {
    for ends_by_itself in [false, true] {
        let mut rig = rig();
        let a = rig.connect(v5("a").expiry(100));
        rig.lose(a);
        if ends_by_itself {
            rig.pass(100_000);
        } else {
            let a = rig.connect(v5("a"));
            rig.lose(a);
        }
        for dial in [v5("a"), v311("a").resume(), v5("a").resume()] {
            let a = rig.connect(dial);
            assert!(rig.ticket(a, "CONNACK") >= rig.store.ticket_of("SessionRemoved"));
            rig.leave(a);
        }
    }
}

#[test]
fn a_will_is_stored_for_every_connection_and_taken_back_with_it() {
    let mut rig = rig();
    let a = rig.connect(v5("a").will("w", "gone", 0));
    assert_eq!(rig.ticket(a, "CONNACK"), rig.store.ticket_of("WillSet"));
    rig.leave(a);
    assert_eq!(rig.store.changes, ["SessionOpened", "WillSet", "WillCleared", "SessionRemoved"]);
    let b = rig.connect(v5("b").expiry(100).will("w", "gone", 50));
    rig.lose(b);
    rig.connect(v5("b").expiry(100).resume());
    assert_eq!(
        names_since(&rig, 4),
        ["SessionOpened", "WillSet", "SessionLeft", "WillSet", "SessionReturned", "WillCleared"],
        "a will that waits says until when, and one that is not set again is taken back"
    );
}

#[test]
fn a_will_and_the_message_it_becomes_are_one_transaction() {
    let mut rig = rig();
    subscriber(&mut rig);
    let a = rig.connect(v5("a").will("w", "gone", 0));
    rig.lose(a);
    let cleared = transaction_of(&rig, |change| matches!(change, Kept::NoWill(_)));
    assert_eq!(cleared, transaction_of(&rig, |change| matches!(change, Kept::Queued(..))));
}

#[test]
fn suback_and_unsuback_wait_for_the_subscription() {
    let mut rig = rig();
    let a = rig.connect(v5("a").expiry(100));
    rig.subscribe(a, "t", QOS1);
    assert_eq!(rig.ticket(a, "SUBACK"), rig.store.ticket_of("SubscriptionAdded"));
    let before = rig.store.changes.len();
    rig.subscribe(a, "t", QOS1);
    assert_eq!(rig.store.changes.len(), before, "nothing changed");
    assert_eq!(rig.ticket(a, "SUBACK"), rig.store.latest(0));
    rig.unsubscribe(a, "t");
    assert_eq!(rig.ticket(a, "UNSUBACK"), rig.store.ticket_of("SubscriptionRemoved"));
    let clean = rig.connect(v5("clean"));
    rig.subscribe(clean, "t", QOS1);
    rig.unsubscribe(clean, "t");
    assert_eq!((rig.ticket(clean, "SUBACK"), rig.ticket(clean, "UNSUBACK")), (Ticket::NONE, Ticket::NONE));
}

/// The order of the store is that of the directory: once another shard can see a subscription or a retained message, the writer has it.
#[test]
fn what_other_shards_can_see_is_with_the_writer() {
    let mut rig = rig();
    rig.holds_disk = true;
    let a = rig.dial(v5("a").expiry(100)).unwrap();
    assert_eq!(rig.store.journal.len(), 0, "nothing that others can see");
    rig.send(a, Packet::Subscribe(subscribe("t", SubscriptionOptions::default(), None)));
    transaction_of(&rig, |change| matches!(change, Kept::Subscribed(..)));
    rig.send(a, retained("r", "m"));
    transaction_of(&rig, |change| matches!(change, Kept::Retained(..)));
    rig.send(a, retained("r", ""));
    transaction_of(&rig, |change| matches!(change, Kept::Cleared(..)));
}

#[test]
fn a_puback_waits_for_the_message_and_for_what_is_retained() {
    let mut rig = rig();
    let subscriber = subscriber(&mut rig);
    let publisher = rig.connect(v5("publisher"));
    rig.publish1(publisher, "t", "m");
    assert_eq!(rig.ticket(publisher, "PUBACK"), rig.store.ticket_of("MessageQueued"));
    rig.lose(subscriber);
    let keep = |payload| Publish { retain: true, ..publish("r", payload, QOS1, Some(1)) };
    rig.publish_acknowledged(publisher, keep("m"));
    assert!(rig.ticket(publisher, "PUBACK") >= rig.store.ticket_of("RetainedSet"));
    for _ in 0..2 {
        rig.publish_acknowledged(publisher, keep(""));
        assert!(rig.ticket(publisher, "PUBACK") >= rig.store.ticket_of("RetainedCleared"), "also if somebody else has just cleared it");
    }
}

#[test]
fn a_message_that_nobody_durable_wants_is_not_written() {
    let mut rig = rig();
    let (publisher, subscriber) = (rig.connect(v5("publisher")), rig.connect(v5("subscriber")));
    rig.subscribe(subscriber, "#", QOS2);
    let keeper = rig.connect(v5("keeper").expiry(100));
    rig.subscribe(keeper, "#", QOS0);
    let before = rig.store.changes.len();
    rig.publish0(publisher, "t", "m");
    rig.publish1(publisher, "t", "m");
    rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(2))));
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(2))));
    assert_eq!(names_since(&rig, before), Vec::<&str>::new());
    for name in ["PUBACK", "PUBREC", "PUBCOMP"] {
        assert_eq!(rig.ticket(publisher, name), Ticket::NONE, "{name}");
    }
}

#[test]
fn a_pubrec_waits_for_message_and_packet_identifier_which_are_one_transaction() {
    let mut rig = rig();
    subscriber(&mut rig);
    let publisher = rig.connect(v5("publisher").expiry(100));
    let packet = Publish { retain: true, ..publish("t", "m", QOS2, Some(5)) };
    rig.send(publisher, Packet::Publish(packet.clone()));
    assert_eq!(rig.ticket(publisher, "PUBREC"), rig.store.ticket_of("ReceivedQos2"));
    let received = transaction_of(&rig, |change| matches!(change, Kept::Received(..)));
    assert_eq!(received, transaction_of(&rig, |change| matches!(change, Kept::Queued(..))));
    assert!(transaction_of(&rig, |change| matches!(change, Kept::Retained(..))) < received);
    rig.send(publisher, Packet::Publish(Publish { dup: true, ..packet }));
    assert_eq!(rig.ticket(publisher, "PUBREC"), rig.store.latest(0), "the repeated one promises the same");
    for _ in 0..2 {
        rig.send(publisher, Packet::Pubrel(Ack::success(pid(5))));
        assert_eq!(rig.ticket(publisher, "PUBCOMP"), rig.store.ticket_of("ReleasedQos2"), "the repeated one alike");
    }
}

#[test]
fn a_delivery_with_qos_2_waits_and_one_with_qos_1_does_not() {
    let mut rig = rig();
    let subscriber = subscriber(&mut rig);
    let publisher = rig.connect(v5("publisher"));
    rig.publish1(publisher, "t", "m");
    assert_eq!(rig.ticket(subscriber, "PUBLISH"), Ticket::NONE);
    assert_eq!(rig.store.urgencies.last(), Some(&Urgency::Later), "nobody waits for a MessageSent of QoS 1");
    rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(2))));
    assert_eq!(rig.ticket(subscriber, "PUBLISH"), rig.store.ticket_of("MessageSent"));
    let packet_id = rig.drain(subscriber).into_iter().find_map(|packet| match packet {
        Packet::Publish(publish) if publish.qos == QOS2 => publish.packet_id,
        _ => None,
    });
    for _ in 0..2 {
        rig.send(subscriber, Packet::Pubrec(Ack::success(packet_id.unwrap())));
        assert_eq!(rig.ticket(subscriber, "PUBREL"), rig.store.ticket_of("MessageReleased"), "the repeated one alike");
    }
    rig.lose(subscriber);
    let subscriber = rig.connect(v5("subscriber").expiry(1000).resume());
    assert!(rig.ticket(subscriber, "PUBREL") >= rig.store.ticket_of("MessageReleased"), "sent again it promises the same");
    rig.send(subscriber, Packet::Pubcomp(Ack::success(packet_id.unwrap())));
    assert_eq!(rig.store.changes.last().copied(), Some("MessageDone"));
    assert_eq!(rig.store.urgencies.last(), Some(&Urgency::Later));
}

/// Queue full, expired, too large, session ended: whatever the exit, the store hears of it.
#[test]
fn no_message_is_kept_for_a_session_that_does_not_have_it_any_more() {
    let mut rig = Rig::with(2, Limits { queued_messages_maximum: 2, maximum_inflight: 1, ..Limits::default() }, Ruleset::allow_all());
    let publisher = rig.connect(v5("publisher"));
    let small = |dial: Dial| dial.properties(|properties| properties.maximum_packet_size = std::num::NonZeroU32::new(60));
    let a = rig.connect(small(v5("a").expiry(100)));
    rig.subscribe(a, "t", QOS1);
    rig.publish1(publisher, "t", &"x".repeat(100));
    assert_eq!((rig.stats().dropped_too_large, rig.store.read().messages.len()), (1, 0), "too large at once");
    rig.publish1(publisher, "t", "under way");
    for payload in ["1", "2", "3"] {
        let mut packet = publish("t", payload, QOS1, Some(1));
        packet.properties.message_expiry_interval = (payload != "2").then_some(5);
        rig.publish_acknowledged(publisher, packet);
    }
    assert_eq!((rig.stats().dropped_queue_full, rig.store.read().messages.len()), (1, 3), "the queue was full");
    rig.pass(6_000);
    rig.publish1(publisher, "t", "4");
    assert_eq!((rig.stats().dropped_expired, rig.store.read().messages.len()), (1, 3), "what expired made room");
    rig.lose(a);
    rig.pass(100_000);
    assert_eq!((rig.stats().sessions, rig.store.read().messages.len()), (1, 0), "the session ended");
}

/// A session that gets a message by a subscription of its own and as a member of a group has two copies, which end one by one.
#[test]
fn two_copies_for_one_session_have_two_ids() {
    let mut rig = rig();
    let a = rig.connect(v5("a").expiry(100));
    for filter in ["t", "$share/g/t", "$share/h/t"] {
        rig.subscribe(a, filter, QOS1);
    }
    let publisher = rig.connect(v5("publisher"));
    rig.publish1(publisher, "t", "m");
    assert_eq!(rig.store.read().messages.len(), 3);
    let first = rig.take(a).packet_id;
    rig.puback(a, first);
    assert_eq!(rig.store.read().messages.len(), 2);
    assert_eq!(rig.payloads(a), ["m", "m"]);
}

#[test]
fn what_the_rules_call_off_is_not_written_and_nobody_waits() {
    let mut rig = with_durability(Durability::Always, "off", Durability::Off);
    let subscriber = subscriber(&mut rig);
    let publisher = rig.connect(v5("publisher").expiry(100).will("off/w", "gone", 0));
    let before = rig.store.changes.len();
    rig.publish_acknowledged(publisher, Publish { retain: true, ..publish("off/x", "m", QOS1, Some(1)) });
    rig.send(publisher, Packet::Publish(publish("off", "m", QOS2, Some(2))));
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(2))));
    assert_eq!(names_since(&rig, before), Vec::<&str>::new());
    for (who, name) in [(publisher, "PUBACK"), (publisher, "PUBREC"), (publisher, "PUBCOMP"), (subscriber, "PUBLISH")] {
        assert_eq!(rig.ticket(who, name), Ticket::NONE, "{name}");
    }
    rig.publish1(publisher, "offline", "m");
    assert_eq!(rig.ticket(publisher, "PUBACK"), rig.store.ticket_of("MessageQueued"), "another topic");
}

#[test]
fn what_is_retained_off_the_record_clears_what_was_retained_on_it() {
    let mut rig = with_durability(Durability::Always, "none", Durability::Off);
    let publisher = rig.connect(v5("publisher"));
    rig.send(publisher, retained("t", "stored"));
    rig.limits = std::sync::Arc::new(Limits { durability: DurabilityRules::new(Durability::Off, []), ..Limits::default() });
    let loose = rig.connect(v5("loose"));
    rig.send(loose, retained("t", "in memory"));
    assert_eq!(rig.store.read().retained.len(), 0, "the old value must not come back");
    rig.crash(rig.store.journal.len());
    let late = rig.connect(v5("late"));
    rig.subscribe(late, "t", QOS0);
    assert_eq!(rig.payloads(late), Vec::<String>::new());
}

#[test]
fn with_an_interval_everything_is_written_and_no_publisher_waits() {
    let mut rig = with_durability(Durability::Interval, "always", Durability::Always);
    let subscriber = subscriber(&mut rig);
    let publisher = rig.connect(v5("publisher").expiry(100));
    let before = rig.store.changes.len();
    rig.publish_acknowledged(publisher, Publish { retain: true, ..publish("t", "m", QOS1, Some(1)) });
    rig.send(publisher, Packet::Publish(publish("t", "m", QOS2, Some(2))));
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(2))));
    assert_eq!(
        names_since(&rig, before),
        ["RetainedSet", "MessageQueued", "MessageSent", "MessageQueued", "MessageSent", "ReceivedQos2", "ReleasedQos2"]
    );
    // Only Packet Identifiers of QoS 2 have to last: whatever comes under one that a side still holds is taken for what came before.
    let urgent = rig.store.urgencies[before..].iter().zip(names_since(&rig, before)).filter(|(urgency, _)| **urgency == Urgency::Now);
    assert_eq!(urgent.map(|(_, name)| name).collect::<Vec<_>>(), ["MessageSent", "ReleasedQos2"]);
    assert_eq!(rig.ticket(subscriber, "PUBLISH"), rig.store.ticket_of("MessageSent"));
    assert_eq!(rig.ticket(publisher, "PUBCOMP"), rig.store.ticket_of("ReleasedQos2"));
    for name in ["PUBACK", "PUBREC"] {
        assert_eq!(rig.ticket(publisher, name), Ticket::NONE, "{name}");
    }
    rig.publish1(publisher, "always/x", "m");
    assert_eq!(rig.ticket(publisher, "PUBACK"), rig.store.ticket_of("MessageQueued"));
}

#[test]
fn a_listener_has_its_own_durability_and_its_own_limits() {
    let mut rig = rig();
    subscriber(&mut rig);
    let strict = rig.connect(v5("strict"));
    let durability = DurabilityRules::new(Durability::Off, []);
    rig.limits = std::sync::Arc::new(Limits { durability, topic_levels_maximum: 2, subscriptions_maximum: 1, ..Limits::default() });
    let loose = rig.connect(v5("loose"));
    let before = rig.store.changes.len();
    rig.publish1(loose, "t", "m");
    assert_eq!(rig.store.changes.len(), before);
    rig.publish1(strict, "t/1/2", "m");
    assert!(rig.store.changes.len() > before);
    assert_eq!(rig.subscribe(loose, "a", QOS1), ReasonCode::GrantedQoS1);
    assert_eq!(rig.subscribe(loose, "b", QOS1), ReasonCode::QuotaExceeded);
    rig.publish0(loose, "t/1/2", "m");
    assert!(rig.closed(loose).is_some() && rig.closed(strict).is_none());
}

/// The retained messages of a subscription are stored one by one, as they go out.
#[test]
fn a_subscription_that_starts_keeps_no_more_than_the_window() {
    let mut rig = Rig::with(1, Limits { maximum_inflight: 2, ..Limits::default() }, Ruleset::allow_all());
    let publisher = rig.connect(v5("publisher"));
    for topic in ["1", "2", "3", "4", "5"] {
        rig.publish_acknowledged(publisher, Publish { retain: true, ..publish(topic, topic, QOS1, Some(1)) });
    }
    let a = rig.connect(v5("a").expiry(100));
    rig.subscribe(a, "#", QOS1);
    let starting = |rig: &Rig| {
        let state = rig.store.read();
        let session = state.sessions.values().find(|session| !session.subscriptions.is_empty()).unwrap();
        session.subscriptions.values().next().unwrap().starting.map(|starting| starting.after.0)
    };
    let mut kept = Vec::new();
    let mut seen = Vec::new();
    while let Some(Packet::Publish(publish)) = rig.next(a) {
        kept.push((rig.store.read().messages.len(), starting(&rig)));
        seen.push(text(&publish));
        rig.puback(a, publish.packet_id);
    }
    assert_eq!(seen, ["1", "2", "3", "4", "5"], "in the order in which they were set");
    assert_eq!(kept, [(2, Some(2)), (2, Some(3)), (2, Some(4)), (2, None), (1, None)]);
    assert_eq!(rig.store.read().messages.len(), 0);
}

#[test]
fn a_subscription_made_again_while_it_starts_starts_anew() {
    let mut rig = Rig::with(1, Limits { maximum_inflight: 1, ..Limits::default() }, Ruleset::allow_all());
    let publisher = rig.connect(v5("publisher"));
    for topic in ["1", "2"] {
        rig.publish_acknowledged(publisher, Publish { retain: true, ..publish(topic, topic, QOS1, Some(1)) });
    }
    let a = rig.connect(v5("a").expiry(100));
    let options = SubscriptionOptions { maximum_qos: QOS1, ..SubscriptionOptions::default() };
    for identifier in [1, 2] {
        rig.send(a, Packet::Subscribe(subscribe("#", options, Some(identifier))));
    }
    // The old one goes on starting, which says nothing about the new one.
    rig.puback(a, Some(pid(1)));
    rig.crash(rig.store.journal.len());
    let a = rig.connect(v5("a").expiry(100).resume());
    let mut seen = Vec::new();
    while let Some(Packet::Publish(publish)) = rig.next(a) {
        seen.push((text(&publish), publish.properties.subscription_identifiers[0].get()));
        rig.puback(a, publish.packet_id);
    }
    assert_eq!(
        seen,
        [("2".to_owned(), 1), ("1".to_owned(), 2), ("2".to_owned(), 2)],
        "what was under way, then all that the new one starts with"
    );
    let state = rig.store.read();
    assert!(state.messages.is_empty());
    assert!(state.sessions.values().flat_map(|session| session.subscriptions.values()).all(|subscription| subscription.starting.is_none()));
}
