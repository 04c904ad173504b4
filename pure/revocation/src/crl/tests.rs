//! CRLs made by rcgen, and CRLs put together octet by octet for what rcgen does not write.

use rcgen::{CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, KeyUsagePurpose, RevocationReason};

use super::*;
use crate::index::RevocationIndex;
use crate::list::ListSource;
use crate::reason::Reason;
use crate::testing::*;

#[test]
fn a_crl_is_read_and_verified() {
    let ca = authority("Issuing CA");
    let mut params = params(18, [3, 1, 2]);
    params.revoked_certs.push(entry(0x9f01, Some(RevocationReason::KeyCompromise)));
    let crl = crl_of(&ca, &params);
    assert_eq!(crl.issuer(), certificate_of(&ca).name());
    assert_eq!(crl.issuer_text(), "CN=Issuing CA");
    assert_eq!(
        crl.status(),
        CrlStatus { number: Some(18.into()), base_number: None, this_update: NEW_YEAR, next_update: Some(NEW_YEAR + 7 * DAY), entries: 4 }
    );
    assert_eq!(crl.ids().collect::<Vec<_>>(), [1, 2, 3, 0x9f01].map(|number| id_of(&ca, number)));
    let index = RevocationIndex::new().with_crl(crl, ListSource::new("test")).unwrap();
    let revoked = index.lookup(&id_of(&ca, 0x9f01)).unwrap();
    assert_eq!((revoked.reason, revoked.since), (Reason::KeyCompromise, NEW_YEAR - DAY));
}

#[test]
fn a_pem_file_may_hold_several_crls_and_other_blocks() {
    let (first, second) = (authority("First"), authority("Second"));
    let pem = [
        "0 is the first character of this preamble\n".to_owned(),
        first.as_ref().pem(),
        params(1, [1]).signed_by(&first).unwrap().pem().unwrap(),
        params(2, []).signed_by(&second).unwrap().pem().unwrap(),
    ]
    .concat();
    let crls = Crl::parse_pem_or_der(pem.as_bytes(), &[certificate_of(&second), certificate_of(&first)], &P256).unwrap();
    assert_eq!(crls.iter().map(|crl| (crl.issuer_text(), crl.status().entries)).collect::<Vec<_>>(), [("CN=First", 1), ("CN=Second", 0)]);
    // One bad CRL refuses the file: half of it must not come into force.
    assert!(Crl::parse_pem_or_der(pem.as_bytes(), &[certificate_of(&first)], &P256).is_err());
}

fn refusal(ca: &Authority, bytes: &[u8]) -> String {
    parse(ca, bytes).unwrap_err().to_string()
}

#[test]
fn files_without_a_crl_say_what_they_hold() {
    let ca = authority("CA");
    assert!(refusal(&ca, b"").starts_with("no CRL found: the file is empty; expected a PEM block"));
    assert!(refusal(&ca, b"garbage").starts_with("no CRL found: found neither PEM nor DER"));
    assert!(refusal(&ca, b"0 garbage").starts_with("the CRL's DER cannot be read"));
    let cut = refusal(&ca, b"-----BEGIN X509 CRL-----\nMIHU");
    assert_eq!(cut, "the CRL's PEM cannot be read: a block has no END line, the file may be cut off");
    assert!(refusal(&ca, ca.as_ref().pem().as_bytes()).starts_with("no CRL found: found a PEM block `CERTIFICATE`"));
}

#[test]
fn a_half_written_file_is_refused() {
    let ca = authority("CA");
    let crl = params(1, 1..50).signed_by(&ca).unwrap();
    let (pem, der) = (crl.pem().unwrap(), crl.der().to_vec());
    for end in 0..der.len() {
        assert!(parse(&ca, &der[..end]).is_err(), "{end} of {} bytes", der.len());
    }
    // Up to the end of the END line's dashes; the line feed after it may be missing.
    for end in (0..pem.trim_end().len()).step_by(7) {
        assert!(parse(&ca, &pem.as_bytes()[..end]).is_err(), "{end} of {} bytes", pem.len());
    }
}

#[test]
fn a_wrong_issuer_is_named_with_those_at_hand() {
    let (ca, other) = (authority("Issuing CA"), authority("Another"));
    let der = der_of(&ca, &params(1, [1]));
    assert_eq!(
        refusal(&other, &der),
        "the CRL is issued by `CN=Issuing CA`, but the CA certificates at hand are `CN=Another`; add the issuer's certificate, or remove this CRL"
    );
    assert!(Crl::parse_pem_or_der(&der, &[], &P256).unwrap_err().to_string().contains("at hand are none"));
}

#[test]
fn a_signature_by_another_key_under_the_same_name_is_refused() {
    let (ca, impostor) = (authority("Issuing CA"), authority("Issuing CA"));
    let der = der_of(&impostor, &params(1, [1]));
    assert!(matches!(parse(&ca, &der), Err(CrlError::BadSignature { .. })));
    // Both certificates at hand, as after a change of keys: the one that fits is found.
    let both = [certificate_of(&ca), certificate_of(&impostor)];
    assert_eq!(Crl::parse_pem_or_der(&der, &both, &P256).unwrap().len(), 1);
}

#[test]
fn any_changed_bit_is_noticed() {
    let ca = authority("CA");
    let der = der_of(&ca, &params(1, [1]));
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        assert!(parse(&ca, &changed).is_err(), "byte {at}");
    }
}

#[test]
fn an_issuer_without_crl_sign_is_refused() {
    let full = authority("CA");
    let der = der_of(&full, &params(1, [1]));
    let weak = authority_with("CA", vec![KeyUsagePurpose::KeyCertSign]);
    assert_eq!(
        refusal(&weak, &der),
        "the CRL is issued by `CN=CA`, whose certificate does not allow that: its keyUsage lacks cRLSign, or is absent and it is no CA"
    );
}

#[test]
fn a_crl_for_a_part_of_the_certificates_says_which() {
    let ca = authority("CA");
    for (scope, expected) in [
        (Some(CrlScope::UserCertsOnly), "end-entity certificates of http://crl.example/1"),
        (Some(CrlScope::CaCertsOnly), "CA certificates of http://crl.example/1"),
        (None, "all certificates of http://crl.example/1"),
    ] {
        let mut params = params(1, [1]);
        let distribution_point = CrlDistributionPoint { uris: vec!["http://crl.example/1".to_owned()] };
        params.issuing_distribution_point = Some(CrlIssuingDistributionPoint { distribution_point, scope });
        assert_eq!(crl_of(&ca, &params).scope().to_string(), expected);
    }
}

// --- CRLs put together octet by octet; the signature is not looked at

#[test]
fn a_version_1_crl_without_number_and_next_update_is_read() {
    let ca = authority("CA");
    let crl =
        Sketch { version_1: true, without_next_update: true, entries: vec![revoked(&[7], &[])], ..Sketch::default() }.read(&ca).unwrap();
    assert_eq!(crl.status(), CrlStatus { number: None, base_number: None, this_update: NEW_YEAR, next_update: None, entries: 1 });
    assert!(
        Sketch { version_1: true, extensions: vec![extension(&[1], false, &[])], ..Sketch::default() }
            .read(&ca)
            .unwrap_err()
            .contains("a version 1 CRL has none")
    );
    assert!(
        Sketch { version_1: true, entries: vec![revoked(&[7], &[reason(1)])], ..Sketch::default() }
            .read(&ca)
            .unwrap_err()
            .contains("a version 1 CRL has none")
    );
}

#[test]
fn serial_numbers_compare_without_their_sign_octet() {
    let ca = authority("CA");
    let entries = vec![revoked(&[0, 0x9f, 1], &[]), revoked(&[0x8f, 2], &[]), revoked(&[0, 0, 5], &[])];
    let crl = Sketch { entries, ..Sketch::default() }.read(&ca).unwrap();
    assert_eq!(crl.ids().collect::<Vec<_>>(), [5, 0x8f02, 0x9f01].map(|number| id_of(&ca, number)));
    let too_long = Sketch { entries: vec![revoked(&[1; 21], &[])], ..Sketch::default() };
    assert!(too_long.read(&ca).unwrap_err().contains("userCertificate cannot be read: expected 1 to 20 octets"));
}

#[test]
fn reasons_are_read_and_remove_from_crl_is_no_revocation() {
    let ca = authority("CA");
    let entries = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10].map(|code| revoked(&[code], &[reason(code)])).to_vec();
    let crl = Sketch { entries, ..Sketch::default() }.read(&ca).unwrap();
    let index = RevocationIndex::new().with_crl(crl, ListSource::new("test")).unwrap();
    assert_eq!(index.len(), 9);
    for known in Reason::ALL {
        let expected = (known != Reason::RemoveFromCrl).then_some(known);
        assert_eq!(index.lookup(&id_of(&ca, known.code().into())).map(|revoked| revoked.reason), expected);
    }
    for code in [7, 11, 0xff] {
        assert!(
            Sketch { entries: vec![revoked(&[1], &[reason(code)])], ..Sketch::default() }
                .read(&ca)
                .unwrap_err()
                .contains("reasonCode cannot be read")
        );
    }
}

#[test]
fn what_is_not_understood_and_critical_refuses_the_crl() {
    let ca = authority("CA");
    let number = |value: &[u8]| extension(OID_CRL_NUMBER, false, value);
    let point = |value: &[u8]| extension(OID_ISSUING_DISTRIBUTION_POINT, true, &element(0x30, value));
    let cases = [
        (extension(&[0x2a, 3], true, &[5, 0]), Some("has the critical extension 1.2.3, which is not supported")),
        (extension(&[0x2a, 3], false, &[5, 0]), None),
        (extension(OID_DELTA_CRL_INDICATOR, true, &[2, 1, 1]), Some("crlNumber cannot be read: a delta CRL has one")),
        (extension(OID_DELTA_CRL_INDICATOR, true, &[2, 1, 0x81]), Some("deltaCRLIndicator cannot be read: found a negative number")),
        ([extension(OID_DELTA_CRL_INDICATOR, true, &[2, 1, 1]), number(&[2, 1, 2])].concat(), None),
        (extension(OID_FRESHEST_CRL, false, &[0x30, 0]), None),
        (point(&[]), None),
        (point(&[0x81, 1, 0, 0x84, 1, 0]), None),
        (point(&[0x81, 1, 0xff]), None),
        (point(&[0x83, 2, 1, 0x40]), None),
        (point(&[0x84, 1, 0xff]), None),
        (point(&[0x85, 1, 0xff]), None),
        (point(&[0x81, 1, 0xff, 0x82, 1, 0xff]), Some("found more than one of the fields onlyContains")),
        (point(&[0x81, 1, 1]), Some("expected a BOOLEAN of 0x00 or 0xff")),
        (point(&[0x82, 1, 0, 0x81, 1, 0]), Some("issuingDistributionPoint cannot be read")),
        (point(&[0xa0, 0]), Some("issuingDistributionPoint cannot be read")),
        (point(&[0x9e, 0]), Some("issuingDistributionPoint cannot be read")),
        ([point(&[]), point(&[])].concat(), Some("issuingDistributionPoint cannot be read: the extension is there twice")),
        (number(&[2, 1, 7]), None),
        (number(&[2, 1, 0x87]), Some("crlNumber cannot be read: found a negative number")),
        (number(&[2, 0]), Some("crlNumber cannot be read")),
        ([number(&[2, 1, 1]), number(&[2, 1, 2])].concat(), Some("crlNumber cannot be read: the extension is there twice")),
    ];
    for (extension, expected) in cases {
        let read = Sketch { extensions: vec![extension.clone()], ..Sketch::default() }.read(&ca);
        match expected {
            None => assert!(read.is_ok(), "{extension:02x?}: {read:?}"),
            Some(expected) => assert!(read.as_ref().is_err_and(|error| error.contains(expected)), "{extension:02x?}: {read:?}"),
        }
    }
    for (extension, expected) in [
        (extension(&[0x55, 0x1d, 29], true, &[0x30, 0]), "without being an indirect CRL"),
        (extension(&[0x2a, 3], true, &[5, 0]), "critical extension 1.2.3"),
    ] {
        let error = Sketch { entries: vec![revoked(&[1], &[extension])], ..Sketch::default() }.read(&ca).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let harmless = extension(&[0x55, 0x1d, 24], false, &element(der::GENERALIZED_TIME, b"20251201000000Z"));
    assert!(Sketch { entries: vec![revoked(&[1], &[harmless])], ..Sketch::default() }.read(&ca).is_ok());
}

#[test]
fn a_signature_algorithm_inside_that_differs_from_the_one_outside_is_refused() {
    let ca = authority("CA");
    let mut der = Sketch::default().der(&ca);
    let inside = der.windows(ALGORITHM.len()).position(|window| window == ALGORITHM).unwrap();
    der[inside + ALGORITHM.len() - 1] = 3;
    let error = Crl::parse_pem_or_der(&der, &[certificate_of(&ca)], &AcceptAll).unwrap_err();
    assert!(error.to_string().contains("it differs from signatureAlgorithm"), "{error}");
}

/// Changed CRLs never panic, whatever the verifier says.
#[test]
fn mutated_crls_never_panic() {
    let ca = authority("CA");
    let issuers = [certificate_of(&ca)];
    let point = extension(OID_ISSUING_DISTRIBUTION_POINT, true, &element(0x30, &[0x81, 1, 0]));
    let sketch = Sketch {
        entries: vec![revoked(&[0, 0x9f], &[reason(1)]), revoked(&[2], &[])],
        extensions: vec![point, extension(OID_CRL_NUMBER, false, &[2, 1, 7])],
        ..Sketch::default()
    };
    let original = sketch.der(&ca);
    let pem = params(1, [1, 2]).signed_by(&ca).unwrap().pem().unwrap().into_bytes();
    let mut state = 0x5161_6e65_7400_0002_u64;
    let mut below = |limit: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % limit
    };
    let mut accepted = 0;
    for round in 0..60_000 {
        let mut bytes = if round % 8 == 0 { pem.clone() } else { original.clone() };
        for _ in 0..=below(3) {
            let at = below(bytes.len());
            match below(5) {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes[at] = u8::try_from(below(256)).unwrap(),
                2 if bytes.len() > 1 => drop(bytes.remove(at)),
                3 => bytes.insert(at, u8::try_from(below(256)).unwrap()),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Ok(crls) = Crl::parse_pem_or_der(&bytes, &issuers, &AcceptAll) {
            accepted += crls.len();
            for crl in crls {
                let _ = format!("{crl:?}");
                let index = RevocationIndex::new().with_crl(crl, ListSource::new("test")).unwrap();
                assert!(index.len() <= 4);
            }
        }
    }
    assert!(accepted > 1_000, "only {accepted} mutations were accepted: what comes after the header hardly ran");
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), as_der in proptest::bool::ANY) {
        if as_der {
            bytes.splice(0..0, [0x30, 0x81, u8::try_from(bytes.len().min(255)).unwrap()]);
        }
        let _ = Crl::parse_pem_or_der(&bytes, &[], &AcceptAll);
    }
}
