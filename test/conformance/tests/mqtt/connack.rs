//! §3.2 CONNACK.

use std::num::NonZeroU32;

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Packet, ProtocolVersion, QoS, ReasonCode};
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

#[test]
fn mqtt_3_2_2_6_a_refusal_says_no_session_and_closes() {
    let broker = Broker::start(&BrokerConfig::plain().access(crate::errors::DENYING));
    for version in ALL {
        let mut kept = connect_packet(version, &format!("kept-{version}"));
        kept.clean_start = false;
        kept.properties.session_expiry_interval = Some(100);
        Device::connect_with(&broker.plain(), kept.clone()).leave(ReasonCode::Success);
        // There is a session, and still a refusal does not speak of it.
        kept.will = Some(crate::connect_will::will("secret", "x", QoS::AtMostOnce, false));
        let (mut device, connack) = Device::introduce(&broker.plain(), kept);
        assert_eq!((connack.reason_code, connack.session_present), (ReasonCode::NotAuthorized, false));
        device.expect_closed();
    }
}

#[test]
fn mqtt311_3_2_2_6_a_refusal_without_a_return_code_says_nothing() {
    let broker = Broker::start(&BrokerConfig::plain().limit("maximum_qos = 1"));
    for version in [ProtocolVersion::V31, ProtocolVersion::V311] {
        let mut connect = connect_packet(version, "x");
        connect.will = Some(crate::connect_will::will("t", "x", QoS::ExactlyOnce, false));
        let mut device = Device::open(&broker.plain(), version);
        device.send(&Packet::Connect(Box::new(connect)));
        // QoS not supported is nothing that return codes 1 to 5 could say.
        device.expect_closed();
    }
}

#[test]
fn mqtt_3_2_2_16_assigned_identifiers_differ() {
    let broker = broker();
    let connected: Vec<_> = (0..20).map(|_| Device::introduce(&broker.plain(), connect_packet(V5, ""))).collect();
    let mut assigned: Vec<_> =
        connected.iter().map(|(_, connack)| connack.properties.assigned_client_identifier.clone().unwrap()).collect();
    assigned.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    assigned.dedup();
    assert_eq!(assigned.len(), 20);
}

#[test]
fn mqtt_3_2_2_19_a_reason_string_that_does_not_fit_is_left_out() {
    let broker = Broker::start(&BrokerConfig::plain().access("[[access]]\nwho = \"everyone\"\nsubscribe = [\"#\"]\n"));
    let refusal = |maximum| {
        let mut connect = connect_packet(V5, "x");
        connect.will = Some(crate::connect_will::will("secret", "x", QoS::AtMostOnce, false));
        connect.properties.maximum_packet_size = NonZeroU32::new(maximum);
        Device::introduce(&broker.plain(), connect).1
    };
    let (short, long) = (refusal(20), refusal(100_000));
    assert_eq!((short.reason_code, short.properties.reason_string), (ReasonCode::NotAuthorized, None));
    assert!(long.properties.reason_string.is_some(), "nothing was left out: {long:?}");
}
