//! §3.3 PUBLISH: fixed header, topic, what happens to the message. Properties and retained messages have their own files.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Packet, QoS, ReasonCode, SubscriptionIdentifier};
use signet_testkit::{Device, publish_packet, subscribe_packet};

use crate::raw::{self, body, packet, text};
use crate::{ALL, broker};

#[test]
fn mqtt_3_3_1_2_dup_with_qos_0_is_malformed() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&packet(0x38, &body(&[&text("t"), raw::no_properties(version), b"x"])));
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_3_1_3_dup_is_not_passed_on() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("t", QoS::ExactlyOnce);
        let mut other = Device::connect(&broker.plain(), version, "y");
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut publish = publish_packet("t", "x", qos, false);
            publish.dup = true;
            other.publish_with(publish);
            assert!(!device.expect_message("t", "x").dup);
        }
    }
}

#[test]
fn mqtt_3_3_1_4_qos_3_is_malformed() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&packet(0x36, &body(&[&text("t"), &[0, 1], raw::no_properties(version), b"x"])));
        device.expect_ended(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_3_2_2_a_topic_with_wildcards_is_refused() {
    let broker = broker();
    for version in ALL {
        for wrong in ["a/#", "+", "a/+/b", "#", "a#"] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&packet(0x30, &body(&[&text(wrong), raw::no_properties(version), b"x"])));
            device.expect_ended(ReasonCode::TopicNameInvalid);
        }
    }
}

#[test]
fn mqtt_3_3_2_3_a_subscriber_gets_the_topic_that_was_published_to() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("a/+/c/#", QoS::AtMostOnce);
        Device::connect(&broker.plain(), version, "y").publish("a/b/c/d", "x", QoS::AtLeastOnce, false);
        device.expect_message("a/b/c/d", "x");
    }
}

#[test]
fn mqtt_3_3_4_1_the_acknowledgement_fits_the_qos() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        // `publish` goes through PUBACK, or PUBREC, PUBREL, PUBCOMP; QoS 0 is answered with nothing.
        device.publish("t", "x", QoS::AtMostOnce, false);
        device.expect_silence();
        device.publish("t", "x", QoS::AtLeastOnce, false);
        device.publish("t", "x", QoS::ExactlyOnce, false);
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_3_4_2_overlapping_subscriptions_deliver_with_the_highest_qos() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("a/#", QoS::AtMostOnce);
        device.subscribe("a/+", QoS::ExactlyOnce);
        device.subscribe("a/b", QoS::AtLeastOnce);
        Device::connect(&broker.plain(), version, "y").publish("a/b", "x", QoS::ExactlyOnce, false);
        // One copy or one for each: the highest QoS must be among them, and ours sends one.
        assert_eq!(device.expect_message("a/b", "x").qos, QoS::ExactlyOnce);
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_3_4_3_the_subscription_identifier_comes_with_the_message() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    let mut subscribe = subscribe_packet(1, &[("a/b", QoS::AtMostOnce)]);
    subscribe.subscription_identifier = SubscriptionIdentifier::new(268_435_455);
    device.subscribe_with(subscribe);
    Device::connect(&broker.plain(), V5, "y").publish("a/b", "x", QoS::AtLeastOnce, false);
    let publish = device.expect_message("a/b", "x");
    assert_eq!(publish.properties.subscription_identifiers, [SubscriptionIdentifier::new(268_435_455).unwrap()]);
}

#[test]
fn mqtt_3_3_4_4_a_single_copy_carries_every_subscription_identifier() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    for (number, filter) in [(7, "a/b"), (8, "a/#")] {
        let mut subscribe = subscribe_packet(1, &[(filter, QoS::AtMostOnce)]);
        subscribe.subscription_identifier = SubscriptionIdentifier::new(number);
        device.subscribe_with(subscribe);
    }
    device.subscribe_with(subscribe_packet(1, &[("+/b", QoS::AtMostOnce)]));
    Device::connect(&broker.plain(), V5, "y").publish("a/b", "x", QoS::AtLeastOnce, false);
    let mut identifiers: Vec<u32> =
        device.expect_message("a/b", "x").properties.subscription_identifiers.iter().map(|identifier| identifier.get()).collect();
    identifiers.sort_unstable();
    assert_eq!(identifiers, [7, 8]);
    device.expect_silence();
}

#[test]
fn mqtt_3_3_4_6_a_subscription_identifier_from_a_client_is_a_protocol_error() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x30, &body(&[&text("t"), &[2, 0x0B, 1], b"x"])));
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn section_3_4_2_1_nobody_subscribed_is_said_in_the_acknowledgement() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        assert_eq!(device.publish_with(publish_packet("nobody/here", "x", qos, false)), ReasonCode::NoMatchingSubscribers);
    }
    Device::connect(&broker.plain(), V5, "y").subscribe("elsewhere", QoS::AtMostOnce);
    device.subscribe("somebody/here", QoS::AtMostOnce);
    assert_eq!(device.publish_with(publish_packet("somebody/here", "x", QoS::AtMostOnce, false)), ReasonCode::Success);
    device.expect_message("somebody/here", "x");
}

#[test]
fn section_3_3_3_an_empty_payload_is_a_message_like_any_other() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("t", QoS::AtMostOnce);
        device.send(&Packet::Publish(publish_packet("t", "", QoS::AtMostOnce, false)));
        device.expect_message("t", "");
    }
}

#[test]
fn section_3_3_3_a_large_payload_arrives_whole() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("t", QoS::AtLeastOnce);
        let large = "0123456789".repeat(90_000);
        Device::connect(&broker.plain(), version, "y").publish("t", &large, QoS::AtLeastOnce, false);
        device.expect_message("t", &large);
    }
}
