//! Between two of our own.

use bytes::Bytes;
use signet_bridge::{Direction, Notification};
use signet_mqtt::{ProtocolVersion, QoS};
use signet_testkit::{Device, topic};

use crate::rig::{Here, Link, Mosquitto, await_that, bridge, rule};

#[test]
fn two_signets_exchange_messages_in_both_versions() {
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        let there = Here::alone();
        let here = Here::connected(bridge(there.port(), version, vec![rule("#", Direction::Both, QoS::ExactlyOnce, "", "")]));
        let (local, remote) = (here.inbox("#"), there.inbox("#"));
        for (number, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
            for publisher in [&mut here.client("p"), &mut there.client("p")] {
                publisher.publish(&format!("a/{number}"), "x", qos, false);
                assert_eq!(local.expect(&format!("a/{number}"), "x").qos, qos);
                assert_eq!(remote.expect(&format!("a/{number}"), "x").qos, qos);
            }
        }
        let status = here.status();
        assert_eq!((status.forwarded_in, status.forwarded_out, status.dropped.total()), (3, 3, 0), "{version}");
    }
}

#[test]
fn two_brokers_with_a_bridge_to_each_other_do_not_turn_messages_round_for_ever() {
    let everything = || vec![rule("#", Direction::Both, QoS::AtLeastOnce, "", "")];
    let mut first = Here { server: crate::rig::server(vec![&bridge(1, ProtocolVersion::V5, everything())]), bridges: Default::default() };
    let second = Here::connected(bridge(first.port(), ProtocolVersion::V5, everything()));
    first.bridge(bridge(second.port(), ProtocolVersion::V5, everything()));
    first.await_connected();
    first.client("p").publish("a", "x", QoS::AtLeastOnce, false);
    let total =
        || first.status().forwarded_in + first.status().forwarded_out + second.status().forwarded_in + second.status().forwarded_out;
    // Each bridge carries each message over once in each direction at most, whoever brought it, and then recognizes it.
    await_that("it is recognized", || first.status().dropped.loops + second.status().dropped.loops >= 2);
    first.client("p").publish("b", "x", QoS::AtLeastOnce, false);
    await_that("it is recognized", || first.status().dropped.loops + second.status().dropped.loops >= 4);
    assert!(total() <= 12, "{:?} {:?}", first.status(), second.status());
}

#[test]
fn the_state_is_told_on_both_sides_whatever_ends_the_bridge() {
    let there = Here::alone();
    let link = Link::to(there.port());
    let mut config = bridge(link.port, ProtocolVersion::V5, vec![rule("t", Direction::Both, QoS::AtLeastOnce, "", "")]);
    config.notification = Some(Notification { topic: topic("bridges/b"), is_local: true, is_remote: true });
    let mut here = Here::connected(config);
    let state = |client: &mut Device| {
        let message = client.expect_publish();
        assert_eq!(message.topic, Some(topic("bridges/b")));
        message.payload
    };
    let (up, down) = (Bytes::from_static(b"1"), Bytes::from_static(b"0"));
    let mut clients = [here.client("local"), there.client("remote")];
    for client in &mut clients {
        client.subscribe("bridges/b", QoS::AtMostOnce);
        assert_eq!(state(client), up, "retained");
    }
    link.cut();
    for client in &mut clients {
        assert_eq!(state(client), down, "the will");
    }
    link.restore();
    for client in &mut clients {
        assert_eq!(state(client), up);
    }
    here.bridges.stop(crate::rig::PATIENCE);
    for client in &mut clients {
        assert_eq!(state(client), down, "a good-bye");
    }
}

#[test]
fn the_second_address_is_used_while_the_first_does_not_answer() {
    let there = Here::alone();
    let mut config = bridge(there.port(), ProtocolVersion::V5, vec![rule("t", Direction::Out, QoS::AtLeastOnce, "", "")]);
    let nobody = signet_testkit::free_port();
    config.remote.addresses.insert(0, signet_bridge::RemoteAddress { host: "127.0.0.1".to_owned(), port: nobody });
    let here = Here::connected(config);
    assert_eq!(here.status().remote.as_deref(), Some(&*format!("127.0.0.1:{}", there.port())));
    let mut remote = there.client("remote");
    remote.subscribe("t", QoS::AtLeastOnce);
    here.client("p").publish("t", "x", QoS::AtLeastOnce, false);
    remote.expect_message("t", "x");
}

#[test]
fn the_session_of_a_bridge_cannot_be_taken_over() {
    let there = Here::alone();
    let here = Here::connected(bridge(there.port(), ProtocolVersion::V5, vec![rule("t", Direction::Out, QoS::AtLeastOnce, "", "")]));
    let (_, connack) = Device::introduce(&here.target(), signet_testkit::connect_packet(ProtocolVersion::V5, "$bridge/b"));
    assert_eq!(connack.reason_code, signet_mqtt::ReasonCode::ClientIdentifierNotValid);
    let mut remote = there.client("remote");
    remote.subscribe("t", QoS::AtLeastOnce);
    here.client("p").publish("t", "x", QoS::AtLeastOnce, false);
    remote.expect_message("t", "x");
    assert_eq!(here.status().connections, 1);
}

#[test]
fn a_flood_in_both_directions_stands_still_for_nobody() {
    let there = Here::alone();
    let here = Here::connected(bridge(there.port(), ProtocolVersion::V5, vec![rule("#", Direction::Both, QoS::AtLeastOnce, "", "")]));
    let (local, remote) = (here.inbox("end/there/#"), there.inbox("end/here/#"));
    let payload = "x".repeat(10_000);
    let publishers = [(here.target(), "here"), (there.target(), "there")].map(|(target, name)| {
        let payload = payload.clone();
        std::thread::spawn(move || {
            let mut client = Device::connect(&target, ProtocolVersion::V5, name);
            for number in 0..20 {
                for _ in 0..100 {
                    client.publish(&format!("flood/{name}"), &payload, QoS::AtMostOnce, false);
                }
                client.publish(&format!("end/{name}/{number}"), "x", QoS::AtLeastOnce, false);
            }
        })
    });
    for number in 0..20 {
        local.expect(&format!("end/there/{number}"), "x");
        remote.expect(&format!("end/here/{number}"), "x");
    }
    for publisher in publishers {
        publisher.join().unwrap();
    }
    assert_eq!(here.status().connections, 1);
}

/// The other way round: mosquitto has the bridge, and we are the broker that it connects to.
#[test]
fn a_bridge_of_mosquitto_gets_back_nothing_that_it_sent() {
    for version in ["mqttv311", "mqttv50"] {
        let here = Here::alone();
        let extra = format!(
            "connection b\naddress 127.0.0.1:{}\ntopic # both 2\nbridge_protocol_version {version}\nnotifications false\n",
            here.port()
        );
        let there = Mosquitto::with(&extra);
        await_that("it has subscribed", || {
            here.client("p").publish("probe", "x", QoS::AtLeastOnce, false);
            there.log().contains("'probe'")
        });
        let (local, remote) = (here.inbox("a/#"), there.inbox("a/#"));
        for number in 0..5 {
            for publisher in [&mut here.client("p"), &mut there.client("p")] {
                publisher.publish(&format!("a/{number}"), "x", QoS::ExactlyOnce, false);
                local.expect(&format!("a/{number}"), "x");
                remote.expect(&format!("a/{number}"), "x");
            }
        }
    }
}

#[test]
fn after_a_lost_connection_comes_the_next_address_or_the_first_again() {
    for (round_robin, expected) in [(true, 1), (false, 0)] {
        let there = [Here::alone(), Here::alone()];
        let links = [Link::to(there[0].port()), Link::to(there[1].port())];
        let mut config = bridge(links[0].port, ProtocolVersion::V5, vec![rule("t", Direction::Both, QoS::ExactlyOnce, "", "")]);
        config.remote.addresses.push(signet_bridge::RemoteAddress { host: "127.0.0.1".to_owned(), port: links[1].port });
        config.remote.round_robin = round_robin;
        let here = Here::connected(config);
        assert_eq!(here.status().remote, Some(format!("127.0.0.1:{}", links[0].port)));
        // Only what is there is cut: the way itself stays open.
        links[0].cut();
        links[0].restore();
        await_that("it is connected again", || here.status().connections == 2 && here.status().connected);
        assert_eq!(here.status().remote, Some(format!("127.0.0.1:{}", links[expected].port)));
        let remote = there[expected].inbox("t");
        here.client("p").publish("t", "x", QoS::ExactlyOnce, false);
        remote.expect("t", "x");
    }
}

#[test]
fn with_clean_sessions_nothing_waits() {
    let there = Here::alone();
    let link = Link::to(there.port());
    let mut config = bridge(link.port, ProtocolVersion::V5, vec![rule("t", Direction::Out, QoS::AtLeastOnce, "", "")]);
    config.session.clean_start = true;
    config.local.clean_start = true;
    let here = Here::connected(config);
    let remote = there.inbox("t");
    link.cut();
    here.await_down();
    await_that("its session is gone", || here.server.registry().connections().is_empty());
    here.client("p").publish("t", "lost", QoS::AtLeastOnce, false);
    link.restore();
    here.await_connected();
    here.client("p").publish("t", "carried", QoS::AtLeastOnce, false);
    remote.expect("t", "carried");
}
