//! SUBSCRIBE, UNSUBSCRIBE, options, identifiers, retained messages.

use signet_mqtt::{Packet, Publish, ReasonCode, RetainHandling, SubscriptionOptions};
use signet_policy::{Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{CloseCause, Limits, SharedDirectory};

fn options() -> SubscriptionOptions {
    SubscriptionOptions { maximum_qos: QOS1, ..SubscriptionOptions::default() }
}

#[test]
fn mqtt_3_3_4_3_overlapping_subscriptions_give_one_message_with_all_identifiers_and_the_highest_qos() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber"));
    for (filter, qos, identifier) in [("a/#", QOS0, Some(1)), ("a/b", QOS2, None), ("+/b", QOS1, Some(3)), ("c", QOS2, Some(4))] {
        rig.subscribe_with(subscriber, filter, SubscriptionOptions { maximum_qos: qos, ..options() }, identifier);
    }
    rig.send(publisher, Packet::Publish(publish("a/b", "m", QOS2, Some(1))));
    let received = rig.take(subscriber);
    let mut identifiers: Vec<u32> = received.properties.subscription_identifiers.iter().map(|identifier| identifier.get()).collect();
    identifiers.sort_unstable();
    assert_eq!((received.qos, identifiers), (QOS2, vec![1, 3]), "[MQTT-3.3.4-2]");
    assert_eq!(rig.next(subscriber), None);
}

#[test]
fn mqtt_3_8_4_3_a_subscription_to_the_same_filter_replaces_the_old_one() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber"));
    rig.subscribe_with(subscriber, "t", options(), Some(1));
    assert_eq!(rig.subscribe_with(subscriber, "t", SubscriptionOptions { maximum_qos: QOS0, ..options() }, Some(2)), ReasonCode::Success);
    rig.publish1(publisher, "t", "m");
    let received = rig.take(subscriber);
    assert_eq!((received.qos, received.properties.subscription_identifiers.len()), (QOS0, 1));
    assert_eq!(received.properties.subscription_identifiers[0].get(), 2);
    assert_eq!(rig.directory.read(crate::Directory::subscriptions), 1);
}

#[test]
fn mqtt_3_8_3_3_no_local_keeps_own_messages_away() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a"));
    let b = rig.connect(v5("b"));
    for id in [a, b] {
        rig.subscribe_with(id, "t", SubscriptionOptions { no_local: true, ..options() }, None);
    }
    rig.publish0(a, "t", "m");
    assert_eq!(rig.payloads(a), Vec::<String>::new());
    assert_eq!(rig.payloads(b), ["m"]);
}

#[test]
fn mqtt_3_8_3_4_no_local_on_a_shared_subscription_ends_the_connection() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a"));
    rig.send(a, Packet::Subscribe(subscribe("$share/g/t", SubscriptionOptions { no_local: true, ..options() }, None)));
    assert!(matches!(rig.closed(a), Some(CloseCause::ProtocolError(_))));
}

#[test]
fn mqtt_4_7_2_1_a_leading_wildcard_does_not_match_a_leading_dollar() {
    let rule = Rule {
        name: "all".to_owned(),
        who: Who::Everyone,
        publish: vec![TopicPattern::parse("$sensors/#").unwrap()],
        subscribe: vec![TopicPattern::parse("#").unwrap(), TopicPattern::parse("$sensors/#").unwrap()],
        ..Rule::default()
    };
    let mut rig = Rig::with(2, Limits::default(), Ruleset::compile(vec![rule]));
    let publisher = rig.connect(v5("publisher"));
    let (all, any, exact) = (rig.connect(v5("all")), rig.connect(v5("any")), rig.connect(v5("exact")));
    rig.subscribe(all, "#", QOS0);
    rig.subscribe(any, "+/x", QOS0);
    rig.subscribe(exact, "$sensors/#", QOS0);
    rig.send(publisher, retained("$sensors/x", "m"));
    assert_eq!((rig.payloads(all).len(), rig.payloads(any).len(), rig.payloads(exact).len()), (0, 0, 1));
    let late = rig.connect(v5("late"));
    rig.subscribe(late, "#", QOS0);
    rig.subscribe(late, "+/x", QOS0);
    assert_eq!(rig.payloads(late), Vec::<String>::new(), "retained messages alike");
    rig.subscribe(late, "$sensors/+", QOS0);
    assert_eq!(rig.payloads(late), ["m"]);
}

#[test]
fn mqtt_3_10_4_1_after_unsubscribe_nothing_more_comes() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a").expiry(10));
    rig.subscribe(a, "t/+", QOS1);
    assert_eq!(rig.unsubscribe(a, "t/x"), ReasonCode::NoSubscriptionExisted);
    assert_eq!(rig.unsubscribe(a, "t/+"), ReasonCode::Success);
    assert_ne!(rig.ticket(a, "UNSUBACK"), crate::Ticket::NONE);
    let publisher = rig.connect(v5("publisher"));
    assert_eq!(rig.publish1(publisher, "t/x", "m"), ReasonCode::NoMatchingSubscribers);
    let old = rig.connect(v311("old"));
    rig.subscribe(old, "t", QOS1);
    rig.unsubscribe(old, "t");
}

#[test]
fn mqtt_3_3_1_5_the_last_retained_message_starts_a_subscription() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    for (topic, payload) in [("a", "old"), ("a", "new"), ("a/b", "child"), ("c", "other")] {
        rig.send(publisher, retained(topic, payload));
    }
    let subscriber = rig.connect(v5("subscriber"));
    rig.subscribe_with(subscriber, "a/#", options(), Some(9));
    let mut seen = Vec::new();
    while let Some(Packet::Publish(publish)) = rig.next(subscriber) {
        assert!(publish.retain, "[MQTT-3.3.1-8]");
        assert_eq!(publish.properties.subscription_identifiers[0].get(), 9);
        seen.push(text(&publish));
    }
    seen.sort();
    assert_eq!(seen, ["child", "new"]);
    assert_eq!(rig.directory.read(crate::Directory::retained).0, 3);
}

#[test]
fn mqtt_3_3_1_9_every_retained_message_starts_a_subscription_and_what_comes_later_comes_after() {
    let mut rig = Rig::with(2, Limits { queued_messages_maximum: 10, ..Limits::default() }, Ruleset::allow_all());
    let publisher = rig.connect(v5("publisher"));
    let count = 3000;
    for number in 0..count {
        rig.send(publisher, retained(&format!("t/{number}"), &format!("{:0>100}", "old")));
    }
    let subscriber = rig.connect(v5("subscriber"));
    rig.subscribe(subscriber, "t/#", QOS0);
    rig.send(publisher, Packet::Publish(publish("t/1", "new", QOS0, None)));
    let (mut old, mut last) = (0, String::new());
    loop {
        while let Some(Packet::Publish(publish)) = rig.next(subscriber) {
            old += usize::from(publish.retain);
            last = text(&publish);
        }
        if last == "new" {
            break;
        }
        assert!(old < count, "the message that was published later is lost");
        rig.pass(1);
    }
    assert_eq!(old, count, "all of them, and before what was published after the SUBSCRIBE");
    // From here on nothing waits, and QoS 0 goes straight through again.
    rig.send(publisher, Packet::Publish(publish("t/1", "newer", QOS0, None)));
    assert_eq!(rig.payloads(subscriber), ["newer"]);
}

#[test]
fn retained_messages_for_a_slow_client_wait_and_are_forgotten_with_its_connection() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    for topic in ["a", "b", "c"] {
        rig.send(publisher, retained(topic, topic));
    }
    let subscriber = rig.connect(v5("subscriber").expiry(100));
    rig.input(subscriber, crate::Input::Writable { connection: subscriber, writable: false });
    rig.subscribe(subscriber, "+", QOS0);
    assert_eq!(rig.payloads(subscriber), Vec::<String>::new());
    rig.input(subscriber, crate::Input::Writable { connection: subscriber, writable: true });
    assert_eq!(rig.payloads(subscriber).len(), 3);
    rig.input(subscriber, crate::Input::Writable { connection: subscriber, writable: false });
    rig.subscribe(subscriber, "+", QOS0);
    rig.lose(subscriber);
    let again = rig.connect(v5("subscriber").expiry(100).resume());
    assert_eq!(rig.payloads(again), Vec::<String>::new(), "QoS 0 is for those who are there");
}

#[test]
fn mqtt_3_3_1_6_an_empty_payload_clears_the_retained_message() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let early = rig.connect(v5("early"));
    rig.subscribe(early, "a", QOS0);
    rig.send(publisher, retained("a", "m"));
    rig.send(publisher, retained("a", ""));
    assert_eq!(rig.payloads(early), ["m", ""], "subscribers get the empty message like any other");
    let late = rig.connect(v5("late"));
    rig.subscribe(late, "#", QOS0);
    assert_eq!(rig.payloads(late), Vec::<String>::new());
    assert_eq!(rig.directory.read(crate::Directory::retained), (0, 0));
}

#[test]
fn retain_handling_decides_whether_a_subscription_starts_with_retained_messages() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    rig.send(publisher, retained("a", "m"));
    // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]: how many on the first and on the second SUBSCRIBE.
    for (handling, first, second) in
        [(RetainHandling::SendAtSubscribe, 1, 1), (RetainHandling::SendIfNew, 1, 0), (RetainHandling::DoNotSend, 0, 0)]
    {
        let subscriber = rig.connect(v5("subscriber"));
        let options = SubscriptionOptions { retain_handling: handling, ..options() };
        rig.subscribe_with(subscriber, "a", options, None);
        assert_eq!(rig.payloads(subscriber).len(), first, "{handling:?}");
        rig.subscribe_with(subscriber, "a", options, None);
        assert_eq!(rig.payloads(subscriber).len(), second, "{handling:?}");
    }
}

#[test]
fn mqtt_3_3_1_12_retain_as_published_keeps_the_flag_and_nothing_else_does() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let (keeps, clears) = (rig.connect(v5("keeps")), rig.connect(v5("clears")));
    rig.subscribe_with(keeps, "a", SubscriptionOptions { retain_as_published: true, ..options() }, None);
    rig.subscribe_with(clears, "a", options(), None);
    rig.send(publisher, retained("a", "m"));
    rig.publish0(publisher, "a", "n");
    assert_eq!((rig.take(keeps).retain, rig.take(keeps).retain), (true, false), "[MQTT-3.3.1-13]");
    assert_eq!((rig.take(clears).retain, rig.take(clears).retain), (false, false));
}

#[test]
fn a_retained_message_expires() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let mut packet = publish("a", "m", QOS0, None);
    packet.properties.message_expiry_interval = Some(10);
    rig.send(publisher, Packet::Publish(Publish { retain: true, ..packet }));
    rig.pass(9_000);
    let subscriber = rig.connect(v5("subscriber"));
    rig.subscribe(subscriber, "a", QOS0);
    assert_eq!(rig.take(subscriber).properties.message_expiry_interval, Some(1));
    rig.pass(1_000);
    rig.subscribe(subscriber, "a", QOS0);
    assert_eq!(rig.next(subscriber), None);
    rig.send(publisher, retained("b", "m"));
    assert_eq!(rig.directory.read(crate::Directory::retained).0, 1, "and gives its room back");
}

#[test]
fn a_denied_subscription_is_told_and_gets_nothing() {
    let rule = Rule {
        name: "own".to_owned(),
        who: Who::Everyone,
        publish: vec![TopicPattern::parse("#").unwrap()],
        subscribe: vec![TopicPattern::parse("${client_identifier}/#").unwrap()],
        ..Rule::default()
    };
    let mut rig = Rig::with(2, Limits::default(), Ruleset::compile(vec![rule]));
    let publisher = rig.connect(v5("publisher"));
    rig.send(publisher, retained("b/x", "secret"));
    let a = rig.connect(v5("a"));
    for filter in ["#", "+/x", "b/x", "$share/g/b/x", "a/../b"] {
        let expected = if filter.starts_with("a/") { ReasonCode::GrantedQoS1 } else { ReasonCode::NotAuthorized };
        assert_eq!(rig.subscribe(a, filter, QOS1), expected, "`{filter}`");
    }
    rig.publish1(publisher, "b/x", "secret");
    assert_eq!(rig.payloads(a), Vec::<String>::new());
    let old = rig.connect(v311("old"));
    assert_eq!(rig.subscribe(old, "b/x", QOS1), ReasonCode::UnspecifiedError, "all that MQTT 3.1.1 can say");
    assert_eq!(rig.stats().refused.subscribe_denied, 5);
}

#[test]
fn subscriptions_survive_the_connection_with_the_session() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let a = rig.connect(v5("a").expiry(100));
    rig.subscribe_with(a, "t", options(), Some(5));
    rig.lose(a);
    rig.publish1(publisher, "t", "queued");
    rig.publish0(publisher, "t", "QoS 0 is for those who are there");
    let a = rig.connect(v5("a").expiry(100).resume());
    let received = rig.take(a);
    assert_eq!((text(&received).as_str(), received.dup), ("queued", false));
    assert_eq!(received.properties.subscription_identifiers.len(), 1);
    assert_eq!(rig.next(a), None);
}
