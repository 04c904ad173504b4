//! Who does not get in: the alert the client sees, and the words for the operator.

use rustls::AlertDescription;
use signet_identity::{Leaf, NamingRule, Template};
use signet_revocation::{Crl, IssuerCertificate, ListSource};
use signet_testkit::{CrlWindow, Identity};
use signet_tls::{Check, CrlSignatureVerifier, ListenerTls};

use super::rig::{Pair, Rig, VERSIONS, certificates};

/// Both versions give this alert, this check, these words, and a complete line.
fn check_refused(
    rig: &Rig,
    listener: &std::sync::Arc<ListenerTls>,
    identity: &Identity,
    alert: AlertDescription,
    check: Check,
    words: &str,
) {
    for version in VERSIONS {
        let pair = rig.meet(listener, version, Some(identity));
        assert!(pair.peer.is_none(), "let in: {:?}", pair.peer);
        let refusal = pair.refusal.clone().unwrap_or_else(|| panic!("not refused, client: {:?}", pair.client_error));
        assert_eq!(refusal.check, check, "{refusal:?}");
        assert!(refusal.found.contains(words), "`{words}` is not in: {}", refusal.found);
        assert!(!refusal.hint.is_empty());
        assert_eq!(pair.alert(), Some(alert), "{refusal:?}, client {:?}", pair.client_error);
        assert!(refusal.subject.is_some() && refusal.serial.is_some() && refusal.issuer.is_some(), "{refusal:?}");
        assert!(pair.received.is_empty());
    }
}

#[test]
fn no_certificate() {
    let rig = Rig::new();
    let listener = rig.listener();
    for version in VERSIONS {
        let pair = rig.meet(&listener, version, None);
        let refusal = pair.refusal.as_ref().unwrap();
        assert_eq!(refusal.check, Check::CertificatePresent);
        assert!(refusal.hint.contains("--cert"), "{refusal:?}");
        // TLS 1.2 has no alert of its own for it (RFC 5246 §7.4.6).
        assert!(
            matches!(pair.alert(), Some(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure)),
            "{:?}",
            pair.client_error
        );
        if version.version == rustls::ProtocolVersion::TLSv1_3 {
            assert_eq!(pair.alert(), Some(AlertDescription::CertificateRequired));
        }
    }
}

#[test]
fn a_certificate_of_another_ca() {
    let rig = Rig::new();
    let stranger = rig.pki.foreign_device("stranger");
    check_refused(&rig, &rig.listener(), &stranger, AlertDescription::UnknownCA, Check::Path, "Foreign Root");
}

#[test]
fn expired_and_not_yet_valid() {
    let rig = Rig::new();
    let listener = rig.listener();
    check_refused(&rig, &listener, &rig.pki.expired_device("old"), AlertDescription::CertificateExpired, Check::Validity, "expired at 20");
    check_refused(
        &rig,
        &listener,
        &rig.pki.not_yet_valid_device("new"),
        AlertDescription::CertificateExpired,
        Check::Validity,
        "not valid before 20",
    );
}

#[test]
fn a_server_certificate() {
    let rig = Rig::new();
    let wrong = rig.pki.wrong_usage_device("server-like");
    check_refused(&rig, &rig.listener(), &wrong, AlertDescription::UnsupportedCertificate, Check::Usage, "clientAuth");
}

#[test]
fn the_certificate_of_a_ca() {
    let rig = Rig::new();
    let ca = Identity { certificate: rig.path("issuing.pem"), key: rig.path("issuing.key"), serial: Vec::new(), der: Vec::new() };
    check_refused(&rig, &rig.listener(), &ca, AlertDescription::UnsupportedCertificate, Check::Usage, "CA:true");
}

#[test]
fn an_x509_version_1_certificate() {
    let rig = Rig::new();
    let old = rig.pki.v1_device("old");
    check_refused(&rig, &rig.listener(), &old, AlertDescription::UnsupportedCertificate, Check::CertificateForm, "version 1");
    let pair = rig.meet(&rig.listener(), &rustls::version::TLS13, Some(&old));
    assert!(pair.refusal.unwrap().hint.contains("openssl x509 -req"));
}

#[test]
fn a_revoked_certificate() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    assert_eq!(rig.meet(&listener, &rustls::version::TLS13, Some(&device)).device(), "pump-7");
    rig.revoke(&device.der);
    check_refused(&rig, &listener, &device, AlertDescription::CertificateRevoked, Check::Revocation, "keyCompromise");
    assert_eq!(rig.meet(&listener, &rustls::version::TLS13, Some(&rig.pki.device("pump-8"))).device(), "pump-8");
}

#[test]
fn a_certificate_below_a_revoked_intermediate() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    rig.revoke(&certificates(&rig.path("issuing.pem"))[0]);
    check_refused(&rig, &listener, &device, AlertDescription::CertificateRevoked, Check::Revocation, "intermediate");
}

#[test]
fn a_certificate_without_an_acceptable_name() {
    let rig = Rig::new();
    let naming = NamingRule::new(Template::parse("${cert.san.uri}").unwrap()).unwrap();
    let mut config = rig.config();
    config.profile().naming = naming;
    let listener = rig.listener_with(&config);
    check_refused(&rig, &listener, &rig.pki.device("pump-7"), AlertDescription::AccessDenied, Check::Name, "cert.san.uri");
}

#[test]
fn a_certificate_whose_issuers_crl_is_stale() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    let window = CrlWindow { this_update: time::Duration::days(-3), next_update: time::Duration::days(-1) };
    let path = rig.pki.crl("stale.pem", 1, &[], window);
    load_crl(&rig, &path);
    check_refused(&rig, &rig.listener(), &device, AlertDescription::CertificateUnknown, Check::RevocationFreshness, "20");
    let mut config = rig.config();
    config.profile().revocation.stale = signet_revocation::StalePolicy::Allow;
    assert_eq!(rig.meet(&rig.listener_with(&config), &rustls::version::TLS13, Some(&device)).device(), "pump-7");
}

#[test]
fn a_certificate_on_a_crl() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    load_crl(&rig, &rig.pki.crl("crl.pem", 1, &[&device], CrlWindow::default()));
    check_refused(&rig, &rig.listener(), &device, AlertDescription::CertificateRevoked, Check::Revocation, "keyCompromise");
}

#[test]
fn a_crl_with_a_foreign_signature_is_not_believed() {
    let rig = Rig::new();
    let genuine = std::fs::read(rig.pki.crl("crl.pem", 1, &[], CrlWindow::default())).unwrap();
    let issuers = issuers(&rig);
    assert_eq!(Crl::parse_pem_or_der(&genuine, &issuers, &CrlSignatureVerifier).unwrap().len(), 1);
    let forged = rustls_pki_types::CertificateRevocationListDer::from(der_of(&genuine));
    let mut forged = forged.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert!(Crl::parse_pem_or_der(&forged, &issuers, &CrlSignatureVerifier).is_err());
    let foreign = std::fs::read(rig.pki.foreign_crl("foreign-crl.pem", 1, &[], CrlWindow::default())).unwrap();
    assert!(Crl::parse_pem_or_der(&foreign, &issuers, &CrlSignatureVerifier).is_err());
}

/// The certificate is good while it is shown, and revoked before the last byte of the handshake.
#[test]
fn a_certificate_revoked_during_the_handshake() {
    let rig = Rig::new();
    let listener = rig.listener();
    for version in VERSIONS {
        let device = rig.pki.device(&format!("pump-{:?}", version.version));
        let mut pair = Pair::new(&listener, rig.client_config(version, Some(&device)));
        let hello = pair.client_says();
        pair.server_hears(&hello);
        let flight = pair.client_says();
        let (start, end) = flight.split_at(flight.len() - 1);
        pair.server_hears(start);
        assert!(pair.refusal.is_none() && pair.peer.is_none());
        rig.revoke(&device.der);
        pair.server_hears(end);
        assert!(pair.peer.is_none(), "let in although revoked");
        assert_eq!(pair.refusal.unwrap().check, Check::Revocation);
    }
}

/// Somebody else shows the certificate, without its key.
#[test]
fn a_certificate_without_its_key() {
    let rig = Rig::new();
    let (device, thief) = (rig.pki.device("pump-7"), rig.pki.device("pump-8"));
    let stolen = Identity { key: thief.key, ..device };
    check_refused(&rig, &rig.listener(), &stolen, AlertDescription::DecryptError, Check::Possession, "private key");
}

#[test]
fn a_client_that_does_not_trust_the_server() {
    let rig = Rig::new();
    let other = Rig::new();
    for version in VERSIONS {
        let mut pair = Pair::new(&rig.listener(), other.client_config(version, None));
        let hello = pair.client_says();
        pair.server_hears(&hello);
        assert!(pair.client_error.is_some());
        let alert = pair.client_says();
        pair.server_hears(&alert);
        let refusal = pair.refusal.unwrap();
        assert!(refusal.found.contains("does not trust this server"), "{refusal:?}");
        assert!(refusal.hint.contains("--cafile"));
    }
}

fn issuers(rig: &Rig) -> Vec<IssuerCertificate> {
    certificates(&rig.pki.ca_file()).iter().map(|der| IssuerCertificate::parse(der).unwrap()).collect()
}

fn load_crl(rig: &Rig, path: &std::path::Path) {
    let crls = Crl::parse_pem_or_der(&std::fs::read(path).unwrap(), &issuers(rig), &CrlSignatureVerifier).unwrap();
    for crl in crls {
        rig.revocations.update(|index| index.with_crl(crl.clone(), ListSource::new("test")).unwrap());
    }
}

fn der_of(pem: &[u8]) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject;
    rustls_pki_types::CertificateRevocationListDer::from_pem_slice(pem).unwrap().to_vec()
}

#[test]
fn the_refusal_names_the_certificate_as_the_inventory_does() {
    let rig = Rig::new();
    let device = rig.pki.expired_device("old");
    let pair = rig.meet(&rig.listener(), &rustls::version::TLS13, Some(&device));
    let refusal = pair.refusal.unwrap();
    assert_eq!(refusal.subject.as_deref(), Some("CN=old"));
    assert_eq!(refusal.serial, Some(Leaf::parse(&device.der).unwrap().id().serial().to_string()));
    assert_eq!(refusal.issuer.as_deref(), Some("CN=Test Issuing"));
}

/// `identity` with this many more certificates behind its own and its issuer's, none of them of use.
fn with_more_certificates(rig: &Rig, identity: &Identity, count: usize) -> Identity {
    let foreign = std::fs::read_to_string(rig.pki.foreign_ca_file()).unwrap();
    let certificate = rig.path(&format!("with-{count}-more.pem"));
    std::fs::write(&certificate, std::fs::read_to_string(&identity.certificate).unwrap() + &foreign.repeat(count)).unwrap();
    Identity { certificate, ..identity.clone() }
}

/// Searching for a path takes the longer the more a stranger may send, and a shard does nothing else meanwhile.
#[test]
fn more_certificates_than_a_path_may_have() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    let most = with_more_certificates(&rig, &device, 5);
    for version in VERSIONS {
        assert_eq!(rig.meet(&rig.listener(), version, Some(&most)).device(), "pump-7");
    }
    let too_many = with_more_certificates(&rig, &device, 6);
    check_refused(&rig, &rig.listener(), &too_many, AlertDescription::UnknownCA, Check::Path, "7 intermediate certificates, at most 6");
}
