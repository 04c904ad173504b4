//! Who is not let in, and what the operator reads; and how a server starts, reloads and stops.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use signet_identity::{ClientIdentifierBinding, Template};
use signet_mqtt::{ProtocolVersion, ReasonCode};
use signet_policy::{Rule, Who};
use signet_revocation::RevocationIndex;
use signet_server::{StartError, TransportConfig, start};
use signet_testkit::{Device, Pki, connect_packet};
use signet_tls::{Connector, ConnectorConfig, CurrentRevocations, TrustProfileConfig};

use super::rig::{PATIENCE, Rig, await_log, capture_log, config, tls_config};

fn answer(socket: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    socket.write_all(bytes).unwrap();
    let mut got = Vec::new();
    let _ = socket.read_to_end(&mut got);
    got
}

#[test]
fn garbage_gets_no_answer_and_one_line() {
    capture_log();
    let rig = Rig::new(1);
    assert_eq!(answer(&mut rig.raw("mqtt"), b"\x00\xff\xff\xff\xff\xff"), b"");
    await_log(&["signet::refused", "check=\"CONNECT\"", "127.0.0.1:", "hint="]);
    assert_eq!(answer(&mut rig.raw("mqtt"), b"GET / HTTP/1.1\r\n\r\n"), b"");
    await_log(&["signet::refused", "HTTP"]);
    assert_eq!(answer(&mut rig.raw("mqtt"), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), b"");
    await_log(&["signet::refused", "TLS handshake on a listener without TLS"]);
    // PINGREQ before CONNECT [MQTT-3.1.0-1].
    assert_eq!(answer(&mut rig.raw("mqtt"), b"\xc0\x00"), b"");
    await_log(&["signet::refused", "MQTT-3.1.0-1"]);
    // Plain MQTT on the TLS port is answered in TLS: a fatal alert.
    assert_eq!(answer(&mut rig.raw("mqtts"), b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01g").first(), Some(&0x15));
    await_log(&["signet::refused", "not TLS", "listener=\"mqtts\""]);
    rig.await_connections(0);
    assert_eq!(rig.server.stats().refused, 5);
    let _still_alive = Device::connect(&rig.tcp(), ProtocolVersion::V5, "a");
}

#[test]
fn a_device_that_breaks_its_tls_before_connect_is_named() {
    capture_log();
    let rig = Rig::new(1);
    let pump = rig.pki.device("pump-that-breaks");
    let config = ConnectorConfig {
        ca_files: vec![rig.pki.ca_file()],
        certificate: Some(pump.certificate.clone()),
        key: Some(pump.key),
        ..ConnectorConfig::default()
    };
    let tls = Connector::new(&config).unwrap().connect("localhost", rig.raw("mqtts")).unwrap();
    rig.await_connections(1);
    // A record that nobody with the keys wrote.
    tls.socket().write_all(&[0x17, 3, 3, 0, 20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]).unwrap();
    await_log(&["signet::refused", "CN=pump-that-breaks", "check=\"TLS handshake\"", "serial="]);
}

#[test]
fn who_finds_no_room_for_a_session_is_named() {
    capture_log();
    let rig = Rig::with(2, |config| std::sync::Arc::make_mut(&mut config.limits).total.sessions_maximum = 1);
    let _first = Device::connect(&rig.tcp(), ProtocolVersion::V5, "first");
    let (_second, connack) = Device::introduce(&rig.tcp(), connect_packet(ProtocolVersion::V5, "one-too-many"));
    assert_eq!(connack.reason_code, ReasonCode::QuotaExceeded);
    await_log(&["signet::refused", "one-too-many", "check=\"CONNECT\"", "hint=", "sessions_maximum"]);
    assert_eq!(rig.server.stats().refused, 1);
}

/// A socket that is closed with unread input resets the connection, and the peer may lose what it has not read yet.
#[test]
fn unread_input_does_not_destroy_the_alert() {
    let rig = Rig::new(1);
    let mut socket = rig.raw("mqtts");
    socket.write_all(&vec![0; 300_000]).unwrap();
    let mut got = Vec::new();
    socket.read_to_end(&mut got).unwrap();
    assert_eq!(got.first(), Some(&0x15), "an alert record");
}

#[test]
fn refused_certificates_are_named_and_get_their_alert() {
    capture_log();
    let rig = Rig::new(2);
    let cases = [
        (rig.pki.foreign_device("stranger"), "path to a trust anchor", "does not know the CA"),
        (rig.pki.expired_device("old"), "validity", "expired"),
        (rig.pki.wrong_usage_device("server-like"), "key usage", "kind that devices may not use"),
        (rig.pki.v1_device("ancient"), "certificate form", ""),
    ];
    for (identity, check, words) in cases {
        let name = identity.certificate.file_stem().unwrap().to_str().unwrap().to_owned();
        let result = Device::try_open(&rig.tls(&identity), ProtocolVersion::V5).map(|mut device| device.await_next());
        match result {
            Ok(Ok(received)) => panic!("{name} is let in: {received:?}"),
            // The client itself does not take a version 1 certificate, so the server hears nothing of it.
            Err(_) if words.is_empty() => continue,
            Err(error) | Ok(Err(error)) => assert!(format!("{error}").contains(words), "{name}: {error}"),
        }
        await_log(&["signet::refused", &format!("CN={name}"), &format!("check=\"{check}\""), "serial=", "issuer=", "hint=", "127.0.0.1:"]);
    }
    rig.await_connections(0);
}

#[test]
fn an_identifier_that_does_not_belong_to_the_certificate() {
    capture_log();
    let rig = Rig::with(2, |config| {
        config.listeners[1].admission.binding = ClientIdentifierBinding::Equals(Template::parse("${device}").unwrap());
    });
    let pump = rig.pki.device("pump-7");
    Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "pump-7").leave(ReasonCode::Success);
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        let (mut device, connack) = Device::introduce(&rig.tls(&pump), connect_packet(version, "pump-8"));
        assert!(connack.reason_code.is_error(), "{connack:?}");
        device.expect_closed();
        await_log(&["signet::refused", "CN=pump-7", "pump-8", "check=\"CONNECT\"", "serial=", "hint="]);
    }
}

#[test]
fn a_taken_port_and_bad_settings_start_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let revocations = || CurrentRevocations::new(RevocationIndex::new());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bad = config(&pki, 1);
    bad.listeners[1].bind.push(taken.local_addr().unwrap().into());
    let text = match start(bad, revocations()) {
        Err(error @ StartError::Listen(_)) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("started"),
    };
    assert!(text.contains(&taken.local_addr().unwrap().to_string()) && text.contains("`mqtts`"), "{text}");
    let mut twins = config(&pki, 1);
    twins.listeners[1].name = "mqtt".to_owned();
    assert!(start(twins, revocations()).err().unwrap().to_string().contains("`mqtt`"));
    let mut none = config(&pki, 1);
    none.listeners.clear();
    assert!(start(none, revocations()).err().unwrap().to_string().contains("no listener"));
}

#[test]
fn a_bad_reload_keeps_the_good_files() {
    let rig = Rig::new(1);
    let pump = rig.pki.device("pump-7");
    let stranger = rig.pki.foreign_device("stranger");
    let mut live = Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "live");
    let mut bad = config(&rig.pki, 1);
    let mut wrong_key = tls_config(&rig.pki);
    wrong_key.host.credentials[0].key = pump.key.clone();
    bad.listeners[1].transport = TransportConfig::Tls(wrong_key);
    let foreign = || vec![TrustProfileConfig::new("devices", vec![rig.pki.foreign_ca_file()]).into()];
    assert!(rig.server.reload(&bad.listeners, &foreign()).unwrap_err().to_string().contains("not the private key"));
    let good = config(&rig.pki, 1);
    assert!(rig.server.reload(&good.listeners, &[]).unwrap_err().to_string().contains("no trust profile `devices`"));
    Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "p").leave(ReasonCode::Success);
    live.expect_silence();

    rig.server.reload(&good.listeners, &foreign()).unwrap();
    Device::connect(&rig.tls(&stranger), ProtocolVersion::V5, "s").leave(ReasonCode::Success);
    let refused = Device::try_open(&rig.tls(&pump), ProtocolVersion::V5).and_then(|mut device| device.await_next());
    assert!(refused.is_err(), "{refused:?}");
    let report = rig.server.review(PATIENCE);
    assert_eq!((report.kicks.found, report.kicks.closed), (1, 1), "{report:?}");
    live.expect_ended(ReasonCode::AdministrativeAction);
}

#[test]
fn shutting_down_says_good_bye() {
    let rig = Rig::new(2);
    let pump = rig.pki.device("pump-7");
    let port = rig.port("mqtt");
    let mut devices: Vec<Device> = (0..6)
        .map(|number| {
            Device::connect(&if number % 2 == 0 { rig.tcp() } else { rig.tls(&pump) }, ProtocolVersion::V5, &format!("c-{number}"))
        })
        .collect();
    let silent = rig.raw("mqtt");
    let stopping = std::thread::spawn(move || rig.server.shutdown(Duration::from_secs(20)).unwrap());
    for device in &mut devices {
        device.expect_ended(ReasonCode::ServerShuttingDown);
    }
    drop((devices, silent));
    stopping.join().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
}

#[test]
fn new_rules_count_for_who_is_connected() {
    use signet_mqtt::QoS;
    let rig = Rig::new(2);
    let mut device = Device::connect(&rig.tcp(), ProtocolVersion::V5, "pump-7");
    assert_eq!(device.subscribe("a", QoS::AtMostOnce), ReasonCode::Success);
    let subscribe = |pattern: &str| vec![signet_policy::TopicPattern::parse(pattern).unwrap()];
    let rule = Rule { name: "rule 1".to_owned(), who: Who::Everyone, publish: Vec::new(), subscribe: subscribe("a"), ..Rule::default() };
    rig.server.replace_rules(std::sync::Arc::new(signet_policy::Ruleset::compile(vec![rule]).with_version(1)));
    // The mail is read before what is sent after this call's answer.
    rig.server.stats();
    assert_eq!(device.subscribe("b", QoS::AtMostOnce), ReasonCode::NotAuthorized);
    rig.server.replace_rules(std::sync::Arc::new(signet_policy::Ruleset::compile(Vec::new()).with_version(2)));
    device.expect_ended(ReasonCode::NotAuthorized);
}
