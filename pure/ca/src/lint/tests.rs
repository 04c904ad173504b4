//! Every rule is broken once: a twin is built as the profile says, one thing is changed, and the lint must name the field.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose,
    PublicKeyData as _, SanType,
};
use signet_identity::DeviceName;

use super::*;
use crate::authority::issuer;
use crate::ceremony::{create_issuing, create_root};
use crate::profile::Profile;
use crate::serial::SerialEntropy;
use crate::signer::{SignatureAlgorithm, Signer, SignerError, Unsigned};
use crate::time::calendar;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

/// A P-256 key that signs in memory.
struct TestSigner {
    pair: rcgen::KeyPair,
    public_key: Vec<u8>,
}

impl TestSigner {
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let public_key = pair.subject_public_key_info();
        Self { pair, public_key }
    }
}

impl Signer for TestSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaP256Sha256
    }

    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        rcgen::SigningKey::sign(&self.pair, message).map_err(|error| SignerError(error.to_string()))
    }
}

fn octets(seed: u8) -> [u8; 20] {
    core::array::from_fn(|index| u8::try_from(index).unwrap().wrapping_mul(37).wrapping_add(seed))
}

fn authority() -> CaCertificate {
    let (root_key, issuing_key) = (TestSigner::new(), SubjectKey::from_spki(&TestSigner::new().public_key).unwrap());
    let root = create_root("Root", &root_key, SerialEntropy::new(octets(1)), NOW - DAY, 100 * DAY).unwrap();
    create_issuing("Issuing", &issuing_key, &root, &root_key, SerialEntropy::new(octets(2)), NOW - DAY, 50 * DAY).unwrap()
}

/// Lints a device twin after `change`; the meaning stays what it was. Returns the field that the lint named, or "" when it found nothing.
fn field_found(change: impl FnOnce(&mut CertificateParams)) -> &'static str {
    let issuing = authority();
    let key = SubjectKey::from_spki(&TestSigner::new().public_key).unwrap();
    field_found_with(&issuing, &key, &key, (NOW, NOW + DAY), change)
}

fn field_found_with(
    issuing: &CaCertificate,
    meant_key: &SubjectKey,
    used_key: &SubjectKey,
    (not_before, not_after): (i64, i64),
    change: impl FnOnce(&mut CertificateParams),
) -> &'static str {
    let names = Names::Device(DeviceName::new("pump-7").unwrap());
    let serial = SerialEntropy::new(octets(3)).into_octets();
    let mut params = Profile::device().contents(&names).unwrap();
    params.serial_number = Some(serial.to_vec().into());
    params.not_before = calendar(not_before).unwrap();
    params.not_after = calendar(not_after).unwrap();
    params.key_identifier_method = KeyIdMethod::PreSpecified(meant_key.key_identifier());
    change(&mut params);
    let unsigned = Unsigned::new(SignatureAlgorithm::EcdsaP256Sha256, issuing.key());
    let twin = params.signed_by(used_key, &issuer(issuing, unsigned).unwrap()).unwrap();
    let meant = Meant { issuer: issuing, kind: ProfileKind::Device, names: &names, key: meant_key, serial: &serial, not_before, not_after };
    check(twin.der(), &meant).map_or_else(|error| error.field, |_| "")
}

#[test]
fn the_profiles_own_certificate_passes() {
    assert_eq!(field_found(|_| {}), "");
}

#[test]
fn every_changed_field_is_found() {
    assert_eq!(field_found(|params| params.serial_number = Some(octets(4).to_vec().into())), "serialNumber");
    assert_eq!(field_found(|params| params.not_after = calendar(NOW + DAY + 1).unwrap()), "validity");
    assert_eq!(field_found(|params| params.not_before = calendar(NOW - 1).unwrap()), "validity");
    assert_eq!(field_found(|params| params.distinguished_name.push(DnType::CommonName, "pump-8")), "subject");
    assert_eq!(field_found(|params| params.distinguished_name.push(DnType::OrganizationName, "Evil")), "subject");
    assert_eq!(field_found(|params| params.subject_alt_names.push(SanType::DnsName("evil".try_into().unwrap()))), "subjectAltName");
    assert_eq!(field_found(|params| drop(params.subject_alt_names.pop())), "subjectAltName");
    assert_eq!(field_found(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))), "basicConstraints");
    assert_eq!(field_found(|params| params.key_usages.push(KeyUsagePurpose::KeyCertSign)), "keyUsage");
    assert_eq!(field_found(|params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth)), "extKeyUsage");
    assert_eq!(field_found(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]), "extKeyUsage");
    assert_eq!(field_found(|params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::Other(vec![1, 2, 3]))), "extKeyUsage");
    assert_eq!(field_found(|params| params.key_identifier_method = KeyIdMethod::PreSpecified(vec![1; 20])), "subjectKeyIdentifier");
}

#[test]
fn a_missing_or_added_extension_is_found() {
    assert_eq!(field_found(|params| params.key_usages.clear()), "extensions");
    assert_eq!(field_found(|params| params.extended_key_usages.clear()), "extensions");
    assert_eq!(field_found(|params| params.subject_alt_names.clear()), "extensions");
    assert_eq!(field_found(|params| params.use_authority_key_identifier_extension = false), "extensions");
    assert_eq!(field_found(|params| params.is_ca = IsCa::NoCa), "subjectKeyIdentifier");
    let unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    assert_eq!(field_found(|params| params.custom_extensions.push(unknown)), "extensions");
    // DER of SEQUENCE { keyPurposeId clientAuth }: the same extension a second time.
    let again = CustomExtension::from_oid_content(&[2, 5, 29, 37], vec![0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2]);
    assert_ne!(field_found(|params| params.custom_extensions.push(again)), "");
}

#[test]
fn another_key_or_the_authoritys_own_is_found() {
    let issuing = authority();
    let [mine, other] = [(), ()].map(|()| SubjectKey::from_spki(&TestSigner::new().public_key).unwrap());
    let validity = (NOW, NOW + DAY);
    assert_eq!(field_found_with(&issuing, &mine, &other, validity, |_| {}), "subjectPublicKeyInfo");
    assert_eq!(field_found_with(&issuing, issuing.key(), issuing.key(), validity, |_| {}), "subjectPublicKeyInfo");
}

#[test]
fn validity_outside_the_authoritys_is_found() {
    let issuing = authority();
    let key = SubjectKey::from_spki(&TestSigner::new().public_key).unwrap();
    let bounds = issuing.leaf().validity();
    let found = |validity| field_found_with(&issuing, &key, &key, validity, |_| {});
    assert_eq!(found((bounds.not_before, bounds.not_after)), "");
    assert_eq!(found((bounds.not_before - 1, bounds.not_after)), "validity");
    assert_eq!(found((bounds.not_before, bounds.not_after + 1)), "validity");
    assert_eq!(found((NOW, NOW)), "validity");
}

#[test]
fn another_issuer_is_found() {
    let (issuing, other) = (authority(), {
        let key = TestSigner::new();
        create_root("Other", &key, SerialEntropy::new(octets(9)), NOW, DAY).unwrap()
    });
    let names = Names::Device(DeviceName::new("pump-7").unwrap());
    let key = SubjectKey::from_spki(&TestSigner::new().public_key).unwrap();
    let serial = SerialEntropy::new(octets(3)).into_octets();
    let mut params = Profile::device().contents(&names).unwrap();
    params.serial_number = Some(serial.to_vec().into());
    let twin = params.signed_by(&key, &issuer(&other, Unsigned::new(SignatureAlgorithm::EcdsaP256Sha256, other.key())).unwrap()).unwrap();
    let meant = Meant {
        issuer: &issuing,
        kind: ProfileKind::Device,
        names: &names,
        key: &key,
        serial: &serial,
        not_before: NOW,
        not_after: NOW + DAY,
    };
    assert_eq!(check(twin.der(), &meant).unwrap_err().field, "issuer");
}

#[test]
fn serial_numbers_are_positive_and_twenty_octets_whatever_is_drawn() {
    for drawn in [[0; 20], [0xff; 20], octets(5)] {
        let octets = SerialEntropy::new(drawn).into_octets();
        assert!((0x40..0x80).contains(&octets[0]), "{octets:?}");
        assert_eq!(octets[1..], drawn[1..]);
    }
}
