//! The same promises when publisher and subscriber live on different threads of the broker: order, retained messages, wills, take-over.
//!
//! A session lives on the shard that its identifier hashes to, so a handful of identifiers reaches every shard.

use signet_mqtt::ProtocolVersion::V5;
use signet_mqtt::{QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, connect_packet};

use crate::connect_will::will;
use crate::{ALL, tells_session};

const DEVICES: usize = 8;

fn broker() -> Broker {
    Broker::start(&BrokerConfig::plain().shards(4))
}

fn devices(broker: &Broker, name: &str) -> Vec<Device> {
    (0..DEVICES).map(|number| Device::connect(&broker.plain(), V5, &format!("{name}-{number}"))).collect()
}

#[test]
fn mqtt_4_6_0_5_messages_of_one_publisher_keep_their_order_across_shards() {
    // Room for all that stays unacknowledged below.
    let broker = Broker::start(&BrokerConfig::plain().shards(4).limit("maximum_inflight = 100"));
    let mut readers = devices(&broker, "reader");
    for reader in &mut readers {
        reader.subscribe("t/#", QoS::ExactlyOnce);
    }
    let mut writers = devices(&broker, "writer");
    for (round, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
        for number in 0..10 {
            for (writer, device) in writers.iter_mut().enumerate() {
                device.publish(&format!("t/{writer}"), &format!("{round}:{number}"), qos, false);
            }
        }
        for reader in &mut readers {
            let mut next = [0; DEVICES];
            for _ in 0..10 * DEVICES {
                let publish = match qos {
                    QoS::ExactlyOnce => reader.expect_publish_unacknowledged(),
                    _ => reader.expect_publish(),
                };
                let topic = publish.topic.unwrap();
                let writer: usize = topic.as_str()[2..].parse().unwrap();
                assert_eq!(publish.payload, format!("{round}:{}", next[writer]).as_bytes(), "of writer {writer}");
                next[writer] += 1;
            }
            assert_eq!(next, [10; DEVICES]);
        }
    }
}

#[test]
fn mqtt_3_3_1_5_a_retained_message_is_seen_from_every_shard_once_it_is_acknowledged() {
    let broker = broker();
    for (number, writer) in devices(&broker, "writer").iter_mut().enumerate() {
        let payload = number.to_string();
        writer.publish("kept", &payload, QoS::AtLeastOnce, true);
        for reader in &mut devices(&broker, &format!("reader-{number}")) {
            reader.subscribe("kept", QoS::AtMostOnce);
            assert!(reader.expect_message("kept", &payload).retain);
        }
    }
}

#[test]
fn mqtt_3_1_2_8_a_will_reaches_every_shard() {
    let broker = broker();
    let mut heirs = devices(&broker, "heir");
    for heir in &mut heirs {
        heir.subscribe("will/#", QoS::AtLeastOnce);
    }
    for version in ALL {
        for number in 0..DEVICES {
            let topic_name = format!("will/{version}/{number}");
            let mut connect = connect_packet(version, &format!("mortal-{number}"));
            connect.will = Some(will(&topic_name, "gone", QoS::AtLeastOnce, false));
            Device::connect_with(&broker.plain(), connect).vanish();
            for heir in &mut heirs {
                heir.expect_message(&topic_name, "gone");
            }
        }
    }
}

#[test]
fn mqtt_3_1_4_3_a_session_is_taken_over_on_whichever_shard_it_lives() {
    let broker = broker();
    for version in ALL {
        for number in 0..DEVICES {
            let mut connect = connect_packet(version, &format!("same-{version}-{number}"));
            connect.clean_start = false;
            connect.properties.session_expiry_interval = Some(100);
            let mut first = Device::connect_with(&broker.plain(), connect.clone());
            first.subscribe("t", QoS::AtLeastOnce);
            let (mut second, connack) = Device::introduce(&broker.plain(), connect);
            assert_eq!(connack.session_present, tells_session(version));
            first.expect_ended(ReasonCode::SessionTakenOver);
            second.unsubscribe(&["t"]);
        }
    }
}

#[test]
fn mqtt_4_5_0_1_messages_wait_on_every_shard_for_clients_that_are_away() {
    let broker = broker();
    let kept = |number: usize| {
        let mut connect = connect_packet(V5, &format!("away-{number}"));
        connect.clean_start = false;
        connect.properties.session_expiry_interval = Some(100);
        connect
    };
    for number in 0..DEVICES {
        let mut device = Device::connect_with(&broker.plain(), kept(number));
        device.subscribe("t", QoS::ExactlyOnce);
        device.leave(ReasonCode::Success);
    }
    let mut writer = Device::connect(&broker.plain(), V5, "writer");
    for payload in ["1", "2", "3"] {
        writer.publish("t", payload, QoS::ExactlyOnce, false);
    }
    for number in 0..DEVICES {
        let (mut device, connack) = Device::introduce(&broker.plain(), kept(number));
        assert!(connack.session_present);
        for payload in ["1", "2", "3"] {
            assert_eq!(device.expect_publish_unacknowledged().payload, payload);
        }
    }
}
