//! Users with passwords: the same file lets the same people in as a real Mosquitto; SCRAM with other people's clients.

use bytes::Bytes;
use signet_e2e::{Finished, Running, Scramp, Site, mqttjs_scram};
use signet_mqtt::{Auth, Connect, Packet, ProtocolVersion, ReasonCode};
use signet_testkit::{Device, Mosquitto, Target, connect_packet};

/// A quickstart with a listener without TLS, on which everybody needs whatever the tables say.
#[track_caller]
fn plain(chain: &str, tables: &str) -> (Site, u16) {
    let site = Site::quickstart();
    let port = site.free_port();
    site.edit("signet.toml", |text| {
        format!(
            "{text}\n[[access]]\nwho = \"everyone\"\npublish = [\"t/#\"]\nsubscribe = [\"t/#\"]\n\
             [[listener]]\nname = \"plain\"\nbind = [\"127.0.0.1:{port}\"]\ntransport = \"tcp\"\nauthentication = {chain}\n{tables}"
        )
    });
    (site, port)
}

fn passwd(site: &Site, arguments: &[&str]) {
    let mut command = std::process::Command::new("mosquitto_passwd");
    Running::run(command.current_dir(site.folder()).args(arguments)).succeeded();
}

fn publish(port: u16, version: &str, who: &[&str]) -> Finished {
    let mut command = std::process::Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-V", version, "-t", "t/x", "-m", "x", "-q", "1"]).args(who);
    Running::run(&mut command)
}

#[test]
fn the_same_password_file_lets_the_same_people_in_as_mosquitto() {
    let file = "[[authenticator]]\nname = \"file\"\ntype = \"password_file\"\nfile = \"passwords\"\n";
    let (site, port) = plain("[\"file\"]", file);
    passwd(&site, &["-c", "-b", "passwords", "alice", "wonder land"]);
    passwd(&site, &["-H", "sha512", "-b", "passwords", "bob", "pä$$:w0rd"]);
    passwd(&site, &["-b", "passwords", "cärol", "$7$x"]);
    // Lines that neither of the two takes for a user.
    site.edit("passwords", |text| format!("{text}\nnobody at all\n\n"));
    let mosquitto = Mosquitto::with_passwords(&site.path("passwords"));
    let _broker = site.serve();
    let attempts: [&[&str]; 12] = [
        &["-u", "alice", "-P", "wonder land"],
        &["-u", "bob", "-P", "pä$$:w0rd"],
        &["-u", "cärol", "-P", "$7$x"],
        &["-u", "alice", "-P", "wonder"],
        &["-u", "alice", "-P", "wonder land "],
        &["-u", "alice", "-P", ""],
        &["-u", "alice"],
        &["-u", "Alice", "-P", "wonder land"],
        &["-u", "bob", "-P", "wonder land"],
        &["-u", "nobody at all", "-P", "x"],
        &["-u", "", "-P", "x"],
        &[],
    ];
    let mut let_in = 0;
    for version in ["311", "5"] {
        for attempt in attempts {
            let (theirs, ours) = (publish(mosquitto.plain_port(), version, attempt), publish(port, version, attempt));
            assert_eq!(ours.code, theirs.code, "{version} {attempt:?}\nmosquitto: {}\nsignet: {}", theirs.output, ours.output);
            let_in += usize::from(ours.code == Some(0));
        }
    }
    assert_eq!(let_in, 6, "three of them, by both versions");
}

const SCRAM: &str = "[[authenticator]]\ntype = \"scram\"\n";

/// A broker on which alice has keys of both mechanisms, bob of one, and carol of none.
fn scram() -> (Site, u16) {
    let (site, port) = plain("[\"scram\"]", SCRAM);
    site.write("secret", "pencil\n");
    let add = |arguments: &[&str]| site.signet(&[&["user", "add", "--password-file", "secret"], arguments].concat()).succeeded();
    add(&["alice", "--scram", "sha256", "--scram", "sha512"]);
    add(&["bob", "--scram", "sha256", "--scram-iterations", "4096"]);
    add(&["carol"]);
    add(&["us,e=r", "--scram", "sha256"]);
    (site, port)
}

#[test]
fn mqttjs_logs_in_by_scram_and_knows_the_broker() {
    let (site, port) = scram();
    let broker = site.serve();
    let said = |mechanism, user, password| mqttjs_scram(port, mechanism, user, password).succeeded().output.trim().to_owned();
    assert_eq!(said("SCRAM-SHA-256", "alice", "pencil"), "verified");
    assert_eq!(said("SCRAM-SHA-512", "alice", "pencil"), "verified");
    assert_eq!(said("SCRAM-SHA-256", "bob", "pencil"), "verified");
    assert_eq!(said("SCRAM-SHA-256", "us,e=r", "pencil"), "verified");
    broker.logs("principal=user `us,e=r`");
    for (mechanism, user, password, why) in [
        ("SCRAM-SHA-256", "alice", "pencils", "scram: deny (wrong password)"),
        ("SCRAM-SHA-512", "bob", "pencil", "no keys for this mechanism"),
        ("SCRAM-SHA-256", "carol", "pencil", "no keys for this mechanism"),
        ("SCRAM-SHA-256", "nobody", "pencil", "the user is not there"),
    ] {
        assert_eq!(said(mechanism, user, password), "refused 135", "{mechanism} {user}");
        broker.logs_all(&["refused", why]);
    }
    site.signet(&["user", "disable", "alice"]).succeeded();
    assert_eq!(said("SCRAM-SHA-256", "alice", "pencil"), "refused 135");
}

const METHOD: &str = "SCRAM-SHA-256";

fn auth(reason_code: ReasonCode, data: &str) -> Packet {
    Packet::Auth(Box::new(Auth {
        reason_code,
        authentication_method: Some(METHOD.into()),
        authentication_data: Some(Bytes::copy_from_slice(data.as_bytes())),
        ..Auth::default()
    }))
}

/// The data of the AUTH that comes next.
#[track_caller]
fn challenge(device: &mut Device, reason_code: ReasonCode) -> Bytes {
    let packet = device.expect();
    let Packet::Auth(auth) = &packet else { unreachable!("expected AUTH, got {packet:?}") };
    assert_eq!((auth.reason_code, auth.authentication_method.as_deref()), (reason_code, Some(METHOD)));
    auth.authentication_data.clone().unwrap_or_default()
}

/// Logs in with scramp's messages.
fn log_in(port: u16, client_identifier: &str, user: &str, username: Option<&str>) -> Result<Device, ReasonCode> {
    let mut scramp = Scramp::begin(METHOD, user, "pencil");
    let mut connect: Connect = connect_packet(ProtocolVersion::V5, client_identifier);
    connect.username = username.map(|name| name.to_owned().into());
    connect.properties.authentication_method = Some(METHOD.into());
    connect.properties.authentication_data = Some(Bytes::from(scramp.says()));
    let mut device = Device::open(&Target::tcp(port), ProtocolVersion::V5);
    device.send(&Packet::Connect(Box::new(connect)));
    match device.expect() {
        Packet::Auth(auth) => scramp.hears(&auth.authentication_data.unwrap_or_default()),
        Packet::Connack(connack) => return Err(connack.reason_code),
        other => unreachable!("{other:?}"),
    }
    device.send(&auth(ReasonCode::ContinueAuthentication, &scramp.says()));
    let connack = device.expect_connack();
    if connack.reason_code != ReasonCode::Success {
        return Err(connack.reason_code);
    }
    // [MQTT-4.12.0-5]
    assert_eq!(connack.properties.authentication_method.as_deref(), Some(METHOD));
    scramp.hears(&connack.properties.authentication_data.unwrap_or_default());
    assert_eq!(scramp.says(), "verified");
    Ok(device)
}

/// Authenticates again over a connection that stands.
fn log_in_again(device: &mut Device, user: &str, password: &str) {
    let mut scramp = Scramp::begin(METHOD, user, password);
    device.send(&auth(ReasonCode::ReAuthenticate, &scramp.says()));
    scramp.hears(&challenge(device, ReasonCode::ContinueAuthentication));
    device.send(&auth(ReasonCode::ContinueAuthentication, &scramp.says()));
    scramp.hears(&challenge(device, ReasonCode::Success));
    assert_eq!(scramp.says(), "verified");
}

#[test]
fn the_name_of_the_exchange_is_the_users_and_no_other() {
    let (site, port) = scram();
    let broker = site.serve();
    drop(log_in(port, "c", "alice", None).unwrap());
    broker.logs("principal=user `alice`");
    drop(log_in(port, "c", "alice", Some("alice")).unwrap());
    assert_eq!(log_in(port, "c", "alice", Some("bob")).err(), Some(ReasonCode::NotAuthorized));
    broker.logs_all(&["refused", "another one than that in the exchange"]);
}

#[test]
fn a_client_authenticates_again_as_who_it_is() {
    let (site, port) = scram();
    let broker = site.serve();
    let mut device = log_in(port, "c", "alice", None).unwrap();
    log_in_again(&mut device, "alice", "pencil");
    device.publish("t/x", "still here", signet_mqtt::QoS::AtLeastOnce, false);
    // Not as somebody else, however well that one is known.
    let mut scramp = Scramp::begin(METHOD, "bob", "pencil");
    device.send(&auth(ReasonCode::ReAuthenticate, &scramp.says()));
    device.expect_ended(ReasonCode::NotAuthorized);
    broker.logs_all(&["could not authenticate again", "another one than that in the exchange"]);
}

#[test]
fn a_changed_password_ends_the_session_and_the_new_one_lets_in() {
    let (site, port) = scram();
    let _broker = site.serve();
    let (mut alice, mut bob) = (log_in(port, "alice", "alice", None).unwrap(), log_in(port, "bob", "bob", None).unwrap());
    site.write("other", "pen\n");
    let changed = site.signet(&["user", "password", "alice", "--password-file", "other"]).succeeded();
    assert!(changed.says("1 session closed"), "{}", changed.output);
    alice.expect_ended(ReasonCode::NotAuthorized);
    bob.publish("t/x", "still here", signet_mqtt::QoS::AtLeastOnce, false);
    let said = |password| mqttjs_scram(port, METHOD, "alice", password).succeeded().output.trim().to_owned();
    assert_eq!((said("pencil").as_str(), said("pen").as_str()), ("refused 135", "verified"));
}
