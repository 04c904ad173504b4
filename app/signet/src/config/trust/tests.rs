//! Trust profiles as written, and what becomes of them.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::config::problem::Problems;
use crate::config::{Config, file};

const LISTENER: &str =
    "[[listener]]\nname = \"mqtts\"\nbind = \"127.0.0.1:8883\"\ntransport = \"tls\"\ncertificate = \"s.pem\"\nkey = \"s.key\"\n";

fn read(text: &str) -> (Config, Vec<String>) {
    let list = Problems::new(Path::new("/etc/signet.toml"), text);
    let config = Config::resolve(file::File::parse(text, &list), Path::new("/etc/signet.toml"), &list);
    (config, list.into_sorted().iter().map(ToString::to_string).collect())
}

/// The profile of one table, beside a listener that names it.
fn profile(more: &str) -> Profile {
    let (config, problems) =
        read(&format!("{LISTENER}profiles = \"factory\"\n[[trust]]\nname = \"factory\"\nca = \"factory.pem\"\n{more}\n"));
    assert!(problems.is_empty(), "{problems:?}");
    config.profiles.into_iter().next().unwrap()
}

fn problem(more: &str) -> String {
    let (_, problems) = read(&format!("{LISTENER}profiles = \"factory\"\n[[trust]]\nname = \"factory\"\nca = \"factory.pem\"\n{more}\n"));
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

#[test]
fn a_profile_by_default_takes_what_tls_takes() {
    let factory = profile("");
    assert_eq!(factory.trust.authorities, [Path::new("/etc/factory.pem")]);
    assert!(factory.trust.enabled && factory.trust.tenant.is_none());
    assert_eq!(factory.trust.rules, CertificateRules::default());
    assert_eq!(factory.trust.revocation, RevocationRules::default());
    assert_eq!(factory.trust.status_wait, Duration::ZERO);
    assert_eq!(factory.settings.clones.policy, ClonePolicy::Allow);
    assert!(factory.settings.names == ProfileNames::default() && factory.rules.is_empty() && factory.is_strict());
}

#[test]
fn every_key_of_a_profile_reaches_the_code_that_acts_on_it() {
    let factory = profile(
        "anchors = \"all\"\nenabled = false\ntenant = \"acme\"\npath_length = 1\nextended_key_usage = [\"clientAuth\", \"1.3.6.1.4.1.99.1\"]\n\
         keys = [\"P-256\", \"RSA-3072\"]\nsignatures = [\"ecdsa-with-SHA256\"]\nvalidity_maximum = \"398d\"\ndevice = \"${cert.san.dns}\"\n\
         username = \"${cert.o}\"\nrevocation = \"require\"\nrevocation_depth = \"leaf\"\nrevocation_grace = \"1h\"\ncrl_stale = \"allow\"\n\
         crl = [\"a.crl\", \"http://crl.example/b.crl\", \"certificates\"]\nocsp = \"http://ocsp.example\"\nocsp_nonce = \"send\"\n\
         crl_issuers = \"signer.pem\"\nrevocation_hosts = [\".example\"]\nrevocation_refresh = \"5m\"\nrevocation_timeout = \"3s\"\n\
         status_wait = \"2s\"\nexpiry_grace = \"1d\"\nversion_1 = \"allow\"\nclones = \"suspend\"\nclone_alternation = \"1m\"\npublish = \"${device}/#\"",
    );
    let trust = &factory.trust;
    assert_eq!((trust.anchors, trust.enabled, trust.tenant.as_deref()), (AnchorRule::All, false, Some("acme")));
    assert_eq!(trust.rules.intermediates_maximum, Some(1));
    assert_eq!(trust.rules.extended_key_usages, ["1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.99.1"]);
    assert_eq!(trust.rules.keys, [KeyRule::Named("P-256"), KeyRule::Rsa(3072)]);
    assert_eq!(trust.rules.validity_maximum, Some(398 * 86_400));
    assert_eq!(
        trust.revocation,
        RevocationRules { mode: RevocationMode::Require, depth: RevocationDepth::Leaf, grace: 3600, stale: StalePolicy::Allow }
    );
    assert_eq!((trust.status_wait, trust.expiry_grace, trust.version_1), (Duration::from_secs(2), 86_400, true));
    assert_eq!(factory.settings.clones, CloneRules { policy: ClonePolicy::Suspend, alternation: 60 });
    assert!(factory.settings.names.username.is_some() && factory.settings.names.binding.is_none());
    let sources = &factory.sources;
    assert_eq!(sources.files[0].value, Path::new("/etc/a.crl"));
    assert_eq!((sources.urls.len(), sources.from_certificates, sources.nonce), (1, true, Nonce::Send));
    assert!(matches!(&sources.ocsp, Ocsp::Responder(url) if url.host() == "ocsp.example"));
    assert_eq!(sources.hosts.as_deref(), Some(&[".example".to_owned()][..]));
    assert_eq!(factory.rules[0].publish[0].as_str(), "${device}/#");
    assert!(!factory.is_strict());
}

#[test]
fn whoever_requires_an_answer_and_can_ask_waits_by_default() {
    assert_eq!(profile("revocation = \"require\"\nocsp = \"certificates\"").trust.status_wait, Duration::from_secs(5));
    assert_eq!(profile("revocation = \"require\"\ncrl = \"a.crl\"").trust.status_wait, Duration::ZERO);
}

#[test]
fn a_listeners_own_files_make_a_profile_of_its_name_beside_those_it_names() {
    let (config, problems) = read(&format!(
        "{LISTENER}trust = \"own.pem\"\ncrl = \"own.crl\"\ndevice = \"${{cert.san.uri}}\"\nprofiles = [\"factory\"]\n\
         [[listener.host]]\nserver_names = \"lab.example\"\nprofiles = \"lab\"\n\
         [[trust]]\nname = \"factory\"\nca = \"f.pem\"\n[[trust]]\nname = \"lab\"\nca = \"l.pem\"\n"
    ));
    assert!(problems.is_empty(), "{problems:?}");
    let names: Vec<&str> = config.profiles.iter().map(|profile| &*profile.name).collect();
    assert_eq!(names, ["factory", "lab", "mqtts"]);
    let tls = config.listeners[0].tls.as_ref().unwrap().config();
    assert_eq!(tls.host.profiles, ["mqtts", "factory"].map(Arc::<str>::from));
    assert_eq!(tls.hosts[0].profiles, ["lab"].map(Arc::<str>::from));
    assert_eq!(tls.hosts[0].server_names, ["lab.example"]);
    assert_eq!(tls.hosts[0].credentials, tls.host.credentials, "the listener's own");
    assert_eq!(config.profiles[2].sources.files[0].value, Path::new("/etc/own.crl"));
}

#[test]
fn two_certificates_go_with_two_keys() {
    let text = LISTENER.replace("\"s.pem\"", "[\"ec.pem\", \"rsa.pem\"]").replace("\"s.key\"", "[\"ec.key\", \"rsa.key\"]");
    let (config, problems) = read(&format!("{text}trust = \"ca.pem\"\n"));
    assert!(problems.is_empty(), "{problems:?}");
    let credentials = &config.listeners[0].tls.as_ref().unwrap().config().host.credentials;
    assert_eq!(credentials[1].key, Path::new("/etc/rsa.key"));
    let (_, problems) = read(&format!("{}trust = \"ca.pem\"\n", text.replace(", \"rsa.key\"", "")));
    assert!(problems[0].contains("2 certificates and 1 keys"), "{problems:?}");
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    for (more, words) in [
        ("revocation = \"of\"", "did you mean `off`?"),
        ("keys = [\"P-192\"]", "`P-192` is not a kind of key"),
        ("extended_key_usage = \"clientauht\"", "did you mean `clientAuth`?"),
        ("crl = \"ldap://x/y\"", "only `http` and `https`"),
        ("ocsp = \"certificate\"", "write \"off\", \"certificates\""),
        ("tenant = \"a/b\"", "cannot be a tenant"),
        ("revocation = \"off\"\ncrl = \"a.crl\"", "sources that nobody would look at"),
        ("status_wait = \"1s\"", "nobody is waited for"),
        ("ocsp_nonce = \"send\"", "no meaning without `ocsp`"),
        ("device = \"${username}\"", "does not come from the certificate"),
        ("enabeld = true", "did you mean `enabled`?"),
    ] {
        let found = problem(more);
        assert!(found.contains(words), "{more}: {found}");
        assert!(found.contains("signet.toml:"), "{found}");
    }
    let (_, problems) = read(&format!("{LISTENER}profiles = \"factori\"\n[[trust]]\nname = \"factory\"\nca = \"f.pem\"\n"));
    assert!(problems[0].contains("no trust profile `factori`") && problems[0].contains("factory"), "{problems:?}");
    let (_, problems) = read(&format!("{LISTENER}trust = \"a.pem\"\n[[trust]]\nname = \"mqtts\"\nca = \"f.pem\"\n"));
    assert!(problems.iter().any(|problem| problem.contains("two trust profiles are called `mqtts`")), "{problems:?}");
    let (_, problems) = read("[[trust]]\nname = \"x\"\n");
    assert!(problems.iter().any(|problem| problem.contains("has no `ca`")), "{problems:?}");
    let (_, problems) = read(&format!("{LISTENER}trust = \"a.pem\"\n[[listener.host]]\ncertificate = \"x.pem\"\n"));
    assert!(problems.iter().any(|problem| problem.contains("does not say for whom it is")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("belong together")), "{problems:?}");
}

#[test]
fn a_listener_says_of_its_own_trust_what_a_profile_says() {
    let own = |more: &str| {
        let (config, problems) = read(&format!("{LISTENER}trust = \"ca.pem\"\n{more}\n"));
        (config, problems.join("\n"))
    };
    let (config, problems) = own("crl = \"a.crl\"\nrevocation = \"require\"\nrevocation_depth = \"leaf\"\ncertificate_dates = \"ignore\"");
    assert_eq!(problems, "");
    let trust = &config.profiles[0].trust;
    assert_eq!((trust.revocation.mode, trust.revocation.depth), (RevocationMode::Require, RevocationDepth::Leaf));
    assert_eq!((trust.revocation.stale, trust.revocation.grace), (StalePolicy::Deny, 0));
    assert!(trust.dates == CertificateDates::Ignore && config.profiles[0].ignores_dates());
    assert_eq!(own("certificate_dates = \"strict\"").0.profiles[0].trust.dates, CertificateDates::Strict);
    assert_eq!(own("").0.profiles[0].trust.dates, CertificateDates::Check);
    assert!(own("revocation = \"off\"\ncrl = \"a.crl\"").1.contains("nobody would look at"));
    for key in ["revocation = \"require\"", "revocation_depth = \"leaf\"", "certificate_dates = \"ignore\""] {
        let (_, problems) = read(&format!("{LISTENER}client_certificate = \"none\"\nanonymous = true\n{key}\n"));
        assert!(problems.len() == 1 && problems[0].contains("has no meaning on this listener"), "{problems:?}");
    }
}

#[test]
fn cipher_suites_are_known_by_name_and_belong_to_a_version() {
    let with = |more: &str| read(&format!("{LISTENER}trust = \"ca.pem\"\n{more}\n"));
    let (config, problems) = with("cipher_suites = [\"TLS_AES_128_GCM_SHA256\"]\nauthority_names = false");
    assert!(problems.is_empty(), "{problems:?}");
    let tls = config.listeners[0].tls.as_ref().unwrap().config();
    assert_eq!((tls.cipher_suites, tls.host.names_authorities), (vec!["TLS_AES_128_GCM_SHA256".to_owned()], false));
    for (more, words) in [
        ("cipher_suites = [\"TLS_AES_128_GCM_SHA257\"]", "did you mean `TLS_AES_128_GCM_SHA256`? there are TLS_AES_256_GCM_SHA384, "),
        ("cipher_suites = [\"ECDHE-RSA-AES128-GCM-SHA256\"]", "`ECDHE-RSA-AES128-GCM-SHA256` is no cipher suite"),
        ("tls_min = \"1.3\"\ncipher_suites = [\"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\"]", "belongs to TLS 1.2, which is not spoken here"),
        ("cipher_suites = []", "nobody could connect"),
    ] {
        let (_, problems) = with(more);
        assert!(problems.len() == 1 && problems[0].contains(words), "{problems:?}");
        assert!(!problems[0].contains(":1:"), "at its place: {problems:?}");
    }
}
