//! §4.3 QoS levels, §4.4 delivery retry, §4.6 order.

use std::time::Duration;

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{Ack, Connect, Packet, ProtocolVersion, Publish, QoS, ReasonCode};
use signet_testkit::{Broker, Device, connect_packet, packet_id, publish_packet};

use crate::{ALL, broker, tells_session};

fn persistent(version: ProtocolVersion, identifier: &str) -> Connect {
    let mut connect = connect_packet(version, identifier);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(100);
    connect
}

/// A subscriber with a session that lasts, and the CONNECT to come back with.
fn subscriber(broker: &Broker, version: ProtocolVersion) -> (Device, Connect) {
    // Whatever an earlier round of the test left behind goes.
    Device::connect(&broker.plain(), version, "subscriber").leave(ReasonCode::Success);
    let connect = persistent(version, "subscriber");
    let mut device = Device::connect_with(&broker.plain(), connect.clone());
    assert!(!device.subscribe("t", QoS::ExactlyOnce).is_error());
    (device, connect)
}

fn publish(broker: &Broker, version: ProtocolVersion, payload: &str, qos: QoS) {
    Device::connect(&broker.plain(), version, "publisher").publish("t", payload, qos, false);
}

fn back(broker: &Broker, connect: &Connect) -> Device {
    let (device, connack) = Device::introduce(&broker.plain(), connect.clone());
    assert_eq!(connack.session_present, tells_session(connect.version));
    device
}

#[test]
fn mqtt_4_3_1_1_qos_0_is_sent_with_qos_0_and_dup_0() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        publish(&broker, version, "x", QoS::AtMostOnce);
        let publish = device.expect_message("t", "x");
        assert_eq!((publish.qos, publish.dup, publish.packet_id), (QoS::AtMostOnce, false, None));
    }
}

#[test]
fn mqtt_4_3_2_2_qos_1_is_sent_with_an_identifier_and_dup_0() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        publish(&broker, version, "x", QoS::AtLeastOnce);
        let publish = device.expect_message("t", "x");
        assert_eq!((publish.qos, publish.dup), (QoS::AtLeastOnce, false));
        assert!(publish.packet_id.is_some());
    }
}

#[test]
fn mqtt_4_3_2_1_identifiers_are_unused_while_unacknowledged() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        for _ in 0..3 {
            publish(&broker, version, "x", QoS::AtLeastOnce);
        }
        let mut identifiers: Vec<u16> = (0..3).map(|_| device.expect_publish_unacknowledged().packet_id.unwrap().get()).collect();
        identifiers.sort_unstable();
        identifiers.dedup();
        assert_eq!(identifiers.len(), 3);
        device.leave(ReasonCode::Success);
    }
}

#[test]
fn mqtt_4_3_2_5_after_puback_the_same_identifier_is_a_new_message() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        let mut other = Device::connect(&broker.plain(), version, "publisher");
        for dup in [false, true] {
            let mut publish = publish_packet("t", "x", QoS::AtLeastOnce, false);
            publish.dup = dup;
            other.publish_with(publish);
            device.expect_message("t", "x");
        }
        device.expect_silence();
    }
}

#[test]
fn mqtt_4_3_3_8_qos_2_is_answered_with_pubrec_and_delivered_once() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        let mut other = Device::connect(&broker.plain(), version, "publisher");
        let id = packet_id(10);
        // [MQTT-4.3.3-10]: until PUBREL, the same identifier is the same message.
        for dup in [false, true, true] {
            let mut publish = publish_packet("t", "once", QoS::ExactlyOnce, false);
            publish.dup = dup;
            other.send(&Packet::Publish(publish));
            other.expect_pubrec(id);
        }
        // [MQTT-4.3.3-11]
        other.send(&Packet::Pubrel(Ack::success(id)));
        other.expect_pubcomp(id);
        device.expect_message("t", "once");
        device.expect_silence();
        // [MQTT-4.3.3-12]: after PUBCOMP it is a new one.
        other.publish("t", "twice", QoS::ExactlyOnce, false);
        device.expect_message("t", "twice");
    }
}

#[test]
fn section_4_3_3_pubrec_with_an_error_ends_the_exchange() {
    let broker = broker();
    let (mut device, connect) = subscriber(&broker, V5);
    publish(&broker, V5, "x", QoS::ExactlyOnce);
    let id = device.expect_publish_unacknowledged().packet_id.unwrap();
    device.send(&Packet::Pubrec(Ack::new(id, ReasonCode::UnspecifiedError)));
    device.expect_silence();
    device.vanish();
    back(&broker, &connect).expect_silence();
}

#[test]
fn mqtt_4_3_3_4_pubrel_follows_pubrec_with_its_identifier() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        publish(&broker, version, "x", QoS::ExactlyOnce);
        let id = device.expect_publish_unacknowledged().packet_id.unwrap();
        device.send(&Packet::Pubrec(Ack::success(id)));
        device.expect_pubrel(id);
        // Again, because a PUBREC may be repeated as well.
        device.send(&Packet::Pubrec(Ack::success(id)));
        device.expect_pubrel(id);
        device.send(&Packet::Pubcomp(Ack::success(id)));
        device.expect_silence();
    }
}

#[test]
fn mqtt_4_4_0_1_unacknowledged_messages_are_sent_again_after_reconnecting() {
    let broker = broker();
    for version in ALL {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (mut device, connect) = subscriber(&broker, version);
            publish(&broker, version, "x", qos);
            let first = device.expect_publish_unacknowledged();
            assert!(!first.dup);
            device.vanish();
            let mut device = back(&broker, &connect);
            let again = device.expect_message("t", "x");
            // [MQTT-3.3.1-1]
            assert!(again.dup, "{again:?}");
            assert_eq!(again.packet_id, first.packet_id);
            device.expect_silence();
            device.leave(ReasonCode::Success);
            back(&broker, &connect).expect_silence();
        }
    }
}

#[test]
fn mqtt_4_4_0_1_an_unanswered_pubrel_is_sent_again_and_not_the_message() {
    let broker = broker();
    for version in ALL {
        let (mut device, connect) = subscriber(&broker, version);
        publish(&broker, version, "x", QoS::ExactlyOnce);
        let id = device.expect_publish_unacknowledged().packet_id.unwrap();
        device.send(&Packet::Pubrec(Ack::success(id)));
        device.expect_pubrel(id);
        device.vanish();
        let mut device = back(&broker, &connect);
        device.expect_pubrel(id);
        device.send(&Packet::Pubcomp(Ack::success(id)));
        device.expect_silence();
        device.leave(ReasonCode::Success);
    }
}

#[test]
fn section_4_4_nothing_is_sent_again_while_the_connection_stands() {
    let broker = broker();
    let (mut device, _) = subscriber(&broker, V5);
    publish(&broker, V5, "x", QoS::AtLeastOnce);
    let id = device.expect_publish_unacknowledged().packet_id.unwrap();
    device.expect_silence();
    device.send(&Packet::Puback(Ack::success(id)));
    device.expect_silence();
}

#[test]
fn mqtt_4_3_3_10_a_received_qos_2_message_is_remembered_across_connections() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        let connect = persistent(version, "publisher");
        let mut other = Device::connect_with(&broker.plain(), connect.clone());
        other.send(&Packet::Publish(publish_packet("t", "once", QoS::ExactlyOnce, false)));
        other.expect_pubrec(packet_id(10));
        other.vanish();
        let mut other = back(&broker, &connect);
        let mut again = publish_packet("t", "once", QoS::ExactlyOnce, false);
        again.dup = true;
        other.publish_with(again);
        device.expect_message("t", "once");
        device.expect_silence();
        Device::connect(&broker.plain(), version, "publisher").leave(ReasonCode::Success);
    }
}

#[test]
fn mqtt_4_5_0_1_messages_wait_for_a_client_that_is_away() {
    let broker = broker();
    for version in ALL {
        let (device, connect) = subscriber(&broker, version);
        device.leave(ReasonCode::Success);
        for (payload, qos) in [("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce), ("3", QoS::AtLeastOnce)] {
            publish(&broker, version, payload, qos);
        }
        let mut device = back(&broker, &connect);
        // [MQTT-4.6.0-6]: in the order in which they came.
        for (payload, qos) in [("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce), ("3", QoS::AtLeastOnce)] {
            let publish = device.expect_publish_unacknowledged();
            assert_eq!((&publish.payload[..], publish.qos, publish.dup), (payload.as_bytes(), qos, false));
        }
        device.leave(ReasonCode::Success);
    }
}

#[test]
fn mqtt_4_6_0_5_messages_of_one_publisher_keep_their_order() {
    let broker = broker();
    for version in ALL {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let (mut device, _) = subscriber(&broker, version);
            let mut other = Device::connect(&broker.plain(), version, "publisher");
            for number in 0..50 {
                other.publish("t", &number.to_string(), qos, false);
            }
            for number in 0..50 {
                assert_eq!(device.expect_publish_unacknowledged().payload, number.to_string().as_bytes());
            }
        }
    }
}

#[test]
fn mqtt_4_6_0_1_messages_are_sent_again_in_their_first_order() {
    let broker = broker();
    for version in ALL {
        let (mut device, connect) = subscriber(&broker, version);
        for payload in ["1", "2", "3"] {
            publish(&broker, version, payload, QoS::AtLeastOnce);
        }
        for payload in ["1", "2", "3"] {
            assert_eq!(device.expect_publish_unacknowledged().payload, payload.as_bytes());
        }
        device.vanish();
        let mut device = back(&broker, &connect);
        for payload in ["1", "2", "3"] {
            let publish = device.expect_publish_unacknowledged();
            assert_eq!((&publish.payload[..], publish.dup), (payload.as_bytes(), true));
        }
        device.leave(ReasonCode::Success);
    }
}

#[test]
fn mqtt_4_3_3_1_qos_2_is_sent_with_a_free_identifier_and_dup_0() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        for _ in 0..3 {
            publish(&broker, version, "x", QoS::ExactlyOnce);
        }
        let mut identifiers = Vec::new();
        for _ in 0..3 {
            let publish = device.expect_publish_unacknowledged();
            assert_eq!((publish.qos, publish.dup), (QoS::ExactlyOnce, false));
            identifiers.push(publish.packet_id.unwrap().get());
        }
        // Released and not completed: still not free.
        device.send(&Packet::Pubrec(Ack::success(packet_id(identifiers[0]))));
        device.expect_pubrel(packet_id(identifiers[0]));
        publish(&broker, version, "x", QoS::ExactlyOnce);
        identifiers.push(device.expect_publish_unacknowledged().packet_id.unwrap().get());
        identifiers.sort_unstable();
        identifiers.dedup();
        assert_eq!(identifiers.len(), 4);
        device.leave(ReasonCode::Success);
    }
}

/// A QoS 2 message that lives for a second.
fn short_lived() -> Publish {
    let mut publish = publish_packet("t", "short", QoS::ExactlyOnce, false);
    publish.properties.message_expiry_interval = Some(1);
    publish
}

/// The only way to let a message expire is to let its second pass.
fn let_it_expire() {
    std::thread::sleep(Duration::from_millis(1_500));
}

#[test]
fn mqtt_4_3_3_7_what_was_sent_once_does_not_expire() {
    let broker = broker();
    let (mut device, connect) = subscriber(&broker, V5);
    Device::connect(&broker.plain(), V5, "publisher").publish_with(short_lived());
    let first = device.expect_publish_unacknowledged();
    device.vanish();
    let_it_expire();
    let mut device = back(&broker, &connect);
    let again = device.expect_message("t", "short");
    assert_eq!((again.packet_id, again.dup), (first.packet_id, true));
}

#[test]
fn mqtt_4_3_3_13_the_exchange_goes_on_though_the_message_expired() {
    let broker = broker();
    let mut other = Device::connect(&broker.plain(), V5, "publisher");
    other.send(&Packet::Publish(short_lived()));
    other.expect_pubrec(packet_id(10));
    let_it_expire();
    other.send(&Packet::Pubrel(Ack::success(packet_id(10))));
    assert_eq!(other.expect_pubcomp(packet_id(10)).reason_code, ReasonCode::Success);
}

#[test]
fn mqtt_4_4_0_2_a_refused_message_is_not_sent_again() {
    let broker = broker();
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let (mut device, connect) = subscriber(&broker, V5);
        publish(&broker, V5, "x", qos);
        let refused = Ack::new(device.expect_publish_unacknowledged().packet_id.unwrap(), ReasonCode::UnspecifiedError);
        device.send(&if qos == QoS::AtLeastOnce { Packet::Puback(refused) } else { Packet::Pubrec(refused) });
        device.expect_silence();
        device.vanish();
        back(&broker, &connect).expect_silence();
    }
}

/// Three messages at once, before any answer is read.
fn three_at_once(device: &mut Device, qos: QoS) {
    for id in [30, 10, 20] {
        let mut publish = publish_packet("t", "x", qos, false);
        publish.packet_id = Some(packet_id(id));
        device.send(&Packet::Publish(publish));
    }
}

#[test]
fn mqtt_4_6_0_2_pubacks_come_in_the_order_of_the_messages() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "publisher");
        three_at_once(&mut device, QoS::AtLeastOnce);
        for id in [30, 10, 20] {
            device.expect_puback(packet_id(id));
        }
    }
}

#[test]
fn mqtt_4_6_0_3_pubrecs_come_in_the_order_of_the_messages() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "publisher");
        three_at_once(&mut device, QoS::ExactlyOnce);
        for id in [30, 10, 20] {
            device.expect_pubrec(packet_id(id));
        }
    }
}

#[test]
fn mqtt_4_6_0_4_pubrels_come_in_the_order_of_the_pubrecs() {
    let broker = broker();
    for version in ALL {
        let (mut device, _) = subscriber(&broker, version);
        for _ in 0..3 {
            publish(&broker, version, "x", QoS::ExactlyOnce);
        }
        let mut identifiers: Vec<_> = (0..3).map(|_| device.expect_publish_unacknowledged().packet_id.unwrap()).collect();
        // In another order than that of the messages.
        identifiers.rotate_left(1);
        for id in &identifiers {
            device.send(&Packet::Pubrec(Ack::success(*id)));
        }
        for id in identifiers {
            device.expect_pubrel(id);
        }
        device.leave(ReasonCode::Success);
    }
}
