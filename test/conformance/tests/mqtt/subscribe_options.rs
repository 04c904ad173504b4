//! §3.8.3.1 Subscription Options. Retain Handling and Retain As Published are in `retained.rs`.

use signet_mqtt::ProtocolVersion::{V5, V311};
use signet_mqtt::{Packet, QoS, ReasonCode, SubscriptionIdentifier};
use signet_testkit::{Device, publish_packet, subscribe_packet};

use crate::broker;
use crate::raw::{body, packet, text};

#[test]
fn mqtt_3_8_3_3_no_local_keeps_a_clients_own_messages_from_it() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    let mut subscribe = subscribe_packet(1, &[("t", QoS::AtMostOnce)]);
    subscribe.subscriptions[0].options.no_local = true;
    device.subscribe_with(subscribe);
    device.send(&Packet::Publish(publish_packet("t", "own", QoS::AtMostOnce, false)));
    Device::connect(&broker.plain(), V5, "y").publish("t", "other", QoS::AtLeastOnce, false);
    device.expect_message("t", "other");
    device.expect_silence();
}

#[test]
fn mqtt_3_8_3_4_no_local_on_a_shared_subscription_is_a_protocol_error() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x82, &body(&[&[0, 1, 0], &text("$share/group/t"), &[0x04]])));
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn mqtt_3_8_3_5_reserved_option_bits_are_malformed() {
    let broker = broker();
    for option in [0x40, 0x80, 0xC0] {
        let mut device = Device::connect(&broker.plain(), V5, "x");
        device.send_raw(&packet(0x82, &body(&[&[0, 1, 0], &text("t"), &[option]])));
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt311_3_8_3_4_the_upper_six_bits_must_be_zero_in_311() {
    let broker = broker();
    for option in [0x04, 0x08, 0x10, 0x80] {
        let mut device = Device::connect(&broker.plain(), V311, "x");
        device.send_raw(&packet(0x82, &body(&[&[0, 1], &text("t"), &[option]])));
        device.expect_closed();
    }
}

#[test]
fn section_3_8_3_1_maximum_qos_3_is_refused() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x82, &body(&[&[0, 1, 0], &text("t"), &[0x03]])));
    device.expect_ended(ReasonCode::ProtocolError);
    let mut device = Device::connect(&broker.plain(), V311, "x");
    device.send_raw(&packet(0x82, &body(&[&[0, 1], &text("t"), &[0x03]])));
    device.expect_closed();
}

#[test]
fn section_3_8_3_1_retain_handling_3_is_a_protocol_error() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x82, &body(&[&[0, 1, 0], &text("t"), &[0x30]])));
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn section_3_8_2_1_2_subscribing_again_replaces_the_subscription_identifier() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    for number in [Some(1), Some(2), None] {
        let mut subscribe = subscribe_packet(1, &[("t", QoS::AtMostOnce)]);
        subscribe.subscription_identifier = number.and_then(SubscriptionIdentifier::new);
        device.subscribe_with(subscribe);
        Device::connect(&broker.plain(), V5, "y").publish("t", "x", QoS::AtLeastOnce, false);
        let identifiers: Vec<u32> =
            device.expect_message("t", "x").properties.subscription_identifiers.iter().map(|identifier| identifier.get()).collect();
        assert_eq!(identifiers, number.into_iter().collect::<Vec<_>>());
    }
}
