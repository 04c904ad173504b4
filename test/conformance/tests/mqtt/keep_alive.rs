//! §3.1.2.10 Keep Alive. These tests take as long as the interval: the clock is the broker's own.

use std::time::{Duration, Instant};

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Packet, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet};

use crate::{ALL, broker};

#[test]
fn mqtt_3_1_2_22_silence_for_one_and_a_half_intervals_ends_the_connection() {
    let broker = broker();
    for version in ALL {
        let mut connect = connect_packet(version, "silent");
        connect.keep_alive = 1;
        let started = Instant::now();
        let mut device = Device::connect_with(&broker.plain(), connect);
        device.expect_ended(ReasonCode::KeepAliveTimeout);
        assert!(started.elapsed() >= Duration::from_millis(1500), "too early: {:?}", started.elapsed());
    }
}

#[test]
fn mqtt_3_1_2_22_any_packet_is_a_sign_of_life() {
    let broker = broker();
    let mut connect = connect_packet(V5, "lively");
    connect.keep_alive = 1;
    let mut device = Device::connect_with(&broker.plain(), connect);
    let started = Instant::now();
    // Pinging is all this test does with its time; it ends well behind one and a half intervals.
    while started.elapsed() < Duration::from_millis(2500) {
        device.send(&Packet::Pingreq);
        assert!(matches!(device.expect(), Packet::Pingresp));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn section_3_2_2_3_14_a_keep_alive_of_the_server_is_told_and_enforced() {
    let broker = Broker::start(&BrokerConfig::plain().limit("keep_alive_maximum = \"1s\""));
    for asked in [0, 600] {
        let mut connect = connect_packet(V5, "x");
        connect.keep_alive = asked;
        let (mut device, connack) = Device::introduce(&broker.plain(), connect);
        assert_eq!(connack.properties.server_keep_alive, Some(1));
        device.expect_ended(ReasonCode::KeepAliveTimeout);
    }
}
