//! Every rule about certificates, with certificates made to keep or break it, through a listener that runs: what the client is told, what the
//! operator reads, and that nobody is registered.

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, DnType, DnValue, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::AlertDescription as Alert;
use signet_identity::{Leaf, NamingRule, Template};
use signet_tls::{AnchorRule, Check, TrustProfileConfig};

use super::forge::{Ca, Met, Shown, VERSIONS, meet};
use super::stage::Stage;

/// What a client shows under which trust, and what becomes of it.
struct Case<'a> {
    what: String,
    trust: Vec<&'a Ca>,
    change: Box<dyn Fn(&mut TrustProfileConfig) + 'a>,
    shown: Shown,
    /// `None`: let in. Else check, alert, and words of finding and hint.
    refused: Option<(Check, Alert, Vec<&'static str>)>,
}

fn case<'a>(what: impl Into<String>, trust: &[&'a Ca], shown: Shown) -> Case<'a> {
    Case { what: what.into(), trust: trust.to_vec(), change: Box::new(|_| {}), shown, refused: None }
}

impl<'a> Case<'a> {
    fn under(mut self, change: impl Fn(&mut TrustProfileConfig) + 'a) -> Self {
        self.change = Box::new(change);
        self
    }

    fn refused(mut self, check: Check, alert: Alert, words: &[&'static str]) -> Self {
        self.refused = Some((check, alert, words.to_vec()));
        self
    }

    fn play(&self, stage: &Stage) -> Result<(), String> {
        let mut profile = stage.profile("devices", &self.trust);
        (self.change)(&mut profile);
        stage.trust(&[profile]);
        for version in VERSIONS {
            let (met, _) = meet(stage.port(), &self.shown.client(&stage.rig.pki.ca_file(), version));
            let wrong = |why: String| Err(format!("{}, {:?}: {why}", self.what, version.version));
            let Some((check, alert, words)) = &self.refused else {
                if met != Met::In([0x20, 2, 0, 0]) {
                    return wrong(format!("{met:?}, {:?}", stage.refusal().refusal));
                }
                continue;
            };
            if let Met::In(connack) = met {
                return wrong(format!("let in with {connack:?}"));
            }
            let refusal = stage.refusal().refusal;
            if met != Met::Alert(*alert) || refusal.check != *check {
                return wrong(format!("{met:?}, expected {alert:?} and {check:?}: {refusal:?}"));
            }
            let text = format!("{} | {}", refusal.found, refusal.hint);
            if let Some(missing) = words.iter().find(|words| !text.contains(**words)) {
                return wrong(format!("`{missing}` is not in `{text}`"));
            }
            let leaf = Leaf::parse(self.shown.der()).ok();
            let named = (leaf.as_ref().map(|leaf| leaf.subject().rfc4514()), leaf.as_ref().map(|leaf| leaf.id().serial().to_string()));
            if (refusal.subject.clone(), refusal.serial.clone()) != named || refusal.hint.is_empty() {
                return wrong(format!("names {:?} {:?}, not {named:?}", refusal.subject, refusal.serial));
            }
        }
        stage.rig.await_connections(0);
        Ok(())
    }
}

/// Plays them all, and reports all that went wrong.
fn play(cases: &[Case<'_>]) {
    let stage = Stage::new(1, |_| {});
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.play(&stage).err()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let expected = 2 * cases.iter().filter(|case| case.refused.is_some()).count();
    assert_eq!(stage.rig.server.stats().refused, u64::try_from(expected).unwrap());
}

const NO_PATH: (Check, Alert) = (Check::Path, Alert::UnknownCA);

#[test]
fn paths_of_every_length() {
    let root = Ca::root("Root");
    let five = root.line(5);
    let mut cases = Vec::new();
    for count in [0, 1, 2, 5] {
        let line = &five[..count];
        let leaf = line.last().unwrap_or(&root).leaf("pump-7");
        cases.push(case(format!("{count} sent"), &[&root], leaf.clone().with(line.iter().rev())));
        cases.push(case(format!("{count} sent upside down, root too"), &[&root], leaf.clone().with([&root]).with(line)));
        if count <= 3 {
            cases.push(case(format!("{count} sent twice"), &[&root], leaf.clone().with(line).with(line.iter().rev())));
        }
        let known: Vec<&Ca> = std::iter::once(&root).chain(line).collect();
        cases.push(case(format!("{count} known"), &known, leaf.clone()));
        cases.push(case(format!("{count} known, all anchors"), &known, leaf.clone()).under(|profile| profile.anchors = AnchorRule::All));
        let (near, far) = line.split_at(count / 2);
        let half: Vec<&Ca> = std::iter::once(&root).chain(near).collect();
        cases.push(case(format!("{count}, half known"), &half, leaf.clone().with(far.iter().rev())));
        if count > 0 {
            let not_sent = case(format!("{count} not sent"), &[&root], leaf.clone());
            cases.push(not_sent.refused(NO_PATH.0, NO_PATH.1, &["no path from its issuer", "send its intermediate certificates"]));
            let limited = case(format!("{count}, one less allowed"), &[&root], leaf.clone().with(line));
            let limited = limited.under(move |profile| profile.rules.intermediates_maximum = Some(count - 1));
            cases.push(limited.refused(Check::Profile, Alert::AccessDenied, &["`path_length`", "trust profile `devices`"]));
        }
        let limited = case(format!("{count} allowed"), &[&root], leaf.with(line));
        cases.push(limited.under(move |profile| profile.rules.intermediates_maximum = Some(count)));
    }
    let limited = |count| move |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(count));
    let many = root.leaf("pump-7").with(&five).with(&five);
    cases.push(case("ten sent", &[&root], many).refused(NO_PATH.0, NO_PATH.1, &["10 intermediate certificates", "and no others"]));
    let last = root.below_with("Last", limited(0));
    let beyond = last.below("Beyond");
    cases.push(case("pathLenConstraint 0, device", &[&root], last.leaf("pump-7").with([&last])));
    let too_deep = case("pathLenConstraint 0, authority", &[&root], beyond.leaf("pump-7").with([&beyond, &last]));
    cases.push(too_deep.refused(Check::Path, Alert::BadCertificate, &["pathLenConstraint", "RFC 5280 §4.2.1.9"]));
    play(&cases);
}

#[test]
fn several_ways_up() {
    let (old, new, stranger) = (Ca::root("Old Root"), Ca::root("New Root"), Ca::root("Stranger"));
    let issuing = old.below("Issuing");
    let crossed = new.cross(&issuing, "Issuing");
    let leaf = issuing.leaf("pump-7");
    let both = leaf.clone().with([&issuing]).with_der(crossed.clone());
    let twin = Ca::root("Old Root");
    let all = |profile: &mut TrustProfileConfig| profile.anchors = AnchorRule::All;
    play(&[
        case("both roots", &[&old, &new], both.clone()),
        case("the old root removed", &[&new], both.clone()),
        case("the new root not there yet", &[&old], both.clone()),
        case("only the way that is sent", &[&new], leaf.clone().with([&issuing])).refused(NO_PATH.0, NO_PATH.1, &["CN=Issuing"]),
        case("neither", &[&stranger], both).refused(NO_PATH.0, NO_PATH.1, &["CN=Issuing", "add the issuing CA"]),
        case("the issuer as anchor, without its root", &[&issuing], leaf.clone()),
        case("the issuer as anchor by the rule", &[&issuing], leaf.clone()).under(all),
        case("the issuer as anchor beside its root", &[&issuing, &old], leaf.clone()).under(all),
        // Two authorities of one name: the key decides.
        case("another of the same name", &[&twin], old.leaf("pump-7")).refused(
            NO_PATH.0,
            NO_PATH.1,
            &["another CA of the same name", "CN=Old Root"],
        ),
        case("both of the same name", &[&twin, &old], old.leaf("pump-7")),
        case("both of the same name, the other way", &[&old, &twin], old.leaf("pump-7")),
    ]);
}

#[test]
fn dates_and_usages() {
    let root = Ca::root("Root");
    let days = |count: i64| time::OffsetDateTime::now_utc() + time::Duration::days(count);
    let past = root.below_with("Past", |params| params.not_after = days(-1));
    let future = root.below_with("Future", |params| params.not_before = days(1));
    let dated = |from: i64, to: i64| root.leaf_with("pump-7", |params| (params.not_before, params.not_after) = (days(from), days(to)));
    let used = |usages: &[ExtendedKeyUsagePurpose]| root.leaf_with("pump-7", |params| params.extended_key_usages = usages.to_vec());
    let own = || ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 4, 1, 99, 1]);
    let asking = |oid: &'static str| move |profile: &mut TrustProfileConfig| profile.rules.extended_key_usages = vec![oid.to_owned()];
    let servers = root.below_with("For Servers", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let with_usages = |usages: &[KeyUsagePurpose]| root.leaf_with("pump-7", |params| params.key_usages = usages.to_vec());
    let as_ca = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let device = root.impostor("A Device", |_| {});
    let no_signer = root.below_with("No Signer", |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let usage = (Check::Usage, Alert::UnsupportedCertificate);
    let (client, server) = (ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth);
    play(&[
        case("expired", &[&root], dated(-9, -1)).refused(
            Check::Validity,
            Alert::CertificateExpired,
            &["the certificate expired at 20", "clock"],
        ),
        case("not yet valid", &[&root], dated(1, 9)).refused(
            Check::Validity,
            Alert::CertificateExpired,
            &["not valid before 20", "clocks"],
        ),
        case("issuer expired", &[&root], past.leaf("pump-7").with([&past])).refused(
            Check::Validity,
            Alert::CertificateExpired,
            &["a certification authority in its path", "renew the issuing CA"],
        ),
        case("known issuer expired", &[&root, &past], past.leaf("pump-7")).refused(
            Check::Validity,
            Alert::CertificateExpired,
            &["a certification authority in its path"],
        ),
        case("issuer not yet valid", &[&root], future.leaf("pump-7").with([&future])).refused(
            Check::Validity,
            Alert::CertificateExpired,
            &["a certification authority in its path"],
        ),
        case("clientAuth and more", &[&root], used(&[server.clone(), client.clone(), own()])),
        case("no extended key usage", &[&root], used(&[])),
        case("any purpose only", &[&root], used(&[ExtendedKeyUsagePurpose::Any])).refused(
            usage.0,
            usage.1,
            &["clientAuth", "RFC 5280 §4.2.1.12"],
        ),
        case("serverAuth", &[&root], used(&[server])).refused(usage.0, usage.1, &["clientAuth"]),
        case("an own purpose only", &[&root], used(&[own()])).refused(usage.0, usage.1, &["clientAuth"]),
        case("clientAuth asked for and there", &[&root], used(&[client.clone()])).under(asking("1.3.6.1.5.5.7.3.2")),
        case("clientAuth asked for, not there", &[&root], used(&[])).under(asking("1.3.6.1.5.5.7.3.2")).refused(
            Check::Profile,
            Alert::AccessDenied,
            &["`extended_key_usage`", "1.3.6.1.5.5.7.3.2"],
        ),
        case("an own purpose asked for and there", &[&root], used(&[client.clone(), own()])).under(asking("1.3.6.1.4.1.99.1")),
        case("an own purpose asked for, not there", &[&root], used(&[client])).under(asking("1.3.6.1.4.1.99.1")).refused(
            Check::Profile,
            Alert::AccessDenied,
            &["1.3.6.1.4.1.99.1"],
        ),
        case("an issuer for servers", &[&root], servers.leaf("pump-7").with([&servers])).refused(
            usage.0,
            usage.1,
            &["extended key usage of an authority in its path", "authority for clients"],
        ),
        case("keyUsage without digitalSignature", &[&root], with_usages(&[KeyUsagePurpose::KeyEncipherment])).refused(
            usage.0,
            usage.1,
            &["digitalSignature"],
        ),
        case("no keyUsage", &[&root], with_usages(&[])),
        case("a CA as device", &[&root], root.leaf_with("pump-7", as_ca)).refused(usage.0, usage.1, &["CA:true", "for this device"]),
        case("a device as CA", &[&root], device.leaf("pump-7").with([&device])).refused(
            Check::Path,
            Alert::UnknownCA,
            &["`CN=A Device`", "no certification authority", "cannot vouch"],
        ),
        case("keyUsage without keyCertSign", &[&root], no_signer.leaf("pump-7").with([&no_signer])).refused(
            Check::Path,
            Alert::UnknownCA,
            &["`CN=No Signer`", "keyCertSign"],
        ),
    ]);
}

#[test]
fn names_that_an_authority_may_not_give() {
    let root = Ca::root("Root");
    let limited = |name: &str, permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>| {
        root.below_with(name, |params| {
            params.name_constraints = Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded });
        })
    };
    let dns = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let plant = limited("Plant", vec![dns("plant.example")], vec![dns("lab.plant.example")]);
    let network = limited("Network", vec![GeneralSubtree::IpAddress(CidrSubnet::V4([10, 0, 0, 0], [255, 0, 0, 0]))], vec![]);
    let mut directory = rcgen::DistinguishedName::new();
    directory.push(DnType::OrganizationName, "Plant");
    let subtree = || vec![GeneralSubtree::DirectoryName(directory.clone())];
    let of_directory = Ca::root_with("Directory", |params| {
        params.name_constraints = Some(NameConstraints { permitted_subtrees: subtree(), excluded_subtrees: vec![] });
    });
    let not_directory = Ca::root_with("Not Directory", |params| {
        params.name_constraints = Some(NameConstraints { permitted_subtrees: vec![], excluded_subtrees: subtree() });
    });
    let san = |ca: &Ca, cn: &str, name: SanType| ca.leaf_with(cn, |params| params.subject_alt_names = vec![name]);
    let host = |ca: &Ca, cn: &str, name: &str| san(ca, cn, SanType::DnsName(name.try_into().unwrap()));
    let at = |octets: [u8; 4]| san(&network, "pump-7", SanType::IpAddress(octets.into())).with([&network]);
    let in_organization = |ca: &Ca, organization: &str| {
        ca.leaf_with("pump-7", |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::OrganizationName, organization);
            params.distinguished_name.push(DnType::CommonName, "pump-7");
        })
    };
    // What is above counts for the whole path: an authority below may not free its devices.
    let below = plant.below("Below Plant");
    let (check, alert) = (Check::NameConstraints, Alert::BadCertificate);
    play(&[
        case("DNS inside", &[&root], host(&plant, "pump-7", "a.plant.example").with([&plant])),
        case("DNS outside", &[&root], host(&plant, "pump-7", "a.other.example").with([&plant])).refused(
            check,
            alert,
            &["name constraints"],
        ),
        case("DNS excluded", &[&root], host(&plant, "pump-7", "a.lab.plant.example").with([&plant])).refused(
            check,
            alert,
            &["name constraints"],
        ),
        case("DNS outside, two below", &[&root], host(&below, "pump-7", "a.other.example").with([&below, &plant])).refused(
            check,
            alert,
            &["name constraints"],
        ),
        case("DNS inside, two below", &[&root], host(&below, "pump-7", "a.plant.example").with([&below, &plant])),
        case("no DNS name at all", &[&root], plant.leaf("pump-7").with([&plant])),
        case("a CN that looks like DNS, outside", &[&root], plant.leaf("pump-7.other.example").with([&plant])).refused(
            check,
            alert,
            &["`CN=Plant`", "pump-7.other.example"],
        ),
        case("a CN that looks like DNS, inside", &[&root], plant.leaf("pump-7.plant.example").with([&plant])),
        case("IP inside", &[&root], at([10, 1, 2, 3])),
        case("IP outside", &[&root], at([192, 0, 2, 1])).refused(check, alert, &["name constraints"]),
        case("directory inside, at the anchor", &[&of_directory], in_organization(&of_directory, "Plant")),
        case("directory outside, at the anchor", &[&of_directory], in_organization(&of_directory, "Other")).refused(
            check,
            alert,
            &["`CN=Directory`", "O=Other"],
        ),
        case("directory excluded, at the anchor", &[&not_directory], in_organization(&not_directory, "Plant")).refused(
            check,
            alert,
            &["`CN=Not Directory`"],
        ),
        case("directory not excluded, at the anchor", &[&not_directory], in_organization(&not_directory, "Other")),
    ]);
}

#[test]
fn keys_signatures_and_lifetimes() {
    let root = Ca::root("Root");
    let keys = |rule: &'static str| move |profile: &mut TrustProfileConfig| profile.rules.keys = vec![rule.parse().unwrap()];
    let signatures = |name: &'static str| move |profile: &mut TrustProfileConfig| profile.rules.signatures = vec![name.to_owned()];
    let lasting = |days: i64| move |profile: &mut TrustProfileConfig| profile.rules.validity_maximum = Some(days * 86_400);
    let with_extension = |oid: &[u64], critical: bool| {
        let mut extension = CustomExtension::from_oid_content(oid, vec![5, 0]);
        extension.set_criticality(critical);
        extension
    };
    let strange = |critical: bool| {
        root.leaf_with("pump-7", |params| params.custom_extensions = vec![with_extension(&[1, 3, 6, 1, 4, 1, 99, 7], critical)])
    };
    let strange_ca = root.below_with("Strange", |params| params.custom_extensions = vec![with_extension(&[1, 3, 6, 1, 4, 1, 99, 7], true)]);
    let plain = || root.leaf("pump-7");
    let larger = || root.leaf_of("pump-7", &rcgen::PKCS_ECDSA_P384_SHA384, |_| {});
    let rsa = || root.leaf_of("pump-7", &rcgen::PKCS_RSA_SHA256, |_| {});
    let middle = root.below("Middle");
    let rule = (Check::Profile, Alert::AccessDenied);
    play(&[
        case("P-256 where it may be", &[&root], plain()).under(keys("P-256")),
        case("P-384 where it may not be", &[&root], larger()).under(keys("P-256")).refused(
            rule.0,
            rule.1,
            &["`keys`", "a key of P-384", "P-256"],
        ),
        case("P-384", &[&root], larger()),
        case("Ed25519", &[&root], root.leaf_of("pump-7", &rcgen::PKCS_ED25519, |_| {})),
        case("RSA", &[&root], rsa()).under(keys("RSA-2048")),
        case("too short RSA for the rule", &[&root], rsa()).under(keys("RSA-3072")).refused(rule.0, rule.1, &["RSA-2048", "RSA-3072"]),
        case("a signature that may be", &[&root], plain()).under(signatures("ecdsa-with-SHA256")),
        case("a signature that may not be", &[&root], plain()).under(signatures("ecdsa-with-SHA384")).refused(
            rule.0,
            rule.1,
            &["`signatures`"],
        ),
        case("short enough", &[&root], plain()).under(lasting(31)),
        case("too long", &[&root], plain()).under(lasting(30)).refused(rule.0, rule.1, &["`validity_maximum`", "31 days", "30 days"]),
        case("signature of the device's changed", &[&root], plain().flipped(0)).refused(
            NO_PATH.0,
            NO_PATH.1,
            &["its signature was not made by"],
        ),
        case("signature of the issuer's changed", &[&root], middle.leaf("pump-7").with([&middle]).flipped(1)).refused(
            NO_PATH.0,
            NO_PATH.1,
            &["was not made by"],
        ),
        case("unknown extension", &[&root], strange(false)),
        case("unknown critical extension", &[&root], strange(true)).refused(
            Check::CertificateForm,
            Alert::BadCertificate,
            &["critical extension", "RFC 5280 §4.2"],
        ),
        case("unknown critical extension of the issuer's", &[&root], strange_ca.leaf("pump-7").with([&strange_ca])).refused(
            Check::CertificateForm,
            Alert::BadCertificate,
            &["an authority in its path", "critical extension"],
        ),
    ]);
}

#[test]
fn names_that_are_none() {
    let root = Ca::root("Root");
    let called = |name: &str| {
        root.leaf_with("x", |params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
        })
    };
    let nameless = root.leaf_with("x", |params| params.distinguished_name = rcgen::DistinguishedName::new());
    let twice = root.leaf_with("x", |params| {
        params.subject_alt_names = ["a.example", "b.example"].map(|name| SanType::DnsName(name.try_into().unwrap())).to_vec()
    });
    let by_dns = |profile: &mut TrustProfileConfig| profile.naming = NamingRule::new(Template::parse("${cert.san.dns}").unwrap()).unwrap();
    let mut cases: Vec<Case<'_>> = ["pump\0-7", "pump/7", "pump+7", "#", "pump\n7", "pump\u{7f}7", "pump\u{85}7", "\u{202e}7-pmup", ""]
        .into_iter()
        .map(|name| case(format!("{name:?}"), &[&root], called(name)).refused(Check::Name, Alert::AccessDenied, &["`device` template"]))
        .collect();
    cases.push(case("no common name", &[&root], nameless).refused(Check::Name, Alert::AccessDenied, &["cert.cn", "`device` template"]));
    cases.push(case("no DNS name", &[&root], root.leaf("x")).under(by_dns).refused(Check::Name, Alert::AccessDenied, &["cert.san.dns"]));
    cases.push(case("two DNS names, the first counts", &[&root], twice).under(by_dns));
    cases.push(case("letters of the world", &[&root], called("насос-7")));
    play(&cases);
}
