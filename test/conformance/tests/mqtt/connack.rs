//! §3.2 CONNACK.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Packet, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet, publish_packet};

use crate::{ALL, broker, tells_session};

#[test]
fn mqtt_3_2_0_1_connack_comes_first_even_when_messages_wait() {
    let broker = broker();
    for version in ALL {
        let mut kept = connect_packet(version, "waiting");
        kept.clean_start = false;
        kept.properties.session_expiry_interval = Some(100);
        let mut device = Device::connect_with(&broker.plain(), kept.clone());
        device.subscribe("t", QoS::AtLeastOnce);
        device.leave(ReasonCode::Success);
        Device::connect(&broker.plain(), version, "other").publish("t", "x", QoS::AtLeastOnce, false);
        // `introduce` expects the CONNACK as the first packet.
        let (mut device, connack) = Device::introduce(&broker.plain(), kept);
        assert_eq!(connack.session_present, tells_session(version));
        device.expect_message("t", "x");
    }
}

#[test]
fn mqtt_3_2_2_2_clean_start_is_answered_without_session_present() {
    let broker = broker();
    for version in ALL {
        let mut kept = connect_packet(version, "kept");
        kept.clean_start = false;
        kept.properties.session_expiry_interval = Some(100);
        Device::connect_with(&broker.plain(), kept).leave(ReasonCode::Success);
        let (_, connack) = Device::introduce(&broker.plain(), connect_packet(version, "kept"));
        assert!(!connack.session_present);
    }
}

#[test]
fn mqtt_3_2_2_3_session_present_says_whether_there_is_a_session() {
    let broker = broker();
    for version in ALL {
        let mut kept = connect_packet(version, &format!("kept-{version}"));
        kept.clean_start = false;
        kept.properties.session_expiry_interval = Some(100);
        let (device, connack) = Device::introduce(&broker.plain(), kept.clone());
        assert!(!connack.session_present);
        device.leave(ReasonCode::Success);
        assert_eq!(Device::introduce(&broker.plain(), kept).1.session_present, tells_session(version));
    }
}

#[test]
fn mqtt_3_2_2_9_the_maximum_qos_is_announced_and_kept_to() {
    let broker = Broker::start(&BrokerConfig::plain().limit("maximum_qos = 1"));
    let (mut device, connack) = Device::introduce(&broker.plain(), connect_packet(V5, "x"));
    assert_eq!(connack.properties.features.maximum_qos, Some(QoS::AtLeastOnce));
    // [MQTT-3.2.2-10]: the subscription is accepted nevertheless, with less.
    assert_eq!(device.subscribe("t", QoS::ExactlyOnce), ReasonCode::GrantedQoS1);
    // [MQTT-3.2.2-11] is the client's; a message with more ends the connection.
    device.send(&Packet::Publish(publish_packet("t", "x", QoS::ExactlyOnce, false)));
    device.expect_ended(ReasonCode::QosNotSupported);
}

#[test]
fn mqtt_3_2_2_12_a_will_above_the_maximum_qos_is_refused() {
    let broker = Broker::start(&BrokerConfig::plain().limit("maximum_qos = 0"));
    let mut connect = connect_packet(V5, "x");
    connect.will = Some(crate::connect_will::will("w", "x", QoS::AtLeastOnce, false));
    let (mut device, connack) = Device::introduce(&broker.plain(), connect);
    assert_eq!(connack.reason_code, ReasonCode::QosNotSupported);
    device.expect_closed();
}

#[test]
fn mqtt_3_1_2_27_a_topic_alias_is_sent_only_to_who_accepts_one() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "no-alias");
    device.subscribe("t", QoS::AtMostOnce);
    let mut other = Device::connect(&broker.plain(), V5, "other");
    for _ in 0..3 {
        other.publish("t", "x", QoS::AtMostOnce, false);
        let publish = device.expect_message("t", "x");
        assert_eq!(publish.properties.topic_alias, None);
    }
}

#[test]
fn section_3_2_2_3_2_a_longer_session_than_allowed_is_cut_and_told() {
    let broker = Broker::start(&BrokerConfig::plain().limit("session_expiry_maximum = \"60s\""));
    let mut connect = connect_packet(V5, "x");
    connect.properties.session_expiry_interval = Some(1000);
    let (_, connack) = Device::introduce(&broker.plain(), connect.clone());
    assert_eq!(connack.properties.session_expiry_interval, Some(60));
    connect.properties.session_expiry_interval = Some(30);
    let (_, connack) = Device::introduce(&broker.plain(), connect);
    assert!(matches!(connack.properties.session_expiry_interval, None | Some(30)), "{connack:?}");
}
