//! CONNECT (§3.1).

use signet_mqtt::{Connect, DecodeError, DecodeLimits, Decoder, Packet, ProtocolVersion, QoS, ReasonCode, Role};

use crate::wire::{encoded, malformed, packet, protocol_error, refused, text};

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

/// MQTT 5.0 with these flags, properties and payload.
fn v5(flags: u8, properties: &[u8], payload: &[&[u8]]) -> Vec<u8> {
    let length = u8::try_from(properties.len()).unwrap();
    packet(0x10, &[&text("MQTT"), &[5, flags, 0, 60, length], properties, &payload.concat()])
}

fn v311(flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    packet(0x10, &[&text("MQTT"), &[4, flags, 0, 60], &payload.concat()])
}

#[test]
fn the_least_that_can_be_said() {
    let found = connect(&v5(0b10, &[], &[&text("")]));
    assert_eq!((found.version, found.clean_start, found.keep_alive), (ProtocolVersion::V5, true, 60));
    assert!(found.client_identifier.is_empty() && found.will.is_none() && found.username.is_none() && found.password.is_none());
    assert_eq!(connect(&v311(0, &[&text("c")])).client_identifier.as_str(), "c");
}

/// [MQTT-3.1.2-1], [MQTT-3.1.2-2]
#[test]
fn mqtt_3_1_2_2_other_protocols_are_refused_in_words_they_can_read() {
    for (name, level, version) in [
        ("MQTT", 6, ProtocolVersion::V5),
        ("MQTT", 3, ProtocolVersion::V311),
        ("MQIsdp", 4, ProtocolVersion::V311),
        ("MQIsdp", 5, ProtocolVersion::V311),
        ("MQTT", 0x85, ProtocolVersion::V5),
        ("MQTT", 0, ProtocolVersion::V311),
        ("mqtt", 4, ProtocolVersion::V311),
    ] {
        let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
        let error = decoder.decode(&packet(0x10, &[&text(name), &[level, 2, 0, 60, 0], &text("c")])).unwrap_err();
        assert_eq!(error, DecodeError::UnsupportedVersion { name: name.to_owned(), level });
        assert_eq!(error.reason_code(), ReasonCode::UnsupportedProtocolVersion);
        let (answer, spoken) = error.refusal(decoder.version()).unwrap();
        let expected: &[u8] = if version == ProtocolVersion::V5 { &[0x20, 3, 0, 0x84, 0] } else { &[0x20, 2, 0, 1] };
        assert_eq!((spoken, &encoded(&answer, spoken)[..]), (version, expected));
    }
    let control = decode(&packet(0x10, &[&text("M\nTT"), &[4, 2, 0, 60]])).unwrap_err();
    assert!(control.to_string().contains("`M.TT`"), "{control}");
}

#[test]
fn errors_behind_the_version_are_answered_in_that_version() {
    let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
    let error = decoder.decode(&v5(0b11, &[], &[&text("c")])).unwrap_err();
    assert_eq!(decoder.version(), Some(ProtocolVersion::V5));
    let (answer, version) = error.refusal(decoder.version()).unwrap();
    assert_eq!(encoded(&answer, version), [0x20, 3, 0, 0x81, 0]);
    // MQTT 3.1.1 has no return code for it: the connection is closed.
    let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
    let error = decoder.decode(&v311(0b11, &[&text("c")])).unwrap_err();
    assert_eq!(error.refusal(decoder.version()), None);
}

/// [MQTT-3.1.2-3]
#[test]
fn mqtt_3_1_2_3_reserved_flag_is_zero() {
    malformed(decode(&v5(0b11, &[], &[&text("c")])), "MQTT-3.1.2-3");
    malformed(decode(&v311(0b11, &[&text("c")])), "MQTT-3.1.2-3");
}

/// [MQTT-3.1.2-9]
#[test]
fn mqtt_3_1_2_9_will_fields_are_there_with_the_will_flag() {
    let found = connect(&v5(0b0010_1110, &[], &[&text("c"), &[5, 0x18, 0, 0, 0, 9], &text("w"), &text([0xFF, 0])]));
    let will = found.will.unwrap();
    assert_eq!((will.topic.as_str(), &will.payload[..], will.qos, will.retain), ("w", &[0xFF, 0][..], QoS::AtLeastOnce, true));
    assert_eq!(will.properties.delay_interval, Some(9));
    malformed(decode(&v5(0b110, &[], &[&text("c")])), "§1.5.5");
    malformed(decode(&v311(0b110, &[&text("c"), &text("w")])), "§4.13");
    // A Will without its flag is left over.
    malformed(decode(&v311(0b010, &[&text("c"), &text("w"), &text("x")])), "§2.1.4");
}

/// [MQTT-3.1.2-11]
#[test]
fn mqtt_3_1_2_11_no_will_qos_without_a_will() {
    malformed(decode(&v5(0b0000_1010, &[], &[&text("c")])), "MQTT-3.1.2-11");
    malformed(decode(&v311(0b0001_0010, &[&text("c")])), "MQTT-3.1.2-11");
}

/// [MQTT-3.1.2-12]
#[test]
fn mqtt_3_1_2_12_will_qos_3_is_malformed() {
    malformed(decode(&v5(0b0001_1110, &[], &[&text("c"), &[0], &text("w"), &text("")])), "MQTT-3.1.2-12");
}

/// [MQTT-3.1.2-13]
#[test]
fn mqtt_3_1_2_13_no_will_retain_without_a_will() {
    malformed(decode(&v5(0b0010_0010, &[], &[&text("c")])), "MQTT-3.1.2-13");
}

/// [MQTT-3.1.2-16], [MQTT-3.1.2-17], [MQTT-3.1.2-18], [MQTT-3.1.2-19]
#[test]
fn mqtt_3_1_2_17_user_name_and_password_are_there_exactly_with_their_flags() {
    let found = connect(&v5(0b1100_0010, &[], &[&text("c"), &text("u"), &text([0xFF])]));
    assert_eq!(found.username.as_deref(), Some("u"));
    assert_eq!(found.password.as_ref().map(|it| it.expose()), Some(&[0xFF][..]));
    assert!(format!("{found:?}").contains("Password(redacted)"));
    malformed(decode(&v5(0b1000_0010, &[], &[&text("c")])), "§4.13");
    malformed(decode(&v5(0b1100_0010, &[], &[&text("c"), &text("u")])), "§4.13");
    malformed(decode(&v5(0b1000_0010, &[], &[&text("c"), &text("u"), &text("p")])), "§2.1.4");
}

/// MQTT 3.1.1 §3.1.2.9; MQTT 5.0 dropped the rule.
#[test]
fn a_password_alone_is_for_mqtt_5_only() {
    assert!(connect(&v5(0b0100_0010, &[], &[&text("c"), &text("p")])).password.is_some());
    malformed(decode(&v311(0b0100_0010, &[&text("c"), &text("p")])), "§3.1.2.9 (3.1.1)");
}

/// [MQTT-3.1.3-3], [MQTT-3.1.3-4]
#[test]
fn mqtt_3_1_3_3_the_client_identifier_is_always_there() {
    malformed(decode(&v5(0b10, &[], &[])), "§4.13");
    malformed(decode(&v311(0b10, &[])), "§4.13");
    malformed(decode(&v5(0b10, &[], &[&text([0xC3])])), "MQTT-1.5.4-1");
}

/// MQTT 3.1.1 §3.1.3.1; MQTT 5.0 assigns one in any case.
#[test]
fn an_empty_identifier_keeps_no_session_in_mqtt_3_1_1() {
    assert!(connect(&v311(0b10, &[&text("")])).client_identifier.is_empty());
    let error = decode(&v311(0, &[&text("")])).unwrap_err();
    let (answer, version) = error.refusal(Some(ProtocolVersion::V311)).unwrap();
    assert_eq!(encoded(&answer, version), [0x20, 2, 0, 2]);
    assert!(connect(&v5(0, &[], &[&text("")])).client_identifier.is_empty());
}

/// [MQTT-3.1.3-11]
#[test]
fn mqtt_3_1_3_11_the_will_topic_is_a_topic_name() {
    let will = |topic: &str| decode(&v5(0b110, &[], &[&text("c"), &[0], &text(topic), &text("")]));
    assert!(will("a/b").is_ok());
    refused(will("a/#"), ReasonCode::TopicNameInvalid, "MQTT-4.7.0-1");
    refused(will(""), ReasonCode::TopicNameInvalid, "MQTT-4.7.3-1");
    malformed(will("\0"), "MQTT-1.5.4-2");
}

/// [MQTT-3.1.3-12]
#[test]
fn mqtt_3_1_3_12_the_user_name_is_utf_8() {
    malformed(decode(&v5(0b1000_0010, &[], &[&text("c"), &text([0xFF])])), "MQTT-1.5.4-1");
}

/// The values that §3.1.2.11 calls Protocol Errors.
#[test]
fn property_values_that_are_not_allowed() {
    for properties in [&[0x21, 0, 0][..], &[0x27, 0, 0, 0, 0], &[0x19, 2], &[0x17, 2]] {
        protocol_error(decode(&v5(0b10, properties, &[&text("c")])), "§2.2.2.2");
    }
    protocol_error(decode(&v5(0b10, &[0x16, 0, 1, 7], &[&text("c")])), "§3.1.2.11.10");
    assert!(decode(&v5(0b10, &[0x15, 0, 1, b'm', 0x16, 0, 1, 7], &[&text("c")])).is_ok());
    malformed(decode(&v5(0b10, &[0x23, 0, 1], &[&text("c")])), "§2.2.2.2");
}
