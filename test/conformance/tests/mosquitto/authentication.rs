//! Who is let in, and what the others hear: the options of Mosquitto beside what stands for them here.

use std::path::Path;
use std::process::Command;

use signet_mqtt::{Connect as ConnectPacket, Password, ProtocolVersion};
use signet_testkit::{Broker, BrokerConfig, Device, Mosquitto, Pki, Target, connect_packet};

use super::as_mosquitto;
use super::wire::{Connect, Step, play, text};

/// What a client claims: a user name, and a password.
const CLAIMS: [(Option<&str>, Option<&str>); 6] = [
    (None, None),
    (Some("ann"), Some("secret")),
    (Some("ann"), Some("wrong")),
    (Some("ann"), None),
    (Some("bob"), Some("secret")),
    (None, Some("secret")),
];

/// A CONNECT that claims this.
fn claiming(version: u8, (username, password): (Option<&str>, Option<&str>)) -> Vec<u8> {
    let flags = 2 | (u8::from(username.is_some()) << 7) | (u8::from(password.is_some()) << 6);
    let rest: Vec<u8> = username.into_iter().chain(password).flat_map(text).collect();
    Connect { flags, rest: &rest, ..Connect::new(version) }.octets()
}

/// A password file with `ann` in it.
fn password_file(directory: &Path) -> String {
    let file = directory.join("passwords");
    let made = Command::new("mosquitto_passwd").args(["-c", "-b"]).arg(&file).args(["ann", "secret"]).status().unwrap();
    assert!(made.success());
    file.display().to_string()
}

fn authenticator(file: &str) -> String {
    format!("[[authenticator]]\nname = \"passwords\"\ntype = \"password_file\"\nfile = {file:?}\n")
}

/// Every combination of `password_file` and `allow_anonymous`, and the chain that stands for it.
#[test]
fn who_is_let_in_by_user_names_and_passwords() {
    let directory = tempfile::tempdir().unwrap();
    let file = password_file(directory.path());
    let users = format!("password_file {file}\n");
    let table = [
        ("allow_anonymous true\n".to_owned(), "[\"everyone\"]"),
        ("allow_anonymous false\n".to_owned(), "[\"nobody\"]"),
        (format!("allow_anonymous false\n{users}"), "[\"passwords\"]"),
        (format!("allow_anonymous true\n{users}"), "[\"passwords\", \"no_username\"]"),
    ];
    for (options, chain) in table {
        let mosquitto = Mosquitto::with_options(&format!("{options}max_packet_size 2000000\n"), "", None);
        let broker = Broker::start(&as_mosquitto(chain).access(&authenticator(&file)));
        for version in [3, 4, 5] {
            for claims in CLAIMS {
                let script = [Step::Send(claiming(version, claims))];
                let what = format!("{options} {version} {claims:?}");
                let [ours, theirs] = [broker.plain_port(), mosquitto.plain_port()].map(|port| play((port, &what), &script));
                assert_eq!(ours, theirs, "{what}");
            }
        }
    }
}

#[test]
fn the_user_name_is_the_client_identifier() {
    let mosquitto = Mosquitto::with_options("allow_anonymous true\nmax_packet_size 2000000\n", "use_username_as_clientid true\n", None);
    let broker = Broker::start(&as_mosquitto("[\"everyone\"]").listener("client_identifier = \"${username}\""));
    for version in [3, 4, 5] {
        let [first, second] = ["1", "2"].map(|identifier| {
            let rest = text("ann");
            Connect { identifier, flags: 0x82, rest: &rest, ..Connect::new(version) }.octets()
        });
        let taken_over = [Step::Send(first), Step::Beside, Step::Send(second), Step::Before];
        let nameless = [Step::Send(claiming(version, (None, None)))];
        for port in [broker.plain_port(), mosquitto.plain_port()] {
            let found = play((port, "user name as identifier"), &taken_over);
            assert!(found[0].starts_with("20") && found[1].starts_with("20") && found[2].ends_with("end"), "{found:?}");
            let refused = if version == 5 { "2003008700" } else { "20020005" };
            assert_eq!(play((port, "no user name"), &nameless), [refused]);
        }
    }
}

/// What a client is told over mutual TLS.
fn told(target: &Target, version: ProtocolVersion, claims: (Option<&str>, Option<&str>)) -> String {
    let connect = ConnectPacket {
        username: claims.0.map(Into::into),
        password: claims.1.map(|password| Password::new(password.to_owned().into_bytes())),
        ..connect_packet(version, "c")
    };
    Device::introduce(target, connect).1.reason_code.to_string()
}

/// With a certificate: as what lets a client in, and beside user name and password.
#[test]
fn who_is_let_in_by_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let file = password_file(directory.path());
    let device = pki.device("pump-7");
    let users = format!("password_file {file}\n");
    let identity = "use_identity_as_username true\n";
    let by_name = "username = \"${cert.cn}\"\n";
    let table = [
        ("allow_anonymous false\n".to_owned(), identity, format!("authentication = [\"certificate\"]\n{by_name}")),
        (format!("allow_anonymous false\n{users}"), identity, format!("authentication = [\"certificate\"]\n{by_name}")),
        ("allow_anonymous true\n".to_owned(), "", "authentication = [\"everyone\"]\n".to_owned()),
        ("allow_anonymous false\n".to_owned(), "", "authentication = [\"nobody\"]\n".to_owned()),
        (format!("allow_anonymous false\n{users}"), "", "authentication = [\"passwords\"]\n".to_owned()),
        (format!("allow_anonymous true\n{users}"), "", "authentication = [\"passwords\", \"no_username\"]\n".to_owned()),
    ];
    for (options, of_listener, ours) in table {
        let mosquitto = Mosquitto::with_options(&options, of_listener, Some(&pki));
        let config = BrokerConfig::plain().store("enabled = false").tls(&pki, &ours).access(&authenticator(&file));
        let broker = Broker::start(&config);
        for version in ProtocolVersion::ALL {
            for claims in CLAIMS.into_iter().filter(|(username, _)| version == ProtocolVersion::V5 || username.is_some()) {
                let theirs = Target::tls(mosquitto.tls_port(), pki.ca_file(), Some(&device));
                let [ours, theirs] = [broker.tls(&pki, Some(&device)), theirs].map(|target| told(&target, version, claims));
                assert_eq!(ours, theirs, "{options}{of_listener}{version} {claims:?}");
            }
        }
    }
}
