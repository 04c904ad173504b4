//! Users from the command line, with and without a broker: who is let in, and whose session ends.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::rig::{Broker, Ended, Rig};

const CHAIN: &str = "[authentication]\nchain = [\"users\", \"scram\", \"file\"]\n";

const TABLES: &str = r#"
[[authenticator]]
type = "users"
[[authenticator]]
type = "scram"
[[authenticator]]
name = "file"
type = "password_file"
file = "passwords"
[[listener]]
name = "plain"
bind = ["127.0.0.1:0"]
transport = "tcp"
[[access]]
who = "everyone"
publish = ["t/#"]
subscribe = ["t/#"]
"#;

/// A directory with a listener on which users log in, and a password file with nobody in it.
fn rig() -> Rig {
    let rig = Rig::quickstarted();
    let text = rig.read("signet.toml");
    assert!(text.contains("\n[authentication]\n"));
    rig.write("signet.toml", &(text.replace("[authentication]\n", CHAIN) + TABLES));
    rig.write("passwords", "");
    rig.write("wonderland", "wonderland\n");
    rig
}

fn json(rig: &Rig, arguments: &[&str]) -> Value {
    serde_json::from_str(&rig.run(arguments).expect(0).out).unwrap()
}

fn publish(rig: &Rig, user: &str, password: &str) -> Ended {
    let port = rig.port_of("plain").to_string();
    rig.run(&["pub", "-h", "127.0.0.1", "-p", &port, "-V", "5", "-u", user, "-P", password, "-t", "t/x", "-m", "on"])
}

#[track_caller]
fn check(rig: &Rig, user: &str, password: &str, is_let_in: bool) {
    let ended = publish(rig, user, password);
    assert_eq!(ended.code, Some(if is_let_in { 0 } else { 0x87 }), "{user} {password}: {}", ended.err);
}

/// What becomes of somebody who is connected as this user while `work` is done.
fn while_connected(rig: &Rig, broker: &mut Broker, (user, password): (&str, &str), work: impl FnOnce() + Send) -> Ended {
    let port = rig.port_of("plain").to_string();
    let id = format!("listener-{}", broker.count());
    let id = &id;
    std::thread::scope(|scope| {
        let arguments =
            ["sub", "-h", "127.0.0.1", "-p", &port, "-V", "5", "-i", id.as_str(), "-u", user, "-P", password, "-t", "t/#", "-W", "60"];
        let subscriber = scope.spawn(move || rig.run(&arguments));
        broker.wait_for(&format!("client_identifier=\"{id}\""));
        work();
        subscriber.join().unwrap()
    })
}

#[test]
fn a_user_from_the_first_password_to_its_removal_with_live_sessions() {
    let rig = rig();
    let mut broker = rig.serve();
    let added = rig.run(&["user", "add", "alice", "--password-file", "wonderland", "--group", "plant"]).expect(0);
    assert_eq!((added.out.as_str(), added.err.as_str()), ("added alice\n", ""));
    check(&rig, "alice", "wonderland", true);
    check(&rig, "alice", "looking-glass", false);
    check(&rig, "nobody", "wonderland", false);

    rig.write("looking-glass", "looking-glass");
    let ended = while_connected(&rig, &mut broker, ("alice", "wonderland"), || {
        let changed = rig.run(&["user", "password", "alice", "--password-file", "looking-glass"]).expect(0);
        assert!(changed.out.starts_with("changed the password of alice; 1 session closed in "), "{}", changed.out);
    });
    assert_eq!(ended.code, Some(0x87), "{}", ended.err);
    check(&rig, "alice", "wonderland", false);
    check(&rig, "alice", "looking-glass", true);
    let records = json(&rig, &["audit", "--device", "alice", "--json"]);
    assert_eq!((&records[0]["action"], &records[0]["sessions_closed"]), (&"user.change".into(), &1.into()));
    assert!(records[0]["last_session_closed_at"].as_str().unwrap() >= records[0]["revoked_at"].as_str().unwrap(), "{records}");

    let ended = while_connected(&rig, &mut broker, ("alice", "looking-glass"), || {
        let kept = json(&rig, &["user", "set", "alice", "--attribute", "site=north", "--keep-sessions", "--json"]);
        assert_eq!((&kept["sessions"]["found"], &kept["attributes"]["site"]), (&0.into(), &"north".into()));
        rig.run(&["user", "disable", "alice"]).expect(0);
    });
    assert_eq!(ended.code, Some(0x87));
    check(&rig, "alice", "looking-glass", false);
    rig.run(&["user", "enable", "alice"]).expect(0);
    check(&rig, "alice", "looking-glass", true);

    // What was said to be done is on disk by then.
    broker.signal(rustix::process::Signal::KILL);
    broker.ended();
    let mut broker = rig.serve();
    check(&rig, "alice", "looking-glass", true);
    let ended = while_connected(&rig, &mut broker, ("alice", "looking-glass"), || {
        assert!(rig.run(&["user", "remove", "alice"]).expect(0).out.starts_with("removed alice; 1 session closed"));
    });
    assert_eq!(ended.code, Some(0x87));
    check(&rig, "alice", "looking-glass", false);
    let missing = rig.run(&["user", "remove", "alice"]).expect(4);
    assert!(missing.err.contains("there is no user `alice`"), "{}", missing.err);
}

#[test]
fn without_a_broker_the_ledger_is_changed() {
    let rig = rig();
    let made = json(&rig, &["user", "add", "alice", "--generate", "--scram", "sha256", "--superuser", "--json"]);
    let password = made["generated_password"].as_str().unwrap().to_owned();
    assert!(password.len() >= 24 && made["scram"][0] == "SCRAM-SHA-256" && made["superuser"] == true, "{made}");
    let mut piped = Command::new(env!("CARGO_BIN_EXE_signet"));
    piped.current_dir(rig.path(".")).args(["user", "add", "bob", "--password-stdin", "--disabled"]).stdin(Stdio::piped());
    let mut child = piped.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"secret\nmore\n").unwrap();
    assert!(child.wait().unwrap().success());
    let listed = rig.run(&["user", "list"]).expect(0).out;
    let rows: Vec<&str> = listed.lines().collect();
    assert!(
        rows[1].starts_with("alice") && rows[1].contains("enabled, superuser") && rows[1].contains("argon2id SCRAM-SHA-256"),
        "{listed}"
    );
    assert!(rows[2].starts_with("bob") && rows[2].contains("disabled"), "{listed}");
    let shown = rig.run(&["user", "show", "alice"]).expect(0).out;
    assert!(!shown.contains('$') && shown.contains("logs in by   argon2id SCRAM-SHA-256"), "{shown}");
    // Nobody to ask, and no password on the command line.
    let asked = rig.run(&["user", "add", "carol"]).expect(1);
    assert!(asked.err.contains("no terminal") && asked.err.contains("--password-stdin"), "{}", asked.err);
    rig.run(&["user", "add", "carol", "secret"]).expect(2);
    let twice = rig.run(&["user", "add", "alice", "--generate"]).expect(1);
    assert!(twice.err.contains("signet user password alice"), "{}", twice.err);
    let _broker = rig.serve();
    check(&rig, "alice", &password, true);
    check(&rig, "bob", "secret", false);
    rig.run(&["user", "enable", "bob"]).expect(0);
    check(&rig, "bob", "secret", true);
}

#[test]
fn the_users_of_other_brokers_are_imported() {
    let rig = rig();
    let status = Command::new("mosquitto_passwd").current_dir(rig.path(".")).args(["-c", "-b", "old", "alice", "wonder land"]).status();
    assert!(status.unwrap().success());
    rig.write(
        "emqx.csv",
        "user_id,password_hash,salt,is_superuser\nbob,ae45b69fb70eaf222721b8b748eab19255d37b246eff0906eea8a7fed51b3000,slat_foo123,true\n",
    );
    rig.write("plain.csv", "user_id,password,is_superuser\ncarol,\"se,cret\",false\nbob,other,\n");
    let _broker = rig.serve();
    assert_eq!(rig.run(&["user", "import", "old"]).expect(0).out, "imported 1 user, 0 of them in place of others\n");
    let unsaid = rig.run(&["user", "import", "emqx.csv"]).expect(1);
    assert!(unsaid.err.contains("emqx.csv:1:") && unsaid.err.contains("--password-hash"), "{}", unsaid.err);
    rig.run(&["user", "import", "emqx.csv", "--password-hash", "salt,sha256"]).expect(0);
    check(&rig, "alice", "wonder land", true);
    check(&rig, "bob", "public", true);
    let there = rig.run(&["user", "import", "plain.csv"]).expect(5);
    assert!(there.err.contains("`bob` already"), "{}", there.err);
    check(&rig, "carol", "se,cret", false);
    let replaced = json(&rig, &["user", "import", "plain.csv", "--replace", "--json"]);
    assert_eq!((&replaced["added"], &replaced["replaced"]), (&1.into(), &1.into()));
    check(&rig, "carol", "se,cret", true);
    check(&rig, "bob", "public", false);
    check(&rig, "bob", "other", true);
    assert_eq!(json(&rig, &["user", "show", "bob", "--json"])["superuser"], false);
}

#[test]
fn a_password_file_that_changes_lets_others_in_and_ends_sessions() {
    let rig = rig();
    let passwd = |arguments: &[&str]| {
        let status = Command::new("mosquitto_passwd").current_dir(rig.path(".")).args(arguments).status();
        assert!(status.unwrap().success(), "mosquitto_passwd {arguments:?}");
    };
    passwd(&["-b", "passwords", "alice", "wonderland"]);
    passwd(&["-H", "sha512", "-b", "passwords", "bob", "builder"]);
    let mut broker = rig.serve();
    check(&rig, "alice", "wonderland", true);
    check(&rig, "bob", "builder", true);
    check(&rig, "bob", "wonderland", false);
    let ended = while_connected(&rig, &mut broker, ("alice", "wonderland"), || {
        passwd(&["-b", "passwords", "alice", "looking-glass"]);
    });
    assert_eq!(ended.code, Some(0x87), "{}", ended.err);
    check(&rig, "alice", "looking-glass", true);
    check(&rig, "alice", "wonderland", false);
    // A file with a mistake is refused as a whole, and the one before stays in force.
    let before = rig.read("passwords");
    rig.write("passwords", &format!("{before}\ncarol:secret\n"));
    let line = broker.wait_for("`carol`");
    assert!(line.contains("passwords:") && !line.contains("secret"), "{line}");
    broker.wait_for("reload refused");
    check(&rig, "alice", "looking-glass", true);
    let checked = rig.run(&["check"]).expect(3);
    assert!(checked.err.contains("`carol`") && checked.err.contains("password_hash"), "{}", checked.err);
}
