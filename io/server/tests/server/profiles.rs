//! Trust profiles: who belongs to which, what a change of one does to whom, and hosts of one listener with profiles and tickets of their own.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use signet_identity::{ClientIdentifierBinding, NamingRule, Template};
use signet_net::{KickCause, Selector};
use signet_revocation::RevocationMode;
use signet_server::{ListenerConfig, ProfileConfig, ProfileNames, TransportConfig};
use signet_tls::{AnchorRule, Check, ClientCertificate, TlsHostConfig, TrustProfileConfig};

use super::forge::{Ca, Met, Session, VERSIONS, dial, introduce, meet};
use super::rig::{PATIENCE, tls_config};
use super::stage::Stage;

/// Reason codes of MQTT 5.0.
const NOT_AUTHORIZED: u8 = 0x87;
const ADMINISTRATIVE: u8 = 0x98;

fn keys(mut profile: TrustProfileConfig, rule: &str) -> TrustProfileConfig {
    profile.rules.keys = vec![rule.parse().unwrap()];
    profile
}

#[test]
fn two_tenants_have_devices_of_one_name_and_one_identifier() {
    let (north, south) = (Ca::root("North"), Ca::root("South"));
    let stage = Stage::new(2, |_| {});
    let tenant = |name: &str, ca: &Ca| TrustProfileConfig { tenant: Some(name.into()), ..stage.profile(name, &[ca]) };
    stage.trust(&[tenant("north", &north), tenant("south", &south)]);
    let mut one = stage.enter(&north.leaf("pump-7"), "same");
    let mut other = stage.enter(&south.leaf("pump-7"), "same");
    one.expect_alive();
    other.expect_alive();
    let mut present = stage.present();
    present.sort();
    assert_eq!(present, ["north north/pump-7", "south south/pump-7"]);
    let report = stage.rig.server.registry().kick_selected(
        &Selector::Device("south/pump-7"),
        &KickCause::Suspended("south/pump-7".into()),
        PATIENCE,
    );
    assert_eq!(report.closed, 1);
    assert_eq!(other.farewell(), ADMINISTRATIVE);
    one.expect_alive();
}

#[test]
fn the_first_profile_that_takes_a_certificate_decides() {
    let root = Ca::root("Root");
    let stage = Stage::new(1, |_| {});
    let (strict, lax) = (keys(stage.profile("strict", &[&root]), "P-384"), stage.profile("lax", &[&root]));
    let large = root.leaf_of("large", &rcgen::PKCS_ECDSA_P384_SHA384, |_| {});
    stage.trust(&[strict.clone(), lax.clone()]);
    let _large = stage.enter(&large, "a");
    let _small = stage.enter(&root.leaf("small"), "b");
    assert_eq!(stage.present(), ["strict large", "lax small"]);
    // The other way round nobody reaches the strict one; who is here is judged by the profile that took it.
    stage.trust(&[lax, strict]);
    assert_eq!(stage.review(), 0);
    let _again = stage.enter(&large, "c");
    assert_eq!(stage.present(), ["strict large", "lax small", "lax large"]);
}

#[test]
fn who_breaks_one_profiles_rule_is_told_of_that_rule() {
    let (root, other) = (Ca::root("Root"), Ca::root("Other"));
    let no_signer = root.below_with("No Signer", |params| params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign]);
    let stage = Stage::new(1, |_| {});
    let its_own = keys(stage.profile("its-own", &[&root]), "P-384");
    let others = stage.profile("others", &[&other]);
    for order in [[&its_own, &others], [&others, &its_own]] {
        stage.trust(&order.map(Clone::clone));
        let refusal = stage.refuse(&root.leaf("pump-7"));
        assert_eq!(refusal.check, Check::Profile, "{refusal}");
        assert!(refusal.found.contains("`keys`") && refusal.hint.contains("`its-own`"), "{refusal:?}");
        let refusal = stage.refuse(&no_signer.leaf("pump-7").with([&no_signer]));
        assert!(refusal.found.contains("keyCertSign"), "{refusal:?}");
        let refusal = stage.refuse(&Ca::root("Stranger").leaf("pump-7"));
        assert_eq!(refusal.check, Check::Path, "{refusal}");
    }
}

#[test]
fn a_disabled_profile_ends_its_sessions_and_no_others() {
    let (one, two) = (Ca::root("One"), Ca::root("Two"));
    let stage = Stage::new(2, |_| {});
    let profiles = [stage.profile("one", &[&one]), stage.profile("two", &[&two])];
    let mut off = profiles.clone();
    off[0].enabled = false;
    stage.trust(&profiles);
    let mut staying = stage.enter(&two.leaf("b"), "staying");
    for by_configuration in [true, false] {
        let ended = [stage.enter(&one.leaf("a1"), "x"), stage.enter(&one.leaf("a2"), "y")];
        match by_configuration {
            true => drop(stage.trust(&off)),
            false => drop(stage.rig.revocations.update(|index| index.with_disabled_profiles(["one".into()].into()))),
        }
        assert_eq!(stage.review(), 2);
        assert!(ended.into_iter().all(|session| session.farewell() == ADMINISTRATIVE));
        staying.expect_alive();
        let refusal = stage.refuse(&one.leaf("a3"));
        // Each is undone where it was done.
        let way_back = if by_configuration { "enabled = true" } else { "trust enable one" };
        assert!(
            refusal.check == Check::Profile && refusal.found.contains("`one` is disabled") && refusal.hint.contains(way_back),
            "{refusal:?}"
        );
        stage.trust(&profiles);
        stage.rig.revocations.update(|index| index.with_disabled_profiles(Default::default()));
        assert_eq!(stage.review(), 0);
    }
    drop(stage.enter(&one.leaf("a4"), "z"));
}

/// Its devices are meant, and another profile that trusts the same authority is no way round.
#[test]
fn what_a_disabled_profile_would_take_no_other_does() {
    let root = Ca::root("Root");
    let stage = Stage::new(1, |_| {});
    let off = TrustProfileConfig { enabled: false, ..stage.profile("off", &[&root]) };
    stage.trust(&[off, stage.profile("on", &[&root])]);
    let refusal = stage.refuse(&root.leaf("pump-7"));
    assert!(refusal.found.contains("`off` is disabled"), "{refusal:?}");
}

#[test]
fn other_rules_for_names_end_those_who_would_be_somebody_else() {
    let root = Ca::root("Root");
    let stage = Stage::new(2, |_| {});
    let profile = stage.profile("devices", &[&root]);
    let template = |text: &str| Template::parse(text).unwrap();
    let bound = |text: &str| ProfileNames { binding: Some(ClientIdentifierBinding::Prefix(template(text))), ..ProfileNames::default() };
    stage.trust_named(&profile, ProfileNames::default());
    let mut own = stage.enter(&root.leaf("pump-7"), "pump-7/main");
    let foreign = stage.enter(&root.leaf("pump-8"), "pump-7/other");
    // Not under the other's name any more.
    stage.trust_named(&profile, bound("${device}"));
    assert_eq!(stage.review(), 1);
    assert_eq!(foreign.farewell(), NOT_AUTHORIZED);
    own.expect_alive();
    // A name that the rules make, the same and another one.
    let mapped = |text: &str| ProfileNames { client_identifier: Some(template(text)), ..ProfileNames::default() };
    for (text, ended) in [("${device}/main", 0), ("${client_identifier}", 0), ("${device}/${profile}", 1)] {
        stage.trust_named(&profile, mapped(text));
        assert_eq!(stage.review(), ended, "{text}");
    }
    drop(own);
    let named = |text: &str| ProfileNames { username: Some(template(text)), ..ProfileNames::default() };
    stage.trust_named(&profile, named("${cert.cn}"));
    let user = stage.enter(&root.leaf("pump-9"), "c");
    for (text, ended) in [("${device}", 0), ("${cert.serial}", 1)] {
        stage.trust_named(&profile, named(text));
        assert_eq!(stage.review(), ended, "{text}");
    }
    assert_eq!(user.farewell(), NOT_AUTHORIZED);
}

#[test]
fn a_reload_that_requires_answers_ends_those_about_whom_there_is_none() {
    let root = Ca::root("Root");
    let stage = Stage::new(1, |_| {});
    let lax = stage.profile("devices", &[&root]);
    stage.trust(std::slice::from_ref(&lax));
    let session = stage.enter(&root.leaf("pump-7"), "a");
    assert_eq!(stage.review(), 0);
    let mut strict = lax;
    strict.revocation.mode = RevocationMode::Require;
    stage.trust(&[strict]);
    assert_eq!(stage.review(), 1);
    assert_eq!(session.farewell(), NOT_AUTHORIZED);
}

#[test]
fn a_change_of_trust_ends_those_it_is_about() {
    let (old, new) = (Ca::root("Old"), Ca::root("New"));
    let issuing = old.below("Issuing");
    let stage = Stage::new(2, |_| {});
    let both = stage.profile("devices", &[&old, &new]);
    stage.trust(std::slice::from_ref(&both));
    // An authority is removed.
    let (direct, deep) = (stage.enter(&old.leaf("a"), "a"), stage.enter(&issuing.leaf("b").with([&issuing]), "b"));
    let mut other = stage.enter(&new.leaf("c"), "c");
    stage.trust(&[stage.profile("devices", &[&new])]);
    assert_eq!(stage.review(), 2);
    assert_eq!((direct.farewell(), deep.farewell()), (ADMINISTRATIVE, ADMINISTRATIVE));
    other.expect_alive();
    assert_eq!(stage.refuse(&old.leaf("a")).check, Check::Path);
    // It comes back, and its intermediate is an anchor by itself: who comes by it may stay when the root goes.
    stage.trust(&[TrustProfileConfig { anchors: AnchorRule::All, ..stage.profile("devices", &[&old, &issuing, &new]) }]);
    let mut deep = stage.enter(&issuing.leaf("b"), "b");
    stage.trust(&[stage.profile("devices", &[&issuing, &new])]);
    assert_eq!(stage.review(), 0);
    deep.expect_alive();
    // A rule is tightened.
    let mut large = stage.enter(&new.leaf_of("d", &rcgen::PKCS_ECDSA_P384_SHA384, |_| {}), "d");
    stage.trust(&[keys(stage.profile("devices", &[&issuing, &new]), "P-384")]);
    assert_eq!(stage.review(), 2);
    assert_eq!((deep.farewell(), other.farewell()), (ADMINISTRATIVE, ADMINISTRATIVE));
    large.expect_alive();
    // Devices are called otherwise, and one still the same.
    let naming = |text: &str| NamingRule::new(Template::parse(text).unwrap()).unwrap();
    let named = |text: &str| TrustProfileConfig { naming: naming(text), ..both.clone() };
    stage.trust(std::slice::from_ref(&both));
    let renamed =
        stage.enter(&new.leaf_with("e", |params| params.subject_alt_names = vec![rcgen::SanType::DnsName("f".try_into().unwrap())]), "e");
    let mut same =
        stage.enter(&new.leaf_with("g", |params| params.subject_alt_names = vec![rcgen::SanType::DnsName("g".try_into().unwrap())]), "g");
    stage.trust(&[named("${cert.san.dns}")]);
    // `d` has no such name.
    assert_eq!(stage.review(), 2);
    assert_eq!((renamed.farewell(), large.farewell()), (NOT_AUTHORIZED, NOT_AUTHORIZED));
    same.expect_alive();
    // Another tenant is another device.
    stage.trust(&[TrustProfileConfig { tenant: Some("north".into()), ..named("${cert.san.dns}") }]);
    assert_eq!(stage.review(), 1);
    assert_eq!(same.farewell(), NOT_AUTHORIZED);
    // The profile itself is gone from the listener.
    let last =
        stage.enter(&new.leaf_with("h", |params| params.subject_alt_names = vec![rcgen::SanType::DnsName("h".try_into().unwrap())]), "h");
    stage.trust(&[stage.profile("others", &[&new])]);
    assert_eq!(stage.review(), 1);
    assert_eq!(last.farewell(), ADMINISTRATIVE);
}

/// RSA and ECDSA side by side: what the client can verify decides.
#[test]
fn the_clients_algorithms_choose_the_certificate() {
    let (root, web) = (Ca::root("Root"), Ca::root("Web"));
    let stage = Stage::new(1, |_| {});
    let files = stage.files.path();
    let (ec, rsa) =
        (web.server(files, "localhost", &rcgen::PKCS_ECDSA_P256_SHA256), web.server(files, "localhost", &rcgen::PKCS_RSA_SHA256));
    stage.reload(&[stage.profile("devices", &[&root])], |tls| tls.host.credentials = vec![ec, rsa]);
    for (arguments, shown) in [
        ("-tls1_3 -sigalgs rsa_pss_rsae_sha256", "RSA"),
        ("-tls1_3 -sigalgs ecdsa_secp256r1_sha256", "ECDSA"),
        ("-tls1_3", "ECDSA"),
        ("-tls1_2 -sigalgs RSA+SHA256:RSA-PSS+SHA256", "RSA"),
        ("-tls1_2 -sigalgs ECDSA+SHA256", "ECDSA"),
    ] {
        let output = std::process::Command::new("openssl")
            .args(["s_client", "-connect", &format!("127.0.0.1:{}", stage.port())])
            .args(arguments.split(' '))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.starts_with("Peer signature type")).unwrap_or_else(|| panic!("{arguments}: {text}"));
        assert!(line.to_uppercase().contains(&format!(": {shown}")), "{arguments}: {line}");
    }
}

/// Hosts by server name and by application protocol: each with its own certificate, profiles and tickets.
#[test]
fn hosts_show_and_believe_their_own() {
    let (one, two, three, web) = (Ca::root("One"), Ca::root("Two"), Ca::root("Three"), Ca::root("Web"));
    let stage = Stage::new(1, |_| {});
    let profiles = [stage.profile("one", &[&one]), stage.profile("two", &[&two]), stage.profile("three", &[&three])];
    let credentials = |name: &str| web.server(stage.files.path(), name, &rcgen::PKCS_ECDSA_P256_SHA256);
    let (by_name, by_protocol) = (credentials("b.example"), credentials("localhost"));
    let host = |files, profile: &str| TlsHostConfig::new(files, ClientCertificate::Required, vec![profile.into()]);
    let install = || {
        stage.reload(&profiles, |tls| {
            tls.host.profiles = vec!["one".into()];
            tls.hosts = vec![
                TlsHostConfig { server_names: vec!["b.example".to_owned()], ..host(by_name.clone(), "two") },
                TlsHostConfig { alpn: vec!["x-special".to_owned()], ..host(by_protocol.clone(), "three") },
                TlsHostConfig { alpn: vec!["x-twin".to_owned()], ..host(by_protocol.clone(), "one") },
            ];
        })
    };
    install();
    let ca_file = stage.files.path().join("roots.pem");
    let trusted = [stage.rig.pki.ca_file(), web.write(stage.files.path(), "web").0].map(|path| std::fs::read_to_string(path).unwrap());
    std::fs::write(&ca_file, trusted.concat()).unwrap();
    assert_eq!(CertificateDer::pem_file_iter(&ca_file).unwrap().count(), 3);
    let (a, b, c) = (one.leaf("a"), two.leaf("b"), three.leaf("c"));
    let special = |shown: &super::forge::Shown, protocol: &str| {
        let mut config = (*shown.client(&ca_file, VERSIONS[1])).clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Arc::new(config)
    };
    for (name, client, device) in [
        ("localhost", a.client(&ca_file, VERSIONS[0]), Some("one a")),
        ("localhost", special(&a, "mqtt"), Some("one a")),
        ("b.example", b.client(&ca_file, VERSIONS[0]), Some("two b")),
        ("b.example", b.client(&ca_file, VERSIONS[1]), Some("two b")),
        ("localhost", special(&c, "x-special"), Some("three c")),
        ("localhost", b.client(&ca_file, VERSIONS[1]), None),
        ("b.example", a.client(&ca_file, VERSIONS[1]), None),
        ("localhost", special(&a, "x-special"), None),
        ("localhost", c.client(&ca_file, VERSIONS[1]), None),
    ] {
        match (Session::enter_as(stage.port(), &client, name, "x"), device) {
            (Ok(_session), Some(device)) => assert_eq!(stage.present(), [device]),
            (Err(Met::Alert(_)), None) => assert_eq!(stage.refusal().refusal.check, Check::Path),
            (other, _) => panic!("{name} {device:?}: {:?}", other.err()),
        }
        stage.rig.await_connections(0);
    }
    // One memory for tickets, two hosts: what one host gave out is worth nothing at the other, though both believe the same.
    for version in VERSIONS {
        let client = a.client(&ca_file, version);
        let at_twin = |client: &Arc<rustls::ClientConfig>| {
            let mut config = (**client).clone();
            config.alpn_protocols = vec![b"x-twin".to_vec()];
            Arc::new(config)
        };
        assert!(!meet(stage.port(), &client).1);
        let (met, resumed) = meet(stage.port(), &client);
        assert!(matches!(met, Met::In(_)) && resumed, "{version:?} {met:?}");
        let (met, resumed) = meet(stage.port(), &at_twin(&client));
        assert!(matches!(met, Met::In(_)) && !resumed, "{version:?} {met:?}");
    }
    install();
    let mut stream = dial(stage.port(), &a.client(&ca_file, VERSIONS[1]), "localhost");
    assert!(matches!(introduce(&mut stream), Met::In(_)));
}

#[test]
fn a_ticket_is_worth_nothing_at_another_listener() {
    let root = Ca::root("Root");
    let stage = Stage::new(1, |_| {});
    let profile = stage.profile("devices", &[&root]);
    stage.trust(std::slice::from_ref(&profile));
    let mut twin: ListenerConfig = stage.listener();
    twin.name = "twin".to_owned();
    let listeners = [stage.listener(), twin].map(|mut listener| {
        listener.transport = TransportConfig::Tls(tls_config(&stage.rig.pki));
        listener
    });
    stage.rig.server.reload(&listeners, &[ProfileConfig::from(profile)]).unwrap();
    for version in VERSIONS {
        let client = root.leaf("a").client(&stage.rig.pki.ca_file(), version);
        assert!(!meet(stage.port(), &client).1);
        assert!(meet(stage.port(), &client).1, "{version:?}");
        let (met, resumed) = meet(stage.rig.port("twin"), &client);
        assert!(matches!(met, Met::In(_)) && !resumed, "{version:?}");
    }
}
