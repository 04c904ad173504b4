//! The Will Message: when it is published and when it is not.

use signet_mqtt::{Disconnect, Packet, ReasonCode};
use signet_policy::{DenialReason, Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{ConnectionId, Event, Input, KickCause, Limits, WillRule};

fn watcher(rig: &mut Rig) -> ConnectionId {
    let watcher = rig.connect(v5("watcher"));
    rig.subscribe(watcher, "will/#", QOS1);
    watcher
}

#[test]
fn mqtt_3_1_2_8_a_lost_connection_publishes_the_will() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    for dial in [v5("a"), v311("b")] {
        let a = rig.connect(dial.will("will/a", "gone", 0));
        rig.lose(a);
        assert_eq!(rig.payloads(watcher), ["gone"]);
    }
    assert_eq!(rig.stats().wills_published, 2);
}

#[test]
fn mqtt_3_1_2_10_a_normal_disconnect_discards_the_will() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    for dial in [v5("a").expiry(5), v311("b")] {
        let a = rig.connect(dial.will("will/a", "gone", 0));
        rig.leave(a);
    }
    rig.pass(10_000);
    assert_eq!(rig.payloads(watcher), Vec::<String>::new(), "[MQTT-3.14.4-3]");
}

#[test]
fn disconnect_with_will_message_publishes_it() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let a = rig.connect(v5("a").will("will/a", "gone", 0));
    rig.send(a, Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::DisconnectWithWill))));
    assert_eq!(rig.payloads(watcher), ["gone"]);
}

#[test]
fn a_protocol_error_and_a_keep_alive_timeout_publish_the_will() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let a = rig.connect(v5("a").will("will/a", "error", 0));
    rig.send(a, Packet::Connect(Box::new(v5("a").connect)));
    let b = rig.connect(v5("b").keep_alive(2).will("will/b", "silent", 0));
    rig.pass(3_000);
    assert!(rig.closed(b).is_some());
    assert_eq!(rig.payloads(watcher), ["error", "silent"]);
}

#[test]
fn the_will_waits_for_its_delay() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let a = rig.connect(v5("a").expiry(100).will("will/a", "gone", 10));
    rig.lose(a);
    rig.pass(9_999);
    assert_eq!(rig.payloads(watcher), Vec::<String>::new());
    rig.pass(1);
    assert_eq!(rig.payloads(watcher), ["gone"]);
    rig.pass(200_000);
    assert_eq!(rig.payloads(watcher), Vec::<String>::new(), "once");
}

#[test]
fn mqtt_3_1_3_9_a_client_that_is_back_in_time_takes_its_will_along() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let a = rig.connect(v5("a").expiry(100).will("will/a", "gone", 10));
    rig.lose(a);
    rig.pass(5_000);
    let a = rig.connect(v5("a").expiry(100).resume());
    rig.pass(50_000);
    rig.lose(a);
    rig.pass(200_000);
    assert_eq!(rig.payloads(watcher), Vec::<String>::new());
}

#[test]
fn the_end_of_the_session_does_not_wait_for_the_delay() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let a = rig.connect(v5("a").expiry(5).will("will/a", "expired", 100));
    rig.lose(a);
    rig.pass(5_000);
    assert_eq!(rig.payloads(watcher), ["expired"]);
    let b = rig.connect(v5("b").expiry(100).will("will/b", "clean start", 100));
    rig.lose(b);
    rig.connect(v5("b"));
    assert_eq!(rig.payloads(watcher), ["clean start"]);
}

#[test]
fn take_over_publishes_the_will_unless_it_is_delayed_and_the_session_goes_on() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    rig.connect(v5("a").expiry(100).will("will/a", "at once", 0));
    rig.connect(v5("a").expiry(100).resume().will("will/a", "delayed", 10));
    assert_eq!(rig.payloads(watcher), ["at once"]);
    rig.connect(v5("a").expiry(100).resume().will("will/a", "delayed again", 10));
    rig.pass(20_000);
    assert_eq!(rig.payloads(watcher), Vec::<String>::new());
    rig.connect(v5("a"));
    assert_eq!(rig.payloads(watcher), ["delayed again"], "Clean Start ends the session");
}

#[test]
fn a_revoked_device_has_its_will_published_or_dropped_as_configured() {
    for (rule, expected) in [(WillRule::Publish, 1), (WillRule::Drop, 0)] {
        let mut rig = Rig::new();
        let watcher = watcher(&mut rig);
        let a = rig.connect(v5("a").expiry(10).will("will/a", "gone", 0));
        rig.kick(a, KickCause::Revoked("keyCompromise"), rule);
        rig.pass(20_000);
        assert_eq!(rig.payloads(watcher).len(), expected, "{rule:?}");
    }
}

#[test]
fn a_will_is_authorized_at_connect_and_again_when_it_is_published() {
    let allow = |pattern: &str| {
        Ruleset::compile(vec![Rule {
            name: "rule".to_owned(),
            who: Who::Everyone,
            publish: vec![TopicPattern::parse(pattern).unwrap()],
            subscribe: vec![TopicPattern::parse("#").unwrap()],
            ..Rule::default()
        }])
    };
    let mut rig = Rig::with(2, Limits::default(), allow("will/${client_identifier}"));
    let watcher = watcher(&mut rig);
    let refusal = rig.dial(v5("a").will("will/b", "forged", 0)).unwrap_err();
    assert!(matches!(refusal.denied.reason, DenialReason::Publish { .. }));
    assert_eq!(refusal.connack.unwrap().reason_code, ReasonCode::NotAuthorized);
    let a = rig.connect(v5("a").will("will/a", "gone", 0));
    rig.change_rules(allow("other"));
    rig.lose(a);
    assert_eq!(rig.payloads(watcher), Vec::<String>::new());
    assert!(rig.events.iter().any(|event| matches!(event, Event::Denied { connection: None, .. })));
}

#[test]
fn malformed_bytes_are_answered_and_publish_the_will() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let a = rig.connect(v5("a").will("will/a", "gone", 0));
    let mut decoder = signet_mqtt::Decoder::new(signet_mqtt::Role::Client, signet_mqtt::DecodeLimits::default());
    decoder.set_version(signet_mqtt::ProtocolVersion::V5);
    let error = decoder.decode(&[0x36, 0x02, 0x00, 0x00]).unwrap_err();
    let expected = error.reason_code();
    rig.input(a, Input::Malformed { connection: a, error });
    assert!(matches!(rig.next(a), Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == expected));
    assert_eq!(rig.payloads(watcher), ["gone"]);
}

#[test]
fn a_will_that_waits_is_dropped_when_its_device_is_revoked_and_the_operator_wants_that() {
    for (rule, expected) in [(WillRule::Publish, vec!["device", "nobody"]), (WillRule::Drop, vec!["nobody"])] {
        let mut rig = Rig::new();
        let watcher = watcher(&mut rig);
        for dial in [v5("a").device("pump-7").will("will/a", "device", 10), v5("b").will("will/b", "nobody", 10)] {
            let id = rig.connect(dial.expiry(100));
            rig.lose(id);
        }
        rig.revoke(rule);
        rig.pass(10_000);
        let mut seen = rig.payloads(watcher);
        seen.sort();
        assert_eq!(seen, expected, "{rule:?}");
    }
}
