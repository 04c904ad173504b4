//! §3.3.1.3 RETAIN, and retained messages at SUBSCRIBE.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Publish, QoS, ReasonCode, RetainHandling, SubscriptionOptions, UserProperties};
use signet_testkit::{Broker, Device, publish_packet, subscribe_packet};

use crate::{ALL, broker};

fn retained(broker: &Broker, topic_name: &str, payload: &str) {
    Device::connect(&broker.plain(), V5, "writer").publish(topic_name, payload, QoS::AtLeastOnce, true);
}

fn subscribed(broker: &Broker, identifier: &str, filter: &str) -> Device {
    let mut device = Device::connect(&broker.plain(), V5, identifier);
    assert!(!device.subscribe(filter, QoS::AtLeastOnce).is_error());
    device
}

fn with_handling(retain_handling: RetainHandling) -> signet_mqtt::Subscribe {
    let mut subscribe = subscribe_packet(1, &[("kept", QoS::AtLeastOnce)]);
    subscribe.subscriptions[0].options =
        SubscriptionOptions { maximum_qos: QoS::AtLeastOnce, retain_handling, ..SubscriptionOptions::default() };
    subscribe
}

#[test]
fn mqtt_3_3_1_5_a_retained_message_replaces_the_one_before() {
    let broker = broker();
    for version in ALL {
        let mut writer = Device::connect(&broker.plain(), version, "writer");
        writer.publish("kept", "old", QoS::AtLeastOnce, true);
        writer.publish("kept", "new", QoS::AtMostOnce, true);
        writer.expect_silence();
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("kept", QoS::AtLeastOnce);
        let publish = device.expect_message("kept", "new");
        assert_eq!((publish.retain, publish.qos), (true, QoS::AtMostOnce));
        device.expect_silence();
    }
}

#[test]
fn mqtt_3_3_1_6_an_empty_retained_message_removes_it_and_is_delivered() {
    let broker = broker();
    for version in ALL {
        let mut current = Device::connect(&broker.plain(), version, "current");
        current.subscribe("kept", QoS::AtMostOnce);
        let mut writer = Device::connect(&broker.plain(), version, "writer");
        writer.publish("kept", "x", QoS::AtLeastOnce, true);
        writer.publish("kept", "", QoS::AtLeastOnce, true);
        current.expect_message("kept", "x");
        current.expect_message("kept", "");
        let mut late = Device::connect(&broker.plain(), version, "late");
        late.subscribe("kept", QoS::AtMostOnce);
        late.expect_silence();
    }
}

#[test]
fn mqtt_3_3_1_7_an_empty_retained_message_is_not_kept() {
    let broker = broker();
    for version in ALL {
        Device::connect(&broker.plain(), version, "writer").publish("empty", "", QoS::AtLeastOnce, true);
        let mut late = Device::connect(&broker.plain(), version, "late");
        late.subscribe("empty", QoS::AtMostOnce);
        late.expect_silence();
    }
}

#[test]
fn mqtt_3_3_1_8_a_message_without_retain_leaves_the_kept_one_alone() {
    let broker = broker();
    for version in ALL {
        let mut writer = Device::connect(&broker.plain(), version, "writer");
        writer.publish("kept", "stays", QoS::AtLeastOnce, true);
        writer.publish("kept", "passes", QoS::AtLeastOnce, false);
        writer.publish("never", "passes", QoS::AtLeastOnce, false);
        let mut late = Device::connect(&broker.plain(), version, "late");
        late.subscribe("#", QoS::AtMostOnce);
        late.expect_message("kept", "stays");
        late.expect_silence();
    }
}

#[test]
fn mqtt_3_3_1_9_retain_handling_0_sends_at_every_subscribe() {
    let broker = broker();
    retained(&broker, "kept", "x");
    let mut device = Device::connect(&broker.plain(), V5, "x");
    for _ in 0..2 {
        device.subscribe_with(with_handling(RetainHandling::SendAtSubscribe));
        assert!(device.expect_message("kept", "x").retain);
    }
}

#[test]
fn mqtt_3_3_1_10_retain_handling_1_sends_only_for_a_new_subscription() {
    let broker = broker();
    retained(&broker, "kept", "x");
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.subscribe_with(with_handling(RetainHandling::SendIfNew));
    device.expect_message("kept", "x");
    device.subscribe_with(with_handling(RetainHandling::SendIfNew));
    device.expect_silence();
    device.unsubscribe(&["kept"]);
    device.subscribe_with(with_handling(RetainHandling::SendIfNew));
    device.expect_message("kept", "x");
}

#[test]
fn mqtt_3_3_1_11_retain_handling_2_sends_nothing() {
    let broker = broker();
    retained(&broker, "kept", "x");
    let mut device = Device::connect(&broker.plain(), V5, "x");
    device.subscribe_with(with_handling(RetainHandling::DoNotSend));
    device.expect_silence();
}

#[test]
fn mqtt_3_3_1_12_without_retain_as_published_live_messages_lose_the_flag() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.subscribe("kept", QoS::AtLeastOnce);
        retained(&broker, "kept", "live");
        assert!(!device.expect_message("kept", "live").retain);
        retained(&broker, "kept", "");
        device.expect_message("kept", "");
    }
}

#[test]
fn mqtt_3_3_1_13_with_retain_as_published_live_messages_keep_the_flag() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "x");
    let mut subscribe = subscribe_packet(1, &[("kept", QoS::AtLeastOnce)]);
    subscribe.subscriptions[0].options.retain_as_published = true;
    device.subscribe_with(subscribe);
    retained(&broker, "kept", "live");
    assert!(device.expect_message("kept", "live").retain);
    Device::connect(&broker.plain(), V5, "other").publish("kept", "passing", QoS::AtLeastOnce, false);
    assert!(!device.expect_message("kept", "passing").retain);
}

#[test]
fn mqtt_3_8_4_4_subscribing_again_sends_the_retained_message_again() {
    let broker = broker();
    retained(&broker, "kept", "x");
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        for _ in 0..2 {
            device.subscribe("kept", QoS::AtMostOnce);
            assert!(device.expect_message("kept", "x").retain);
        }
    }
}

#[test]
fn section_3_3_1_3_every_match_of_a_wildcard_is_sent_with_its_own_properties_and_the_lower_qos() {
    let broker = broker();
    let mut writer = Device::connect(&broker.plain(), V5, "writer");
    for name in ["a/1", "a/2", "b/1"] {
        let mut publish: Publish = publish_packet(name, name, QoS::ExactlyOnce, true);
        publish.properties.user_properties = UserProperties(vec![("name".into(), name.into())]);
        assert!(!writer.publish_with(publish).is_error());
    }
    let mut device = subscribed(&broker, "x", "a/+");
    let mut names = Vec::new();
    for _ in 0..2 {
        let publish = device.expect_publish();
        assert!(publish.retain);
        assert_eq!(publish.qos, QoS::AtLeastOnce);
        let name = publish.topic.unwrap().as_str().to_owned();
        assert_eq!(publish.properties.user_properties.iter().next(), Some(("name", name.as_str())));
        names.push(name);
    }
    names.sort();
    assert_eq!(names, ["a/1", "a/2"]);
    device.expect_silence();
}

#[test]
fn section_3_3_2_3_3_a_retained_message_expires() {
    let broker = broker();
    let mut writer = Device::connect(&broker.plain(), V5, "writer");
    let mut publish = publish_packet("kept", "x", QoS::AtLeastOnce, true);
    publish.properties.message_expiry_interval = Some(1);
    assert_eq!(writer.publish_with(publish), ReasonCode::NoMatchingSubscribers);
    // Its second has to pass.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    subscribed(&broker, "x", "kept").expect_silence();
}
