//! One access file, two brokers: Mosquitto and this one let the same clients do the same things, but for what is listed here.

use std::collections::BTreeSet;
use std::fs;

use signet_mqtt::{Packet, ProtocolVersion::V5, QoS, ReasonCode};
use signet_testkit::{Broker, BrokerConfig, Device, Mosquitto, Target, connect_packet, publish_packet};

const FILE: &str = "\
# whoever has no user name
topic read public/#
topic deny public/private
topic write inbox

user root
topic #

user ann
topic ann/#
topic deny ann/secret/#
topic write  out
topic read with spaces in it

user bob the builder
topic readwrite bob/+/tools
topic deny bob/x/tools

user a+b
topic own

pattern read clients/%c/in
pattern write clients/%c/out
pattern readwrite users/%u/#
pattern deny users/%u/no
pattern read foo-%c/bar
";

/// User name and Client Identifier.
const CLIENTS: [(Option<&str>, &str); 7] = [
    (None, "c1"),
    (Some("ann"), "c2"),
    (Some("bob the builder"), "c3"),
    (Some("nobody"), "c4"),
    (Some("a+b"), "c5"),
    (Some("root"), "c6"),
    (Some("ann"), "c+7"),
];

const TOPICS: [&str; 32] = [
    "public/x",
    "public",
    "public/private",
    "public/private/x",
    "inbox",
    "ann",
    "ann/x",
    "ann/secret",
    "ann/secret/x",
    "out",
    "with spaces in it",
    "bob/y/tools",
    "bob/x/tools",
    "bob/y",
    "own",
    "users/ann",
    "users/ann/x",
    "users/ann/no",
    "users/bob the builder/x",
    "users/nobody/x",
    "users/a+b",
    "clients/c1/in",
    "clients/c1/out",
    "clients/c2/in",
    "clients/c2/out",
    "clients/c3/in",
    "clients/c4/out",
    "clients/c5/in",
    "foo-c1/bar",
    "foo-c2/bar",
    "elsewhere",
    "/",
];

fn connect(target: &Target, username: Option<&str>, identifier: &str) -> Device {
    let mut connect = connect_packet(V5, identifier);
    connect.username = username.map(|name| name.to_owned().into());
    Device::connect_with(target, connect)
}

/// Publishes with QoS 1, and says what the PUBACK says.
fn publish(device: &mut Device, topic: &str) -> ReasonCode {
    device.send(&Packet::Publish(publish_packet(topic, "x", QoS::AtLeastOnce, false)));
    match device.expect() {
        Packet::Puback(ack) => ack.reason_code,
        other => panic!("expected PUBACK, got {other:?}"),
    }
}

/// What has arrived, by topic.
fn arrived(device: &mut Device) -> BTreeSet<String> {
    device.send(&Packet::Pingreq);
    let mut topics = BTreeSet::new();
    loop {
        match device.expect() {
            Packet::Pingresp => return topics,
            Packet::Publish(publish) => drop(topics.insert(publish.topic.unwrap().as_str().to_owned())),
            other => panic!("expected PUBLISH or PINGRESP, got {other:?}"),
        }
    }
}

/// What one client may write, and what it may read, of all topics that can be published to.
fn rights(target: &Target, username: Option<&str>, identifier: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let topics = || TOPICS.iter().filter(|topic| !topic.contains('+'));
    let mut device = connect(target, username, identifier);
    let written = topics().filter(|topic| {
        let code = publish(&mut device, topic);
        assert!(matches!(code, ReasonCode::Success | ReasonCode::NoMatchingSubscribers | ReasonCode::NotAuthorized), "{topic}: {code:?}");
        code != ReasonCode::NotAuthorized
    });
    let written = written.map(|topic| (*topic).to_owned()).collect();
    for filter in ["#", "elsewhere", "ann/secret/+"] {
        assert_eq!(device.subscribe(filter, QoS::AtMostOnce), ReasonCode::Success, "every subscription is granted");
    }
    let mut root = connect(target, Some("root"), &format!("root-for-{identifier}"));
    for topic in topics() {
        publish(&mut root, topic);
    }
    (written, arrived(&mut device))
}

fn signet(file: &str) -> Broker {
    Broker::start(&BrokerConfig::plain().access(&format!("[[access_source]]\ntype = \"mosquitto_acl_file\"\nfile = {file:?}\n")))
}

#[test]
fn clients_of_one_access_file_may_do_the_same_with_mosquitto_and_here() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acl");
    fs::write(&file, FILE).unwrap();
    let (theirs, ours) = (Mosquitto::with_acl(&file), signet(file.to_str().unwrap()));
    for (username, identifier) in CLIENTS {
        let expected = rights(&Target::tcp(theirs.plain_port()), username, identifier);
        let found = rights(&ours.plain(), username, identifier);
        assert_eq!(found, expected, "{username:?} {identifier}\n{}", theirs.log());
    }
    // And the test would notice if nobody was allowed anything.
    assert!(rights(&ours.plain(), Some("root"), "again").1.len() > 25);
}

/// The differences of `docs/guide/access.md` to Mosquitto 2.0, each with what either broker does.
#[test]
fn a_value_of_several_levels_fills_no_pattern_here() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acl");
    fs::write(&file, "user root\ntopic #\npattern readwrite users/%u/#\n").unwrap();
    let (theirs, ours) = (Mosquitto::with_acl(&file), signet(file.to_str().unwrap()));
    for (target, is_theirs) in [(Target::tcp(theirs.plain_port()), true), (ours.plain(), false)] {
        let mut device = connect(&target, Some("a/b"), "c");
        let code = publish(&mut device, "users/a/b/x");
        // Mosquitto 2.0 replaces text; 2.1 does as we do.
        let is_denied = code == ReasonCode::NotAuthorized;
        assert!(if is_theirs { !is_denied || theirs.log().contains("version 2.1") } else { is_denied }, "{code:?}");
    }
}

#[test]
fn a_file_that_mosquitto_does_not_take_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("acl");
    fs::write(&file, "topic read a\n").unwrap();
    let ours = signet(file.to_str().unwrap());
    let mut device = connect(&ours.plain(), None, "c");
    assert_eq!(publish(&mut device, "a"), ReasonCode::NotAuthorized);
    // A file that changes is taken over; one with a mistake is not, and what was in force stays.
    fs::write(&file, "topic read a\ntopics a\n").unwrap();
    let _ = ours.await_log(&["line 2: found `topics a`"]);
    assert_eq!(publish(&mut device, "a"), ReasonCode::NotAuthorized);
    fs::write(&file, "topic read a\ntopic write a\n").unwrap();
    let _ = ours.await_log(&["configuration reloaded"]);
    let code = publish(&mut device, "a");
    assert_ne!(code, ReasonCode::NotAuthorized);
}
