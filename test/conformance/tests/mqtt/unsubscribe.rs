//! §3.10 UNSUBSCRIBE and §3.11 UNSUBACK.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Ack, Packet, QoS, ReasonCode};
use signet_testkit::{Device, subscribe_packet};

use crate::raw::{self, body, packet, text};
use crate::{ALL, SINCE_311, broker};

#[test]
fn mqtt_3_10_1_1_other_flags_than_0010_are_malformed() {
    let broker = broker();
    for version in SINCE_311 {
        for first in [0xA0, 0xA1, 0xA3, 0xAA] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&packet(first, &body(&[&[0, 1], raw::no_properties(version), &text("t")])));
            device.expect_ended(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_3_10_3_1_a_filter_that_is_not_utf_8_is_malformed() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&packet(0xA2, &body(&[&[0, 1], raw::no_properties(version), &text([0xFF])])));
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_10_3_2_an_unsubscribe_without_filters_is_a_protocol_error() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&packet(0xA2, &body(&[&[0, 1], raw::no_properties(version)])));
        device.expect_ended(ReasonCode::ProtocolError);
    }
}

#[test]
fn mqtt_3_10_4_1_filters_are_compared_character_by_character() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("a/+", QoS::AtMostOnce);
        device.unsubscribe(&["a/b", "a/#", "A/+", "a/+/"]);
        let mut other = Device::connect(&broker.plain(), version, "y");
        other.publish("a/b", "still", QoS::AtLeastOnce, false);
        device.expect_message("a/b", "still");
        device.unsubscribe(&["a/+"]);
        other.publish("a/b", "no more", QoS::AtLeastOnce, false);
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_10_4_3_what_was_begun_is_finished() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("t", QoS::ExactlyOnce);
        Device::connect(&broker.plain(), version, "y").publish("t", "x", QoS::ExactlyOnce, false);
        let id = device.expect_publish_unacknowledged().packet_id.unwrap();
        device.unsubscribe(&["t"]);
        device.send(&Packet::Pubrec(Ack::success(id)));
        device.expect_pubrel(id);
        device.send(&Packet::Pubcomp(Ack::success(id)));
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_10_4_5_an_unsubscribe_without_effect_is_answered_too() {
    let broker = broker();
    for version in ALL {
        // `unsubscribe` expects the UNSUBACK with the identifier of its UNSUBSCRIBE [MQTT-3.10.4-4].
        Device::connect(&broker.plain(), version, "x").unsubscribe(&["never/subscribed"]);
    }
}

#[test]
fn mqtt_3_10_4_6_several_filters_are_like_several_unsubscribes() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe_with(subscribe_packet(1, &[("a", QoS::AtMostOnce), ("b", QoS::AtMostOnce), ("c", QoS::AtMostOnce)]));
        device.unsubscribe(&["a", "c"]);
        let mut other = Device::connect(&broker.plain(), version, "y");
        for name in ["a", "b", "c"] {
            other.publish(name, "x", QoS::AtLeastOnce, false);
        }
        device.expect_message("b", "x");
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_11_3_1_unsuback_has_one_code_for_each_filter_in_their_order() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.subscribe("a", QoS::AtMostOnce);
    let unsuback = device.unsubscribe(&["b", "a", "a"]);
    let codes = [ReasonCode::NoSubscriptionExisted, ReasonCode::Success, ReasonCode::NoSubscriptionExisted];
    assert_eq!(unsuback.reason_codes, codes);
}

#[test]
fn mqtt_3_10_4_2_nothing_new_is_delivered() {
    let broker = broker();
    for version in ALL {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.subscribe("t/#", qos);
            device.unsubscribe(&["t/#"]);
            Device::connect(&broker.plain(), version, "y").publish("t/1", "late", qos, false);
            device.expect_silence();
        }
    }
}
