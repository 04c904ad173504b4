//! CRL files: whole or not at all, the last good state kept.

use std::fs;

use signet_sources::{ProfileSources, SourceState};
use signet_testkit::{CrlWish, OpensslCa};

use crate::rig::{Rig, report, until};

fn with_files(rig: &Rig, names: &[&str]) -> ProfileSources {
    ProfileSources { files: names.iter().map(|name| rig.file(name)).collect(), ..rig.profile() }
}

#[test]
fn a_file_is_in_force_when_start_returns_and_again_when_it_changes() {
    let rig = Rig::new();
    let (first, second) = (rig.ca.device("first", ""), rig.ca.device("second", ""));
    rig.ca.revoke(&first, "keyCompromise");
    fs::write(rig.file("crl.pem"), rig.ca.crl(CrlWish::default())).unwrap();
    let sources = rig.start(with_files(&rig, &["crl.pem"]));
    assert!(rig.is_revoked(&first) && rig.is_good(&second));
    let told = rig.told.lists();
    // Replaced at once.
    rig.ca.revoke(&second, "superseded");
    fs::write(rig.file("new"), rig.ca.crl(CrlWish { der: true, ..CrlWish::default() })).unwrap();
    fs::rename(rig.file("new"), rig.file("crl.pem")).unwrap();
    rig.told.wait("the new list", |events| events.lists.len() > told);
    assert!(rig.is_revoked(&first) && rig.is_revoked(&second));
    let report = report(&sources, &rig.file("crl.pem").display().to_string());
    assert_eq!((report.state, report.lists.len(), report.lists[0].entries), (SourceState::Good, 1, 2));
    assert_eq!(report.lists[0].number.as_deref(), Some("2"));
    assert_eq!(report.attempts.requests, 2);
}

#[test]
fn what_is_half_written_removed_or_nonsense_changes_nothing() {
    let rig = Rig::new();
    let (first, second) = (rig.ca.device("first", ""), rig.ca.device("second", ""));
    rig.ca.revoke(&first, "keyCompromise");
    let path = rig.file("crl.pem");
    fs::write(&path, rig.ca.crl(CrlWish::default())).unwrap();
    let sources = rig.start(with_files(&rig, &["crl.pem"]));
    let failed = |error: &str| {
        until(error, || report(&sources, &path.display().to_string()).attempts.last_error.is_some_and(|found| found.contains(error)));
        assert!(rig.is_revoked(&first) && rig.is_good(&second), "{error}");
        assert_eq!(report(&sources, &path.display().to_string()).state, SourceState::Failing);
    };
    rig.ca.revoke(&second, "superseded");
    let whole = rig.ca.crl(CrlWish::default());
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    failed("may be cut off");
    fs::write(&path, "<html>not found</html>").unwrap();
    failed("neither PEM nor DER");
    fs::remove_file(&path).unwrap();
    failed("no such file");
    fs::write(&path, &whole).unwrap();
    until("the whole list", || rig.is_revoked(&second));
    until("the report", || report(&sources, &path.display().to_string()).state == SourceState::Good);
}

#[test]
fn several_lists_in_one_file_each_count() {
    let rig = Rig::new();
    let other = OpensslCa::create(&rig.file("other"), "Other CA");
    let (ours, theirs) = (rig.ca.device("ours", ""), other.device("theirs", ""));
    rig.ca.revoke(&ours, "keyCompromise");
    other.revoke(&theirs, "keyCompromise");
    let mut both = rig.ca.crl(CrlWish::default());
    both.extend(other.crl(CrlWish::default()));
    fs::write(rig.file("crl.pem"), both).unwrap();
    let mut profile = with_files(&rig, &["crl.pem"]);
    profile.issuers.push(other.der());
    let sources = rig.start(profile);
    assert!(rig.is_revoked(&ours));
    let id = signet_identity::Leaf::parse(&theirs.der).unwrap().id();
    assert!(rig.revocations.load().lookup(&id).is_some());
    assert_eq!(report(&sources, &rig.file("crl.pem").display().to_string()).lists.len(), 2);
}

#[test]
fn a_list_of_a_stranger_or_an_older_one_is_refused() {
    let rig = Rig::new();
    let stranger = OpensslCa::create(&rig.file("stranger"), "Stranger");
    let device = rig.ca.device("device", "");
    let path = rig.file("crl.pem");
    let old = rig.ca.crl(CrlWish::default());
    rig.ca.revoke(&device, "keyCompromise");
    fs::write(&path, rig.ca.crl(CrlWish::default())).unwrap();
    let sources = rig.start(with_files(&rig, &["crl.pem"]));
    for (bytes, error) in [(stranger.crl(CrlWish::default()), "CN=Stranger"), (old, "older than the one in force")] {
        fs::write(&path, bytes).unwrap();
        until(error, || report(&sources, &path.display().to_string()).attempts.last_error.is_some_and(|found| found.contains(error)));
        assert!(rig.is_revoked(&device));
    }
}

#[test]
fn a_bad_file_refuses_the_start_and_leaves_nothing_behind() {
    let rig = Rig::new();
    let device = rig.ca.device("device", "");
    rig.ca.revoke(&device, "keyCompromise");
    fs::write(rig.file("a.pem"), rig.ca.crl(CrlWish::default())).unwrap();
    fs::write(rig.file("b.pem"), "nonsense").unwrap();
    let error = rig.try_start(&rig.config(with_files(&rig, &["a.pem", "b.pem"]))).unwrap_err().to_string();
    assert!(error.contains("b.pem` of profile `devices` cannot be used: no CRL found"), "{error}");
    assert!(rig.is_unknown(&device));
    assert_eq!(rig.told.lists(), 0);
}

#[test]
fn a_list_is_reported_as_overdue_when_its_time_is_over_and_as_current_again() {
    let rig = Rig::new();
    let device = rig.ca.device("device", "");
    let path = rig.file("crl.pem");
    fs::write(&path, rig.ca.crl(CrlWish { seconds: Some(2), ..CrlWish::default() })).unwrap();
    let sources = rig.start(with_files(&rig, &["crl.pem"]));
    let state = || report(&sources, &path.display().to_string()).state;
    assert_eq!(state(), SourceState::Good);
    until("the end of the list", || state() == SourceState::Stale);
    assert!(matches!(rig.judge(&device), signet_revocation::Verdict::Stale { .. }));
    fs::write(&path, rig.ca.crl(CrlWish::default())).unwrap();
    until("the next list", || rig.is_good(&device));
    until("the report", || state() == SourceState::Good);
}

#[test]
fn a_delta_completes_the_list_whichever_is_read_first() {
    let rig = Rig::new();
    let (first, second) = (rig.ca.device("first", ""), rig.ca.device("second", ""));
    rig.ca.revoke(&first, "certificateHold");
    let base_number = rig.ca.next_crl_number();
    let base = rig.ca.crl(CrlWish::default());
    rig.ca.revoke(&second, "keyCompromise");
    let extensions = format!("2.5.29.27=critical,ASN1:INTEGER:{base_number}");
    let delta = rig.ca.crl(CrlWish { extensions: &extensions, ..CrlWish::default() });
    // In alphabetical order the delta comes first.
    fs::write(rig.file("a-delta.pem"), &delta).unwrap();
    fs::write(rig.file("b-base.pem"), base).unwrap();
    let sources = rig.start(with_files(&rig, &["a-delta.pem", "b-base.pem"]));
    assert!(rig.is_revoked(&first) && rig.is_revoked(&second));
    let report = report(&sources, &rig.file("a-delta.pem").display().to_string());
    assert!(report.lists.len() == 1 && report.lists[0].delta, "{report:?}");
}
