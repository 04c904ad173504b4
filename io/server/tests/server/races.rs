//! A revocation, or a reload, between any two steps of a connection: it does not survive, and after the report nothing of it is heard.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use signet_identity::{NamingRule, Template};
use signet_mqtt::{Packet, ProtocolVersion, QoS};
use signet_testkit::{Device, Received, connect_packet, publish_packet};
use signet_tls::{Check, TrustProfileConfig};

use super::forge::{CONNECT, Ca, Met, Shown, Stream, VERSIONS, meet};
use super::rig::{Rig, await_that, config, identifier_on};
use super::stage::Stage;

/// A client that has said all but the last flight of its handshake.
struct HalfWay {
    stream: Stream,
    flight: Vec<u8>,
}

/// Goes on until the client's last flight is ready: with a ticket in TLS 1.3 that is its Finished, else certificate, proof and Finished.
fn half_way(port: u16, client: &Arc<ClientConfig>) -> HalfWay {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let name: ServerName<'static> = "localhost".try_into().unwrap();
    let mut stream = Stream::new(rustls::ClientConnection::new(Arc::clone(client), name).unwrap(), socket);
    let mut flight = Vec::new();
    stream.conn.write_tls(&mut flight).unwrap();
    stream.sock.write_all(&flight).unwrap();
    flight.clear();
    while !stream.conn.wants_write() {
        assert_ne!(stream.conn.read_tls(&mut stream.sock).unwrap(), 0);
        stream.conn.process_new_packets().unwrap();
    }
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut flight).unwrap();
    }
    HalfWay { stream, flight }
}

impl HalfWay {
    /// The first part of the flight; the server has had its turn after it.
    fn say(&mut self, stage: &Stage, range: std::ops::Range<usize>) {
        // Closed already is an answer too.
        let _ = self.stream.sock.write_all(&self.flight[range]);
        stage.rig.server.stats();
        stage.rig.server.stats();
    }

    /// The rest, and CONNECT; nobody may be let in.
    fn expect_refused(mut self, stage: &Stage, from: usize, what: &str) {
        self.say(stage, from..self.flight.len());
        let mut connect = Vec::new();
        if self.stream.conn.writer().write_all(CONNECT).is_ok() {
            let _ = self.stream.conn.write_tls(&mut connect);
            let _ = self.stream.sock.write_all(&connect);
        }
        let mut heard = Vec::new();
        let _ = self.stream.read_to_end(&mut heard);
        assert!(heard.is_empty(), "{what}: let in with {heard:02x?}");
        stage.rig.await_connections(0);
    }
}

/// Places to cut a flight: between its records and inside of them.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..12).map(move |part| length * part / 12).chain([length - 1])
}

#[test]
fn revoked_while_it_shakes_hands() {
    let root = Ca::root("Root");
    let stage = Stage::new(1, |_| {});
    stage.trust(&[stage.profile("devices", &[&root])]);
    for version in VERSIONS {
        for resumes in [false, true] {
            for part in 0..13 {
                let shown = root.leaf("pump-7");
                let client = shown.client(&stage.rig.pki.ca_file(), version);
                if resumes {
                    assert!(matches!(meet(stage.port(), &client).0, Met::In(_)));
                    stage.rig.await_connections(0);
                }
                let mut half = half_way(stage.port(), &client);
                let cut = cuts(half.flight.len()).nth(part).unwrap();
                half.say(&stage, 0..cut);
                stage.note_revoked(shown.der());
                assert_eq!(stage.review(), 0, "nobody is in yet");
                half.expect_refused(&stage, cut, &format!("{version:?}, resumed: {resumes}, cut at {cut}"));
                assert_eq!(stage.refusal().refusal.check, Check::Revocation);
            }
        }
    }
}

/// Who began under the old trust and ends under the new is judged by the new.
#[test]
fn a_reload_while_it_shakes_hands() {
    let (root, other) = (Ca::root("Root"), Ca::root("Other"));
    let stage = Stage::new(1, |_| {});
    let old = stage.profile("devices", &[&root]);
    let changed = |change: fn(&mut TrustProfileConfig)| {
        let mut profile = old.clone();
        change(&mut profile);
        profile
    };
    let changes = [
        ("authority removed", stage.profile("devices", &[&other]), Check::Path),
        ("disabled", changed(|profile| profile.enabled = false), Check::Profile),
        ("another profile", stage.profile("others", &[&root]), Check::Profile),
        ("rule tightened", changed(|profile| profile.rules.keys = vec!["RSA".parse().unwrap()]), Check::Profile),
        ("no name", changed(|profile| profile.naming = NamingRule::new(Template::parse("${cert.san.dns}").unwrap()).unwrap()), Check::Name),
        (
            "another name",
            changed(|profile| profile.naming = NamingRule::new(Template::parse("x${cert.cn}").unwrap()).unwrap()),
            Check::Name,
        ),
    ];
    for (what, new, check) in changes {
        for version in VERSIONS {
            for place in 0..3 {
                stage.trust(std::slice::from_ref(&old));
                let mut half = half_way(stage.port(), &root.leaf("pump-7").client(&stage.rig.pki.ca_file(), version));
                let cut = [0, half.flight.len() / 2, half.flight.len() - 1][place];
                half.say(&stage, 0..cut);
                stage.trust(std::slice::from_ref(&new));
                assert_eq!(stage.review(), 0);
                half.expect_refused(&stage, cut, what);
                assert_eq!(stage.refusal().refusal.check, check, "{what}");
            }
        }
    }
}

/// The listener itself goes away while somebody shakes hands with it: nobody would look at that connection any more.
#[test]
fn a_listener_removed_while_somebody_shakes_hands() {
    let root = Ca::root("Root");
    for version in VERSIONS {
        let stage = Stage::new(1, |_| {});
        let profile = stage.profile("devices", &[&root]);
        stage.trust(std::slice::from_ref(&profile));
        let half = half_way(stage.port(), &root.leaf("pump-7").client(&stage.rig.pki.ca_file(), version));
        let mut other = config(&stage.rig.pki, 1).listeners.remove(0);
        other.name = "other".to_owned();
        stage.rig.server.reload(&[other], &[profile.into()]).unwrap();
        assert_eq!(stage.review(), 0);
        half.expect_refused(&stage, 0, "removed");
    }
}

/// Devices come, take each other's session over, move between shards, publish and subscribe, while their certificate is revoked.
#[test]
fn nothing_is_heard_of_a_device_after_the_report() {
    const SHARDS: u16 = 2;
    let rig = Rig::new(SHARDS);
    let identifiers: Vec<String> = (0..SHARDS).map(|shard| identifier_on(shard, SHARDS, "pump")).collect();
    for round in 0..24 {
        let device = rig.pki.device(&format!("pump-{round}"));
        let target = rig.tls(&device);
        let mut watcher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "watcher");
        watcher.subscribe(&format!("up/{round}"), QoS::AtMostOnce);
        let (ready, over) = (Arc::new(Barrier::new(5)), Arc::new(AtomicBool::new(false)));
        let clients: Vec<_> = (0..4)
            .map(|number| {
                // Two and two share an identifier: they throw each other out.
                let (identifier, target) = (identifiers[number % 2].clone(), target.clone());
                let (ready, over) = (Arc::clone(&ready), Arc::clone(&over));
                std::thread::spawn(move || {
                    ready.wait();
                    let mut late = Vec::new();
                    // Comes back whenever it is thrown out, until it is not let in.
                    while !over.load(Ordering::Acquire) {
                        let Ok(mut device) = Device::try_open(&target, ProtocolVersion::V5) else { return late };
                        let connect = connect_packet(ProtocolVersion::V5, &identifier);
                        let packets = [
                            Packet::Connect(Box::new(connect)),
                            Packet::Publish(publish_packet(&format!("up/{round}"), "x", QoS::AtMostOnce, false)),
                        ];
                        let subscribe = signet_testkit::subscribe_packet(1, &[(&format!("down/{round}"), QoS::AtMostOnce)]);
                        packets.iter().chain([&Packet::Subscribe(subscribe)]).for_each(|packet| device.try_send(packet));
                        while let Ok(Received::Packet(packet)) = device.await_next() {
                            if let Packet::Publish(publish) = packet {
                                late.push(String::from_utf8(publish.payload.to_vec()).unwrap());
                            }
                            if over.load(Ordering::Acquire) {
                                continue;
                            }
                            device.try_send(&Packet::Publish(publish_packet(&format!("up/{round}"), "x", QoS::AtMostOnce, false)));
                        }
                    }
                    late
                })
            })
            .collect();
        let before = rig.server.stats().connects;
        ready.wait();
        // A different moment in every round: before anybody, in the middle, when all have been in.
        await_that(|| rig.server.stats().connects >= before + round % 12, "CONNECTs");
        let report = rig.revoke(&device);
        assert_eq!(report.found, report.closed, "round {round}: {report:?}");
        let mut operator = Device::connect(&rig.tcp(), ProtocolVersion::V5, "operator");
        operator.publish(&format!("down/{round}"), "late", QoS::AtLeastOnce, false);
        operator.publish(&format!("up/{round}"), "end", QoS::AtLeastOnce, false);
        over.store(true, Ordering::Release);
        while watcher.expect_publish().payload != "end" {}
        watcher.expect_silence();
        for client in clients {
            let late = client.join().unwrap();
            assert!(!late.iter().any(|payload| payload == "late"), "round {round}: delivered after the report");
        }
        drop((operator, watcher));
        rig.await_connections(0);
    }
}

/// The same device with one connection after the other, revoked after so many steps.
#[test]
fn every_step_of_a_session_is_found() {
    let root = Ca::root("Root");
    let stage = Stage::new(2, |_| {});
    stage.trust(&[stage.profile("devices", &[&root])]);
    let after = |shown: &Shown, step: &str| {
        let mut stream = super::forge::dial(stage.port(), &stage.client(shown), "localhost");
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        match step {
            "handshake" => stage.rig.await_connections(1),
            "half a CONNECT" => {
                stage.rig.await_connections(1);
                stream.write_all(&CONNECT[..7]).unwrap();
            }
            _ => stream.write_all(CONNECT).unwrap(),
        }
        stream.flush().unwrap();
        stream
    };
    for step in ["handshake", "half a CONNECT", "CONNECT"] {
        for _ in 0..4 {
            let shown = root.leaf("pump-7");
            let mut stream = after(&shown, step);
            stage.note_revoked(shown.der());
            stage.review();
            assert!(super::forge::is_over(&mut stream), "{step}");
            stage.rig.await_connections(0);
        }
    }
}
