//! CONNECT: who gets in, under which name, and which session is found.

use signet_mqtt::{Packet, ProtocolVersion, ReasonCode};
use signet_policy::{DenialReason, Ruleset};

use super::rig::*;
use crate::{CloseCause, ConnectRules, Event, KickCause, Limits, SharedDirectory, WillRule, expect_connect};

#[test]
fn mqtt_3_1_0_1_the_first_packet_has_to_be_connect() {
    assert!(expect_connect(Packet::Pingreq).is_err());
    assert!(expect_connect(Packet::Connect(Box::new(v5("a").connect))).is_ok());
}

#[test]
fn mqtt_3_1_0_2_a_second_connect_ends_the_connection() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a"));
    rig.send(a, Packet::Connect(Box::new(v5("a").connect)));
    assert!(matches!(rig.next(a), Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == ReasonCode::ProtocolError));
    assert!(matches!(rig.closed(a), Some(CloseCause::ProtocolError(_))));
}

#[test]
fn a_packet_that_only_a_server_sends_ends_the_connection() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a"));
    rig.send(a, Packet::Pingresp);
    assert!(matches!(rig.closed(a), Some(CloseCause::ProtocolError(_))));
}

#[test]
fn mqtt_3_2_2_16_an_empty_identifier_is_assigned_and_told() {
    let mut rig = Rig::new();
    let (_, connack) = rig.connected(v5(""));
    let assigned = connack.properties.assigned_client_identifier.unwrap();
    assert!(assigned.as_str().starts_with("auto-assigned-"));
    let (_, connack) = rig.connected(v5("named"));
    assert_eq!(connack.properties.assigned_client_identifier, None);
}

#[test]
fn an_empty_identifier_of_mqtt_3_1_1_needs_a_clean_session() {
    let mut rig = Rig::new();
    let refusal = rig.dial(v311("").resume()).unwrap_err();
    assert_eq!(refusal.denied.reason_code, ReasonCode::ClientIdentifierNotValid);
    assert_eq!(refusal.version, ProtocolVersion::V311);
    rig.connect(v311(""));
}

#[test]
fn enhanced_authentication_is_refused_by_name() {
    let mut rig = Rig::new();
    let refusal = rig.dial(v5("a").properties(|properties| properties.authentication_method = Some("SCRAM".into()))).unwrap_err();
    assert_eq!(refusal.connack.unwrap().reason_code, ReasonCode::BadAuthenticationMethod);
}

#[test]
fn anonymous_clients_need_permission() {
    let mut rig = Rig::new();
    rig.admission.anonymous = false;
    let refusal = rig.dial(v5("a")).unwrap_err();
    assert!(matches!(refusal.denied.reason, DenialReason::Anonymous { .. }));
    assert_eq!(refusal.connack.unwrap().reason_code, ReasonCode::NotAuthorized);
    rig.connect(v5("a").device("pump-7"));
}

#[test]
fn mqtt_3_1_4_3_a_second_connection_takes_the_session_over() {
    let mut rig = Rig::new();
    let old = rig.connect(v5("a").expiry(100));
    rig.subscribe(old, "t", QOS1);
    let (new, connack) = rig.connected(v5("a").expiry(100).resume());
    assert!(matches!(rig.next(old), Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == ReasonCode::SessionTakenOver));
    assert_eq!(rig.closed(old), Some(&CloseCause::TakenOver));
    assert!(connack.session_present);
    let publisher = rig.connect(v5("p"));
    assert_eq!(rig.publish1(publisher, "t", "x"), ReasonCode::Success);
    assert_eq!(rig.payloads(new), ["x"]);
    assert_eq!(rig.stats().taken_over, 1);
}

#[test]
fn the_identifier_of_another_device_is_refused_and_nothing_of_its_session_is_lost() {
    let mut rig = Rig::new();
    let victim = rig.connect(v5("shared-name").device("pump-7").expiry(1000));
    rig.subscribe(victim, "secret", QOS1);
    let attack = |rig: &mut Rig| {
        for dial in [v5("shared-name").device("pump-8"), v5("shared-name").device("pump-8").resume(), v5("shared-name")] {
            let thief = rig.dial(dial).unwrap();
            let Some(Packet::Connack(connack)) = rig.next(thief) else { panic!("no CONNACK") };
            assert_eq!(connack.reason_code, ReasonCode::ClientIdentifierNotValid);
            assert_eq!(rig.closed(thief), Some(&CloseCause::IdentifierInUse));
        }
    };
    attack(&mut rig);
    assert_eq!(rig.closed(victim), None);
    rig.lose(victim);
    let publisher = rig.connect(v5("p"));
    rig.publish1(publisher, "secret", "not for you");
    attack(&mut rig);
    assert!(rig.events.iter().any(|event| matches!(event, Event::IdentifierRefused { .. })));
    let (victim, connack) = rig.connected(v5("shared-name").device("pump-7").expiry(1000).resume());
    assert!(connack.session_present);
    assert_eq!(rig.payloads(victim), ["not for you"]);
}

#[test]
fn a_session_of_an_anonymous_client_is_never_resumed_by_a_device() {
    let mut rig = Rig::new();
    let anonymous = rig.connect(v5("shared-name").expiry(1000));
    rig.subscribe(anonymous, "secret", QOS1);
    rig.lose(anonymous);
    let publisher = rig.connect(v5("p"));
    rig.publish1(publisher, "secret", "not for you");
    let (device, connack) = rig.connected(v5("shared-name").device("pump-8").expiry(1000).resume());
    assert!(!connack.session_present);
    assert_eq!(rig.payloads(device), Vec::<String>::new());
    assert!(rig.events.iter().any(|event| matches!(event, Event::SessionNotShared { .. })));
}

#[test]
fn mqtt_3_1_2_4_clean_start_ends_the_old_session() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a").expiry(100));
    rig.subscribe(a, "t", QOS1);
    rig.lose(a);
    let (_, connack) = rig.connected(v5("a").expiry(100));
    assert!(!connack.session_present);
    assert_eq!(rig.directory.read(crate::Directory::subscriptions), 0);
}

#[test]
fn a_session_lasts_as_long_as_its_expiry() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a").expiry(10));
    rig.lose(a);
    rig.pass(9_999);
    let (a, connack) = rig.connected(v5("a").expiry(10).resume());
    assert!(connack.session_present, "[MQTT-3.1.2-5]");
    rig.lose(a);
    rig.pass(10_000);
    let (_, connack) = rig.connected(v5("a").resume());
    assert!(!connack.session_present, "[MQTT-4.1.0-2]");
    assert_eq!(rig.stats().sessions, 1);
}

#[test]
fn a_session_whose_time_has_come_is_gone_before_any_tick() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a").expiry(10));
    rig.lose(a);
    rig.now = rig.now.plus_seconds(10);
    let (_, connack) = rig.connected(v5("a").resume());
    assert!(!connack.session_present);
}

#[test]
fn a_clean_session_of_mqtt_3_1_1_ends_with_its_connection_and_another_does_not() {
    let mut rig = Rig::new();
    let a = rig.connect(v311("a"));
    rig.leave(a);
    assert_eq!(rig.stats().sessions, 0);
    let b = rig.connect(v311("b").resume());
    rig.leave(b);
    rig.pass(3_600_000);
    let (_, connack) = rig.connected(v311("b").resume());
    assert!(connack.session_present);
}

#[test]
fn the_session_expiry_is_cut_to_the_limit_and_the_client_told() {
    let mut rig = Rig::with(1, Limits { session_expiry_maximum: 60, ..Limits::default() }, Ruleset::allow_all());
    let (a, connack) = rig.connected(v5("a").expiry(u32::MAX));
    assert_eq!(connack.properties.session_expiry_interval, Some(60));
    rig.lose(a);
    rig.pass(60_000);
    assert_eq!(rig.stats().sessions, 0);
}

#[test]
fn mqtt_3_1_2_22_silence_of_one_and_a_half_keep_alive_ends_the_connection() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a").keep_alive(10));
    rig.pass(14_000);
    rig.send(a, Packet::Pingreq);
    assert_eq!(rig.next(a), Some(Packet::Pingresp));
    rig.pass(14_999);
    assert_eq!(rig.closed(a), None);
    rig.pass(1);
    assert!(matches!(rig.next(a), Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == ReasonCode::KeepAliveTimeout));
    assert_eq!(rig.closed(a), Some(&CloseCause::KeepAliveTimeout));
}

#[test]
fn without_keep_alive_a_client_may_be_silent() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a"));
    rig.pass(1_000_000_000);
    assert_eq!(rig.closed(a), None);
}

#[test]
fn mqtt_3_2_2_21_the_server_keep_alive_replaces_what_the_client_asked_for() {
    let mut rig = Rig::with(
        1,
        Limits { connect: ConnectRules { keep_alive_maximum: 20, ..ConnectRules::default() }, ..Limits::default() },
        Ruleset::allow_all(),
    );
    let (none, connack) = rig.connected(v5("none"));
    assert_eq!(connack.properties.server_keep_alive, Some(20));
    let (_, connack) = rig.connected(v5("long").keep_alive(21));
    assert_eq!(connack.properties.server_keep_alive, Some(20));
    let (_, connack) = rig.connected(v5("short").keep_alive(5));
    assert_eq!(connack.properties.server_keep_alive, None);
    rig.pass(30_000);
    assert_eq!(rig.closed(none), Some(&CloseCause::KeepAliveTimeout));
}

#[test]
fn a_kick_says_why_to_mqtt_5_and_closes_for_mqtt_3_1_1() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a"));
    rig.kick(a, KickCause::Revoked("keyCompromise"), WillRule::Publish);
    match rig.next(a) {
        Some(Packet::Disconnect(disconnect)) => {
            assert_eq!(disconnect.reason_code, ReasonCode::AdministrativeAction);
            assert_eq!(disconnect.reason_string.as_deref(), Some("certificate revoked: keyCompromise"));
        }
        other => panic!("no DISCONNECT: {other:?}"),
    }
    let b = rig.connect(v311("b"));
    rig.kick(b, KickCause::Revoked("keyCompromise"), WillRule::Publish);
    assert_eq!(rig.next(b), None);
    assert_eq!(rig.closed(b), Some(&CloseCause::Kicked(KickCause::Revoked("keyCompromise"))));
    assert_eq!(rig.stats().kicked, 2);
}

#[test]
fn packets_after_the_end_change_nothing() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a"));
    rig.leave(a);
    rig.send(a, Packet::Pingreq);
    rig.kick(a, KickCause::Administrative, WillRule::Publish);
    assert_eq!(rig.next(a), None);
}

#[test]
fn what_a_connack_promises_waits_for_its_ticket() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a").expiry(100));
    assert_ne!(rig.ticket(a, "CONNACK"), crate::Ticket::NONE);
    assert_eq!(rig.subscribe(a, "t", QOS1), ReasonCode::GrantedQoS1);
    assert_ne!(rig.ticket(a, "SUBACK"), crate::Ticket::NONE);
    assert_eq!(rig.publish1(a, "t", "x"), ReasonCode::Success);
    assert_ne!(rig.ticket(a, "PUBACK"), crate::Ticket::NONE);
    rig.send(a, Packet::Publish(publish("t", "y", QOS2, Some(3))));
    assert_ne!(rig.ticket(a, "PUBREC"), crate::Ticket::NONE);
    let clean = rig.connect(v5("clean"));
    assert_eq!(rig.ticket(clean, "CONNACK"), crate::Ticket::NONE);
}
