//! Lines of Mosquitto, who may do what by them, and what is none.

use signet_mqtt::{ClientIdentifier, QoS, TopicFilter, TopicName};

use super::*;
use crate::answers::Known;
use crate::client::{Client, Principal};
use crate::decide::{Published, authorize_publish, authorize_subscribe, may_receive};
use crate::grant::Grant;
use crate::ruleset::Ruleset;

fn client(username: Option<&str>, identifier: &str) -> Client {
    let client = Client::restored(
        Principal::Anonymous,
        username.map(|name| name.to_owned().into()),
        ClientIdentifier::new(identifier.to_owned()),
        None,
    );
    client.regranted(Arc::new(Grant::default()))
}

fn rules(text: &str) -> Ruleset {
    Ruleset::allow_all().with_sources(vec![mosquitto_acl_file(&"acl".into(), text).unwrap().source])
}

fn writes(rules: &Ruleset, client: &Client, topic: &str, will: bool) -> bool {
    let message = Published { qos: QoS::AtMostOnce, retain: false, will };
    authorize_publish(rules, client, &TopicName::new(topic.to_owned()).unwrap(), message, Known::NOTHING).is_ok()
}

fn reads(rules: &Ruleset, client: &Client, topic: &str) -> bool {
    may_receive(rules, client, &TopicName::new(topic.to_owned()).unwrap(), QoS::AtMostOnce, Known::NOTHING)
}

const FILE: &str = "\
# a comment
topic read public/#
topic deny public/private

user ann
topic ann/#
topic deny ann/secret/#
topic write  out
topic read with spaces in it
topic readwrite $SYS/#
topic $SYS/broker/connection/b/state
user bob the builder
topic write bob
pattern read clients/%c/in
pattern write clients/%c/out
pattern readwrite users/%u/#
pattern deny users/%u/no
user ann
topic late
";

#[test]
fn a_file_means_what_it_means_to_mosquitto() {
    let rules = rules(FILE);
    let (nobody, ann, bob) = (client(None, "c1"), client(Some("ann"), "c2"), client(Some("bob the builder"), "c3"));
    for (who, topic, may_read, may_write) in [
        // Without a user name.
        (&nobody, "public/x", true, false),
        (&nobody, "public/private", false, false),
        (&nobody, "ann/x", false, false),
        (&nobody, "clients/c1/in", true, false),
        (&nobody, "clients/c1/out", false, true),
        (&nobody, "clients/c2/in", false, false),
        (&nobody, "users//x", false, false),
        // Of one user.
        (&ann, "public/x", false, false),
        (&ann, "ann", true, true),
        (&ann, "ann/x", true, true),
        (&ann, "ann/secret/x", false, false),
        (&ann, "out", false, true),
        (&ann, "with spaces in it", true, false),
        (&ann, "late", true, true),
        (&ann, "clients/c2/in", true, false),
        (&ann, "users/ann/x", true, true),
        (&ann, "users/ann/no", false, false),
        (&ann, "users/bob/x", false, false),
        (&ann, "$SYS/broker/uptime", true, false),
        (&ann, "$SYS/broker/connection/b/state", true, true),
        (&ann, "$SYS/broker/connection/c/state", true, false),
        // Of another.
        (&bob, "bob", false, true),
        (&bob, "ann/x", false, false),
        (&bob, "users/bob the builder/x", true, true),
        (&bob, "$SYS/broker/uptime", false, false),
    ] {
        assert_eq!((reads(&rules, who, topic), writes(&rules, who, topic, false)), (may_read, may_write), "{who:?} {topic}");
    }
    // Every subscription is granted, and its deliveries are judged.
    for filter in ["#", "bob", "nowhere/+", "$SYS/#"] {
        let permit = authorize_subscribe(&rules, &ann, &TopicFilter::new(filter.to_owned()).unwrap(), QoS::ExactlyOnce, Known::NOTHING);
        assert!(permit.unwrap().is_partial(), "{filter}");
    }
}

#[test]
fn an_empty_file_denies_everything_and_a_wildcard_at_the_start_reaches_nothing_of_the_servers() {
    let ann = client(Some("ann"), "c");
    assert!(!reads(&rules(""), &ann, "a") && !writes(&rules("# nothing\n\n"), &ann, "a", false));
    let all = rules("user ann\ntopic #\n");
    assert!(reads(&all, &ann, "a/b") && !reads(&all, &ann, "$SYS/x") && !writes(&all, &ann, "$other/x", false));
    let control = rules("user ann\ntopic $CONTROL/#\n");
    assert!(writes(&control, &ann, "$CONTROL/x", false) && !writes(&control, &ann, "$CONTROL/x", true));
}

#[test]
fn names_that_are_wildcards_have_nothing_of_patterns_and_a_value_fills_no_more_than_a_level() {
    let rules = rules("user a+\ntopic own\npattern users/%u\npattern foo-%c/bar\npattern any\n");
    for (username, identifier) in [(Some("a+"), "c"), (Some("#"), "c"), (Some("ann"), "+"), (None, "a#b")] {
        let client = client(username, identifier);
        assert!(!reads(&rules, &client, "any") && !reads(&rules, &client, "users/ann"));
        assert_eq!(reads(&rules, &client, "own"), username == Some("a+"), "what is the user's own stays");
    }
    let device = client(Some("CN=a/b"), "dev/7");
    assert!(!reads(&rules, &device, "users/CN=a/b") && !reads(&rules, &device, "foo-dev/7/bar") && reads(&rules, &device, "any"));
    assert!(writes(&rules, &client(None, "7"), "foo-7/bar", false));
}

#[test]
fn text_of_a_file_is_no_placeholder_of_ours() {
    let ann = client(Some("ann"), "c");
    let rules = rules("user ann\ntopic a/${username}\ntopic readwrite eq a\npattern b/${username}/%u\ntopic c/%u\n");
    assert!(reads(&rules, &ann, "a/${username}") && !reads(&rules, &ann, "a/ann"));
    assert!(reads(&rules, &ann, "eq a") && !reads(&rules, &ann, "a"));
    assert!(reads(&rules, &ann, "b/${username}/ann") && !reads(&rules, &ann, "b/ann/ann"));
    assert!(reads(&rules, &ann, "c/%u") && !reads(&rules, &ann, "c/ann"));
}

#[test]
fn spaces_and_tabs_are_where_mosquitto_passes_over_them() {
    let spaced = rules("  user \tann \x0B\r\n   topic   read  \t a b\t\n topic\u{20}\u{20}c\n\t \r\n");
    let ann = client(Some("ann"), "c1");
    assert!(reads(&spaced, &ann, "a b") && !writes(&spaced, &ann, "a b", false));
    assert!(reads(&spaced, &ann, "c") && writes(&spaced, &ann, "c", false) && !reads(&spaced, &ann, "a"));
    // A blank of another kind belongs to the name.
    assert!(!reads(&rules("user ann\u{a0}\ntopic a\n"), &ann, "a"));
}

#[test]
fn what_may_surprise_is_said_with_its_line() {
    let file = mosquitto_acl_file(&"acl".into(), "pattern read public\n\npattern write foo-%c/bar\npattern write %c/bar\n").unwrap();
    let lines: Vec<usize> = file.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [1, 3]);
    assert!(file.warnings[1].to_string().contains("Mosquitto 2.1"));
}

#[test]
fn what_is_no_line_is_said_with_its_number_and_what_could_stand_there() {
    for (text, line, found) in [
        ("topic read a\nusers ann\n", 2, "users ann"),
        ("user\n", 1, "user"),
        ("\n\ntopic a b\n", 3, "a"),
        ("topic a/#/b\n", 1, "a/#/b"),
        ("topic read\nx\n", 2, "x"),
        ("topic\n", 1, ""),
        ("pattern read a+/%c\n", 1, "a+/%c"),
        ("\ttopic a\n", 1, "\\ttopic a"),
        (" # no comment\n", 1, " # no comment"),
    ] {
        let error = mosquitto_acl_file(&"acl".into(), text).unwrap_err();
        assert_eq!((error.line, error.found), (line, format!("`{found}`")), "{text:?}");
        assert!(!error.expected.is_empty());
    }
}
