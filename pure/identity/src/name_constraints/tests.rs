//! What is stricter than the RFC, and what is refused; the comparison with OpenSSL is in `tests/name_constraints.rs`.

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, SanType};

use super::*;

fn leaf(change: impl FnOnce(&mut CertificateParams)) -> Leaf {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap()
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag, u8::try_from(content.len()).unwrap()];
    der.extend(content);
    der
}

/// Permitted (0xa0) or excluded (0xa1) subtrees of one tag.
fn constraints(list: u8, tag: u8, bases: &[&[u8]]) -> Result<Option<NameConstraints>, IdentityError> {
    let subtrees: Vec<u8> = bases.iter().flat_map(|base| element(0x30, &element(tag, base))).collect();
    of_value(element(0x30, &element(list, &subtrees)))
}

fn of_value(value: Vec<u8>) -> Result<Option<NameConstraints>, IdentityError> {
    NameConstraints::of(&leaf(|params| {
        params.distinguished_name.push(DnType::CommonName, "Acme CA");
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 30], value)];
    }))
}

const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;

fn named(cn: &str) -> Leaf {
    leaf(|params| params.distinguished_name.push(DnType::CommonName, cn))
}

#[test]
fn a_common_name_that_looks_like_a_dns_name_is_judged_as_one() {
    let only = constraints(PERMITTED, san::DNS, &[b"acme.example"]).unwrap().unwrap();
    let never = constraints(EXCLUDED, san::DNS, &[b"acme.example"]).unwrap().unwrap();
    for (cn, is_permitted, is_excluded) in [
        ("pump-7.acme.example", true, true),
        ("acme.example", true, true),
        ("PUMP-7.ACME.EXAMPLE.", true, true),
        ("pump-7.other.example", false, false),
        ("pump-7.evilacme.example", false, false),
        ("*.example", false, true),
        ("10.0.0.7", false, false),
        // No DNS names: nothing is said about them.
        ("pump-7", true, false),
        ("Pump 7, acme.example", true, false),
        ("a..b", true, false),
    ] {
        assert_eq!(only.check(&named(cn)).is_ok(), is_permitted, "permitted, {cn}");
        assert_eq!(never.check(&named(cn)).is_err(), is_excluded, "excluded, {cn}");
    }
    let error = only.check(&named("pump.other.example")).unwrap_err().to_string();
    assert_eq!(
        error,
        "the certificate names the DNS name `pump.other.example`, which its authority `CN=Acme CA` may not vouch for: it lies in none of the permitted subtrees"
    );
}

#[test]
fn a_leading_dot_means_below_and_not_the_domain_itself() {
    let below = constraints(PERMITTED, san::DNS, &[b".acme.example"]).unwrap().unwrap();
    for (dns, expected) in [("pump.acme.example", true), ("acme.example", false), (".acme.example", false), ("xacme.example", false)] {
        let leaf = leaf(|params| params.subject_alt_names = vec![SanType::DnsName(dns.try_into().unwrap())]);
        assert_eq!(below.check(&leaf).is_ok(), expected, "{dns}");
    }
}

#[test]
fn without_the_extension_there_are_none() {
    assert_eq!(NameConstraints::of(&named("CA")), Ok(None));
}

#[test]
fn constraints_that_cannot_be_understood_are_refused() {
    let base = element(san::DNS, b"a");
    for (value, expected) in [
        (element(0x30, &[]), "found no subtree"),
        (element(0x30, &element(PERMITTED, &[])), "found an empty list"),
        (element(0x30, &element(0xa2, &[])), "follow after its end"),
        (element(0x30, &element(PERMITTED, &element(0x30, &[base.clone(), vec![0x80, 1, 1]].concat()))), "a minimum other than 0"),
        (element(0x30, &element(PERMITTED, &element(0x30, &[base.clone(), vec![0x81, 1, 1]].concat()))), "follow after its end"),
        (element(0x30, &element(PERMITTED, &element(0x30, &element(0x8f, b"a")))), "a form of name that does not exist"),
        (element(0x30, &element(PERMITTED, &element(0x30, &element(san::IP, &[10, 0, 0, 0])))), "neither 8 nor 32 octets"),
        (element(0x30, &element(PERMITTED, &element(0x30, &element(san::IP, &[10, 0, 0, 0, 255, 0, 255, 0])))), "a one after a zero"),
        (element(0x30, &element(PERMITTED, &element(0x30, &element(san::IP, &[10, 0, 0, 0, 255, 127, 0, 0])))), "a one after a zero"),
    ] {
        let error = of_value(value).unwrap_err().to_string();
        assert!(error.starts_with("the certificate's nameConstraints cannot be read: ") && error.contains(expected), "{error}");
    }
    assert!(of_value(element(0x30, &element(PERMITTED, &element(0x30, &[base, vec![0x80, 1, 0]].concat())))).is_ok());
}

#[test]
fn what_has_no_host_cannot_be_judged_and_is_refused() {
    for list in [PERMITTED, EXCLUDED] {
        let uris = constraints(list, san::URI, &[b".acme.example"]).unwrap().unwrap();
        for uri in [
            "urn:signet:device:pump-7",
            "spiffe://10.0.0.7/a",
            "spiffe://[::1]/a",
            "spiffe://",
            "spiffe://a%2eacme.example/",
            "spiffe://@/",
        ] {
            let leaf = leaf(|params| params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())]);
            assert!(uris.check(&leaf).unwrap_err().to_string().contains("no host name"), "{uri}");
        }
        let mails = constraints(list, san::EMAIL, &[b"acme.example"]).unwrap().unwrap();
        let leaf = leaf(|params| params.subject_alt_names = vec![SanType::Rfc822Name("nobody".try_into().unwrap())]);
        assert!(mails.check(&leaf).unwrap_err().to_string().contains("no e-mail address"));
    }
}

#[test]
fn a_form_that_nobody_can_compare_is_refused_where_it_is_constrained() {
    let other = constraints(PERMITTED, san::REGISTERED_ID, &[&[0x2a]]).unwrap().unwrap();
    let holds = leaf(|params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], vec![0x30, 3, 0x88, 1, 0x2a])];
    });
    assert!(other.check(&holds).is_err());
    assert!(other.check(&named("x")).is_ok());
}

#[test]
fn comparisons_are_bounded() {
    let bases: Vec<&[u8]> = vec![b"a"; 20];
    let constraints = constraints(EXCLUDED, san::DNS, &bases).unwrap().unwrap();
    let many = |count: usize| leaf(|params| params.subject_alt_names = vec![SanType::DnsName("b".try_into().unwrap()); count]);
    assert!(constraints.check(&many(12_500)).is_ok());
    assert!(constraints.check(&many(12_501)).unwrap_err().to_string().contains("250000 comparisons"));
}
