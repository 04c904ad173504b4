//! A device that was away for longer than what was known of its certificate holds.

use std::process::Command;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use signet_identity::{Leaf, Peer};
use signet_revocation::{CertIdHash, IssuerCertificate, OcspAnswer, OcspRequest, OcspResponse, OcspRules, RevocationDepth, RevocationMode};
use signet_testkit::Identity;
use signet_tls::{Check, CrlSignatureVerifier};

use super::rig::{Rig, VERSIONS, now};

const HOUR: i64 = 3600;

/// An authority and a device in files, and what `openssl ocsp` says of the device.
fn device(rig: &Rig) -> (Identity, IssuerCertificate) {
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut authority = params("Overdue CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (key, device_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = authority.self_signed(&key).unwrap();
    std::fs::write(rig.path("ocsp-ca.key"), key.serialize_pem()).unwrap();
    let mut device = params("pump-7");
    device.serial_number = Some(vec![7].into());
    device.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = device.signed_by(&device_key, &Issuer::new(authority, key)).unwrap();
    std::fs::write(rig.path("ocsp-ca.pem"), root.pem()).unwrap();
    std::fs::write(rig.path("overdue.pem"), leaf.pem()).unwrap();
    std::fs::write(rig.path("overdue.key"), device_key.serialize_pem()).unwrap();
    let identity =
        Identity { certificate: rig.path("overdue.pem"), key: rig.path("overdue.key"), serial: Vec::new(), der: leaf.der().to_vec() };
    (identity, IssuerCertificate::parse(root.der()).unwrap())
}

/// "Good" for five minutes, as if it had been fetched at `at`.
fn answer(rig: &Rig, issuer: &IssuerCertificate, device: &Identity, at: i64) -> OcspAnswer {
    let serial = Leaf::parse(&device.der).unwrap().id().serial();
    let request = OcspRequest::new(issuer, serial, CertIdHash::Sha1, None).unwrap();
    std::fs::write(rig.path("req.der"), request.der()).unwrap();
    std::fs::write(rig.path("index.txt"), "V\t350101000000Z\t\t07\tunknown\t/CN=pump-7\n").unwrap();
    let arguments = "ocsp -index index.txt -CA ocsp-ca.pem -rsigner ocsp-ca.pem -rkey ocsp-ca.key -reqin req.der -respout resp.der";
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(rig.directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let response = std::fs::read(rig.path("resp.der")).unwrap();
    let rules = OcspRules { clock_skew: 2 * HOUR, ..OcspRules::default() };
    OcspResponse::verify(&response, &request, &rules, &CrlSignatureVerifier, at).unwrap().answer()
}

#[test]
fn it_waits_like_one_that_nobody_knows_where_somebody_can_be_asked() {
    let rig = Rig::new();
    let (device, issuer) = device(&rig);
    let mut config = rig.config();
    let profile = config.profile();
    profile.authorities = vec![rig.path("ocsp-ca.pem")];
    profile.revocation.mode = RevocationMode::Require;
    profile.revocation.depth = RevocationDepth::Leaf;
    rig.revocations.record_answer(answer(&rig, &issuer, &device, now() - HOUR));
    for version in VERSIONS {
        let refusal = rig.meet(&rig.listener_with(&config), version, Some(&device)).refusal.unwrap();
        assert_eq!(refusal.check, Check::RevocationFreshness, "nobody is asked: {refusal:?}");
    }
    config.profile().status_wait = Duration::from_secs(5);
    let listener = rig.listener_with(&config);
    let mut pending = Vec::new();
    for version in VERSIONS {
        let pair = rig.meet(&listener, version, Some(&device));
        let Some(Peer::Pending(peer)) = pair.peer else { panic!("{:?} {:?}", pair.peer, pair.refusal) };
        assert!(listener.settle(&peer, false, now()).unwrap().is_none(), "somebody may still find out");
        assert_eq!(listener.settle(&peer, true, now()).unwrap_err().check, Check::RevocationFreshness);
        // An open session has no such time.
        assert!(listener.check_open(peer.identity(), now()).is_err());
        pending.push(peer);
    }
    rig.revocations.record_answer(answer(&rig, &issuer, &device, now()));
    for peer in pending {
        assert!(matches!(listener.settle(&peer, false, now()), Ok(Some(Peer::Device(_)))));
    }
}
