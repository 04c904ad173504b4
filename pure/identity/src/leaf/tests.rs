//! Leaves made by rcgen: what is read, what is refused, and that no bytes can make the reader panic.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};

use super::read::{KEY_USAGE_DIGITAL_SIGNATURE, OID_KEY_USAGE, key_usage};
use super::*;
use crate::certificate_id::SerialNumber;

fn der_of(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "pump-7");
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn leaf_of(change: impl FnOnce(&mut CertificateParams)) -> Leaf {
    Leaf::parse(&der_of(change)).unwrap()
}

fn rich() -> Vec<u8> {
    der_of(|params| {
        params.serial_number = Some(vec![0, 0x9f, 0x01].into());
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2060, 1, 1);
        params.distinguished_name.push(DnType::OrganizationalUnitName, "Hall 3");
        params.distinguished_name.push(DnType::OrganizationalUnitName, DnValue::BmpString("Tor 1".try_into().unwrap()));
        params.subject_alt_names = vec![
            SanType::DnsName("pump-7.example".try_into().unwrap()),
            SanType::URI("urn:signet:device:pump-7".try_into().unwrap()),
            SanType::Rfc822Name("pump@example.com".try_into().unwrap()),
            SanType::IpAddress([10, 0, 0, 7].into()),
            SanType::IpAddress("2001:db8::7".parse().unwrap()),
            SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], rcgen::OtherNameValue::Utf8String("x".to_owned()))),
        ];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.is_ca = IsCa::ExplicitNoCa;
    })
}

#[test]
fn the_facts_of_a_device_certificate() {
    let der = rich();
    let leaf = Leaf::parse(&der).unwrap();
    assert_eq!(leaf.id().serial().to_string(), "9F:01");
    assert_eq!(leaf.issuer_name_digest(), leaf.subject_name_digest());
    assert_eq!(leaf.subject().cn(), Some("pump-7"));
    assert_eq!(leaf.subject().rdns().len(), 2, "rcgen keeps one attribute of a type");
    assert_eq!(leaf.subject().attribute("ou"), Some("Tor 1"));
    assert_eq!(leaf.issuer(), leaf.subject());
    assert_eq!(
        leaf.san(),
        [
            SubjectAltName::Dns("pump-7.example".to_owned()),
            SubjectAltName::Uri("urn:signet:device:pump-7".to_owned()),
            SubjectAltName::Email("pump@example.com".to_owned()),
            SubjectAltName::Ip("10.0.0.7".parse().unwrap()),
            SubjectAltName::Ip("2001:db8::7".parse().unwrap()),
            SubjectAltName::OtherName {
                type_id: "1.3.6.1.4.1.311.20.2.3".to_owned(),
                text: Some("x".to_owned()),
                der: vec![0x0c, 1, b'x'],
            },
        ]
    );
    assert_eq!(leaf.validity(), Validity { not_before: 1_767_225_600, not_after: 2_840_140_800 });
    assert_eq!((leaf.version(), leaf.key_kind(), leaf.is_ca()), (3, "P-256", false));
    assert!(leaf.allows_client_auth() && !leaf.allows_server_auth() && leaf.allows_digital_signature());
    assert!(!leaf.allows_certificate_sign() && !leaf.allows_crl_sign());
    assert_eq!(leaf.der(), der);
    assert_eq!(leaf.fingerprint().as_bytes()[..], Sha256::digest(&der)[..]);
    assert_eq!(leaf.fingerprint().to_string().len(), 64);
    assert_eq!(leaf.spki_digest().as_bytes()[..], Sha256::digest(leaf.spki())[..]);
    assert!(format!("{leaf:?}").contains("pump-7"));
}

#[test]
fn without_extensions_every_use_is_allowed() {
    let leaf = leaf_of(|_| {});
    assert!(leaf.allows_client_auth() && leaf.allows_server_auth() && leaf.allows_digital_signature() && leaf.allows_crl_sign());
    assert!(!leaf.is_ca() && leaf.san().is_empty());
}

#[test]
fn any_extended_key_usage_does_not_stand_for_client_auth() {
    let leaf = leaf_of(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]);
    assert!(!leaf.allows_client_auth() && !leaf.allows_server_auth());
}

#[test]
fn a_ca_certificate_is_recognised() {
    let leaf = leaf_of(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    });
    assert!(leaf.is_ca() && leaf.allows_certificate_sign() && leaf.allows_crl_sign() && !leaf.allows_digital_signature());
}

#[test]
fn key_kinds_have_short_names() {
    for (algorithm, kind) in
        [(&rcgen::PKCS_ED25519, "Ed25519"), (&rcgen::PKCS_ECDSA_P384_SHA384, "P-384"), (&rcgen::PKCS_ECDSA_P521_SHA512, "P-521")]
    {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let der = CertificateParams::default().self_signed(&key).unwrap().der().to_vec();
        assert_eq!(Leaf::parse(&der).unwrap().key_kind(), kind);
    }
}

fn refusal(der: &[u8]) -> String {
    Leaf::parse(der).unwrap_err().to_string()
}

#[test]
fn a_malformed_extension_is_refused_by_its_name() {
    let cases: [(&[u64], &[u8], &str); 15] = [
        (&[2, 5, 29, 17], &[0x30, 0], "subjectAltName cannot be read: found no name"),
        (&[2, 5, 29, 17], &[0x30, 3, 0x87, 1, 9], "subjectAltName cannot be read: found an IP address of neither 4 nor 16"),
        (&[2, 5, 29, 17], &[0x30, 3, 0x82, 1, 0xff], "subjectAltName cannot be read: found characters outside ASCII"),
        (&[2, 5, 29, 17], &[0x30, 3, 0x8f, 1, b'a'], "subjectAltName cannot be read: found a form of name"),
        (&[2, 5, 29, 15], &[4, 1, 0], "keyUsage cannot be read: expected tag 0x03, found 0x04"),
        (&[2, 5, 29, 15], &[3, 1, 9], "keyUsage cannot be read: expected a BIT STRING"),
        (&[2, 5, 29, 37], &[0x30, 2, 5, 0], "extKeyUsage cannot be read: expected tag 0x06, found 0x05"),
        (&[2, 5, 29, 19], &[0x30, 3, 1, 1, 7], "basicConstraints cannot be read: expected a BOOLEAN"),
        (&[2, 5, 29, 19], &[0x30, 0, 0], "basicConstraints cannot be read: 1 bytes follow"),
        (&[2, 5, 29, 19], &[0x30, 6, 1, 1, 0xff, 2, 1, 0xff], "basicConstraints cannot be read: found a pathLenConstraint below"),
        (&[2, 5, 29, 37], &[0x30, 0], "extKeyUsage cannot be read: found no purpose"),
        (&[2, 5, 29, 37], &[0x30, 4, 6, 2, 0x2a, 0x80], "extKeyUsage cannot be read: found a malformed OBJECT"),
        (&[2, 5, 29, 17], &[0x30, 4, 0xa4, 2, 0x31, 0], "subjectAltName cannot be read: expected tag 0x30"),
        (&[2, 5, 29, 17], &[0x30, 4, 0xa0, 2, 6, 0], "subjectAltName cannot be read: found a malformed OBJECT"),
        (&[2, 5, 29, 17], &[0x30, 9, 0xa0, 7, 6, 1, 0x2a, 0xa0, 2, 5, 0, 0], "subjectAltName cannot be read: "),
    ];
    for (oid, content, expected) in cases {
        let der = der_of(|params| params.custom_extensions = vec![CustomExtension::from_oid_content(oid, content.to_vec())]);
        let error = refusal(&der);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_repeated_extension_is_refused() {
    let der = der_of(|params| {
        params.subject_alt_names = vec![SanType::DnsName("a".try_into().unwrap())];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 3, 0x82, 1, b'b'])];
    });
    assert_eq!(refusal(&der), "the certificate's subjectAltName cannot be read: the extension is there twice");
}

#[test]
fn bytes_that_are_no_certificate_are_refused() {
    assert!(refusal(b"").starts_with("the certificate's DER cannot be read"));
    assert!(refusal(b"-----BEGIN CERTIFICATE-----").starts_with("the certificate's DER cannot be read"));
    let mut der = rich();
    der.push(0);
    assert_eq!(refusal(&der), "the certificate's DER cannot be read: 1 bytes follow after its end");
    assert_eq!(refusal(&vec![0x30; Leaf::MAXIMUM_SIZE + 1]), "the certificate has 65537 bytes, more than the limit of 65536");
}

#[test]
fn a_serial_number_of_more_than_20_octets_is_refused() {
    let der = der_of(|params| params.serial_number = Some(vec![1; 21].into()));
    assert_eq!(refusal(&der), "the certificate's serialNumber cannot be read: expected 1 to 20 octets");
}

#[test]
fn every_truncation_is_refused() {
    let der = rich();
    for end in 0..der.len() {
        assert!(Leaf::parse(&der[..end]).is_err(), "{end} of {} bytes", der.len());
    }
}

/// Small, repeatable randomness for mutations: xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % limit
    }
}

/// Mutated certificates never panic, and what is still accepted is read the same by an independent reader.
#[test]
fn mutated_certificates_are_read_as_x509_parser_reads_them_or_refused() {
    use x509_parser::prelude::{FromDer as _, X509Certificate};
    let original = rich();
    let mut random = Random(0x5161_6e65_7400_0001);
    let mut accepted = 0;
    for _ in 0..60_000 {
        let mut der = original.clone();
        for _ in 0..=random.below(3) {
            if der.len() < 2 {
                break;
            }
            let at = random.below(der.len());
            match random.below(5) {
                0 => der[at] ^= 1 << random.below(8),
                1 => der[at] = u8::try_from(random.below(256)).unwrap(),
                2 => drop(der.remove(at)),
                3 => der.insert(at, u8::try_from(random.below(256)).unwrap()),
                _ => der.truncate(at.max(1)),
            }
        }
        let Ok(leaf) = Leaf::parse(&der) else { continue };
        accepted += 1;
        // Every text that a log line or a template may ask for, for its panics alone.
        let _ = (format!("{leaf:?}"), leaf.subject().rfc4514(), leaf.issuer().rfc4514());
        let Ok((_, other)) = X509Certificate::from_der(&der) else { continue };
        assert_eq!(
            leaf.id(),
            CertificateId::new(NameDigest::of(other.issuer().as_raw()), SerialNumber::from_der_integer(other.raw_serial()).unwrap())
        );
        assert_eq!(leaf.subject_name_digest(), NameDigest::of(other.subject().as_raw()));
        assert_eq!(
            (leaf.validity().not_before, leaf.validity().not_after),
            (other.validity().not_before.timestamp(), other.validity().not_after.timestamp())
        );
        assert_eq!(leaf.spki(), other.public_key().raw);
        assert_eq!(u32::from(leaf.version()), other.version().0 + 1);
        assert_eq!(leaf.is_ca(), other.is_ca());
    }
    assert!(accepted > 5_000, "only {accepted} mutations were accepted: the comparison hardly ran");
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = Leaf::parse(&bytes);
    }
}

#[test]
fn an_extension_is_found_by_its_oid() {
    let leaf = Leaf::parse(&rich()).unwrap();
    let usage = leaf.extension(OID_KEY_USAGE).unwrap();
    assert!(usage.critical);
    assert_eq!(key_usage(usage.value), Ok(KEY_USAGE_DIGITAL_SIGNATURE));
    assert_eq!(leaf.extension(&[0x55, 0x1d, 0x7f]), None);
    assert_eq!(leaf_of(|_| {}).extension(OID_KEY_USAGE), None);
}

#[test]
fn the_signature_algorithm_that_nobody_signs_has_to_be_the_signed_one() {
    let der = rich();
    // ecdsa-with-SHA256 stands twice; the second is outside of what is signed.
    let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let places: Vec<usize> = (0..der.len()).filter(|at| der[*at..].starts_with(&oid)).collect();
    assert_eq!(places.len(), 2);
    for place in places {
        let mut changed = der.clone();
        changed[place + 7] = 4;
        let error = refusal(&changed);
        assert!(error.contains("signatureAlgorithm cannot be read: it is another one than `signature`"), "{error}");
    }
    assert_eq!(Leaf::parse(&der).unwrap().signature_algorithm().to_string(), "ecdsa-with-SHA256");
}

#[test]
fn what_a_trust_profile_asks_for() {
    let leaf = Leaf::parse(&rich()).unwrap();
    assert_eq!((leaf.key_algorithm(), leaf.key_bits()), (&KeyAlgorithm::Ec, Some(256)));
    assert_eq!(leaf.validity().seconds(), 2_840_140_800 - 1_767_225_600);
    assert_eq!((leaf.path_length(), leaf.extended_key_usages()), (None, vec!["1.3.6.1.5.5.7.3.2".to_owned()]));
    let authority = leaf_of(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    assert_eq!((authority.path_length(), authority.extended_key_usages()), (Some(0), vec![]));
    assert_eq!(leaf_of(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)).path_length(), None);
    assert_eq!(leaf.authority_id(), AuthorityId { name: leaf.subject_name_digest(), key: leaf.spki_digest() });
}
