//! §1.5 data representation and §2 packet format.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Packet, QoS, ReasonCode};
use signet_testkit::Device;

use crate::raw::{self, body, packet, text};
use crate::{ALL, SINCE_311, broker};

#[test]
fn mqtt_1_5_4_1_a_topic_that_is_not_utf_8_is_malformed() {
    let broker = broker();
    for version in ALL {
        for bad in [&[0xFF][..], &[0xC0, 0x80], &[0xED, 0xA0, 0x80], &[0xF4, 0x90, 0x80, 0x80], &[b'a', 0xE2, 0x82]] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&packet(0x30, &body(&[&text(bad), raw::no_properties(version), b"x"])));
            device.expect_ended(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_1_5_4_2_a_null_character_is_malformed() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&packet(0x82, &body(&[&[0, 1], raw::no_properties(version), &text(b"a\0b"), &[0]])));
        device.expect_ended_by_one_of(&[ReasonCode::MalformedPacket, ReasonCode::TopicFilterInvalid]);
    }
}

#[test]
fn mqtt_1_5_4_3_a_byte_order_mark_is_a_character_like_any_other() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("\u{FEFF}a", QoS::AtMostOnce);
        let mut other = Device::connect(&broker.plain(), version, "y");
        other.publish("a", "without", QoS::AtLeastOnce, false);
        other.publish("\u{FEFF}a", "with", QoS::AtLeastOnce, false);
        device.expect_message("\u{FEFF}a", "with");
    }
}

#[test]
fn section_1_5_5_a_remaining_length_of_five_bytes_is_malformed() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_1_5_5_1_a_property_length_longer_than_necessary_is_malformed() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x30, &body(&[&text("t"), &[0x80, 0x00], b"x"])));
    device.expect_ended(ReasonCode::MalformedPacket);
}

#[test]
fn section_2_1_2_packet_type_0_is_malformed() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&[0x00, 0]);
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn section_2_1_2_packets_of_the_server_are_refused_from_a_client() {
    let broker = broker();
    for version in ALL {
        for bytes in [&[0x20, 2, 0, 0][..], &[0x90, 3, 0, 1, 0], &[0xB0, 2, 0, 1], &[0xD0, 0]] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(bytes);
            device.expect_ended_by_one_of(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError]);
        }
    }
}

#[test]
fn mqtt_2_1_3_1_reserved_flags_of_every_packet_must_be_as_specified() {
    let broker = broker();
    for version in SINCE_311 {
        let subscribe = body(&[&[0, 1], raw::no_properties(version), &text("t"), &[0]]);
        let unsubscribe = body(&[&[0, 1], raw::no_properties(version), &text("t")]);
        let wrong = [
            packet(0x41, &[0, 1]),
            packet(0x52, &[0, 1]),
            packet(0x60, &[0, 1]),
            packet(0x71, &[0, 1]),
            packet(0x80, &subscribe),
            packet(0xA0, &unsubscribe),
        ];
        for bytes in wrong {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&bytes);
            device.expect_ended(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_2_2_1_3_packet_identifier_zero_is_refused() {
    let broker = broker();
    for version in ALL {
        let none = raw::no_properties(version);
        let wrong = [
            packet(0x32, &body(&[&text("t"), &[0, 0], none, b"x"])),
            packet(0x82, &body(&[&[0, 0], none, &text("t"), &[0]])),
            packet(0xA2, &body(&[&[0, 0], none, &text("t")])),
        ];
        for bytes in wrong {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&bytes);
            device.expect_ended_by_one_of(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError]);
        }
    }
}

#[test]
fn section_2_1_4_a_packet_may_arrive_in_any_pieces() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::open(&broker.plain(), version);
        let mut bytes = raw::connect(version, 0x02, &[&text("pieces")]);
        bytes.extend(packet(0x32, &body(&[&text("t"), &[0, 7], raw::no_properties(version), b"x"])));
        for byte in bytes {
            device.send_raw(&[byte]);
        }
        device.expect_connack();
        assert!(matches!(device.expect(), Packet::Puback(ack) if ack.packet_id.get() == 7));
    }
}

#[test]
fn section_2_1_4_a_body_shorter_than_its_fields_is_malformed() {
    let broker = broker();
    for version in ALL {
        for bytes in [&[0x30, 1, 0][..], &[0x30, 4, 0, 9, b'a', b'b'], &[0x82, 1, 0], &[0x40, 1, 0]] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(bytes);
            device.expect_ended(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_1_5_7_1_both_strings_of_a_user_property_must_be_utf_8() {
    let broker = broker();
    for (name, value) in [(&[0xFF][..], &b"value"[..]), (b"name", &[0xC3, 0x28]), (b"na\0me", b"value")] {
        let property = body(&[&[0x26], &text(name), &text(value)]);
        let length = u8::try_from(property.len()).unwrap();
        let mut device = Device::connect(&broker.plain(), V5, "x");
        device.send_raw(&packet(0x30, &body(&[&text("t"), &[length], &property, b"x"])));
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_2_2_2_1_an_empty_property_list_has_a_length_of_zero() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    // Without the length, the filter's own would be read as one: the packet makes no sense.
    device.send_raw(&packet(0x82, &body(&[&[0, 1], &text("t"), &[0]])));
    device.expect_ended_by_one_of(&[ReasonCode::MalformedPacket, ReasonCode::ProtocolError]);
    // With it, all is well; and the answers have one too, or else they could not be read.
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x82, &body(&[&[0, 1], &[0], &text("t"), &[0]])));
    assert!(matches!(device.expect(), Packet::Suback(suback) if suback.reason_codes == [ReasonCode::Success]));
    device.publish("t", "x", QoS::AtMostOnce, false);
    device.expect_message("t", "x");
}
