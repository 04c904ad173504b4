//! keyUsage along the path (RFC 5280 §4.2.1.3), which path building itself does not look at, and how much of a stranger's certificate is logged.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use signet_testkit::Identity;
use signet_tls::{Check, Refusal};

use super::rig::{Rig, VERSIONS};

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str, usages: &[KeyUsagePurpose]) -> (CertificateParams, KeyPair) {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = usages.to_vec();
    (params, KeyPair::generate().unwrap())
}

/// A device below an issuing authority below a root that the listener trusts; the usages are those of issuing authority and device.
fn refusal(name: &str, issuing: &[KeyUsagePurpose], device: &[KeyUsagePurpose]) -> Option<Refusal> {
    refusal_below(BasicConstraints::Unconstrained, name, issuing, device)
}

/// The same below a root with these constraints.
fn refusal_below(root: BasicConstraints, name: &str, issuing: &[KeyUsagePurpose], device: &[KeyUsagePurpose]) -> Option<Refusal> {
    let rig = Rig::new();
    let (mut root_params, root_key) = authority("Usage Root", &[KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]);
    root_params.is_ca = IsCa::Ca(root);
    let root = root_params.self_signed(&root_key).unwrap();
    let root_issuer = Issuer::new(root_params, root_key);
    let (issuing_params, issuing_key) = authority("Usage Issuing", issuing);
    let issuing = issuing_params.signed_by(&issuing_key, &root_issuer).unwrap();
    let mut device_params = params(name);
    device_params.key_usages = device.to_vec();
    device_params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let leaf = device_params.signed_by(&key, &Issuer::new(issuing_params, issuing_key)).unwrap();
    std::fs::write(rig.path("usage-root.pem"), root.pem()).unwrap();
    std::fs::write(rig.path("usage.pem"), format!("{}{}", leaf.pem(), issuing.pem())).unwrap();
    std::fs::write(rig.path("usage.key"), key.serialize_pem()).unwrap();
    let identity =
        Identity { certificate: rig.path("usage.pem"), key: rig.path("usage.key"), serial: Vec::new(), der: leaf.der().to_vec() };
    let mut config = rig.config();
    config.profile().authorities = vec![rig.path("usage-root.pem")];
    let listener = rig.listener_with(&config);
    let mut refusals = VERSIONS.map(|version| {
        let pair = rig.meet(&listener, version, Some(&identity));
        assert_eq!(pair.peer.is_none(), pair.refusal.is_some());
        pair.refusal
    });
    assert_eq!(refusals[0], refusals[1]);
    refusals[0].take()
}

const SIGNS_CERTIFICATES: &[KeyUsagePurpose] = &[KeyUsagePurpose::KeyCertSign];
const SIGNS: &[KeyUsagePurpose] = &[KeyUsagePurpose::DigitalSignature];

#[test]
fn a_path_with_the_right_usages_or_none_is_good() {
    assert_eq!(refusal("pump-7", SIGNS_CERTIFICATES, SIGNS), None);
    assert_eq!(refusal("pump-7", &[], &[]), None);
}

#[test]
fn an_anchor_that_may_have_no_authority_below_it() {
    let below = |root| refusal_below(root, "pump-7", SIGNS_CERTIFICATES, SIGNS);
    assert_eq!(below(BasicConstraints::Constrained(1)), None);
    let refusal = below(BasicConstraints::Constrained(0)).unwrap();
    assert_eq!(refusal.check, Check::Path);
    assert!(refusal.found.contains("`CN=Usage Root`") && refusal.found.contains("pathLenConstraint allows 0"), "{refusal:?}");
}

#[test]
fn an_authority_that_may_not_sign_certificates() {
    let refusal = refusal("pump-7", &[KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign], SIGNS).unwrap();
    assert_eq!(refusal.check, Check::Path);
    assert!(refusal.found.contains("CN=Usage Issuing") && refusal.found.contains("keyCertSign"), "{refusal:?}");
}

#[test]
fn a_device_whose_key_may_not_sign() {
    let refusal = refusal("pump-7", SIGNS_CERTIFICATES, &[KeyUsagePurpose::KeyEncipherment]).unwrap();
    assert_eq!(refusal.check, Check::Usage);
    assert!(refusal.found.contains("digitalSignature"), "{refusal:?}");
}

/// Whoever reaches the port can show a certificate of 60 KiB: the log must not grow by that with each attempt.
#[test]
fn a_stranger_cannot_fill_the_log() {
    let rig = Rig::new();
    let (params, key) = {
        let mut params = params(&"x".repeat(20_000));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        (params, KeyPair::generate().unwrap())
    };
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(rig.path("long.pem"), certificate.pem()).unwrap();
    std::fs::write(rig.path("long.key"), key.serialize_pem()).unwrap();
    let stranger =
        Identity { certificate: rig.path("long.pem"), key: rig.path("long.key"), serial: Vec::new(), der: certificate.der().to_vec() };
    for version in VERSIONS {
        let refusal = rig.meet(&rig.listener(), version, Some(&stranger)).refusal.unwrap();
        assert_eq!(refusal.check, Check::Path);
        assert!(refusal.subject.as_ref().unwrap().starts_with("CN=xxx"), "{refusal:?}");
        let size = [&refusal.subject, &refusal.issuer, &Some(refusal.found)].map(|text| text.as_ref().unwrap().len()).iter().sum::<usize>();
        assert!(size < 4_096, "{size} bytes");
    }
}
