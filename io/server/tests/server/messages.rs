//! The main job: messages between clients of any transport, version and shard.

use std::sync::Arc;

use signet_mqtt::{Packet, ProtocolVersion, QoS, ReasonCode};
use signet_testkit::{Device, connect_packet, publish_packet};

use super::rig::{Rig, await_that, identifier_on};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::V311, ProtocolVersion::V5];
const QUALITIES: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[test]
fn every_quality_over_every_transport_and_shard() {
    for shards in [1, 3] {
        let rig = Rig::new(shards);
        let (first, second) = (rig.pki.device("pump-7"), rig.pki.device("pump-8"));
        for version in VERSIONS {
            let pairs = [
                (rig.tcp(), rig.tls(&second)),
                (rig.tls(&first), rig.ws()),
                (rig.tls(&first), rig.tls(&second)),
                (rig.ws(), rig.wss(&second)),
                (rig.wss(&first), rig.unix()),
                (rig.unix(), rig.tcp()),
            ];
            for (round, (from, to)) in pairs.iter().enumerate() {
                let subscriber_name = identifier_on(0, shards, &format!("sub-{version:?}-{round}"));
                let publisher_name = identifier_on(shards - 1, shards, &format!("pub-{version:?}-{round}"));
                let mut subscriber = Device::connect(to, version, &subscriber_name);
                subscriber.subscribe("plant/+/level", QoS::ExactlyOnce);
                let mut publisher = Device::connect(from, version, &publisher_name);
                for qos in QUALITIES {
                    publisher.publish("plant/7/level", &format!("{qos:?}"), qos, false);
                    let publish = subscriber.expect_message("plant/7/level", &format!("{qos:?}"));
                    assert_eq!(publish.qos, qos);
                }
                publisher.leave(ReasonCode::Success);
                subscriber.leave(ReasonCode::Success);
            }
        }
    }
}

/// A publisher's shard remembers whom it sends what: not beyond the next change of subscriptions, wherever that is made.
#[test]
fn who_subscribes_later_on_another_shard_gets_what_is_published_after_that() {
    let shards = 2;
    let rig = Rig::new(shards);
    let connect = |shard, name: &str| Device::connect(&rig.tcp(), ProtocolVersion::V5, &identifier_on(shard, shards, name));
    let (mut publisher, mut subscriber) = (connect(0, "publisher"), connect(1, "subscriber"));
    for round in 0..3 {
        publisher.publish("remembered", "nobody listens", QoS::AtLeastOnce, false);
        subscriber.subscribe("remembered", QoS::AtLeastOnce);
        publisher.publish("remembered", &round.to_string(), QoS::AtLeastOnce, false);
        subscriber.expect_message("remembered", &round.to_string());
        subscriber.unsubscribe(&["remembered"]);
    }
}

#[test]
fn packets_sent_together_with_connect_move_with_the_connection() {
    let shards = 4;
    let rig = Rig::new(shards);
    let mut subscriber = Device::connect(&rig.tcp(), ProtocolVersion::V5, "subscriber");
    subscriber.subscribe("#", QoS::AtLeastOnce);
    // Connections are dealt out in turn, so at least three of these four are not accepted by the shard that owns them.
    for round in 0..4 {
        let name = identifier_on(2, shards, &format!("pipeline-{round}"));
        let mut bytes = bytes::BytesMut::new();
        signet_mqtt::encode(&Packet::Connect(Box::new(connect_packet(ProtocolVersion::V5, &name))), ProtocolVersion::V5, &mut bytes);
        for number in 0..50 {
            let publish = publish_packet("pipeline", &format!("{round}-{number}"), QoS::AtMostOnce, false);
            signet_mqtt::encode(&Packet::Publish(publish), ProtocolVersion::V5, &mut bytes);
        }
        let mut device = Device::open(&rig.tcp(), ProtocolVersion::V5);
        device.send_raw(&bytes);
        assert_eq!(device.expect_connack().reason_code, ReasonCode::Success);
        for number in 0..50 {
            subscriber.expect_message("pipeline", &format!("{round}-{number}"));
        }
    }
}

/// Both shards get far more for each other than a mailbox takes, so that both hold back. Nothing is lost, nothing changes its order, nobody waits
/// for ever.
#[test]
fn two_shards_that_flood_each_other_lose_and_reorder_nothing() {
    const MESSAGES: usize = 400;
    let shards = 2;
    let rig = Rig::with(shards, |config| {
        let limits = Arc::make_mut(&mut config.limits);
        limits.queued_bytes_maximum = 1 << 30;
        limits.queued_messages_maximum = 100_000;
    });
    let text = "x".repeat(100_000);
    std::thread::scope(|scope| {
        for shard in 0..shards {
            let name = identifier_on(shard, shards, "subscriber");
            let mut subscriber = Device::connect(&rig.tcp(), ProtocolVersion::V5, &name);
            subscriber.subscribe(&format!("to/{shard}"), QoS::AtLeastOnce);
            let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V5, &identifier_on(1 - shard, shards, "publisher"));
            let text = &text;
            scope.spawn(move || {
                let mut bytes = bytes::BytesMut::new();
                for number in 0..MESSAGES {
                    let publish = publish_packet(&format!("to/{shard}"), &format!("{number}-{text}"), QoS::AtLeastOnce, false);
                    let packet_id = signet_mqtt::PacketId::new(u16::try_from(number + 1).unwrap());
                    let publish = signet_mqtt::Publish { packet_id, ..publish };
                    signet_mqtt::encode(&Packet::Publish(publish), ProtocolVersion::V5, &mut bytes);
                }
                publisher.send_raw(&bytes);
                for number in 1..=MESSAGES {
                    let packet = publisher.expect();
                    assert!(matches!(packet, Packet::Puback(ref ack) if usize::from(ack.packet_id.get()) == number), "{packet:?}");
                }
            });
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let publish = subscriber.expect_publish();
                    assert!(publish.payload.starts_with(format!("{number}-").as_bytes()), "message {number} is not the next");
                }
            });
        }
    });
}

/// The connection moves in the middle of a packet, and what is left of it comes octet by octet.
#[test]
fn a_connection_that_moves_in_the_middle_of_a_packet() {
    let shards = 4;
    let rig = Rig::new(shards);
    let mut subscriber = Device::connect(&rig.tcp(), ProtocolVersion::V5, "subscriber");
    subscriber.subscribe("#", QoS::AtLeastOnce);
    for round in 0..4 {
        let name = identifier_on(2, shards, &format!("pieces-{round}"));
        let mut bytes = bytes::BytesMut::new();
        signet_mqtt::encode(&Packet::Connect(Box::new(connect_packet(ProtocolVersion::V5, &name))), ProtocolVersion::V5, &mut bytes);
        let connect = bytes.len();
        for number in 0..3 {
            let publish = publish_packet("pieces", &format!("{round}-{number}"), QoS::AtMostOnce, false);
            signet_mqtt::encode(&Packet::Publish(publish), ProtocolVersion::V5, &mut bytes);
        }
        let mut device = Device::open(&rig.tcp(), ProtocolVersion::V5);
        let (with_connect, rest) = bytes.split_at(connect + 3);
        device.send_raw(with_connect);
        for octet in rest {
            device.send_raw(&[*octet]);
        }
        assert_eq!(device.expect_connack().reason_code, ReasonCode::Success);
        for number in 0..3 {
            subscriber.expect_message("pieces", &format!("{round}-{number}"));
        }
    }
}

#[test]
fn a_large_message_crosses_many_records() {
    let rig = Rig::new(2);
    let device = rig.pki.device("pump-7");
    let mut subscriber = Device::connect(&rig.tls(&device), ProtocolVersion::V5, "s");
    subscriber.subscribe("big", QoS::AtLeastOnce);
    let mut publisher = Device::connect(&rig.tls(&device), ProtocolVersion::V311, "p");
    let text = "x".repeat(900_000);
    publisher.publish("big", &text, QoS::AtLeastOnce, false);
    subscriber.expect_message("big", &text);
}

/// Several messages above the water mark in one turn: only a socket that takes no more is a reason to drop.
#[test]
fn a_burst_of_large_messages_reaches_who_reads() {
    let rig = Rig::new(2);
    let device = rig.pki.device("pump-7");
    let mut subscriber = Device::connect(&rig.tls(&device), ProtocolVersion::V5, "s");
    subscriber.subscribe("burst", QoS::AtMostOnce);
    let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "p");
    let mut bytes = bytes::BytesMut::new();
    let text = |number: usize| format!("{number}").repeat(100_000);
    for number in 0..8 {
        let publish = publish_packet("burst", &text(number), QoS::AtMostOnce, false);
        signet_mqtt::encode(&Packet::Publish(publish), ProtocolVersion::V5, &mut bytes);
    }
    publisher.send_raw(&bytes);
    for number in 0..8 {
        subscriber.expect_message("burst", &text(number));
    }
    assert_eq!(rig.server.stats().broker.dropped_slow, 0);
}

#[test]
fn a_session_survives_its_connection_and_is_taken_over() {
    let rig = Rig::new(2);
    let connect = |clean| {
        let mut connect = connect_packet(ProtocolVersion::V5, "keeper");
        connect.clean_start = clean;
        connect.properties.session_expiry_interval = Some(3600);
        connect
    };
    let mut keeper = Device::connect_with(&rig.tcp(), connect(true));
    keeper.subscribe("kept", QoS::AtLeastOnce);
    keeper.vanish();
    rig.await_connections(0);
    let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "publisher");
    publisher.publish("kept", "while away", QoS::AtLeastOnce, false);
    let (mut keeper, connack) = Device::introduce(&rig.tcp(), connect(false));
    assert!(connack.session_present);
    keeper.expect_message("kept", "while away");
    let (_again, connack) = Device::introduce(&rig.tcp(), connect(false));
    assert!(connack.session_present);
    keeper.expect_ended(ReasonCode::SessionTakenOver);
}

#[test]
fn two_hundred_connections() {
    let rig = Rig::new(2);
    let identities: Vec<_> = (0..4).map(|number| rig.pki.device(&format!("pump-{number}"))).collect();
    let mut devices: Vec<Device> = (0..200)
        .map(|number| {
            let target = if number % 2 == 0 { rig.tcp() } else { rig.tls(&identities[number % 4]) };
            let mut device = Device::connect(&target, VERSIONS[number % 3 % 2], &format!("client-{number}"));
            device.subscribe("to/all", QoS::AtMostOnce);
            device
        })
        .collect();
    assert_eq!(rig.connections().len(), 200);
    let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "publisher");
    for round in 0..10 {
        publisher.publish("to/all", &format!("round {round}"), QoS::AtMostOnce, false);
    }
    for device in &mut devices {
        for round in 0..10 {
            device.expect_message("to/all", &format!("round {round}"));
        }
    }
    let stats = rig.server.stats();
    assert_eq!((stats.connections, stats.accepted, stats.broker.connections), (201, 201, 201));
    drop(devices);
    await_that(|| rig.server.stats().broker.connections == 1, "the server to notice 200 closed sockets");
}

#[test]
fn keep_alive_is_watched() {
    let rig = Rig::new(1);
    let mut connect = connect_packet(ProtocolVersion::V5, "sleepy");
    connect.keep_alive = 1;
    let mut sleepy = Device::connect_with(&rig.tcp(), connect);
    sleepy.expect_ended(ReasonCode::KeepAliveTimeout);
}
