//! §4.9 flow control: Receive Maximum both ways, and Maximum Packet Size.

use std::num::{NonZeroU16, NonZeroU32};

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Ack, Packet, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet, packet_id, publish_packet};

use crate::{ALL, broker, raw};

#[test]
fn mqtt_3_3_4_9_no_more_in_flight_than_the_clients_receive_maximum() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.properties.receive_maximum = NonZeroU16::new(2);
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.subscribe("t", QoS::ExactlyOnce);
    let mut other = Device::connect(&broker.plain(), V5, "y");
    for number in 0..4 {
        other.publish("t", &number.to_string(), QoS::ExactlyOnce, false);
    }
    let first = device.expect_publish_unacknowledged().packet_id.unwrap();
    device.expect_publish_unacknowledged();
    device.expect_silence();
    // PUBREC alone makes no room [MQTT-4.9.0-1]; PUBCOMP does.
    device.send(&Packet::Pubrec(Ack::success(first)));
    device.expect_pubrel(first);
    device.expect_silence();
    device.send(&Packet::Pubcomp(Ack::success(first)));
    assert_eq!(device.expect_publish_unacknowledged().payload, "2");
    device.expect_silence();
}

#[test]
fn section_4_9_a_refusing_pubrec_makes_room() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.properties.receive_maximum = NonZeroU16::new(1);
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.subscribe("t", QoS::ExactlyOnce);
    let mut other = Device::connect(&broker.plain(), V5, "y");
    other.publish("t", "1", QoS::ExactlyOnce, false);
    other.publish("t", "2", QoS::ExactlyOnce, false);
    let id = device.expect_publish_unacknowledged().packet_id.unwrap();
    device.send(&Packet::Pubrec(Ack::new(id, ReasonCode::UnspecifiedError)));
    assert_eq!(device.expect_publish_unacknowledged().payload, "2");
}

#[test]
fn mqtt_3_3_4_10_other_packets_pass_a_full_window() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.properties.receive_maximum = NonZeroU16::new(1);
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.subscribe("t", QoS::AtLeastOnce);
    let mut other = Device::connect(&broker.plain(), V5, "y");
    other.publish("t", "1", QoS::AtLeastOnce, false);
    other.publish("t", "2", QoS::AtLeastOnce, false);
    device.expect_publish_unacknowledged();
    device.expect_silence();
    assert_eq!(device.subscribe("other", QoS::AtMostOnce), ReasonCode::Success);
    device.unsubscribe(&["other"]);
    device.publish("elsewhere", "x", QoS::AtLeastOnce, false);
}

#[test]
fn mqtt_3_3_4_7_a_client_beyond_the_brokers_receive_maximum_is_disconnected() {
    let broker = Broker::start(&BrokerConfig::plain().limit("receive_maximum = 2"));
    let (mut device, connack) = Device::introduce(&broker.plain(), connect_packet(V5, "x"));
    assert_eq!(connack.properties.receive_maximum, NonZeroU16::new(2));
    for id in 1..=3 {
        let mut publish = publish_packet("t", "x", QoS::ExactlyOnce, false);
        publish.packet_id = Some(packet_id(id));
        device.send(&Packet::Publish(publish));
    }
    device.expect_pubrec(packet_id(1));
    device.expect_pubrec(packet_id(2));
    device.expect_ended(ReasonCode::ReceiveMaximumExceeded);
}

#[test]
fn mqtt_3_1_2_24_nothing_larger_than_the_clients_maximum_is_sent() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.properties.maximum_packet_size = NonZeroU32::new(60);
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.subscribe("t", QoS::AtLeastOnce);
    let mut other = Device::connect(&broker.plain(), V5, "y");
    // [MQTT-3.1.2-25]: dropped as if it had been sent, and what follows comes.
    other.publish("t", &"x".repeat(100), QoS::AtLeastOnce, false);
    other.publish("t", "fits", QoS::AtLeastOnce, false);
    device.expect_message("t", "fits");
    device.expect_silence();
}

#[test]
fn section_3_2_2_3_6_a_packet_above_the_brokers_maximum_is_refused_from_its_header() {
    let broker = Broker::start(&BrokerConfig::plain().limit("maximum_packet_size = 1000").limit("maximum_connect_size = 1000"));
    for version in ALL {
        let (mut device, connack) = Device::introduce(&broker.plain(), connect_packet(version, "x"));
        if version == V5 {
            assert_eq!(connack.properties.maximum_packet_size, NonZeroU32::new(1000));
        }
        // Only the header is sent: the answer does not wait for the rest.
        device.send_raw(&[0x30, 0x80, 0x08]);
        device.expect_ended(ReasonCode::PacketTooLarge);
    }
    let mut device = Device::open(&broker.plain(), V5);
    device.send_raw(&[0x10, 0xFF, 0xFF, 0xFF, 0x7F]);
    device.expect_closed();
    // Exactly the maximum is fine.
    let mut device = Device::connect(&broker.plain(), V5, "x");
    let payload = vec![b'x'; 1000 - 3 - 3 - 1];
    let bytes = raw::packet(0x30, &raw::body(&[&raw::text("t"), &[0], &payload]));
    assert_eq!(bytes.len(), 1000);
    device.send_raw(&bytes);
    device.expect_silence();
}
