//! MQTT 3.1: what it has otherwise than 3.1.1, and the mark by which another broker is known.

use signet_mqtt::{Connack, Connect, DecodeError, DecodeLimits, Decoder, Packet, ProtocolVersion, ReasonCode, Role, Suback};

use crate::wire::{self, encoded, malformed, packet, protocol_error, text};

const V31: ProtocolVersion = ProtocolVersion::V31;
const V311: ProtocolVersion = ProtocolVersion::V311;

fn decode(bytes: &[u8]) -> Result<Packet, DecodeError> {
    let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
    decoder.decode(bytes).map(|found| found.expect("the packet is whole").0)
}

fn connect(bytes: &[u8]) -> Connect {
    match decode(bytes) {
        Ok(Packet::Connect(connect)) => *connect,
        other => panic!("{other:?}"),
    }
}

fn v31(level: u8, flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    packet(0x10, &[&text("MQIsdp"), &[level, flags, 0, 60], &payload.concat()])
}

#[test]
fn it_has_a_name_of_its_own() {
    let found = connect(&v31(3, 0b10, &[&text("c")]));
    assert_eq!((found.version, found.is_bridge, found.clean_start), (V31, false, true));
    let bytes = v31(3, 0b1100_0010, &[&text("c"), &text("u"), &text("p")]);
    assert_eq!(encoded(&Packet::Connect(Box::new(connect(&bytes))), V31), bytes);
    assert!(matches!(decode(&v31(4, 0b10, &[&text("c")])), Err(DecodeError::UnsupportedVersion { level: 4, .. })));
}

#[test]
fn another_broker_is_known_by_the_highest_bit_of_the_level() {
    let bytes = v31(0x83, 0b10, &[&text("c")]);
    let found = connect(&bytes);
    assert_eq!((found.version, found.is_bridge), (V31, true));
    assert_eq!(encoded(&Packet::Connect(Box::new(found)), V31), bytes);
    let bytes = packet(0x10, &[&text("MQTT"), &[0x84, 0b10, 0, 60], &text("c")]);
    let found = connect(&bytes);
    assert_eq!((found.version, found.is_bridge), (V311, true));
    assert_eq!(encoded(&Packet::Connect(Box::new(found)), V311), bytes);
    let v5 = packet(0x10, &[&text("MQTT"), &[0x85, 0b10, 0, 60, 0], &text("c")]);
    assert!(matches!(decode(&v5), Err(DecodeError::UnsupportedVersion { level: 0x85, .. })));
}

#[test]
fn an_identifier_is_never_empty_and_may_be_longer_than_23_characters() {
    for flags in [0b00, 0b10] {
        let error = decode(&v31(3, flags, &[&text("")])).unwrap_err();
        let (answer, version) = error.refusal(Some(V31)).unwrap();
        assert_eq!(encoded(&answer, version), [0x20, 2, 0, 2], "{error}");
    }
    assert_eq!(connect(&v31(3, 0b10, &[&text("x".repeat(24))])).client_identifier.as_str().len(), 24);
}

#[test]
fn user_name_and_password_may_be_announced_and_missing() {
    let found = connect(&v31(3, 0b1100_0010, &[&text("c")]));
    assert!(found.username.is_none() && found.password.is_none());
    let found = connect(&v31(3, 0b1100_0010, &[&text("c"), &text("u")]));
    assert!(found.username.as_deref() == Some("u") && found.password.is_none());
    // Begun is begun.
    malformed(decode(&v31(3, 0b1000_0010, &[&text("c"), &[0]])), "§4.13");
    malformed(decode(&v31(3, 0b0100_0010, &[&text("c"), &text("p")])), "§3.1.2.9 (3.1.1)");
}

#[test]
fn bits_that_it_does_not_use_may_be_anything() {
    assert!(connect(&v31(3, 0b0011_0011, &[&text("c")])).will.is_none());
    for (first, body) in [(0x8A, &[0, 1, 0, 1, b'a', 1][..]), (0xAA, &[0, 1, 0, 1, b'a']), (0x6A, &[0, 1]), (0xC1, &[]), (0x41, &[0, 1])] {
        assert!(wire::decode(Role::Client, V31, &packet(first, &[body])).is_ok(), "{first:#x}");
        malformed(wire::decode(Role::Client, V311, &packet(first, &[body])), "MQTT-2.1.3-1");
    }
    let flagged = |mut bytes: Vec<u8>| {
        bytes[0] = 0x18;
        decode(&bytes)
    };
    assert!(flagged(v31(3, 0b10, &[&text("c")])).is_ok());
    malformed(flagged(packet(0x10, &[&text("MQTT"), &[4, 0b10, 0, 60], &text("c")])), "MQTT-2.1.3-1");
    malformed(flagged(packet(0x10, &[&text("MQTT"), &[5, 0b10, 0, 60, 0], &text("c")])), "MQTT-2.1.3-1");
    // What it does use is checked as ever.
    malformed(wire::decode(Role::Client, V31, &packet(0x36, &[&text("t"), &[0, 1]])), "MQTT-3.3.1-4");
    malformed(wire::decode(Role::Client, V31, &packet(0x82, &[&[0, 1], &text("a"), &[4]])), "§3.8.3 (3.1.1)");
    protocol_error(wire::decode(Role::Client, V31, &packet(0x82, &[&[0, 1], &text("a"), &[3]])), "§3.8.3.1");
    malformed(wire::decode(Role::Client, V31, &[0xF0, 0]), "§2.2.1 (3.1.1)");
}

#[test]
fn its_connack_cannot_say_that_a_session_is_present() {
    let connack = Connack { session_present: true, ..Connack::default() };
    assert_eq!(encoded(&Packet::Connack(Box::new(connack)), V31), [0x20, 2, 0, 0]);
    let Ok(Packet::Connack(found)) = wire::decode(Role::Server, V31, &[0x20, 2, 0xFF, 0]) else { panic!("a CONNACK") };
    assert!(!found.session_present);
}

#[test]
fn its_packets_have_no_properties() {
    let suback = Suback {
        packet_id: signet_mqtt::PacketId::new(1).unwrap(),
        reason_string: Some("why".into()),
        user_properties: signet_mqtt::UserProperties::default(),
        reason_codes: vec![ReasonCode::GrantedQoS1],
    };
    assert_eq!(encoded(&Packet::Suback(suback), V31), [0x90, 3, 0, 1, 1]);
}
