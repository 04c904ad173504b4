//! SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK (§3.8 to §3.11).

use signet_mqtt::{
    DecodeLimits, Decoder, Packet, PacketId, ProtocolVersion, QoS, ReasonCode, RetainHandling, Role, Suback, UserProperties,
};

use crate::wire::{decode, encoded, from_client, from_server, malformed, packet, protocol_error, refused, text};

fn subscribe(filter: &str, options: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 1, 0], &text(filter), &[options]])
}

#[test]
fn options_are_read_bit_by_bit() {
    let Ok(Packet::Subscribe(found)) = from_client(&subscribe("a/#", 0b0010_1110)) else { panic!("a SUBSCRIBE") };
    let options = found.subscriptions[0].options;
    assert_eq!((options.maximum_qos, options.no_local), (QoS::ExactlyOnce, true));
    assert_eq!((options.retain_as_published, options.retain_handling), (true, RetainHandling::DoNotSend));
}

/// [MQTT-3.8.3-1]
#[test]
fn mqtt_3_8_3_1_topic_filters_are_utf_8_and_well_formed() {
    malformed(from_client(&packet(0x82, &[&[0, 1, 0], &text([0xFF]), &[0]])), "MQTT-1.5.4-1");
    refused(from_client(&subscribe("a/#/b", 0)), ReasonCode::TopicFilterInvalid, "MQTT-4.7.1-1");
    refused(from_client(&subscribe("", 0)), ReasonCode::TopicFilterInvalid, "MQTT-4.7.3-1");
    refused(from_client(&subscribe("$share/g", 0)), ReasonCode::TopicFilterInvalid, "MQTT-4.8.2-2");
}

/// [MQTT-3.8.3-2]
#[test]
fn mqtt_3_8_3_2_at_least_one_filter() {
    protocol_error(from_client(&packet(0x82, &[&[0, 1, 0]])), "MQTT-3.8.3-2");
    protocol_error(decode(Role::Client, ProtocolVersion::V311, &packet(0x82, &[&[0, 1]])), "MQTT-3.8.3-2");
    // A filter without its options.
    malformed(from_client(&packet(0x82, &[&[0, 1, 0], &text("a")])), "§4.13");
}

/// [MQTT-3.8.3-4]
#[test]
fn mqtt_3_8_3_4_no_local_on_a_shared_subscription() {
    protocol_error(from_client(&subscribe("$share/g/a", 0b100)), "MQTT-3.8.3-4");
    assert!(from_client(&subscribe("$share/g/a", 0b001)).is_ok());
    assert!(from_client(&subscribe("a", 0b100)).is_ok());
}

/// [MQTT-3.8.3-5], and §3.8.3 of MQTT 3.1.1.
#[test]
fn mqtt_3_8_3_5_reserved_option_bits_are_zero() {
    for options in [0b0100_0000, 0b1000_0000] {
        malformed(from_client(&subscribe("a", options)), "MQTT-3.8.3-5");
    }
    for bit in 2..8 {
        let old = packet(0x82, &[&[0, 1], &text("a"), &[1 << bit]]);
        malformed(decode(Role::Client, ProtocolVersion::V311, &old), "§3.8.3 (3.1.1)");
    }
}

#[test]
fn option_values_that_do_not_exist_are_protocol_errors() {
    protocol_error(from_client(&subscribe("a", 0b11)), "§3.8.3.1");
    protocol_error(from_client(&subscribe("a", 0b11_0000)), "§3.8.3.1");
}

#[test]
fn subscription_identifier_is_not_zero_and_there_once() {
    let with =
        |properties: &[u8]| from_client(&packet(0x82, &[&[0, 1, u8::try_from(properties.len()).unwrap()], properties, &text("a"), &[0]]));
    assert!(with(&[0x0B, 0xFF, 0xFF, 0xFF, 0x7F]).is_ok());
    protocol_error(with(&[0x0B, 0]), "§2.2.2.2");
    protocol_error(with(&[0x0B, 1, 0x0B, 2]), "§2.2.2.2");
}

#[test]
fn filters_are_bounded() {
    let limits = DecodeLimits { maximum_filters: 2, ..DecodeLimits::default() };
    let mut decoder = Decoder::new(Role::Client, limits);
    decoder.set_version(ProtocolVersion::V5);
    for (first, filter) in [(0x82, &[0, 1, b'a', 0][..]), (0xA2, &[0, 1, b'a'])] {
        assert!(decoder.decode(&packet(first, &[&[0, 1, 0], &filter.repeat(2)])).is_ok());
        let error = decoder.decode(&packet(first, &[&[0, 1, 0], &filter.repeat(3)])).unwrap_err();
        assert_eq!(error.reason_code(), ReasonCode::QuotaExceeded);
    }
}

/// [MQTT-3.9.3-1], [MQTT-3.9.3-2]
#[test]
fn mqtt_3_9_3_2_only_subscribe_reason_codes() {
    assert!(from_server(&packet(0x90, &[&[0, 1, 0, 2, 0xA2]])).is_ok());
    protocol_error(from_server(&packet(0x90, &[&[0, 1, 0, 0x03]])), "MQTT-3.9.3-2");
    malformed(from_server(&packet(0x90, &[&[0, 1, 0]])), "MQTT-3.9.3-1");
    assert!(decode(Role::Server, ProtocolVersion::V311, &packet(0x90, &[&[0, 1, 2, 0x80]])).is_ok());
    protocol_error(decode(Role::Server, ProtocolVersion::V311, &packet(0x90, &[&[0, 1, 0x87]])), "§3.9.3 (3.1.1)");
}

#[test]
fn every_failure_is_0x80_for_mqtt_3_1_1() {
    let suback = Packet::Suback(Suback {
        packet_id: PacketId::new(1).unwrap(),
        reason_string: None,
        user_properties: UserProperties::default(),
        reason_codes: vec![ReasonCode::GrantedQoS1, ReasonCode::NotAuthorized],
    });
    assert_eq!(encoded(&suback, ProtocolVersion::V311), [0x90, 4, 0, 1, 1, 0x80]);
    assert_eq!(encoded(&suback, ProtocolVersion::V5), [0x90, 5, 0, 1, 0, 1, 0x87]);
}

/// [MQTT-3.10.3-1], [MQTT-3.10.3-2]
#[test]
fn mqtt_3_10_3_2_at_least_one_filter_to_give_up() {
    protocol_error(from_client(&packet(0xA2, &[&[0, 1, 0]])), "MQTT-3.10.3-2");
    protocol_error(decode(Role::Client, ProtocolVersion::V311, &packet(0xA2, &[&[0, 1]])), "MQTT-3.10.3-2");
    malformed(from_client(&packet(0xA2, &[&[0, 1, 0], &text([0xFF])])), "MQTT-1.5.4-1");
}

/// [MQTT-3.11.3-1], [MQTT-3.11.3-2]
#[test]
fn mqtt_3_11_3_2_only_unsubscribe_reason_codes() {
    assert!(from_server(&packet(0xB0, &[&[0, 1, 0, 0x11]])).is_ok());
    protocol_error(from_server(&packet(0xB0, &[&[0, 1, 0, 0x01]])), "MQTT-3.11.3-2");
    malformed(from_server(&packet(0xB0, &[&[0, 1, 0]])), "MQTT-3.11.3-1");
    assert!(decode(Role::Server, ProtocolVersion::V311, &packet(0xB0, &[&[0, 1]])).is_ok());
}
