//! Suspending, holding, the operator's list, live connections and the audit records, from the command line.

use serde_json::Value;

use crate::rig::Rig;
use crate::serve::{publish, subscribe};

fn json(rig: &Rig, arguments: &[&str]) -> Value {
    serde_json::from_str(&rig.run(arguments).expect(0).out).unwrap()
}

#[test]
fn a_suspension_ends_a_live_session_and_is_on_record() {
    let rig = Rig::quickstarted();
    let mut broker = rig.serve();
    let port = broker.port();
    let subscribed = std::thread::scope(|scope| {
        let subscriber = scope.spawn(|| subscribe(&rig, &port));
        broker.wait_for("connected");
        let shown = json(&rig, &["connections", "--device", "pump-7", "--json"]);
        assert_eq!(
            (&shown[0]["device"], &shown[0]["transport"], &shown[0]["listener"]),
            (&"pump-7".into(), &"tls".into(), &"mqtts".into())
        );
        assert!(shown[0]["not_after"].is_string() && shown[0]["issuer"].is_string(), "{shown}");
        assert!(rig.run(&["connections", "--ca", "ca/issuing.pem"]).expect(0).out.contains("pump-7"));
        assert_eq!(json(&rig, &["connections", "--listener", "other", "--json"]), Value::Array(Vec::new()));
        let ended = rig.run(&["device", "suspend", "pump-7", "--reason", "in repair"]).expect(0);
        assert!(ended.out.starts_with("suspended pump-7; 1 session closed in ") && ended.err.is_empty(), "{ended:?}");
        subscriber.join().unwrap()
    });
    assert_eq!(subscribed.code, Some(0x98), "{}", subscribed.err);
    let again = rig.run(&["device", "suspend", "pump-7"]).expect(0).out;
    assert!(again.starts_with("pump-7 was suspended already on "), "{again}");
    let listed = rig.run(&["device", "list", "--suspended"]).expect(0).out;
    assert!(listed.lines().nth(1).is_some_and(|line| line.starts_with("pump-7") && line.ends_with("in repair")), "{listed}");
    assert!(rig.run(&["device", "list"]).expect(0).out.contains("valid, suspended"));
    let records = json(&rig, &["audit", "--device", "pump-7", "--json"]);
    assert_eq!((&records[0]["action"], &records[0]["sessions_closed"]), (&"device.suspend".into(), &1.into()));
    assert!(records[0]["last_session_closed_at"].as_str().unwrap() >= records[0]["revoked_at"].as_str().unwrap(), "{records}");
    assert_ne!(publish(&rig, &broker).code, Some(0), "a suspended device was let in");
    assert!(broker.wait_for("refused").contains("suspended"));
    assert!(broker.ended_after_term());
    // The next start reads the suspension from the ledger.
    let mut broker = rig.serve();
    assert_ne!(publish(&rig, &broker).code, Some(0));
    broker.wait_for("refused");
    rig.run(&["device", "resume", "pump-7"]).expect(0);
    publish(&rig, &broker).expect(0);
    assert_eq!(rig.run(&["device", "list", "--suspended"]).expect(0).out.lines().count(), 1);
}

#[test]
fn connections_are_closed_by_name_and_everybody_only_on_purpose() {
    let rig = Rig::quickstarted();
    let mut broker = rig.serve();
    let port = broker.port();
    std::thread::scope(|scope| {
        let subscriber = scope.spawn(|| subscribe(&rig, &port));
        broker.wait_for("connected");
        let refused = rig.run(&["connections", "close"]).expect(1);
        assert!(refused.err.contains("this would close every connection\nhint: say which ones, or --all"), "{}", refused.err);
        let ended = rig.run(&["connections", "close", "--device", "pump-7", "--reason", "moving"]).expect(0);
        assert!(ended.out.starts_with("1 connection closed in "), "{}", ended.out);
        assert_eq!(subscriber.join().unwrap().code, Some(0x98));
    });
    let shown = rig.run(&["audit"]).expect(0).out;
    assert!(shown.contains("connections.close") && shown.contains("moving"), "{shown}");
    drop(broker);
    let ended = rig.run(&["connections"]).expect(1);
    assert!(ended.err.contains("no broker runs here") && ended.err.contains("hint: start it: signet serve"), "{}", ended.err);
}

#[test]
fn suspend_hold_and_release_work_on_the_ledger_alone() {
    let rig = Rig::quickstarted();
    let ended = rig.run(&["device", "suspend", "pmup-7"]).expect(0);
    assert_eq!(ended.out, "suspended pmup-7; no broker runs, no session to close\n");
    assert!(ended.err.contains("did you mean `pump-7`?\nnote: to undo: signet device resume pmup-7\n"), "{}", ended.err);
    let ended = rig.run(&["device", "resume", "pump-7"]).expect(4);
    assert!(ended.err.ends_with("signet: error: `pump-7` is not suspended\nhint: did you mean `pmup-7`?\n"), "{}", ended.err);
    rig.run(&["device", "resume", "pmup-7"]).expect(0);

    rig.run(&["device", "revoke", "pump-7", "-r", "certificateHold"]).expect(0);
    assert!(rig.run(&["device", "list"]).expect(0).out.contains("on-hold certificateHold"));
    let released = rig.run(&["device", "release", "pump-7"]).expect(0).out;
    assert!(released.starts_with("released pump-7 ") && released.ends_with("; CRL number 3\n"), "{released}");
    let ended = rig.run(&["device", "release", "pump-7"]).expect(1);
    assert!(ended.err.contains("`pump-7` is not on hold: it is not revoked"), "{}", ended.err);
    let ended = rig.run(&["device", "release", "pump-9"]).expect(4);
    assert!(ended.err.contains("did you mean `pump-7`?"), "{}", ended.err);
    let actions: Vec<String> = json(&rig, &["audit", "--since", "1h", "--json"])
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(actions, ["device.release", "device.revoke", "device.resume", "device.suspend"]);
    let ended = rig.run(&["audit", "--since", "yesterday"]).expect(1);
    assert!(ended.err.contains("`yesterday` is no point in time\nhint: "), "{}", ended.err);
}

#[test]
fn certificates_of_others_are_named_by_the_files_at_hand() {
    let rig = Rig::quickstarted();
    let partner = Rig::new();
    partner.run(&["ca", "init", "--name", "Partner"]).expect(0);
    partner.run(&["device", "add", "pump-9"]).expect(0);
    for (from, to) in [("devices/pump-9.pem", "p.pem"), ("devices/pump-9.key", "p.key"), ("ca/issuing.pem", "p-ca.pem")] {
        std::fs::copy(partner.path(from), rig.path(to)).unwrap();
    }
    let serial = json(&partner, &["device", "show", "pump-9", "--json"])[0]["serial"].as_str().unwrap().to_owned();
    let added = rig.run(&["revocation", "add", "--cert", "p.pem", "-r", "keyCompromise"]).expect(0).out;
    assert!(added.starts_with("revoked ") && added.contains("CN=pump-9") && added.contains("(keyCompromise)"), "{added}");
    // The same certificate, said in another way.
    let again = rig.run(&["revocation", "add", "--issuer", "p-ca.pem", "--serial", &serial]).expect(0).out;
    assert!(again.contains("is on the list already, since "), "{again}");
    rig.run(&["revocation", "add", "--key", "p.key"]).expect(0);
    let again = rig.run(&["revocation", "add", "--key", "p.pem"]).expect(0).out;
    assert!(again.contains("is on the list already"), "private key and certificate name the same key: {again}");
    rig.run(&["revocation", "add", "--ca", "p-ca.pem"]).expect(0);
    let listed = json(&rig, &["revocation", "list", "--json"]);
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "{listed}");
    rig.run(&["revocation", "remove", "--ca", "p-ca.pem"]).expect(0);
    let by_id = ids.iter().find(|id| id.starts_with("key:")).unwrap();
    rig.run(&["revocation", "remove", by_id]).expect(0);
    rig.run(&["revocation", "remove", by_id]).expect(4);
    assert_eq!(json(&rig, &["revocation", "list", "--json"]).as_array().unwrap().len(), 1);

    rig.run(&["revocation", "add"]).expect(2);
    rig.run(&["revocation", "remove"]).expect(2);
    rig.run(&["revocation", "add", "--cert", "p.pem", "--ca", "p-ca.pem"]).expect(2);
    let ended = rig.run(&["revocation", "add", "--ca", "p.pem"]).expect(1);
    assert!(ended.err.contains("`p.pem` is not the certificate of an authority"), "{}", ended.err);
    let ended = rig.run(&["revocation", "add", "--cert", "devices/pump-7.pem"]).expect(1);
    assert!(ended.err.contains("is Signet's own\nhint: signet device revoke "), "{}", ended.err);
}
