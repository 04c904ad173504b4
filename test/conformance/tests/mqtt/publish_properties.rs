//! §3.3.2.3 properties of PUBLISH: what is passed on, what is refused, and topic aliases.

use std::num::NonZeroU16;

use bytes::Bytes;
use signet_mqtt::ProtocolVersion::{V5, V311};
use signet_mqtt::{Packet, Publish, QoS, ReasonCode, UserProperties};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet, publish_packet, topic};

use crate::broker;
use crate::raw::{body, packet, text};

/// Publishes with what `set` adds and returns what a subscriber gets.
fn passed_on(set: impl FnOnce(&mut Publish)) -> (Publish, Publish) {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.subscribe("t", QoS::AtLeastOnce);
    let mut publish = publish_packet("t", "x", QoS::AtLeastOnce, false);
    set(&mut publish);
    Device::connect(&broker.plain(), V5, "y").publish_with(publish.clone());
    (publish, device.expect_message("t", "x"))
}

#[test]
fn mqtt_3_3_2_4_the_payload_format_indicator_is_passed_on() {
    for value in [false, true] {
        let (_, got) = passed_on(|publish| publish.properties.payload_format_indicator = Some(value));
        assert_eq!(got.properties.payload_format_indicator.unwrap_or(false), value);
    }
}

#[test]
fn mqtt_3_3_2_6_the_message_expiry_interval_is_passed_on_less_the_waiting() {
    let (_, got) = passed_on(|publish| publish.properties.message_expiry_interval = Some(1000));
    assert!(matches!(got.properties.message_expiry_interval, Some(990..=1000)), "{got:?}");
}

#[test]
fn mqtt_3_3_2_5_an_expired_message_is_not_delivered() {
    let broker = broker();
    let mut kept = connect_packet(V5, "away");
    kept.clean_start = false;
    kept.properties.session_expiry_interval = Some(100);
    let mut device = Device::connect_with(&broker.plain(), kept.clone());
    device.subscribe("t", QoS::AtLeastOnce);
    device.leave(ReasonCode::Success);
    let mut other = Device::connect(&broker.plain(), V5, "other");
    let mut short = publish_packet("t", "short", QoS::AtLeastOnce, false);
    short.properties.message_expiry_interval = Some(1);
    other.publish_with(short);
    let mut long = publish_packet("t", "long", QoS::AtLeastOnce, false);
    long.properties.message_expiry_interval = Some(1000);
    other.publish_with(long);
    // The only way to let a message expire is to let its second pass.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let (mut device, _) = Device::introduce(&broker.plain(), kept);
    let got = device.expect_message("t", "long");
    assert!(matches!(got.properties.message_expiry_interval, Some(900..=998)), "{got:?}");
    device.expect_silence();
}

#[test]
fn mqtt_3_3_2_15_the_response_topic_is_passed_on() {
    let (sent, got) = passed_on(|publish| publish.properties.response_topic = Some(topic("answer/to/x")));
    assert_eq!(got.properties.response_topic, sent.properties.response_topic);
}

#[test]
fn mqtt_3_3_2_14_a_response_topic_with_wildcards_is_refused() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x30, &body(&[&text("t"), &[6, 0x08], &text("a/#"), b"x"])));
    match device.expect() {
        Packet::Disconnect(disconnect) => assert!(disconnect.reason_code.is_error(), "{disconnect:?}"),
        other => panic!("expected DISCONNECT, got {other:?}"),
    }
    device.expect_closed();
}

#[test]
fn mqtt_3_3_2_16_correlation_data_is_passed_on() {
    let (sent, got) = passed_on(|publish| publish.properties.correlation_data = Some(Bytes::from_static(&[0, 255, 7])));
    assert_eq!(got.properties.correlation_data, sent.properties.correlation_data);
}

#[test]
fn mqtt_3_3_2_17_user_properties_are_passed_on() {
    let (sent, got) = passed_on(|publish| publish.properties.user_properties = UserProperties(vec![("colour".into(), "rot — 红".into())]));
    assert_eq!(got.properties.user_properties, sent.properties.user_properties);
}

#[test]
fn mqtt_3_3_2_18_user_properties_keep_their_order_and_their_repetitions() {
    let (sent, got) = passed_on(|publish| {
        publish.properties.user_properties =
            UserProperties(vec![("b".into(), "1".into()), ("a".into(), "2".into()), ("b".into(), "1".into())]);
    });
    assert_eq!(got.properties.user_properties, sent.properties.user_properties);
}

#[test]
fn mqtt_3_3_2_20_the_content_type_is_passed_on() {
    let (sent, got) = passed_on(|publish| publish.properties.content_type = Some("application/json".into()));
    assert_eq!(got.properties.content_type, sent.properties.content_type);
}

#[test]
fn mqtt_3_3_2_19_a_content_type_that_is_not_utf_8_is_malformed() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x30, &body(&[&text("t"), &[5, 0x03], &text([0xC3, 0x28]), b"x"])));
    device.expect_ended(ReasonCode::MalformedPacket);
}

#[test]
fn section_3_3_2_3_a_311_subscriber_gets_the_message_without_properties() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V311, "x");
    device.subscribe("t", QoS::AtLeastOnce);
    let mut publish = publish_packet("t", "x", QoS::AtLeastOnce, false);
    publish.properties.content_type = Some("text/plain".into());
    publish.properties.message_expiry_interval = Some(100);
    Device::connect(&broker.plain(), V5, "y").publish_with(publish);
    device.expect_message("t", "x");
}

#[test]
fn section_3_3_2_3_repeated_properties_are_protocol_errors() {
    let broker = broker();
    for twice in [&[0x01, 0, 0x01, 0][..], &[0x02, 0, 0, 0, 1, 0x02, 0, 0, 0, 1], &[0x23, 0, 1, 0x23, 0, 1]] {
        let mut device = Device::connect(&broker.plain(), V5, "x");
        let length = [u8::try_from(twice.len()).unwrap()];
        device.send_raw(&packet(0x30, &body(&[&text("t"), &length, twice, b"x"])));
        device.expect_ended(ReasonCode::ProtocolError);
    }
}

// --- topic aliases

fn alias(number: u16) -> Option<NonZeroU16> {
    NonZeroU16::new(number)
}

#[test]
fn mqtt_3_3_2_8_topic_alias_0_is_refused() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x30, &body(&[&text("t"), &[3, 0x23, 0, 0], b"x"])));
    device.expect_ended(ReasonCode::TopicAliasInvalid);
}

#[test]
fn mqtt_3_3_2_9_a_topic_alias_above_the_maximum_is_refused() {
    let broker = Broker::start(&BrokerConfig::plain().limit("topic_alias_maximum = 2"));
    let (mut device, connack) = Device::introduce(&broker.plain(), connect_packet(V5, "x"));
    assert_eq!(connack.properties.topic_alias_maximum, Some(2));
    let mut publish = publish_packet("t", "x", QoS::AtMostOnce, false);
    publish.properties.topic_alias = alias(3);
    device.send(&Packet::Publish(publish));
    device.expect_ended(ReasonCode::TopicAliasInvalid);
}

#[test]
fn mqtt_3_3_2_12_every_alias_up_to_the_maximum_works_and_can_be_set_anew() {
    let broker = Broker::start(&BrokerConfig::plain().limit("topic_alias_maximum = 2"));
    let mut witness = Device::connect(&broker.plain(), V5, "witness");
    witness.subscribe("#", QoS::AtMostOnce);
    let mut device = Device::connect(&broker.plain(), V5, "x");
    let mut send = |topic_name: Option<&str>, number, payload: &str| {
        let mut publish = publish_packet("t", payload, QoS::AtMostOnce, false);
        publish.topic = topic_name.map(topic);
        publish.properties.topic_alias = alias(number);
        device.send(&Packet::Publish(publish));
    };
    send(Some("a"), 1, "1");
    send(Some("b"), 2, "2");
    send(None, 1, "3");
    send(None, 2, "4");
    send(Some("c"), 1, "5");
    send(None, 1, "6");
    for (topic_name, payload) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("c", "5"), ("c", "6")] {
        // An alias is a matter between two ends: the receiver allowed none.
        assert_eq!(witness.expect_message(topic_name, payload).properties.topic_alias, None);
    }
}

#[test]
fn mqtt_3_3_2_7_aliases_end_with_their_connection() {
    let broker = broker();
    let mut kept = connect_packet(V5, "x");
    kept.clean_start = false;
    kept.properties.session_expiry_interval = Some(100);
    let mut device = Device::connect_with(&broker.plain(), kept.clone());
    let mut publish = publish_packet("t", "x", QoS::AtMostOnce, false);
    publish.properties.topic_alias = alias(1);
    device.send(&Packet::Publish(publish.clone()));
    device.expect_silence();
    device.leave(ReasonCode::Success);
    let mut device = Device::connect_with(&broker.plain(), kept);
    publish.topic = None;
    device.send(&Packet::Publish(publish));
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn section_3_3_2_1_an_empty_topic_without_alias_is_a_protocol_error() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x30, &[0, 0, 0, b'x']));
    device.expect_ended(ReasonCode::ProtocolError);
}

#[test]
fn mqtt_3_1_2_26_the_brokers_aliases_stay_within_the_clients_maximum() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.properties.topic_alias_maximum = Some(1);
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.subscribe("#", QoS::AtMostOnce);
    let mut other = Device::connect(&broker.plain(), V5, "y");
    let mut known: Option<String> = None;
    for topic_name in ["a", "a", "b", "a", "b"] {
        other.publish(topic_name, "x", QoS::AtMostOnce, false);
        let publish = device.expect_publish();
        let number = publish.properties.topic_alias.map(NonZeroU16::get);
        assert!(number.is_none_or(|number| number == 1), "{publish:?}");
        let resolved = publish.topic.map(|topic| topic.as_str().to_owned()).or_else(|| known.clone());
        assert_eq!(resolved.as_deref(), Some(topic_name));
        if number.is_some() {
            known = resolved;
        }
    }
}

#[test]
fn mqtt_3_1_2_25_setting_an_alias_does_not_make_a_message_too_large() {
    let broker = broker();
    let mut connect = connect_packet(V5, "x");
    connect.properties.topic_alias_maximum = Some(1);
    // PUBLISH of QoS 0: fixed header 2, topic 3, property length 1, payload 30; an alias would add 3.
    connect.properties.maximum_packet_size = std::num::NonZeroU32::new(36);
    let mut device = Device::connect_with(&broker.plain(), connect);
    device.subscribe("#", QoS::AtMostOnce);
    let mut other = Device::connect(&broker.plain(), V5, "y");
    other.publish("t", &"x".repeat(31), QoS::AtLeastOnce, false);
    other.publish("t", &"y".repeat(30), QoS::AtLeastOnce, false);
    device.expect_message("t", &"y".repeat(30));
    device.expect_silence();
}

#[test]
fn mqtt_3_2_2_18_without_a_maximum_every_alias_is_refused() {
    let broker = Broker::start(&BrokerConfig::plain().limit("topic_alias_maximum = 0"));
    let (mut device, connack) = Device::introduce(&broker.plain(), connect_packet(V5, "x"));
    assert_eq!(connack.properties.topic_alias_maximum.unwrap_or(0), 0);
    let mut publish = publish_packet("t", "x", QoS::AtMostOnce, false);
    publish.properties.topic_alias = NonZeroU16::new(1);
    device.send(&Packet::Publish(publish));
    device.expect_ended(ReasonCode::TopicAliasInvalid);
}

#[test]
fn mqtt_3_3_2_13_a_response_topic_that_is_not_utf_8_is_malformed() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.send_raw(&packet(0x30, &body(&[&text("t"), &[4, 0x08], &text([0xFF]), b"x"])));
    device.expect_ended(ReasonCode::MalformedPacket);
}
