//! A resumed session is never more trusted than a full handshake.

use rustls::{AlertDescription, HandshakeKind};
use signet_tls::{Check, ClientCertificate};

use super::rig::{Pair, Rig, VERSIONS};

/// Connects once with this configuration, takes the tickets, and returns it.
fn with_ticket(rig: &Rig, listener: &std::sync::Arc<signet_tls::ListenerTls>, config: rustls::ClientConfig) -> rustls::ClientConfig {
    let mut pair = Pair::new(listener, config.clone());
    pair.run();
    assert!(pair.peer.is_some(), "{:?}", pair.refusal);
    pair.say(b"x");
    assert_eq!(pair.answer(b"y"), b"y");
    assert!(rig.directory.path().exists());
    config
}

#[test]
fn a_session_is_resumed_with_its_identity() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    for version in VERSIONS {
        let config = with_ticket(&rig, &listener, rig.client_config(version, Some(&device)));
        let mut pair = Pair::new(&listener, config);
        pair.run();
        assert_eq!(pair.client.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
        assert_eq!(pair.device(), "pump-7");
        assert!(pair.resumed());
        pair.say(b"hello again");
        assert_eq!(pair.received, b"hello again");
    }
}

#[test]
fn a_session_of_a_revoked_certificate_is_not_resumed_and_the_alert_says_why() {
    let rig = Rig::new();
    let listener = rig.listener();
    for version in VERSIONS {
        let device = rig.pki.device(&format!("pump-{:?}", version.version));
        let config = with_ticket(&rig, &listener, rig.client_config(version, Some(&device)));
        rig.revoke(&device.der);
        let mut pair = Pair::new(&listener, config);
        pair.run();
        assert!(pair.peer.is_none(), "let in");
        assert_eq!(pair.alert(), Some(AlertDescription::CertificateRevoked));
        assert_eq!(pair.refusal.unwrap().check, Check::Revocation);
    }
}

#[test]
fn a_certificate_revoked_while_it_resumes_is_refused() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    let config = with_ticket(&rig, &listener, rig.client_config(&rustls::version::TLS13, Some(&device)));
    let mut pair = Pair::new(&listener, config);
    let hello = pair.client_says();
    pair.server_hears(&hello);
    rig.revoke(&device.der);
    pair.run();
    assert!(pair.peer.is_none(), "let in although revoked");
    assert_eq!(pair.refusal.unwrap().check, Check::Revocation);
}

#[test]
fn a_ticket_of_another_listener_is_worth_nothing() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    let (first, second) = (rig.listener(), rig.listener());
    for version in VERSIONS {
        let config = with_ticket(&rig, &first, rig.client_config(version, Some(&device)));
        let mut pair = Pair::new(&second, config);
        pair.run();
        assert_eq!(pair.client.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(pair.device(), "pump-7");
    }
}

#[test]
fn an_anonymous_session_is_resumed_where_certificates_are_optional() {
    let rig = Rig::new();
    let mut config = rig.config();
    config.client_certificate = ClientCertificate::Optional;
    let listener = rig.listener_with(&config);
    for version in VERSIONS {
        let config = with_ticket(&rig, &listener, rig.client_config(version, None));
        let mut pair = Pair::new(&listener, config);
        pair.run();
        assert_eq!(pair.client.handshake_kind(), Some(HandshakeKind::Resumed));
        assert!(matches!(pair.peer, Some(signet_identity::Peer::Anonymous(_))));
    }
}
