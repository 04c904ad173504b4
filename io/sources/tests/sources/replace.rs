//! Another configuration: all or nothing, what is named in both stays.

use std::fs;

use signet_sources::{ProfileSources, SourceState, SourcesConfig};
use signet_testkit::{CrlWish, Nginx, OpensslCa};

use crate::rig::{Rig, report, until};

#[test]
fn what_is_named_no_more_leaves_the_index_and_what_stays_is_not_fetched_again() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    rig.ca.revoke(&device, "keyCompromise");
    let crl = rig.ca.crl(CrlWish::default());
    nginx.publish("ca.crl", &crl);
    fs::write(rig.file("crl.pem"), &crl).unwrap();
    let url = nginx.url("ca.crl");
    let by_url = ProfileSources { urls: vec![url.parse().unwrap()], ..rig.profile() };
    let by_both = ProfileSources { files: vec![rig.file("crl.pem")], ..by_url.clone() };
    let sources = rig.start(by_both.clone());
    until("the fetch", || report(&sources, &url).attempts.requests == 1);
    sources.replace(&rig.config(by_both)).unwrap();
    assert_eq!(sources.report().len(), 2);
    sources.replace(&rig.config(by_url)).unwrap();
    assert!(rig.is_revoked(&device), "the address still offers it");
    assert_eq!(sources.report().len(), 1);
    sources.replace(&rig.config(rig.profile())).unwrap();
    assert!(rig.is_unknown(&device));
    assert!(sources.report().is_empty());
    assert_eq!(fs::read_dir(rig.directory.path().join("copies")).unwrap().count(), 0);
    assert!(nginx.answers().len() <= 2, "once at first, and perhaps once when the file left: {:?}", nginx.answers());
}

#[test]
fn the_older_list_of_another_source_counts_again_when_the_newer_one_is_named_no_more() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let (first, second) = (rig.ca.device("first", ""), rig.ca.device("second", ""));
    rig.ca.revoke(&first, "keyCompromise");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    rig.ca.revoke(&second, "keyCompromise");
    fs::write(rig.file("crl.pem"), rig.ca.crl(CrlWish::default())).unwrap();
    let url = nginx.url("ca.crl");
    let by_url = ProfileSources { urls: vec![url.parse().unwrap()], ..rig.profile() };
    let sources = rig.start(ProfileSources { files: vec![rig.file("crl.pem")], ..by_url.clone() });
    until("the fetch", || report(&sources, &url).attempts.requests == 1);
    assert!(rig.is_revoked(&first) && rig.is_revoked(&second));
    assert_eq!(report(&sources, &url).state, SourceState::Good, "behind is not wrong");
    sources.replace(&rig.config(by_url)).unwrap();
    until("the older list", || rig.is_revoked(&first) && rig.is_good(&second));
}

#[test]
fn a_bad_new_file_leaves_everything_as_it_was() {
    let rig = Rig::new();
    let device = rig.ca.device("device", "");
    rig.ca.revoke(&device, "keyCompromise");
    fs::write(rig.file("good.pem"), rig.ca.crl(CrlWish::default())).unwrap();
    fs::write(rig.file("bad.pem"), "nonsense").unwrap();
    let good = ProfileSources { files: vec![rig.file("good.pem")], ..rig.profile() };
    let sources = rig.start(good.clone());
    let told = rig.told.lists();
    let bad = ProfileSources { files: vec![rig.file("bad.pem")], ..rig.profile() };
    let error = sources.replace(&rig.config(bad)).unwrap_err().to_string();
    assert!(error.contains("bad.pem"), "{error}");
    let twice = SourcesConfig { profiles: vec![good.clone(), good.clone()], ..rig.config(good.clone()) };
    assert!(sources.replace(&twice).unwrap_err().to_string().contains("two profiles are named `devices`"));
    let no_trust = ProfileSources { https_trust: Some(rig.file("missing.pem")), ..good.clone() };
    assert!(sources.replace(&rig.config(no_trust)).unwrap_err().to_string().contains("missing.pem"));
    let broken = ProfileSources { issuers: vec![vec![1, 2, 3]], ..good };
    assert!(sources.replace(&rig.config(broken)).unwrap_err().to_string().contains("certificate 1 of the issuers"));
    assert!(rig.is_revoked(&device));
    assert_eq!((rig.told.lists(), sources.report().len()), (told, 1));
}

#[test]
fn lists_of_signers_that_are_not_trusted_any_more_leave() {
    let rig = Rig::new();
    let other = OpensslCa::create(&rig.file("other"), "Other CA");
    let device = rig.ca.device("device", "");
    rig.ca.revoke(&device, "keyCompromise");
    fs::write(rig.file("crl.pem"), rig.ca.crl(CrlWish::default())).unwrap();
    let before = ProfileSources { files: vec![rig.file("crl.pem")], ..rig.profile() };
    let sources = rig.start(before.clone());
    assert!(rig.is_revoked(&device));
    sources.replace(&rig.config(ProfileSources { issuers: vec![other.der()], ..before.clone() })).unwrap();
    assert!(rig.is_unknown(&device));
    sources.replace(&rig.config(before)).unwrap();
    until("the list to be read again", || rig.is_revoked(&device));
}

#[test]
fn lists_of_strangers_are_passed_over_only_where_that_is_said() {
    let rig = Rig::new();
    let other = OpensslCa::create(&rig.file("other"), "Other CA");
    let device = rig.ca.device("device", "");
    rig.ca.revoke(&device, "keyCompromise");
    let both = [other.crl(CrlWish::default()), rig.ca.crl(CrlWish::default())].concat();
    fs::write(rig.file("both.pem"), both).unwrap();
    let strict = ProfileSources { files: vec![rig.file("both.pem")], ..rig.profile() };
    assert!(signet_sources::read_file(&rig.file("both.pem"), &strict).unwrap_err().contains("Other CA"));
    let sources = rig.start(ProfileSources { skip_unknown_issuers: true, ..strict });
    assert!(rig.is_revoked(&device) && sources.report().len() == 1);
}
