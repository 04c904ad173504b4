//! CRLs by address: nginx, and what goes wrong on the way.

use signet_sources::{ProfileSources, SourceKind, SourceState};
use signet_testkit::{Conduct, CrlWish, Nginx, Pki, Relay};

use crate::rig::{Rig, report, until};

fn with_urls(rig: &Rig, urls: &[&str]) -> ProfileSources {
    ProfileSources { urls: urls.iter().map(|url| url.parse().unwrap()).collect(), ..rig.profile() }
}

#[test]
fn a_list_is_fetched_refreshed_and_not_sent_twice() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish { der: true, ..CrlWish::default() }));
    nginx.age("ca.crl", 60);
    let url = nginx.url("ca.crl");
    let sources = rig.start(with_urls(&rig, &[&url]));
    rig.told.wait("the list", |events| events.lists.len() == 1);
    assert!(rig.is_good(&device));
    sources.refresh(Some(&url));
    until("a second fetch", || report(&sources, &url).attempts.requests == 2);
    assert_eq!(rig.told.lists(), 1, "the same list is no change");
    rig.ca.revoke(&device, "keyCompromise");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    sources.refresh(None);
    rig.told.wait("the next list", |events| events.lists.len() == 2);
    assert!(rig.is_revoked(&device));
    let report = report(&sources, &url);
    assert_eq!((report.kind, report.state), (SourceKind::Url, SourceState::Good));
    assert_eq!(report.lists[0].number.as_deref(), Some("2"));
    assert!(report.attempts.latency.is_some() && report.attempts.last_success.is_some());
}

#[test]
fn a_list_that_did_not_change_is_not_sent_again() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    nginx.age("ca.crl", 60);
    let profile = ProfileSources { refresh: std::time::Duration::from_secs(1), ..with_urls(&rig, &[&nginx.url("ca.crl")]) };
    let sources = rig.start(profile.clone());
    assert_eq!(nginx.wait_for_answers(2)[..2], ["200 GET /ca.crl", "304 GET /ca.crl"]);
    until("the report", || report(&sources, &nginx.url("ca.crl")).attempts.requests >= 2);
    assert!(rig.is_good(&device));
    assert_eq!(report(&sources, &nginx.url("ca.crl")).state, SourceState::Good);
    drop(sources);
    // The copy remembers by what it is known.
    let before = nginx.answers().len();
    let next = Rig::new();
    let config = signet_sources::SourcesConfig { profiles: vec![profile.clone()], ..rig.config(profile) };
    let _sources = next.start_all(&config);
    assert_eq!(nginx.wait_for_answers(before + 1)[before], "304 GET /ca.crl");
}

#[test]
fn a_certificate_on_hold_is_released_by_the_next_list() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    rig.ca.revoke(&device, "certificateHold");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    let url = nginx.url("ca.crl");
    let sources = rig.start(with_urls(&rig, &[&url]));
    rig.told.wait("the list", |events| events.lists.len() == 1);
    assert!(rig.is_revoked(&device));
    rig.ca.release_all();
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    sources.refresh(Some(crate::rig::PROFILE));
    rig.told.wait("the next list", |events| events.lists.len() == 2);
    assert!(rig.is_good(&device));
}

#[test]
fn an_indirect_list_counts_only_when_the_profile_says_who_may_sign_it() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let other = signet_testkit::OpensslCa::create(&rig.file("other"), "Revocation Authority");
    let device = rig.ca.device("device", "");
    nginx.publish(
        "ca.crl",
        &other.crl(CrlWish { extensions: "issuingDistributionPoint=critical,@idp\n[idp]\nindirectCRL=TRUE\n", ..CrlWish::default() }),
    );
    let url = nginx.url("ca.crl");
    let sources = rig.start(with_urls(&rig, &[&url]));
    until("a refusal", || report(&sources, &url).attempts.last_error.is_some_and(|error| error.contains("Revocation Authority")));
    drop(sources);
    let sources = rig.start(ProfileSources { indirect_issuers: vec![other.der()], ..with_urls(&rig, &[&url]) });
    rig.told.wait("the list", |events| events.lists.len() == 1);
    let list = rig.revocations.load().lists().next().unwrap();
    assert!(list.for_any_issuer && list.scope.is_indirect());
    assert!(rig.is_good(&device), "who is accepted for every issuer answers for ours");
    drop(sources);
}

#[test]
fn what_goes_wrong_is_reported_and_the_last_good_list_stays() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let relay = Relay::start(nginx.port(), Conduct::Pass);
    let device = rig.ca.device("device", "");
    rig.ca.revoke(&device, "keyCompromise");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    let url = format!("http://127.0.0.1:{}/ca.crl", relay.port());
    let sources = rig.start(with_urls(&rig, &[&url]));
    rig.told.wait("the list", |events| events.lists.len() == 1);
    let fails_with = |error: &str| {
        sources.refresh(Some(&url));
        until(error, || report(&sources, &url).attempts.last_error.is_some_and(|found| found.contains(error)));
        assert!(rig.is_revoked(&device), "{error}");
        assert_eq!(report(&sources, &url).state, SourceState::Failing);
    };
    nginx.publish("ca.crl", b"<html>Welcome to the portal</html>");
    fails_with("neither PEM nor DER");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    relay.conduct(Conduct::Cut(300));
    fails_with("broke off");
    relay.conduct(Conduct::Pass);
    std::fs::remove_file(nginx.root().join("ca.crl")).unwrap();
    fails_with("404");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    // By itself, after a pause: nobody refreshes.
    until("the source to be well again", || report(&sources, &url).state == SourceState::Good);
    assert!(report(&sources, &url).attempts.failed >= 3);
}

#[test]
fn a_server_that_comes_back_is_found_by_itself() {
    let rig = Rig::new();
    let mut nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    nginx.stop();
    let url = nginx.url("ca.crl");
    let sources = rig.start(with_urls(&rig, &[&url]));
    until("a failure", || report(&sources, &url).attempts.last_error.is_some_and(|error| error.contains("connection refused")));
    assert!(rig.is_unknown(&device));
    nginx.restart();
    rig.told.wait("the list", |events| events.lists.len() == 1);
    assert!(rig.is_good(&device));
}

#[test]
fn after_a_restart_the_last_good_copy_is_in_force_at_once() {
    let rig = Rig::new();
    let mut nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    rig.ca.revoke(&device, "keyCompromise");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    let url = nginx.url("ca.crl");
    let sources = rig.start(with_urls(&rig, &[&url]));
    rig.told.wait("the list", |events| events.lists.len() == 1);
    // The copy follows the list.
    until("the attempt to end", || report(&sources, &url).attempts.requests == 1);
    drop(sources);
    nginx.stop();
    let next = Rig::new();
    let config = signet_sources::SourcesConfig { profiles: vec![with_urls(&rig, &[&url])], ..rig.config(rig.profile()) };
    let sources = next.start_all(&config);
    let issuer_and_serial = signet_identity::Leaf::parse(&device.der).unwrap().id();
    assert!(next.revocations.load().lookup(&issuer_and_serial).is_some());
    assert_eq!(report(&sources, &url).lists.len(), 1);
    drop(sources);
    // A copy that was tampered with is no better than a server that lies.
    for entry in std::fs::read_dir(rig.directory.path().join("copies")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "crl") {
            let mut text = std::fs::read(&path).unwrap();
            let middle = text.len() / 2;
            text[middle] = if text[middle] == b'A' { b'B' } else { b'A' };
            std::fs::write(path, text).unwrap();
        }
    }
    let third = Rig::new();
    let _sources = third.start_all(&config);
    assert!(third.revocations.load().lookup(&issuer_and_serial).is_none());
}

#[test]
fn a_list_that_ends_soon_is_fetched_again_before_it_does() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish { seconds: Some(3), ..CrlWish::default() }));
    let url = nginx.url("ca.crl");
    let sources = rig.start(with_urls(&rig, &[&url]));
    rig.told.wait("the list", |events| events.lists.len() == 1);
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    rig.told.wait("its successor", |events| events.lists.len() == 2);
    assert_eq!(report(&sources, &url).lists[0].number.as_deref(), Some("2"));
}

#[test]
fn a_delta_by_address_completes_a_list_that_comes_later() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    let base_number = rig.ca.next_crl_number();
    let base = rig.ca.crl(CrlWish::default());
    rig.ca.revoke(&device, "keyCompromise");
    let extensions = format!("2.5.29.27=critical,ASN1:INTEGER:{base_number}");
    nginx.publish("delta.crl", &rig.ca.crl(CrlWish { extensions: &extensions, ..CrlWish::default() }));
    let (complete, delta) = (nginx.url("ca.crl"), nginx.url("delta.crl"));
    let sources = rig.start(with_urls(&rig, &[&complete, &delta]));
    until("both to fail", || [&complete, &delta].iter().all(|url| report(&sources, url).state == SourceState::Failing));
    nginx.publish("ca.crl", &base);
    sources.refresh(Some(&complete));
    until("the delta", || rig.is_revoked(&device));
    until("the report", || report(&sources, &delta).lists.iter().any(|list| list.delta));
}

#[test]
fn a_delta_in_a_file_is_read_again_when_its_list_comes_by_address() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    let base_number = rig.ca.next_crl_number();
    let base = rig.ca.crl(CrlWish::default());
    rig.ca.revoke(&device, "keyCompromise");
    let extensions = format!("2.5.29.27=critical,ASN1:INTEGER:{base_number}");
    std::fs::write(rig.file("delta.pem"), rig.ca.crl(CrlWish { extensions: &extensions, ..CrlWish::default() })).unwrap();
    let url = nginx.url("ca.crl");
    let sources = rig.start(ProfileSources { files: vec![rig.file("delta.pem")], ..with_urls(&rig, &[&url]) });
    let file = rig.file("delta.pem").display().to_string();
    assert!(report(&sources, &file).attempts.last_error.is_some_and(|error| error.contains("none is loaded")));
    nginx.publish("ca.crl", &base);
    sources.refresh(Some(&url));
    until("the delta", || rig.is_revoked(&device));
    until("the report", || report(&sources, &file).state == SourceState::Good);
}

#[test]
fn https_is_verified_by_the_file_of_the_profile() {
    let rig = Rig::new();
    let pki = Pki::create(&rig.file("pki"));
    let nginx = Nginx::start(Some(&pki));
    let device = rig.ca.device("device", "");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    let url = nginx.https_url("ca.crl");
    let profile = with_urls(&rig, &[&url]);
    let wrong = rig.start(ProfileSources { https_trust: Some(pki.foreign_ca_file()), ..profile.clone() });
    until("a failure", || report(&wrong, &url).attempts.last_error.is_some_and(|error| error.contains("not issued by a CA that we trust")));
    drop(wrong);
    assert!(rig.is_unknown(&device));
    let _sources = rig.start(ProfileSources { https_trust: Some(pki.ca_file()), ..profile });
    rig.told.wait("the list", |events| events.lists.len() == 1);
    assert!(rig.is_good(&device));
}

#[test]
fn a_huge_list_is_refused_before_it_is_read() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    std::fs::File::create(nginx.root().join("huge.crl")).unwrap().set_len(1 << 33).unwrap();
    let url = nginx.url("huge.crl");
    let sources = rig.start(with_urls(&rig, &[&url]));
    until("a failure", || {
        report(&sources, &url).attempts.last_error.is_some_and(|error| error.contains("more than the limit of 67108864"))
    });
}
