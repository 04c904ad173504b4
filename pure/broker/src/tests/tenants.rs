//! Clients of a tenant: what they write and see, and what everybody else does.

use std::num::NonZeroU16;

use signet_mqtt::{Packet, PublishProperties, ReasonCode, TopicName};
use signet_policy::{Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{CloseCause, Limits};

fn topics(rig: &mut Rig, id: crate::ConnectionId) -> Vec<String> {
    let packets = rig.drain(id).into_iter();
    let topics = packets.map(|packet| match packet {
        Packet::Publish(publish) => publish.topic.unwrap().as_str().to_owned(),
        other => panic!("no PUBLISH: {other:?}"),
    });
    topics.collect()
}

#[test]
fn tenants_do_not_see_each_other_and_the_operator_sees_all() {
    let mut rig = Rig::new();
    let operator = rig.connect(v5("operator"));
    rig.subscribe(operator, "#", QOS0);
    let [acme, other] = ["acme", "other"].map(|tenant| rig.connect(v5("pump").tenant(tenant, "pump")));
    assert_eq!((rig.closed(acme), rig.closed(other)), (None, None), "the same Client Identifier is another session");
    let readers = ["acme", "other"].map(|tenant| rig.connect(v5("reader").tenant(tenant, "reader")));
    for reader in readers {
        rig.subscribe(reader, "#", QOS0);
    }
    rig.publish0(acme, "a/b", "1");
    rig.publish0(other, "a/b", "2");
    rig.publish0(operator, "acme/from/operator", "3");
    for nobodys in ["acme", "acme/", "acme/$SYS/x", "a/b"] {
        rig.publish0(operator, nobodys, "4");
    }
    assert_eq!(topics(&mut rig, operator), ["acme/a/b", "other/a/b", "acme/from/operator", "acme", "acme/", "acme/$SYS/x", "a/b"]);
    assert_eq!(topics(&mut rig, readers[0]), ["a/b", "from/operator"]);
    assert_eq!(topics(&mut rig, readers[1]), ["a/b"]);
}

#[test]
fn sessions_of_tenants_are_apart_and_outlast_a_restart() {
    let mut rig = Rig::new();
    for tenant in ["acme", "other"] {
        let id = rig.connect(v5("pump").tenant(tenant, "pump").expiry(1_000));
        rig.subscribe(id, "in", QOS1);
        rig.lose(id);
    }
    // Who is of no tenant reaches no session of one, and blocks none.
    let (_, connack) = rig.connected(v5("acme/pump").device("acme-pump").expiry(1_000).resume());
    assert!(!connack.session_present);
    for shards in [3, 5] {
        rig.restart(usize::MAX, shards);
        let publisher = rig.connect(v5("publisher"));
        rig.publish1(publisher, "acme/in", "for acme");
        let (id, connack) = rig.connected(v5("pump").tenant("acme", "pump").expiry(1_000).resume());
        assert!(connack.session_present);
        let message = rig.take(id);
        assert_eq!(message.topic.as_ref().map(TopicName::as_str), Some("in"));
        rig.puback(id, message.packet_id);
        assert!(rig.next(id).is_none());
        let (id, connack) = rig.connected(v5("pump").tenant("other", "pump").expiry(1_000).resume());
        assert!(connack.session_present);
        assert_eq!(rig.payloads(id), Vec::<String>::new());
        rig.unsubscribe(id, "in");
    }
    assert_eq!(rig.directory_subscriptions(), 1, "UNSUBSCRIBE finds what SUBSCRIBE made");
}

#[test]
fn an_identifier_of_another_device_is_refused_within_a_tenant() {
    let mut rig = Rig::new();
    rig.connect(v5("c").tenant("acme", "pump-7").expiry(100));
    let thief = rig.dial(v5("c").tenant("acme", "pump-8")).unwrap();
    assert_eq!(rig.closed(thief), Some(&CloseCause::IdentifierInUse));
}

#[test]
fn groups_of_two_tenants_are_two_groups() {
    let mut rig = Rig::new();
    let members = ["acme", "other"].map(|tenant| rig.connect(v5("m").tenant(tenant, "m")));
    for member in members {
        assert_eq!(rig.subscribe(member, "$share/g/t", QOS1), ReasonCode::GrantedQoS1);
    }
    let publishers = ["acme", "other"].map(|tenant| rig.connect(v5("p").tenant(tenant, "p")));
    for number in 0..4 {
        rig.publish1(publishers[0], "t", &format!("acme {number}"));
    }
    assert_eq!(rig.payloads(members[0]), ["acme 0", "acme 1", "acme 2", "acme 3"]);
    assert_eq!(rig.payloads(members[1]), Vec::<String>::new());
    assert_eq!(rig.unsubscribe(members[0], "$share/g/t"), ReasonCode::Success);
}

#[test]
fn the_servers_own_topics_are_read_by_a_rule_that_names_them_and_written_by_nobody() {
    let mut rig = Rig::new();
    let id = rig.connect(v5("c").tenant("acme", "c"));
    assert_eq!(rig.subscribe(id, "$SYS/#", QOS0), ReasonCode::NotAuthorized);
    assert_eq!(rig.publish1(id, "$SYS/x", "m"), ReasonCode::NotAuthorized);
    let parse = |text: &str| vec![TopicPattern::parse(text).unwrap()];
    let rule =
        Rule { name: "rule".to_owned(), who: Who::Everyone, publish: parse("$SYS/#"), subscribe: parse("$SYS/#"), ..Rule::default() };
    rig.change_rules(Ruleset::compile(vec![rule]));
    assert_eq!(rig.subscribe(id, "$SYS/#", QOS0), ReasonCode::Success);
    assert_eq!(rig.publish1(id, "$SYS/x", "m"), ReasonCode::NotAuthorized);
}

#[test]
fn a_will_and_a_retained_message_and_a_response_topic_are_where_the_tenant_is() {
    let mut rig = Rig::new();
    let operator = rig.connect(v5("operator"));
    rig.subscribe(operator, "acme/#", QOS0);
    let id = rig.connect(v5("c").tenant("acme", "c").expiry(100).will("status", "gone", 5));
    rig.lose(id);
    rig.restart(usize::MAX, 2);
    let operator = rig.connect(v5("operator"));
    rig.subscribe(operator, "acme/#", QOS0);
    rig.pass(6_000);
    assert_eq!(topics(&mut rig, operator), ["acme/status"]);
    let id = rig.connect(v5("c").tenant("acme", "c"));
    rig.send(id, retained("kept", "r"));
    assert_eq!(topics(&mut rig, operator), ["acme/kept"]);
    let reader = rig.connect(v5("r").tenant("acme", "r"));
    rig.subscribe(reader, "kept", QOS0);
    assert_eq!(topics(&mut rig, reader), ["kept"]);
    rig.subscribe(reader, "ask", QOS0);
    let respond = |topic: &str| PublishProperties { response_topic: Some(TopicName::new(topic).unwrap()), ..PublishProperties::default() };
    rig.send(id, Packet::Publish(signet_mqtt::Publish { properties: respond("answer").into(), ..publish("ask", "?", QOS0, None) }));
    assert_eq!(rig.take(operator).properties.response_topic.as_ref().unwrap().as_str(), "acme/answer");
    assert_eq!(rig.take(reader).properties.response_topic.as_ref().unwrap().as_str(), "answer");
    rig.send(
        operator,
        Packet::Publish(signet_mqtt::Publish { properties: respond("elsewhere").into(), ..publish("acme/ask", "?", QOS0, None) }),
    );
    assert_eq!(rig.take(reader).properties.response_topic, None, "an answer could not get there");
}

#[test]
fn aliases_rules_and_limits_are_about_what_the_client_writes_and_the_whole_topic_has_to_fit() {
    let rule = Rule {
        name: "rule".to_owned(),
        who: Who::Everyone,
        publish: vec![TopicPattern::parse("${client_identifier}/#").unwrap()],
        subscribe: vec![TopicPattern::parse("#").unwrap()],
        ..Rule::default()
    };
    let limits = Limits { topic_levels_maximum: 4, ..Limits::default() };
    let mut rig = Rig::with(2, limits, Ruleset::compile(vec![rule]));
    let reader = rig.connect(v5("r").tenant("acme", "r").properties(|properties| properties.topic_alias_maximum = Some(1)));
    rig.subscribe(reader, "+/x", QOS0);
    assert_eq!(rig.subscribe(reader, "a/b/c/#", QOS0), ReasonCode::TopicFilterInvalid, "one level is the tenant's");
    let id = rig.connect(v5("c").tenant("acme", "c"));
    for expected in [ReasonCode::Success, ReasonCode::Success] {
        assert_eq!(rig.publish1(id, "c/x", "m"), expected, "once asked, once remembered");
    }
    assert_eq!(rig.publish1(id, "acme/x", "m"), ReasonCode::NotAuthorized);
    let seen: Vec<_> = (0..2).map(|_| rig.take(reader)).map(|publish| (publish.topic, publish.properties.topic_alias)).collect();
    assert_eq!(seen, [(Some(TopicName::new("c/x").unwrap()), NonZeroU16::new(1)), (None, NonZeroU16::new(1))]);
    let long = format!("c/{}", "x".repeat(65_533));
    assert_eq!(rig.publish1(id, &long, "m"), ReasonCode::TopicNameInvalid);
    rig.publish0(id, "c/x/y/z", "m");
    assert!(matches!(rig.closed(id), Some(CloseCause::TopicNameInvalid(_))));
}
