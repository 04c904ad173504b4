//! §4.1 Session State, §3.1.2.11.2 Session Expiry Interval.

use signet_mqtt::ProtocolVersion::{V5, V311};
use signet_mqtt::{QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet};

use crate::{ALL, broker, tells_session};

#[test]
fn mqtt_4_1_0_1_the_session_lives_as_long_as_the_connection() {
    let broker = broker();
    // Session Expiry Interval 0 and Clean Session 1: the session ends with the connection, and not before.
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("t", QoS::AtLeastOnce);
        Device::connect(&broker.plain(), version, "y").publish("t", "x", QoS::AtLeastOnce, false);
        device.expect_message("t", "x");
    }
}

#[test]
fn mqtt_4_1_0_2_the_session_ends_when_its_expiry_has_passed() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(1);
    Device::connect_with(&broker.plain(), connect.clone()).leave(ReasonCode::Success);
    assert!(Device::introduce(&broker.plain(), connect.clone()).1.session_present, "before it has passed");
    // The connection above ended with its device; now its second passes.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert!(!Device::introduce(&broker.plain(), connect).1.session_present, "after it has passed");
}

#[test]
fn section_3_1_2_11_2_without_an_expiry_the_session_ends_with_the_connection() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.clean_start = false;
    Device::connect_with(&broker.plain(), connect.clone()).leave(ReasonCode::Success);
    assert!(!Device::introduce(&broker.plain(), connect).1.session_present);
}

#[test]
fn mqtt311_3_1_2_6_clean_session_leaves_nothing_behind() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V311, "x");
    device.subscribe("t", QoS::AtLeastOnce);
    device.leave(ReasonCode::Success);
    let mut kept = connect_packet(V311, "x");
    kept.clean_start = false;
    let (mut device, connack) = Device::introduce(&broker.plain(), kept);
    assert!(!connack.session_present);
    Device::connect(&broker.plain(), V311, "y").publish("t", "x", QoS::AtLeastOnce, false);
    device.expect_silence();
}

#[test]
fn section_4_1_a_session_is_resumed_across_versions() {
    let broker = broker();
    let mut connect = connect_packet(V311, "x");
    connect.clean_start = false;
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.subscribe("t", QoS::AtLeastOnce);
    device.leave(ReasonCode::Success);
    Device::connect(&broker.plain(), V5, "y").publish("t", "x", QoS::AtLeastOnce, false);
    let mut connect = connect_packet(V5, "x");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(100);
    let (mut device, connack) = Device::introduce(&broker.plain(), connect);
    assert!(connack.session_present);
    device.expect_message("t", "x");
}

#[test]
fn section_3_1_4_a_take_over_keeps_a_session_that_is_resumed() {
    let broker = broker();
    for version in ALL {
        let mut connect = connect_packet(version, "x");
        connect.clean_start = false;
        connect.properties.session_expiry_interval = Some(100);
        let mut first = Device::connect_with(&broker.plain(), connect.clone());
        first.subscribe("t", QoS::AtLeastOnce);
        let (mut second, connack) = Device::introduce(&broker.plain(), connect);
        assert_eq!(connack.session_present, tells_session(version));
        first.expect_ended(ReasonCode::SessionTakenOver);
        Device::connect(&broker.plain(), version, "y").publish("t", "x", QoS::AtLeastOnce, false);
        second.expect_message("t", "x");
        second.leave(ReasonCode::Success);
        Device::connect(&broker.plain(), version, "x").leave(ReasonCode::Success);
    }
}

#[test]
fn section_4_1_a_session_that_waits_is_found_from_every_shard() {
    let broker = Broker::start(&BrokerConfig::plain().shards(4));
    for version in ALL {
        for number in 0..8 {
            let mut connect = connect_packet(version, &format!("x-{version}-{number}"));
            connect.clean_start = false;
            connect.properties.session_expiry_interval = Some(100);
            let mut device = Device::connect_with(&broker.plain(), connect.clone());
            device.subscribe("t", QoS::AtLeastOnce);
            device.leave(ReasonCode::Success);
            Device::connect(&broker.plain(), version, "y").publish("t", "x", QoS::AtLeastOnce, false);
            let (mut device, connack) = Device::introduce(&broker.plain(), connect);
            assert_eq!(connack.session_present, tells_session(version));
            device.expect_message("t", "x");
            device.unsubscribe(&["t"]);
        }
    }
}

#[test]
fn mqtt311_3_1_2_7_retained_messages_outlive_the_session() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.publish("kept", "still here", QoS::AtLeastOnce, true);
        // The session of this connection ends with it.
        device.leave(ReasonCode::Success);
        let mut other = Device::connect(&broker.plain(), version, "y");
        other.subscribe("kept", QoS::AtMostOnce);
        other.expect_message("kept", "still here");
    }
}
