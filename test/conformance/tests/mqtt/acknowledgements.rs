//! §3.4 PUBACK to §3.7 PUBCOMP on the wire.

use std::num::NonZeroU32;

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Ack, Packet, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet, packet_id, publish_packet};

use crate::raw::packet;
use crate::{ALL, CONNACK_FITS, SINCE_311, broker};

#[test]
fn mqtt_2_2_1_5_acknowledgements_carry_the_identifier_of_their_publish() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        for id in [1, 255, 256, 65_535] {
            let mut publish = publish_packet("t", "x", QoS::AtLeastOnce, false);
            publish.packet_id = Some(packet_id(id));
            device.publish_with(publish.clone());
            publish.qos = QoS::ExactlyOnce;
            device.publish_with(publish);
        }
    }
}

#[test]
fn mqtt_3_6_1_1_pubrel_with_other_flags_is_malformed() {
    let broker = broker();
    for version in SINCE_311 {
        for first in [0x60, 0x61, 0x63, 0x6A] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&packet(first, &[0, 1]));
            device.expect_ended(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_3_7_2_1_pubrel_of_an_unknown_identifier_is_answered() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send(&Packet::Pubrel(Ack::success(packet_id(77))));
        let ack = device.expect_pubcomp(packet_id(77));
        if version == V5 {
            assert_eq!(ack.reason_code, ReasonCode::PacketIdentifierNotFound);
        }
    }
}

#[test]
fn section_3_4_2_1_the_short_and_the_long_form_of_an_acknowledgement_are_the_same() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.subscribe("t", QoS::AtLeastOnce);
    let mut other = Device::connect(&broker.plain(), V5, "y");
    for form in [&[][..], &[0], &[0, 0]] {
        other.publish("t", "x", QoS::AtLeastOnce, false);
        let publish = device.expect_publish_unacknowledged();
        let id = publish.packet_id.unwrap().get().to_be_bytes();
        device.send_raw(&packet(0x40, &[&id, form].concat()));
    }
    device.expect_silence();
}

#[test]
fn mqtt_3_4_2_1_a_reason_code_that_puback_does_not_have_is_refused() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.subscribe("t", QoS::AtLeastOnce);
    Device::connect(&broker.plain(), V5, "y").publish("t", "x", QoS::AtLeastOnce, false);
    let id = device.expect_publish_unacknowledged().packet_id.unwrap().get().to_be_bytes();
    device.send_raw(&packet(0x40, &[&id[..], &[0x8E]].concat()));
    device.expect_ended_by_one_of(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError]);
}

#[test]
fn section_4_3_2_an_acknowledgement_nobody_waits_for_does_no_harm() {
    let broker = broker();
    for version in ALL {
        for packet in [Packet::Puback(Ack::success(packet_id(99))), Packet::Pubcomp(Ack::success(packet_id(99)))] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send(&packet);
            device.expect_silence();
        }
    }
}

#[test]
fn section_3_5_2_1_a_pubrec_nobody_waits_for_is_answered_with_not_found() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send(&Packet::Pubrec(Ack::success(packet_id(99))));
    assert_eq!(device.expect_pubrel(packet_id(99)).reason_code, ReasonCode::PacketIdentifierNotFound);
}

/// A client that may do nothing and takes packets of this size only.
fn denied(broker: &Broker, maximum_packet_size: u32) -> Device {
    let mut connect = connect_packet(V5, "x");
    connect.properties.maximum_packet_size = NonZeroU32::new(maximum_packet_size);
    Device::connect_with(&broker.plain(), connect)
}

fn denying() -> Broker {
    Broker::start(&BrokerConfig::plain().access("[[access]]\nwho = \"everyone\"\npublish = [\"allowed/#\"]\n"))
}

#[test]
fn mqtt_3_4_2_2_a_reason_string_that_does_not_fit_is_left_out_of_puback() {
    let broker = denying();
    let puback = |maximum| {
        let mut device = denied(&broker, maximum);
        device.send(&Packet::Publish(publish_packet("secret", "x", QoS::AtLeastOnce, false)));
        device.expect_puback(packet_id(10))
    };
    let (short, long) = (puback(CONNACK_FITS), puback(100_000));
    assert_eq!((short.reason_code, short.reason_string), (ReasonCode::NotAuthorized, None));
    assert!(long.reason_string.is_some(), "nothing was left out: {long:?}");
}

#[test]
fn mqtt_3_5_2_2_a_reason_string_that_does_not_fit_is_left_out_of_pubrec() {
    let broker = denying();
    let pubrec = |maximum| {
        let mut device = denied(&broker, maximum);
        device.send(&Packet::Publish(publish_packet("secret", "x", QoS::ExactlyOnce, false)));
        device.expect_pubrec(packet_id(10))
    };
    let (short, long) = (pubrec(CONNACK_FITS), pubrec(100_000));
    assert_eq!((short.reason_code, short.reason_string), (ReasonCode::NotAuthorized, None));
    assert!(long.reason_string.is_some(), "nothing was left out: {long:?}");
}

#[test]
fn mqtt_3_5_2_1_a_reason_code_that_pubrec_does_not_have_is_refused() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.subscribe("t", QoS::ExactlyOnce);
    Device::connect(&broker.plain(), V5, "y").publish("t", "x", QoS::ExactlyOnce, false);
    let id = device.expect_publish_unacknowledged().packet_id.unwrap().get().to_be_bytes();
    device.send_raw(&packet(0x50, &[&id[..], &[0x92]].concat()));
    device.expect_ended_by_one_of(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError]);
}

#[test]
fn mqtt_3_6_2_1_a_reason_code_that_pubrel_does_not_have_is_refused() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send(&Packet::Publish(publish_packet("t", "x", QoS::ExactlyOnce, false)));
    device.expect_pubrec(packet_id(10));
    device.send_raw(&packet(0x62, &[0, 10, 0x87]));
    device.expect_ended_by_one_of(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError]);
}
