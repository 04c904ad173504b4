//! §4.13 handling errors, §2.4 reason codes, request/response and problem information.

use signet_mqtt::ProtocolVersion::{V5, V311};
use signet_mqtt::{Packet, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, Received, connect_packet, packet_id, publish_packet, subscribe_packet};

use crate::{ALL, SINCE_311, broker};

/// Everyone may publish and subscribe below `allowed/`.
pub(crate) const DENYING: &str = "[[access]]\nwho = \"everyone\"\npublish = [\"allowed/#\"]\nsubscribe = [\"allowed/#\"]\n";

#[test]
fn mqtt_4_13_1_1_a_malformed_packet_ends_the_connection_and_only_that_one() {
    let broker = broker();
    for version in ALL {
        let mut other = Device::connect(&broker.plain(), version, "bystander");
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&[0x30, 1, 0]);
        device.expect_ended(ReasonCode::MalformedPacket);
        other.expect_silence();
    }
}

#[test]
fn section_4_13_a_reason_string_says_what_was_wrong() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&[0x36, 6, 0, 1, b't', 0, 1, 0]);
    match device.expect() {
        Packet::Disconnect(disconnect) => {
            let words = disconnect.reason_string.expect("a reason string");
            assert!(words.contains("MQTT-3.3.1-4"), "{words}");
        }
        other => panic!("expected DISCONNECT, got {other:?}"),
    }
}

#[test]
fn section_3_4_2_1_a_forbidden_publish_is_refused_in_its_acknowledgement() {
    let broker = Broker::start(&BrokerConfig::plain().access(DENYING));
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send(&Packet::Publish(publish_packet("secret", "x", QoS::AtLeastOnce, false)));
    assert_eq!(device.expect_puback(packet_id(10)).reason_code, ReasonCode::NotAuthorized);
    device.send(&Packet::Publish(publish_packet("secret", "x", QoS::ExactlyOnce, false)));
    assert_eq!(device.expect_pubrec(packet_id(10)).reason_code, ReasonCode::NotAuthorized);
    device.publish("allowed/t", "x", QoS::AtLeastOnce, false);
}

#[test]
fn mqtt311_3_3_5_2_a_forbidden_publish_is_acknowledged_or_the_connection_closed_and_never_delivered() {
    let broker =
        Broker::start(&BrokerConfig::plain().access("[[access]]\nwho = \"everyone\"\npublish = [\"allowed/#\"]\nsubscribe = [\"#\"]\n"));
    let mut witness = Device::connect(&broker.plain(), V5, "witness");
    witness.subscribe("#", QoS::AtMostOnce);
    let mut device = Device::connect(&broker.plain(), V311, "x");
    device.send(&Packet::Publish(publish_packet("secret", "x", QoS::AtLeastOnce, false)));
    if matches!(device.await_next(), Ok(Received::Packet(Packet::Puback(_)))) {
        device.publish("allowed/t", "x", QoS::AtLeastOnce, false);
        witness.expect_message("allowed/t", "x");
    }
    witness.expect_silence();
}

#[test]
fn mqtt_3_9_3_2_a_forbidden_filter_is_refused_in_the_suback_and_the_others_are_not() {
    let broker = Broker::start(&BrokerConfig::plain().access(DENYING));
    for version in SINCE_311 {
        let mut device = Device::connect(&broker.plain(), version, "x");
        let filters = [("allowed/a", QoS::AtLeastOnce), ("secret", QoS::AtLeastOnce), ("#", QoS::AtLeastOnce)];
        let suback = device.subscribe_with(subscribe_packet(1, &filters));
        let refused = if version == V5 { ReasonCode::NotAuthorized } else { ReasonCode::UnspecifiedError };
        assert_eq!(suback.reason_codes, [ReasonCode::GrantedQoS1, refused, refused]);
    }
}

#[test]
fn mqtt_3_1_2_29_without_problem_information_only_three_packets_carry_reason_strings() {
    let broker = Broker::start(&BrokerConfig::plain().access(DENYING));
    let mut connect = connect_packet(V5, "x");
    connect.properties.request_problem_information = Some(false);
    let mut device = Device::connect_with(&broker.plain(), connect);
    let suback = device.subscribe_with(subscribe_packet(1, &[("secret", QoS::AtMostOnce)]));
    assert_eq!((suback.reason_string, suback.user_properties.len()), (None, 0));
    device.send(&Packet::Publish(publish_packet("secret", "x", QoS::AtLeastOnce, false)));
    let ack = device.expect_puback(packet_id(10));
    assert_eq!((ack.reason_string, ack.user_properties.len()), (None, 0));
}

#[test]
fn mqtt_3_1_2_28_no_response_information_unless_asked_for() {
    let broker = broker();
    let (_, connack) = Device::introduce(&broker.plain(), connect_packet(V5, "x"));
    assert_eq!(connack.properties.response_information, None);
}

#[test]
fn section_3_15_an_auth_packet_without_authentication_is_a_protocol_error() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&[0xF0, 0]);
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn mqtt_3_15_1_1_auth_with_flags_is_malformed() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&[0xF1, 0]);
    device.expect_ended(ReasonCode::MalformedPacket);
}

#[test]
fn section_2_1_2_packet_type_15_is_reserved_in_311() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V311, "x");
    device.send_raw(&[0xF0, 0]);
    device.expect_closed();
}

#[test]
fn mqtt_3_14_2_3_a_reason_string_that_does_not_fit_is_left_out() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.properties.maximum_packet_size = std::num::NonZeroU32::new(20);
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.send_raw(&[0x36, 6, 0, 1, b't', 0, 1, 0]);
    match device.expect() {
        Packet::Disconnect(disconnect) => {
            assert_eq!((disconnect.reason_code, disconnect.reason_string), (ReasonCode::MalformedPacket, None));
        }
        other => panic!("expected DISCONNECT, got {other:?}"),
    }
    device.expect_closed();
}

#[test]
fn mqtt_4_3_3_9_after_a_refusing_pubrec_the_same_identifier_is_a_new_message() {
    let broker = Broker::start(&BrokerConfig::plain().access(DENYING));
    let mut witness = Device::connect(&broker.plain(), V5, "witness");
    witness.subscribe("allowed/#", QoS::AtMostOnce);
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send(&Packet::Publish(publish_packet("secret", "x", QoS::ExactlyOnce, false)));
    assert_eq!(device.expect_pubrec(packet_id(10)).reason_code, ReasonCode::NotAuthorized);
    device.publish("allowed/t", "y", QoS::ExactlyOnce, false);
    witness.expect_message("allowed/t", "y");
}

#[test]
fn section_3_1_4_a_forbidden_will_is_refused_with_the_connection() {
    let broker = Broker::start(&BrokerConfig::plain().access(DENYING));
    for version in ALL {
        let mut connect = connect_packet(version, "x");
        connect.will = Some(crate::connect_will::will("secret", "x", QoS::AtMostOnce, false));
        let (mut device, connack) = Device::introduce(&broker.plain(), connect);
        assert_eq!(connack.reason_code, ReasonCode::NotAuthorized);
        device.expect_closed();
    }
}

#[test]
fn mqtt311_4_8_0_2_no_room_for_a_session_closes_the_connection() {
    let broker = Broker::start(&BrokerConfig::plain().limit("sessions_maximum = 1"));
    for version in ALL {
        let first = Device::connect(&broker.plain(), version, "first");
        let mut second = Device::open(&broker.plain(), version);
        second.send(&Packet::Connect(Box::new(connect_packet(version, "second"))));
        // Before MQTT 5.0, return code 3.
        second.expect_refused(if version == V5 { ReasonCode::QuotaExceeded } else { ReasonCode::ServerUnavailable });
        first.leave(ReasonCode::Success);
    }
}
