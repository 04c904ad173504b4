//! §3.8 SUBSCRIBE and §3.9 SUBACK.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Packet, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet, subscribe_packet};

use crate::errors::DENYING;
use crate::raw::{self, body, packet, text};
use crate::{ALL, CONNACK_FITS, SINCE_311, broker};

#[test]
fn mqtt_3_8_1_1_other_flags_than_0010_are_malformed() {
    let broker = broker();
    for version in SINCE_311 {
        for first in [0x80, 0x81, 0x83, 0x8A] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&packet(first, &body(&[&[0, 1], raw::no_properties(version), &text("t"), &[0]])));
            device.expect_ended(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_3_8_3_1_a_filter_that_is_not_utf_8_is_malformed() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&packet(0x82, &body(&[&[0, 1], raw::no_properties(version), &text([0xFF]), &[0]])));
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_8_3_2_a_subscribe_without_filters_is_a_protocol_error() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&packet(0x82, &body(&[&[0, 1], raw::no_properties(version)])));
        device.expect_ended(ReasonCode::ProtocolError);
    }
}

#[test]
fn mqtt_3_8_4_2_suback_carries_the_identifier_of_its_subscribe() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        for id in [1, 256, 65_535] {
            // `subscribe_with` compares the identifiers.
            device.subscribe_with(subscribe_packet(id, &[("t", QoS::AtMostOnce)]));
        }
    }
}

#[test]
fn mqtt_3_8_4_3_subscribing_again_replaces_the_subscription() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("t", QoS::ExactlyOnce);
        device.subscribe("t", QoS::AtMostOnce);
        Device::connect(&broker.plain(), version, "y").publish("t", "x", QoS::ExactlyOnce, false);
        assert_eq!(device.expect_message("t", "x").qos, QoS::AtMostOnce);
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_8_4_5_several_filters_are_like_several_subscribes() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        let filters = [("a", QoS::AtMostOnce), ("b/+", QoS::AtLeastOnce), ("c/#", QoS::ExactlyOnce), ("a", QoS::AtLeastOnce)];
        let suback = device.subscribe_with(subscribe_packet(1, &filters));
        // [MQTT-3.8.4-6], [MQTT-3.9.3-1]: one code for each, in their order.
        assert_eq!(suback.reason_codes, [ReasonCode::Success, ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS2, ReasonCode::GrantedQoS1]);
        let mut other = Device::connect(&broker.plain(), version, "y");
        for name in ["a", "b/1", "c", "c/1/2"] {
            other.publish(name, "x", QoS::AtLeastOnce, false);
            device.expect_message(name, "x");
        }
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_8_4_7_suback_tells_the_qos_that_was_granted() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        assert_eq!(device.subscribe("a", QoS::AtMostOnce), ReasonCode::Success);
        assert_eq!(device.subscribe("b", QoS::AtLeastOnce), ReasonCode::GrantedQoS1);
        assert_eq!(device.subscribe("c", QoS::ExactlyOnce), ReasonCode::GrantedQoS2);
    }
}

#[test]
fn mqtt_3_8_4_8_delivery_has_the_lower_qos_of_message_and_subscription() {
    let broker = broker();
    let every = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for version in ALL {
        for granted in every {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.subscribe("t", granted);
            let mut other = Device::connect(&broker.plain(), version, "y");
            for published in every {
                other.publish("t", "x", published, false);
                assert_eq!(device.expect_message("t", "x").qos, published.min(granted));
            }
        }
    }
}

#[test]
fn section_3_8_4_messages_may_come_right_behind_the_suback_and_never_before_the_subscribe() {
    let broker = broker();
    for version in ALL {
        let mut other = Device::connect(&broker.plain(), version, "y");
        other.publish("t", "before", QoS::AtLeastOnce, false);
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("t", QoS::AtLeastOnce);
        other.publish("t", "after", QoS::AtLeastOnce, false);
        device.expect_message("t", "after");
        device.expect_silence();
    }
}

#[test]
fn section_3_8_2_1_2_a_subscription_identifier_of_0_is_a_protocol_error() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x82, &body(&[&[0, 1, 2, 0x0B, 0], &text("t"), &[0]])));
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn section_3_8_2_1_2_two_subscription_identifiers_are_a_protocol_error() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x82, &body(&[&[0, 1, 4, 0x0B, 1, 0x0B, 2], &text("t"), &[0]])));
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn section_3_8_4_a_client_gets_its_own_messages() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("t", QoS::AtMostOnce);
        device.send(&Packet::Publish(signet_testkit::publish_packet("t", "x", QoS::AtMostOnce, false)));
        device.expect_message("t", "x");
    }
}

#[test]
fn mqtt_2_2_1_6_suback_and_unsuback_repeat_the_identifier() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        for id in [1, 255, 256, 65_535_u16] {
            device.send_raw(&packet(0x82, &body(&[&id.to_be_bytes(), raw::no_properties(version), &text("t"), &[0]])));
            assert!(matches!(device.expect(), Packet::Suback(suback) if suback.packet_id.get() == id));
            device.send_raw(&packet(0xA2, &body(&[&id.to_be_bytes(), raw::no_properties(version), &text("t")])));
            assert!(matches!(device.expect(), Packet::Unsuback(unsuback) if unsuback.packet_id.get() == id));
        }
    }
}

#[test]
fn mqtt_3_9_2_1_a_reason_string_that_does_not_fit_is_left_out_of_suback() {
    let broker = Broker::start(&BrokerConfig::plain().access(DENYING));
    let suback = |maximum| {
        let mut connect = connect_packet(V5, "x");
        connect.properties.maximum_packet_size = std::num::NonZeroU32::new(maximum);
        let mut device = Device::connect_with(&broker.plain(), connect);
        device.subscribe_with(subscribe_packet(1, &[("secret", QoS::AtMostOnce)]))
    };
    // Fixed header, identifier, properties and one code are 6 bytes.
    let (short, long) = (suback(CONNACK_FITS), suback(100_000));
    assert_eq!((short.reason_codes, short.reason_string), (vec![ReasonCode::NotAuthorized], None));
    assert!(long.reason_string.is_some(), "nothing was left out: {long:?}");
}
