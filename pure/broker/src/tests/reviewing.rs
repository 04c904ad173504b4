//! What a change of rules or of trust does to sessions that are there.

use std::sync::Arc;

use signet_identity::DeviceIdentity;
use signet_mqtt::{Ack, Packet, Publish, ReasonCode};
use signet_policy::{NamePattern, Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{CloseCause, ConnectionId, Event, Input, Judge, KickCause, Limits, SessionRule, WillRule};

fn allow(who: Who, subscribe: &[&str]) -> Rule {
    let parse = |text: &&str| TopicPattern::parse(text).unwrap();
    Rule { name: "rule".to_owned(), who, publish: vec![parse(&"#")], subscribe: subscribe.iter().map(parse).collect(), ..Rule::default() }
}

fn readable(subscribe: &[&str]) -> Ruleset {
    Ruleset::compile(vec![allow(Who::Everyone, subscribe)])
}

fn ended(rig: &Rig) -> Vec<(String, Option<ConnectionId>)> {
    let ended = rig.events.iter().filter_map(|event| match event {
        Event::SubscriptionEnded { connection, filter, .. } => Some((filter.as_str().to_owned(), *connection)),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_subscription_that_the_rules_no_longer_allow_ends_and_its_client_is_told_by_the_end_of_its_connection() {
    let mut rig = Rig::with(3, Limits::default(), readable(&["#"]));
    let publisher = rig.connect(v5("publisher"));
    let concerned = rig.connect(v5("concerned").expiry(100));
    let other = rig.connect(v5("other"));
    rig.subscribe(concerned, "secret/#", QOS1);
    rig.subscribe(concerned, "open/#", QOS1);
    rig.subscribe(other, "open/#", QOS1);
    rig.change_rules(readable(&["open/#"]));
    rig.pass(10);
    assert_eq!(rig.closed(concerned), Some(&CloseCause::SubscriptionEnded("secret/#".to_owned())));
    let Some(Packet::Disconnect(told)) = rig.next(concerned) else { panic!("no DISCONNECT") };
    assert_eq!(told.reason_code, ReasonCode::NotAuthorized);
    assert!(told.reason_string.unwrap().contains("secret/#"));
    assert_eq!(ended(&rig), [("secret/#".to_owned(), Some(concerned))]);
    assert_eq!(rig.closed(other), None, "nobody entitled is disconnected");
    rig.publish1(publisher, "secret/x", "secret");
    rig.publish1(publisher, "open/x", "open");
    let concerned = rig.connect(v5("concerned").expiry(100).resume());
    assert_eq!(rig.payloads(concerned), ["open"], "the rest of the session is as it was");
    assert_eq!(rig.payloads(other), ["open"]);
    assert_eq!(rig.stats().refused.subscriptions_ended, 1);
}

#[test]
fn what_waits_in_a_session_without_a_connection_is_taken_back_and_stays_so_after_a_crash() {
    for crashes in [false, true] {
        let mut rig = Rig::with(2, Limits::default(), readable(&["#"]));
        let publisher = rig.connect(v5("publisher"));
        let away = rig.connect(v5("away").expiry(1_000));
        for filter in ["secret/#", "both/#", "both/x", "open"] {
            rig.subscribe(away, filter, QOS1);
        }
        rig.lose(away);
        for topic in ["secret/x", "both/x", "both/y", "open"] {
            assert_eq!(rig.publish1(publisher, topic, topic), ReasonCode::Success);
        }
        // `both/y` came by a subscription that ends, `both/x` by one that stays too.
        rig.change_rules(readable(&["both/x", "open"]));
        if crashes {
            rig.restart(usize::MAX, 3);
        }
        let away = rig.connect(v5("away").expiry(1_000).resume());
        assert_eq!(rig.payloads(away), ["both/x", "open"], "crashes: {crashes}");
    }
}

#[test]
fn rules_that_changed_while_nobody_ran_count_at_the_start() {
    let mut rig = Rig::with(2, Limits::default(), readable(&["#"]));
    let publisher = rig.connect(v5("publisher"));
    let away = rig.connect(v5("away").expiry(1_000));
    rig.subscribe(away, "secret/#", QOS1);
    rig.lose(away);
    rig.publish1(publisher, "secret/x", "1");
    rig.ruleset = Arc::new(readable(&["open"]));
    rig.restart(usize::MAX, 2);
    rig.pass(10);
    assert_eq!(ended(&rig), [("secret/#".to_owned(), None)]);
    let publisher = rig.connect(v5("publisher"));
    assert_eq!(rig.publish1(publisher, "secret/x", "2"), ReasonCode::NoMatchingSubscribers);
    let away = rig.connect(v5("away").expiry(1_000).resume());
    assert_eq!(rig.payloads(away), Vec::<String>::new());
}

#[test]
fn a_delivery_before_the_turn_of_its_session_is_judged_and_so_is_one_that_was_on_its_way() {
    let mut rig = Rig::with(2, Limits::default(), readable(&["#"]));
    let (mut publisher, subscriber) = (rig.connect(v5("publisher")), rig.connect(v5("subscriber").expiry(100)));
    let mut number = 0;
    while rig.shard_of(publisher) == rig.shard_of(subscriber) {
        number += 1;
        publisher = rig.connect(v5(&format!("publisher-{number}")));
    }
    rig.subscribe(subscriber, "secret/#", QOS1);
    rig.holds_handovers = true;
    rig.publish1(publisher, "secret/x", "on its way");
    rig.change_rules(readable(&["open"]));
    rig.pass(10);
    let subscriber = rig.connect(v5("subscriber").expiry(100).resume());
    while rig.release(0) {}
    assert_eq!(rig.payloads(subscriber), Vec::<String>::new(), "it was routed to a subscription that is gone");
    assert_eq!(rig.stats().refused.messages_withheld, 1);
}

#[test]
fn who_is_connected_and_was_not_judged_yet_gets_nothing_that_the_rules_have_taken() {
    for qos in [QOS0, QOS1] {
        let mut rig = Rig::with(1, Limits::default(), readable(&["#"]));
        let publisher = rig.connect(v5("publisher"));
        let ids: Vec<ConnectionId> = (0..60).map(|number| rig.connect(v5(&format!("c{number}")))).collect();
        for id in &ids {
            rig.subscribe(*id, "#", qos);
        }
        rig.change_rules(readable(&["open"]));
        let waiting = ids.iter().filter(|id| rig.closed(**id).is_none()).count();
        assert!(waiting > 0 && waiting < 60, "{waiting}");
        rig.publish0(publisher, "secret", "0");
        rig.publish1(publisher, "secret", "1");
        for id in &ids {
            assert!(!rig.drain(*id).iter().any(|packet| matches!(packet, Packet::Publish(_))));
        }
        rig.pass(10);
        assert!(ids.iter().all(|id| rig.closed(*id).is_some()));
    }
}

#[test]
fn very_many_sessions_are_judged_some_at_a_time_and_none_gets_what_it_may_not_have_meanwhile() {
    const SESSIONS: usize = 60;
    let mut rig = Rig::with(1, Limits::default(), readable(&["#"]));
    let publisher = rig.connect(v5("publisher"));
    for number in 0..SESSIONS {
        let id = rig.connect(v5(&format!("c{number}")).expiry(1_000));
        rig.subscribe(id, "secret/x", QOS1);
        rig.lose(id);
    }
    rig.change_rules(readable(&["open"]));
    let judged = rig.stats().refused.subscriptions_ended;
    assert!(judged > 0 && judged < 30, "{judged} at once");
    rig.publish1(publisher, "secret/x", "secret");
    rig.pass(20);
    assert_eq!(rig.stats().refused.subscriptions_ended, u64::try_from(SESSIONS).unwrap());
    assert!(rig.stats().refused.messages_withheld > 30, "the others were still in the directory");
    let last = rig.connect(v5(&format!("c{}", SESSIONS - 1)).expiry(1_000).resume());
    assert_eq!(rig.payloads(last), Vec::<String>::new());
}

#[test]
fn a_message_of_a_group_goes_to_a_member_that_may_have_it() {
    let devices = |who| Ruleset::compile(vec![allow(who, &["#"]), allow(Who::Everyone, &["open"])]);
    for holds_handovers in [false, true] {
        let mut rig = Rig::with(3, Limits::default(), devices(Who::Everyone));
        let publisher = rig.connect(v5("publisher"));
        let members: Vec<_> = (0..6).map(|number| rig.connect(v5(&format!("m{number}")).expiry(100))).collect();
        let heir = rig.connect(v5("heir").device("heir").expiry(100));
        for id in members.iter().chain([&heir]) {
            rig.subscribe(*id, "$share/g/t/#", QOS1);
        }
        for id in &members {
            rig.lose(*id);
        }
        rig.lose(heir);
        rig.holds_handovers = holds_handovers;
        for number in 0..14 {
            rig.publish1(publisher, "t/x", &number.to_string());
        }
        rig.change_rules(devices(Who::Devices));
        rig.publish1(publisher, "t/x", "14");
        while rig.release(0) {}
        rig.pass(10);
        while rig.release(0) {}
        let heir = rig.connect(v5("heir").device("heir").expiry(100).resume());
        let mut seen: Vec<u32> = rig.payloads(heir).iter().map(|payload| payload.parse().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..15).collect::<Vec<_>>(), "each once, held: {holds_handovers}");
    }
}

#[test]
fn a_message_under_way_is_not_sent_again_and_its_packet_identifier_is_not_lost() {
    let mut rig = Rig::with(1, Limits::default(), readable(&["#"]));
    let publisher = rig.connect(v5("publisher"));
    let subscriber = rig.connect(v5("subscriber").expiry(100));
    rig.subscribe(subscriber, "secret/#", QOS2);
    rig.publish1(publisher, "secret/x", "once");
    rig.send(publisher, Packet::Publish(publish("secret/x", "twice", QOS2, Some(9))));
    let under_way: Vec<Publish> = (0..2).map(|_| rig.take(subscriber)).collect();
    rig.lose(subscriber);
    rig.change_rules(readable(&["open"]));
    let subscriber = rig.connect(v5("subscriber").expiry(100).resume());
    let Some(Packet::Pubrel(pubrel)) = rig.next(subscriber) else { panic!("the exchange of QoS 2 has to end") };
    assert_eq!(Some(pubrel.packet_id), under_way[1].packet_id);
    assert!(rig.next(subscriber).is_none(), "and nothing is sent again");
    rig.send(subscriber, Packet::Pubcomp(Ack::new(pubrel.packet_id, ReasonCode::PacketIdentifierNotFound)));
    assert_eq!(rig.closed(subscriber), None);
}

#[test]
fn who_comes_back_with_other_facts_keeps_what_those_allow() {
    let rules = Ruleset::compile(vec![allow(Who::Username(NamePattern::exact("ann")), &["#"]), allow(Who::Everyone, &["open"])]);
    let mut rig = Rig::with(2, Limits::default(), rules);
    let publisher = rig.connect(v5("publisher"));
    let id = rig.connect(v5("c").username("ann").expiry(100));
    rig.subscribe(id, "secret/#", QOS1);
    rig.subscribe(id, "open", QOS1);
    rig.lose(id);
    rig.publish1(publisher, "secret/x", "secret");
    rig.publish1(publisher, "open", "open");
    let id = rig.connect(v5("c").username("bob").expiry(100).resume());
    assert_eq!(rig.payloads(id), ["open"]);
    assert_eq!(rig.closed(id), None, "the CONNACK was yet to come");
}

/// Entitled are all but these names.
#[derive(Debug)]
struct Without(&'static [&'static str]);

impl Judge for Without {
    fn is_entitled(&self, identity: &DeviceIdentity) -> bool {
        !self.0.contains(&identity.name().as_str())
    }
}

#[test]
fn who_is_no_longer_entitled_leaves_what_the_operator_says() {
    for (will, session, wills, kept) in [
        (WillRule::Publish, SessionRule::Keep, vec!["gone"], true),
        (WillRule::Drop, SessionRule::Keep, vec![], true),
        (WillRule::Publish, SessionRule::End, vec!["gone"], false),
        (WillRule::Drop, SessionRule::End, vec![], false),
    ] {
        for is_connected in [false, true] {
            let mut rig = Rig::new();
            let watcher = rig.connect(v5("watcher"));
            rig.subscribe(watcher, "will/#", QOS0);
            let bad = rig.connect(v5("a").device("pump-7").expiry(100).will("will/a", "gone", 10));
            let good = rig.connect(v5("b").device("pump-8").expiry(100).will("will/b", "good", 10));
            rig.lose(good);
            if !is_connected {
                rig.lose(bad);
            }
            rig.review(Arc::new(Without(&["pump-7"])), will, session);
            if is_connected {
                assert_eq!(rig.closed(bad), None, "live connections are ended one by one");
                // The connection is gone before the order to end it comes.
                rig.lose(bad);
                rig.kick(bad, KickCause::Revoked("keyCompromise"), will);
            }
            rig.pass(11_000);
            let mut seen = rig.payloads(watcher);
            seen.retain(|payload| payload != "good");
            assert_eq!(seen, wills, "{will:?} {session:?} {is_connected}");
            let (_, connack) = rig.connected(v5("a").device("pump-7").expiry(100).resume());
            assert_eq!(connack.session_present, kept, "{will:?} {session:?} {is_connected}");
            let (_, connack) = rig.connected(v5("b").device("pump-8").expiry(100).resume());
            assert!(connack.session_present);
        }
    }
}

#[test]
fn a_kick_ends_the_session_too_if_it_says_so() {
    for (session, kept) in [(SessionRule::Keep, true), (SessionRule::End, false)] {
        let mut rig = Rig::new();
        let id = rig.connect(v5("a").device("pump-7").expiry(100));
        rig.input(id, Input::Kick { connection: id, cause: KickCause::Suspended, will: WillRule::Drop, session });
        assert!(matches!(rig.next(id), Some(Packet::Disconnect(told)) if told.reason_code == ReasonCode::AdministrativeAction));
        rig.restart(usize::MAX, 2);
        let (_, connack) = rig.connected(v5("a").device("pump-7").expiry(100).resume());
        assert_eq!(connack.session_present, kept);
    }
}

#[test]
fn no_review_is_left_out_however_many_there_are() {
    let mut rig = Rig::with(1, Limits::default(), Ruleset::allow_all());
    for number in 0..50 {
        let id = rig.connect(v5(&format!("c{number}")).device("pump-8").expiry(1_000));
        rig.lose(id);
    }
    let id = rig.connect(v5("a").device("pump-7").expiry(1_000));
    rig.lose(id);
    rig.review(Arc::new(Without(&["pump-7"])), WillRule::Drop, SessionRule::End);
    for _ in 0..20 {
        rig.review(Arc::new(Without(&[])), WillRule::Drop, SessionRule::End);
    }
    rig.pass(200);
    assert_eq!(rig.stats().sessions, 50);
}
