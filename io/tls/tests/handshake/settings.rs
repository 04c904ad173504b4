//! What few listeners say: dates that do not count, cipher suites, names of authorities, a file for secrets.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::AlertDescription;
use rustls::client::ResolvesClientCert;
use signet_testkit::Identity;
use signet_tls::{CertificateDates, Check};

use super::rig::{Pair, Rig, VERSIONS, now};

/// A root, an intermediate and a device in files, each with its years.
fn chain(rig: &Rig, root: (i32, i32), intermediate: (i32, i32), device: (i32, i32)) -> Identity {
    let authority = |name: &str, years: (i32, i32)| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
        params
    };
    let root = CertifiedIssuer::self_signed(authority("Dated Root", root), KeyPair::generate().unwrap()).unwrap();
    let issuing = CertifiedIssuer::signed_by(authority("Dated Issuing", intermediate), KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = authority("pump-7", device);
    params.is_ca = IsCa::NoCa;
    let leaf = params.signed_by(&key, &issuing).unwrap();
    std::fs::write(rig.path("root.pem"), root.pem()).unwrap();
    std::fs::write(rig.path("dated.pem"), leaf.pem() + &issuing.pem()).unwrap();
    std::fs::write(rig.path("dated.key"), key.serialize_pem()).unwrap();
    Identity { certificate: rig.path("dated.pem"), key: rig.path("dated.key"), serial: Vec::new(), der: leaf.der().to_vec() }
}

#[test]
fn whose_dates_count_is_for_the_profile_to_say() {
    const NOW: (i32, i32) = (2020, 2200);
    const PAST: (i32, i32) = (2000, 2010);
    const FUTURE: (i32, i32) = (2150, 2200);
    // Root, intermediate, device; who is let in by "check", "strict" and "ignore".
    let rows = [
        ((NOW, NOW, NOW), [true, true, true]),
        ((NOW, (2000, 2200), PAST), [false, false, true]),
        // Never valid at the same time: there is no moment to look for a path.
        ((NOW, NOW, PAST), [false, false, false]),
        ((NOW, NOW, FUTURE), [false, false, true]),
        ((NOW, (2000, 2021), NOW), [false, false, true]),
        ((NOW, (2000, 2021), (2020, 2022)), [false, false, true]),
        ((PAST, NOW, NOW), [true, false, true]),
        ((FUTURE, NOW, NOW), [true, false, true]),
    ];
    for ((root, intermediate, device), expected) in rows {
        let rig = Rig::new();
        let identity = chain(&rig, root, intermediate, device);
        for (dates, is_let_in) in [CertificateDates::Check, CertificateDates::Strict, CertificateDates::Ignore].into_iter().zip(expected) {
            let mut config = rig.config();
            config.profile().authorities = vec![rig.path("root.pem")];
            config.profile().dates = dates;
            let listener = rig.listener_with(&config);
            for version in VERSIONS {
                let pair = rig.meet(&listener, version, Some(&identity));
                let row = (root, intermediate, device, dates);
                assert_eq!(pair.peer.is_some(), is_let_in, "{row:?}: {:?}", pair.refusal);
                if let Some(refusal) = &pair.refusal {
                    assert_eq!(refusal.check, Check::Validity, "{row:?}");
                    assert_eq!(pair.alert(), Some(AlertDescription::CertificateExpired), "{row:?}");
                }
            }
        }
    }
}

#[test]
fn where_dates_do_not_count_sessions_go_on_and_are_taken_up() {
    for version in VERSIONS {
        let rig = Rig::new();
        let device = rig.pki.expired_device("pump-7");
        let mut config = rig.config();
        config.profile().dates = CertificateDates::Ignore;
        let listener = rig.listener_with(&config);
        let client = rig.client_config(version, Some(&device));
        for resumed in [false, true] {
            let mut pair = Pair::new(&listener, client.clone());
            pair.run();
            pair.say(b"ping");
            assert_eq!((pair.device(), pair.resumed()), ("pump-7", resumed));
            let Some(signet_identity::Peer::Device(peer)) = &pair.peer else { panic!() };
            listener.check_open(peer.identity(), now()).unwrap();
            assert_eq!(listener.profile("devices").unwrap().session_end(peer.identity().leaf()), None);
        }
        // Revocation is another matter.
        rig.revoke(&device.der);
        assert_eq!(rig.meet(&listener, version, Some(&device)).refusal.unwrap().check, Check::Revocation);
    }
}

#[test]
fn only_the_named_cipher_suites_are_spoken() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    let mut config = rig.config();
    config.change = |listener| listener.cipher_suites = vec!["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384".to_owned()];
    let pair = rig.meet(&rig.listener_with(&config), &rustls::version::TLS12, Some(&device));
    assert_eq!(pair.device(), "pump-7");
    assert_eq!(pair.client.negotiated_cipher_suite().unwrap().suite(), rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
    let pair = rig.meet(&rig.listener_with(&config), &rustls::version::TLS13, Some(&device));
    assert!(pair.peer.is_none() && pair.alert() == Some(AlertDescription::ProtocolVersion), "{:?}", pair.client_error);
    config.change = |listener| listener.cipher_suites = vec!["TLS_CHACHA20_POLY1305_SHA256".to_owned()];
    let pair = rig.meet(&rig.listener_with(&config), &rustls::version::TLS13, Some(&device));
    assert_eq!(pair.client.negotiated_cipher_suite().unwrap().suite(), rustls::CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
}

/// Notes the names that the server sends, and shows nothing.
#[derive(Debug, Default)]
struct Asked(std::sync::Mutex<Option<usize>>);

impl ResolvesClientCert for Asked {
    fn resolve(&self, names: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<std::sync::Arc<rustls::sign::CertifiedKey>> {
        *self.0.lock().unwrap() = Some(names.len());
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn clients_are_told_whose_certificates_are_believed_unless_they_are_not_to_be() {
    let rig = Rig::new();
    for version in VERSIONS {
        let mut config = rig.config();
        for expected in [2, 0] {
            if expected == 0 {
                config.change = |listener| listener.host.names_authorities = false;
            }
            let asked = std::sync::Arc::new(Asked::default());
            let mut client = rig.client_config(version, None);
            client.client_auth_cert_resolver = std::sync::Arc::<Asked>::clone(&asked);
            Pair::new(&rig.listener_with(&config), client).run();
            assert_eq!(*asked.0.lock().unwrap(), Some(expected), "root and issuing CA");
        }
    }
}

#[test]
fn secrets_are_written_where_a_file_is_named() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    for version in VERSIONS {
        let label = if version.version == rustls::ProtocolVersion::TLSv1_2 { "CLIENT_RANDOM" } else { "SERVER_TRAFFIC_SECRET_0" };
        let mut config = rig.config();
        config.change = |listener| {
            let folder = listener.host.credentials[0].key.parent().unwrap().to_owned();
            listener.key_log = Some(folder.join("secrets"));
        };
        assert_eq!(rig.meet(&rig.listener_with(&config), version, Some(&device)).device(), "pump-7");
        let secrets = std::fs::read_to_string(rig.pki.server().key.parent().unwrap().join("secrets")).unwrap();
        let line = secrets.lines().find(|line| line.starts_with(&format!("{label} "))).unwrap_or_else(|| panic!("{secrets}"));
        assert!(line.split(' ').skip(1).all(|part| part.len() >= 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit())), "{line}");
    }
}

#[test]
fn who_offers_protocols_that_are_not_spoken_is_refused_unless_offers_do_not_matter() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    let mqtt: fn(&mut signet_tls::TlsListenerConfig) = |_| {};
    let web: fn(&mut signet_tls::TlsListenerConfig) = |listener| listener.alpn = vec!["http/1.1".to_owned(), "mqtt".to_owned()];
    let any: fn(&mut signet_tls::TlsListenerConfig) = |listener| listener.alpn = Vec::new();
    for (change, offers, agreed) in [
        (mqtt, &["mqtt"][..], Some(Some("mqtt"))),
        (mqtt, &[], Some(None)),
        (mqtt, &["h2", "http/1.1"], None),
        (web, &["h2", "http/1.1"], Some(Some("http/1.1"))),
        (any, &["h2", "x-amzn-mqtt-ca"], Some(None)),
    ] {
        for version in VERSIONS {
            let mut config = rig.config();
            config.change = change;
            let mut client = rig.client_config(version, Some(&device));
            client.alpn_protocols = offers.iter().map(|offer| offer.as_bytes().to_vec()).collect();
            let mut pair = Pair::new(&rig.listener_with(&config), client);
            pair.run();
            assert_eq!(pair.peer.is_some(), agreed.is_some(), "{offers:?}: {:?}", pair.refusal);
            assert_eq!(pair.client.alpn_protocol(), agreed.flatten().map(str::as_bytes), "{offers:?}");
        }
    }
}
