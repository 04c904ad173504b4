//! Bridges as people write them, and what they are told about mistakes.

use std::path::Path;

use signet_mqtt::{ProtocolVersion, QoS};

use super::*;
use crate::config::Config;
use crate::config::file::File;

const LISTENER: &str = "[[listener]]\nbind = \"127.0.0.1:1883\"\ntransport = \"tcp\"\nanonymous = true\n";

fn resolve(bridges: &str) -> (Config, Vec<String>) {
    let text = format!("{LISTENER}{bridges}");
    let list = Problems::new(Path::new("signet.toml"), &text);
    let config = Config::resolve(File::parse(&text, &list), Path::new("signet.toml"), &list);
    (config, list.into_sorted().iter().map(ToString::to_string).collect())
}

/// The one bridge of a configuration without mistakes.
fn good(bridge: &str) -> Bridge {
    let (config, problems) = resolve(bridge);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(config.bridges.len(), 1);
    config.bridges.into_iter().next().unwrap()
}

/// A bridge that is right, with `more` keys.
fn plain(more: &str) -> String {
    format!(
        "[[bridge]]\nname = \"hq\"\naddresses = \"hq\"\ntransport = \"tcp\"\n{more}\n[[bridge.topic]]\nfilter = \"#\"\ndirection = \"both\"\n"
    )
}

#[track_caller]
fn one(text: &str) -> String {
    let (_, problems) = resolve(text);
    assert_eq!(problems.len(), 1, "{}", problems.join("\n"));
    problems.into_iter().next().unwrap()
}

#[test]
fn a_short_bridge_gets_the_documented_defaults() {
    let bridge = good(&plain(""));
    let config = bridge.config().unwrap();
    assert_eq!(config.remote.addresses[0].to_string(), "hq:1883");
    assert_eq!(config.remote.client_identifier.as_str(), "signet.hq");
    assert_eq!(config.remote.version, ProtocolVersion::V5);
    assert_eq!((config.session.expiry, config.session.keep_alive, config.hops_maximum), (30 * 86_400, 60, 8));
    assert_eq!(config.topics[0].qos, QoS::AtLeastOnce);
    assert!(config.notification.is_none());
    let general = Limits::default();
    let limits = bridge.limits(&general);
    assert_eq!((limits.maximum_inflight, limits.queued_messages_maximum), (20, general.queued_messages_maximum));
    assert_eq!(limits.session_expiry_maximum, 30 * 86_400, "longer than other sessions");
}

#[test]
fn its_list_is_what_it_may_do() {
    let text = "[[bridge]]\nname = \"hq\"\naddresses = \"hq\"\ntransport = \"tcp\"\nnotifications = \"local\"\nnotification_topic = \"hq/state\"\n\
                [[bridge.topic]]\nfilter = \"a/#\"\ndirection = \"in\"\nlocal_prefix = \"x/\"\n\
                [[bridge.topic]]\nfilter = \"b\"\ndirection = \"out\"\n";
    let rights = good(text).rights().unwrap();
    let texts = |filters: &[signet_mqtt::TopicFilter]| filters.iter().map(|filter| filter.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(&rights.publish), ["x/a/#", "hq/state"]);
    assert_eq!(texts(&rights.subscribe), ["b"]);
}

#[test]
fn placeholders_are_filled_in() {
    let bridge = good(&plain("client_identifier = \"${hostname}.${name}\""));
    let text = bridge.config().unwrap().remote.client_identifier.as_str().to_owned();
    assert!(text.ends_with(".hq") && !text.contains('$'), "{text}");
    assert!(one(&plain("client_identifier = \"${nmae}\"")).contains("unknown placeholder"));
    assert!(one(&plain("client_identifier = \"\"")).contains("could not be found again"));
}

#[test]
fn what_is_missing_is_said_where_the_table_begins() {
    let (_, found) = resolve("[[bridge]]\n");
    let starts: Vec<&str> = found.iter().map(|problem| problem.lines().next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "signet.toml:5:1: [[bridge]] carries nothing",
            "signet.toml:5:1: [[bridge]] has no `name`",
            "signet.toml:5:1: [[bridge]] has no `addresses`",
            "signet.toml:5:1: [[bridge]] has no `transport`",
        ]
    );
    assert!(found.iter().all(|problem| problem.contains("hint: add ")), "{found:?}");
    let tls = "[[bridge]]\nname = \"hq\"\naddresses = \"hq\"\ntransport = \"tls\"\n[[bridge.topic]]\nfilter = \"#\"\ndirection = \"in\"\n";
    assert!(one(tls).contains("has no `trust`"));
    assert!(one(&plain("[[bridge.topic]]\nfilter = \"a\"\n")).contains("has no `direction`"));
}

#[test]
fn what_makes_no_sense_is_said_at_its_line() {
    for (more, line, words) in [
        ("trust = \"ca.pem\"", 9, "`trust` has no meaning with transport = \"tcp\""),
        ("protocol = \"4\"", 9, "`4` is not a value of `protocol`"),
        ("protocol = \"3.1.1\"\npassword_file = \"p\"", 10, "`password_file` without `username`"),
        ("reconnect_minimum = \"10s\"\nreconnect_maximum = \"1s\"", 10, "`reconnect_maximum` (1s) is less than `reconnect_minimum` (10s)"),
        ("notifications = \"local\"", 9, "what is below `$SYS/` this broker tells by itself"),
        ("notifications = \"remote\"\nnotification_topic = \"a/#\"", 10, "contains the wildcard `#`"),
        ("inflight_maximum = 0", 9, "`0` is out of range"),
        ("adresses = \"x\"", 9, "unknown key `adresses` in [[bridge]]"),
    ] {
        let found = one(&plain(more));
        assert!(found.starts_with(&format!("signet.toml:{line}:")) && found.contains(words), "{found}");
    }
    let topic = |keys: &str| one(&plain(&format!("[[bridge.topic]]\ndirection = \"in\"\n{keys}\n")));
    assert!(topic("filter = \"a#\"").contains("`a#` is no topic filter"));
    assert!(topic("filter = \"$share/g/a\"").contains("shared subscription"));
    assert!(topic("filter = \"a\"\nlocal_prefix = \"+/\"").contains("`+/` contains a wildcard"));
    assert!(topic("").contains("the topic is empty"));
    let (_, both) = resolve(&plain("[[bridge.topic]]\nfilter = \"a#\"\n"));
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(one(&plain("").replace("\"hq\"\naddr", "\"h/q\"\naddr")).contains("`h/q` is not a name for a bridge"));
    assert!(one(&plain("").replace("addresses = \"hq\"", "addresses = \"mqtt://hq\"")).contains("`mqtt://hq` is not a host with a port"));
}

#[test]
fn two_bridges_under_one_name_would_end_each_other() {
    let (_, found) = resolve(&format!("{}{}", plain(""), plain("")));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("two bridges are called `hq`"), "{found:?}");
    assert!(found[1].contains("has the Client Identifier `signet.hq` at `hq:1883` already"), "{found:?}");
}

#[test]
fn addresses_have_a_port_by_custom_and_ipv6_has_brackets() {
    let read = |text| remote::address(text, 8883).map(|address| address.to_string());
    for (text, expected) in
        [("hq", "hq:8883"), ("hq:1", "hq:1"), ("10.0.0.1:1883", "10.0.0.1:1883"), ("[::1]", "[::1]:8883"), ("[::1]:5", "[::1]:5")]
    {
        assert_eq!(read(text).as_deref(), Some(expected));
    }
    for text in ["", ":1883", "hq:", "hq:0", "hq:99999", "::1", "[::1", "[hq]:1", "[::1]1", "mqtt://hq", "a b"] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn files_that_cannot_be_read_are_said_where_they_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("signet.toml");
    let tls = plain("trust = \"no-ca.pem\"\nusername = \"u\"\npassword_file = \"no-password\"").replace("\"tcp\"", "\"tls\"");
    std::fs::write(&path, format!("{LISTENER}{tls}")).unwrap();
    let Err(crate::config::ConfigError::Problems(problems)) = crate::config::load(&crate::config::Origin::of(&path), 0) else {
        panic!("it has problems")
    };
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("signet.toml:9:") && found[0].contains("cannot read") && found[0].contains("no-ca.pem"), "{}", found[0]);
    assert!(found[1].contains("signet.toml:11:") && found[1].contains("no-password"), "{}", found[1]);
    std::fs::write(directory.path().join("no-password"), "secret\r\n").unwrap();
    let text = plain("username = \"u\"\npassword_file = \"no-password\"");
    std::fs::write(&path, format!("{LISTENER}{text}")).unwrap();
    let config = crate::config::load(&crate::config::Origin::of(&path), 0).unwrap();
    let bridge = config.bridges[0].config().unwrap();
    assert_eq!(bridge.remote.password.as_ref().unwrap().expose(), b"secret");
    assert!(!format!("{bridge:?}").contains("secret"));
}
