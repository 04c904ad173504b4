//! What crosses a bridge to a real mosquitto, in both directions and both versions.

use std::path::PathBuf;

use signet_bridge::{BridgeConfig, Direction, RemoteTls};
use signet_mqtt::{ProtocolVersion, QoS};
use signet_testkit::{Device, Pki, Target, publish_packet};
use signet_tls::{ConnectorConfig, MinimumVersion};

use crate::rig::{Here, Inbox, Mosquitto, bridge, rule};

const VERSIONS: [ProtocolVersion; 3] = ProtocolVersion::ALL;
const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

#[test]
fn messages_of_every_qos_cross_in_both_directions_under_their_new_names() {
    for version in VERSIONS {
        let there = Mosquitto::start();
        let topics = vec![
            rule("", Direction::In, QoS::AtLeastOnce, "clock", "shared/time"),
            rule("#", Direction::Both, QoS::ExactlyOnce, "near/", "far/"),
        ];
        let here = Here::connected(bridge(there.port, version, topics));
        let (local, remote) = (here.inbox("#"), there.inbox("far/out/#"));
        for qos in EVERY_QOS {
            let name = format!("{}", u8::from(qos));
            here.client("p").publish(&format!("near/out/{name}"), "from here", qos, false);
            assert_eq!(remote.expect(&format!("far/out/{name}"), "from here").qos, qos);
            local.expect(&format!("near/out/{name}"), "from here");
            there.client("p").publish(&format!("far/in/{name}"), "from there", qos, false);
            assert_eq!(local.expect(&format!("near/in/{name}"), "from there").qos, qos);
        }
        there.client("p").publish("shared/time", "12:00", QoS::ExactlyOnce, false);
        assert_eq!(local.expect("clock", "12:00").qos, QoS::AtLeastOnce, "no more than the topic says");
        // What no topic names stays where it is.
        there.client("p").publish("other", "x", QoS::AtLeastOnce, false);
        there.client("p").publish("far/in/end", "x", QoS::AtLeastOnce, false);
        local.expect("near/in/end", "x");
        let status = here.status();
        assert_eq!((status.forwarded_in, status.forwarded_out, status.dropped.total()), (5, 3, 0), "{version}: {status:?}");
    }
}

#[test]
fn retained_messages_cross_as_retained_and_only_once() {
    for version in VERSIONS {
        let there = Mosquitto::start();
        there.client("p").publish("in/kept", "there", QoS::AtLeastOnce, true);
        let here = Here::alone();
        drop(here);
        let topics = vec![rule("in/#", Direction::In, QoS::AtLeastOnce, "", ""), rule("out/#", Direction::Out, QoS::AtLeastOnce, "", "")];
        let config = bridge(there.port, version, topics);
        let mut here = Here { server: crate::rig::server(vec![&config]), bridges: signet_bridge::Bridges::default() };
        here.client("p").publish("out/kept", "here", QoS::AtLeastOnce, true);
        here.bridge(config);
        here.await_connected();
        crate::rig::await_that("both have crossed", || here.status().forwarded_in == 1 && here.status().forwarded_out == 1);
        // A published one, so that what is retained has arrived when it has.
        there.client("p").publish("in/live", "there", QoS::AtLeastOnce, true);
        here.client("p").publish("out/live", "here", QoS::AtLeastOnce, true);
        crate::rig::await_that("all have crossed", || here.status().forwarded_in == 2 && here.status().forwarded_out == 2);
        for (mut client, filter, text) in [(there.client("s"), "out/+", "here"), (here.client("s"), "in/+", "there")] {
            crate::rig::await_that("both are retained", || {
                client.send(&signet_mqtt::Packet::Subscribe(signet_testkit::subscribe_packet(1, &[(filter, QoS::AtMostOnce)])));
                let mut topics = Vec::new();
                loop {
                    match client.expect() {
                        signet_mqtt::Packet::Publish(publish) => {
                            assert!(publish.retain, "{publish:?}");
                            assert_eq!(publish.payload, text.as_bytes());
                            topics.push(publish.topic);
                        }
                        signet_mqtt::Packet::Suback(_) => client.send(&signet_mqtt::Packet::Pingreq),
                        signet_mqtt::Packet::Pingresp => return topics.len() == 2,
                        other => panic!("{other:?}"),
                    }
                }
            });
        }
    }
}

#[test]
fn properties_cross_between_brokers_that_know_them() {
    let there = Mosquitto::start();
    let topics = vec![rule("t/#", Direction::Out, QoS::AtLeastOnce, "", "")];
    let here = Here::connected(bridge(there.port, ProtocolVersion::V5, topics));
    let remote = there.inbox("#");
    let mut message = publish_packet("t/a", "x", QoS::AtLeastOnce, false);
    message.properties.content_type = Some("text/plain".into());
    message.properties.correlation_data = Some(bytes::Bytes::from_static(b"7"));
    message.properties.message_expiry_interval = Some(100);
    message.properties.user_properties.0.push(("k".into(), "v".into()));
    here.client("p").publish_with(message);
    let received = remote.expect("t/a", "x").properties;
    assert_eq!(received.content_type.as_deref(), Some("text/plain"));
    assert_eq!(received.correlation_data.as_deref(), Some(&b"7"[..]));
    assert!((90..=100).contains(&received.message_expiry_interval.unwrap()));
    assert_eq!(received.user_properties.iter().next(), Some(("k", "v")));
}

#[test]
fn what_goes_both_ways_comes_back_to_nobody() {
    for (version, try_private) in [(ProtocolVersion::V5, true), (ProtocolVersion::V311, true), (ProtocolVersion::V311, false)] {
        let there = Mosquitto::start();
        let mut config = bridge(there.port, version, vec![rule("#", Direction::Both, QoS::ExactlyOnce, "", "")]);
        config.remote.try_private = try_private;
        let here = Here::connected(config);
        let (local, remote) = (here.inbox("#"), there.inbox("#"));
        for (publisher, name) in [(&mut here.client("p"), "here"), (&mut there.client("p"), "there")] {
            for number in 0..10 {
                publisher.publish(&format!("{name}/{number}"), "x", EVERY_QOS[number % 3], false);
            }
            // What comes back comes before what is published over there after everything has arrived.
            local.expect_all((0..10).map(|number| format!("{name}/{number}")));
            remote.expect_all((0..10).map(|number| format!("{name}/{number}")));
            for publisher in [&mut there.client("q"), &mut here.client("q")] {
                publisher.publish("end", name, QoS::AtLeastOnce, false);
                local.expect("end", name);
                remote.expect("end", name);
            }
        }
        let status = here.status();
        assert_eq!((status.forwarded_in, status.forwarded_out), (12, 12), "{version}, private: {try_private}: {status:?}");
    }
}

fn mutual_tls(pki: &Pki, ca: PathBuf, port: u16, version: ProtocolVersion) -> BridgeConfig {
    let device = pki.device("site-7");
    let mut config = bridge(port, version, vec![rule("t/#", Direction::Both, QoS::ExactlyOnce, "", "")]);
    let tls = ConnectorConfig {
        ca_files: vec![ca],
        certificate: Some(device.certificate),
        key: Some(device.key),
        minimum_version: MinimumVersion::Tls12,
        ..ConnectorConfig::default()
    };
    config.remote.tls = Some(RemoteTls::Certificates(Box::new(tls)));
    config
}

#[test]
fn mutual_tls_carries_both_directions_and_large_messages() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let there = signet_testkit::Mosquitto::start(Some(&pki));
    for version in VERSIONS {
        let here = Here::connected(mutual_tls(&pki, pki.ca_file(), there.tls_port(), version));
        let plain = |name: &str| Device::connect(&Target::tcp(there.plain_port()), ProtocolVersion::V5, name);
        let (local, remote) = (here.inbox("t/in"), Inbox::at(&Target::tcp(there.plain_port()), "inbox", "t/out"));
        let large = "x".repeat(500_000);
        for qos in EVERY_QOS {
            here.client("p").publish("t/out", &large, qos, false);
            remote.expect("t/out", &large);
            plain("p").publish("t/in", &large, qos, false);
            local.expect("t/in", &large);
        }
    }
}

#[test]
fn a_certificate_that_is_not_trusted_stands_in_the_status() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let there = signet_testkit::Mosquitto::start(Some(&pki));
    let here = Here::starting(mutual_tls(&pki, pki.foreign_ca_file(), there.tls_port(), ProtocolVersion::V5));
    crate::rig::await_that("the reason", || {
        here.status().last_error.is_some_and(|error| error.contains("not issued by a CA that we trust"))
    });
    assert!(!here.status().connected);
}
