//! §4.7 Topic Names and Topic Filters.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Packet, ProtocolVersion, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, packet_id, publish_packet};

use crate::raw::{self, body, packet, text};
use crate::{ALL, broker};

/// The topics among `published` that a subscription to `filter` delivers, in order.
fn delivered<'a>(broker: &Broker, version: ProtocolVersion, filter: &str, published: &[&'a str]) -> Vec<&'a str> {
    let mut device = Device::connect(&broker.plain(), version, "subscriber");
    assert!(!device.subscribe(filter, QoS::AtMostOnce).is_error());
    let mut other = Device::connect(&broker.plain(), version, "publisher");
    for name in published {
        other.publish(name, "x", QoS::AtLeastOnce, false);
    }
    device.send(&Packet::Pingreq);
    let mut names = Vec::new();
    loop {
        match device.expect() {
            Packet::Publish(publish) => names.push(publish.topic.unwrap().as_str().to_owned()),
            Packet::Pingresp => break,
            other => panic!("expected PUBLISH or PINGRESP, got {other:?}"),
        }
    }
    published.iter().copied().filter(|name| names.iter().any(|got| got == name)).collect()
}

#[test]
fn mqtt_4_7_1_1_the_multi_level_wildcard_stands_alone_and_last() {
    let broker = broker();
    for version in ALL {
        for wrong in ["a/#/b", "a#", "#/a", "a/b#", "##"] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&packet(0x82, &body(&[&[0, 1], raw::no_properties(version), &text(wrong), &[0]])));
            device.expect_ended(ReasonCode::TopicFilterInvalid);
        }
    }
}

#[test]
fn mqtt_4_7_1_2_the_single_level_wildcard_fills_a_level() {
    let broker = broker();
    for version in ALL {
        for wrong in ["a+", "+a", "a/+b/c", "++"] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&packet(0x82, &body(&[&[0, 1], raw::no_properties(version), &text(wrong), &[0]])));
            device.expect_ended(ReasonCode::TopicFilterInvalid);
        }
    }
}

#[test]
fn section_4_7_1_2_the_multi_level_wildcard_matches_the_parent_and_every_child() {
    let broker = broker();
    for version in ALL {
        let names = [
            "sport/tennis/player1",
            "sport/tennis/player1/ranking",
            "sport/tennis/player1/score/wimbledon",
            "sport/tennis",
            "sport/tennis/player10",
        ];
        assert_eq!(delivered(&broker, version, "sport/tennis/player1/#", &names), names[..3]);
        assert_eq!(delivered(&broker, version, "#", &names), names);
        assert_eq!(delivered(&broker, version, "sport/tennis/#", &names), names);
    }
}

#[test]
fn section_4_7_1_3_the_single_level_wildcard_matches_one_level() {
    let broker = broker();
    for version in ALL {
        let names = ["sport/tennis/player1", "sport/tennis/player2", "sport/tennis/player1/ranking", "sport", "sport/", "/finance"];
        assert_eq!(delivered(&broker, version, "sport/tennis/+", &names), names[..2]);
        assert_eq!(delivered(&broker, version, "sport/+", &names), ["sport/"]);
        assert_eq!(delivered(&broker, version, "+", &names), ["sport"]);
        assert_eq!(delivered(&broker, version, "+/+", &names), ["sport/", "/finance"]);
        assert_eq!(delivered(&broker, version, "/+", &names), ["/finance"]);
        assert_eq!(delivered(&broker, version, "+/tennis/#", &names), names[..3]);
    }
}

/// Rules that let clients use a `$` topic among themselves: without one that names it nobody may.
const DOLLAR: &str = "[[access]]\nwho = \"everyone\"\npublish = [\"#\", \"$own/#\"]\nsubscribe = [\"#\", \"$own/#\"]\n";

#[test]
fn mqtt_4_7_2_1_wildcards_do_not_match_a_leading_dollar() {
    let broker = Broker::start(&BrokerConfig::plain().access(DOLLAR));
    for version in ALL {
        let names = ["$own/a", "$own", "a/$own"];
        assert_eq!(delivered(&broker, version, "#", &names), ["a/$own"]);
        assert_eq!(delivered(&broker, version, "+/a", &names), [""; 0]);
        assert_eq!(delivered(&broker, version, "+/#", &names), ["a/$own"]);
        assert_eq!(delivered(&broker, version, "+", &names), [""; 0]);
        assert_eq!(delivered(&broker, version, "$own/#", &names), ["$own/a", "$own"]);
        assert_eq!(delivered(&broker, version, "$own/+", &names), ["$own/a"]);
    }
}

#[test]
fn mqtt_4_7_2_1_retained_dollar_topics_are_not_sent_to_wildcards() {
    let broker = Broker::start(&BrokerConfig::plain().access(DOLLAR));
    for version in ALL {
        Device::connect(&broker.plain(), version, "writer").publish("$own/kept", "x", QoS::AtLeastOnce, true);
        for filter in ["#", "+/kept", "+/#"] {
            let mut device = Device::connect(&broker.plain(), version, "reader");
            assert_eq!(device.subscribe(filter, QoS::AtMostOnce), ReasonCode::Success);
            device.expect_silence();
        }
        let mut device = Device::connect(&broker.plain(), version, "reader");
        device.subscribe("$own/#", QoS::AtMostOnce);
        assert!(device.expect_message("$own/kept", "x").retain);
    }
}

#[test]
fn section_4_7_2_clients_do_not_exchange_messages_on_dollar_topics() {
    let broker = broker();
    let mut device = Device::connect(&broker.plain(), V5, "subscriber");
    device.subscribe("$own/#", QoS::AtMostOnce);
    let mut other = Device::connect(&broker.plain(), V5, "publisher");
    other.send(&Packet::Publish(publish_packet("$own/a", "x", QoS::AtLeastOnce, true)));
    assert_eq!(other.expect_puback(packet_id(10)).reason_code, ReasonCode::NotAuthorized);
    device.expect_silence();
}

#[test]
fn mqtt_4_7_3_1_an_empty_filter_is_refused() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send_raw(&packet(0x82, &body(&[&[0, 1], raw::no_properties(version), &text(""), &[0]])));
        device.expect_ended(ReasonCode::TopicFilterInvalid);
    }
}

#[test]
fn mqtt_4_7_3_4_topics_are_compared_without_normalization() {
    let broker = broker();
    for version in ALL {
        let names = ["Accounts", "accounts", "ACCOUNTS", "a ccounts", "accounts/"];
        assert_eq!(delivered(&broker, version, "accounts", &names), ["accounts"]);
        // The same letter composed and decomposed.
        assert_eq!(delivered(&broker, version, "caf\u{e9}", &["caf\u{e9}", "cafe\u{301}"]), ["caf\u{e9}"]);
    }
}

#[test]
fn section_4_7_3_spaces_and_empty_levels_count() {
    let broker = broker();
    for version in ALL {
        let names = ["/", "//", "a//b", "a/ /b", " "];
        assert_eq!(delivered(&broker, version, "+/+", &names), ["/"]);
        assert_eq!(delivered(&broker, version, "a/+/b", &names), ["a//b", "a/ /b"]);
        assert_eq!(delivered(&broker, version, "a//b", &names), ["a//b"]);
    }
}

#[test]
fn mqtt_4_7_3_2_no_null_character_in_names_and_filters() {
    let broker = broker();
    for version in ALL {
        let none = raw::no_properties(version);
        for bytes in [packet(0x82, &body(&[&[0, 1], none, &text("a\0"), &[0]])), packet(0x30, &body(&[&text("\0a"), none, b"x"]))] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(&bytes);
            device.expect_ended(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_4_7_3_3_topics_that_are_longer_than_allowed_are_refused() {
    // 65,535 bytes are all that the length of a string can say; a lower limit shows that the length is looked at.
    let broker = Broker::start(&BrokerConfig::plain().limit("topic_bytes_maximum = 10"));
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.publish("0123456789", "x", QoS::AtLeastOnce, false);
        device.send_raw(&packet(0x30, &body(&[&text("0123456789a"), raw::no_properties(version), b"x"])));
        device.expect_ended(ReasonCode::TopicNameInvalid);
    }
    let broker = Broker::start(&BrokerConfig::plain());
    for version in ALL {
        let longest = "x".repeat(65_535);
        Device::connect(&broker.plain(), version, "x").publish(&longest, "x", QoS::AtLeastOnce, false);
    }
}
