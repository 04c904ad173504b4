//! What a reload takes over while devices stay connected, and what it leaves alone; by signal, through the admin socket, and by itself.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use rustix::process::Signal;
use signet_mqtt::{Packet, ProtocolVersion, QoS, ReasonCode};
use signet_testkit::{Device, OpensslCa, publish_packet, topic};

use crate::rig::Rig;

const V5: ProtocolVersion = ProtocolVersion::V5;

/// A directory with devices `pump-7` and `pump-8`, and two listeners, whose `[[trust]]` and more is `more`.
struct Site {
    rig: Rig,
    listeners: String,
}

impl Site {
    fn new() -> Self {
        let rig = Rig::quickstarted();
        rig.run(&["device", "add", "pump-8"]).expect(0);
        let listener = |name: &str| {
            format!(
                "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\ntransport = \"tls\"\ncertificate = \"server/server.pem\"\n\
                 key = \"server/server.key\"\nprofiles = [\"own\"]\n"
            )
        };
        let site = Self { listeners: format!("{}{}", listener("mqtts"), listener("second")), rig };
        site.write("");
        site
    }

    fn write(&self, more: &str) {
        self.write_all(&self.listeners, more);
    }

    fn write_all(&self, listeners: &str, more: &str) {
        let own = "[[trust]]\nname = \"own\"\nca = \"ca/ca.pem\"\npublish = \"#\"\nsubscribe = \"#\"\n";
        self.rig.write("signet.toml", &format!("{listeners}{own}{more}"));
    }

    /// With a partner's profile on both listeners.
    fn with_partner(&self) -> String {
        self.listeners.replace("[\"own\"]", "[\"own\", \"partner\"]")
    }
}

const PARTNER: &str = "[[trust]]\nname = \"partner\"\nca = \"partner/ca.pem\"\npublish = \"#\"\nsubscribe = \"#\"\n";

#[test]
fn authorities_and_listeners_come_and_go() {
    let site = Site::new();
    let rig = &site.rig;
    let partner = OpensslCa::create(&rig.path("partner"), "Partner");
    drop(partner.device("valve-1", ""));
    let mut broker = rig.serve();
    let mut staying = Device::connect(&rig.target("mqtts", "devices/pump-7"), V5, "staying");
    let mut leaving = Device::connect(&rig.target("second", "devices/pump-8"), V5, "leaving");
    let is_known = |listener: &str| {
        let opened = Device::try_open(&rig.target(listener, "partner/valve-1"), V5);
        opened.is_ok_and(|mut device| {
            device.try_send(&Packet::Connect(Box::new(signet_testkit::connect_packet(V5, "valve-1"))));
            matches!(device.await_next(), Ok(signet_testkit::Received::Packet(Packet::Connack(connack))) if connack.reason_code == ReasonCode::Success)
        })
    };
    assert!(!is_known("mqtts"));

    // An authority is added, by signal, and removed, through the socket: its session ends, and only that.
    site.write_all(&site.with_partner(), PARTNER);
    broker.signal(Signal::HUP);
    broker.wait_for("configuration reloaded");
    assert!(is_known("mqtts") && is_known("second"));
    let mut valve = Device::connect(&rig.target("mqtts", "partner/valve-1"), V5, "valve-1");
    site.write("");
    let report = rig.reload();
    assert!(report.starts_with("HTTP/1.1 200") && report.contains("1 session ended"), "{report}");
    valve.expect_ended(ReasonCode::AdministrativeAction);
    assert!(!is_known("mqtts"));

    // A file that cannot be used, and a mistake in the configuration: nothing changes, and both say where.
    rig.write("partner/broken.pem", "-----BEGIN CERTIFICATE-----\nhalf");
    site.write_all(&site.with_partner(), &PARTNER.replace("partner/ca.pem", "partner/broken.pem"));
    broker.signal(Signal::HUP);
    let line = broker.wait_for("ERROR");
    assert!(line.contains("signet.toml:") && line.contains("broken.pem"), "{line}");
    broker.wait_for("reload refused, everything stays as it was");
    site.write("enabeld = true\n");
    let answer = rig.reload();
    assert!(!answer.starts_with("HTTP/1.1 200") && answer.contains("signet.toml"), "{answer}");
    let line = broker.wait_for("enabeld");
    assert!(line.contains("signet.toml:"), "{line}");
    staying.expect_silence();
    leaving.expect_silence();

    // A listener is removed with those it has, others stay; it comes back on another port.
    site.write("");
    let (kept, port) = (site.listeners.split("[[listener]]\nname = \"second\"").next().unwrap().to_owned(), rig.port_of("second"));
    site.write_all(&kept, "");
    let report = rig.reload();
    assert!(report.contains("removed listener `second`") && report.contains("1 session ended"), "{report}");
    leaving.expect_ended(ReasonCode::AdministrativeAction);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
    site.write("");
    assert!(rig.reload().contains("new listener `second`"));
    Device::connect(&rig.target("second", "devices/pump-8"), V5, "back").leave(ReasonCode::Success);

    // An address changes: who is here stays.
    let (old, new) = (rig.port_of("mqtts"), signet_testkit::free_port());
    site.write_all(&site.listeners.replacen("127.0.0.1:0", &format!("127.0.0.1:{new}"), 1), "");
    let report = rig.reload();
    assert!(report.starts_with("HTTP/1.1 200"), "{report}");
    assert_eq!(rig.port_of("mqtts"), new);
    Device::connect(&rig.target("mqtts", "devices/pump-8"), V5, "new").leave(ReasonCode::Success);
    assert!(std::net::TcpStream::connect(("127.0.0.1", old)).is_err());
    staying.expect_silence();
    staying.leave(ReasonCode::Success);
}

/// A certificate and its key are two files: what is between them is not taken over.
#[test]
fn a_replaced_certificate_is_shown_when_both_files_are_there() {
    let site = Site::new();
    let rig = &site.rig;
    let web = OpensslCa::create(&rig.path("web"), "Web");
    let new = web.issue("localhost", "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n");
    let mut broker = rig.serve();
    let port = rig.port_of("mqtts");
    let mut staying = Device::connect(&rig.target("mqtts", "devices/pump-7"), V5, "staying");
    let shows = |issuer: &str| rig.s_client(port, &["-showcerts"]).contains(issuer);
    assert!(!shows("CN = Web") && !shows("CN=Web"));
    fs::copy(&new.certificate, rig.path("server/server.pem")).unwrap();
    broker.wait_for("has changed: reloading");
    let line = broker.wait_for("ERROR");
    assert!(line.contains("signet.toml:") && line.contains("server/server.key"), "{line}");
    broker.wait_for("reload refused");
    assert!(!shows("CN = Web") && !shows("CN=Web"), "half of a pair was taken");
    fs::copy(&new.key, rig.path("server/server.key")).unwrap();
    broker.wait_for("has changed: reloading");
    broker.wait_for("configuration reloaded");
    assert!(shows("CN = Web") || shows("CN=Web"));
    staying.expect_silence();
}

/// Bounds of clients and messages hold at once, for those who are connected too; what their CONNACK has said stays so.
#[test]
fn limits_are_taken_over() {
    let site = Site::new();
    let rig = &site.rig;
    let _broker = rig.serve();
    let mut device = Device::connect(&rig.target("mqtts", "devices/pump-7"), V5, "here");
    let mut answer = move || {
        device.send(&Packet::Publish(publish_packet("t", "12345", QoS::AtLeastOnce, false)));
        match device.await_next() {
            Ok(signet_testkit::Received::Packet(Packet::Puback(ack))) => ack.reason_code,
            other => panic!("no PUBACK: {other:?}"),
        }
    };
    assert_eq!(answer(), ReasonCode::NoMatchingSubscribers);
    site.write("[limits]\npayload_maximum = 4\nmaximum_qos = 0\nconnections_maximum = 2\n");
    let report = rig.reload();
    assert!(report.starts_with("HTTP/1.1 200") && !report.contains("[limits]"), "{report}");
    // Every shard hears of it for itself, and the answer of the reload waits for none of them.
    while answer() != ReasonCode::ImplementationSpecificError {
        std::thread::yield_now();
    }
    let (second, connack) = Device::introduce(&rig.target("mqtts", "devices/pump-8"), signet_testkit::connect_packet(V5, "there"));
    assert_eq!(connack.properties.features.maximum_qos, Some(QoS::AtMostOnce));
    assert!(Device::try_open(&rig.target("second", "devices/pump-8"), V5).is_err(), "two connections are all there may be");
    drop(second);
    site.write("[limits]\nattempts_maximum = 3\n");
    let report = rig.reload();
    assert!(report.contains("what [limits] says of attempts and flapping"), "{report}");
}

/// Says that it is over when it goes.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Fifty reloads, each with something changed: nobody is disconnected, and no message is lost or comes twice.
#[test]
fn a_pair_of_clients_notices_nothing_of_fifty_reloads() {
    let site = Site::new();
    let rig = &site.rig;
    let partner = OpensslCa::create(&rig.path("partner"), "Partner");
    drop(partner.device("valve-1", ""));
    let broker = rig.serve();
    let mut publisher = Device::connect(&rig.target("mqtts", "devices/pump-7"), V5, "publisher");
    let mut subscriber = Device::connect(&rig.target("second", "devices/pump-8"), V5, "subscriber");
    subscriber.subscribe("numbers", QoS::AtLeastOnce);
    let (over, sent, received) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        // The publisher ends also when something below fails.
        let ending = Ending(&over);
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                let number = sent.load(Ordering::Acquire);
                // The queue of a session is bounded: what a slow reader loses is not what is looked for here.
                if number - received.load(Ordering::Acquire) >= 20 {
                    std::thread::yield_now();
                    continue;
                }
                publisher.publish_with(publish_packet("numbers", &number.to_string(), QoS::AtLeastOnce, false));
                sent.store(number + 1, Ordering::Release);
            }
            publisher.publish_with(publish_packet("numbers", "end", QoS::AtLeastOnce, false));
        });
        let receiving = scope.spawn(|| {
            let _ending = Ending(&over);
            for expected in 0_u32.. {
                let publish = subscriber.expect_publish();
                assert_eq!(publish.topic, Some(topic("numbers")));
                if publish.payload == "end" {
                    return expected;
                }
                assert_eq!(publish.payload, expected.to_string());
                received.store(expected + 1, Ordering::Release);
            }
            0
        });
        for round in 0..50_u32 {
            let before = sent.load(Ordering::Acquire);
            match round % 4 {
                0 => site.write_all(&site.with_partner(), PARTNER),
                1 => site.write("[[access]]\nwho = \"everyone\"\nsubscribe = \"x/#\"\n"),
                2 => site.write_all(&format!("{}maximum_connections = {}\n", site.listeners, 100 + round), ""),
                _ => site.write("[[listener]]\nname = \"third\"\nbind = \"127.0.0.1:0\"\ntransport = \"tcp\"\nanonymous = true\n"),
            }
            let report = rig.reload();
            assert!(report.starts_with("HTTP/1.1 200") && !report.contains("ended"), "{round}: {report}");
            // At least one message between two reloads.
            while sent.load(Ordering::Acquire) == before && !over.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
        }
        drop(ending);
        let last = receiving.join().unwrap();
        assert!(last >= 50 && last == sent.load(Ordering::Acquire), "{last}");
    });
    let status: serde_json::Value = serde_json::from_str(&rig.run(&["status", "--json"]).expect(0).out).unwrap();
    assert_eq!((&status["connections"], &status["numbers"]["signet_connects_total"]), (&2.into(), &2.0.into()), "{status}");
    drop(broker);
}
