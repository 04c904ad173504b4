//! A response about our own certificate.

use std::sync::Arc;
use std::sync::mpsc::channel;

use signet_sources::{SourceKind, SourceState, StapleConfig};

use crate::rig::{PATIENCE, Rig, report, until};

#[test]
fn a_verified_response_is_handed_over_and_its_failure_reported() {
    let rig = Rig::new();
    let mut served = rig.ca.responder(None, &["-nmin", "5"]);
    let server = rig.ca.issue("server", &format!("extendedKeyUsage=serverAuth\nauthorityInfoAccess=OCSP;URI:{}\n", served.url()));
    served.reread();
    let sources = rig.start(rig.profile());
    let config = StapleConfig { name: "mqtts".into(), certificate: server.der, issuer: rig.ca.der(), responder: None, timeout: PATIENCE };
    let (say, said) = channel();
    let staple = sources.staple(&config, Arc::new(move |response| say.send(response).unwrap())).unwrap();
    let response = said.recv_timeout(PATIENCE).unwrap().expect("a response");
    let file = rig.file("response.der");
    std::fs::write(&file, &*response).unwrap();
    let text = std::process::Command::new("openssl").args(["ocsp", "-noverify", "-resp_text", "-respin"]).arg(&file).output().unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("Cert Status: good"));
    until("the report", || report(&sources, &served.url()).state == SourceState::Good);
    let found = report(&sources, &served.url());
    assert_eq!((found.kind, &*found.profile, found.answers), (SourceKind::Staple, "mqtts", 1));
    drop(staple);
    assert!(sources.report().is_empty());
    served.stop();
    let (say, said) = channel();
    let _staple = sources.staple(&config, Arc::new(move |response| say.send(response).unwrap())).unwrap();
    until("a failure", || report(&sources, &served.url()).state == SourceState::Failing);
    assert!(said.try_recv().is_err());
    let _again = rig.ca.responder_on(served.port(), None, &["-nmin", "5"]).expect("the port");
    assert!(said.recv_timeout(PATIENCE).unwrap().is_some(), "by itself, after a pause");
}

#[test]
fn our_own_revoked_certificate_is_not_vouched_for() {
    let rig = Rig::new();
    let server = rig.ca.issue("server", "extendedKeyUsage=serverAuth\n");
    rig.ca.revoke(&server, "keyCompromise");
    let served = rig.ca.responder(None, &["-nmin", "5"]);
    let sources = rig.start(rig.profile());
    let config = StapleConfig { name: "mqtts".into(), certificate: server.der, issuer: rig.ca.der(), responder: None, timeout: PATIENCE };
    let error = sources.staple(&config, Arc::new(|_| {})).unwrap_err().to_string();
    assert!(error.contains("names no OCSP responder"), "{error}");
    let (say, said) = channel();
    let config = StapleConfig { responder: Some(served.url().parse().unwrap()), ..config };
    let _staple = sources.staple(&config, Arc::new(move |response| say.send(response).unwrap())).unwrap();
    until("a failure", || report(&sources, &served.url()).attempts.last_error.is_some_and(|error| error.contains("is revoked")));
    assert!(said.try_recv().is_err());
}
