//! §3.1 CONNECT: flags, identifier, second CONNECT. Wills are in `connect_will.rs`.

use signet_mqtt::ProtocolVersion::{V5, V311};
use signet_mqtt::{Packet, Password, QoS, ReasonCode};
use signet_testkit::{Device, connect_packet};

use crate::raw::{self, text};
use crate::{ALL, SINCE_311, broker, tells_session};

#[test]
fn mqtt_3_1_0_1_the_first_packet_must_be_connect() {
    let broker = broker();
    for version in ALL {
        for first in [&[0xC0, 0][..], &[0x30, 5, 0, 1, b't', 0, b'x'], &[0x82, 6, 0, 1, 0, 1, b't', 0], &[0xE0, 0]] {
            raw::opened_with(&broker.plain(), version, first).expect_closed();
        }
    }
}

#[test]
fn mqtt_3_1_0_2_a_second_connect_is_a_protocol_error() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "twice");
        device.send(&Packet::Connect(Box::new(connect_packet(version, "twice"))));
        device.expect_ended(ReasonCode::ProtocolError);
    }
}

#[test]
fn mqtt_3_1_2_1_another_protocol_name_is_not_served() {
    let broker = broker();
    for name in ["MQTTX", "mqtt", "HTTP", ""] {
        let bytes = raw::packet(0x10, &raw::body(&[&text(name), &[4, 2, 0, 0], &text("x")]));
        let mut device = raw::opened_with(&broker.plain(), V311, &bytes);
        device.expect_refused(ReasonCode::UnsupportedProtocolVersion);
    }
}

#[test]
fn mqtt_3_1_2_2_an_unknown_protocol_version_is_refused_by_name() {
    let broker = broker();
    for (level, answer_version, return_code) in [(6, V5, 0x84), (255, V5, 0x84), (2, V311, 1)] {
        let bytes = raw::packet(0x10, &raw::body(&[&text("MQTT"), &[level, 2, 0, 0, 0], &text("x")]));
        let mut device = raw::opened_with(&broker.plain(), answer_version, &bytes);
        let connack = device.expect_connack();
        let code = if answer_version == V5 { connack.reason_code.value() } else { connack.reason_code.connect_return_code().unwrap() };
        assert_eq!(code, return_code);
        device.expect_closed();
    }
}

#[test]
fn mqtt_3_1_2_3_the_reserved_connect_flag_must_be_zero() {
    let broker = broker();
    for version in SINCE_311 {
        let mut device = raw::opened_with(&broker.plain(), version, &raw::connect(version, 0b11, &[&text("x")]));
        device.expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_2_4_clean_start_discards_the_session_that_exists() {
    let broker = broker();
    for version in ALL {
        let mut kept = connect_packet(version, "cleaned");
        kept.clean_start = false;
        kept.properties.session_expiry_interval = Some(100);
        let mut device = Device::connect_with(&broker.plain(), kept.clone());
        assert_eq!(device.subscribe("t", QoS::AtMostOnce), ReasonCode::Success);
        device.leave(ReasonCode::Success);

        let (device, connack) = Device::introduce(&broker.plain(), connect_packet(version, "cleaned"));
        assert!(!connack.session_present);
        device.leave(ReasonCode::Success);

        let (mut device, connack) = Device::introduce(&broker.plain(), kept);
        assert!(!connack.session_present, "the session came back");
        Device::connect(&broker.plain(), version, "other").publish("t", "x", QoS::AtLeastOnce, false);
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_1_2_5_without_clean_start_the_session_is_resumed() {
    let broker = broker();
    for version in ALL {
        let mut kept = connect_packet(version, "resumed");
        kept.clean_start = false;
        kept.properties.session_expiry_interval = Some(100);
        let mut device = Device::connect_with(&broker.plain(), kept.clone());
        assert_eq!(device.subscribe("t/#", QoS::AtLeastOnce), ReasonCode::GrantedQoS1);
        device.leave(ReasonCode::Success);

        let (mut device, connack) = Device::introduce(&broker.plain(), kept);
        assert_eq!(connack.session_present, tells_session(version));
        Device::connect(&broker.plain(), version, "other").publish("t/1", "still there", QoS::AtLeastOnce, false);
        device.expect_message("t/1", "still there");
    }
}

#[test]
fn mqtt_3_1_2_6_without_a_session_a_new_one_is_made() {
    let broker = broker();
    for version in ALL {
        let mut fresh = connect_packet(version, &format!("fresh-{version}"));
        fresh.clean_start = false;
        let (_, connack) = Device::introduce(&broker.plain(), fresh);
        assert!(!connack.session_present);
        assert_eq!(connack.reason_code, ReasonCode::Success);
    }
}

#[test]
fn mqtt_3_1_2_16_a_user_name_without_its_flag_is_malformed() {
    let broker = broker();
    for version in ALL {
        // Two strings follow, and the flags announce one.
        let mut device = raw::opened_with(&broker.plain(), version, &raw::connect(version, 0x02, &[&text("x"), &text("user")]));
        device.expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_2_17_a_user_name_flag_without_a_user_name_is_malformed() {
    let broker = broker();
    for version in SINCE_311 {
        let mut device = raw::opened_with(&broker.plain(), version, &raw::connect(version, 0x82, &[&text("x")]));
        device.expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_2_18_a_password_without_its_flag_is_malformed() {
    let broker = broker();
    for version in ALL {
        let bytes = raw::connect(version, 0x82, &[&text("x"), &text("user"), &text("secret")]);
        raw::opened_with(&broker.plain(), version, &bytes).expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_2_19_a_password_flag_without_a_password_is_malformed() {
    let broker = broker();
    for version in SINCE_311 {
        let mut device = raw::opened_with(&broker.plain(), version, &raw::connect(version, 0xC2, &[&text("x"), &text("user")]));
        device.expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt311_3_1_2_22_a_password_needs_a_user_name() {
    let broker = broker();
    let bytes = raw::connect(V311, 0x42, &[&text("x"), &text("secret")]);
    raw::opened_with(&broker.plain(), V311, &bytes).expect_refused(ReasonCode::MalformedPacket);
}

#[test]
fn section_3_1_2_9_mqtt_5_allows_a_password_without_a_user_name() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.password = Some(Password::new("secret"));
    let (_, connack) = Device::introduce(&broker.plain(), connect);
    assert_eq!(connack.reason_code, ReasonCode::Success);
}

#[test]
fn mqtt_3_1_3_2_the_identifier_names_the_session() {
    let broker = broker();
    for version in ALL {
        let mut kept = connect_packet(version, &format!("one-{version}"));
        kept.clean_start = false;
        kept.properties.session_expiry_interval = Some(100);
        Device::connect_with(&broker.plain(), kept.clone()).leave(ReasonCode::Success);
        let mut other = kept.clone();
        other.client_identifier = connect_packet(version, &format!("two-{version}")).client_identifier;
        assert!(!Device::introduce(&broker.plain(), other).1.session_present);
        assert_eq!(Device::introduce(&broker.plain(), kept).1.session_present, tells_session(version));
    }
}

#[test]
fn mqtt_3_1_3_3_the_identifier_must_be_there() {
    let broker = broker();
    for version in ALL {
        raw::opened_with(&broker.plain(), version, &raw::connect(version, 0x02, &[])).expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_3_4_the_identifier_must_be_utf_8() {
    let broker = broker();
    for version in ALL {
        for bytes in [&[0xFF][..], &[0xC0, 0x80], &[0xED, 0xA0, 0x80], b"a\0b"] {
            let mut device = raw::opened_with(&broker.plain(), version, &raw::connect(version, 0x02, &[&text(bytes)]));
            device.expect_refused(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_3_1_3_5_identifiers_of_1_to_23_letters_and_digits_are_allowed() {
    let broker = broker();
    for version in ALL {
        for identifier in ["0", "abcdefghijklmnopqrstuvw", "ABCDEFGHIJKLMNOPQRSTUVW", "xyzXYZ0123456789"] {
            let (_, connack) = Device::introduce(&broker.plain(), connect_packet(version, identifier));
            assert_eq!(connack.reason_code, ReasonCode::Success, "{identifier}");
        }
    }
}

#[test]
fn mqtt_3_1_3_6_an_empty_identifier_gets_a_unique_one() {
    let broker = broker();
    for version in SINCE_311 {
        // In 3.1.1 the client is not told which; that two of them live side by side shows that they are not the same.
        let mut first = Device::connect(&broker.plain(), version, "");
        let mut second = Device::connect(&broker.plain(), version, "");
        second.expect_silence();
        first.expect_silence();
    }
}

#[test]
fn mqtt_3_1_3_7_the_assigned_identifier_is_told_and_can_be_used() {
    let broker = broker();
    let mut connect = connect_packet(V5, "");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(100);
    let (device, connack) = Device::introduce(&broker.plain(), connect.clone());
    let assigned = connack.properties.assigned_client_identifier.expect("an assigned client identifier");
    assert!(!assigned.is_empty());
    device.leave(ReasonCode::Success);
    connect.client_identifier = assigned;
    let (_, connack) = Device::introduce(&broker.plain(), connect);
    assert!(connack.session_present);
    assert_eq!(connack.properties.assigned_client_identifier, None);
}

#[test]
fn mqtt311_3_1_3_8_an_empty_identifier_needs_a_clean_session() {
    let broker = broker();
    let mut connect = connect_packet(V311, "");
    connect.clean_start = false;
    let (mut device, connack) = Device::introduce(&broker.plain(), connect);
    assert_eq!(connack.reason_code.connect_return_code(), Some(2));
    device.expect_closed();
}

#[test]
fn mqtt_3_1_3_12_the_user_name_must_be_utf_8() {
    let broker = broker();
    for version in ALL {
        let bytes = raw::connect(version, 0x82, &[&text("x"), &text([0xC3, 0x28])]);
        raw::opened_with(&broker.plain(), version, &bytes).expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_4_3_a_second_connection_takes_the_session_over() {
    let broker = broker();
    for version in ALL {
        let mut first = Device::connect(&broker.plain(), version, "same");
        let mut second = Device::connect(&broker.plain(), version, "same");
        first.expect_ended(ReasonCode::SessionTakenOver);
        second.expect_silence();
    }
}

#[test]
fn mqtt_3_1_4_6_packets_behind_a_refused_connect_are_not_processed() {
    let broker = broker();
    let mut witness = Device::connect(&broker.plain(), V5, "witness");
    witness.subscribe("t", QoS::AtMostOnce);
    for version in ALL {
        // Will QoS 3.
        let mut bytes = raw::connect(version, 0b1_1110, &[&text("x")]);
        bytes.extend(raw::packet(0x30, &raw::body(&[&text("t"), raw::no_properties(version), b"!"])));
        let mut device = raw::opened_with(&broker.plain(), version, &bytes);
        device.expect_refused(ReasonCode::MalformedPacket);
        witness.expect_silence();
    }
}

#[test]
fn section_3_1_4_packets_behind_a_good_connect_need_not_wait_for_the_connack() {
    let broker = broker();
    for version in ALL {
        let mut bytes = raw::connect(version, 0x02, &[&text("hurry")]);
        bytes.extend(raw::packet(0x82, &raw::body(&[&[0, 1], raw::no_properties(version), &text("t"), &[0]])));
        bytes.extend(raw::packet(0x30, &raw::body(&[&text("t"), raw::no_properties(version), b"!"])));
        let mut device = raw::opened_with(&broker.plain(), version, &bytes);
        device.expect_connack();
        assert!(matches!(device.expect(), Packet::Suback(_)));
        device.expect_message("t", "!");
    }
}

#[test]
fn section_3_1_2_11_properties_that_may_appear_once_are_refused_twice() {
    let broker = broker();
    for twice in [&[0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1][..], &[0x21, 0, 1, 0x21, 0, 1], &[0x19, 0, 0x19, 0], &[0x17, 1, 0x17, 1]] {
        let bytes = raw::connect_with_properties(V5, 0x02, twice, &[&text("x")]);
        raw::opened_with(&broker.plain(), V5, &bytes).expect_refused(ReasonCode::ProtocolError);
    }
}

#[test]
fn section_3_1_2_11_property_values_outside_their_range_are_protocol_errors() {
    let broker = broker();
    // Receive Maximum 0, Maximum Packet Size 0, Request Response Information 2, Request Problem Information 2.
    for wrong in [&[0x21, 0, 0][..], &[0x27, 0, 0, 0, 0], &[0x19, 2], &[0x17, 2]] {
        let bytes = raw::connect_with_properties(V5, 0x02, wrong, &[&text("x")]);
        raw::opened_with(&broker.plain(), V5, &bytes).expect_refused(ReasonCode::ProtocolError);
    }
}

#[test]
fn section_2_2_2_2_a_property_of_another_packet_is_refused() {
    let broker = broker();
    // Topic Alias, Message Expiry Interval and an identifier that does not exist.
    for wrong in [&[0x23, 0, 1][..], &[0x02, 0, 0, 0, 1], &[0x7E, 0]] {
        let bytes = raw::connect_with_properties(V5, 0x02, wrong, &[&text("x")]);
        raw::opened_with(&broker.plain(), V5, &bytes).expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_4_12_0_1_an_authentication_method_that_is_not_supported_is_refused() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.properties.authentication_method = Some("SCRAM-SHA-1".into());
    let (mut device, connack) = Device::introduce(&broker.plain(), connect);
    assert_eq!(connack.reason_code, ReasonCode::BadAuthenticationMethod);
    device.expect_closed();
}

#[test]
fn section_3_1_2_11_10_authentication_data_without_a_method_is_a_protocol_error() {
    let broker = broker();
    let bytes = raw::connect_with_properties(V5, 0x02, &[0x16, 0, 1, 7], &[&text("x")]);
    raw::opened_with(&broker.plain(), V5, &bytes).expect_refused(ReasonCode::ProtocolError);
}

#[test]
fn mqtt_3_1_3_1_the_fields_of_the_payload_have_one_order() {
    let broker = broker();
    for version in ALL {
        let mut heir = Device::connect(&broker.plain(), version, "heir");
        heir.subscribe("#", QoS::AtMostOnce);
        // Identifier, Will Topic, Will Message, User Name, Password: read in another order, the Will would be another.
        let payload = [&text("x")[..], raw::no_properties(version), &text("topic"), &text("message"), &text("user"), &text("secret")];
        let mut device = raw::opened_with(&broker.plain(), version, &raw::connect(version, 0b1100_0110, &payload));
        assert_eq!(device.expect_connack().reason_code, ReasonCode::Success);
        device.vanish();
        heir.expect_message("topic", "message");
    }
}

#[test]
fn mqtt_3_1_4_1_a_connect_against_the_rules_closes_the_connection() {
    let broker = broker();
    for version in ALL {
        // Will QoS 3, no identifier, an identifier that is not UTF-8, bytes too many.
        for (flags, payload) in
            [(0x1E, &[&text("x")[..]][..]), (0x02, &[]), (0x02, &[&text([0xFF])[..]]), (0x02, &[&text("x")[..], &text("left over")[..]])]
        {
            // MQTT 5.0 may say why; the older versions have no return code for it and say nothing.
            raw::opened_with(&broker.plain(), version, &raw::connect(version, flags, payload)).expect_refused(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_4_12_0_6_without_a_method_the_connack_names_none() {
    let broker = broker();
    // `introduce` expects the CONNACK first: an AUTH would be a failure.
    let (mut device, connack) = Device::introduce(&broker.plain(), connect_packet(V5, "x"));
    assert_eq!((connack.properties.authentication_method, connack.properties.authentication_data), (None, None));
    device.expect_silence();
}
