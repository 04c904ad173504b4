//! Rules that deny, and what a client is granted: subscriptions that stand in part, and sessions whose grant is not known or changes.

use std::sync::Arc;

use signet_mqtt::{Packet, Publish, ReasonCode};
use signet_policy::{Client, Conditions, Grant, QosSet, Rule, Ruleset, SourceRules, TopicPattern, Who};

use super::rig::*;
use crate::{CloseCause, ConnectionId, Input, Limits};

const GRANTED1: ReasonCode = ReasonCode::GrantedQoS1;

fn patterns(all: &[&str]) -> Vec<TopicPattern> {
    all.iter().map(|text| TopicPattern::parse(text).unwrap()).collect()
}

fn allow(who: Who, topics: &[&str]) -> Rule {
    Rule::allow("allow", who, patterns(topics), patterns(topics))
}

fn deny(who: Who, topics: &[&str]) -> Rule {
    Rule::deny("deny", who, patterns(&[]), patterns(topics))
}

/// Everything but what is secret.
fn but_secret() -> Ruleset {
    Ruleset::compile(vec![
        deny(Who::Username(signet_policy::NamePattern::new("low*")), &["a/secret", "hidden/#"]),
        allow(Who::Everyone, &["#"]),
    ])
}

fn ops() -> Grant {
    Grant { groups: ["ops".into()].into(), ..Grant::default() }
}

/// A client with rules of its own, as a token brings them.
fn own(topics: &[&str]) -> Grant {
    Grant {
        rules: vec![SourceRules { source: "jwt".into(), rules: vec![allow(Who::Everyone, topics)], is_complete: true }],
        ..Grant::default()
    }
}

fn client_of(rig: &mut Rig, id: ConnectionId, grant: Grant) {
    let client = rig.client(id);
    rig.input(id, Input::Regranted { connection: id, client: Arc::new(Client::regranted(&client, Arc::new(grant))) });
}

#[test]
fn a_filter_that_is_denied_is_refused_and_one_that_is_denied_in_part_brings_the_rest() {
    let mut rig = Rig::with(3, Limits::default(), but_secret());
    let publisher = rig.connect(v5("publisher"));
    let low = rig.connect(v5("low").username("low"));
    let high = rig.connect(v5("high").username("high"));
    rig.send(publisher, retained("a/secret", "kept secret"));
    rig.send(publisher, retained("a/open", "kept open"));
    assert_eq!(rig.subscribe(low, "a/secret", QOS1), ReasonCode::NotAuthorized);
    assert_eq!(rig.subscribe(low, "hidden/+/x", QOS1), ReasonCode::NotAuthorized);
    assert_eq!(rig.subscribe(low, "a/+", QOS1), GRANTED1);
    assert_eq!(rig.subscribe(high, "a/+", QOS1), GRANTED1);
    assert_eq!((rig.payloads(low), rig.payloads(high).len()), (vec!["kept open".to_owned()], 2));
    for (topic, payload) in [("a/secret", "1"), ("a/open", "2")] {
        rig.publish0(publisher, topic, payload);
        rig.publish1(publisher, topic, payload);
    }
    assert_eq!((rig.payloads(low), rig.payloads(high).len()), (vec!["2".to_owned(), "2".to_owned()], 4));
    assert_eq!(rig.stats().refused.messages_withheld, 2);
}

#[test]
fn a_delivery_that_is_denied_is_queued_for_nobody_and_denials_come_and_go_with_the_rules() {
    let mut rig = Rig::with(2, Limits::default(), Ruleset::compile(vec![allow(Who::Everyone, &["#"])]));
    let publisher = rig.connect(v5("publisher"));
    let low = rig.connect(v5("low").username("low").expiry(1_000));
    rig.subscribe(low, "#", QOS1);
    rig.lose(low);
    rig.publish1(publisher, "a/secret", "before");
    rig.publish1(publisher, "a/open", "open");
    rig.change_rules(but_secret());
    rig.publish1(publisher, "a/secret", "at once");
    rig.pass(10);
    rig.publish1(publisher, "a/secret", "after");
    let low = rig.connect(v5("low").username("low").expiry(1_000).resume());
    assert_eq!(rig.payloads(low), ["open"]);
    assert_eq!(rig.closed(low), None, "the subscription stands");
    rig.change_rules(Ruleset::compile(vec![allow(Who::Everyone, &["#"])]));
    rig.pass(10);
    rig.publish1(publisher, "a/secret", "again");
    assert_eq!(rig.payloads(low), ["again"]);
}

#[test]
fn what_was_sent_before_it_was_denied_is_not_sent_again() {
    let mut rig = Rig::with(2, Limits::default(), Ruleset::compile(vec![allow(Who::Everyone, &["#"])]));
    let publisher = rig.connect(v5("publisher"));
    let low = rig.connect(v5("low").username("low").expiry(1_000));
    rig.subscribe(low, "#", QOS1);
    rig.publish1(publisher, "a/secret", "secret");
    rig.publish1(publisher, "a/open", "open");
    // Neither is acknowledged.
    assert_eq!((text(&rig.take(low)), text(&rig.take(low))), ("secret".to_owned(), "open".to_owned()));
    rig.change_rules(but_secret());
    rig.pass(10);
    rig.lose(low);
    let low = rig.connect(v5("low").username("low").expiry(1_000).resume());
    assert_eq!(rig.payloads(low), ["open"]);
}

#[test]
fn a_member_of_a_shared_subscription_that_may_not_have_a_message_leaves_it_to_another() {
    for others in [0, 1, 3] {
        let mut rig = Rig::with(3, Limits::default(), but_secret());
        let publisher = rig.connect(v5("publisher"));
        let lows: Vec<ConnectionId> = (0..4).map(|number| rig.connect(v5(&format!("low{number}")).username("low"))).collect();
        let highs: Vec<ConnectionId> = (0..others).map(|number| rig.connect(v5(&format!("high{number}")).username("high"))).collect();
        for id in lows.iter().chain(&highs) {
            assert_eq!(rig.subscribe(*id, "$share/g/a/+", QOS1), GRANTED1);
        }
        for number in 0..5 {
            rig.publish1(publisher, "a/secret", &number.to_string());
        }
        let got: usize = highs.iter().map(|id| rig.payloads(*id).len()).sum();
        assert_eq!(got, if others == 0 { 0 } else { 5 }, "{others} others");
        assert!(lows.iter().all(|id| rig.payloads(*id).is_empty() && rig.closed(*id).is_none()));
    }
}

#[test]
fn a_permit_for_one_qos_is_none_for_another() {
    let qos: QosSet = [QOS0].into_iter().collect();
    let only0 = Rule { conditions: Conditions { qos: Some(qos), ..Conditions::default() }, ..allow(Who::Everyone, &["a"]) };
    let unretained = Rule { conditions: Conditions { retain: Some(false), ..Conditions::default() }, ..allow(Who::Everyone, &["b"]) };
    let mut rig = Rig::with(1, Limits::default(), Ruleset::compile(vec![only0, unretained]));
    let id = rig.connect(v5("c"));
    assert_eq!(rig.subscribe(id, "a", QOS0), ReasonCode::Success);
    assert_eq!(rig.subscribe(id, "a", QOS1), ReasonCode::NotAuthorized);
    rig.publish0(id, "a", "0");
    assert_eq!(rig.publish1(id, "a", "1"), ReasonCode::NotAuthorized);
    assert_eq!(rig.payloads(id), ["0"]);
    assert_eq!(rig.publish1(id, "b", "1"), ReasonCode::NoMatchingSubscribers);
    let kept = Publish { retain: true, ..publish("b", "1", QOS1, Some(2)) };
    assert_eq!(rig.publish_acknowledged(id, kept), ReasonCode::NotAuthorized);
}

#[test]
fn a_will_can_be_denied_where_other_messages_are_not() {
    let no_will = Rule {
        conditions: Conditions { will: Some(true), ..Conditions::default() },
        ..Rule::deny("no will", Who::Everyone, patterns(&["#"]), Vec::new())
    };
    let mut rig = Rig::with(1, Limits::default(), Ruleset::compile(vec![no_will, allow(Who::Everyone, &["#"])]));
    let refused = rig.dial(v5("c").will("a", "x", 0)).unwrap_err();
    assert_eq!(refused.denied.rule, "no will");
    let id = rig.connect(v5("c"));
    assert_eq!(rig.publish1(id, "a", "1"), ReasonCode::NoMatchingSubscribers);
}

#[test]
fn a_client_that_is_granted_something_else_is_judged_again_at_once() {
    let rules = || Ruleset::compile(vec![allow(Who::Group("ops".to_owned()), &["#"]), allow(Who::Everyone, &["open"])]).with_grants(true);
    let mut rig = Rig::with(2, Limits::default(), rules());
    let publisher = rig.connect(v5("publisher").grant(ops()));
    let ann = rig.connect(v5("ann").username("ann").grant(ops()).expiry(100));
    rig.subscribe(ann, "team/#", QOS1);
    rig.publish1(publisher, "team/x", "1");
    assert_eq!(rig.payloads(ann), ["1"]);
    assert_eq!(rig.publish1(ann, "elsewhere", "x"), ReasonCode::NoMatchingSubscribers);
    // The same again changes nothing.
    client_of(&mut rig, ann, ops());
    rig.publish1(publisher, "team/x", "2");
    assert_eq!(rig.payloads(ann), ["2"]);
    client_of(&mut rig, ann, Grant::default());
    assert_eq!(rig.closed(ann), Some(&CloseCause::SubscriptionEnded("team/#".to_owned())));
    let ann = rig.connect(v5("ann").username("ann").grant(ops()).expiry(100).resume());
    rig.drain(ann);
    assert_eq!(rig.subscribe(ann, "open", QOS1), GRANTED1);
    client_of(&mut rig, ann, Grant::default());
    assert_eq!(rig.closed(ann), None);
    assert_eq!(rig.publish1(ann, "elsewhere", "x"), ReasonCode::NotAuthorized, "no permit of before counts");
}

#[test]
fn who_comes_back_with_another_grant_is_judged_by_that_before_anything_is_sent() {
    let rules = Ruleset::compile(vec![allow(Who::Group("ops".to_owned()), &["#"]), allow(Who::Everyone, &["open"])]).with_grants(true);
    let mut rig = Rig::with(2, Limits::default(), rules);
    let publisher = rig.connect(v5("publisher").grant(ops()));
    let ann = rig.connect(v5("ann").username("ann").grant(ops()).expiry(100));
    rig.subscribe(ann, "team/#", QOS1);
    rig.subscribe(ann, "open", QOS1);
    rig.lose(ann);
    rig.publish1(publisher, "team/x", "team");
    rig.publish1(publisher, "open", "open");
    let ann = rig.connect(v5("ann").username("ann").grant(Grant::default()).expiry(100).resume());
    assert_eq!(rig.payloads(ann), ["open"]);
}

#[test]
fn a_stored_session_whose_grant_nobody_knows_loses_nothing_and_gets_nothing_it_may_not_have() {
    for is_granted in [true, false] {
        let rules = || {
            let ops = Who::Group("ops".to_owned());
            Ruleset::compile(vec![deny(Who::Group("dev".to_owned()), &["open"]), allow(ops, &["team/#"]), allow(Who::Everyone, &["open"])])
                .with_grants(true)
        };
        let mut rig = Rig::with(2, Limits::default(), rules());
        let publisher = rig.connect(v5("publisher").grant(Grant { superuser: true, ..Grant::default() }));
        let ann = rig.connect(v5("ann").username("ann").grant(ops()).expiry(10_000));
        for filter in ["team/#", "open"] {
            assert_eq!(rig.subscribe(ann, filter, QOS1), GRANTED1);
        }
        rig.lose(ann);
        rig.publish1(publisher, "team/x", "before");
        rig.restart(usize::MAX, 3);
        rig.pass(100);
        let publisher = rig.connect(v5("publisher").grant(Grant { superuser: true, ..Grant::default() }));
        assert_eq!(rig.publish1(publisher, "team/x", "after"), ReasonCode::Success, "the subscription stands");
        assert_eq!(rig.publish1(publisher, "open", "open"), ReasonCode::Success);
        rig.change_rules(rules());
        rig.pass(100);
        let grant = if is_granted { ops() } else { Grant { groups: ["dev".into()].into(), ..Grant::default() } };
        let ann = rig.connect(v5("ann").username("ann").grant(grant).expiry(10_000).resume());
        let expected: &[&str] = if is_granted { &["before", "after", "open"] } else { &[] };
        assert_eq!(rig.payloads(ann), expected, "is granted: {is_granted}");
    }
}

#[test]
fn a_stored_session_of_a_client_with_rules_of_its_own_waits_for_them() {
    let rules = Ruleset::compile(vec![allow(Who::Everyone, &["open"])]).with_grants(true);
    let mut rig = Rig::with(2, Limits::default(), rules);
    let publisher = rig.connect(v5("publisher").grant(own(&["#"])));
    let ann = rig.connect(v5("ann").username("ann").grant(own(&["mine/#"])).expiry(10_000));
    rig.subscribe(ann, "mine/#", QOS1);
    rig.lose(ann);
    rig.restart(usize::MAX, 2);
    rig.pass(100);
    let publisher_again = rig.connect(v5("publisher").grant(own(&["#"])));
    assert_ne!(publisher, publisher_again);
    rig.publish1(publisher_again, "mine/x", "mine");
    rig.publish1(publisher_again, "mine/y", "theirs");
    let ann = rig.connect(v5("ann").username("ann").grant(own(&["mine/x"])).expiry(10_000).resume());
    assert!(rig.drain(ann).is_empty(), "the filter is wider than the new rules");
    let ann = rig.connect(v5("ann").username("ann").grant(own(&["mine/x"])).expiry(10_000).resume());
    assert!(rig.drain(ann).is_empty());
}

#[test]
fn the_will_of_a_client_whose_grant_nobody_knows_needs_a_rule_without_it() {
    for (allows, expected) in [(false, 0), (true, 1)] {
        let mut all = vec![allow(Who::Group("ops".to_owned()), &["#"]), allow(Who::Everyone, &["open"])];
        if allows {
            all.push(allow(Who::Everyone, &["wills/#"]));
        }
        let mut rig = Rig::with(1, Limits::default(), Ruleset::compile(all).with_grants(true));
        let ann = rig.connect(v5("ann").username("ann").grant(ops()).expiry(100).will("wills/x", "will", 5));
        rig.lose(ann);
        rig.revive_with(|_| {});
        let reader = rig.connect(v5("reader").grant(ops()));
        rig.subscribe(reader, "#", QOS1);
        rig.pass(6_000);
        let got = rig.drain(reader).iter().filter(|packet| matches!(packet, Packet::Publish(_))).count();
        assert_eq!(got, expected, "allows: {allows}");
    }
}

#[test]
fn what_came_by_a_subscription_that_was_given_up_is_judged_by_rules_that_came_meanwhile() {
    let mut rig = Rig::with(2, Limits::default(), Ruleset::compile(vec![allow(Who::Everyone, &["#"])]));
    let (mut publisher, low) = (rig.connect(v5("publisher")), rig.connect(v5("low").username("low")));
    let mut number = 0;
    while rig.shard_of(publisher) == rig.shard_of(low) {
        number += 1;
        publisher = rig.connect(v5(&format!("publisher-{number}")));
    }
    rig.subscribe(low, "#", QOS0);
    rig.subscribe(low, "a/open", QOS0);
    rig.holds_handovers = true;
    rig.publish0(publisher, "a/secret", "secret");
    rig.publish0(publisher, "a/open", "open");
    assert_eq!(rig.unsubscribe(low, "#"), ReasonCode::Success);
    rig.change_rules(but_secret());
    rig.pass(10);
    while rig.release(0) {}
    assert_eq!(rig.payloads(low), ["open"]);
}
