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

fn halls() -> Leaf {
    // Three organizational units in two RDNs, which rcgen cannot write.
    let der = crate::testing::certificate(&[
        &[(&[0x55, 4, 11], "Acme")],
        &[(&[0x55, 4, 11], "Hall 3"), (&[0x55, 4, 11], "Gate")],
        &[(&[0x55, 4, 3], "Pump-7")],
    ]);
    Leaf::parse(&der).unwrap()
}

#[test]
fn places_count_in_the_order_of_the_certificate() {
    let leaf = halls();
    for (template, expected) in [
        ("${cert.ou}", "Acme"),
        ("${cert.subject.OU}", "Acme"),
        ("${cert.subject.ou[0]}", "Acme"),
        ("${cert.subject.2.5.4.11[1]}", "Hall 3"),
        ("${cert.ou[-1]}", "Gate"),
        ("${cert.issuer.ou[-2]}", "Hall 3"),
        ("${cert.subject.dn}", "CN=Pump-7,OU=Gate+OU=Hall 3,OU=Acme"),
        ("${cert.dn.legacy}", "/OU=Acme/OU=Hall 3+OU=Gate/CN=Pump-7"),
    ] {
        assert_eq!(render(template, &leaf).unwrap(), expected, "{template}");
    }
    let error = render("${cert.ou[3]}", &leaf).unwrap_err().to_string();
    assert!(error.starts_with("`${cert.ou[3]}` has no value: the certificate of `CN=Pump-7"), "{error}");
}

#[test]
fn transforms_follow_a_field() {
    let leaf = pump();
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest("pump-7"));
    for (template, expected) in [
        ("${cert.cn:upper}", Some("PUMP-7")),
        ("${cert.ou:lower:strip(hall )}", Some("3")),
        ("${cert.san.uri:strip(urn:signet:device:)}", Some("pump-7")),
        ("${cert.cn:prefix(a\\)b})}", Some("a)b}pump-7")),
        ("${cert.cn:regex(pump-([0-9]{1,3}))}", Some("7")),
        ("${cert.cn:regex(pump-[0-9])}", Some("pump-7")),
        ("${cert.cn:regex((pump)|(.*))}", None),
        ("${cert.cn:regex(ump)}", None),
        ("${cert.cn:regex(pump-7|x)}", Some("pump-7")),
        ("${cert.cn:regex(x*|pump)}", None),
        ("${cert.cn:regex(pump-7(x?))}", None),
        ("${cert.cn:strip(valve-)}", None),
        ("${cert.cn:strip(pump-7)}", None),
        ("${cert.cn:strip(valve-) | cert.ou}", Some("Hall 3")),
        ("${ cert.san.rid|cert.san.dirname | cert.cn:upper }", Some("PUMP-7")),
        ("${cert.cn:hash(sha256)}", Some(digest.as_str())),
        ("${cert.cn:name | cert.ou}", Some("pump-7")),
        ("${cert.san.uri:prefix(/):name | cert.cn}", Some("pump-7")),
    ] {
        let found = render(template, &leaf);
        assert_eq!(found.as_deref().ok(), expected, "{template}: {found:?}");
    }
    // What cannot be a name is passed over where that is said, and nowhere else.
    for unusable in ["a/b", "$SYS", "+", "a\0b", "a\nb", &"x".repeat(129)] {
        let leaf = named(unusable);
        assert_eq!(render("${cert.cn:name | cert.serial}", &leaf).unwrap(), "4F:01", "{unusable:?}");
        assert!(render("${cert.cn:name}", &leaf).is_err(), "{unusable:?}");
    }
    assert!(matches!(render("${cert.cn | cert.serial}", &named("a\0b")), Err(IdentityError::UnsafeValue { .. })));
    // Letters outside of ASCII stay: the Kelvin sign must not become a k.
    assert_eq!(render("${cert.cn:lower}", &named("\u{212a}Ä")).unwrap(), "\u{212a}Ä");
}

#[test]
fn a_spiffe_id_is_the_only_uri() {
    let with =
        |uris: &[&str]| leaf(|params| params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect());
    assert_eq!(render("${cert.spiffe.path[0]}", &with(&["spiffe://a.example/hall/pump"])).unwrap(), "hall");
    assert!(render("${cert.spiffe.path}", &with(&["spiffe://a.example"])).is_err());
    for (uris, rule) in [
        (&["spiffe://a.example/x", "spiffe://b.example/y"][..], "has more than one URI"),
        (&["spiffe://a.example/x", "urn:x"], "has more than one URI"),
        (&["urn:x"], "does not start with `spiffe://`"),
        (&[], "has no URI"),
    ] {
        let error = render("${cert.spiffe}", &with(uris)).unwrap_err().to_string();
        assert!(error.contains("has no SPIFFE ID, it") && error.contains(rule), "{error}");
    }
}

#[test]
fn a_claim_is_a_way_out_only_where_it_is_written() {
    let facts = Facts { username: Some("ann"), ..Facts::default() };
    let render = |source: &str| Template::parse(source).unwrap().render(&facts);
    assert_eq!(render("${cert.cn | username}").unwrap(), "ann");
    let error = render("${cert.san.uri | cert.cn}").unwrap_err().to_string();
    assert_eq!(
        error,
        "`${cert.san.uri | cert.cn}` has no value: `cert.san.uri`: the connection has no client certificate; `cert.cn`: the connection has no client certificate"
    );
    let rule = NamingRule::new(Template::parse("x${cert.cn | username}").unwrap()).unwrap_err();
    assert_eq!((rule.kind, rule.span), (TemplateErrorKind::NotFromCertificate, 1..22));
    assert!(!Template::parse("${cert.cn | username}").unwrap().needs_certificate());
    assert!(Template::parse("${cert.cn | device}").unwrap().needs_certificate());
    assert!(!Template::parse("${cert.cn | device}").unwrap().needs_whole_certificate());
}

#[test]
fn an_unsafe_value_is_not_passed_over_nor_cleaned() {
    for template in ["${cert.cn | cert.serial}", "${cert.cn:regex((a).*)}", "${cert.cn:hash(sha256)}", "${cert.dn.legacy | cert.cn:upper}"]
    {
        let result = render(template, &named("a\u{202e}b"));
        let is_escaped = template.contains("legacy");
        assert_eq!(matches!(result, Err(IdentityError::UnsafeValue { .. })), !is_escaped, "{template}: {result:?}");
    }
}

#[test]
fn a_pem_passes_only_where_lines_may() {
    let leaf = pump();
    let facts = Facts { leaf: Some(&leaf), ..Facts::default() };
    for source in ["${cert.pem}", "${cert.pem.tabbed}"] {
        let template = Template::parse(source).unwrap();
        assert!(matches!(template.render(&facts), Err(IdentityError::UnsafeValue { .. })));
        assert!(template.render_lines(&facts).unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
        assert_eq!(template.require_one_line().unwrap_err().kind, TemplateErrorKind::Lines);
        assert_eq!(NamingRule::new(template).unwrap_err().kind, TemplateErrorKind::Lines);
    }
    let tabbed = Template::parse("${cert.pem.tabbed}").unwrap().render_lines(&facts).unwrap();
    assert!(tabbed.ends_with("\n\t-----END CERTIFICATE-----") && tabbed.lines().skip(1).all(|line| line.starts_with('\t')));
    let escaped = render("${cert.pem.escaped}", &leaf).unwrap();
    assert!(escaped.starts_with("-----BEGIN%20CERTIFICATE-----%0A") && escaped.ends_with("-----END%20CERTIFICATE-----%0A"));
    assert_eq!(render("${cert.der.hex}", &leaf).unwrap(), hex::encode(leaf.der()));
    // Everything else has its lines refused wherever it goes.
    assert!(Template::parse("${cert.cn}").unwrap().render_lines(&Facts { leaf: Some(&named("a\nb")), ..Facts::default() }).is_err());
}

#[test]
fn what_the_connection_knows() {
    let leaf = pump();
    let facts = Facts {
        leaf: Some(&leaf),
        profile: Some("factory"),
        tenant: Some("acme"),
        address: Some("2001:db8::7".parse().unwrap()),
        listener: Some("tls"),
        now: Some(leaf.validity().not_after - 86_400 * 3 - 5),
        ..Facts::default()
    };
    let render = |source: &str, facts: &Facts<'_>| Template::parse(source).unwrap().render(facts);
    assert_eq!(render("${profile} ${tenant} ${address} ${listener} ${cert.days_left}", &facts).unwrap(), "factory acme 2001:db8::7 tls 3");
    let late = Facts { now: Some(leaf.validity().not_after + 1), ..facts };
    assert_eq!(render("${cert.days_left}", &late).unwrap(), "-1");
    let error = render("${cert.days_left}", &Facts { now: None, ..facts }).unwrap_err().to_string();
    assert_eq!(error, "`${cert.days_left}` has no value: the connection has no time of day here");
    for source in ["${profile}", "${tenant}", "${address}", "${listener}", "${cert.days_left}"] {
        assert!(NamingRule::new(Template::parse(source).unwrap()).is_err(), "{source}");
    }
}

#[test]
fn mistakes_inside_the_braces() {
    let kind = |source: &str| Template::parse(source).map_err(|error| (error.kind, error.span));
    for (source, expected, span) in [
        ("a${cert.cn:shout}", TemplateErrorKind::UnknownTransform, 10..16),
        ("${cert.cn:lower(x)}", TemplateErrorKind::Argument, 9..18),
        ("${cert.cn:prefix}", TemplateErrorKind::Argument, 9..16),
        ("${cert.cn:strip()}", TemplateErrorKind::Argument, 9..17),
        ("${cert.cn:hash(md5)}", TemplateErrorKind::Argument, 9..19),
        ("${cert.cn:regex([)}", TemplateErrorKind::Regex, 9..18),
        ("${cert.cn:regex(a\\)}", TemplateErrorKind::Unclosed, 0..20),
        ("${cert.cn:regex(a{99999})}", TemplateErrorKind::Regex, 9..25),
        ("${cert.cn:regex((((a{99}){99}){99}))}", TemplateErrorKind::Regex, 9..36),
        ("${cert.cn:lower x}", TemplateErrorKind::Syntax, 16..17),
        ("${cert.cn:lower", TemplateErrorKind::Unclosed, 0..15),
        ("${cert.cn | }", TemplateErrorKind::UnknownField, 12..12),
        ("${cert.cn[x]}", TemplateErrorKind::UnknownField, 0..13),
        ("${cert.serial[0]}", TemplateErrorKind::UnknownField, 0..17),
        ("${cert.subject.2.5.04.3}", TemplateErrorKind::UnknownField, 0..24),
        ("${cert.cn:prefix(\u{202e})}", TemplateErrorKind::HiddenCharacter, 17..20),
    ] {
        assert_eq!(kind(source), Err((expected, span)), "{source}");
        let _ = Template::parse(source).unwrap_err().to_string();
    }
    let many = format!("${{{}}}", ["cert.cn"; 17].join("|"));
    assert_eq!(Template::parse(&many).unwrap_err().kind, TemplateErrorKind::TooManyFields);
    let alone = Expression::parse("cert.cn | cert.ouu").unwrap_err();
    assert_eq!((alone.kind, alone.span), (TemplateErrorKind::UnknownField, 10..18));
    assert_eq!(Expression::parse("cert.cn}x${cert.o").unwrap_err().kind, TemplateErrorKind::Syntax);
}

#[test]
fn the_words_of_others() {
    let leaf = pump();
    let facts = Facts {
        leaf: Some(&leaf),
        username: Some("ann"),
        client_identifier: Some("c-1"),
        address: Some([10, 0, 0, 7].into()),
        now: Some(0),
        ..Facts::default()
    };
    for (name, expected) in [
        ("cn", "${cert.cn}"),
        ("subject", "${cert.dn.rfc2253}"),
        ("md5", "${cert.fingerprint.md5}"),
        ("$ssl_client_fingerprint", "${cert.fingerprint.sha1}"),
        ("$ssl_client_v_remain", "${cert.days_left}"),
    ] {
        let preset = Template::preset(name).unwrap();
        assert_eq!(preset.as_str(), expected);
        assert!(preset.render(&facts).is_ok(), "{name}");
    }
    for name in ["", "CN", "ssl_client_s_dn", "$ssl_client_verify"] {
        assert_eq!(Template::preset(name), None);
    }
    let emqx4 = |text: &str| Template::parse_with_placeholders(PlaceholderStyle::Emqx4, text);
    let emqx5 = |text: &str| Template::parse_with_placeholders(PlaceholderStyle::Emqx5, text);
    assert_eq!(
        emqx4("HMGET mqtt_user:%u %c:%C:%d %a 5%% 7% $x").unwrap().render(&facts).unwrap(),
        "HMGET mqtt_user:ann c-1:pump-7:CN=pump-7,OU=Hall 3,O=Acme 10.0.0.7 5% 7% $x"
    );
    assert_eq!(
        emqx5("a $1 ${clientid} ${cert_common_name} ${username} ${$}{x} ${cert.ou:upper}").unwrap().render(&facts).unwrap(),
        "a $1 c-1 pump-7 ann ${x} HALL 3"
    );
    let error = emqx4("x%P").unwrap_err();
    assert_eq!((error.kind, error.span), (TemplateErrorKind::UnknownPlaceholder, 1..3));
    assert_eq!(emqx4("é%é").unwrap().render(&facts).unwrap(), "é%é");
    assert_eq!(emqx5("${password}").unwrap_err().kind, TemplateErrorKind::UnknownField);
    assert_eq!(emqx5("").unwrap_err().kind, TemplateErrorKind::Empty);
}

#[test]
fn every_preset_is_a_template() {
    for name in [
        "dn",
        "crt",
        "pem",
        "identity",
        "$ssl_client_s_dn",
        "$ssl_client_i_dn",
        "$ssl_client_s_dn_legacy",
        "$ssl_client_i_dn_legacy",
        "$ssl_client_serial",
        "$ssl_client_cert",
        "$ssl_client_raw_cert",
        "$ssl_client_escaped_cert",
        "$ssl_client_v_start",
        "$ssl_client_v_end",
    ] {
        let leaf = pump();
        assert!(Template::preset(name).unwrap().render_lines(&Facts { leaf: Some(&leaf), ..Facts::default() }).is_ok(), "{name}");
    }
}

#[test]
fn a_client_identifier_is_bound_to_a_uri() {
    let leaf = leaf(|params| {
        let uri = |text: &str| SanType::URI(text.try_into().unwrap());
        params.subject_alt_names = vec![
            uri("urn:x"),
            uri("SPIFFE://My.Domain.Name/device/pump-7"),
            uri("spiffe://my.domain.name/device/a/b"),
            uri("spiffe://other.name/device/other"),
            uri("spiffe://my.domain.name.evil/device/evil"),
            uri("spiffe://my.domain.name/device/a%2fb"),
        ];
    });
    let binding = ClientIdentifierBinding::UriSan { domain: "my.domain.name".to_owned() };
    let facts = Facts { leaf: Some(&leaf), ..Facts::default() };
    assert!(binding.check(&facts, "pump-7").is_ok());
    for claimed in ["", "Pump-7", "pump-70", "a/b", "a", "other", "evil", "a%2fb", "../device/pump-7", "pump-7\0", "pump-7?"] {
        let error = binding.check(&facts, claimed).unwrap_err().to_string();
        assert!(error.contains("spiffe://my.domain.name/device/"), "{error}");
    }
    assert!(binding.check(&Facts::default(), "pump-7").is_err());
    assert!(ClientIdentifierBinding::UriSan { domain: String::new() }.check(&facts, "pump-7").is_err());
}

proptest::proptest! {
    #[test]
    fn names_made_of_any_bytes_are_one_level_without_a_control_character(
        names in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..40), 1..4),
        tag in proptest::sample::select(vec![0x0c_u8, 0x13, 0x14, 0x16, 0x1e, 0x1c]),
        source in proptest::sample::select(vec!["${cert.cn}", "${cert.dn}", "${cert.cn[-1]:lower}", "${cert.dn.legacy}", "${cert.subject.2.5.4.3[1] | cert.cn}", "${cert.cn:regex((?s)(.).*)}", "${cert.dn.rfc2253:prefix(x)}"]),
    ) {
        let der = crate::testing::certificate_of_bytes(tag, &names);
        if let Ok(leaf) = Leaf::parse(&der) {
            let rule = NamingRule::new(Template::parse(source).unwrap()).unwrap();
            if let Ok(name) = rule.name(&leaf) {
                let is_bad = |character: char| character.is_control() || matches!(character, '/' | '+' | '#');
                proptest::prop_assert!(!name.as_str().contains(is_bad) && !name.as_str().is_empty() && !name.as_str().starts_with('$'));
            }
        }
    }
}
