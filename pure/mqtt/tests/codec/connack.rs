//! CONNACK (§3.2).

use signet_mqtt::{Connack, Packet, ProtocolVersion, QoS, ReasonCode, Role, ServerFeatures};

use crate::wire::{decode, encoded, from_server, malformed, packet, protocol_error};

/// [MQTT-3.2.2-1]
#[test]
fn mqtt_3_2_2_1_reserved_acknowledge_flags_are_zero() {
    malformed(from_server(&packet(0x20, &[&[2, 0, 0]])), "MQTT-3.2.2-1");
    malformed(decode(Role::Server, ProtocolVersion::V311, &[0x20, 2, 0x80, 0]), "MQTT-3.2.2-1");
}

/// [MQTT-3.2.2-6]
#[test]
fn mqtt_3_2_2_6_no_session_with_a_refusal() {
    protocol_error(from_server(&packet(0x20, &[&[1, 0x87, 0]])), "MQTT-3.2.2-6");
    protocol_error(decode(Role::Server, ProtocolVersion::V311, &[0x20, 2, 1, 5]), "MQTT-3.2.2-6");
}

/// [MQTT-3.2.2-8]
#[test]
fn mqtt_3_2_2_8_only_connect_reason_codes() {
    assert!(from_server(&packet(0x20, &[&[0, 0x8A, 0]])).is_ok());
    for code in [0x01, 0x18, 0x8D, 0x8E, 0x96, 0xFF] {
        protocol_error(from_server(&packet(0x20, &[&[0, code, 0]])), "MQTT-3.2.2-8");
    }
}

#[test]
fn return_codes_of_mqtt_3_1_1() {
    for code in 0..=5 {
        let Ok(Packet::Connack(connack)) = decode(Role::Server, ProtocolVersion::V311, &[0x20, 2, 0, code]) else { panic!("{code}") };
        assert_eq!(connack.reason_code.connect_return_code(), Some(code));
    }
    protocol_error(decode(Role::Server, ProtocolVersion::V311, &[0x20, 2, 0, 6]), "§3.2.2.3 (3.1.1)");
    let written = |reason_code| encoded(&Packet::Connack(Box::new(Connack { reason_code, ..Connack::default() })), ProtocolVersion::V311);
    assert_eq!(written(ReasonCode::NotAuthorized), [0x20, 2, 0, 5]);
    assert_eq!(written(ReasonCode::ServerBusy), [0x20, 2, 0, 3]);
    assert_eq!(written(ReasonCode::BadUserNameOrPassword), [0x20, 2, 0, 4]);
}

#[test]
fn maximum_qos_2_is_said_by_saying_nothing() {
    let mut connack = Connack::default();
    connack.properties.features = ServerFeatures { maximum_qos: Some(QoS::ExactlyOnce), ..ServerFeatures::default() };
    assert_eq!(encoded(&Packet::Connack(Box::new(connack)), ProtocolVersion::V5), [0x20, 3, 0, 0, 0]);
    protocol_error(from_server(&packet(0x20, &[&[0, 0, 2, 0x24, 2]])), "§2.2.2.2");
}
