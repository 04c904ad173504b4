//! §3.14 DISCONNECT.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Disconnect, Packet, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet};

use crate::{ALL, SINCE_311, broker, raw};

#[test]
fn mqtt_3_14_0_1_no_disconnect_before_the_connack() {
    let broker = broker();
    // `expect_closed` fails on a DISCONNECT.
    raw::opened_with(&broker.plain(), V5, &[0xF0, 0]).expect_closed();
    let mut bytes = raw::connect(V5, 0b11, &[&raw::text("x")]);
    bytes.extend([0xF0, 0]);
    raw::opened_with(&broker.plain(), V5, &bytes).expect_refused(ReasonCode::MalformedPacket);
}

#[test]
fn mqtt_3_14_1_1_reserved_bits_must_be_zero() {
    let broker = broker();
    for version in SINCE_311 {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&[0xE1, 0]);
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn section_3_14_4_the_connection_is_closed_after_a_disconnect() {
    let broker = broker();
    for version in ALL {
        Device::connect(&broker.plain(), version, "x").leave(ReasonCode::Success);
    }
}

#[test]
fn section_3_14_packets_behind_a_disconnect_are_not_processed() {
    let broker = broker();
    for version in ALL {
        let mut witness = Device::connect(&broker.plain(), version, "witness");
        witness.subscribe("t", QoS::AtMostOnce);
        let mut device = Device::connect(&broker.plain(), version, "x");
        let publish = raw::packet(0x30, &raw::body(&[&raw::text("t"), raw::no_properties(version), b"!"]));
        device.send_raw(&raw::body(&[&[0xE0, 0], &publish]));
        device.expect_closed();
        witness.expect_silence();
    }
}

#[test]
fn section_3_14_2_2_2_the_session_expiry_can_be_changed_with_the_goodbye() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(100);
    let mut device = Device::connect_with(&broker.plain(), connect.clone());
    let mut disconnect = Disconnect::new(ReasonCode::Success);
    disconnect.session_expiry_interval = Some(0);
    device.send(&Packet::Disconnect(Box::new(disconnect)));
    device.expect_closed();
    assert!(!Device::introduce(&broker.plain(), connect).1.session_present);
}

#[test]
fn section_3_14_2_2_2_a_session_that_was_to_end_cannot_be_prolonged() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    let mut disconnect = Disconnect::new(ReasonCode::Success);
    disconnect.session_expiry_interval = Some(100);
    device.send(&Packet::Disconnect(Box::new(disconnect)));
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn section_3_14_2_1_a_reason_code_of_the_server_is_refused_from_a_client() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    // 0x8E Session taken over.
    device.send_raw(&[0xE0, 1, 0x8E]);
    device.expect_ended_by_one_of(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError]);
}

#[test]
fn section_4_13_a_broker_that_stops_says_so() {
    let mut broker = Broker::start(&BrokerConfig::plain());
    let mut devices = ALL.map(|version| Device::connect(&broker.plain(), version, &format!("x{}", version.level())));
    broker.stop();
    for device in &mut devices {
        device.expect_ended(ReasonCode::ServerShuttingDown);
    }
}
