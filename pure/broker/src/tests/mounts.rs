//! Clients that come by a listener with a mount point: what they write and see, and what everybody else does.

use std::sync::Arc;

use signet_mqtt::{Packet, PublishProperties, ReasonCode, TopicName};
use signet_policy::{Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{ConnectionId, Event, Limits};

/// Who connects from now on comes by a listener with this mount point.
fn behind(rig: &mut Rig, point: Option<&str>) {
    rig.admission.mount_point = point.map(Arc::from);
}

fn mounted(rig: &mut Rig, point: Option<&str>, dial: Dial) -> ConnectionId {
    behind(rig, point);
    rig.connect(dial)
}

fn topics(rig: &mut Rig, id: ConnectionId) -> Vec<String> {
    std::iter::from_fn(|| match rig.next(id)? {
        Packet::Publish(publish) => Some(publish.topic.unwrap().as_str().to_owned()),
        other => panic!("no PUBLISH: {other:?}"),
    })
    .collect()
}

#[test]
fn what_is_written_is_behind_the_mount_point_and_seen_without_it() {
    let mut rig = Rig::new();
    let all = mounted(&mut rig, None, v5("all"));
    rig.subscribe(all, "#", QOS0);
    let [own, other] = ["own/", "other"].map(|point| mounted(&mut rig, Some(point), v5(point)));
    for id in [own, other] {
        assert_eq!(rig.subscribe(id, "a/#", QOS0), ReasonCode::Success);
    }
    for id in [own, other, all] {
        rig.publish0(id, "a/b", "m");
    }
    rig.publish0(all, "own/a/b", "m");
    rig.publish0(all, "otherwise/a/b", "m");
    assert_eq!(topics(&mut rig, all), ["own/a/b", "othera/b", "a/b", "own/a/b", "otherwise/a/b"]);
    assert_eq!(topics(&mut rig, own), ["a/b", "a/b"]);
    assert_eq!(topics(&mut rig, other), ["a/b"], "the mount point is text and no level");
    assert_eq!(rig.subscribe(other, "+/x", QOS0), ReasonCode::TopicFilterInvalid, "a wildcard takes a whole level");
    assert_eq!(rig.unsubscribe(own, "a/#"), ReasonCode::Success);
    rig.publish0(own, "a/b", "m");
    assert_eq!(topics(&mut rig, own), Vec::<String>::new());
}

#[test]
fn the_topics_of_the_server_are_out_of_reach() {
    let mut rig = Rig::new();
    let all = mounted(&mut rig, None, v5("all"));
    rig.subscribe(all, "#", QOS0);
    rig.subscribe(all, "$SYS/#", QOS0);
    let id = mounted(&mut rig, Some("m/"), v5("a"));
    rig.subscribe(id, "$SYS/#", QOS0);
    let message = signet_mqtt::Message {
        topic: TopicName::new("$SYS/broker/uptime").unwrap(),
        payload: "1".into(),
        qos: QOS0,
        retain: true,
        properties: Default::default(),
    };
    rig.apply(0, crate::Input::Publish { message });
    assert_eq!(topics(&mut rig, all), ["$SYS/broker/uptime"]);
    assert_eq!(topics(&mut rig, id), Vec::<String>::new());
    assert_eq!(rig.publish1(id, "$SYS/x", "m"), ReasonCode::Success, "it is a topic like others, behind the mount point");
    assert_eq!(topics(&mut rig, all), ["m/$SYS/x"]);
    assert_eq!(topics(&mut rig, id), ["$SYS/x"]);
}

#[test]
fn rules_are_about_the_whole_topic() {
    let topic = |text: &str| vec![TopicPattern::parse(text).unwrap()];
    let rules = vec![Rule::allow("m", Who::Everyone, topic("m/in"), topic("m/out/#"))];
    let mut rig = Rig::with(2, Limits::default(), Ruleset::compile(rules));
    let id = mounted(&mut rig, Some("m/"), v5("a"));
    assert_eq!(rig.publish1(id, "in", "m"), ReasonCode::NoMatchingSubscribers);
    assert_eq!(rig.publish1(id, "m/in", "m"), ReasonCode::NotAuthorized);
    assert_eq!(rig.subscribe(id, "out/#", QOS0), ReasonCode::Success);
    assert_eq!(rig.subscribe(id, "m/out/#", QOS0), ReasonCode::NotAuthorized);
    let plain = mounted(&mut rig, None, v5("b"));
    assert_eq!(rig.publish1(plain, "m/in", "m"), ReasonCode::NoMatchingSubscribers);
    assert_eq!(rig.dial(v5("c").will("in", "m", 0)).unwrap_err().denied.reason_code, ReasonCode::NotAuthorized);
}

#[test]
fn wills_retained_messages_and_answers_have_their_place() {
    let mut rig = Rig::new();
    let all = mounted(&mut rig, None, v5("all"));
    rig.subscribe(all, "#", QOS0);
    let id = mounted(&mut rig, Some("m/"), v5("a").will("gone", "m", 0));
    rig.send(id, retained("state", "m"));
    let mut asks = publish("ask", "m", QOS0, None);
    asks.properties = PublishProperties { response_topic: Some(TopicName::new("answer").unwrap()), ..PublishProperties::default() }.into();
    let reader = mounted(&mut rig, Some("m/"), v5("b"));
    rig.subscribe(reader, "#", QOS0);
    rig.send(id, Packet::Publish(asks));
    rig.lose(id);
    assert_eq!(topics(&mut rig, all), ["m/state", "m/ask", "m/gone"]);
    let responses: Vec<_> = std::iter::from_fn(|| match rig.next(reader)? {
        Packet::Publish(publish) => Some((
            publish.topic.unwrap().as_str().to_owned(),
            publish.properties.response_topic.as_ref().map(|topic| topic.as_str().to_owned()),
        )),
        other => panic!("{other:?}"),
    })
    .collect();
    assert_eq!(responses, [("state".into(), None), ("ask".into(), Some("answer".into())), ("gone".into(), None)]);
}

#[test]
fn a_tenant_stands_before_the_mount_point_and_rules_do_not_see_it() {
    let topic = |text: &str| vec![TopicPattern::parse(text).unwrap()];
    let rules =
        vec![Rule::allow("m", Who::Everyone, topic("m/#"), topic("m/#")), Rule::allow("o", Who::Anonymous, Vec::new(), topic("acme/#"))];
    let mut rig = Rig::with(2, Limits::default(), Ruleset::compile(rules));
    let operator = mounted(&mut rig, None, v5("operator"));
    rig.subscribe(operator, "acme/#", QOS0);
    let id = mounted(&mut rig, Some("m/"), v5("pump").tenant("acme", "pump"));
    assert_eq!(rig.subscribe(id, "#", QOS0), ReasonCode::Success);
    rig.publish0(id, "a", "m");
    assert_eq!(topics(&mut rig, operator), ["acme/m/a"]);
    assert_eq!(topics(&mut rig, id), ["a"]);
}

#[test]
fn a_session_that_comes_back_by_another_listener_keeps_what_is_behind_its_mount_point() {
    for (point, seen) in [(Some("m/"), vec!["a"]), (Some("m"), vec!["/a"]), (None, vec!["m/a"]), (Some("other/"), vec![])] {
        for restarts in [false, true] {
            let mut rig = Rig::with(2, Limits::default(), Ruleset::allow_all());
            let id = mounted(&mut rig, Some("m/"), v5("a").expiry(1_000));
            rig.subscribe(id, "a", QOS1);
            rig.lose(id);
            let writer = mounted(&mut rig, None, v5("writer"));
            rig.publish1(writer, "m/a", "m");
            if restarts {
                rig.restart(usize::MAX, 2);
            }
            let id = mounted(&mut rig, point, v5("a").expiry(1_000).resume());
            rig.pass(5);
            assert_eq!(topics(&mut rig, id), seen, "{point:?} {restarts}");
            let has_ended = rig.events.iter().any(|event| matches!(event, Event::SubscriptionEnded { .. }));
            assert_eq!(has_ended, point == Some("other/"), "{point:?} {restarts}");
        }
    }
}
