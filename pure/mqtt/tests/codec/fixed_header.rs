//! Fixed header (§2.1), data types (§1.5) and properties (§2.2.2): what holds for every packet.

use signet_mqtt::{DecodeError, DecodeLimits, Decoder, Packet, ProtocolVersion, ReasonCode, Role};

use crate::wire::{decode, decoder, from_client, from_server, malformed, packet, protocol_error, refused, text};

const CLIENT_PACKETS: [u8; 4] = [0x10, 0x82, 0xA2, 0xC0];
const SERVER_PACKETS: [u8; 4] = [0x20, 0x90, 0xB0, 0xD0];

/// [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1], [MQTT-3.15.1-1]
#[test]
fn mqtt_2_1_3_1_reserved_flags_have_their_value() {
    for first in [0x10, 0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, 0xF0_u8] {
        for flags in 0..16 {
            let changed = (first & 0xF0) | flags;
            let error = decoder(Role::Client, ProtocolVersion::V5).decode(&[changed]).err();
            match changed == first {
                true => assert_eq!(error, None),
                false => assert_eq!(error.unwrap().statement(), "MQTT-2.1.3-1", "{changed:#04x}"),
            }
        }
    }
}

#[test]
fn packet_type_0_is_malformed() {
    malformed(from_client(&[0x00, 0]), "§2.1.2");
}

/// [MQTT-3.1.0-1]
#[test]
fn mqtt_3_1_0_1_the_first_packet_is_connect() {
    let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
    for first in [0x30, 0x40, 0x82, 0xC0, 0xE0, 0xF0] {
        let error = decoder.decode(&[first]).unwrap_err();
        assert_eq!((error.reason_code(), error.statement()), (ReasonCode::ProtocolError, "MQTT-3.1.0-1"));
        assert_eq!(error.refusal(decoder.version()), None, "nothing is said to a peer that did not say its version");
    }
    assert_eq!(decoder.decode(&[0x10]), Ok(None));
}

#[test]
fn packets_of_the_other_side_are_protocol_errors() {
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        for first in SERVER_PACKETS {
            protocol_error(decode(Role::Client, version, &[first, 0]), "§2.1.2");
        }
        for first in CLIENT_PACKETS {
            protocol_error(decode(Role::Server, version, &[first, 0]), "§2.1.2");
        }
    }
    protocol_error(decode(Role::Server, ProtocolVersion::V311, &[0xE0, 0]), "§2.1.2");
    assert!(from_server(&[0xE0, 0]).is_ok());
}

#[test]
fn pings_have_no_body() {
    assert_eq!(from_client(&[0xC0, 0]), Ok(Packet::Pingreq));
    assert_eq!(from_server(&[0xD0, 0]), Ok(Packet::Pingresp));
    malformed(from_client(&[0xC0, 1, 0]), "§2.1.4");
    malformed(from_server(&[0xD0, 1, 0]), "§2.1.4");
}

/// [MQTT-1.5.5-1]
#[test]
fn mqtt_1_5_5_1_remaining_length_takes_the_fewest_bytes() {
    malformed(from_client(&[0xC0, 0x80, 0x00]), "MQTT-1.5.5-1");
    malformed(from_client(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF]), "§1.5.5");
}

#[test]
fn too_large_is_refused_from_the_fixed_header_alone() {
    let limits = DecodeLimits { maximum_packet_size: 100, maximum_connect_size: 50, ..DecodeLimits::default() };
    let mut decoder = Decoder::new(Role::Client, limits);
    assert_eq!(decoder.decode(&[0x10, 48]), Ok(None));
    let error = decoder.decode(&[0x10, 49]).unwrap_err();
    assert_eq!(error, DecodeError::TooLarge { size: 51, maximum: 50 });
    assert_eq!(error.reason_code(), ReasonCode::PacketTooLarge);
    decoder.set_version(ProtocolVersion::V5);
    assert_eq!(decoder.decode(&[0x30, 98]), Ok(None));
    assert_eq!(decoder.needed(&[0x30, 98]), 98);
    assert_eq!(decoder.decode(&[0x30, 99]), Err(DecodeError::TooLarge { size: 101, maximum: 100 }));
    assert_eq!(decoder.decode(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]), Err(DecodeError::TooLarge { size: 268_435_460, maximum: 100 }));
    assert_eq!(decoder.needed(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]), 0);
}

/// [MQTT-1.5.4-1]
#[test]
fn mqtt_1_5_4_1_text_is_well_formed_utf_8() {
    // Encoded surrogate U+D800, overlong slash, a lone continuation byte, above U+10FFFF.
    for bytes in [&[0xED, 0xA0, 0x80][..], &[0xC0, 0xAF], &[0x80], &[0xF4, 0x90, 0x80, 0x80]] {
        malformed(from_client(&packet(0x30, &[&text(bytes), &[0]])), "MQTT-1.5.4-1");
        malformed(from_client(&packet(0x82, &[&[0, 1, 0], &text(bytes), &[0]])), "MQTT-1.5.4-1");
    }
}

/// [MQTT-1.5.4-2]
#[test]
fn mqtt_1_5_4_2_nul_in_string_is_malformed() {
    malformed(from_client(&packet(0x30, &[&text("a\0b"), &[0]])), "MQTT-1.5.4-2");
    malformed(from_client(&packet(0xE0, &[&[0, 4, 0x1F], &text("\0")])), "MQTT-1.5.4-2");
}

/// [MQTT-1.5.4-3]
#[test]
fn mqtt_1_5_4_3_byte_order_mark_is_kept() {
    let Ok(Packet::Publish(publish)) = from_client(&packet(0x30, &[&text("\u{feff}a"), &[0]])) else { panic!("a PUBLISH") };
    assert_eq!(publish.topic.unwrap().as_str(), "\u{feff}a");
}

/// [MQTT-1.5.7-1]
#[test]
fn mqtt_1_5_7_1_both_strings_of_a_pair_are_utf_8() {
    let pair = |name: &[u8], value: &[u8]| packet(0xE0, &[&[0, 1 + 2 + 1 + 2 + 1], &[0x26], &text(name), &text(value)]);
    assert!(from_client(&pair(b"n", b"v")).is_ok());
    malformed(from_client(&pair(b"\xFF", b"v")), "MQTT-1.5.4-1");
    malformed(from_client(&pair(b"n", b"\xFF")), "MQTT-1.5.4-1");
}

#[test]
fn property_identifiers_that_do_not_exist_or_do_not_belong_are_malformed() {
    for id in [0x00, 0x04, 0x2B, 0x7F] {
        malformed(from_client(&packet(0xE0, &[&[0, 2, id, 0]])), "§2.2.2.2");
    }
    // Maximum QoS belongs to CONNACK, Will Delay Interval to the Will.
    malformed(from_client(&packet(0xE0, &[&[0, 2, 0x24, 0]])), "§2.2.2.2");
    malformed(from_client(&packet(0xE0, &[&[0, 5, 0x18, 0, 0, 0, 0]])), "§2.2.2.2");
    // The identifier is a Variable Byte Integer of the fewest bytes.
    malformed(from_client(&packet(0xE0, &[&[0, 3, 0x9F, 0x00, 0]])), "MQTT-1.5.5-1");
}

#[test]
fn a_property_list_that_does_not_fit_is_malformed() {
    malformed(from_client(&packet(0xE0, &[&[0, 3, 0x1F, 0]])), "§4.13");
    // The last property ends behind the list.
    malformed(from_client(&packet(0xE0, &[&[0, 3, 0x1F], &text("abc")])), "§4.13");
    // Bytes behind the list.
    malformed(from_client(&packet(0xE0, &[&[0, 0, 0]])), "§2.1.4");
}

#[test]
fn a_property_twice_is_a_protocol_error_and_user_properties_may_repeat() {
    protocol_error(from_client(&packet(0xE0, &[&[0, 10, 0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1]])), "§2.2.2.2");
    let same = [&[0x26][..], &text("k"), &text("v")].concat();
    let Ok(Packet::Disconnect(disconnect)) = from_client(&packet(0xE0, &[&[0, 14], &same, &same])) else { panic!("a DISCONNECT") };
    assert_eq!(disconnect.user_properties.iter().collect::<Vec<_>>(), [("k", "v"), ("k", "v")]);
}

#[test]
fn user_properties_are_bounded() {
    let limits = DecodeLimits { maximum_user_properties: 1, ..DecodeLimits::default() };
    let mut decoder = Decoder::new(Role::Client, limits);
    decoder.set_version(ProtocolVersion::V5);
    let one = [0x26, 0, 0, 0, 0];
    assert!(decoder.decode(&packet(0xE0, &[&[0, 5], &one])).is_ok());
    let error = decoder.decode(&packet(0xE0, &[&[0, 10], &one, &one])).unwrap_err();
    assert_eq!(error.reason_code(), ReasonCode::QuotaExceeded);
}

#[test]
fn topics_are_bounded() {
    let limits = DecodeLimits { maximum_topic_levels: 3, maximum_topic_length: 10, ..DecodeLimits::default() };
    let mut decoder = Decoder::new(Role::Client, limits);
    decoder.set_version(ProtocolVersion::V5);
    let mut publish = |topic: &str| decoder.decode(&packet(0x30, &[&text(topic), &[0]])).map(|_| Packet::Pingreq);
    assert!(publish("a/b/c").is_ok());
    refused(publish("a/b/c/d"), ReasonCode::TopicNameInvalid, "§4.7.1.1");
    refused(publish("12345678901"), ReasonCode::TopicNameInvalid, "MQTT-4.7.3-3");
}
