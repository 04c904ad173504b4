//! What works: both versions, any portions, data both ways, and the ways a connection ends.

use signet_identity::{NoIdentity, Peer};
use signet_testkit::Identity;
use signet_tls::{ClientCertificate, MinimumVersion, TrustProfileConfig};

use super::rig::{Pair, Rig, VERSIONS};

#[test]
fn a_device_is_known_by_its_certificate() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    for version in VERSIONS {
        let mut pair = rig.meet(&listener, version, Some(&device));
        assert_eq!(pair.device(), "pump-7");
        assert!(!pair.resumed());
        let Some(Peer::Device(peer)) = &pair.peer else { panic!() };
        assert_eq!(peer.identity().path().len(), 2, "leaf and issuing CA; the root is the anchor: {:?}", peer.identity().path());
        pair.say(b"ping");
        assert_eq!(pair.received, b"ping");
        assert_eq!(pair.answer(b"pong"), b"pong");
    }
}

#[test]
fn any_portions_give_the_same() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    for version in VERSIONS {
        for portion in [1, 2, 7, 100, 1000] {
            let mut pair = Pair::new(&listener, rig.client_config(version, Some(&device)));
            pair.portion = portion;
            pair.run();
            assert_eq!(pair.device(), "pump-7", "portion {portion}");
            let text: Vec<u8> = (0_u32..20_000).map(|n| n.to_be_bytes()[3]).collect();
            pair.say(&text);
            assert_eq!(pair.received, text);
            assert_eq!(pair.server.buffered(), 0, "nothing is kept between records");
        }
    }
}

#[test]
fn many_packets_make_one_record() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    let mut pair = rig.meet(&listener, &rustls::version::TLS13, Some(&device));
    let mut wire = Vec::new();
    pair.server.send(&vec![7; 16_000], &mut wire).unwrap();
    assert_eq!(wire[0], 0x17, "application data");
    let length = usize::from(u16::from_be_bytes([wire[3], wire[4]]));
    assert_eq!(wire.len(), 5 + length, "one record");
    let big = vec![9; 40_000];
    let mut wire = Vec::new();
    pair.server.send(&big, &mut wire).unwrap();
    assert!(wire.len() < big.len() + 200, "three records, no more: {}", wire.len());
}

#[test]
fn application_data_may_ride_with_the_end_of_the_handshake() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    let mut pair = Pair::new(&listener, rig.client_config(&rustls::version::TLS13, Some(&device)));
    let hello = pair.client_says();
    pair.server_hears(&hello);
    pair.say(b"CONNECT");
    assert_eq!(pair.device(), "pump-7");
    assert_eq!(pair.received, b"CONNECT");
}

#[test]
fn close_notify_goes_both_ways() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    for version in VERSIONS {
        let mut pair = rig.meet(&listener, version, Some(&device));
        pair.say(b"last words");
        pair.client.send_close_notify();
        pair.run();
        assert!(pair.closed);
        assert_eq!(pair.received, b"last words");
        let mut wire = Vec::new();
        pair.server.close(&mut wire);
        assert!(!wire.is_empty());
        pair.client_hears(&wire);
        assert!(pair.client_error.is_none());
        assert!(pair.client.process_new_packets().unwrap().peer_has_closed());
        let mut twice = Vec::new();
        pair.server.close(&mut twice);
        assert!(twice.is_empty(), "once");
    }
}

#[test]
fn keys_can_be_updated() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    let mut pair = rig.meet(&listener, &rustls::version::TLS13, Some(&device));
    pair.client.refresh_traffic_keys().unwrap();
    pair.say(b"after the update");
    assert_eq!(pair.received, b"after the update");
    // The answer carries the server's own update (RFC 8446 §4.6.3).
    assert_eq!(pair.answer(b"me too"), b"me too");
    pair.say(b" and on");
    assert_eq!(pair.received, b"after the update and on");
}

#[test]
fn without_a_certificate_where_it_is_optional() {
    let rig = Rig::new();
    let mut config = rig.config();
    config.client_certificate = ClientCertificate::Optional;
    let listener = rig.listener_with(&config);
    for version in VERSIONS {
        let pair = rig.meet(&listener, version, None);
        assert!(matches!(pair.peer, Some(Peer::Anonymous(NoIdentity::NotPresented))), "{:?}", pair.peer);
        assert_eq!(rig.meet(&listener, version, Some(&rig.pki.device("pump-7"))).device(), "pump-7");
    }
}

#[test]
fn a_certificate_is_not_looked_at_where_none_is_asked_for() {
    let rig = Rig::new();
    let mut config = rig.config();
    config.client_certificate = ClientCertificate::None;
    config.profiles = Vec::new();
    let listener = rig.listener_with(&config);
    for version in VERSIONS {
        let pair = rig.meet(&listener, version, Some(&rig.pki.foreign_device("stranger")));
        assert!(matches!(pair.peer, Some(Peer::Anonymous(NoIdentity::NotRequested))), "{:?}", pair.peer);
    }
}

#[test]
fn the_application_protocol_is_mqtt_or_nothing() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    for version in VERSIONS {
        for (offered, accepted) in [(&["mqtt"][..], true), (&["h2", "mqtt"], true), (&["h2"], false), (&[], true)] {
            let mut config = rig.client_config(version, Some(&device));
            config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            let mut pair = Pair::new(&listener, config);
            pair.run();
            if accepted {
                assert_eq!(pair.device(), "pump-7");
                assert_eq!(pair.client.alpn_protocol(), (!offered.is_empty()).then_some(&b"mqtt"[..]));
            } else {
                assert_eq!(pair.alert(), Some(rustls::AlertDescription::NoApplicationProtocol));
                assert!(pair.refusal.unwrap().found.contains("ALPN"));
            }
        }
    }
}

#[test]
fn tls_1_2_can_be_refused() {
    let rig = Rig::new();
    let mut config = rig.config();
    config.minimum_version = MinimumVersion::Tls13;
    let listener = rig.listener_with(&config);
    let device = rig.pki.device("pump-7");
    assert_eq!(rig.meet(&listener, &rustls::version::TLS13, Some(&device)).device(), "pump-7");
    let pair = rig.meet(&listener, &rustls::version::TLS12, Some(&device));
    assert_eq!(pair.alert(), Some(rustls::AlertDescription::ProtocolVersion));
}

/// Profiles that no name leads to are passed over; one that only an intermediate of the device's own leads to is not.
#[test]
fn the_device_sends_what_leads_to_its_profile() {
    let rig = Rig::new();
    let root = rig.pki.ca_file().with_file_name("root.pem");
    let mut config = rig.config();
    config.profiles = vec![
        TrustProfileConfig::new("foreign", vec![rig.pki.foreign_ca_file()]),
        TrustProfileConfig::new("own", vec![root]),
        TrustProfileConfig::new("known", vec![rig.pki.ca_file()]),
    ];
    let profile = |pair: &Pair| match &pair.peer {
        Some(Peer::Device(peer)) => peer.identity().profile().to_string(),
        other => panic!("no device: {other:?}, refusal {:?}", pair.refusal),
    };
    let listener = rig.listener_with(&config);
    let device = rig.pki.device("pump-7");
    let alone = Identity { certificate: rig.path("alone.pem"), ..device.clone() };
    let chain = std::fs::read_to_string(&device.certificate).unwrap();
    let end = chain.find("-----END CERTIFICATE-----").unwrap() + "-----END CERTIFICATE-----\n".len();
    std::fs::write(&alone.certificate, &chain[..end]).unwrap();
    for version in VERSIONS {
        assert_eq!(profile(&rig.meet(&listener, version, Some(&device))), "own");
        assert_eq!(profile(&rig.meet(&listener, version, Some(&alone))), "known", "its issuer is one of the bundle");
    }
}
