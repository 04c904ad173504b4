//! What happened → the lines of Mosquitto 2.1.2, most of them read in logs of it.

use std::collections::HashMap;

use super::words::filled;
use super::*;

struct Known(HashMap<&'static str, &'static str>);

impl Fields for Known {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).copied()
    }
}

/// The text of every line, with a letter for its kind in front: that of its topic, or D.
fn said(name: &str, fields: &[(&'static str, &'static str)]) -> Vec<String> {
    let lines = lines(name, &Known(fields.iter().copied().collect()));
    let letter =
        |kind: Kind| kind.topic().and_then(|topic| Some(topic.rsplit_once("log/")?.1.to_owned())).unwrap_or_else(|| "D".to_owned());
    lines.into_iter().map(|line| format!("{} {}", letter(line.kind), line.text)).collect()
}

/// Fields of something that happened.
type Given = &'static [(&'static str, &'static str)];

const PEER: [(&str, &str); 3] = [("client", "pump-7"), ("address", "172.20.0.7"), ("port", "40780")];

/// The usual fields and more.
fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    PEER.iter().chain(more).copied().collect()
}

#[test]
fn connections() {
    let cases: [(&str, Given, &[&str]); 12] = [
        ("accepted", &[("listener_port", "8883")], &["N New connection from 172.20.0.7:40780 on port 8883."]),
        ("full", &[], &["N Client connection from 172.20.0.7 denied: max_connections exceeded."]),
        (
            "connected",
            &[("role", "client"), ("version", "4"), ("clean_start", "1"), ("keep_alive", "60")],
            &["N New client connected from 172.20.0.7:40780 as pump-7 (p4, c1, k60)."],
        ),
        (
            "connected",
            &[("role", "bridge"), ("version", "5"), ("clean_start", "0"), ("keep_alive", "120"), ("username", "alice")],
            &["N New bridge connected from 172.20.0.7:40780 as pump-7 (p5, c0, k120, u'alice')."],
        ),
        (
            "will",
            &[("bytes", "1"), ("retain", "0"), ("qos", "2"), ("topic", "a/w")],
            &["D Will message specified (1 bytes) (r0, q2).", "D \ta/w"],
        ),
        ("no_will", &[], &["D No will message specified."]),
        (
            "negotiated",
            &[("protocol", "TLSv1.3"), ("cipher", "TLS_AES_256_GCM_SHA384")],
            &["N Client pump-7 negotiated TLSv1.3 cipher TLS_AES_256_GCM_SHA384"],
        ),
        ("tls_without_listener", &[], &["N Client from 172.20.0.7:40780 appears to be using TLS to connect to a non-TLS listener."]),
        ("disconnected", &[("cause", "client")], &["N Client pump-7 [172.20.0.7:40780] disconnected."]),
        ("disconnected", &[("cause", "keep_alive")], &["N Client pump-7 [172.20.0.7:40780] disconnected: exceeded timeout."]),
        ("disconnected", &[("cause", "shutdown")], &[]),
        ("nothing of the kind", &[], &[]),
    ];
    for (name, more, expected) in cases {
        assert_eq!(said(name, &with(more)), expected, "{name} {more:?}");
    }
}

const LEAF: [(&str, &str); 4] = [("subject", "CN=pump \"7\""), ("issuer", "CN=Test CA"), ("serial", "01:ab"), ("sha256", "00ff")];

#[track_caller]
fn are_refused(cases: &[(Given, &[&str])]) {
    for (more, expected) in cases {
        let fields: Vec<_> = [PEER[1], PEER[2]].iter().chain(*more).copied().collect();
        assert_eq!(said("refused", &fields), *expected, "{more:?}");
    }
}

#[test]
fn refusals_in_the_handshake() {
    are_refused(&[
        (
            &[("check", "certificate present"), ("found", "none")],
            &[
                "E OpenSSL Error while trying to get the error[0]: error:0A0000C7:SSL routines::peer did not return a certificate",
                "N Client 172.20.0.7 [172.20.0.7:40780] disconnected: Protocol error.",
                "N Client 172.20.0.7 [172.20.0.7:40780] certificate refused: check=\"certificate present\", reason=\"none\".",
            ],
        ),
        (
            &[("check", "revocation"), ("found", "revoked: keyCompromise"), LEAF[0], LEAF[1], LEAF[2], LEAF[3]],
            &[
                "E OpenSSL Error while trying to get the error[0]: error:0A000086:SSL routines::certificate verify failed",
                "N Client 172.20.0.7 [172.20.0.7:40780] disconnected: Protocol error.",
                "N Client 172.20.0.7 [172.20.0.7:40780] certificate refused: check=\"revocation\", reason=\"revoked: keyCompromise\", \
             subject=\"CN=pump \\\"7\\\"\", issuer=\"CN=Test CA\", serial=01:ab, sha256=00ff.",
            ],
        ),
        (
            &[("check", "TLS handshake"), ("found", "no common cipher suite")],
            &[
                "E OpenSSL Error while trying to get the error[0]: error:0A000000:SSL routines::no common cipher suite",
                "N Client 172.20.0.7 [172.20.0.7:40780] disconnected: Protocol error.",
                "N Client 172.20.0.7 [172.20.0.7:40780] refused: check=\"TLS handshake\", reason=\"no common cipher suite\".",
            ],
        ),
    ]);
}

#[test]
fn refusals_after_the_handshake() {
    are_refused(&[
        (
            &[("check", "CONNECT"), ("found", "no complete CONNECT packet within 10 s")],
            &[
                "N Client 172.20.0.7 [172.20.0.7:40780] disconnected: exceeded timeout.",
                "N Client 172.20.0.7 [172.20.0.7:40780] refused: check=\"CONNECT\", reason=\"no complete CONNECT packet within 10 s\".",
            ],
        ),
        (
            &[("client", "anon"), ("check", "authentication"), ("code", "135"), ("found", "no")],
            &[
                "N Client anon [172.20.0.7:40780] disconnected: not authorised.",
                "N Client anon [172.20.0.7:40780] refused: check=\"authentication\", reason=\"no\".",
            ],
        ),
        (
            &[("check", "authentication"), ("found", "no"), LEAF[0]],
            &[
                "N Client 172.20.0.7 [172.20.0.7:40780] disconnected: not authorised.",
                "N Client 172.20.0.7 [172.20.0.7:40780] certificate refused: check=\"authentication\", reason=\"no\", subject=\"CN=pump \\\"7\\\"\".",
            ],
        ),
        (
            &[("check", "CONNECT"), ("code", "137"), ("found", "full")],
            &[
                "N Client 172.20.0.7 [172.20.0.7:40780] disconnected: server busy.",
                "N Client 172.20.0.7 [172.20.0.7:40780] refused: check=\"CONNECT\", reason=\"full\".",
            ],
        ),
        (
            &[("check", "CONNECT"), ("found", "GET")],
            &[
                "I Protocol error from 172.20.0.7:40780: GET.",
                "N Client 172.20.0.7 [172.20.0.7:40780] disconnected: protocol error.",
                "N Client 172.20.0.7 [172.20.0.7:40780] refused: check=\"CONNECT\", reason=\"GET\".",
            ],
        ),
        (
            &[("check", "PROXY header"), ("found", "the proxy says nothing of a certificate")],
            &[
                "N Connection from 172.20.0.7:40780 rejected, client did not provide a certificate.",
                "N Client 172.20.0.7 [172.20.0.7:40780] refused: check=\"PROXY header\", reason=\"the proxy says nothing of a certificate\".",
            ],
        ),
        (
            &[("check", "held off"), ("found", "too often")],
            &[
                "N Client 172.20.0.7 [172.20.0.7:40780] disconnected: client banned.",
                "N Client 172.20.0.7 [172.20.0.7:40780] refused: check=\"held off\", reason=\"too often\".",
            ],
        ),
    ]);
}

#[test]
fn packets() {
    let message = [("dup", "0"), ("qos", "1"), ("retain", "0"), ("id", "7"), ("topic", "a/b"), ("bytes", "5"), ("code", "135")];
    let more = [("filter", "a/#"), ("session_present", "1")];
    let cases = [
        ("received_publish", "D Received PUBLISH from pump-7 (d0, q1, r0, m7, 'a/b', ... (5 bytes))"),
        ("denied_publish", "D Denied PUBLISH from pump-7 (d0, q1, r0, m7, 'a/b', ... (5 bytes))"),
        ("sending_publish", "D Sending PUBLISH to pump-7 (d0, q1, r0, m7, 'a/b', ... (5 bytes))"),
        ("received_puback", "D Received PUBACK from pump-7 (Mid: 7, RC:135)"),
        ("received_pubrec", "D Received PUBREC from pump-7 (Mid: 7)"),
        ("received_pubrel", "D Received PUBREL from pump-7 (Mid: 7)"),
        ("received_pubcomp", "D Received PUBCOMP from pump-7 (Mid: 7, RC:135)"),
        ("sending_puback", "D Sending PUBACK to pump-7 (m7, rc135)"),
        ("sending_pubrec", "D Sending PUBREC to pump-7 (m7, rc135)"),
        ("sending_pubrel", "D Sending PUBREL to pump-7 (m7)"),
        ("sending_pubcomp", "D Sending PUBCOMP to pump-7 (m7)"),
        ("sending_connack", "D Sending CONNACK to pump-7 (1, 135)"),
        ("received_subscribe", "D Received SUBSCRIBE from pump-7"),
        ("received_subscription", "D \ta/# (QoS 1)"),
        ("sending_suback", "D Sending SUBACK to pump-7"),
        ("received_unsubscription", "D \ta/#"),
        ("subscribed", "M/subscribe pump-7 1 a/#"),
        ("unsubscribed", "M/unsubscribe pump-7 a/#"),
        ("received_pingreq", "D Received PINGREQ from pump-7"),
        ("sending_pingresp", "D Sending PINGRESP to pump-7"),
        ("received_disconnect", "D Received DISCONNECT from pump-7"),
        ("sending_disconnect", "D Sending DISCONNECT to pump-7 (rc135)"),
    ];
    let fields: Vec<_> = PEER.iter().chain(&message).chain(&more).copied().collect();
    for (name, expected) in cases {
        assert_eq!(said(name, &fields), [expected], "{name}");
    }
}

#[test]
fn the_program() {
    let fields = [
        ("version", "2.1.2"),
        ("file", "/etc/m.conf"),
        ("family", "ipv4"),
        ("port", "1883"),
        ("path", "/run/m"),
        ("user", "nobody"),
        ("bridge", "hq"),
        ("remote", "hq.example.com:1883"),
    ];
    let cases = [
        ("starting", "I mosquitto version 2.1.2 starting"),
        ("bridge_connecting", "N Connecting bridge hq (hq.example.com:1883)"),
        ("running", "I mosquitto version 2.1.2 running"),
        ("terminating", "I mosquitto version 2.1.2 terminating"),
        ("config_loaded", "I Config loaded from /etc/m.conf."),
        ("default_config", "I Using default config."),
        ("listening", "I Opening ipv4 listen socket on port 1883."),
        ("listening_unix", "I Opening unix listen socket on path /run/m."),
        ("reloading", "I Reloading config."),
        ("saving", "I Saving in-memory database to /run/m."),
        ("user", "I Info: running mosquitto as user: nobody."),
        ("root", "W Warning: Mosquitto should not be run as root/administrator."),
    ];
    for (name, expected) in cases {
        assert_eq!(said(name, &fields), [expected], "{name}");
    }
}

#[test]
fn nobody_begins_a_line_of_their_own() {
    let fields = [("client", "x\nNew client\u{1b}[2J"), ("address", "::1"), ("port", "9"), ("cause", "client")];
    assert_eq!(said("disconnected", &fields), ["N Client x\\u000aNew client\\u001b[2J [::1:9] disconnected."]);
}

#[test]
fn what_mosquitto_has_no_words_for() {
    let line = plain(Kind::Warning, "no room", [("a", "1"), ("b", "two \"words\"")].into_iter());
    assert_eq!((line.kind, line.text.as_str()), (Kind::Warning, "Warning: no room a=1 b=\"two \\\"words\\\"\""));
}

#[test]
fn connection_messages_are_the_lines_that_mosquitto_leaves_out() {
    let is_left_out = |name: &str| lines(name, &Known(PEER.into_iter().collect())).iter().all(|line| line.is_connection_message);
    let left_out = ["accepted", "full", "connected", "will", "no_will", "disconnected"];
    for (name, ..) in [("negotiated", ()), ("openssl", ()), ("certificate", ()), ("sending_pingresp", ()), ("starting", ())] {
        assert!(!is_left_out(name), "{name}");
    }
    assert!(left_out.iter().all(|name| is_left_out(name)));
}

#[test]
fn kinds() {
    assert_eq!(Kinds::NONE.named("none"), Some(Kinds::NONE));
    let chosen = ["all", "none", "debug", "subscribe"].iter().try_fold(Kinds::NONE, |kinds, name| kinds.named(name)).unwrap();
    assert_eq!(Kind::all().filter(|kind| chosen.has(*kind)).collect::<Vec<_>>(), [Kind::Subscribe, Kind::Debug]);
    assert_eq!(Kinds::usual().named("loud"), None);
    assert!(Kind::all().all(|kind| Kinds::all().has(kind)));
    assert!(!Kinds::usual().has(Kind::Debug) && Kinds::usual().has(Kind::Notice));
    assert_eq!(Kind::Unsubscribe.topic().unwrap(), "$SYS/broker/log/M/unsubscribe");
    assert_eq!(Kind::Debug.topic(), None);
}

#[test]
fn lines_have_a_limit() {
    let long = shortened("é".repeat(600));
    assert!((LINE_LENGTH - 3..=LINE_LENGTH).contains(&long.len()) && long.contains('…'), "{}", long.len());
    assert_eq!(shortened("a".to_owned()), "a");
}

#[test]
fn a_client_identifier_does_not_choose_how_a_line_ends() {
    let forged = " [192.0.2.1:5] disconnected: not authorised.";
    for length in 0..1200 {
        let line = shortened(format!("1: Client {}{forged}{} [172.20.0.7:40780] disconnected.", "x".repeat(length), "y".repeat(100)));
        assert!(line.len() <= LINE_LENGTH && line.ends_with(" [172.20.0.7:40780] disconnected."), "{line}");
    }
    let hidden = filled("{client}.", &Known([("client", "a\nb\u{2028}c\u{202E}d\u{1b}e")].into()));
    assert_eq!(hidden, "a\\u000ab\\u2028c\\u202ed\\u001be.");
}
