//! Topics that the Server takes for itself, and an access source that judges.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use signet_mqtt::{Message, Packet, ReasonCode, TopicName, Unsuback, Unsubscribe, UserProperties};
use signet_policy::{AccessJudge, AccessSource, Client, JudgeAccess, OwnTopics, Ruleset, Wish};

use super::rig::*;
use crate::{ControlAnswer, Input, Limits};

fn rules(control: bool, birth_certificates: bool) -> Ruleset {
    let all = ["$CONTROL/#", "$sparkplug/#", "#"].map(|text| signet_policy::TopicPattern::parse(text).unwrap()).to_vec();
    let open = signet_policy::Rule::allow("open", signet_policy::Who::Everyone, all.clone(), all);
    Ruleset::compile(vec![open]).with_own_topics(OwnTopics { control, birth_certificates })
}

fn message(topic: &str, payload: &'static str) -> Message {
    let topic = TopicName::new(topic.to_owned()).unwrap();
    Message { topic, payload: payload.into(), qos: QOS0, retain: false, properties: Default::default() }
}

const TOPIC: &str = "$CONTROL/x/v1";

#[test]
fn a_request_goes_to_nobody_else_and_is_acknowledged_after_its_answer() {
    for (qos, acknowledged) in [(QOS1, "PUBACK"), (QOS2, "PUBREC")] {
        let mut rig = Rig::with(2, Limits::default(), rules(true, false));
        let (id, other) = (rig.connect(v5("c")), rig.connect(v5("other")));
        assert_eq!(rig.subscribe(other, "$CONTROL/#", QOS1), ReasonCode::GrantedQoS1);
        rig.send(id, Packet::Publish(publish(TOPIC, "do", qos, Some(1))));
        assert_eq!(rig.asked.requests.pop_front(), Some((id, TOPIC.to_owned(), "do".to_owned())));
        assert_eq!((rig.next(id), rig.next(other)), (None, None), "it waits, and nobody hears of it");
        let answer =
            ControlAnswer { publish: vec![message("$CONTROL/x/v1/response", "done")], reply: Some(message("$CONTROL/y", "only you")) };
        rig.input(id, Input::Controlled { connection: id, answer });
        assert_eq!(rig.payloads(other), ["done"]);
        let got = rig.drain(id);
        assert!(matches!(&got[0], Packet::Publish(publish) if text(publish) == "only you"), "{got:?}");
        assert_eq!(got[1].name(), acknowledged);
        // The next has its turn.
        rig.send(id, Packet::Publish(publish(TOPIC, "more", QOS0, None)));
        assert_eq!(rig.asked.requests.len(), 1);
    }
}

#[test]
fn a_request_of_a_client_that_is_gone_is_answered_to_the_others() {
    let mut rig = Rig::with(1, Limits::default(), rules(true, false));
    let (id, other) = (rig.connect(v5("c")), rig.connect(v5("other")));
    rig.subscribe(other, "$CONTROL/#", QOS0);
    rig.send(id, Packet::Publish(publish(TOPIC, "do", QOS1, Some(1))));
    rig.lose(id);
    let answer = ControlAnswer { publish: vec![message("$CONTROL/x/v1/response", "done")], reply: Some(message("a", "x")) };
    rig.apply(0, Input::Controlled { connection: id, answer });
    assert_eq!(rig.payloads(other), ["done"]);
}

#[test]
fn nothing_else_is_asked_about_a_connection_before_its_request_is_answered() {
    let asking = || {
        let open = signet_policy::TopicPattern::parse("$CONTROL/#").unwrap();
        let open = signet_policy::Rule::allow("open", signet_policy::Who::Everyone, vec![open], Vec::new());
        let own_topics = OwnTopics { control: true, birth_certificates: false };
        Ruleset::compile(vec![open]).with_sources(vec![AccessSource::Asked("http".into())]).with_own_topics(own_topics)
    };
    let mut rig = Rig::with(1, Limits::default(), asking());
    let id = rig.connect(v5("c"));
    rig.send(id, Packet::Subscribe(subscribe("a/#", signet_mqtt::SubscriptionOptions::default(), None)));
    rig.answer(signet_policy::AccessAnswer::Allow, 600);
    assert!(matches!(rig.next(id), Some(Packet::Suback(_))));
    rig.send(id, Packet::Publish(publish(TOPIC, "do", QOS0, None)));
    assert_eq!(rig.asked.requests.len(), 1);
    // The subscription is judged anew, for which the source has to be asked.
    rig.input(id, Input::AnswersForgotten);
    assert!(rig.asked.questions.is_empty(), "it would go on reading");
    rig.input(id, Input::Controlled { connection: id, answer: ControlAnswer::default() });
    assert_eq!(rig.asked.questions.len(), 1);
}

#[test]
fn without_it_control_is_a_topic_like_others() {
    let mut rig = Rig::with(1, Limits::default(), rules(false, false));
    let id = rig.connect(v5("c"));
    rig.subscribe(id, "$CONTROL/#", QOS0);
    rig.publish0(id, TOPIC, "1");
    rig.publish0(id, "spBv1.0/g/NBIRTH/n", "birth");
    assert_eq!(rig.payloads(id), ["1"]);
    assert!(rig.asked.requests.is_empty());
    assert_eq!(rig.subscribe(id, "$sparkplug/#", QOS0), ReasonCode::Success);
    assert_eq!(rig.next(id), None);
    // And no Will makes a request where it is.
    assert!(rig.dial(v5("w").will(TOPIC, "do", 0)).is_ok());
    let mut rig = Rig::with(1, Limits::default(), rules(true, false));
    let refusal = rig.dial(v5("w").will(TOPIC, "do", 0)).unwrap_err();
    assert_eq!(refusal.denied.reason_code, ReasonCode::NotAuthorized);
}

#[test]
fn birth_certificates_are_kept_for_those_who_come_later() {
    let mut rig = Rig::with(2, Limits::default(), rules(false, true));
    let (id, host) = (rig.connect(v5("node")), rig.connect(v5("host")));
    rig.subscribe(host, "$sparkplug/certificates/#", QOS1);
    rig.publish1(id, "spBv1.0/g/NBIRTH/n", "node");
    rig.publish1(id, "spBv1.0/g/DBIRTH/n/d", "device");
    rig.publish1(id, "spBv1.0/g/NDATA/n", "data");
    assert_eq!(rig.payloads(host), ["node", "device"]);
    let late = rig.connect(v5("late"));
    rig.subscribe(late, "$sparkplug/certificates/spBv1.0/+/NBIRTH/+", QOS1);
    let kept = rig.take(late);
    assert_eq!((kept.topic.unwrap().as_str(), kept.retain), ("$sparkplug/certificates/spBv1.0/g/NBIRTH/n", true));
}

/// Allows these, and denies what has `no` in it; has nothing to say to the rest.
#[derive(Debug)]
struct Judge(AtomicU8);

fn bit(wish: &Wish) -> u8 {
    match wish {
        Wish::Publish => 1,
        Wish::Receive => 2,
        Wish::Subscribe => 4,
        Wish::Unsubscribe => 8,
    }
}

impl Judge {
    fn allow(&self, wishes: &[Wish]) {
        self.0.store(wishes.iter().map(bit).sum(), Ordering::Relaxed);
    }
}

impl JudgeAccess for Judge {
    fn judge(&self, _client: &Client, wish: Wish, topic: &str) -> Option<bool> {
        if topic.contains("no") {
            return Some(false);
        }
        (self.0.load(Ordering::Relaxed) & bit(&wish) != 0).then_some(true)
    }
}

#[test]
fn a_judge_is_asked_about_every_message_and_every_unsubscribe() {
    let judge = Arc::new(Judge(AtomicU8::new(15)));
    let source = AccessSource::Judged("judge".into(), AccessJudge(judge.clone()));
    let mut rig = Rig::with(2, Limits::default(), Ruleset::allow_all().with_sources(vec![source]));
    let id = rig.connect(v5("c"));
    assert_eq!(rig.subscribe(id, "a/#", QOS1), ReasonCode::GrantedQoS1);
    assert_eq!(rig.subscribe(id, "$share/no/a", QOS1), ReasonCode::NotAuthorized, "it sees the ShareName");
    assert_eq!(rig.subscribe(id, "no", QOS1), ReasonCode::NotAuthorized);
    assert_eq!(rig.publish1(id, "a/x", "1"), ReasonCode::Success);
    assert_eq!(rig.publish1(id, "a/no", "2"), ReasonCode::NotAuthorized);
    // What it says now counts, and not what it said before.
    judge.allow(&[Wish::Publish]);
    assert_eq!(rig.publish1(id, "a/x", "3"), ReasonCode::Success);
    assert_eq!(rig.payloads(id), ["1"], "the third is not delivered");
    assert_eq!(rig.unsubscribe(id, "a/#"), ReasonCode::NotAuthorized);
    judge.allow(&[Wish::Unsubscribe, Wish::Receive]);
    assert_eq!(rig.publish1(id, "a/x", "4"), ReasonCode::NotAuthorized);
    let both = ["no", "a/#"].map(|filter| signet_mqtt::TopicFilter::new(filter.to_owned()).unwrap()).to_vec();
    rig.send(id, Packet::Unsubscribe(Unsubscribe { packet_id: pid(9), user_properties: UserProperties::default(), filters: both }));
    match rig.next(id) {
        Some(Packet::Unsuback(Unsuback { reason_codes, .. })) => assert_eq!(reason_codes, [ReasonCode::NotAuthorized, ReasonCode::Success]),
        other => panic!("{other:?}"),
    }
}
