//! The story of an engineer who sets up Mosquitto with passwords, then with client certificates, then revokes one: the same files and the same commands, with
//! our broker under Mosquitto's name, and with Mosquitto's own programs and ours under their names.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::path::Path;

use signet_e2e::{Finished, Running, Whose, openssl};
use signet_testkit::free_port;
use tempfile::TempDir;

/// A directory with a CA that `openssl ca` runs, a broker's certificate, and a configuration.
struct Story {
    folder: TempDir,
    port: u16,
    tools: Whose,
}

/// As tutorials have it: names in the common name, and no extensions but those that make a CA.
const CA_CONFIGURATION: &str = "\
[ca]
default_ca = this
[this]
dir = .
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
certificate = ca.crt
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
";

impl Story {
    fn begin(tools: Whose) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let story = Self { folder, port: free_port(), tools };
        story.write("ca.cnf", CA_CONFIGURATION);
        story.write("index.txt", "");
        story.write("serial", "01\n");
        story.write("crlnumber", "01\n");
        story.openssl(
            "req -new -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=CA -config ca.cnf -extensions authority",
        );
        story.openssl("ca -gencrl -config ca.cnf -out ca.crl");
        story.certificate("localhost", "broker");
        story
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    #[track_caller]
    fn openssl(&self, arguments: &str) {
        let words: Vec<&str> = arguments.split(' ').collect();
        openssl(self.path(), &words).succeeded();
    }

    /// Key and certificate, both without a word about what they are for.
    fn certificate(&self, common_name: &str, file: &str) {
        self.openssl(&format!(
            "req -new -newkey rsa:2048 -nodes -keyout {file}.key -out {file}.csr -subj /CN={common_name} -config ca.cnf"
        ));
        self.openssl(&format!("ca -batch -notext -config ca.cnf -in {file}.csr -out {file}.crt"));
    }

    /// Starts the broker as `mosquitto -c mosquitto.conf`; `more` are the lines of its listener.
    #[track_caller]
    fn broker(&self, before: &str, more: &str) -> Running {
        let port = self.port;
        self.write(
            "mosquitto.conf",
            &format!("user root\nlog_type all\n{before}\nlistener {port} 127.0.0.1\ncafile ca.crt\ncertfile broker.crt\nkeyfile broker.key\n{more}"),
        );
        let running = Whose::Ours.start("mosquitto", self.path(), &["-c", "mosquitto.conf"]);
        running.wait_for("mosquitto version 2.1.2 running");
        running
    }

    #[track_caller]
    fn publish(&self, more: &str) -> Finished {
        let port = self.port;
        let arguments = format!("--cafile ca.crt -h localhost -t test -m message -p {port} -d {more}");
        let words: Vec<&str> = arguments.split_whitespace().collect();
        self.tools.run("mosquitto_pub", self.path(), &words)
    }
}

/// The broker is told to end, and does so in order.
#[track_caller]
fn stop(broker: Running) -> String {
    broker.signal("TERM");
    let finished = broker.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.output);
    finished.output
}

#[track_caller]
fn has_line(log: &str, parts: &[&str]) {
    assert!(log.lines().any(|line| parts.iter().all(|part| line.contains(part))), "no line with {parts:?}:\n{log}");
}

fn passwords(tools: Whose) {
    let story = Story::begin(tools);
    tools.run("mosquitto_passwd", story.path(), &["-c", "-b", "passwd_mqtt", "user1", "secret"]).succeeded();
    let broker = story.broker("allow_anonymous false\npassword_file passwd_mqtt", "");

    let refused = story.publish("");
    assert_eq!(refused.code, Some(5), "{}", refused.output);
    assert!(refused.says("Connection error: Connection Refused: not authorised"), "{}", refused.output);
    let refused = story.publish("-u user1 -P wrong");
    assert_eq!(refused.code, Some(5), "{}", refused.output);

    let published = story.publish("-u user1 -P secret").succeeded();
    for line in ["sending CONNECT", "received CONNACK (0)", "sending PUBLISH (d0, q0, r0, m1, 'test', ... (7 bytes))", "sending DISCONNECT"]
    {
        assert!(published.says(line), "`{line}` is missing:\n{}", published.output);
    }

    let port = story.port.to_string();
    let arguments =
        ["-t", "$SYS/broker/bytes/#", "-v", "--cafile", "ca.crt", "-h", "localhost", "-p", &port, "-u", "user1", "-P", "secret", "-C", "1"];
    let seen = tools.run("mosquitto_sub", story.path(), &arguments).succeeded();
    assert!(seen.output.starts_with("$SYS/broker/bytes/"), "{}", seen.output);
    let log = stop(broker);
    has_line(&log, &["New connection from 127.0.0.1:", &format!(" on port {}.", story.port)]);
    has_line(&log, &["disconnected: not authorised."]);
}

fn certificates(tools: Whose) {
    let story = Story::begin(tools);
    story.certificate("user1", "user1");
    story.certificate("user2", "user2");
    let listener = "require_certificate true\nuse_identity_as_username true\ncrlfile ca.crl\n";
    let broker = story.broker("", listener);
    let (user1, user2) = ("--cert user1.crt --key user1.key", "--cert user2.crt --key user2.key");

    // User name and password are no way in any more.
    let refused = story.publish("-u user1 -P secret");
    assert_ne!(refused.code, Some(0), "{}", refused.output);
    broker.wait_for("peer did not return a certificate");

    story.publish(user1).succeeded();
    let line =
        broker.wait_for_line("user1 connected", |line| line.contains("New client connected from 127.0.0.1:") && line.contains("u'user1'"));
    assert!(line.contains("(p2, c1, k60, u'user1').") || line.contains("(p4, c1, k60, u'user1')."), "{line}");

    // Both are connected while one of them is revoked.
    let watch = |who: &str| {
        let arguments = format!("--cafile ca.crt -h localhost -p {} -t test -v {who}", story.port);
        let words: Vec<&str> = arguments.split_whitespace().collect();
        tools.start("mosquitto_sub", story.path(), &words)
    };
    let (first, second) = (watch(&format!("{user1} -i first")), watch(&format!("{user2} -i second")));
    for name in ["first", "second"] {
        broker.wait_for_line("subscribed", |line| line.contains(&format!("Sending SUBACK to {name}")));
    }
    story.openssl("ca -config ca.cnf -revoke user1.crt -crl_reason keyCompromise");
    story.openssl("ca -gencrl -config ca.cnf -out ca.crl");
    broker.signal("HUP");
    broker.wait_for_line("first was ended", |line| line.contains("Client first [127.0.0.1:") && line.contains("disconnected"));

    let refused = story.publish(user1);
    assert_ne!(refused.code, Some(0), "{}", refused.output);
    broker.wait_for("certificate verify failed");
    // One line more than Mosquitto has says who it was, and why.
    broker.wait_for_line("the certificate's facts", |line| line.contains("CN=user1") && line.contains("keyCompromise"));
    story.publish(user2).succeeded();
    second.wait_for("test message");
    drop(first);
    let log = stop(broker);
    assert!(!log.lines().any(|line| line.contains("Client second [") && line.contains("disconnected: ")), "user2 was disturbed:\n{log}");
}

#[test]
fn passwords_with_mosquittos_tools() {
    passwords(Whose::Mosquittos);
}

#[test]
fn passwords_with_our_tools() {
    passwords(Whose::Ours);
}

#[test]
fn certificates_and_a_revocation_with_mosquittos_tools() {
    certificates(Whose::Mosquittos);
}

#[test]
fn certificates_and_a_revocation_with_our_tools() {
    certificates(Whose::Ours);
}
