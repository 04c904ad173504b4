//! The whole program, killed again and again while messages are under way: `cargo build` has to come first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use signet_mqtt::{Ack, Packet, ProtocolVersion, QoS};
use signet_testkit::{Broker, BrokerConfig, Device, Received, Target, connect_packet};

use crate::rig::{Mosquitto, PATIENCE, await_that};

const ROUNDS: usize = 6;
const PER_ROUND: usize = 20;

fn configuration(port: u16) -> BrokerConfig {
    BrokerConfig::plain().access(&format!(
        "[[bridge]]\nname = \"b\"\naddresses = \"127.0.0.1:{port}\"\ntransport = \"tcp\"\nreconnect_minimum = \"100ms\"\n\
         [[bridge.topic]]\nfilter = \"out/#\"\ndirection = \"out\"\nqos = 2\n\
         [[bridge.topic]]\nfilter = \"in/#\"\ndirection = \"in\"\nqos = 2\n"
    ))
}

/// A client whose session outlives its connections.
fn sink(target: &Target) -> Device {
    let mut connect = connect_packet(ProtocolVersion::V5, "sink");
    connect.clean_start = false;
    connect.properties.session_expiry_interval = Some(u32::MAX);
    Device::connect_with(target, connect)
}

/// Takes everything that waits for the sink, until there are so many different ones.
fn drain(mut sink: Device, count: usize) -> BTreeMap<String, usize> {
    let mut arrived = BTreeMap::new();
    let deadline = Instant::now() + PATIENCE;
    while arrived.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} arrived", arrived.len());
        match sink.await_next().unwrap() {
            Received::Packet(Packet::Publish(publish)) => {
                match (publish.qos, publish.packet_id) {
                    (QoS::AtLeastOnce, Some(id)) => sink.send(&Packet::Puback(Ack::success(id))),
                    (QoS::ExactlyOnce, Some(id)) => sink.send(&Packet::Pubrec(Ack::success(id))),
                    other => panic!("{other:?}"),
                }
                *arrived.entry(publish.topic.unwrap().as_str().to_owned()).or_insert(0) += 1;
            }
            Received::Packet(Packet::Pubrel(ack)) => sink.send(&Packet::Pubcomp(Ack::success(ack.packet_id))),
            other => panic!("{other:?}"),
        }
    }
    // What comes twice is under way by now.
    sink.send(&Packet::Pingreq);
    loop {
        match sink.await_next().unwrap() {
            Received::Packet(Packet::Pingresp) => return arrived,
            Received::Packet(Packet::Publish(publish)) => *arrived.entry(publish.topic.unwrap().as_str().to_owned()).or_insert(0) += 1,
            Received::Packet(Packet::Pubrel(ack)) => sink.send(&Packet::Pubcomp(Ack::success(ack.packet_id))),
            other => panic!("{other:?}"),
        }
    }
}

/// Acknowledged messages of QoS 1 and 2 in turn.
fn publish(target: &Target, topic: &str, round: usize) {
    let mut client = Device::connect(target, ProtocolVersion::V5, "publisher");
    for number in 0..PER_ROUND {
        let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        client.publish(&format!("{topic}/{round}/{number}"), "x", qos, false);
    }
}

#[track_caller]
fn is_complete(arrived: &BTreeMap<String, usize>, topic: &str) {
    for round in 0..ROUNDS {
        for number in 0..PER_ROUND {
            let times = arrived.get(&format!("{topic}/{round}/{number}")).copied().unwrap_or(0);
            let is_right = if number % 2 == 0 { times >= 1 } else { times == 1 };
            assert!(is_right, "`{topic}/{round}/{number}` arrived {times} times");
        }
    }
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged_and_doubles_nothing_of_qos_2() {
    let there = Mosquitto::start();
    let config = configuration(there.port);
    let mut here = Broker::start(&config);
    for (target, filter) in [(here.plain(), "in/#"), (there.target(), "out/#")] {
        let mut sink = sink(&target);
        sink.subscribe(filter, QoS::ExactlyOnce);
        sink.vanish();
    }
    let _ = here.await_log(&["bridge connected"]);
    for round in 0..ROUNDS {
        publish(&there.target(), "in", round);
        publish(&here.plain(), "out", round);
        // Not at once: sooner or later in what the bridge does with them.
        std::thread::sleep(Duration::from_millis(u64::try_from(round).unwrap() * 3));
        here.kill();
        here.start_again(&config);
    }
    let _ = here.await_log(&["bridge connected"]);
    let count = ROUNDS * PER_ROUND;
    is_complete(&drain(sink(&there.target()), count), "out");
    is_complete(&drain(sink(&here.plain()), count), "in");
    await_that("the log has nothing of it", || !here.log().iter().any(|line| line.contains("were not carried over")));
}

#[test]
fn the_session_of_a_bridge_that_is_taken_out_ends_with_the_next_start() {
    let with_bridge = configuration(signet_testkit::free_port());
    let mut here = Broker::start(&with_bridge);
    let _ = here.await_log(&["$bridge/b", "session_present=false"]);
    let _ = here.await_log(&["bridge down"]);
    publish(&here.plain(), "out", 0);
    here.kill();
    here.start_again(&with_bridge);
    let _ = here.await_log(&["$bridge/b", "session_present=true"]);
    here.kill();
    here.start_again(&BrokerConfig::plain());
    let _ = here.await_log(&["no such bridge", &format!("messages={PER_ROUND}")]);
    here.stop();
    here.start_again(&with_bridge);
    let _ = here.await_log(&["$bridge/b", "session_present=false"]);
}
