//! PUBLISH (§3.3).

use signet_mqtt::{Packet, ProtocolVersion, Publish, ReasonCode, Role};

use crate::wire::{decode, from_client, from_server, malformed, packet, protocol_error, refused, text};

/// QoS 0 with these properties.
fn with(properties: &[u8]) -> Vec<u8> {
    packet(0x30, &[&text("t"), &[u8::try_from(properties.len()).unwrap()], properties])
}

fn publish(bytes: &[u8]) -> Publish {
    match from_client(bytes) {
        Ok(Packet::Publish(publish)) => publish,
        other => panic!("{other:?}"),
    }
}

/// [MQTT-3.3.1-2]
#[test]
fn mqtt_3_3_1_2_no_dup_with_qos_0() {
    malformed(from_client(&packet(0x38, &[&text("t"), &[0]])), "MQTT-3.3.1-2");
    assert!(publish(&packet(0x3A, &[&text("t"), &[0, 1, 0]])).dup);
}

/// [MQTT-3.3.1-4]
#[test]
fn mqtt_3_3_1_4_qos_3_is_malformed() {
    for first in [0x36, 0x37, 0x3E] {
        malformed(from_client(&packet(first, &[&text("t"), &[0, 1, 0]])), "MQTT-3.3.1-4");
        malformed(decode(Role::Client, ProtocolVersion::V311, &packet(first, &[&text("t"), &[0, 1]])), "MQTT-3.3.1-4");
    }
}

/// [MQTT-2.2.1-2]
#[test]
fn mqtt_2_2_1_2_no_packet_identifier_with_qos_0() {
    let found = publish(&packet(0x30, &[&text("t"), &[0], b"xy"]));
    assert_eq!((found.packet_id, &found.payload[..]), (None, &b"xy"[..]));
}

/// [MQTT-2.2.1-3], [MQTT-2.2.1-4]
#[test]
fn mqtt_2_2_1_3_packet_identifiers_are_not_zero() {
    let zero = packet(0x32, &[&text("t"), &[0, 0, 0]]);
    protocol_error(from_client(&zero), "MQTT-2.2.1-3");
    protocol_error(from_server(&zero), "MQTT-2.2.1-4");
    assert_eq!(publish(&packet(0x32, &[&text("t"), &[1, 2, 0]])).packet_id.unwrap().get(), 0x0102);
}

/// [MQTT-3.3.2-1]
#[test]
fn mqtt_3_3_2_1_the_topic_name_comes_first() {
    malformed(from_client(&[0x30, 0]), "§4.13");
    malformed(from_client(&packet(0x30, &[&[0, 5], b"ab"])), "§4.13");
}

/// [MQTT-3.3.2-2]
#[test]
fn mqtt_3_3_2_2_no_wildcards_in_the_topic_name() {
    for topic in ["a/+", "#"] {
        refused(from_client(&packet(0x30, &[&text(topic), &[0]])), ReasonCode::TopicNameInvalid, "MQTT-4.7.0-1");
    }
}

#[test]
fn an_empty_topic_needs_an_alias() {
    protocol_error(from_client(&packet(0x30, &[&text(""), &[0]])), "§3.3.2.1");
    let found = publish(&packet(0x30, &[&text(""), &[3, 0x23, 0, 7]]));
    assert_eq!((found.topic, found.properties.topic_alias.unwrap().get()), (None, 7));
    refused(decode(Role::Client, ProtocolVersion::V311, &packet(0x30, &[&text("")])), ReasonCode::TopicNameInvalid, "MQTT-4.7.3-1");
}

/// [MQTT-3.3.2-8]
#[test]
fn mqtt_3_3_2_8_topic_alias_0_is_refused() {
    refused(from_client(&with(&[0x23, 0, 0])), ReasonCode::TopicAliasInvalid, "MQTT-3.3.2-8");
}

/// [MQTT-3.3.2-13], [MQTT-3.3.2-14]
#[test]
fn mqtt_3_3_2_14_no_wildcards_in_the_response_topic() {
    assert!(from_client(&with(&[0x08, 0, 1, b'a'])).is_ok());
    protocol_error(from_client(&with(&[0x08, 0, 1, b'#'])), "MQTT-3.3.2-14");
    protocol_error(from_client(&with(&[0x08, 0, 0])), "MQTT-4.7.3-1");
    malformed(from_client(&with(&[0x08, 0, 1, 0xFF])), "MQTT-1.5.4-1");
}

/// [MQTT-3.3.2-19]
#[test]
fn mqtt_3_3_2_19_the_content_type_is_utf_8() {
    malformed(from_client(&with(&[0x03, 0, 1, 0xFF])), "MQTT-1.5.4-1");
}

/// [MQTT-3.3.4-6]
#[test]
fn mqtt_3_3_4_6_no_subscription_identifier_from_a_client() {
    protocol_error(from_client(&with(&[0x0B, 1])), "MQTT-3.3.4-6");
    let Ok(Packet::Publish(found)) = from_server(&with(&[0x0B, 1, 0x0B, 0x80, 0x01])) else { panic!("a PUBLISH") };
    assert_eq!(found.properties.subscription_identifiers.iter().map(|it| it.get()).collect::<Vec<_>>(), [1, 128]);
    protocol_error(from_server(&with(&[0x0B, 0])), "§2.2.2.2");
}

#[test]
fn payload_format_indicator_is_0_or_1_and_once() {
    assert_eq!(publish(&with(&[0x01, 1])).properties.payload_format_indicator, Some(true));
    protocol_error(from_client(&with(&[0x01, 2])), "§2.2.2.2");
    protocol_error(from_client(&with(&[0x01, 1, 0x01, 1])), "§2.2.2.2");
}

#[test]
fn mqtt_3_1_1_has_no_properties() {
    let Ok(Packet::Publish(found)) = decode(Role::Client, ProtocolVersion::V311, &packet(0x30, &[&text("t"), &[0]])) else {
        panic!("a PUBLISH");
    };
    assert_eq!(&found.payload[..], [0]);
}
