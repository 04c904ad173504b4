//! Files that cannot be used: each is named, with what is in it and the way out.

use std::fs;

use signet_tls::{ClientCertificate, Connector, ConnectorConfig, MinimumVersion};

use super::rig::{Rig, Settings, now};

fn error(rig: &Rig, change: impl FnOnce(&mut Settings)) -> String {
    let mut config = rig.config();
    change(&mut config);
    match rig.load(&config) {
        Ok(_) => panic!("loaded"),
        Err(error) => error.to_string(),
    }
}

fn check(rig: &Rig, words: &[&str], change: impl FnOnce(&mut Settings)) {
    let text = error(rig, change);
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

#[test]
fn missing_and_wrong_files() {
    let rig = Rig::new();
    let pki = &rig.pki;
    let other = pki.device("other");
    check(&rig, &["cannot read", "nowhere.pem"], |config| config.certificate = rig.path("nowhere.pem"));
    check(&rig, &["server.key", "private key but no certificate", "swapped"], |config| config.certificate = pki.server().key.clone());
    check(&rig, &["server.pem", "certificate but no private key"], |config| config.key = pki.server().certificate.clone());
    check(&rig, &["other.key", "not the private key of the certificate", "server.pem"], |config| config.key = other.key.clone());
    check(&rig, &["other.pem", "serverAuth"], |config| {
        config.certificate = other.certificate.clone();
        config.key = other.key.clone();
    });
    check(&rig, &["trust"], |config| config.profiles = Vec::new());
    check(&rig, &["other.pem", "`CN=other`", "not a certification authority"], |config| {
        config.profile().authorities = vec![other.certificate.clone()]
    });
    fs::write(rig.path("empty.pem"), "").unwrap();
    check(&rig, &["empty.pem", "holds no certificate"], |config| config.profile().authorities = vec![rig.path("empty.pem")]);
    check(&rig, &["/dev/zero", "larger than a PEM file"], |config| config.certificate = "/dev/zero".into());
    fs::write(rig.path("server.der"), &pki.server().der).unwrap();
    check(&rig, &["is DER", "openssl x509 -inform der"], |config| config.certificate = rig.path("server.der"));
}

#[test]
fn damaged_and_encrypted_files() {
    let rig = Rig::new();
    let whole = fs::read_to_string(&rig.pki.server().certificate).unwrap();
    fs::write(rig.path("cut.pem"), &whole[..300]).unwrap();
    check(&rig, &["cut.pem", "damaged PEM: a block has no END line"], |config| config.certificate = rig.path("cut.pem"));
    fs::write(rig.path("locked.key"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n").unwrap();
    check(&rig, &["locked.key", "is encrypted", "openssl pkey"], |config| config.key = rig.path("locked.key"));
}

#[test]
fn an_x509_version_1_certificate_is_shown_like_any_other() {
    let rig = Rig::new();
    let (old, other) = (rig.pki.v1_device("old"), rig.pki.v1_device("other"));
    let loaded = signet_tls::Credentials::load(&old.certificate, &old.key, now()).unwrap();
    assert_eq!(loaded.leaf().version(), 1);
    let text = signet_tls::Credentials::load(&old.certificate, &other.key, now()).unwrap_err().to_string();
    assert!(text.contains("other.key: is not the private key") || text.contains("is not the private key of the certificate"), "{text}");
}

#[test]
fn an_expired_server_certificate() {
    let rig = Rig::new();
    let expired = rig.pki.expired_device("old-server");
    let result = signet_tls::Credentials::load(&expired.certificate, &expired.key, now());
    let text = result.unwrap_err().to_string();
    assert!(text.contains("old-server.pem") && text.contains("expired at 20"), "{text}");
}

#[test]
fn trust_is_not_needed_where_no_certificate_is_asked_for() {
    let rig = Rig::new();
    let mut config = rig.config();
    config.profiles = Vec::new();
    config.client_certificate = ClientCertificate::None;
    rig.listener_with(&config);
}

#[test]
fn a_client_needs_a_ca_and_both_halves_of_its_credentials() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    let text = |config: ConnectorConfig| Connector::new(&config).unwrap_err().to_string();
    assert!(text(ConnectorConfig::default()).contains("--cafile"));
    let base = ConnectorConfig { ca_files: vec![rig.pki.ca_file()], ..ConnectorConfig::default() };
    assert!(text(ConnectorConfig { certificate: Some(device.certificate.clone()), ..base.clone() }).contains("--key"));
    assert!(text(ConnectorConfig { key: Some(device.key.clone()), ..base.clone() }).contains("--cert"));
    let minimum_version = MinimumVersion::Tls13;
    assert!(text(ConnectorConfig { tls12_only: true, minimum_version, ..base.clone() }).contains("no version is left"));
    Connector::new(&ConnectorConfig { certificate: Some(device.certificate), key: Some(device.key), ..base }).unwrap();
}
