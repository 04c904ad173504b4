//! §3.1.2.5 to §3.1.2.7, §3.1.3.2: the Will Message.

use bytes::Bytes;
use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Packet, QoS, ReasonCode, UserProperties, Will, WillProperties};
use signet_testkit::{Device, connect_packet, topic};

use crate::raw::{self, text};
use crate::{ALL, SINCE_311, broker};

pub(crate) fn will(topic_name: &str, payload: &str, qos: QoS, retain: bool) -> Will {
    Will {
        topic: topic(topic_name),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos,
        retain,
        properties: WillProperties::default(),
    }
}

#[test]
fn mqtt_3_1_2_8_the_will_is_published_when_the_connection_is_lost() {
    let broker = broker();
    for version in ALL {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut heir = Device::connect(&broker.plain(), version, "heir");
            heir.subscribe("will/#", QoS::ExactlyOnce);
            let mut connect = connect_packet(version, "mortal");
            connect.will = Some(will("will/mortal", "gone", qos, false));
            Device::connect_with(&broker.plain(), connect).vanish();
            let publish = heir.expect_message("will/mortal", "gone");
            assert_eq!((publish.qos, publish.retain), (qos, false));
        }
    }
}

#[test]
fn section_3_1_2_5_the_will_is_published_after_a_protocol_error_and_a_take_over() {
    let broker = broker();
    for version in ALL {
        let mut heir = Device::connect(&broker.plain(), version, "heir");
        heir.subscribe("will", QoS::AtMostOnce);
        let mut connect = connect_packet(version, "mortal");
        connect.will = Some(will("will", "error", QoS::AtMostOnce, false));
        let mut device = Device::connect_with(&broker.plain(), connect.clone());
        device.send_raw(&[0xF0, 0]);
        heir.expect_message("will", "error");
        connect.will = Some(will("will", "taken over", QoS::AtMostOnce, false));
        let first = Device::connect_with(&broker.plain(), connect.clone());
        connect.will = None;
        let _second = Device::connect_with(&broker.plain(), connect);
        heir.expect_message("will", "taken over");
        drop(first);
    }
}

#[test]
fn mqtt_3_1_2_10_a_normal_disconnect_removes_the_will() {
    let broker = broker();
    for version in ALL {
        let mut heir = Device::connect(&broker.plain(), version, "heir");
        heir.subscribe("will", QoS::AtMostOnce);
        let mut connect = connect_packet(version, "mortal");
        connect.will = Some(will("will", "gone", QoS::AtMostOnce, false));
        Device::connect_with(&broker.plain(), connect).leave(ReasonCode::Success);
        heir.expect_silence();
    }
}

#[test]
fn mqtt_3_1_2_11_a_will_qos_without_will_is_malformed() {
    let broker = broker();
    for version in SINCE_311 {
        for flags in [0x0A, 0x12] {
            raw::opened_with(&broker.plain(), version, &raw::connect(version, flags, &[&text("x")]))
                .expect_refused(ReasonCode::MalformedPacket);
        }
    }
}

#[test]
fn mqtt_3_1_2_12_will_qos_3_is_malformed() {
    let broker = broker();
    for version in ALL {
        let bytes = raw::connect(version, 0x1E, &[&text("x"), raw::no_properties(version), &text("w"), &text("x")]);
        raw::opened_with(&broker.plain(), version, &bytes).expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_2_13_a_will_retain_without_will_is_malformed() {
    let broker = broker();
    for version in SINCE_311 {
        raw::opened_with(&broker.plain(), version, &raw::connect(version, 0x22, &[&text("x")])).expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_2_9_a_will_flag_without_will_topic_is_malformed() {
    let broker = broker();
    for version in ALL {
        raw::opened_with(&broker.plain(), version, &raw::connect(version, 0x06, &[&text("x")])).expect_refused(ReasonCode::MalformedPacket);
    }
}

#[test]
fn mqtt_3_1_2_14_a_will_without_retain_is_not_kept() {
    let broker = broker();
    for version in ALL {
        let mut heir = Device::connect(&broker.plain(), version, "heir");
        heir.subscribe("will", QoS::AtMostOnce);
        let mut connect = connect_packet(version, "mortal");
        connect.will = Some(will("will", "gone", QoS::AtMostOnce, false));
        Device::connect_with(&broker.plain(), connect).vanish();
        heir.expect_message("will", "gone");
        let mut late = Device::connect(&broker.plain(), version, "late");
        late.subscribe("will", QoS::AtMostOnce);
        late.expect_silence();
    }
}

#[test]
fn mqtt_3_1_2_15_a_will_with_retain_is_kept() {
    let broker = broker();
    for version in ALL {
        let mut heir = Device::connect(&broker.plain(), version, "heir");
        heir.subscribe("will", QoS::AtMostOnce);
        let mut connect = connect_packet(version, "mortal");
        connect.will = Some(will("will", "offline", QoS::AtMostOnce, true));
        Device::connect_with(&broker.plain(), connect).vanish();
        heir.expect_message("will", "offline");
        let mut late = Device::connect(&broker.plain(), version, "late");
        late.subscribe("will", QoS::AtMostOnce);
        assert!(late.expect_message("will", "offline").retain);
        // For the next round.
        Device::connect(&broker.plain(), version, "cleaner").publish("will", "", QoS::AtLeastOnce, true);
    }
}

#[test]
fn mqtt_3_1_3_9_a_client_that_is_back_before_the_delay_leaves_no_will() {
    let broker = broker();
    let mut heir = Device::connect(&broker.plain(), V5, "heir");
    heir.subscribe("will", QoS::AtMostOnce);
    let mut connect = connect_packet(V5, "mortal");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(100);
    let mut delayed = will("will", "gone", QoS::AtMostOnce, false);
    delayed.properties.delay_interval = Some(1);
    connect.will = Some(delayed);
    Device::connect_with(&broker.plain(), connect.clone()).vanish();
    // The will of the new connection must not come at the time of the old one's either.
    connect.will = Some(will("will", "not yet", QoS::AtMostOnce, false));
    let (mut back, connack) = Device::introduce(&broker.plain(), connect);
    assert!(connack.session_present);
    // Another will with the same delay, started later, marks the moment at which the first would have come.
    let mut other = connect_packet(V5, "other");
    let mut later = will("will", "other", QoS::AtMostOnce, false);
    later.properties.delay_interval = Some(1);
    other.will = Some(later);
    other.properties.session_expiry_interval = Some(100);
    Device::connect_with(&broker.plain(), other).vanish();
    heir.expect_message("will", "other");
    heir.expect_silence();
    back.expect_silence();
}

#[test]
fn section_3_1_3_2_2_the_will_comes_after_its_delay_or_with_the_end_of_the_session() {
    let broker = broker();
    for (delay, session) in [(1, 100), (100, 1), (100, 0)] {
        let mut heir = Device::connect(&broker.plain(), V5, "heir");
        heir.subscribe("will", QoS::AtMostOnce);
        let mut connect = connect_packet(V5, "mortal");
        connect.properties.session_expiry_interval = Some(session);
        let mut delayed = will("will", "gone", QoS::AtMostOnce, false);
        delayed.properties.delay_interval = Some(delay);
        connect.will = Some(delayed);
        let device = Device::connect_with(&broker.plain(), connect);
        device.vanish();
        heir.expect_message("will", "gone");
    }
}

#[test]
fn mqtt_3_1_3_10_user_properties_of_the_will_keep_their_order() {
    let broker = broker();
    let mut heir = Device::connect(&broker.plain(), V5, "heir");
    heir.subscribe("will", QoS::AtMostOnce);
    let mut connect = connect_packet(V5, "mortal");
    let mut rich = will("will", "gone", QoS::AtMostOnce, false);
    rich.properties.user_properties = UserProperties(vec![("b".into(), "1".into()), ("a".into(), "2".into()), ("b".into(), "3".into())]);
    rich.properties.content_type = Some("text/plain".into());
    rich.properties.response_topic = Some(topic("answer/here"));
    rich.properties.correlation_data = Some(Bytes::from_static(&[1, 2, 3]));
    rich.properties.payload_format_indicator = Some(true);
    connect.will = Some(rich.clone());
    Device::connect_with(&broker.plain(), connect).vanish();
    let publish = heir.expect_message("will", "gone");
    assert_eq!(publish.properties.user_properties, rich.properties.user_properties);
    assert_eq!(publish.properties.content_type, rich.properties.content_type);
    assert_eq!(publish.properties.response_topic, rich.properties.response_topic);
    assert_eq!(publish.properties.correlation_data, rich.properties.correlation_data);
    assert_eq!(publish.properties.payload_format_indicator, Some(true));
}

#[test]
fn mqtt_3_1_3_11_the_will_topic_must_be_utf_8_and_a_topic_name() {
    let broker = broker();
    for version in ALL {
        let connect = |topic: &[u8]| raw::connect(version, 0x06, &[&text("x"), raw::no_properties(version), &text(topic), &text("gone")]);
        raw::opened_with(&broker.plain(), version, &connect(&[0xFF])).expect_refused(ReasonCode::MalformedPacket);
        raw::opened_with(&broker.plain(), version, &connect(b"a/#")).expect_refused(ReasonCode::TopicNameInvalid);
    }
}

#[test]
fn section_3_14_2_1_disconnect_with_will_message_publishes_it() {
    let broker = broker();
    let mut heir = Device::connect(&broker.plain(), V5, "heir");
    heir.subscribe("will", QoS::AtMostOnce);
    let mut connect = connect_packet(V5, "mortal");
    connect.will = Some(will("will", "bye", QoS::AtMostOnce, false));
    Device::connect_with(&broker.plain(), connect).leave(ReasonCode::DisconnectWithWill);
    heir.expect_message("will", "bye");
}

#[test]
fn section_3_1_2_5_the_will_goes_to_its_own_client_too_when_the_session_lives_on() {
    let broker = broker();
    let mut connect = connect_packet(V5, "mortal");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(100);
    connect.will = Some(will("will", "gone", QoS::AtLeastOnce, false));
    let mut device = Device::connect_with(&broker.plain(), connect.clone());
    device.subscribe("will", QoS::AtLeastOnce);
    let mut heir = Device::connect(&broker.plain(), V5, "heir");
    heir.subscribe("will", QoS::AtMostOnce);
    device.vanish();
    heir.expect_message("will", "gone");
    connect.will = None;
    let (mut device, connack) = Device::introduce(&broker.plain(), connect);
    assert!(connack.session_present);
    assert!(matches!(device.expect(), Packet::Publish(publish) if publish.payload == "gone"));
}

#[test]
fn mqtt311_3_1_2_12_without_a_will_nothing_is_published() {
    let broker = broker();
    for version in ALL {
        let mut heir = Device::connect(&broker.plain(), version, "heir");
        heir.subscribe("#", QoS::AtMostOnce);
        // The connection before had a Will and took it back; this one has none, and is lost.
        let mut connect = connect_packet(version, "mortal");
        connect.will = Some(will("will", "x", QoS::AtMostOnce, false));
        Device::connect_with(&broker.plain(), connect).leave(ReasonCode::Success);
        let mut device = Device::connect(&broker.plain(), version, "mortal");
        device.send_raw(&[0xF0, 0]);
        device.expect_ended_by_one_of(&[ReasonCode::ProtocolError, ReasonCode::MalformedPacket]);
        heir.expect_silence();
    }
}
