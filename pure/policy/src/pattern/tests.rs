//! What patterns cover, and what they never do.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use signet_identity::{DeviceIdentity, DeviceName, KeyDigest, Leaf};
use signet_mqtt::ClientIdentifier;

use super::*;
use crate::client::Principal;

impl TopicPattern {
    fn allows_topic(&self, topic: &str, client: &Client) -> bool {
        self.covers_topic(topic, client) == Fit::Yes
    }

    fn allows_filter(&self, filter: &str, client: &Client) -> bool {
        self.covers_filter(filter, client) == Fit::Yes
    }
}

fn client(identifier: &str, username: Option<&str>) -> Client {
    let username = username.map(|text| text.to_owned().into());
    Client::restored(Principal::Anonymous, username, ClientIdentifier::new(identifier.to_owned()), None)
}

fn device(name: &str) -> Client {
    Client { principal: Principal::Device(DeviceName::new(name).unwrap().into()), ..client("c", None) }
}

/// A device with a certificate of this organizational unit and URI.
fn certified(unit: &str, uri: &str) -> Client {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationalUnitName, unit);
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    let leaf = Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap();
    let identity = DeviceIdentity::new(DeviceName::new("pump-7").unwrap(), leaf, KeyDigest::of(b"key"), [])
        .under("factory".into(), Some("acme".into()));
    Client { identity: Some(Arc::new(identity)), ..device("pump-7") }
}

#[test]
fn every_expression_of_a_template_fills_a_level() {
    let pump = certified("Hall 3", "urn:dev/a:7");
    for (pattern, topic, expected) in [
        ("sites/${cert.subject.ou}/${device}/#", "sites/Hall 3/pump-7/state", true),
        ("sites/${cert.subject.ou}/${device}/#", "sites/Hall 4/pump-7/state", false),
        ("${tenant}/${profile}/x", "acme/factory/x", true),
        ("x-${cert.ou:lower}-y/#", "x-hall 3-y/z", true),
        // What stands in braces is none of the topic's, whatever it holds.
        ("a/${cert.san.uri:regex(urn:dev/(?:a|[+#]):(.+))}/b", "a/7/b", true),
        ("a/${cert.san.uri:strip(urn:dev/)}", "a/a:7", true),
        ("a/${cert.cn | device}", "a/pump-7", true),
        // A value of two levels is none.
        ("a/${cert.san.uri}", "a/urn:dev/a:7", false),
        ("a/${cert.san.uri}/#", "a/urn:dev/a:7/x", false),
        // No such field.
        ("a/${cert.cn}", "a/", false),
        ("a/${cert.cn}/#", "a/x", false),
    ] {
        assert_eq!(TopicPattern::parse(pattern).unwrap().allows_topic(topic, &pump), expected, "`{pattern}` on `{topic}`");
    }
    let without = device("pump-7");
    assert!(!TopicPattern::parse("${tenant}/x").unwrap().allows_topic("/x", &without));
    assert!(!TopicPattern::parse("sites/${cert.subject.ou}/#").unwrap().allows_topic("sites/Hall 3/x", &without));
}

#[test]
fn a_value_that_is_no_level_matches_nothing() {
    for unit in ["+", "#", "a/b", "a+", "$SYS", "a\nb", "a\0", "a\u{202e}b", ""] {
        let client = certified(unit, "urn:x");
        for pattern in ["${cert.ou}/#", "${cert.ou}/x"] {
            let pattern = TopicPattern::parse(pattern).unwrap();
            for asked in [format!("{unit}/x"), "#".to_owned(), "+/x".to_owned(), "a/x".to_owned(), "/x".to_owned()] {
                assert!(
                    !pattern.allows_topic(&asked, &client) && !pattern.allows_filter(&asked, &client),
                    "`{unit}` with `{pattern}` on `{asked}`"
                );
            }
        }
    }
}

#[test]
fn what_changes_or_has_lines_is_no_level() {
    for hole in ["cert.pem", "cert.days_left", "cert.cn | cert.days_left"] {
        let error = TopicPattern::parse(&format!("a/${{{hole}}}/#")).unwrap_err().to_string();
        assert!(error.contains("cannot be a topic level") && error.contains(hole), "{error}");
    }
}

proptest::proptest! {
    #[test]
    fn a_certificate_with_any_name_covers_its_own_level_alone(unit in "[a-c/+#$\u{0}-\u{1f}é\u{200b}]{1,6}", other in "[a-c/+#$]{0,6}") {
        let client = certified(&unit, "urn:x");
        let is_level = !unit.contains(|c: char| matches!(c, '/' | '+' | '#' | '\u{200b}') || c.is_control());
        let (first, second) = (TopicPattern::parse("${cert.ou}/x").unwrap(), TopicPattern::parse("x/${cert.ou}").unwrap());
        proptest::prop_assert_eq!(second.allows_filter(&format!("x/{unit}"), &client), is_level);
        proptest::prop_assert_eq!(first.allows_filter(&format!("{unit}/x"), &client), is_level && !unit.starts_with('$'));
        if other != unit {
            let covered = second.allows_filter(&format!("x/{other}"), &client);
            proptest::prop_assert!(!covered);
        }
    }
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
        assert_eq!(TopicPattern::parse(pattern).unwrap().allows_topic(topic, &pump), expected, "`{pattern}` on `{topic}`");
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
        assert_eq!(TopicPattern::parse(pattern).unwrap().allows_filter(filter, &pump), expected, "`{pattern}` on `{filter}`");
    }
}

#[test]
fn a_name_that_the_client_chooses_cannot_widen_its_rights() {
    for (name, topic) in [("+", "+/x"), ("#", "#"), ("a/b", "a/b/x"), ("", "/x"), ("$SYS", "$SYS/x"), ("$share", "$share/x")] {
        for pattern in ["${username}/#", "${client_identifier}/#"] {
            let pattern = TopicPattern::parse(pattern).unwrap();
            assert!(!pattern.allows_topic(topic, &client(name, Some(name))), "`{name}` with `{pattern}`");
            assert!(!pattern.allows_filter(topic, &client(name, Some(name))), "`{name}` with `{pattern}`");
        }
    }
    let pattern = TopicPattern::parse("${username}/#").unwrap();
    assert!(!pattern.allows_topic("/x", &client("c", None)), "a name that is not there");
    assert!(pattern.allows_topic("ann/x", &client("c", Some("ann"))));
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
