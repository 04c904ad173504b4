//! Dynamic security, with the real `mosquitto_ctrl` as the client and the real Mosquitto with its plugin as the judge.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "what is not there fails the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};
use signet_e2e::{Finished, Running, Site};
use signet_mqtt::{Packet, Password, ProtocolVersion, QoS, ReasonCode, Will, WillProperties};
use signet_testkit::{Device, Identity, Mosquitto, Target, connect_packet, packet_id, publish_packet, topic};

const REQUESTS: &str = "$CONTROL/dynamic-security/v1";
const RESPONSES: &str = "$CONTROL/dynamic-security/v1/response";
const PASSWORD: &str = "secretsecret";

/// Every command, right and wrong, one after the other.
const SCRIPT: &[&str] = include!("dynamic_security/script.in");

const TABLES: &str = "[dynamic_security]\nfile = \"ds.json\"\n[[authenticator]]\ntype = \"dynamic_security\"\n[[access_source]]\ntype = \"dynamic_security\"\n";

/// A listener without TLS, for clients of dynamic security and for those who are nobody.
fn plain(port: u16) -> String {
    format!(
        "data_dir = \"data\"\n{TABLES}[[listener]]\nname = \"plain\"\nbind = [\"127.0.0.1:{port}\"]\ntransport = \"tcp\"\n\
         authentication = [\"dynamic_security\", \"anonymous\"]\n"
    )
}

/// A directory with a file as `mosquitto_ctrl dynsec init` makes it, and the configuration.
fn initialised() -> (Site, u16) {
    let site = Site::empty();
    let mut init = Command::new("mosquitto_ctrl");
    Running::run(init.current_dir(site.folder()).args(["dynsec", "init", "ds.json", "admin", PASSWORD])).succeeded();
    let port = site.free_port();
    site.write("signet.toml", &plain(port));
    (site, port)
}

/// Connects with MQTT 5.
fn enter(target: &Target, identifier: &str, who: Option<(&str, &str)>) -> Result<Device, ReasonCode> {
    let mut connect = connect_packet(ProtocolVersion::V5, identifier);
    connect.username = who.map(|(name, _)| name.to_owned().into());
    connect.password = who.map(|(_, password)| Password::new(password.as_bytes().to_vec()));
    let (device, connack) = Device::introduce(target, connect);
    if connack.reason_code.is_error() { Err(connack.reason_code) } else { Ok(device) }
}

/// One who administers.
struct Administrator(Device);

impl Administrator {
    fn log_in(port: u16) -> Self {
        let mut device = enter(&Target::tcp(port), "administrator", Some(("admin", PASSWORD))).expect("the administrator is let in");
        device.subscribe(RESPONSES, QoS::AtMostOnce);
        Self(device)
    }

    /// The responses to a request.
    fn ask(&mut self, request: &str) -> Value {
        self.0.send(&Packet::Publish(publish_packet(REQUESTS, request, QoS::AtMostOnce, false)));
        serde_json::from_slice(&self.0.expect_publish().payload).expect("the response is JSON")
    }

    /// Carries out commands that succeed.
    #[track_caller]
    fn tell(&mut self, commands: &[Value]) {
        let responses = self.ask(&json!({ "commands": commands }).to_string());
        assert!(!responses.to_string().contains("\"error\""), "{responses}");
    }
}

/// Without what Mosquitto 2.0 does not have yet, and without what is random in a file.
fn reduced(value: Value) -> Value {
    const LEFT_OUT: [&str; 6] = ["allowwildcardsubs", "connections", "changeIndex", "password", "salt", "iterations"];
    match value {
        Value::Object(fields) => Value::Object(
            fields.into_iter().filter(|(key, _)| !LEFT_OUT.contains(&&**key)).map(|(key, value)| (key, reduced(value))).collect(),
        ),
        Value::Array(list) => list.into_iter().map(reduced).collect(),
        other => other,
    }
}

fn file(site: &Site, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(site.path(name)).unwrap()).expect("the file is JSON")
}

#[test]
fn every_command_is_answered_as_mosquitto_does_and_each_loads_the_file_of_the_other() {
    let (site, port) = initialised();
    fs::copy(site.path("ds.json"), site.path("theirs.json")).unwrap();
    let mosquitto = Mosquitto::with_dynamic_security(&site.path("theirs.json"));
    let broker = site.serve();
    let (mut theirs, mut ours) = (Administrator::log_in(mosquitto.plain_port()), Administrator::log_in(port));
    assert!(SCRIPT.len() > 80);
    for request in SCRIPT {
        assert_eq!(reduced(ours.ask(request)), theirs.ask(request), "{request}");
    }
    let last = json!({ "command": "createClient", "username": "late", "password": "pw", "clientid": "only-this" });
    ours.tell(std::slice::from_ref(&last));
    theirs.tell(&[last]);
    assert_eq!(reduced(file(&site, "ds.json")), reduced(file(&site, "theirs.json")));
    drop((mosquitto, broker, theirs, ours));
    // The other way round.
    fs::rename(site.path("theirs.json"), site.path("swapped.json")).unwrap();
    fs::rename(site.path("ds.json"), site.path("theirs.json")).unwrap();
    fs::rename(site.path("swapped.json"), site.path("ds.json")).unwrap();
    let mosquitto = Mosquitto::with_dynamic_security(&site.path("theirs.json"));
    let _broker = site.serve();
    for port in [mosquitto.plain_port(), port] {
        let mut administrator = Administrator::log_in(port);
        let clients = administrator.ask(r#"{"commands":[{"command":"listClients"}]}"#);
        assert_eq!(clients["responses"][0]["data"]["clients"], json!(["admin", "bert", "late"]));
        assert!(enter(&Target::tcp(port), "only-this", Some(("late", "pw"))).is_ok());
        assert_eq!(enter(&Target::tcp(port), "another", Some(("late", "pw"))).err(), Some(ReasonCode::NotAuthorized));
        assert_eq!(enter(&Target::tcp(port), "only-this", Some(("late", "no"))).err(), Some(ReasonCode::NotAuthorized));
    }
}

/// Where 2.1 answers in another way than 2.0, which is the one that can be asked here.
#[test]
fn answers_that_mosquitto_has_since_2_1() {
    let (site, port) = initialised();
    let _broker = site.serve();
    let mut administrator = Administrator::log_in(port);
    let setup = [
        json!({ "command": "createRole", "rolename": "r", "acls": [{ "acltype": "publishClientSend", "topic": "t", "priority": 200_000 }] }),
        json!({ "command": "createGroup", "groupname": "g" }),
        json!({ "command": "createClient", "username": "bert" }),
        json!({ "command": "setAnonymousGroup", "groupname": "g" }),
    ];
    administrator.tell(&setup);
    for (command, expected) in [
        // Names were not looked at.
        (r#"{"command":"createRole","rolename":""}"#, r#"{"command":"createRole","error":"Empty rolename"}"#),
        (r#"{"command":"createGroup","groupname":""}"#, r#"{"command":"createGroup","error":"Empty groupname"}"#),
        (r#"{"command":"createClient","username":""}"#, r#"{"command":"createClient","error":"Empty username"}"#),
        // What was not there was left out, silently, and with it what had been there before.
        (
            r#"{"command":"modifyGroup","groupname":"g","clients":[{"username":"none"}]}"#,
            r#"{"command":"modifyGroup","error":"'clients' contains an object with a 'username' that does not exist"}"#,
        ),
        (
            r#"{"command":"modifyGroup","groupname":"g","clients":[{}]}"#,
            r#"{"command":"modifyGroup","error":"'clients' contains an object with an invalid 'username'"}"#,
        ),
        (
            r#"{"command":"modifyClient","username":"bert","groups":[{"groupname":"none"}]}"#,
            r#"{"command":"modifyClient","error":"'groups' contains an object with a 'groupname' that does not exist"}"#,
        ),
        // It ended the broker.
        (
            r#"{"command":"deleteGroup","groupname":"g"}"#,
            r#"{"command":"deleteGroup","error":"Deleting the anonymous group is forbidden"}"#,
        ),
        // New: priorities have an end, wildcards can be forbidden, connections are shown, and there are numbers.
        (
            r#"{"command":"getRole","rolename":"r"}"#,
            r#"{"command":"getRole","data":{"role":{"rolename":"r","allowwildcardsubs":true,"acls":[{"acltype":"publishClientSend","topic":"t","priority":100000,"allow":false}]}}}"#,
        ),
        (
            r#"{"command":"getClient","username":"admin"}"#,
            r#"{"command":"getClient","data":{"client":{"username":"admin","textname":"Dynsec admin user","roles":[{"rolename":"admin"}],"groups":[],"connections":[{"address":"127.0.0.1"}]}}}"#,
        ),
        (
            r#"{"command":"getDetails"}"#,
            r#"{"command":"getDetails","data":{"clientCount":2,"groupCount":1,"roleCount":2,"changeIndex":4}}"#,
        ),
    ] {
        let responses = administrator.ask(&format!(r#"{{"commands":[{command}]}}"#));
        assert_eq!(responses["responses"][0], serde_json::from_str::<Value>(expected).unwrap(), "{command}");
    }
}

/// What comes of something that a client does, on one broker.
fn outcome(port: u16, who: Option<(&str, &str)>, wish: &str, topic_name: &str) -> String {
    let identifier = if who.is_some() { "c-1" } else { "c-2" };
    let mut device = enter(&Target::tcp(port), identifier, who).unwrap_or_else(|code| unreachable!("refused: {code:?}"));
    match wish {
        "publish" => {
            let mut publish = publish_packet(topic_name, "x", QoS::AtLeastOnce, false);
            publish.packet_id = Some(packet_id(7));
            device.send(&Packet::Publish(publish));
            format!("{:?}", device.expect_puback(packet_id(7)).reason_code)
        }
        "subscribe" => format!("{:?}", device.subscribe(topic_name, QoS::AtLeastOnce)),
        "unsubscribe" => format!("{:?}", device.unsubscribe(&[topic_name]).reason_codes),
        "receive" => {
            // The filter that it may have brings the topic, if that may come.
            assert!(!device.subscribe("in/#", QoS::AtMostOnce).is_error());
            let mut other = enter(&Target::tcp(port), "sender", Some(("sender", "pw"))).expect("the sender is let in");
            other.publish(topic_name, "x", QoS::AtLeastOnce, false);
            other.publish("in/end", "end", QoS::AtLeastOnce, false);
            let first = device.expect_publish();
            String::from_utf8_lossy(&first.payload).into_owned()
        }
        _ => unreachable!(),
    }
}

#[test]
fn every_kind_of_rule_is_enforced_as_mosquitto_does() {
    let (site, port) = initialised();
    fs::copy(site.path("ds.json"), site.path("theirs.json")).unwrap();
    let mosquitto = Mosquitto::with_dynamic_security(&site.path("theirs.json"));
    let _broker = site.serve();
    let acl = |kind: &str, topic: &str, priority: i32, allow: bool| json!({ "acltype": kind, "topic": topic, "priority": priority, "allow": allow });
    let own = [
        acl("publishClientSend", "out/#", 0, true),
        acl("publishClientSend", "out/secret", 1, false),
        acl("publishClientSend", "$SYS/#", 0, true),
        acl("publishClientReceive", "in/#", 0, true),
        acl("publishClientReceive", "in/secret", 1, false),
        acl("subscribeLiteral", "lit/#", 0, true),
        acl("subscribePattern", "in/#", 0, true),
        acl("subscribePattern", "in/never/#", 5, false),
        acl("subscribePattern", "$share/g/in/x", 0, true),
        acl("unsubscribeLiteral", "lit/#", 0, false),
        acl("unsubscribePattern", "in/never/#", 0, false),
    ];
    let all = [acl("publishClientSend", "#", 0, true)];
    let setup = [
        json!({ "command": "createRole", "rolename": "own", "acls": own }),
        json!({ "command": "createRole", "rolename": "all", "acls": all }),
        json!({ "command": "createRole", "rolename": "open", "acls": [acl("subscribePattern", "open/#", 0, true)] }),
        json!({ "command": "createGroup", "groupname": "group", "roles": [{ "rolename": "open" }] }),
        json!({ "command": "createGroup", "groupname": "nobody", "roles": [{ "rolename": "open" }] }),
        json!({ "command": "setAnonymousGroup", "groupname": "nobody" }),
        json!({ "command": "createClient", "username": "anna", "password": "pw", "roles": [{ "rolename": "own" }], "groups": [{ "groupname": "group" }] }),
        json!({ "command": "createClient", "username": "sender", "password": "pw", "roles": [{ "rolename": "all" }] }),
    ];
    for port in [mosquitto.plain_port(), port] {
        Administrator::log_in(port).tell(&setup);
    }
    let mut seen = std::collections::BTreeSet::new();
    for (wish, topics) in [
        ("publish", &["out/x", "out/secret", "other", "out", "$SYS/x", "$CONTROL/dynamic-security/v1"][..]),
        (
            "subscribe",
            &[
                "in/x",
                "in/#",
                "in/+/x",
                "in/never/x",
                "in/never/#",
                "lit/#",
                "lit/x",
                "#",
                "open/#",
                "open/a",
                "$share/g/in/x",
                "$share/h/in/x",
                "$CONTROL/#",
            ],
        ),
        ("unsubscribe", &["in/x", "lit/#", "lit/x", "in/never/#", "in/never/x", "other"]),
        ("receive", &["in/x", "in/secret"]),
    ] {
        for topic_name in topics {
            for who in [Some(("anna", "pw")), None].into_iter().take(if wish == "receive" { 1 } else { 2 }) {
                let (theirs, ours) = (outcome(mosquitto.plain_port(), who, wish, topic_name), outcome(port, who, wish, topic_name));
                assert_eq!(ours, theirs, "{who:?} {wish} {topic_name}");
                seen.insert((wish, ours));
            }
        }
    }
    // Neither of the two has said one thing to everything.
    for wish in ["publish", "subscribe", "unsubscribe", "receive"] {
        assert!(seen.iter().filter(|(of, _)| *of == wish).count() >= 2, "{seen:?}");
    }
}

/// Runs `mosquitto_ctrl`.
fn ctrl(port: u16, arguments: &[&str]) -> Finished {
    let mut command = Command::new("mosquitto_ctrl");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-u", "admin", "-P", PASSWORD, "dynsec"]).args(arguments);
    Running::run(&mut command)
}

#[test]
fn a_new_user_walks_from_an_empty_directory_to_a_client_that_publishes() {
    let (site, port) = initialised();
    let broker = site.serve();
    for arguments in [
        &["createClient", "sensor", "-p", "pw"][..],
        &["createRole", "sensors"],
        &["addRoleACL", "sensors", "publishClientSend", "plant/#", "allow", "1"],
        &["addClientRole", "sensor", "sensors", "5"],
        &["createGroup", "readers"],
        &["createClient", "reader", "-p", "pw"],
        &["createRole", "readers"],
        &["addRoleACL", "readers", "subscribePattern", "plant/#", "allow", "1"],
        &["addGroupRole", "readers", "readers"],
        &["addGroupClient", "readers", "reader"],
    ] {
        let finished = ctrl(port, arguments).succeeded();
        assert!(!finished.output.contains("Error"), "{arguments:?}: {}", finished.output);
    }
    broker.logs("dynsec: ");
    assert!(ctrl(port, &["getClient", "sensor"]).output.contains("sensors (priority: 5)"));
    let listed = ctrl(port, &["listClients"]).output;
    assert!(["admin", "reader", "sensor"].iter().all(|name| listed.lines().any(|line| line == *name)), "{listed}");
    assert!(ctrl(port, &["getClient", "nobody"]).output.contains("Client not found"));
    let port = port.to_string();
    let publish = |topic: &str| {
        let mut command = Command::new("mosquitto_pub");
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-u",
            "sensor",
            "-P",
            "pw",
            "-V",
            "5",
            "-q",
            "1",
            "-d",
            "-m",
            "21",
            "-r",
            "-t",
            topic,
        ]);
        Running::run(&mut command)
    };
    assert!(publish("elsewhere").output.contains("Not authorized"));
    publish("plant/temperature").succeeded();
    let mut sub = Command::new("mosquitto_sub");
    sub.args(["-h", "127.0.0.1", "-p", &port, "-u", "reader", "-P", "pw", "-t", "plant/#", "-C", "1", "-v"]);
    assert!(Running::run(&mut sub).succeeded().output.contains("plant/temperature 21"));
}

/// A quickstart with a listener more, on which certificates name clients of dynamic security; and one without TLS.
fn with_certificates() -> (Site, u16, Target) {
    let site = Site::quickstart();
    let mut init = Command::new("mosquitto_ctrl");
    Running::run(init.current_dir(site.folder()).args(["dynsec", "init", "ds.json", "admin", PASSWORD])).succeeded();
    let (port, tls) = (site.free_port(), site.free_port());
    site.edit("signet.toml", |text| {
        let text = text.replace("[dynamic_security]\n", "[dynamic_security]\nfile = \"ds.json\"\n");
        let tables = TABLES.replace("[dynamic_security]\nfile = \"ds.json\"\n", "");
        format!(
            "{text}\n{tables}[[listener]]\nname = \"plain\"\nbind = [\"127.0.0.1:{port}\"]\ntransport = \"tcp\"\nauthentication = [\"dynamic_security\"]\n\
             [[listener]]\nname = \"certificates\"\nbind = [\"127.0.0.1:{tls}\"]\ntransport = \"tls\"\ncertificate = \"server/server.pem\"\n\
             key = \"server/server.key\"\ntrust = [\"ca/ca.pem\"]\ndevice = \"${{cert.cn}}\"\nusername = \"${{cert.cn}}\"\n\
             authentication = [\"certificate and dynamic_security\"]\n"
        )
    });
    let identity = Identity {
        certificate: site.path("devices/pump-7.pem"),
        key: site.path("devices/pump-7.key"),
        serial: Vec::new(),
        der: Vec::new(),
    };
    let target = Target::tls(tls, site.path("ca/ca.pem"), Some(&identity));
    (site, port, target)
}

/// Connects with a Will.
fn with_will(target: &Target, identifier: &str, who: Option<(&str, &str)>) -> Device {
    let mut connect = connect_packet(ProtocolVersion::V5, identifier);
    connect.username = who.map(|(name, _)| name.to_owned().into());
    connect.password = who.map(|(_, password)| Password::new(password.as_bytes().to_vec()));
    connect.will = Some(Will {
        topic: topic("will/x"),
        payload: "gone".into(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: WillProperties::default(),
    });
    Device::connect_with(target, connect)
}

#[test]
fn disabling_and_deleting_end_sessions_and_keep_out_whatever_names_the_client() {
    let (site, port, certificates) = with_certificates();
    let broker = site.serve();
    let mut administrator = Administrator::log_in(port);
    let everything = ["publishClientSend", "subscribePattern"].map(|kind| json!({ "acltype": kind, "topic": "#", "allow": true }));
    let plain = Target::tcp(port);
    administrator.tell(&[
        json!({ "command": "createRole", "rolename": "all", "acls": everything }),
        json!({ "command": "createClient", "username": "watcher", "password": "pw", "roles": [{ "rolename": "all" }] }),
    ]);
    let mut watcher = enter(&plain, "watcher", Some(("watcher", "pw"))).unwrap();
    watcher.subscribe("will/#", QoS::AtMostOnce);
    for (name, target, who) in [("anna", &plain, Some(("anna", "pw"))), ("pump-7", &certificates, None)] {
        for (end, again) in [("disableClient", "enableClient"), ("deleteClient", "createClient")] {
            let created = json!({ "command": "createClient", "username": name, "password": "pw", "roles": [{ "rolename": "all" }] });
            administrator.ask(&json!({ "commands": [created, { "command": "enableClient", "username": name }] }).to_string());
            let mut device = with_will(target, "c-1", who);
            // It has the rights of the client with its name.
            assert!(!device.subscribe("t/#", QoS::AtMostOnce).is_error(), "{name}");
            administrator.tell(&[json!({ "command": end, "username": name })]);
            // As Mosquitto ends it.
            device.expect_ended(ReasonCode::AdministrativeAction);
            assert_eq!(enter(target, "c-2", who).err(), Some(ReasonCode::NotAuthorized), "{name} after {end}");
            watcher.expect_silence();
            if again == "enableClient" {
                administrator.tell(&[json!({ "command": again, "username": name })]);
                assert!(enter(target, "c-3", who).is_ok(), "{name} after {again}");
            }
        }
    }
    broker.logs("was changed, disabled or deleted by dynamic security");
    // A client that goes on to have its rights: its Will goes with the session that ends, and is there when the connection breaks.
    administrator.tell(&[json!({ "command": "createClient", "username": "bert", "password": "pw", "roles": [{ "rolename": "all" }] })]);
    let bert = || with_will(&plain, "bert", Some(("bert", "pw")));
    let mut device = bert();
    administrator.tell(&[json!({ "command": "setClientPassword", "username": "bert", "password": "pw" })]);
    device.expect_ended(ReasonCode::AdministrativeAction);
    watcher.expect_silence();
    bert().vanish();
    watcher.expect_message("will/x", "gone");
    // A certificate that names nobody here lets nobody in, and a revoked one does not either.
    assert_eq!(enter(&certificates, "c-4", None).err(), Some(ReasonCode::NotAuthorized));
    administrator.tell(&[json!({ "command": "createClient", "username": "pump-7", "roles": [{ "rolename": "all" }] })]);
    let mut device = enter(&certificates, "c-5", None).unwrap();
    site.signet(&["device", "revoke", "pump-7"]).succeeded();
    device.expect_ended(ReasonCode::AdministrativeAction);
    let refused = Device::try_open(&certificates, ProtocolVersion::V5).map(|mut device| {
        device.try_send(&Packet::Connect(Box::new(connect_packet(ProtocolVersion::V5, "c-6"))));
        device.await_next().map(|_| ()).is_ok()
    });
    assert!(!matches!(refused, Ok(true)), "a revoked certificate is let in");
}

#[test]
fn a_change_of_roles_ends_sessions_and_takes_subscriptions_away() {
    let (site, port) = initialised();
    let _broker = site.serve();
    let mut administrator = Administrator::log_in(port);
    let acl = |kind: &str| json!({ "acltype": kind, "topic": "t/#", "allow": true });
    administrator.tell(&[
        json!({ "command": "createRole", "rolename": "r", "acls": [acl("subscribePattern")] }),
        json!({ "command": "createRole", "rolename": "s", "acls": [acl("publishClientSend")] }),
        json!({ "command": "createGroup", "groupname": "g" }),
        json!({ "command": "createClient", "username": "anna", "password": "pw", "roles": [{ "rolename": "r" }], "groups": [{ "groupname": "g" }] }),
        json!({ "command": "createClient", "username": "bert", "password": "pw", "roles": [{ "rolename": "s" }] }),
    ]);
    let anna = || {
        let mut connect = connect_packet(ProtocolVersion::V5, "anna");
        connect.username = Some("anna".into());
        connect.password = Some(Password::new(b"pw".to_vec()));
        connect.clean_start = false;
        connect.properties.session_expiry_interval = Some(600);
        Device::introduce(&Target::tcp(port), connect)
    };
    let mut bert = enter(&Target::tcp(port), "bert", Some(("bert", "pw"))).unwrap();
    for command in [
        json!({ "command": "addClientRole", "username": "anna", "rolename": "s" }),
        json!({ "command": "addRoleACL", "rolename": "r", "acltype": "publishClientSend", "topic": "u" }),
        json!({ "command": "addGroupRole", "groupname": "g", "rolename": "s" }),
        json!({ "command": "removeGroupClient", "groupname": "g", "username": "anna" }),
        json!({ "command": "setClientPassword", "username": "anna", "password": "pw" }),
        json!({ "command": "removeClientRole", "username": "anna", "rolename": "r" }),
    ] {
        let (mut device, _) = anna();
        if command["command"] != "removeClientRole" || device.subscribe("t/#", QoS::AtLeastOnce).is_error() {
            assert_eq!(device.subscribe("t/#", QoS::AtLeastOnce), ReasonCode::GrantedQoS1, "{command}");
        }
        administrator.tell(std::slice::from_ref(&command));
        device.expect_ended(ReasonCode::AdministrativeAction);
        bert.expect_silence();
    }
    // The subscription of the session that stayed is gone with the role: what comes now is not kept for it.
    bert.publish("t/x", "secret", QoS::AtLeastOnce, false);
    let (mut device, connack) = anna();
    assert!(connack.session_present);
    device.expect_silence();
    bert.publish("t/x", "secret", QoS::AtLeastOnce, false);
    device.expect_silence();
    // Clients that are nobody in particular, and they alone.
    administrator.tell(&[json!({ "command": "createGroup", "groupname": "nobody" })]);
    let mut nobody = enter(&Target::tcp(port), "nobody", None).unwrap();
    administrator.tell(&[json!({ "command": "setAnonymousGroup", "groupname": "nobody" })]);
    nobody.expect_ended(ReasonCode::AdministrativeAction);
    device.expect_silence();
    bert.expect_silence();
    // Whoever changes himself hears what became of it.
    let responses = administrator.ask(r#"{"commands":[{"command":"modifyClient","username":"admin","textname":"me"}]}"#);
    assert_eq!(responses, json!({ "responses": [{ "command": "modifyClient" }] }));
    administrator.0.expect_ended(ReasonCode::AdministrativeAction);
}

#[test]
fn what_was_answered_is_there_after_kill_9() {
    let (site, port) = initialised();
    for round in 0..3 {
        let broker = site.serve();
        let mut administrator = Administrator::log_in(port);
        administrator.tell(&[json!({ "command": "createClient", "username": format!("client-{round}"), "password": "pw" })]);
        broker.signal("KILL");
        drop(broker);
        let mode = fs::metadata(site.path("ds.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let _broker = site.serve();
    let clients = Administrator::log_in(port).ask(r#"{"commands":[{"command":"listClients"}]}"#);
    assert_eq!(clients["responses"][0]["data"]["clients"], json!(["admin", "client-0", "client-1", "client-2"]));
    assert!(enter(&Target::tcp(port), "c", Some(("client-2", "pw"))).is_ok());
}

#[test]
fn a_reload_leaves_clients_and_what_they_may_do() {
    let (site, port) = initialised();
    let broker = site.serve();
    let mut administrator = Administrator::log_in(port);
    administrator.tell(&[
        json!({ "command": "createRole", "rolename": "r", "acls": [{ "acltype": "subscribePattern", "topic": "t/#", "allow": true }] }),
        json!({ "command": "createClient", "username": "anna", "password": "pw", "roles": [{ "rolename": "r" }] }),
    ]);
    let mut anna = enter(&Target::tcp(port), "anna", Some(("anna", "pw"))).unwrap();
    assert!(!anna.subscribe("t/#", QoS::AtMostOnce).is_error());
    site.edit("signet.toml", |text| format!("{text}[control]\nbroker = true\n"));
    broker.signal("HUP");
    broker.logs("reload");
    anna.expect_silence();
    administrator.tell(&[json!({ "command": "disableClient", "username": "anna" })]);
    anna.expect_ended(ReasonCode::AdministrativeAction);
    assert_eq!(enter(&Target::tcp(port), "anna", Some(("anna", "pw"))).err(), Some(ReasonCode::NotAuthorized));
}

#[test]
fn what_cannot_be_written_does_not_count() {
    let (site, port) = initialised();
    site.edit("signet.toml", |text| text.replace("\"ds.json\"", "\"files/ds.json\""));
    fs::create_dir(site.path("files")).unwrap();
    fs::rename(site.path("ds.json"), site.path("files/ds.json")).unwrap();
    let broker = site.serve();
    let mut administrator = Administrator::log_in(port);
    // Not even root writes into a directory that is not there.
    fs::rename(site.path("files"), site.path("elsewhere")).unwrap();
    let request = r#"{"commands":[{"command":"createClient","username":"anna","password":"pw"}]}"#;
    assert!(administrator.ask(request).to_string().contains("Internal error"));
    broker.logs("could not be made durable");
    assert_eq!(enter(&Target::tcp(port), "c", Some(("anna", "pw"))).err(), Some(ReasonCode::NotAuthorized));
    fs::rename(site.path("elsewhere"), site.path("files")).unwrap();
    assert_eq!(administrator.ask(request), json!({ "responses": [{ "command": "createClient" }] }));
    assert!(enter(&Target::tcp(port), "c", Some(("anna", "pw"))).is_ok());
}

#[test]
fn a_first_file_is_made_with_passwords_that_work() {
    let serve = |site: &Site, variable: Option<&str>| {
        let mut command = site.command(&["serve"]);
        command.env_remove("MOSQUITTO_DYNSEC_PASSWORD");
        command.envs(variable.map(|password| ("MOSQUITTO_DYNSEC_PASSWORD", password)));
        Running::start(&mut command)
    };
    let site = |more: &str| {
        let site = Site::empty();
        let port = site.free_port();
        site.write("signet.toml", &plain(port).replace("file = \"ds.json\"\n", &format!("file = \"ds.json\"\n{more}")));
        (site, port)
    };
    // Made up, and told.
    let (made_up, port) = site("");
    let running = serve(&made_up, None);
    running.wait_for("listening");
    let passwords = fs::read_to_string(made_up.path("ds.json.pw")).unwrap();
    for name in ["ds.json", "ds.json.pw"] {
        assert_eq!(fs::metadata(made_up.path(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let password_of = |name: &str| passwords.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap().to_owned();
    let mut demo = enter(&Target::tcp(port), "demo", Some(("democlient", &password_of("democlient")))).unwrap();
    assert_eq!(demo.subscribe("#", QoS::AtLeastOnce), ReasonCode::GrantedQoS1);
    assert_eq!(demo.subscribe("$CONTROL/#", QoS::AtLeastOnce), ReasonCode::NotAuthorized);
    let mut admin = enter(&Target::tcp(port), "admin", Some(("admin", &password_of("admin")))).unwrap();
    assert_eq!(admin.subscribe(RESPONSES, QoS::AtMostOnce), ReasonCode::Success);
    // Given by the environment, or by a file.
    let (given, port) = site("");
    let running = serve(&given, Some("twelve chars"));
    running.wait_for("listening");
    assert!(enter(&Target::tcp(port), "admin", Some(("admin", "twelve chars"))).is_ok());
    assert!(!given.path("ds.json.pw").exists());
    let (given, port) = site("password_init_file = \"first\"\n");
    given.write("first", "from a file  \nand no more");
    let running = serve(&given, Some("another that does not count"));
    running.wait_for("listening");
    assert!(enter(&Target::tcp(port), "admin", Some(("admin", "from a file"))).is_ok());
    // What gives no password makes no file.
    for (more, variable, why) in [
        ("", Some("short"), "fewer than 12 characters"),
        ("password_init_file = \"missing\"\n", None, "missing"),
        ("password_init_file = \"signet.toml.empty\"\n", None, "the file is empty"),
    ] {
        let (refused, _) = site(more);
        refused.write("signet.toml.empty", "\n");
        let finished = serve(&refused, variable).finish();
        assert!(finished.code != Some(0) && finished.output.contains(why), "{}", finished.output);
        assert!(!refused.path("ds.json").exists());
    }
    // Half a file is served by nobody.
    let (broken, _) = site("");
    broken.write("ds.json", "{");
    assert!(broken.signet(&["check"]).output.contains("it is not valid JSON"));
    assert!(serve(&broken, None).finish().output.contains("it is not valid JSON"));
}

#[test]
fn requests_about_the_broker_and_birth_certificates() {
    let (site, port) = initialised();
    site.edit("signet.toml", |text| format!("{text}[control]\nbroker = true\n[sparkplug]\naware = true\n"));
    let _broker = site.serve();
    let mut administrator = Administrator::log_in(port);
    let everything = ["publishClientSend", "publishClientReceive", "subscribePattern"]
        .into_iter()
        .flat_map(|kind| ["#", "$CONTROL/#", "$sparkplug/#"].map(|topic| json!({ "acltype": kind, "topic": topic, "allow": true })));
    let everything: Vec<Value> = everything.collect();
    administrator.tell(&[
        json!({ "command": "createRole", "rolename": "all", "acls": everything }),
        json!({ "command": "createClient", "username": "all", "password": "pw", "roles": [{ "rolename": "all" }] }),
    ]);
    let mut device = enter(&Target::tcp(port), "all", Some(("all", "pw"))).unwrap();
    device.subscribe("$CONTROL/broker/v1/response", QoS::AtMostOnce);
    device.publish("$CONTROL/broker/v1", r#"{"commands":[{"command":"listPlugins"},{"command":"listListeners"}]}"#, QoS::AtMostOnce, false);
    let expected = format!(
        r#"{{"responses":[{{"command":"listPlugins","data":{{"plugins":[{{"name":"dynamic-security","control-endpoints":["$CONTROL/dynamic-security/v1"]}},{{"name":"sparkplug-aware","version":"1.0","control-endpoints":[]}}]}}}},{{"command":"listListeners","data":{{"listeners":[{{"port":{port},"protocol":"mqtt","bind-address":"127.0.0.1","tls":false}}]}}}}]}}"#
    );
    device.expect_message("$CONTROL/broker/v1/response", &expected);
    // Nobody is there: only who asks hears of it, without a subscription.
    device.publish("$CONTROL/nothing/v1", "{}", QoS::AtMostOnce, true);
    device.expect_message("$CONTROL/nothing/v1/response", r#"{"error": "endpoint not available"}"#);
    // Births stay for those who come later; what is not one does not.
    device.publish("spBv1.0/g/NBIRTH/n", "born", QoS::AtLeastOnce, false);
    device.publish("spBv1.0/g/NDATA/n", "data", QoS::AtLeastOnce, false);
    device.subscribe("$sparkplug/certificates/#", QoS::AtMostOnce);
    let kept = device.expect_message("$sparkplug/certificates/spBv1.0/g/NBIRTH/n", "born");
    assert!(kept.retain);
    device.expect_silence();
}
