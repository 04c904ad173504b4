//! A revocation reaches who is connected, who is connecting, and who comes back.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use signet_broker::WillRule;
use signet_client::Received;
use signet_mqtt::{Packet, ProtocolVersion, QoS, ReasonCode, Will, WillProperties};
use signet_net::KickCause;
use signet_testkit::{Device, Identity, connect_packet, topic};
use signet_tls::{Connector, ConnectorConfig};

use super::rig::{PATIENCE, Rig, await_log, await_that, capture_log, config};

#[test]
fn live_sessions_end_with_the_reason() {
    capture_log();
    let rig = Rig::new(2);
    let (pump, other) = (rig.pki.device("pump-7"), rig.pki.device("pump-8"));
    let mut modern = Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "pump-7-a");
    let mut old = Device::connect(&rig.tls(&pump), ProtocolVersion::V311, "pump-7-b");
    let mut silent = Device::open(&rig.tls(&pump), ProtocolVersion::V5);
    let mut bystander = Device::connect(&rig.tls(&other), ProtocolVersion::V5, "pump-8");
    rig.await_connections(4);

    let report = rig.revoke(&pump);
    assert_eq!((report.found, report.closed), (3, 3), "{report:?}");
    match modern.expect() {
        Packet::Disconnect(disconnect) => {
            assert_eq!(disconnect.reason_code, ReasonCode::AdministrativeAction);
            assert_eq!(disconnect.reason_string.as_deref(), Some("certificate revoked: keyCompromise"));
        }
        other => panic!("expected DISCONNECT, got {other:?}"),
    }
    modern.expect_closed();
    old.expect_closed();
    silent.expect_closed();
    await_log(&["signet::refused", "CN=pump-7", "check=\"revocation\"", "revoked (keyCompromise) before the client sent CONNECT"]);
    bystander.expect_silence();
    assert_eq!(rig.connections().len(), 1);

    let refused = Device::try_open(&rig.tls(&pump), ProtocolVersion::V5).map(|mut device| device.await_next());
    let text = match refused {
        Err(error) | Ok(Err(error)) => format!("{error} {error:?}"),
        Ok(Ok(received)) => panic!("let in: {received:?}"),
    };
    assert!(text.contains("revoked"), "{text}");
    await_log(&["signet::refused", "CN=pump-7", "check=\"revocation\"", "127.0.0.1:", "serial=", "issuer=\"CN=Test Issuing\"", "hint="]);
}

/// More than a shard closes in one turn: the rest follows although nothing else happens.
#[test]
fn many_sessions_end_by_one_order() {
    let rig = Rig::new(1);
    let (pump, other) = (rig.pki.device("pump-7"), rig.pki.device("pump-8"));
    let connect = |number| Device::connect(&rig.tls(&pump), ProtocolVersion::V5, &format!("pump-7-{number}"));
    let devices: Vec<Device> = (0..100).map(connect).collect();
    let mut bystander = Device::connect(&rig.tls(&other), ProtocolVersion::V5, "pump-8");
    let report = rig.revoke(&pump);
    assert_eq!((report.found, report.closed), (100, 100), "{report:?}");
    for mut device in devices {
        device.expect_ended(ReasonCode::AdministrativeAction);
    }
    bystander.expect_silence();
    assert_eq!(rig.connections().len(), 1);
}

#[test]
fn the_will_is_published_or_dropped_as_configured() {
    for (rule, published) in [(WillRule::Publish, true), (WillRule::Drop, false)] {
        let rig = Rig::with(1, |config| config.will_on_revoke = rule);
        let pump = rig.pki.device("pump-7");
        let mut watcher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "watcher");
        watcher.subscribe("status/#", QoS::AtMostOnce);
        let mut connect = connect_packet(ProtocolVersion::V5, "pump-7");
        connect.will = Some(Will {
            topic: topic("status/pump-7"),
            payload: bytes::Bytes::from_static(b"gone"),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: WillProperties::default(),
        });
        let mut device = Device::connect_with(&rig.tls(&pump), connect);
        assert_eq!(rig.revoke(&pump).closed, 1);
        device.expect_ended(ReasonCode::AdministrativeAction);
        if published {
            watcher.expect_message("status/pump-7", "gone");
        }
        watcher.expect_silence();
    }
}

/// The device is gone already when it is revoked, and its will waits for its delay.
#[test]
fn a_will_that_waits_is_dropped_too() {
    let rig = Rig::with(2, |config| config.will_on_revoke = WillRule::Drop);
    let pump = rig.pki.device("pump-7");
    let mut watcher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "watcher");
    watcher.subscribe("status/#", QoS::AtMostOnce);
    let mut connect = connect_packet(ProtocolVersion::V5, "pump-7");
    connect.properties.session_expiry_interval = Some(60);
    connect.will = Some(Will {
        topic: topic("status/pump-7"),
        payload: bytes::Bytes::from_static(b"gone"),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: WillProperties { delay_interval: Some(1), ..WillProperties::default() },
    });
    Device::connect_with(&rig.tls(&pump), connect).vanish();
    rig.await_connections(1);
    assert_eq!(rig.revoke(&pump).closed, 0);
    // Longer than the delay: by then the will would have been published.
    let mut clock = connect_packet(ProtocolVersion::V5, "clock");
    clock.keep_alive = 1;
    Device::connect_with(&rig.tcp(), clock).expect_ended(ReasonCode::KeepAliveTimeout);
    watcher.expect_silence();
}

/// A device that does not read what it subscribed to, until no more goes to it; and who publishes.
fn fill_up(rig: &Rig, identity: &Identity) -> (Device, Device) {
    let mut deaf = Device::connect(&rig.tls(identity), ProtocolVersion::V5, "deaf");
    deaf.subscribe("flood", QoS::AtMostOnce);
    let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "publisher");
    let text = "x".repeat(100_000);
    await_that(
        || {
            publisher.publish("flood", &text, QoS::AtMostOnce, false);
            rig.server.stats().broker.dropped_slow > 0
        },
        "the connection to be full",
    );
    (deaf, publisher)
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let rig = Rig::new(1);
    let pump = rig.pki.device("pump-7");
    let (_deaf, _publisher) = fill_up(&rig, &pump);
    let report = rig.revoke(&pump);
    assert_eq!(report.closed, 1, "cut by its flush deadline, within the revocation's patience: {report:?}");
    assert!(report.elapsed >= Duration::from_millis(500), "it had time to read: {report:?}");
    rig.await_connections(1);
}

/// Its session is over already, but what was sent to it is still on its way: it is found, and the revocation waits until nothing is.
#[test]
fn a_connection_that_is_closing_is_found() {
    let rig = Rig::new(1);
    let pump = rig.pki.device("pump-7");
    let (_deaf, _publisher) = fill_up(&rig, &pump);
    let _taken_over = Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "deaf");
    let report = rig.revoke(&pump);
    assert_eq!((report.found, report.closed), (2, 2), "{report:?}");
    rig.await_connections(1);
}

/// Devices connect while they are revoked: whoever got in was found or refused.
#[test]
fn nobody_slips_between_handshake_and_revocation() {
    let rig = Rig::new(2);
    for round in 0..8 {
        let pump = rig.pki.device(&format!("pump-{round}"));
        let target = rig.tls(&pump);
        let connecting: Vec<_> = (0..4)
            .map(|number| {
                let target = target.clone();
                std::thread::spawn(move || {
                    let mut device = Device::try_open(&target, ProtocolVersion::V5).ok()?;
                    device.send(&Packet::Connect(Box::new(connect_packet(ProtocolVersion::V5, &format!("c-{round}-{number}")))));
                    // Whatever is said: in the end the connection must be closed.
                    loop {
                        match device.await_next() {
                            Ok(Received::Packet(_)) => {}
                            Ok(Received::Closed) | Err(_) => return None::<()>,
                            Ok(other) => panic!("round {round}: still connected: {other:?}"),
                        }
                    }
                })
            })
            .collect();
        await_that(|| rig.server.stats().accepted > round * 4, "a connection to begin");
        rig.revoke(&pump);
        for thread in connecting {
            // A send into a connection that is closed already panics in the rig; that is an end too.
            let _ = thread.join();
        }
        rig.await_connections(0);
    }
}

#[test]
fn a_certificate_that_expires_ends_its_connection() {
    let rig = Rig::new(1);
    let pump = rig.pki.short_lived_device("pump-7", 2);
    let mut device = Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "pump-7");
    device.expect_ended(ReasonCode::AdministrativeAction);
    rig.await_connections(0);
}

/// The client is accepted, the listener goes, everybody who is open is looked at, and only then the client shakes hands.
#[test]
fn who_was_under_way_to_a_listener_that_is_gone_does_not_arrive() {
    for listener in ["mqtts", "mqtt"] {
        let rig = Rig::new(1);
        let pump = rig.pki.device("pump-7");
        let waiting = rig.raw("mqtts");
        await_that(|| rig.server.stats().accepted == 1, "the connection to be accepted");
        let mut others = config(&rig.pki, 1);
        others.listeners.retain(|known| known.name != listener);
        rig.server.reload(&others.listeners, &others.profiles).unwrap();
        assert_eq!(rig.server.review(PATIENCE).examined, 0);
        let connector = ConnectorConfig {
            ca_files: vec![rig.pki.ca_file()],
            certificate: Some(pump.certificate.clone()),
            key: Some(pump.key.clone()),
            ..ConnectorConfig::default()
        };
        let mut tls = Connector::new(&connector).unwrap().connect("localhost", waiting).unwrap();
        let answered = tls.write_all(b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01a").and_then(|()| tls.read_exact(&mut [0; 4]));
        assert_eq!(answered.is_ok(), listener != "mqtts", "without `{listener}`: {answered:?}");
    }
}

#[test]
fn an_operator_closes_one_connection() {
    let rig = Rig::new(2);
    let mut device = Device::connect(&rig.tcp(), ProtocolVersion::V5, "pump-7");
    let _other = Device::connect(&rig.tcp(), ProtocolVersion::V5, "pump-8");
    let connections = rig.connections();
    let info = connections.iter().find(|info| info.client_identifier.as_deref() == Some("pump-7")).unwrap();
    let cause = KickCause::Administrative("maintenance".to_owned());
    assert_eq!(rig.server.registry().kick(&[info.entry.link], &cause, PATIENCE).closed, 1);
    device.expect_ended(ReasonCode::AdministrativeAction);
    rig.await_connections(1);
}
