//! `signet explain`, `signet refusals`, `signet trust` and `signet revocation sources`, with certificates that are right or wrong in one way.

use serde_json::Value;
use signet_mqtt::{Packet, ProtocolVersion, ReasonCode};
use signet_testkit::{CrlWindow, Device, Identity, Pki, Target};
use time::Duration;

use crate::rig::{Broker, Ended, Rig, dial};

/// A directory with a PKI, and a configuration that trusts its CA as `plant` and the other one as `partner`.
pub(crate) struct Plant {
    pub(crate) rig: Rig,
    pub(crate) pki: Pki,
}

impl Plant {
    /// With a list that revokes `stolen` of the devices that `make` makes.
    fn new(window: CrlWindow) -> (Self, Identity) {
        let rig = Rig::new();
        std::fs::create_dir(rig.path("pki")).unwrap();
        let pki = Pki::create(&rig.path("pki"));
        let stolen = pki.device("stolen");
        let list = pki.crl("plant.crl", 7, &[&stolen], window);
        let text = format!(
            "[[listener]]\nname = \"mqtts\"\nbind = [\"127.0.0.1:0\"]\ntransport = \"tls\"\ncertificate = \"{}\"\nkey = \"{}\"\n\
             profiles = [\"partner\", \"plant\"]\n\n\
             [[trust]]\nname = \"plant\"\nca = \"{}\"\ncrl = \"{}\"\nbind_client_identifier = \"${{device}}*\"\n\n\
             [[trust]]\nname = \"partner\"\nca = \"{}\"\ntenant = \"acme\"\nkeys = [\"RSA-2048\"]\n\n\
             [[access]]\nwho = \"devices\"\npublish = \"${{device}}/#\"\nsubscribe = \"${{device}}/#\"\n",
            pki.server().certificate.display(),
            pki.server().key.display(),
            pki.ca_file().display(),
            list.display(),
            pki.foreign_ca_file().display(),
        );
        rig.write("signet.toml", &text);
        (Self { rig, pki }, stolen)
    }

    fn explain(&self, identity: &Identity, more: &[&str]) -> Ended {
        let certificate = identity.certificate.display().to_string();
        self.rig.run(&[&["explain", "--cert", certificate.as_str()], more].concat())
    }

    fn target(&self, broker: &Broker, identity: &Identity) -> Target {
        Target::tls(broker.port().parse().unwrap(), self.pki.ca_file(), Some(identity))
    }

    fn connect(&self, broker: &Broker, identity: &Identity, identifier: &str) -> Device {
        Device::connect(&self.target(broker, identity), ProtocolVersion::V5, identifier)
    }

    /// Comes and is refused; when this returns the broker has written it down.
    fn be_refused(&self, broker: &mut Broker, identity: &Identity) {
        if let Ok(device) = Device::try_open(&self.target(broker, identity), ProtocolVersion::V5) {
            // With TLS 1.3 the client is done before the server has looked.
            device.vanish();
        }
        broker.wait_for("refused: ");
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.rig.run(arguments).expect(0).out).unwrap()
    }
}

fn last_lines(ended: &Ended) -> String {
    let lines: Vec<&str> = ended.out.lines().collect();
    let verdict = lines.iter().position(|line| line.starts_with("would be ")).unwrap_or_else(|| panic!("no verdict in\n{}", ended.out));
    lines[verdict..].join("\n")
}

#[test]
fn a_good_certificate_is_explained_down_to_the_rule() {
    let (plant, _) = Plant::new(CrlWindow::default());
    let broker = plant.rig.serve();
    let pump = plant.pki.device("pump-7");
    let ended = plant.explain(&pump, &["--client-identifier", "pump-7", "--publish", "pump-7/t", "--subscribe", "pump-7/#"]).expect(0);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(lines[0].starts_with("certificate  CN=pump-7  P-256  serial "), "{}", ended.out);
    for words in [
        "trust profile `partner`\n  FAILED  path to a trust anchor: ",
        "trust profile `plant`\n  path  CN=pump-7\n   by  CN=",
        "   by the anchor  CN=",
        "  ok      device name: the device is `pump-7`",
        "(all certificates) from plant: ",
        ": not revoked, 5 min old, next update ",
        "  user name          none",
        "  client identifier  pump-7",
        "CONNECT",
        "          access rule 1: is about this client and covers it\n  ok      allowed by access rule 1",
    ] {
        assert!(ended.out.contains(words), "no `{words}` in\n{}", ended.out);
    }
    assert_eq!(last_lines(&ended), "would be let in as device `pump-7`");

    // What is let in may still be denied what it asks for, and a foreign identifier is refused in CONNECT.
    let ended = plant.explain(&pump, &["--client-identifier", "pump-7", "--publish", "pump-8/t"]).expect(9);
    assert!(
        last_lines(&ended).starts_with("would be let in as device `pump-7`, but may not publish to `pump-8/t`\nhint: "),
        "{}",
        ended.out
    );
    let ended = plant.explain(&pump, &["--client-identifier", "valve"]).expect(9);
    assert!(last_lines(&ended).contains("does not belong to this certificate"), "{}", ended.out);
    let shown: Value = serde_json::from_str(&plant.explain(&pump, &["--client-identifier", "pump-7", "--json"]).expect(0).out).unwrap();
    assert_eq!(
        (&shown["let_in"], &shown["connect"]["device"], &shown["profiles"][1]["path"][0]),
        (&true.into(), &"pump-7".into(), &"CN=pump-7".into())
    );

    let ended = plant.explain(&pump, &["--listener", "mqtt"]).expect(4);
    assert!(ended.err.contains("there is no listener `mqtt`; there are mqtts"), "{}", ended.err);
    plant.explain(&pump, &["--publish", "a/#"]).expect(1);
    plant.rig.run(&["explain"]).expect(2);
    drop(broker);
    assert!(plant.explain(&pump, &[]).expect(1).err.contains("no broker runs here"));
}

#[test]
fn each_bad_certificate_is_refused_by_the_check_that_a_handshake_names() {
    let (plant, stolen) = Plant::new(CrlWindow::default());
    let mut broker = plant.rig.serve();
    let held = plant.pki.device("held");
    plant.rig.run(&["device", "suspend", "held", "--reason", "in repair"]).expect(0);
    let listed = plant.pki.device("listed");
    plant.rig.run(&["revocation", "add", "--cert", &listed.certificate.display().to_string(), "-r", "superseded"]).expect(0);
    let cases = [
        (plant.pki.expired_device("late"), "validity check failed: "),
        (stolen, "revocation check failed: "),
        (listed, "revocation check failed: "),
        (held, "suspension check failed: the device `held` is suspended since "),
        (plant.pki.wrong_usage_device("server"), "key usage check failed: "),
        // Of a profile's own CA, and against its rule about keys.
        (plant.pki.foreign_device("partner-1"), "trust profile check failed: "),
    ];
    for (identity, words) in &cases {
        let ended = plant.explain(identity, &[]).expect(9);
        let verdict = last_lines(&ended);
        assert!(verdict.starts_with(&format!("would be refused: {words}")) && verdict.contains("\nhint: "), "{}", ended.out);
        // The handshake says the same.
        plant.be_refused(&mut broker, identity);
        let kept = plant.json(&["refusals", "--last", "1", "--json"]);
        let found = kept[0]["found"].as_str().unwrap();
        assert!(
            verdict.starts_with(&format!("would be refused: {} check failed: {found}", kept[0]["check"].as_str().unwrap())),
            "{kept}\n{verdict}"
        );
    }
    let other = Rig::new();
    other.run(&["ca", "init"]).expect(0);
    other.run(&["device", "add", "pump-7"]).expect(0);
    std::fs::copy(other.path("devices/pump-7.pem"), plant.rig.path("other.pem")).unwrap();
    let ended = plant.rig.run(&["explain", "--cert", "other.pem"]).expect(9);
    assert!(last_lines(&ended).starts_with("would be refused: path to a trust anchor check failed: "), "{}", ended.out);
    assert_eq!(ended.out.matches("FAILED  path to a trust anchor").count(), 2, "both profiles were tried: {}", ended.out);
}

#[test]
fn live_clients_and_refusals_are_explained_by_what_is_in_force_now() {
    let (plant, stolen) = Plant::new(CrlWindow::default());
    let mut broker = plant.rig.serve();
    let pump = plant.pki.device("pump-7");
    let device = plant.connect(&broker, &pump, "pump-7-a");
    let ended = plant.rig.run(&["explain", "--client", "pump-7-a", "--publish", "pump-7/x"]).expect(0);
    assert!(
        ended.out.contains("client identifier  pump-7-a") && last_lines(&ended) == "would be let in as device `pump-7`",
        "{}",
        ended.out
    );
    assert!(plant.rig.run(&["explain", "--client", "nobody"]).expect(4).err.contains("`nobody` is connected\nhint: "));
    drop(device);

    plant.be_refused(&mut broker, &stolen);
    plant.rig.run(&["device", "suspend", "pump-7"]).expect(0);
    plant.be_refused(&mut broker, &pump);
    let listed = plant.rig.run(&["refusals"]).expect(0);
    let rows: Vec<&str> = listed.out.lines().collect();
    assert!(
        rows[0].starts_with("NUMBER") && rows[1].starts_with('2') && rows[1].contains("CN=pump-7") && rows[1].contains("suspension"),
        "{}",
        listed.out
    );
    assert!(rows[2].starts_with('1') && rows[2].contains("CN=stolen") && rows[2].contains("revocation"), "{}", listed.out);
    assert_eq!(listed.err, "note: what to do about one: signet refusals show 2\n");
    let numbers = |arguments: &[&str]| {
        let kept = plant.json(&[&["refusals", "--json"], arguments].concat());
        kept.as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&["--device", "stolen"]), [1]);
    assert_eq!(numbers(&["--last", "1"]), [2]);
    assert_eq!(numbers(&["--listener", "other"]), [0; 0]);
    assert_eq!(numbers(&["--address", "127.0.0.1"]), [2, 1]);
    let serial = plant.json(&["refusals", "show", "1", "--json"])["serial"].as_str().unwrap().to_owned();
    assert_eq!(numbers(&["--serial", &serial.replace(':', "").to_lowercase()]), [1]);
    let shown = plant.rig.run(&["refusals", "show", "2"]).expect(0);
    assert!(
        shown.out.contains("hint         `signet device resume pump-7`") && shown.err.contains("signet explain --refusal 2"),
        "{shown:?}"
    );
    assert!(plant.rig.run(&["refusals", "show", "9"]).expect(4).err.contains("refusal 9 is not kept"));

    let ended = plant.rig.run(&["explain", "--refusal", "2"]).expect(9);
    assert!(ended.out.starts_with("note: refusal 2 at ") && last_lines(&ended).contains("suspension check failed"), "{}", ended.out);
    plant.rig.run(&["device", "resume", "pump-7"]).expect(0);
    let ended = plant.rig.run(&["explain", "--refusal", "2", "--client-identifier", "pump-7"]).expect(0);
    assert_eq!(last_lines(&ended), "would be let in as device `pump-7`", "by what is in force now");
}

#[test]
fn a_disabled_profile_ends_its_sessions_over_restarts_until_it_is_enabled() {
    let (plant, _) = Plant::new(CrlWindow::default());
    let mut broker = plant.rig.serve();
    let pump = plant.pki.device("pump-7");
    let mut device = plant.connect(&broker, &pump, "pump-7");
    let tried = plant.rig.run(&["trust", "disable", "plant", "--dry-run"]).expect(0);
    assert!(tried.out.starts_with("1 session would end under `plant`; nothing was changed\n  pump-7  pump-7  127.0.0.1:"), "{}", tried.out);
    let ended = plant.rig.run(&["trust", "disable", "plnat"]).expect(4);
    assert!(ended.err.contains("there is no trust profile `plnat`\nhint: did you mean `plant`?"), "{}", ended.err);
    let ended = plant.rig.run(&["trust", "disable", "plant", "--reason", "CA broken into"]).expect(0);
    assert!(ended.out.starts_with("disabled plant; 1 session closed in "), "{}", ended.out);
    match device.expect() {
        Packet::Disconnect(disconnect) => assert_eq!(disconnect.reason_code, ReasonCode::AdministrativeAction),
        other => panic!("{other:?}"),
    }
    plant.be_refused(&mut broker, &pump);
    assert!(
        last_lines(&plant.explain(&pump, &["--client-identifier", "pump-7"]).expect(9))
            .contains("its trust profile `plant` is disabled by an operator\nhint: `signet trust enable plant`")
    );
    let record = plant.json(&["audit", "--json"])[0].clone();
    assert_eq!((&record["action"], &record["sessions_closed"]), (&"trust.disable".into(), &1.into()));
    assert!(record["last_session_closed_at"].as_str().unwrap() >= record["revoked_at"].as_str().unwrap(), "{record}");

    assert!(broker.ended_after_term());
    let mut broker = plant.rig.serve();
    plant.be_refused(&mut broker, &pump);
    let listed = plant.rig.run(&["trust", "list"]).expect(0).out;
    assert!(
        listed.lines().any(|line| line.starts_with("plant") && line.contains(": CA broken into") && line.contains("mqtts")),
        "{listed}"
    );
    let enabled = plant.rig.run(&["trust", "enable", "plant"]).expect(0).out;
    assert!(enabled.starts_with("enabled plant, which was disabled on ") && enabled.ends_with(": CA broken into\n"), "{enabled}");
    drop(plant.connect(&broker, &pump, "pump-7"));
    plant.rig.run(&["trust", "enable", "plant"]).expect(4);

    let shown = plant.rig.run(&["trust", "show", "partner"]).expect(0).out;
    for words in ["partner  enabled", "tenant      acme", "anchor      CN=", "rule        keys: RSA-2048", "listeners   mqtts"] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
    let shown = plant.rig.run(&["trust", "show", "plant"]).expect(0).out;
    assert!(shown.contains("source      file ") && shown.contains("plant.crl"), "{shown}");
    plant.rig.run(&["trust", "show", "other"]).expect(4);
}

#[test]
fn sources_show_a_list_that_is_overdue_and_what_a_refresh_brings() {
    let overdue = CrlWindow { this_update: Duration::days(-3), next_update: Duration::days(-1) };
    let (plant, stolen) = Plant::new(overdue);
    let mut broker = plant.rig.serve();
    let shown = plant.json(&["revocation", "sources", "--json"]);
    let list = &shown[0]["lists"][0];
    assert_eq!((&shown[0]["profile"], &shown[0]["kind"], &shown[0]["state"]), (&"plant".into(), &"file".into(), &"stale".into()));
    assert_eq!((&list["number"], &list["entries"], &list["stale"], &list["delta"]), (&"7".into(), &1.into(), &true.into(), &false.into()));
    let table = plant.rig.run(&["revocation", "sources"]).expect(0).out;
    assert!(
        table.lines().nth(1).is_some_and(|line| line.contains("stale") && line.contains("3 d") && line.contains("1 entries")),
        "{table}"
    );
    let numbers = plant.json(&["status", "--json"])["numbers"].clone();
    let file = plant.rig.path("pki/plant.crl");
    let series = |name: &str, more: &str| format!("{name}{{profile=\"plant\",kind=\"file\",address=\"{}\"{more}}}", file.display());
    assert_eq!(numbers[series("signet_revocation_source_state", ",state=\"stale\"")], 1.0, "{numbers}");
    assert_eq!(numbers[series("signet_revocation_source_entries", "")], 1.0);
    let pump = plant.pki.device("pump-7");
    assert!(last_lines(&plant.explain(&pump, &[]).expect(9)).starts_with("would be refused: revocation list freshness check failed"));

    let _ = plant.pki.crl("plant.crl", 8, &[&stolen], CrlWindow::default());
    let refreshed = plant.rig.run(&["revocation", "refresh", "plant"]).expect(0).out;
    assert!(refreshed.starts_with("asked 1 source of lists again"), "{refreshed}");
    let shown = plant.json(&["revocation", "sources", "--json"]);
    assert_eq!((&shown[0]["state"], &shown[0]["lists"][0]["number"]), (&"good".into(), &"8".into()));
    assert!(plant.rig.run(&["revocation", "refresh", "plnat"]).expect(4).err.contains("no source belongs to a trust profile `plnat`"));
    drop(plant.connect(&broker, &pump, "pump-7"));
    broker.wait_for("disconnected");
}

#[test]
fn the_server_name_chooses_who_is_asked_and_a_tenant_is_named() {
    let (plant, _) = Plant::new(CrlWindow::default());
    let host = "profiles = [\"plant\"]\n\n[[listener.host]]\nserver_names = [\"partners.example\"]\nprofiles = [\"partner\"]\n\n";
    let text =
        plant.rig.read("signet.toml").replace("profiles = [\"partner\", \"plant\"]\n\n", host).replace("keys = [\"RSA-2048\"]\n", "");
    plant.rig.write("signet.toml", &text);
    let _broker = plant.rig.serve();
    let partner = plant.pki.foreign_device("partner-1");
    let ended = plant.explain(&partner, &["--server-name", "partners.example", "--publish", "partner-1/t"]).expect(0);
    assert_eq!(last_lines(&ended), "would be let in as device `acme/partner-1`");
    assert!(ended.out.contains("  tenant             acme\n") && !ended.out.contains("trust profile `plant`"), "{}", ended.out);
    let ended = plant.explain(&partner, &[]).expect(9);
    assert!(ended.out.contains("trust profile `plant`") && !ended.out.contains("trust profile `partner`"), "{}", ended.out);
    // A suspension is of the qualified name.
    plant.rig.run(&["device", "suspend", "acme/partner-1"]).expect(0);
    let ended = plant.explain(&partner, &["--server-name", "partners.example"]).expect(9);
    assert!(last_lines(&ended).contains("hint: `signet device resume acme/partner-1`"), "{}", ended.out);
    assert!(plant.rig.run(&["trust", "show", "partner"]).expect(0).out.contains("listeners   mqtts"));
}

#[test]
fn who_showed_no_certificate_is_listed_and_cannot_be_explained() {
    use std::io::Write as _;
    let (plant, _) = Plant::new(CrlWindow::default());
    let mut broker = plant.rig.serve();
    dial(broker.port().parse().unwrap()).write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    broker.wait_for("refused: ");
    let kept = plant.json(&["refusals", "--json"]);
    assert_eq!((&kept[0]["check"], &kept[0]["explainable"], &kept[0]["subject"]), (&"TLS handshake".into(), &false.into(), &Value::Null));
    let ended = plant.rig.run(&["explain", "--refusal", "1"]).expect(4);
    assert!(ended.err.contains("no certificate is known of refusal 1") && ended.err.contains("hint: refusal 1 at "), "{}", ended.err);
    let shown = plant.rig.run(&["refusals", "show", "1"]).expect(0);
    assert!(!shown.out.contains("certificate  ") && shown.err.is_empty(), "{shown:?}");
}
