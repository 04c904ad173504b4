//! What patterns cover, and what they never do.

use signet_mqtt::ClientIdentifier;

use super::*;
use crate::client::Principal;

fn client(identifier: &str, username: Option<&str>) -> Client {
    Client {
        principal: Principal::Anonymous,
        username: username.map(|text| text.to_owned().into()),
        client_identifier: ClientIdentifier::new(identifier.to_owned()),
        identity: None,
    }
}

fn device(name: &str) -> Client {
    Client { principal: Principal::Device(signet_identity::DeviceName::new(name).unwrap().into()), ..client("c", None) }
}

#[test]
fn topics() {
    let pump = device("pump-7");
    for (pattern, topic, expected) in [
        ("${device}/#", "pump-7", true),
        ("${device}/#", "pump-7/a/b", true),
        ("${device}/#", "pump-70/a", false),
        ("${device}/#", "pump-8", false),
        ("sites/+/${device}/state", "sites/1/pump-7/state", true),
        ("sites/+/${device}/state", "sites/1/2/pump-7/state", false),
        ("x-${device}-y", "x-pump-7-y", true),
        ("x-${device}-y", "x-pump-7-", false),
        ("+", "a", true),
        ("+", "a/b", false),
        ("+", "", true),
        ("#", "a/b", true),
        ("#", "$SYS/a", false),
        ("+/a", "$SYS/a", false),
        ("$SYS/#", "$SYS/a", true),
        ("a/#", "a", true),
        ("a", "a/", false),
        ("$${device}", "${device}", true),
        ("${username}/#", "/a", false),
    ] {
        assert_eq!(TopicPattern::parse(pattern).unwrap().covers_topic(topic, &pump), expected, "`{pattern}` on `{topic}`");
    }
}

#[test]
fn filters_are_covered_only_if_every_topic_they_match_is() {
    let pump = device("pump-7");
    for (pattern, filter, expected) in [
        ("${device}/#", "pump-7/#", true),
        ("${device}/#", "pump-7/+/x", true),
        ("${device}/#", "pump-7", true),
        ("${device}/#", "+/x", false),
        ("${device}/#", "#", false),
        ("${device}/+", "pump-7/#", false),
        ("${device}/+", "pump-7/+", true),
        ("${device}/+", "pump-7/x", true),
        ("${device}/x", "pump-7/+", false),
        ("+/x", "+/x", true),
        ("+/x", "#", false),
        ("#", "#", true),
        ("#", "+/#", true),
        ("#", "$SYS/#", false),
        ("a/#", "a/#", true),
        ("a/b/#", "a/#", false),
    ] {
        assert_eq!(TopicPattern::parse(pattern).unwrap().covers_filter(filter, &pump), expected, "`{pattern}` on `{filter}`");
    }
}

#[test]
fn a_name_that_the_client_chooses_cannot_widen_its_rights() {
    for (name, topic) in [("+", "+/x"), ("#", "#"), ("a/b", "a/b/x"), ("", "/x"), ("$SYS", "$SYS/x"), ("$share", "$share/x")] {
        for pattern in ["${username}/#", "${client_identifier}/#"] {
            let pattern = TopicPattern::parse(pattern).unwrap();
            assert!(!pattern.covers_topic(topic, &client(name, Some(name))), "`{name}` with `{pattern}`");
            assert!(!pattern.covers_filter(topic, &client(name, Some(name))), "`{name}` with `{pattern}`");
        }
    }
    let pattern = TopicPattern::parse("${username}/#").unwrap();
    assert!(!pattern.covers_topic("/x", &client("c", None)), "a name that is not there");
    assert!(pattern.covers_topic("ann/x", &client("c", Some("ann"))));
}

#[test]
fn what_is_no_pattern_says_why() {
    for (text, expected) in [
        ("", "must not be empty"),
        ("a/b#", "must stand alone"),
        ("#/a", "must be the whole last level"),
        ("a+/b", "must stand alone"),
        ("${devcie}/#", "`${devcie}`"),
        ("${device", "`${device`"),
        ("$share/g/a", "starts with `$share/`"),
    ] {
        let error = TopicPattern::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "`{text}`: {error}");
    }
    assert_eq!(TopicPattern::parse("$SYS/#").unwrap().to_string(), "$SYS/#");
}
