//! Mistakes of the people who run it: each gets an exit code, the place and a way out, and nothing is half done.

use std::net::TcpListener;

use signet_e2e::{Client, Pki, Publication, Site, Version};

/// Changes the configuration and expects `signet check` and `signet serve` to refuse it alike, saying all of `texts`.
#[track_caller]
fn is_refused(site: &Site, texts: &[&str]) {
    for command in ["check", "serve"] {
        let finished = site.signet(&[command]);
        assert_eq!(finished.code, Some(3), "{command}:\n{}", finished.output);
        for text in texts {
            assert!(finished.says(text), "{command} does not say `{text}`:\n{}", finished.output);
        }
    }
}

#[test]
fn every_problem_is_reported_with_its_line() {
    let site = Site::quickstart();
    site.signet(&["check"]).succeeded();
    site.edit("signet.toml", |text| text.replace("\nbind = ", "\nbnid = ").replace("level = \"info\"", "level = \"loud\""));
    is_refused(&site, &["signet.toml:", "unknown key `bnid`", "`bind`", "`loud`"]);
}

#[test]
fn a_key_that_does_not_match_its_certificate() {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| text.replace("key = \"server/server.key\"", "key = \"devices/pump-7.key\""));
    is_refused(&site, &["signet.toml:", "devices/pump-7.key", "is not the private key"]);
}

#[test]
fn a_file_without_a_key() {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| text.replace("key = \"server/server.key\"", "key = \"server/server.pem\""));
    is_refused(&site, &["server/server.pem", "key"]);
}

#[test]
fn a_leaf_certificate_as_trust_anchor() {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| text.replace("trust = [\"ca/ca.pem\"]", "trust = [\"devices/pump-7.pem\"]"));
    is_refused(&site, &["devices/pump-7.pem"]);
}

#[test]
fn a_crl_of_another_issuer() {
    let site = Site::quickstart();
    Pki::new("Other CA").crl(&site.path("ca/other-crl.pem"));
    site.edit("signet.toml", |text| text.replace("trust = [\"ca/ca.pem\"]", "trust = [\"ca/ca.pem\"]\ncrl = [\"ca/other-crl.pem\"]"));
    is_refused(&site, &["ca/other-crl.pem", "Other CA"]);
}

#[test]
fn a_port_that_is_taken() {
    let site = Site::quickstart();
    let _taken = TcpListener::bind(("0.0.0.0", site.port())).expect("the port is free until now");
    let finished = site.signet(&["serve"]);
    assert_eq!(finished.code, Some(1), "{}", finished.output);
    assert!(finished.says(&site.port().to_string()), "{}", finished.output);
}

#[test]
fn a_second_broker_on_the_same_directory() {
    let site = Site::quickstart();
    let _broker = site.serve();
    assert_eq!(site.signet(&["serve"]).code, Some(6));
}

#[test]
fn a_device_nobody_knows_and_a_file_that_exists() {
    let site = Site::quickstart();
    assert_eq!(site.signet(&["device", "revoke", "pump-8"]).code, Some(4));
    let key = std::fs::read(site.path("devices/pump-7.key")).expect("the key");
    assert_eq!(site.signet(&["device", "add", "pump-7"]).code, Some(5));
    assert_eq!(std::fs::read(site.path("devices/pump-7.key")).expect("the key"), key, "a key was overwritten");
}

/// A reload takes over everything or nothing: after a bad edit the broker goes on as before and says why.
#[test]
fn a_bad_reload_changes_nothing() {
    let site = Site::quickstart();
    let broker = site.serve();
    site.edit("signet.toml", |text| text.replace("\nkey = \"server/server.key\"", "\nkey = \"nowhere.key\""));
    broker.signal("HUP");
    broker.logs("nowhere.key");
    let message = Publication::of("pump-7/x", "x", 1);
    Client::Mosquitto.publish(Version::V5, site.port(), &site.device("pump-7"), &message).succeeded();
    broker.stop().succeeded();
}

/// Run a second time it starts from what is there.
#[test]
fn quickstart_destroys_nothing() {
    let site = Site::quickstart();
    let files = ["ca/root.key", "ca/issuing.key", "server/server.key", "devices/pump-7.key", "devices/pump-7.pem", "signet.toml"];
    let read = || files.map(|file| std::fs::read(site.path(file)).expect("quickstart wrote it"));
    let before = read();
    site.signet(&["quickstart", "--no-serve"]).succeeded();
    assert_eq!(read(), before);
}
