//! OCSP: `openssl ocsp` as responder, and what goes wrong on the way.

use signet_sources::{Nonce, Ocsp, ProfileSources, SourceKind, SourceLimits, SourceState, SourcesConfig};
use signet_testkit::{Conduct, CrlWish, Nginx, Relay};

use crate::rig::{PATIENCE, Rig, report, until};

fn from_certificates(rig: &Rig) -> ProfileSources {
    ProfileSources { ocsp: Ocsp::FromCertificates, ..rig.profile() }
}

fn responder(rig: &Rig, url: &str) -> ProfileSources {
    ProfileSources { ocsp: Ocsp::Responder(url.parse().unwrap()), ..rig.profile() }
}

fn access(url: &str) -> String {
    format!("authorityInfoAccess=OCSP;URI:{url}\n")
}

#[test]
fn good_and_revoked_are_known_after_asking_the_responder_that_the_certificate_names() {
    let rig = Rig::new();
    let served = rig.ca.responder(None, &["-nmin", "5"]);
    let (good, bad) = (rig.ca.device("good", &access(&served.url())), rig.ca.device("bad", &access(&served.url())));
    rig.ca.revoke(&bad, "keyCompromise");
    served.reread();
    let sources = rig.start(from_certificates(&rig));
    assert!(rig.is_unknown(&good));
    rig.ask(&sources, &good);
    rig.ask(&sources, &bad);
    assert!(rig.is_good(&good) && rig.is_revoked(&bad), "{:?}", sources.report());
    // That somebody may stay is no news.
    assert_eq!(rig.told.answers(), 1);
    let report = report(&sources, &served.url());
    assert_eq!((report.kind, report.state, report.answers), (SourceKind::Responder, SourceState::Good, 2));
    assert!(report.attempts.latency.is_some());
    // It is known: nobody is asked again.
    rig.ask(&sources, &good);
    assert_eq!(self::report(&sources, &served.url()).attempts.requests, report.attempts.requests);
}

/// Whoever has many certificates must not be able to have a revocation forgotten by showing them.
#[test]
fn a_revocation_is_not_forgotten_for_want_of_room() {
    let rig = Rig::new();
    let served = rig.ca.responder(None, &["-nmin", "5"]);
    let (bad, first, second) = (rig.ca.device("bad", ""), rig.ca.device("first", ""), rig.ca.device("second", ""));
    rig.ca.revoke(&bad, "keyCompromise");
    served.reread();
    let limits = SourceLimits { ocsp_answers: 1, ..SourceLimits::default() };
    let sources = rig.start_all(&SourcesConfig { limits, ..rig.config(responder(&rig, &served.url())) });
    rig.ask(&sources, &bad);
    for other in [&first, &second] {
        rig.ask(&sources, other);
        assert!(rig.is_good(other) && rig.is_revoked(&bad));
    }
    assert!(rig.is_unknown(&first), "what is good makes room");
}

/// An answer may be in force that nobody asks for any more: because its device was away, or the profile asked nobody for a while.
#[test]
fn an_answer_is_kept_current_again_when_its_device_comes_back() {
    let rig = Rig::new();
    let device = rig.ca.device("device", "");
    let served = rig.ca.responder(None, &["-nmin", "5"]);
    let asking = responder(&rig, &served.url());
    let sources = rig.start(asking.clone());
    rig.ask(&sources, &device);
    assert!(rig.is_good(&device));
    sources.replace(&rig.config(rig.profile())).unwrap();
    sources.replace(&rig.config(asking)).unwrap();
    assert!(rig.is_good(&device), "it counts until it ends");
    sources.seen(&rig.identity(&device));
    rig.ca.revoke(&device, "keyCompromise");
    served.reread();
    sources.refresh(None);
    until("the revocation is heard of", || rig.is_revoked(&device));
}

#[test]
fn a_delegate_may_sign_and_a_stranger_may_not() {
    let rig = Rig::new();
    let (delegate, device) = (rig.ca.ocsp_signer("delegate"), rig.ca.device("device", ""));
    let stranger = rig.ca.device("stranger", "");
    let false_one = rig.ca.responder(Some(&stranger), &["-nmin", "5"]);
    let sources = rig.start(responder(&rig, &false_one.url()));
    rig.ask(&sources, &device);
    assert!(rig.is_unknown(&device));
    let error = report(&sources, &false_one.url()).attempts.last_error.unwrap();
    assert!(error.contains("CN=stranger") && error.contains("may not sign"), "{error}");
    drop(sources);
    let true_one = rig.ca.responder(Some(&delegate), &["-nmin", "5"]);
    let sources = rig.start(responder(&rig, &true_one.url()));
    rig.ask(&sources, &device);
    assert!(rig.is_good(&device));
}

#[test]
fn what_the_responder_does_not_know_is_looked_up_in_the_list() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let device = rig.ca.device("device", &format!("crlDistributionPoints=URI:{}\n", nginx.url("ca.crl")));
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    // The responder starts with a database that does not hold the certificate.
    rig.ca.forget(&device);
    let served = rig.ca.responder(None, &["-nmin", "5"]);
    let only_ocsp = rig.start(responder(&rig, &served.url()));
    rig.ask(&only_ocsp, &device);
    assert!(rig.is_unknown(&device), "the answer `unknown` is none");
    assert_eq!(report(&only_ocsp, &served.url()).state, SourceState::Good);
    drop(only_ocsp);
    let both = ProfileSources { from_certificates: true, ..responder(&rig, &served.url()) };
    let sources = rig.start(both);
    rig.ask(&sources, &device);
    assert!(rig.is_good(&device));
}

#[test]
fn a_nonce_is_sent_and_demanded() {
    let rig = Rig::new();
    let device = rig.ca.device("device", "");
    let served = rig.ca.responder(None, &["-nmin", "5"]);
    let sources = rig.start(ProfileSources { nonce: Nonce::Require, ..responder(&rig, &served.url()) });
    rig.ask(&sources, &device);
    assert!(rig.is_good(&device), "openssl answers with the nonce: {:?}", report(&sources, &served.url()));
    drop(sources);
    // A response made in advance: nginx gives out what the responder once said without a nonce.
    let next = Rig::new();
    let other = next.ca.device("other", "");
    let nginx = Nginx::start(None);
    next.ca.ocsp_response(&other, &nginx.root().join("response"));
    let url = nginx.ocsp_url("response");
    let sources = next.start(ProfileSources { nonce: Nonce::Require, ..responder(&next, &url) });
    next.ask(&sources, &other);
    assert!(next.is_unknown(&other));
    let error = report(&sources, &url).attempts.last_error.unwrap();
    assert!(error.contains("no nonce"), "{error}");
    drop(sources);
    let sources = next.start(ProfileSources { nonce: Nonce::Send, ..responder(&next, &url) });
    next.ask(&sources, &other);
    assert!(next.is_good(&other), "{:?}", report(&sources, &url));
}

#[test]
fn a_responder_that_is_down_leaves_the_last_answer_and_is_found_again() {
    let rig = Rig::new();
    let (known, unknown) = (rig.ca.device("known", ""), rig.ca.device("unknown", ""));
    let mut served = rig.ca.responder(None, &["-nmin", "5"]);
    let sources = rig.start(responder(&rig, &served.url()));
    rig.ask(&sources, &known);
    served.stop();
    rig.ask(&sources, &unknown);
    assert!(rig.is_good(&known) && rig.is_unknown(&unknown));
    let failing = report(&sources, &served.url());
    assert_eq!(failing.state, SourceState::Failing);
    assert!(failing.attempts.last_error.unwrap().contains("connection refused"));
    let again = rig.ca.responder_on(served.port(), None, &["-nmin", "5"]).expect("the port");
    // Whoever comes back after the pause is answered.
    until("an answer", || {
        rig.ask(&sources, &unknown);
        rig.is_good(&unknown)
    });
    assert_eq!(report(&sources, &again.url()).state, SourceState::Good);
}

#[test]
fn a_slow_responder_holds_up_whoever_asks_and_nobody_else() {
    let rig = Rig::new();
    let served = rig.ca.responder(None, &["-nmin", "5"]);
    let slow = Relay::start(served.port(), Conduct::Hold);
    let (held, quick) =
        (rig.ca.device("held", &access(&format!("http://127.0.0.1:{}", slow.port()))), rig.ca.device("quick", &access(&served.url())));
    served.reread();
    let sources = rig.start(from_certificates(&rig));
    let (done, is_done) = std::sync::mpsc::channel();
    for _ in 0..3 {
        let done = done.clone();
        sources.ask(&rig.identity(&held), Box::new(move || done.send(()).unwrap()));
    }
    slow.wait_for(1);
    rig.ask(&sources, &quick);
    assert!(rig.is_good(&quick) && rig.is_unknown(&held));
    assert!(is_done.try_recv().is_err());
    slow.conduct(Conduct::Pass);
    for _ in 0..3 {
        is_done.recv_timeout(PATIENCE).unwrap();
    }
    assert!(rig.is_good(&held));
    assert_eq!(slow.connections(), 1, "one question for all who ask");
}

#[test]
fn a_responder_that_never_answers_is_given_up_by_its_time_out() {
    let rig = Rig::new();
    let silent = Relay::start(1, Conduct::Hold);
    let device = rig.ca.device("device", "");
    let url = format!("http://127.0.0.1:{}", silent.port());
    let sources = rig.start(ProfileSources { timeout: std::time::Duration::from_millis(100), ..responder(&rig, &url) });
    rig.ask(&sources, &device);
    assert!(rig.is_unknown(&device));
    assert!(report(&sources, &url).attempts.last_error.unwrap().contains("does not answer within 0.1 s"));
    // Whoever asks next does not wait for it again, for a while that grows.
    until("a question that is not asked", || {
        let before = silent.connections();
        rig.ask(&sources, &device);
        silent.connections() == before
    });
}

#[test]
fn an_answer_is_renewed_before_it_ends_and_a_revocation_arrives_by_itself() {
    let rig = Rig::new();
    // Without nextUpdate the answer lives by the profile's rules; openssl counts in minutes.
    let device = rig.ca.device("device", "");
    let served = rig.ca.responder(None, &["-nmin", "1"]);
    let sources = rig.start(responder(&rig, &served.url()));
    rig.ask(&sources, &device);
    assert!(rig.is_good(&device));
    rig.told.set_live(true);
    rig.ca.revoke(&device, "keyCompromise");
    served.reread();
    sources.refresh(None);
    rig.told.wait("the revocation", |events| events.answers == 1);
    assert!(rig.is_revoked(&device));
}

#[test]
fn of_too_many_answers_the_one_not_used_for_longest_goes() {
    let rig = Rig::new();
    let devices: Vec<_> = ["a", "b", "c"].iter().map(|name| rig.ca.device(name, "")).collect();
    let served = rig.ca.responder(None, &["-nmin", "5"]);
    let limits = SourceLimits { ocsp_answers: 2, ..SourceLimits::default() };
    let sources = rig.start_all(&SourcesConfig { limits, ..rig.config(responder(&rig, &served.url())) });
    devices.iter().for_each(|device| rig.ask(&sources, device));
    assert_eq!(rig.revocations.answers(), 2);
    assert!(rig.is_good(&devices[2]));
    assert_eq!(report(&sources, &served.url()).answers, 2);
}

#[test]
fn a_web_server_that_is_no_responder_is_told_apart() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let device = rig.ca.device("device", "");
    let sources = rig.start(responder(&rig, &nginx.url("ocsp")));
    rig.ask(&sources, &device);
    assert!(rig.is_unknown(&device));
    let error = report(&sources, &nginx.url("ocsp")).attempts.last_error.unwrap();
    assert!(error.contains("404") || error.contains("405"), "{error}");
    let methods: Vec<String> = nginx.wait_for_answers(2).iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(methods, ["GET", "POST"]);
}
