//! §3.4 PUBACK to §3.7 PUBCOMP on the wire.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Ack, Packet, QoS, ReasonCode};
use signet_testkit::{Device, packet_id};

use crate::raw::packet;
use crate::{ALL, SINCE_311, broker};

#[test]
fn mqtt_2_2_1_5_acknowledgements_carry_the_identifier_of_their_publish() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        for id in [1, 255, 256, 65_535] {
            let mut publish = signet_testkit::publish_packet("t", "x", QoS::AtLeastOnce, false);
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
