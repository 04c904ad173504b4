//! What the specification leaves to the Server, done as other brokers do it: whom it takes, and what becomes of messages.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;

use signet_mqtt::{Ack, Connack, ConnackProperties, Packet, ProtocolVersion, ReasonCode, SubscriptionOptions};
use signet_policy::{Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{
    ChangedLimits, CloseCause, ConnectRules, ConnectionId, Directory, ForeignSession, Input, Limits, MessageRules, Overlapping,
    SharedDirectory, Wording,
};

fn connecting(rules: ConnectRules) -> Rig {
    Rig::with(1, Limits { connect: rules, ..Limits::default() }, Ruleset::allow_all())
}

fn with(messages: MessageRules) -> Limits {
    Limits { messages, ..Limits::default() }
}

fn delivering(messages: MessageRules) -> Rig {
    Rig::with(2, with(messages), Ruleset::allow_all())
}

fn of(mut dial: Dial, version: ProtocolVersion) -> Dial {
    dial.connect.version = version;
    dial
}

#[test]
fn who_may_not_connect_is_told_in_its_own_version() {
    use ProtocolVersion::{V5, V31, V311};
    let old = || ConnectRules { protocol_versions: vec![V311], ..ConnectRules::default() };
    let named = || ConnectRules { empty_client_identifier: false, ..ConnectRules::default() };
    let prefixed = || ConnectRules { client_identifier_prefix: "dev-".into(), ..ConnectRules::default() };
    let lively = || ConnectRules { keep_alive_maximum: 20, keep_alive_enforced: true, ..ConnectRules::default() };
    let telling = || ConnectRules { keep_alive_maximum: 20, ..ConnectRules::default() };
    let table: [(ConnectRules, Dial, ProtocolVersion, Option<ReasonCode>); 16] = [
        (old(), v5("a"), V311, None),
        (old(), v5("a"), V5, Some(ReasonCode::UnsupportedProtocolVersion)),
        (old(), v5("a"), V31, Some(ReasonCode::UnsupportedProtocolVersion)),
        (named(), v5(""), V5, Some(ReasonCode::UnspecifiedError)),
        (named(), v5(""), V311, Some(ReasonCode::ClientIdentifierNotValid)),
        (named(), v5("a"), V5, None),
        (prefixed(), v5("dev-1"), V5, None),
        (prefixed(), v5("other"), V5, Some(ReasonCode::NotAuthorized)),
        (prefixed(), v5("other"), V311, Some(ReasonCode::NotAuthorized)),
        (prefixed(), v5(""), V5, Some(ReasonCode::NotAuthorized)),
        (ConnectRules { assigned_client_identifier_prefix: "dev-x-".into(), ..prefixed() }, v5(""), V5, None),
        (lively(), v5("a").keep_alive(20), V311, None),
        (lively(), v5("a").keep_alive(21), V311, Some(ReasonCode::ClientIdentifierNotValid)),
        (lively(), v5("a"), V31, Some(ReasonCode::ClientIdentifierNotValid)),
        (lively(), v5("a").keep_alive(21), V5, None),
        (telling(), v5("a").keep_alive(21), V311, None),
    ];
    for (at, (rules, dial, version, expected)) in table.into_iter().enumerate() {
        let answer = connecting(rules).dial(of(dial, version));
        let found = answer.as_ref().err().map(|refusal| refusal.denied.reason_code);
        assert_eq!(found, expected, "row {at}");
        if let Err(refusal) = answer {
            assert!(refusal.connack.is_some(), "row {at}: every version has a word for it");
        }
    }
}

#[test]
fn given_identifiers_begin_as_they_should() {
    let mut rig = connecting(ConnectRules { assigned_client_identifier_prefix: "plant/".into(), ..ConnectRules::default() });
    let (_, connack) = rig.connected(v5(""));
    assert!(connack.properties.assigned_client_identifier.unwrap().as_str().starts_with("plant/"));
}

#[test]
fn a_session_that_somebody_else_left_is_resumed_where_that_is_wanted_and_judged_by_whose_it_is_now() {
    for (foreign_session, is_refused) in [(ForeignSession::Refuse, true), (ForeignSession::Resume, false)] {
        let ann = TopicPattern::parse("ann/#").unwrap();
        let all = TopicPattern::parse("all/#").unwrap();
        let rules = vec![
            Rule::allow("ann", Who::Device(signet_policy::NamePattern::new("ann")), vec![ann.clone()], vec![ann]),
            Rule::allow("all", Who::Everyone, vec![all.clone()], vec![all]),
        ];
        let limits = Limits { connect: ConnectRules { foreign_session, ..ConnectRules::default() }, ..Limits::default() };
        let mut rig = Rig::with(2, limits, Ruleset::compile(rules));
        let first = rig.connect(v5("shared").device("ann").expiry(1_000));
        rig.subscribe(first, "ann/x", QOS1);
        rig.subscribe(first, "all/x", QOS1);
        rig.lose(first);
        let writer = rig.connect(v5("writer").device("ann"));
        rig.publish1(writer, "ann/x", "for ann");
        rig.publish1(writer, "all/x", "for all");
        let second = rig.dial(v5("shared").device("bob").expiry(1_000).resume()).unwrap();
        let Some(Packet::Connack(connack)) = rig.next(second) else { panic!("no CONNACK") };
        if is_refused {
            assert_eq!(connack.reason_code, ReasonCode::ClientIdentifierNotValid);
            continue;
        }
        assert!(connack.session_present);
        assert_eq!(rig.payloads_after_pump(second), ["for all"], "what was for ann is not for bob");
        let third = rig.connect(v5("shared").device("ann").expiry(1_000));
        assert_eq!(rig.closed(second), Some(&CloseCause::TakenOver));
        assert_eq!(rig.closed(third), None);
    }
}

#[test]
fn a_payload_that_is_too_large_goes_nowhere_and_its_exchange_ends() {
    let mut rig = delivering(MessageRules { payload_maximum: 3, ..MessageRules::default() });
    let reader = rig.connect(v5("reader"));
    rig.subscribe(reader, "#", QOS2);
    let new = rig.connect(v5("new"));
    let old = rig.connect(v311("old"));
    assert_eq!(rig.publish1(new, "t", "1234"), ReasonCode::ImplementationSpecificError);
    assert_eq!(rig.publish1(old, "t", "1234"), ReasonCode::Success, "MQTT 3.1.1 has no word for it");
    for (id, code) in [(new, ReasonCode::ImplementationSpecificError), (old, ReasonCode::Success)] {
        rig.publish0(id, "t", "1234");
        rig.send(id, Packet::Publish(publish("t", "1234", QOS2, Some(5))));
        assert!(matches!(rig.next(id), Some(Packet::Pubrec(ack)) if ack.reason_code == code));
        rig.send(id, Packet::Pubrel(Ack::success(pid(5))));
        assert!(matches!(rig.next(id), Some(Packet::Pubcomp(_))));
        assert_eq!(rig.closed(id), None);
    }
    assert_eq!(rig.payloads(reader), Vec::<String>::new());
    assert_eq!(rig.publish1(new, "t", "123"), ReasonCode::Success);
    assert_eq!(rig.take(reader).payload.len(), 3);
    assert_eq!(rig.stats().refused.payload_too_large, 6);
    for (dial, code) in [(v5("w"), ReasonCode::PacketTooLarge), (v311("w"), ReasonCode::NotAuthorized)] {
        assert_eq!(rig.dial(dial.will("t", "1234", 0)).unwrap_err().denied.reason_code, code);
    }
}

#[test]
fn so_many_bytes_are_on_their_way_and_the_next_waits() {
    let mut rig = delivering(MessageRules { inflight_bytes_maximum: 6, ..MessageRules::default() });
    let reader = rig.connect(v5("reader"));
    rig.subscribe(reader, "t", QOS1);
    let writer = rig.connect(v5("writer"));
    for payload in ["1234", "5678", "9"] {
        rig.publish1(writer, "t", payload);
    }
    let (first, second) = (rig.take(reader), rig.take(reader));
    assert_eq!((text(&first), text(&second)), ("1234".into(), "5678".into()), "the one that goes beyond is the last");
    assert_eq!(rig.next(reader), None);
    rig.puback(reader, first.packet_id);
    assert_eq!(rig.payloads(reader), ["9"]);
}

#[test]
fn qos_0_waits_for_the_absent_where_that_is_wanted() {
    for (queued_qos0, expected) in [(false, vec!["exact"]), (true, vec!["loose", "exact", "late"])] {
        let mut rig = delivering(MessageRules { queued_qos0, ..MessageRules::default() });
        let reader = rig.connect(v5("reader").expiry(1_000));
        rig.subscribe(reader, "t", QOS1);
        rig.lose(reader);
        let writer = rig.connect(v5("writer"));
        rig.publish0(writer, "t", "loose");
        rig.publish1(writer, "t", "exact");
        rig.publish0(writer, "t", "late");
        let reader = rig.connect(v5("reader").expiry(1_000).resume());
        assert_eq!(rig.payloads(reader), expected);
    }
}

#[test]
fn what_waits_with_qos_0_is_bounded_too() {
    let messages = MessageRules { queued_qos0: true, ..MessageRules::default() };
    let mut rig = Rig::with(1, Limits { queued_messages_maximum: 2, ..with(messages) }, Ruleset::allow_all());
    let reader = rig.connect(v5("reader").expiry(1_000));
    rig.subscribe(reader, "t", QOS0);
    rig.lose(reader);
    let writer = rig.connect(v5("writer"));
    for payload in ["1", "2", "3"] {
        rig.publish0(writer, "t", payload);
    }
    assert_eq!(rig.stats().dropped_queue_full, 1);
    let reader = rig.connect(v5("reader").expiry(1_000).resume());
    assert_eq!(rig.payloads(reader), ["1", "2"]);
}

#[test]
fn the_broker_sets_as_many_aliases_as_it_may_and_no_more() {
    for (outgoing, expected) in [(0, 0), (1, 1), (2, 2), (9, 3)] {
        let messages = MessageRules { topic_alias_outgoing_maximum: outgoing, ..MessageRules::default() };
        let mut rig = Rig::with(1, Limits { topic_alias_maximum: 1, ..with(messages) }, Ruleset::allow_all());
        let id = rig.connect(v5("a").properties(|properties| properties.topic_alias_maximum = Some(3)));
        rig.subscribe(id, "#", QOS0);
        for topic in ["1", "2", "3", "4"] {
            rig.publish0(id, topic, "m");
        }
        let aliases: Vec<NonZeroU16> = (0..4).filter_map(|_| rig.take(id).properties.topic_alias).collect();
        assert_eq!(aliases.len(), expected, "{outgoing:?}");
    }
}

#[test]
fn mqtt_3_2_2_14_where_nothing_is_retained_clients_are_told_and_whoever_asks_for_it_goes() {
    let mut rig = delivering(MessageRules { retained_available: false, ..MessageRules::default() });
    let (new, connack) = rig.connected(v5("new"));
    assert_eq!(connack.properties.features.retain_available, Some(false));
    let old = rig.connect(v311("old"));
    for id in [new, old] {
        rig.send(id, retained("t", "m"));
        assert_eq!(rig.closed(id), Some(&CloseCause::RetainNotSupported));
    }
    assert!(matches!(rig.next(new), Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == ReasonCode::RetainNotSupported));
    let mut will = v5("will").will("t", "m", 0);
    will.connect.will.as_mut().unwrap().retain = true;
    assert_eq!(rig.dial(will).unwrap_err().denied.reason_code, ReasonCode::RetainNotSupported);
    let server = signet_mqtt::Message {
        topic: signet_mqtt::TopicName::new("$SYS/broker/uptime").unwrap(),
        payload: "1".into(),
        qos: QOS0,
        retain: true,
        properties: Default::default(),
    };
    rig.apply(0, Input::Publish { message: server });
    assert_eq!(rig.directory.read(Directory::retained).0, 0, "the Server does as it says");
}

#[test]
fn expired_messages_are_looked_for_without_another_one_that_is_retained() {
    for (retained_expiry, left) in [(0, 1), (60, 0)] {
        let mut rig = delivering(MessageRules { retained_expiry, ..MessageRules::default() });
        let id = rig.connect(v5("a"));
        let Packet::Publish(mut packet) = retained("t", "m") else { unreachable!() };
        packet.properties.message_expiry_interval = Some(5);
        rig.send(id, Packet::Publish(packet));
        assert_eq!(rig.directory.read(Directory::retained).0, 1);
        rig.pass(130_000);
        assert_eq!(rig.directory.read(Directory::retained).0, left);
    }
}

#[test]
fn several_subscriptions_give_one_message_or_several() {
    let row = |overlapping_subscriptions, version| {
        let mut rig = delivering(MessageRules { overlapping_subscriptions, ..MessageRules::default() });
        let id = rig.connect(of(v5("reader"), version));
        for (filter, qos, identifier) in [("a/#", QOS0, 1), ("a/b", QOS2, 2), ("$share/g/a/b", QOS1, 3)] {
            rig.subscribe_with(id, filter, SubscriptionOptions { maximum_qos: qos, ..SubscriptionOptions::default() }, Some(identifier));
        }
        let writer = rig.connect(v5("writer"));
        rig.send(writer, Packet::Publish(publish("a/b", "m", QOS2, Some(1))));
        let mut found: Vec<(u8, Vec<u32>)> = Vec::new();
        while let Some(Packet::Publish(publish)) = rig.next(id) {
            let mut identifiers: Vec<u32> = publish.properties.subscription_identifiers.iter().map(|identifier| identifier.get()).collect();
            identifiers.sort_unstable();
            found.push((u8::from(publish.qos), identifiers));
        }
        found.sort();
        found
    };
    let apart = vec![(0, vec![1]), (1, vec![3]), (2, vec![2])];
    let merged = vec![(1, vec![3]), (2, vec![1, 2])];
    let unnamed = |list: &[(u8, Vec<u32>)]| list.iter().map(|(qos, _)| (*qos, Vec::new())).collect::<Vec<_>>();
    assert_eq!(row(Overlapping::Once, ProtocolVersion::V5), merged);
    assert_eq!(row(Overlapping::Once, ProtocolVersion::V311), unnamed(&merged));
    assert_eq!(row(Overlapping::Each, ProtocolVersion::V5), apart);
    assert_eq!(row(Overlapping::Each, ProtocolVersion::V311), unnamed(&apart));
    assert_eq!(row(Overlapping::EachOf5, ProtocolVersion::V5), apart);
    assert_eq!(row(Overlapping::EachOf5, ProtocolVersion::V311), unnamed(&merged));
}

#[test]
fn each_copy_of_a_message_outlasts_a_restart() {
    let mut rig = delivering(MessageRules { overlapping_subscriptions: Overlapping::Each, ..MessageRules::default() });
    let id = rig.connect(v5("reader").expiry(1_000));
    for filter in ["a/#", "a/b"] {
        rig.subscribe(id, filter, QOS1);
    }
    rig.lose(id);
    let writer = rig.connect(v5("writer"));
    rig.publish1(writer, "a/b", "m");
    rig.restart(usize::MAX, 2);
    let id = rig.connect(v5("reader").expiry(1_000).resume());
    assert_eq!(rig.payloads(id), ["m", "m"]);
}

#[test]
fn the_qos_of_a_delivery_can_be_that_of_the_subscription() {
    for (raises_qos, live, kept) in [(false, [QOS0, QOS1], QOS0), (true, [QOS2, QOS2], QOS2)] {
        let mut rig = delivering(MessageRules { raises_qos, ..MessageRules::default() });
        let writer = rig.connect(v5("writer"));
        rig.send(writer, retained("t", "kept"));
        let reader = rig.connect(v5("reader").expiry(1_000));
        rig.subscribe(reader, "t", QOS2);
        assert_eq!(rig.take(reader).qos, kept);
        rig.publish0(writer, "t", "m");
        rig.publish1(writer, "t", "m");
        assert_eq!([rig.take(reader).qos, rig.take(reader).qos], live);
        rig.lose(reader);
        rig.publish0(writer, "t", "raised");
        rig.restart(usize::MAX, 2);
        let reader = rig.connect(v5("reader").expiry(1_000).resume());
        let waiting: Vec<String> = rig.payloads(reader);
        assert_eq!(waiting.contains(&"raised".to_owned()), raises_qos, "what is delivered with QoS 2 is kept like it: {waiting:?}");
    }
}

#[test]
fn a_retained_message_goes_out_as_long_as_its_publisher_may_write_it() {
    let topic = |text: &str| vec![TopicPattern::parse(text).unwrap()];
    let rules = |writers: Who| {
        Ruleset::compile(vec![
            Rule::allow("write", writers, topic("#"), Vec::new()),
            Rule::allow("read", Who::Everyone, Vec::new(), topic("#")),
        ])
    };
    let ann = || Who::Username(signet_policy::NamePattern::new("ann"));
    for (is_retained_source_checked, expected) in [(false, 1), (true, 0)] {
        let messages = MessageRules { is_retained_source_checked, ..MessageRules::default() };
        let mut rig = Rig::with(2, with(messages), rules(ann()));
        let writer = rig.connect(v5("writer").username("ann"));
        rig.send(writer, retained("t", "m"));
        let reader = rig.connect(v5("reader"));
        rig.subscribe(reader, "t", QOS0);
        assert_eq!(rig.payloads(reader), ["m"]);
        rig.change_rules(rules(Who::Username(signet_policy::NamePattern::new("bob"))));
        let reader = rig.connect(v5("later"));
        rig.subscribe(reader, "t", QOS0);
        assert_eq!(rig.payloads(reader).len(), expected);
    }
}

#[test]
fn plain_answers_say_what_they_have_to() {
    let mut rig = delivering(MessageRules { answers: Wording::Plain, ..MessageRules::default() });
    let id = rig.connect(v5("a"));
    rig.send(id, Packet::Publish(publish("nobody/reads", "m", QOS2, Some(5))));
    assert_eq!(rig.next(id), Some(Packet::Pubrec(Ack::success(pid(5)))));
    rig.send(id, Packet::Pubrel(Ack::success(pid(77))));
    assert_eq!(rig.next(id), Some(Packet::Pubcomp(Ack::success(pid(77)))));
    rig.send(id, Packet::Pubrec(Ack::success(pid(78))));
    assert_eq!(rig.next(id), Some(Packet::Pubrel(Ack::success(pid(78)))));
    assert_eq!(rig.publish1(id, "nobody/reads", "m"), ReasonCode::NoMatchingSubscribers, "a PUBACK does as in Mosquitto");
    rig.send(id, Packet::Pingresp);
    match rig.next(id) {
        Some(Packet::Disconnect(disconnect)) => assert_eq!(disconnect.reason_string, None),
        other => panic!("{other:?}"),
    }
    let refusal = rig.dial(v5(&"x".repeat(2_000))).unwrap_err();
    let connack = Connack { reason_code: ReasonCode::ClientIdentifierNotValid, ..Connack::default() };
    assert_eq!(*refusal.connack.unwrap(), connack);
    assert_eq!(connack.properties, ConnackProperties::default());
}

fn relimit(rig: &mut Rig, limits: Limits) {
    rig.limits = Arc::new(limits);
    let changed = ChangedLimits { general: Arc::clone(&rig.limits), of_listeners: BTreeMap::new() };
    for shard in 0..2 {
        rig.apply(shard, Input::LimitsChanged(Arc::new(changed.clone())));
    }
}

#[test]
fn other_limits_hold_for_sessions_and_connections_that_are_there() {
    let mut rig = delivering(MessageRules::default());
    let [here, away]: [ConnectionId; 2] = ["here", "away"].map(|name| {
        let id = rig.connect(v5(name).expiry(1_000));
        rig.subscribe(id, "t/#", QOS1);
        rig.subscribe(id, "t/+", QOS0);
        id
    });
    rig.lose(away);
    let writer = rig.connect(v5("writer"));
    rig.publish1(writer, "t/1", "first");
    assert_eq!(rig.payloads(here), ["first"]);

    let messages = MessageRules {
        payload_maximum: 5,
        overlapping_subscriptions: Overlapping::Each,
        queued_qos0: true,
        retained_available: false,
        ..MessageRules::default()
    };
    relimit(&mut rig, Limits { queued_messages_maximum: 2, receive_maximum: 1, ..with(messages) });
    assert_eq!(rig.publish1(writer, "t/1", "too large"), ReasonCode::ImplementationSpecificError);
    rig.publish1(writer, "t/1", "each");
    assert_eq!(rig.payloads(here), ["each", "each"], "the routes that were remembered are of the past");
    rig.send(writer, retained("r", "m"));
    assert_eq!(rig.closed(writer), None, "what its CONNACK has said holds for a connection");
    let (_, connack) = rig.connected(v5("new"));
    assert_eq!(connack.properties.features.retain_available, Some(false));
    let (back, connack) = rig.connected(v5("away").expiry(1_000).resume());
    assert!(connack.session_present);
    assert_eq!(rig.payloads(back), ["first", "each"], "of two copies one found room in the queue");
}
