//! What templates parse, render and refuse.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::field::EXAMPLES;
use super::*;
use crate::{ClientIdentifierBinding, DeviceName, Leaf, NamingRule};

fn leaf(change: impl FnOnce(&mut CertificateParams)) -> Leaf {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(vec![0x4f, 1].into());
    change(&mut params);
    Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap()
}

fn pump() -> Leaf {
    leaf(|params| {
        params.distinguished_name.push(DnType::OrganizationName, "Acme");
        params.distinguished_name.push(DnType::OrganizationalUnitName, "Hall 3");
        params.distinguished_name.push(DnType::CommonName, "pump-7");
        params.subject_alt_names = vec![
            SanType::URI("urn:signet:device:pump-7".try_into().unwrap()),
            SanType::DnsName("pump-7.example".try_into().unwrap()),
            SanType::Rfc822Name("pump@example.com".try_into().unwrap()),
            SanType::IpAddress([10, 0, 0, 7].into()),
        ];
    })
}

fn named(cn: &str) -> Leaf {
    leaf(|params| params.distinguished_name.push(DnType::CommonName, cn))
}

fn render(template: &str, leaf: &Leaf) -> Result<String, IdentityError> {
    Template::parse(template).unwrap().render(&Facts { leaf: Some(leaf), ..Facts::default() })
}

#[test]
fn every_field_has_its_value() {
    let leaf = pump();
    for (template, expected) in [
        ("${cert.cn}", "pump-7"),
        ("${cert.dn}", "CN=pump-7,OU=Hall 3,O=Acme"),
        ("${cert.o}", "Acme"),
        ("${cert.ou}", "Hall 3"),
        ("${cert.san.uri}", "urn:signet:device:pump-7"),
        ("${cert.san.dns}", "pump-7.example"),
        ("${cert.san.email}", "pump@example.com"),
        ("${cert.san.ip}", "10.0.0.7"),
        ("${cert.serial}", "4F:01"),
        ("${cert.fingerprint}", &leaf.fingerprint().to_string()),
        ("${cert.issuer.cn}", "pump-7"),
        ("${cert.issuer.dn}", "CN=pump-7,OU=Hall 3,O=Acme"),
        ("a-$${x}${cert.cn}$$", "a-${x}pump-7$"),
        ("plain", "plain"),
    ] {
        assert_eq!(render(template, &leaf).unwrap(), expected, "{template}");
    }
    let device = DeviceName::new("d").unwrap();
    let facts = Facts { leaf: Some(&leaf), device: Some(&device), username: Some("u"), client_identifier: Some("c"), ..Facts::default() };
    assert_eq!(Template::parse("${device}${username}${client_identifier}").unwrap().render(&facts).unwrap(), "duc");
}

#[test]
fn a_missing_field_is_an_error_that_names_it_and_never_a_claim() {
    let bare = leaf(|_| {});
    let always = ["serial", "fingerprint", "spki", "not_", "key", "pem", "der", "version"].map(|name| format!("${{cert.{name}"));
    for placeholder in EXAMPLES {
        let present = always.iter().any(|start| placeholder.starts_with(start.as_str()));
        let result = Template::parse(placeholder).unwrap().render_lines(&Facts { leaf: Some(&bare), ..Facts::default() });
        assert_eq!(result.is_ok(), present, "{placeholder}: {result:?}");
        if let Err(error) = result {
            assert!(matches!(&error, IdentityError::MissingField { field, .. } if field == placeholder), "{error}");
        }
    }
    // A certificate field with everything claimed but no certificate.
    let device = DeviceName::new("d").unwrap();
    let claims = Facts { device: Some(&device), username: Some("u"), client_identifier: Some("c"), now: Some(0), ..Facts::default() };
    for placeholder in EXAMPLES.into_iter().filter(|placeholder| placeholder.starts_with("${cert.")) {
        let error = Template::parse(placeholder).unwrap().render(&claims).unwrap_err();
        assert_eq!(error.to_string(), format!("`{placeholder}` has no value: the connection has no client certificate"));
    }
}

#[test]
fn empty_values_count_as_missing() {
    assert!(render("${cert.cn}", &named("")).unwrap_err().to_string().contains("it is empty"));
    let facts = Facts { username: Some(""), ..Facts::default() };
    assert!(Template::parse("${username}").unwrap().render(&facts).unwrap_err().to_string().contains("user name is empty"));
}

#[test]
fn a_value_with_a_hidden_character_is_refused() {
    for (cn, found) in [("a\0admin", "a NUL character"), ("a\nb", "U+000A"), ("a\u{202e}b", "U+202E"), ("\u{feff}a", "U+FEFF")] {
        let error = render("x${cert.cn}", &named(cn)).unwrap_err().to_string();
        assert!(error.contains(found) && error.contains("`${cert.cn}`") && !error.contains('\0'), "{error}");
    }
    let facts = Facts { username: Some("a\0"), ..Facts::default() };
    assert!(matches!(Template::parse("${username}").unwrap().render(&facts), Err(IdentityError::UnsafeValue { .. })));
}

#[test]
fn mistakes_have_a_place_and_a_nearest_name() {
    let error = |source: &str| Template::parse(source).unwrap_err();
    assert_eq!(error("").kind, TemplateErrorKind::Empty);
    assert_eq!(error("a${cert.cn").span, 1..10);
    assert_eq!(error("é$x").span, 2..3);
    assert_eq!(error("a$").kind, TemplateErrorKind::LoneDollar);
    assert_eq!(error(&"x".repeat(1025)).kind, TemplateErrorKind::TooLong);
    assert_eq!((error("a\nb").kind, error("a\nb").position()), (TemplateErrorKind::HiddenCharacter, 1));
    for (source, nearest) in [
        ("${cert.cnn}", Some("${cert.cn}")),
        ("x${Cert.CN}", Some("${cert.cn}")),
        ("${cn}", Some("${cert.cn}")),
        ("${clientid}", Some("${client_identifier}")),
        ("${client_identifer}", Some("${client_identifier}")),
        ("${cert.san.url}", Some("${cert.san.uri}")),
        ("${cert.san}", Some("${cert.san.uri}")),
        ("${cert.issuer-cn}", Some("${cert.issuer.cn}")),
        ("${}", None),
        ("${weather in the hall}", None),
    ] {
        let error = error(source);
        assert_eq!((error.kind, error.nearest), (TemplateErrorKind::UnknownField, nearest), "{source}");
    }
    assert_eq!(error("x${cert.cnn}y").to_string(), "unknown field `${cert.cnn}`; did you mean `${cert.cn}`?");
    assert_eq!(error("x${cert.cnn}y").span, 1..12);
    assert!(error("${nothing at all here}").to_string().ends_with("`${username}`, `${client_identifier}`"));
    assert_eq!(error("${cert.cn:lower | cert.ouu}").to_string(), "unknown field `cert.ouu`; did you mean `${cert.ou}`?");
}

#[test]
fn needs_certificate_looks_at_every_field() {
    let needs = |source: &str| Template::parse(source).unwrap().needs_certificate();
    assert!(needs("${username}${cert.cn}") && needs("${device}"));
    assert!(!needs("${username}") && !needs("x") && !needs("${client_identifier}"));
}

#[test]
fn a_device_is_named_by_its_certificate_alone() {
    let rule = |source: &str| NamingRule::new(Template::parse(source).unwrap());
    for source in ["${username}", "${client_identifier}", "${device}", "pump", "${cert.cn}${username}"] {
        let error = rule(source).unwrap_err();
        assert_eq!(error.kind, TemplateErrorKind::NotFromCertificate, "{source}");
    }
    assert_eq!(rule("${cert.cn}${username}").unwrap_err().span, 10..21);
    assert_eq!(rule("${cert.san.uri}").unwrap().name(&pump()).unwrap().as_str(), "urn:signet:device:pump-7");
    assert_eq!(NamingRule::default().name(&pump()).unwrap().as_str(), "pump-7");
    assert_eq!(NamingRule::default(), rule("${cert.cn}").unwrap());
}

#[test]
fn names_that_would_change_a_topic_are_refused() {
    for cn in ["a/b", "+", "#", "pump/#", "$SYS", "a\0b", "a\tb", &"x".repeat(129), ""] {
        assert!(NamingRule::default().name(&named(cn)).is_err(), "{cn:?}");
    }
    // A DN of several attributes in one RDN holds `+`.
    let dn = NamingRule::new(Template::parse("${cert.dn}").unwrap()).unwrap();
    assert!(matches!(dn.name(&named("a+b")), Err(IdentityError::InvalidDeviceName { .. })));
}

#[test]
fn a_client_identifier_is_bound_to_the_certificate() {
    let leaf = pump();
    let facts = Facts { leaf: Some(&leaf), client_identifier: Some("other"), ..Facts::default() };
    let template = || Template::parse("${cert.cn}").unwrap();
    let equals = ClientIdentifierBinding::Equals(template());
    let prefix = ClientIdentifierBinding::Prefix(template());
    assert!(ClientIdentifierBinding::Any.check(&facts, "anything").is_ok());
    assert!(equals.check(&facts, "pump-7").is_ok());
    for claimed in ["", "pump-70", "pump-7-a", "PUMP-7", "pump-7\0"] {
        let error = equals.check(&facts, claimed).unwrap_err().to_string();
        assert!(error.contains("entitles it to `pump-7`") && !error.contains('\0'), "{error}");
    }
    for claimed in ["pump-7", "pump-7-a", "pump-7/x", "pump-7:", "pump-7.1", "pump-7_b"] {
        assert!(prefix.check(&facts, claimed).is_ok(), "{claimed}");
    }
    for claimed in ["", "pump-70", "pump-", "xpump-7", "pump-7a", "pump-7 "] {
        assert!(prefix.check(&facts, claimed).is_err(), "{claimed}");
    }
}

#[test]
fn a_claim_cannot_prove_itself() {
    let binding = ClientIdentifierBinding::Equals(Template::parse("${client_identifier}").unwrap());
    let facts = Facts { client_identifier: Some("c"), ..Facts::default() };
    assert!(matches!(binding.check(&facts, "c"), Err(IdentityError::MissingField { .. })));
    let missing = ClientIdentifierBinding::Prefix(Template::parse("${cert.cn}").unwrap());
    assert!(missing.check(&facts, "c").is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_with_a_place_inside_it(source in ".{0,80}") {
        match Template::parse(&source) {
            Ok(template) => proptest::prop_assert_eq!(template.as_str(), &source),
            Err(error) => {
                proptest::prop_assert!(source.get(error.span.clone()).is_some(), "{:?}", error.span);
                let _ = error.to_string();
            }
        }
    }

    #[test]
    fn text_like_templates_never_panics(pieces in proptest::collection::vec(proptest::sample::select(vec!["$", "{", "}", "$$", "${", "cert.cn", "${device}", "é", "\0", "x"]), 0..12)) {
        let source = pieces.concat();
        if let Ok(template) = Template::parse(&source) {
            let _ = template.render(&Facts::default());
        }
    }
}
