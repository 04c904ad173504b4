//! `signet serve` with a broker that really runs: the admin socket, signals, reload, CRL files.

use std::io::{Read as _, Write as _};

use rustix::process::Signal;

use crate::rig::{Broker, Ended, Rig, dial};

/// Publishes as pump-7; 0 when the broker took it.
pub(crate) fn publish(rig: &Rig, broker: &Broker) -> Ended {
    let port = broker.port();
    rig.run(&[
        "pub",
        "-h",
        "localhost",
        "-p",
        &port,
        "--cafile",
        "ca/ca.pem",
        "--cert",
        "devices/pump-7.pem",
        "--key",
        "devices/pump-7.key",
        "-t",
        "pump-7/temp",
        "-m",
        "21",
        "-q",
        "1",
    ])
}

/// Subscribes as pump-7 until the broker ends it.
pub(crate) fn subscribe(rig: &Rig, port: &str) -> Ended {
    rig.run(&[
        "sub",
        "-h",
        "localhost",
        "-p",
        port,
        "--cafile",
        "ca/ca.pem",
        "--cert",
        "devices/pump-7.pem",
        "--key",
        "devices/pump-7.key",
        "-t",
        "pump-7/#",
        "-v",
    ])
}

#[test]
fn status_shows_what_the_broker_counts() {
    let rig = Rig::quickstarted();
    let nobody = rig.run(&["status"]);
    assert!(nobody.code != Some(0) && nobody.err.contains("no broker runs here"), "{}", nobody.err);
    let mut broker = rig.serve();
    publish(&rig, &broker).expect(0);
    broker.wait_for("disconnected: the client disconnected");
    let shown = rig.run(&["status"]).expect(0).out;
    assert!(shown.contains("listener `mqtts`: tls on ") && shown.contains("signet_connects_total"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&rig.run(&["status", "--json"]).expect(0).out).unwrap();
    assert_eq!(json["numbers"]["signet_publishes_total{direction=\"received\",qos=\"1\"}"], 1.0);
    assert_eq!(json["connections"], 0);
}

#[test]
fn the_command_line_goes_through_the_running_broker() {
    let rig = Rig::quickstarted();
    let mut broker = rig.serve();
    publish(&rig, &broker).expect(0);
    let added = rig.run(&["device", "add", "pump-8"]).expect(0);
    assert_eq!(added.err, "", "no note: the broker answered");
    broker.wait_for("certificate issued");
    let ended = rig.run(&["device", "revoke", "pump-7", "-r", "keyCompromise"]).expect(0);
    assert!(ended.out.contains("(keyCompromise); 0 sessions closed in ") && ended.out.ends_with("; CRL number 2\n"), "{}", ended.out);
    assert_ne!(publish(&rig, &broker).code, Some(0), "a revoked certificate was let in");
    let line = broker.wait_for("refused");
    assert!(line.contains("CN=pump-7") && line.contains("revo") && line.contains("hint="), "{line}");
    broker.signal(Signal::TERM);
    assert_eq!(broker.ended(), Some(0));
    assert!(!rig.path("data/admin.sock").exists());
    // The next start reads the revocation from the ledger.
    let mut broker = rig.serve();
    assert_ne!(publish(&rig, &broker).code, Some(0));
    broker.wait_for("refused");
}

#[test]
fn a_live_session_ends_with_the_reason_when_its_device_is_revoked() {
    let rig = Rig::quickstarted();
    let mut broker = rig.serve();
    let port = broker.port();
    let subscribed = std::thread::scope(|scope| {
        let subscriber = scope.spawn(|| subscribe(&rig, &port));
        broker.wait_for("connected");
        let ended = rig.run(&["device", "revoke", "pump-7"]).expect(0);
        assert!(ended.out.contains("; 1 session closed in "), "{}", ended.out);
        subscriber.join().unwrap()
    });
    assert_eq!(subscribed.code, Some(0x98), "{}", subscribed.err);
    assert!(subscribed.err.contains("revoked"), "{}", subscribed.err);
}

#[test]
fn a_second_broker_on_the_same_data_is_refused_and_a_killed_one_leaves_nothing_in_the_way() {
    let rig = Rig::quickstarted();
    let broker = rig.serve();
    let ended = rig.run(&["serve"]).expect(6);
    assert!(ended.err.contains("signet: error: another signet (process "), "{}", ended.err);
    broker.signal(Signal::KILL);
    assert_eq!(broker.ended(), None);
    assert!(rig.path("data/admin.sock").exists(), "a killed broker cannot clean up");
    let listed = rig.run(&["device", "list"]).expect(0);
    assert!(listed.err.starts_with("note: no broker runs here"), "{}", listed.err);
    drop(rig.serve());
}

#[test]
fn a_reload_takes_over_everything_or_nothing() {
    let rig = Rig::quickstarted();
    let mut broker = rig.serve();
    publish(&rig, &broker).expect(0);
    let good = rig.read("signet.toml");

    rig.write("signet.toml", &good.replace("publish = [\"${device}/#\"]", "publish = [\"a/#/b\"]"));
    broker.signal(Signal::HUP);
    broker.wait_for("reload refused, everything stays as it was: `signet.toml` has 1 problem");
    publish(&rig, &broker).expect(0);

    rig.write(
        "signet.toml",
        &good.replace("publish = [\"${device}/#\"]", "publish = [\"other/#\"]").replace("sys_interval = \"10s\"", "sys_interval = \"20s\""),
    );
    broker.signal(Signal::HUP);
    broker.wait_for("configuration reloaded");
    broker.wait_for("`sys_interval`: takes effect at the next start only");
    assert_ne!(publish(&rig, &broker).code, Some(0), "the old rule is still in force");
    assert!(broker.ended_after_term());
}

#[test]
fn a_changed_crl_file_ends_sessions_and_a_bad_one_changes_nothing() {
    let rig = Rig::quickstarted();
    // A partner's authority: trusted by our listener, administered elsewhere.
    let partner = Rig::new();
    partner.run(&["ca", "init", "--name", "Partner"]).expect(0);
    partner.run(&["device", "add", "pump-9"]).expect(0);
    partner.run(&["ca", "crl"]).expect(0);
    let copy = |from: &str, to: &str| {
        std::fs::copy(partner.path(from), rig.path(to)).unwrap();
    };
    copy("ca/ca.pem", "ca/partner.pem");
    copy("ca/crl.pem", "partner-crl.pem");
    copy("devices/pump-9.pem", "devices/pump-7.pem");
    copy("devices/pump-9.key", "devices/pump-7.key");
    let text = rig.read("signet.toml");
    let text = text.replacen("trust = [\"ca/ca.pem\"]", "trust = [\"ca/ca.pem\", \"ca/partner.pem\"]\ncrl = [\"partner-crl.pem\"]", 1);
    rig.write("signet.toml", &text.replace("${device}/#", "#"));

    let mut broker = rig.serve();
    let port = broker.port();
    publish(&rig, &broker).expect(0);
    rig.write("partner-crl.pem", "-----BEGIN X509 CRL-----\nhalf");
    broker.wait_for("no revocation list from this source, the last good one stays in force");
    publish(&rig, &broker).expect(0);
    let subscribed = std::thread::scope(|scope| {
        let subscriber = scope.spawn(|| subscribe(&rig, &port));
        broker.wait_for("connected connection=3 ");
        partner.run(&["device", "revoke", "pump-9", "-r", "superseded"]).expect(0);
        copy("ca/crl.pem", "partner-crl.pem");
        let line = broker.wait_for("sessions ended that may not go on");
        assert!(line.contains("found=1 closed=1") && line.contains("partner-crl.pem"), "{line}");
        subscriber.join().unwrap()
    });
    assert_eq!(subscribed.code, Some(0x98), "{}", subscribed.err);
    assert_ne!(publish(&rig, &broker).code, Some(0), "a certificate on the CRL was let in");
}

/// A list whose file has become bad is in force from memory alone: a reload that is refused must not have forgotten it.
#[test]
fn a_refused_reload_keeps_the_lists_that_it_would_have_dropped() {
    let rig = Rig::quickstarted();
    let partner = Rig::new();
    partner.run(&["ca", "init", "--name", "Partner"]).expect(0);
    partner.run(&["device", "add", "pump-9"]).expect(0);
    partner.run(&["device", "revoke", "pump-9", "-r", "superseded"]).expect(0);
    for (from, to) in [
        ("ca/ca.pem", "ca/partner.pem"),
        ("ca/crl.pem", "partner-crl.pem"),
        ("devices/pump-9.pem", "devices/pump-7.pem"),
        ("devices/pump-9.key", "devices/pump-7.key"),
    ] {
        std::fs::copy(partner.path(from), rig.path(to)).unwrap();
    }
    let trusting = "trust = [\"ca/ca.pem\", \"ca/partner.pem\"]";
    let without = rig.read("signet.toml").replacen("trust = [\"ca/ca.pem\"]", trusting, 1).replace("${device}/#", "#");
    rig.write("signet.toml", &without.replacen(trusting, &format!("{trusting}\ncrl = [\"partner-crl.pem\"]"), 1));
    let mut broker = rig.serve();
    publish(&rig, &broker);
    broker.wait_for("check=\"revocation\"");
    rig.write("partner-crl.pem", "-----BEGIN X509 CRL-----\nhalf");
    broker.wait_for("no revocation list from this source, the last good one stays in force");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other =
        format!("[[listener]]\nname = \"other\"\nbind = [\"{}\"]\ntransport = \"tcp\"\nanonymous = true\n", taken.local_addr().unwrap());
    rig.write("signet.toml", &format!("{without}\n{other}"));
    broker.signal(Signal::HUP);
    broker.wait_for("reload refused, everything stays as it was");
    publish(&rig, &broker);
    broker.wait_for("check=\"revocation\"");
}

#[test]
fn a_broker_without_an_authority_takes_one_over_when_it_reloads() {
    let rig = Rig::new();
    rig.write("signet.toml", "[[listener]]\nbind = [\"127.0.0.1:0\"]\ntransport = \"tcp\"\nanonymous = true\n");
    let mut broker = rig.serve();
    let ended = rig.run(&["device", "add", "pump-1"]).expect(1);
    assert!(ended.err.starts_with("signet: error: there is no certificate authority here\nhint: `signet ca init`"), "{}", ended.err);
    assert!(!rig.path("devices/pump-1.key").exists(), "a key without a certificate was left behind");
    rig.run(&["ca", "init"]).expect(0);
    broker.signal(Signal::HUP);
    broker.wait_for("configuration reloaded");
    rig.run(&["device", "add", "pump-1"]).expect(0);
}

#[test]
fn there_is_room_for_the_connections_that_the_listeners_allow() {
    let rig = Rig::quickstarted();
    let broker = rig.serve_after("ulimit -Sn 200");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", broker.process_id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let soft: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!(soft > 10_000, "{line}");
    drop(broker);
    assert!(rig.serve_after("ulimit -n 300").said("open files").contains("open_files=300"));
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    let rig = Rig::quickstarted();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    rig.write("signet.toml", &rig.read("signet.toml").replace("127.0.0.1:0", &format!("127.0.0.1:{port}")));
    let _broker = rig.serve_unread();
    // Each writes a line of some 300 octets; a pipe takes 64 KiB.
    for count in 0..600 {
        let mut stranger = dial(port);
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        stranger.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let mut answer = Vec::new();
        if let Err(error) = stranger.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the broker is stuck after {count}");
        }
    }
    let arguments = ["-h", "localhost", "--cafile", "ca/ca.pem", "--cert", "devices/pump-7.pem", "--key", "devices/pump-7.key"];
    let port = port.to_string();
    let publish = ["pub", "-p", &port, "-t", "pump-7/temp", "-m", "21", "-q", "1"];
    rig.run(&[&publish[..], &arguments[..]].concat()).expect(0);
}
