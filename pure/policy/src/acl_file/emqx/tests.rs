//! Terms of EMQX, who may do what by them, and what is none.

use signet_mqtt::{ClientIdentifier, TopicFilter, TopicName};

use super::*;
use crate::answers::Known;
use crate::client::{Client, Principal};
use crate::decide::{Published, authorize_publish, authorize_subscribe};
use crate::grant::{Grant, Origin};
use crate::ruleset::Ruleset;

/// The file that EMQX 5 comes with.
const SHIPPED: &str = r##"
%%--------------------------------------------------------------------
%% -type(ipaddr() :: {ipaddr, string()}).
%%--------------------------------------------------------------------
{allow, {username, {re, "^dashboard$"}}, subscribe, ["$SYS/#"]}.

{allow, {ipaddr, "127.0.0.1"}, all, ["$SYS/#", "#"]}.

{deny, all, subscribe, ["$SYS/#", {eq, "#"}, {eq, "+/#"}]}.

{allow, all}.
"##;

fn client(username: &str, address: &str) -> Client {
    let mut client = Client::restored(Principal::Anonymous, Some(username.to_owned().into()), ClientIdentifier::new("pump-7"), None);
    client.origin = Some(Origin { address: Some(address.parse().unwrap()), listener: "tcp:default".into() });
    client.regranted(Arc::new(Grant { attributes: [("site".into(), "hall-3".into())].into(), ..Grant::default() }))
}

fn rules(text: &str) -> Ruleset {
    Ruleset::allow_all().with_sources(vec![emqx_acl_file(&"acl".into(), PlaceholderStyle::Emqx5, text).unwrap().source])
}

fn publishes(rules: &Ruleset, client: &Client, topic: &str, qos: QoS, retain: bool) -> bool {
    let message = Published { qos, retain, will: false };
    authorize_publish(rules, client, &TopicName::new(topic.to_owned()).unwrap(), message, Known::NOTHING).is_ok()
}

fn subscribes(rules: &Ruleset, client: &Client, filter: &str) -> bool {
    authorize_subscribe(rules, client, &TopicFilter::new(filter.to_owned()).unwrap(), QoS::AtMostOnce, Known::NOTHING).is_ok()
}

#[test]
fn the_file_that_emqx_comes_with_means_the_same() {
    let rules = rules(SHIPPED);
    let (dashboard, local, other) = (client("dashboard", "10.0.0.1"), client("ann", "127.0.0.1"), client("ann", "10.0.0.1"));
    for (who, filter, expected) in [
        (&dashboard, "$SYS/#", true),
        (&dashboard, "#", false),
        (&local, "$SYS/brokers", true),
        (&local, "#", true),
        (&other, "$SYS/#", false),
        (&other, "$SYS/brokers", false),
        (&other, "#", false),
        (&other, "+/#", false),
        (&other, "+/+", true),
        (&other, "a/#", true),
    ] {
        assert_eq!(subscribes(&rules, who, filter), expected, "{who:?} {filter}");
    }
    assert!(publishes(&rules, &other, "a", QoS::ExactlyOnce, true) && publishes(&rules, &local, "$SYS/x", QoS::AtMostOnce, false));
    assert!(!publishes(&rules, &other, "$SYS/x", QoS::AtMostOnce, false), "not even by {{allow, all}}");
}

#[test]
fn every_form_of_who_action_and_topic_is_read() {
    let ann = client("ann", "10.1.2.3");
    for (rule, expected) in [
        (r#"{allow, all, publish, ["a"]}."#, true),
        (r#"{allow, all, subscribe, ["a"]}."#, false),
        (r#"{allow, all, pubsub, [<<"a">>]}."#, true),
        (r#"{allow, {user, "ann"}, publish, ["a"]}."#, true),
        (r#"{allow, {username, "bob"}, publish, ["a"]}."#, false),
        (r#"{allow, {username, {re, "^a"}}, publish, ["a"]}."#, true),
        (r#"{allow, {client, "pump-7"}, publish, ["a"]}."#, true),
        (r#"{allow, {clientid, {re, "^valve"}}, publish, ["a"]}."#, false),
        (r#"{allow, {ipaddr, "10.0.0.0/8"}, publish, ["a"]}."#, true),
        (r#"{allow, {ipaddrs, ["192.168.0.0/16", "10.1.2.3"]}, publish, ["a"]}."#, true),
        (r#"{allow, {client_attr, "site", "hall-3"}, publish, ["a"]}."#, true),
        (r#"{allow, {client_attr, "site", {re, "^x"}}, publish, ["a"]}."#, false),
        (r#"{allow, {listener, "tcp:default"}, publish, ["a"]}."#, true),
        (r#"{allow, {'and', [{username, "ann"}, {clientid, "pump-7"}]}, publish, ["a"]}."#, true),
        (r#"{allow, {'and', [{username, "ann"}, {clientid, "pump-8"}]}, publish, ["a"]}."#, false),
        (r#"{allow, {'or', [{username, "bob"}, {clientid, "pump-7"}]}, publish, ["a"]}."#, true),
        (r#"{allow, all, {publish, [{qos, 0}]}, ["a"]}."#, true),
        (r#"{allow, all, {publish, [{qos, [1, 2]}]}, ["a"]}."#, false),
        (r#"{allow, all, {publish, [{retain, true}]}, ["a"]}."#, false),
        (r#"{allow, all, {all, [{qos, [0, 1]}, {retain, all}]}, ["a"]}."#, true),
        (r#"{allow, all, publish, ["b", "${username}", "a"]}."#, true),
        (r#"{allow, all, publish, [{eq, "a"}]}."#, true),
        (r#"{allow, all, publish, [{eq, "+"}]}."#, false),
        (r#"{allow, {security_profile, legacy}}."#, false),
        (r#"{deny, all}. {allow, all}."#, false),
        (
            r##"{deny, all, all, ["#"]}. % but not this
           {allow, all}."##,
            false,
        ),
        (r#"{deny, all, publish, ["${client_attrs.nothing}/x"]}. {allow, all}."#, false),
        (r#"{deny, all, publish, ["x/${client_attrs.nothing}"]}. {allow, all}."#, true),
        ("", false),
    ] {
        assert_eq!(publishes(&rules(rule), &ann, "a", QoS::AtMostOnce, false), expected, "{rule}");
    }
}

#[test]
fn placeholders_of_the_older_version_are_read_where_they_are_asked_for() {
    let text = r#"{allow, all, publish, ["%u/%c"]}."#;
    let old = emqx_acl_file(&"acl".into(), PlaceholderStyle::Emqx4, text).unwrap();
    let old = Ruleset::allow_all().with_sources(vec![old.source]);
    assert!(publishes(&old, &client("ann", "::1"), "ann/pump-7", QoS::AtMostOnce, false));
    let new = emqx_acl_file(&"acl".into(), PlaceholderStyle::Emqx5, text).unwrap();
    assert!(new.warnings[0].to_string().contains("plain text"));
}

#[test]
fn what_is_no_rule_is_said_with_its_line_and_what_could_stand_there() {
    for (text, line, found) in [
        ("{allow, all}", 1, "the end"),
        ("{allow, all}.\n{permit, all}.", 2, "{permit, all}"),
        ("{allow}.", 1, "{allow}"),
        ("{allow, all, publish}.", 1, "{allow, all, publish}"),
        ("\n\n{allow, {zone, \"z\"}, publish, [\"a\"]}.", 3, "{zone, \"z\"}"),
        ("{allow, all, write, [\"a\"]}.", 1, "write"),
        ("{allow, all, publish, \"a\"}.", 1, "\"a\""),
        ("{allow, all, publish, [\"a#\"]}.", 1, "\"a#\""),
        ("{allow, all, publish, [\"${nobody}\"]}.", 1, "\"${nobody}\""),
        ("{allow, all, {publish, [{qos, 3}]}, [\"a\"]}.", 1, "3"),
        ("{allow, {ipaddr, \"10.0.0.0/99\"}, publish, [\"a\"]}.", 1, "\"10.0.0.0/99\""),
        ("{allow, {username, {re, \"(\"}}, publish, [\"a\"]}.", 1, "{re, \"(\"}"),
        ("{allow, {'or', []}, publish, [\"a\"]}.", 1, "[]"),
        ("{allow, all, publish, [\"a]}.", 1, "\"a]}."),
        ("Allow.", 1, "Allow."),
        ("[allow, all].", 1, "[allow, all]"),
    ] {
        let error = emqx_acl_file(&"acl".into(), PlaceholderStyle::Emqx5, text).unwrap_err();
        assert_eq!((error.line, error.found), (line, format!("`{}`", crate::denied::shown(found))), "{text:?}");
        assert!(!error.expected.is_empty());
    }
    assert!(emqx_acl_file(&"acl".into(), PlaceholderStyle::Emqx5, &"{".repeat(100_000)).is_err(), "no depth is without an end");
}
