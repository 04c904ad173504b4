//! MQTT 3.1 (`MQIsdp`): what it has otherwise than 3.1.1, where all other files test it as one version among three. It has no numbered
//! statements. And the mark that another broker puts into its CONNECT, which is Mosquitto's convention for 3.1 and 3.1.1.

use signet_mqtt::ProtocolVersion::{V5, V31, V311};
use signet_mqtt::{Packet, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet, subscribe_packet};

use crate::broker;
use crate::errors::DENYING;
use crate::raw::{self, body, packet, text};

#[test]
fn mqtt_3_1_is_known_by_its_name_and_its_level_together() {
    let broker = broker();
    for (name, level, is_served) in [("MQIsdp", 3, true), ("MQTT", 4, true), ("MQIsdp", 4, false), ("MQTT", 3, false), ("mqisdp", 3, false)]
    {
        let bytes = packet(0x10, &body(&[&text(name), &[level, 2, 0, 0], &text("x")]));
        let mut device = raw::opened_with(&broker.plain(), V31, &bytes);
        let code = device.expect_connack().reason_code.connect_return_code();
        assert_eq!(code, Some(if is_served { 0 } else { 1 }), "{name} {level}");
        if !is_served {
            device.expect_closed();
        }
    }
}

#[test]
fn mqtt_3_1_an_empty_identifier_is_refused_and_a_long_one_is_not() {
    let broker = broker();
    for clean_start in [true, false] {
        let mut connect = connect_packet(V31, "");
        connect.clean_start = clean_start;
        let (mut device, connack) = Device::introduce(&broker.plain(), connect);
        assert_eq!(connack.reason_code.connect_return_code(), Some(2));
        device.expect_closed();
    }
    // 23 characters are what the specification allows, and what nobody in use holds clients to.
    Device::connect(&broker.plain(), V31, &"x".repeat(100)).expect_silence();
}

#[test]
fn mqtt_3_1_user_name_and_password_may_be_announced_and_missing() {
    let broker = broker();
    for payload in [&[&text("x")[..]][..], &[&text("x")[..], &text("user")[..]]] {
        let mut device = raw::opened_with(&broker.plain(), V31, &raw::connect(V31, 0xC2, payload));
        assert_eq!(device.expect_connack().reason_code, ReasonCode::Success);
        device.expect_silence();
    }
    // Half a field is no missing one.
    raw::opened_with(&broker.plain(), V31, &raw::connect(V31, 0x82, &[&text("x"), &[0]])).expect_closed();
}

#[test]
fn mqtt_3_1_bits_it_does_not_use_may_be_set() {
    let broker = broker();
    // DUP of SUBSCRIBE, UNSUBSCRIBE and PUBREL, and Will QoS and Will Retain without a Will.
    let mut device = raw::opened_with(&broker.plain(), V31, &raw::connect(V31, 0b0010_1010, &[&text("x")]));
    assert_eq!(device.expect_connack().reason_code, ReasonCode::Success);
    device.send_raw(&packet(0x8A, &body(&[&[0, 1], &text("t"), &[0]])));
    assert!(matches!(device.expect(), Packet::Suback(_)));
    device.send_raw(&packet(0xAA, &body(&[&[0, 2], &text("t")])));
    assert!(matches!(device.expect(), Packet::Unsuback(_)));
    device.send_raw(&packet(0x6A, &[0, 3]));
    assert!(matches!(device.expect(), Packet::Pubcomp(_)));
}

#[test]
fn mqtt_3_1_a_session_is_resumed_and_the_connack_does_not_say_so() {
    let broker = broker();
    let mut connect = connect_packet(V31, "kept");
    connect.clean_start = false;
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.subscribe("t", QoS::AtLeastOnce);
    device.leave(ReasonCode::Success);
    Device::connect(&broker.plain(), V5, "other").publish("t", "waited", QoS::AtLeastOnce, false);
    // The first byte is reserved: a decoder of 3.1.1, which takes it for flags, sees Session Present 0.
    let mut device = raw::opened_with(&broker.plain(), V311, &raw::connect(V31, 0, &[&text("kept")]));
    let connack = device.expect_connack();
    assert_eq!((connack.reason_code, connack.session_present), (ReasonCode::Success, false));
    device.expect_message("t", "waited");
}

#[test]
fn mqtt_3_1_a_subscription_that_is_not_allowed_is_acknowledged_like_any_other() {
    let broker =
        Broker::start(&BrokerConfig::plain().access("[[access]]\nwho = \"everyone\"\npublish = [\"#\"]\nsubscribe = [\"allowed/#\"]\n"));
    let mut device = Device::connect(&broker.plain(), V31, "x");
    let suback = device.subscribe_with(subscribe_packet(1, &[("allowed/a", QoS::AtLeastOnce), ("secret", QoS::AtLeastOnce)]));
    assert_eq!((suback.reason_codes.len(), suback.reason_codes[0]), (2, ReasonCode::GrantedQoS1));
    assert!(!suback.reason_codes[1].is_error(), "MQTT 3.1 has no code for a failure: {suback:?}");
    let mut other = Device::connect(&broker.plain(), V5, "y");
    other.publish("secret", "x", QoS::AtLeastOnce, false);
    other.publish("allowed/a", "y", QoS::AtLeastOnce, false);
    device.expect_message("allowed/a", "y");
    device.expect_silence();
}

#[test]
fn mqtt_3_1_a_subscription_that_fails_otherwise_ends_the_connection() {
    let broker = Broker::start(&BrokerConfig::plain().limit("subscriptions_maximum = 1"));
    let mut device = Device::connect(&broker.plain(), V31, "x");
    assert_eq!(device.subscribe("a", QoS::AtMostOnce), ReasonCode::Success);
    device.send(&Packet::Subscribe(subscribe_packet(2, &[("b", QoS::AtMostOnce)])));
    device.expect_closed();
}

#[test]
fn mqtt_3_1_a_publish_that_is_not_allowed_is_acknowledged_and_not_delivered() {
    let broker = Broker::start(&BrokerConfig::plain().access(DENYING));
    let mut device = Device::connect(&broker.plain(), V31, "x");
    device.subscribe("allowed/#", QoS::AtMostOnce);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        device.publish("secret", "x", qos, false);
    }
    device.expect_silence();
}

#[test]
fn another_broker_is_served_with_retain_as_published_and_without_its_own_messages() {
    let broker = broker();
    for version in [V31, V311] {
        let mut connect = connect_packet(version, &format!("bridge-{version}"));
        connect.is_bridge = true;
        let mut bridge = Device::connect_with(&broker.plain(), connect);
        bridge.subscribe("t/#", QoS::AtLeastOnce);
        bridge.publish("t/own", "its own", QoS::AtLeastOnce, false);
        bridge.expect_silence();
        let mut other = Device::connect(&broker.plain(), V311, "other");
        other.publish("t/live", "retained", QoS::AtLeastOnce, true);
        assert!(bridge.expect_message("t/live", "retained").retain, "RETAIN is lost on the way to the other broker");
        other.publish("t/live", "", QoS::AtLeastOnce, true);
        assert!(bridge.expect_message("t/live", "").retain);
    }
}
