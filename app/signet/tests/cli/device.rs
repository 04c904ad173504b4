//! `signet ca` and `signet device` on the ledger alone.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::rig::Rig;

#[test]
fn a_device_lives_from_add_to_revoke_without_a_broker() {
    let rig = Rig::quickstarted();
    let added = rig.run(&["device", "add", "pump-8", "--days", "30", "--key-type", "ed25519"]).expect(0);
    assert!(added.out.starts_with("pump-8  serial "), "{}", added.out);
    assert_eq!(added.err, "note: no broker runs here, working on the inventory `data/ledger.redb` alone\n");
    assert_eq!(std::fs::metadata(rig.path("devices/pump-8.key")).unwrap().permissions().mode() & 0o777, 0o600);

    let list: Value = serde_json::from_str(&rig.run(&["device", "list", "--json"]).expect(0).out).unwrap();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["localhost", "pump-7", "pump-8"]);
    assert_eq!(list[2]["key_type"], "Ed25519");

    let ended = rig.run(&["device", "revoke", "pump-8", "--reason", "keyCompromise"]).expect(0);
    let serial = list[2]["serial"].as_str().unwrap();
    assert_eq!(ended.out, format!("revoked pump-8 {serial} (keyCompromise); no broker runs, no session to close; CRL number 2\n"));
    let show = rig.run(&["device", "show", serial]).expect(0).out;
    assert!(show.starts_with("pump-8  revoked\n") && show.contains("(keyCompromise)"), "{show}");
    let again: Value = serde_json::from_str(&rig.run(&["device", "revoke", serial, "--json"]).expect(0).out).unwrap();
    assert_eq!(again["already_revoked"][0]["serial"], serial);
    let ca: Value = serde_json::from_str(&rig.run(&["ca", "show", "--json"]).expect(0).out).unwrap();
    assert_eq!((&ca["certificates_total"], &ca["revoked_total"]), (&Value::from(3), &Value::from(1)));
}

#[test]
fn keys_are_overwritten_only_by_force() {
    let rig = Rig::quickstarted();
    let before = rig.read("devices/pump-7.key");
    let ended = rig.run(&["device", "add", "pump-7"]).expect(5);
    assert!(ended.err.starts_with("signet: error: `devices/pump-7.key` exists and was left alone\nhint: --force"), "{}", ended.err);
    assert_eq!(rig.read("devices/pump-7.key"), before);
    let list: Value = serde_json::from_str(&rig.run(&["device", "list", "--json"]).expect(0).out).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2, "a refused add issued a certificate");
    let forced = rig.run(&["device", "add", "pump-7", "--force", "--days", "9000"]).expect(0).err;
    assert_ne!(rig.read("devices/pump-7.key"), before);
    let first = list[1]["serial"].as_str().unwrap();
    let earlier = format!("note: an earlier certificate of pump-7 stays valid; to end it: signet device revoke {first}\n");
    assert!(forced.contains(&earlier), "{forced}");
    assert!(forced.contains("note: the certificate ends with the issuing CA, on "), "{forced}");
    rig.run(&["device", "revoke", "pump-7"]).expect(0);
    let shown: Value = serde_json::from_str(&rig.run(&["device", "show", "pump-7", "--json"]).expect(0).out).unwrap();
    assert!(shown.as_array().unwrap().iter().all(|one| one["status"] == "revoked"), "a name means every certificate: {shown}");
}

#[test]
fn what_is_not_there_ends_with_4_and_nonsense_with_1_or_2() {
    let rig = Rig::quickstarted();
    for command in [["device", "show", "pump-9"], ["device", "revoke", "4F:01"]] {
        let ended = rig.run(&command).expect(4);
        assert!(ended.err.contains("\nhint: ") && ended.err.ends_with("`signet device list` shows all of them\n"), "{}", ended.err);
    }
    let ended = rig.run(&["device", "add", "../pump"]).expect(2);
    assert!(ended.err.contains("`../pump` cannot be a device name"), "{}", ended.err);
    let ended = rig.run(&["device", "add", "pump-8", "--days", "-1"]).expect(2);
    assert!(ended.err.contains("-1 is not in 1..=36500"), "{}", ended.err);
    let ended = rig.run(&["device", "revoke", "pump-7", "--reason", "keycompromize"]).expect(2);
    assert!(ended.err.contains("did you mean `keyCompromise`?"), "{}", ended.err);
    rig.write("x.csr", "nonsense");
    let ended = rig.run(&["device", "add", "pump-8", "--csr", "x.csr"]).expect(1);
    assert!(ended.err.contains("`x.csr`: the certification request is neither PEM nor DER"), "{}", ended.err);
    assert!(!rig.path("devices/pump-8.pem").exists());
}

#[test]
fn looking_makes_no_files() {
    let rig = Rig::new();
    for command in [vec!["device", "list"], vec!["device", "show", "x"], vec!["device", "add", "x"], vec!["ca", "show"], vec!["ca", "crl"]]
    {
        let ended = rig.run(&command).expect(1);
        assert!(ended.err.contains("\nhint: "), "{}", ended.err);
        assert_eq!(std::fs::read_dir(rig.path(".")).unwrap().count(), 0, "{command:?}");
    }
}

#[test]
fn an_authority_is_made_once() {
    let rig = Rig::new();
    let made = rig.run(&["ca", "init", "--name", "Plant", "--key-type", "p384"]).expect(0).out;
    assert!(made.starts_with("ca/root.pem "), "{made}");
    let root = rig.read("ca/root.key");
    let ended = rig.run(&["ca", "init"]).expect(5);
    assert!(ended.err.contains("exists: an authority is never overwritten"), "{}", ended.err);
    assert_eq!(rig.read("ca/root.key"), root);
    assert!(rig.run(&["ca", "show"]).expect(0).out.contains("CN=Plant Issuing"));
    rig.run(&["device", "add", "pump-1"]).expect(0);
    let ended = rig.run(&["ca", "crl", "--out", "-"]).expect(0);
    assert!(ended.out.starts_with("-----BEGIN X509 CRL-----"), "{}", ended.out);
    assert_eq!(ended.out, rig.read("ca/crl.pem"));
}

#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let rig = Rig::quickstarted();
    std::thread::scope(|scope| {
        let commands: Vec<_> = (0..6)
            .map(|number| {
                scope.spawn({
                    let rig = &rig;
                    move || rig.run(&["device", "add", &format!("meter-{number}")])
                })
            })
            .collect();
        for command in commands {
            command.join().unwrap().expect(0);
        }
    });
    let list = rig.run(&["device", "list"]).expect(0).out;
    assert_eq!(list.lines().filter(|line| line.starts_with("meter-")).count(), 6, "{list}");
}
