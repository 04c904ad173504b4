//! Access sources that are asked about one topic at a time.

use std::sync::Arc;

use signet_mqtt::{Packet, ReasonCode, Suback, Subscribe, SubscribeFilter, SubscriptionOptions, TopicFilter};
use signet_policy::{AccessAnswer, AccessSource, Grant, Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{CloseCause, ConnectionId, Input, Limits};

const GRANTED1: ReasonCode = ReasonCode::GrantedQoS1;

fn asked() -> AccessSource {
    AccessSource::Asked("http".into())
}

fn rules() -> Ruleset {
    let pattern = |text: &str| vec![TopicPattern::parse(text).unwrap()];
    let open = Rule::allow("open", Who::Everyone, pattern("open/#"), pattern("open/#"));
    let secret = Rule::deny("secret", Who::Everyone, pattern("a/secret"), pattern("a/secret"));
    Ruleset::compile(vec![secret, open]).with_sources(vec![asked()])
}

fn failed() -> AccessAnswer {
    AccessAnswer::Failed("it is down".to_owned())
}

/// Subscribes, and answers what is asked.
fn subscribe_asked(rig: &mut Rig, id: ConnectionId, filter: &str, answer: AccessAnswer, lasts: u64) -> ReasonCode {
    let options = SubscriptionOptions { maximum_qos: QOS1, ..SubscriptionOptions::default() };
    rig.send(id, Packet::Subscribe(subscribe(filter, options, None)));
    assert_eq!(rig.next(id), None, "it waits");
    rig.answer(answer, lasts);
    match rig.next(id) {
        Some(Packet::Suback(Suback { reason_codes, .. })) => reason_codes[0],
        other => panic!("no SUBACK: {other:?}"),
    }
}

fn publish_asked(rig: &mut Rig, id: ConnectionId, topic: &str, answer: AccessAnswer, lasts: u64) -> ReasonCode {
    rig.send(id, Packet::Publish(publish(topic, topic, QOS1, Some(1))));
    assert_eq!(rig.next(id), None, "it waits");
    rig.answer(answer, lasts);
    match rig.next(id) {
        Some(Packet::Puback(ack)) => ack.reason_code,
        other => panic!("no PUBACK: {other:?}"),
    }
}

#[test]
fn a_publish_waits_for_its_answer_which_is_remembered_for_its_time() {
    let mut rig = Rig::with(2, Limits::default(), rules());
    let id = rig.connect(v5("c"));
    assert_eq!(rig.publish1(id, "open/x", "1"), ReasonCode::NoMatchingSubscribers, "nobody is asked");
    assert_eq!(publish_asked(&mut rig, id, "a/x", AccessAnswer::Allow, 10), ReasonCode::NoMatchingSubscribers);
    assert_eq!(rig.publish1(id, "a/x", "1"), ReasonCode::NoMatchingSubscribers, "it is remembered");
    assert_eq!(publish_asked(&mut rig, id, "a/y", AccessAnswer::Deny, 10), ReasonCode::NotAuthorized);
    assert_eq!(rig.publish1(id, "a/y", "1"), ReasonCode::NotAuthorized);
    assert_eq!(publish_asked(&mut rig, id, "a/z", AccessAnswer::Continue, 10), ReasonCode::NotAuthorized);
    assert_eq!(rig.publish1(id, "a/secret", "1"), ReasonCode::NotAuthorized, "a rule before the source denies it");
    rig.pass(11_000);
    assert_eq!(publish_asked(&mut rig, id, "a/x", AccessAnswer::Deny, 10), ReasonCode::NotAuthorized);
    // One that could not be asked denies, and is asked again the next time.
    for _ in 0..2 {
        assert_eq!(publish_asked(&mut rig, id, "b", failed(), 10), ReasonCode::NotAuthorized);
    }
    assert!(rig.asked.questions.is_empty());
}

#[test]
fn answers_are_bounded() {
    let limits = Limits { access_answers_maximum: 2, ..Limits::default() };
    let mut rig = Rig::with(1, limits, rules());
    let id = rig.connect(v5("c"));
    for topic in ["a", "b", "c"] {
        publish_asked(&mut rig, id, topic, AccessAnswer::Allow, 10);
    }
    assert_eq!(publish_asked(&mut rig, id, "a", AccessAnswer::Deny, 10), ReasonCode::NotAuthorized, "the oldest made room");
}

#[test]
fn every_filter_of_a_list_is_asked_about_and_granted_or_refused_by_itself() {
    let mut rig = Rig::with(2, Limits::default(), rules());
    let publisher = rig.connect(v5("publisher"));
    let id = rig.connect(v5("c"));
    let options = SubscriptionOptions { maximum_qos: QOS1, ..SubscriptionOptions::default() };
    let filters = ["a/#", "open/x", "b/#", "$share/g/c", "a/secret", "d"];
    let entry = |filter: &&str| SubscribeFilter { filter: TopicFilter::new(filter.to_string()).unwrap(), options };
    let list = Subscribe { subscriptions: filters.iter().map(entry).collect(), ..subscribe("x", options, None) };
    rig.send(id, Packet::Subscribe(list));
    let mut asked = Vec::new();
    for answer in [AccessAnswer::Allow, AccessAnswer::Deny, AccessAnswer::Allow, failed()] {
        assert_eq!(rig.next(id), None);
        asked.push(rig.answer(answer, 60));
    }
    assert!(asked.iter().zip(["a/#", "b/#", "c", "d"]).all(|(asked, filter)| asked.ends_with(&format!(" {filter}"))), "{asked:?}");
    let Some(Packet::Suback(suback)) = rig.next(id) else { panic!("no SUBACK") };
    let no = ReasonCode::NotAuthorized;
    let yes = GRANTED1;
    assert_eq!(suback.reason_codes, [yes, yes, no, yes, no, no]);
    // What comes by an allowed filter was allowed with it, but for what a rule denies.
    for topic in ["a/x", "a/secret", "open/x", "c"] {
        if topic.starts_with("open") {
            rig.publish1(publisher, topic, topic);
        } else if topic == "a/secret" {
            assert_eq!(rig.publish1(publisher, topic, topic), no);
        } else {
            publish_asked(&mut rig, publisher, topic, AccessAnswer::Allow, 60);
        }
    }
    assert_eq!(rig.payloads(id), ["a/x", "open/x", "c"]);
}

#[test]
fn nobody_is_asked_about_more_filters_than_a_session_may_have() {
    let limits = Limits { subscriptions_maximum: 2, ..Limits::default() };
    let mut rig = Rig::with(1, limits, rules());
    let id = rig.connect(v5("c"));
    let options = SubscriptionOptions { maximum_qos: QOS1, ..SubscriptionOptions::default() };
    let entry = |number: u32| SubscribeFilter { filter: TopicFilter::new(format!("f/{number}")).unwrap(), options };
    let list = Subscribe { subscriptions: (0..50).map(entry).collect(), ..subscribe("x", options, None) };
    rig.send(id, Packet::Subscribe(list));
    rig.answer(AccessAnswer::Allow, 60);
    rig.answer(AccessAnswer::Allow, 60);
    let Some(Packet::Suback(suback)) = rig.next(id) else { panic!("no SUBACK") };
    assert_eq!(suback.reason_codes[..2], [GRANTED1; 2]);
    assert!(suback.reason_codes[2..].iter().all(|code| *code == ReasonCode::QuotaExceeded), "{:?}", suback.reason_codes);
}

#[test]
fn what_is_forgotten_is_asked_anew_before_anything_is_delivered_by_it() {
    for (again, ends) in [(AccessAnswer::Allow, false), (AccessAnswer::Deny, true)] {
        let mut rig = Rig::with(1, Limits::default(), rules());
        let (publisher, id) = (rig.connect(v5("publisher")), rig.connect(v5("c")));
        subscribe_asked(&mut rig, id, "a/#", AccessAnswer::Allow, 86_400);
        publish_asked(&mut rig, publisher, "a/x", AccessAnswer::Allow, 86_400);
        assert_eq!(rig.payloads(id), ["a/x"]);
        rig.apply(0, Input::AnswersForgotten);
        assert_eq!(rig.asked.questions.len(), 1, "about the subscription");
        let first = rig.asked.questions.pop_front().unwrap();
        publish_asked(&mut rig, publisher, "a/x", AccessAnswer::Allow, 86_400);
        assert_eq!(rig.next(id), None, "it waits");
        rig.asked.questions.push_front(first);
        rig.answer(again, 60);
        rig.pass(5);
        assert_eq!(rig.closed(id).is_some(), ends);
        if !ends {
            assert_eq!(rig.payloads(id), ["a/x"]);
        }
    }
}

#[test]
fn nothing_is_lost_or_doubled_with_a_qos_2_message_that_waits() {
    let mut rig = Rig::with(1, Limits::default(), rules());
    let id = rig.connect(v5("c"));
    assert_eq!(subscribe_asked(&mut rig, id, "a", AccessAnswer::Allow, 100), GRANTED1);
    rig.send(id, Packet::Publish(publish("a", "exact", QOS2, Some(5))));
    rig.answer(AccessAnswer::Allow, 100);
    let got = rig.drain(id);
    assert!(matches!(got.as_slice(), [Packet::Publish(_), Packet::Pubrec(_)]), "{got:?}");
    // A connection that goes away while it waits leaves nothing behind.
    rig.send(id, Packet::Publish(publish("b", "x", QOS1, Some(6))));
    rig.lose(id);
    rig.answer(AccessAnswer::Allow, 100);
    assert_eq!(rig.stats().connections, 0);
}

#[test]
fn a_subscription_is_asked_about_again_and_ends_when_the_answer_has_changed() {
    for (again, ends) in [(AccessAnswer::Allow, false), (AccessAnswer::Deny, true), (failed(), true)] {
        let mut rig = Rig::with(2, Limits::default(), rules());
        let publisher = rig.connect(v5("publisher"));
        let id = rig.connect(v5("c"));
        assert_eq!(subscribe_asked(&mut rig, id, "a/#", AccessAnswer::Allow, 60), GRANTED1);
        rig.pass(60_000);
        assert!(rig.asked.questions.is_empty());
        rig.pass(2);
        assert_eq!(rig.asked.questions.len(), 1);
        publish_asked_while_another_waits(&mut rig, publisher);
        assert_eq!(rig.payloads(id), ["a/x"], "it is not doubted before there is another answer");
        rig.answer(again, 60);
        assert_eq!(rig.closed(id).is_some(), ends);
        if ends {
            assert_eq!(rig.closed(id), Some(&CloseCause::SubscriptionEnded("a/#".to_owned())));
        } else {
            rig.pass(60_002);
            assert_eq!(rig.asked.questions.len(), 1, "and again");
        }
    }
}

fn publish_asked_while_another_waits(rig: &mut Rig, publisher: ConnectionId) {
    rig.send(publisher, Packet::Publish(publish("a/x", "a/x", QOS1, Some(1))));
    let first = rig.asked.questions.pop_front().unwrap();
    rig.answer(AccessAnswer::Allow, 600);
    rig.asked.questions.push_front(first);
    assert!(matches!(rig.next(publisher), Some(Packet::Puback(_))));
}

#[test]
fn one_that_says_that_its_answers_do_not_last_is_not_asked_all_the_time() {
    let mut rig = Rig::with(1, Limits::default(), rules());
    let id = rig.connect(v5("c"));
    subscribe_asked(&mut rig, id, "a", AccessAnswer::Allow, 0);
    rig.pass(9_000);
    assert!(rig.asked.questions.is_empty());
    rig.pass(2_000);
    assert_eq!(rig.asked.questions.len(), 1);
    rig.answer(AccessAnswer::Allow, 0);
    assert_eq!((rig.asked.questions.len(), rig.closed(id)), (0, None));
    rig.unsubscribe(id, "a");
    rig.pass(60_000);
    assert!(rig.asked.questions.is_empty(), "nothing rests on it any more");
}

#[test]
fn who_comes_back_after_the_time_of_an_answer_gets_nothing_before_there_is_another() {
    for (again, restarts) in
        [(AccessAnswer::Allow, false), (AccessAnswer::Deny, false), (AccessAnswer::Allow, true), (AccessAnswer::Deny, true)]
    {
        let mut rig = Rig::with(2, Limits::default(), rules());
        let publisher = rig.connect(v5("publisher"));
        let id = rig.connect(v5("c").expiry(1_000));
        subscribe_asked(&mut rig, id, "a/#", AccessAnswer::Allow, 20);
        assert_eq!(rig.subscribe(id, "open/x", QOS1), GRANTED1);
        rig.lose(id);
        publish_asked(&mut rig, publisher, "a/x", AccessAnswer::Allow, 600);
        rig.publish1(publisher, "open/x", "open");
        rig.pass(30_000);
        if restarts {
            rig.restart(usize::MAX, 3);
            rig.pass(10);
        }
        let publisher = rig.connect(v5("publisher-2"));
        publish_asked(&mut rig, publisher, "a/y", AccessAnswer::Allow, 600);
        let id = rig.connect(v5("c").expiry(1_000).resume());
        assert_eq!(rig.next(id), None, "everything waits");
        rig.publish1(publisher, "a/y", "a/z");
        assert_eq!(rig.asked.questions.len(), 1);
        rig.answer(again.clone(), 60);
        if again == AccessAnswer::Allow {
            assert_eq!(
                (rig.payloads_after_pump(id), rig.closed(id)),
                (vec!["a/x", "open", "a/y", "a/z"].into_iter().map(str::to_owned).collect(), None)
            );
        } else {
            assert_eq!(rig.closed(id), Some(&CloseCause::SubscriptionEnded("a/#".to_owned())));
            let id = rig.connect(v5("c").expiry(1_000).resume());
            assert_eq!(rig.payloads(id), ["open"]);
        }
    }
}

#[test]
fn new_rules_that_have_to_ask_hold_deliveries_until_they_know() {
    for (answer, expected) in [(AccessAnswer::Allow, vec!["1".to_owned(), "2".to_owned()]), (AccessAnswer::Deny, vec![])] {
        let mut rig = Rig::with(1, Limits::default(), Ruleset::allow_all());
        let publisher = rig.connect(v5("publisher"));
        let id = rig.connect(v5("c").expiry(100));
        rig.subscribe(id, "a/#", QOS1);
        rig.change_rules(rules());
        rig.pass(5);
        rig.send(publisher, Packet::Publish(publish("a/x", "1", QOS1, Some(1))));
        let first = rig.asked.questions.pop_front().unwrap();
        rig.answer(AccessAnswer::Allow, 600);
        // The QoS is part of the question.
        rig.publish0(publisher, "a/x", "2");
        rig.answer(AccessAnswer::Allow, 600);
        assert_eq!(rig.publish_acknowledged(publisher, publish("a/x", "2", QOS1, Some(2))), ReasonCode::Success);
        assert!(!rig.drain(id).iter().any(|packet| matches!(packet, Packet::Publish(_))));
        rig.asked.questions.push_front(first);
        rig.answer(answer, 60);
        rig.pass(5);
        let mut got = rig
            .drain(id)
            .into_iter()
            .filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(text(&publish)),
                _ => None,
            })
            .collect::<Vec<_>>();
        got.dedup();
        assert_eq!(got, expected);
    }
}

#[test]
fn a_client_that_is_granted_something_else_while_it_waits_is_asked_about_again() {
    let mut rig = Rig::with(1, Limits::default(), rules());
    let id = rig.connect(v5("c").username("ann").grant(Grant::default()));
    rig.send(id, Packet::Publish(publish("a", "x", QOS1, Some(1))));
    let client = rig.client(id);
    let other = Grant { groups: ["ops".into()].into(), ..Grant::default() };
    rig.input(id, Input::Regranted { connection: id, client: Arc::new(client.regranted(Arc::new(other))) });
    rig.answer(AccessAnswer::Allow, 60);
    assert_eq!(rig.next(id), None, "that was about somebody else");
    assert!(rig.asked.questions[0].1.grant().unwrap().groups.contains("ops"));
    rig.answer(AccessAnswer::Deny, 60);
    let Some(Packet::Puback(ack)) = rig.next(id) else { panic!("no PUBACK") };
    assert_eq!(ack.reason_code, ReasonCode::NotAuthorized);
}

#[test]
fn a_will_is_asked_about_before_its_client_is_let_in_and_that_counts_when_it_is_published() {
    let mut rig = Rig::with(1, Limits::default(), rules());
    let id = rig.connect(v5("c").username("ann").grant(Grant::default()).will("a/will", "will", 0));
    let reader = rig.connect(v5("reader"));
    subscribe_asked(&mut rig, reader, "a/#", AccessAnswer::Allow, 600);
    rig.pass(100_000);
    rig.lose(id);
    assert_eq!(rig.payloads(reader), ["will"]);
    rig.asked.of_wills = AccessAnswer::Deny;
    let refused = rig.dial(v5("c").username("ann").grant(Grant::default()).will("a/will", "will", 0)).unwrap_err();
    assert_eq!(refused.denied.rule, "access source `http`");
    // Without anybody who could have asked it is refused.
    assert!(rig.dial(v5("d").will("a/will", "will", 0)).is_err());
}

#[test]
fn who_waits_is_not_taken_for_silent() {
    let mut rig = Rig::with(1, Limits::default(), rules());
    let id = rig.connect(v5("c").keep_alive(10));
    rig.send(id, Packet::Publish(publish("a", "x", QOS1, Some(1))));
    rig.pass(60_000);
    assert_eq!(rig.closed(id), None);
    rig.answer(AccessAnswer::Allow, 60);
    rig.pass(60_000);
    assert_eq!(rig.closed(id), Some(&CloseCause::KeepAliveTimeout));
}
