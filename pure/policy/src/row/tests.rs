//! Rows of EMQX, and what is none.

use serde_json::json;
use signet_mqtt::ClientIdentifier;

use super::*;
use crate::client::{Client, Principal};
use crate::grant::Origin;
use crate::rule::{Action, Coverage};

const PUBLISH: Action = Action::Publish { qos: QoS::AtMostOnce, retain: false, will: false };
const SUBSCRIBE: Action = Action::Subscribe { qos: QoS::AtMostOnce };

fn client() -> Client {
    let mut client = Client::restored(Principal::Anonymous, Some("ann".into()), ClientIdentifier::new("pump-7"), None);
    client.origin = Some(Origin { address: Some("10.1.2.3".parse().unwrap()), listener: "tcp".into() });
    client
}

fn read(row: Value) -> Result<Rule, RowError> {
    Rule::from_row("rule", PlaceholderStyle::Emqx5, &RuleRow::from_json(&row)?)
}

fn covers(rule: &Rule, action: Action, topic: &str) -> bool {
    rule.who.includes(&client()) && rule.covers(action, topic, &client(), false) == Coverage::All
}

#[test]
fn a_row_is_a_rule_for_whoever_meets_its_conditions() {
    for (row, publishes, subscribes) in [
        (json!({"permission": "allow", "action": "publish", "topic": "a"}), true, false),
        (json!({"permission": "deny", "action": "subscribe", "topic": "a"}), false, true),
        (json!({"permission": "allow", "action": "all", "topics": ["b", "a"]}), true, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "qos": 1}), false, false),
        (json!({"permission": "allow", "action": "all", "topic": "a", "qos": [0, 1]}), true, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "qos": "0,1"}), true, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "retain": true}), false, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "retain": "all"}), true, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "username_re": "^a"}), true, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "username_re": "^b"}), false, false),
        (json!({"permission": "allow", "action": "all", "topic": "a", "username": "ann"}), true, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "clientid_re": "7$"}), true, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "ipaddr": "10.0.0.0/8"}), true, true),
        (json!({"permission": "allow", "action": "all", "topic": "a", "ipaddr": "11.0.0.0/8,::1"}), false, false),
        (json!({"permission": "allow", "action": "all", "topic": "a", "listener": "tls"}), false, false),
        (json!({"permission": "allow", "action": "all", "topic": "a", "listener_re": "^t"}), true, true),
    ] {
        let rule = read(row.clone()).unwrap();
        assert_eq!((covers(&rule, PUBLISH, "a"), covers(&rule, SUBSCRIBE, "a")), (publishes, subscribes), "{row}");
    }
}

#[test]
fn placeholders_are_those_of_either_version_and_fill_whole_levels() {
    let old = RuleRow { topics: vec!["%u/%c/#".into()], permission: Some("1".into()), action: Some("3".into()), ..RuleRow::default() };
    let rule = Rule::from_row("rule", PlaceholderStyle::Emqx4, &old).unwrap();
    assert!(covers(&rule, PUBLISH, "ann/pump-7/x") && covers(&rule, SUBSCRIBE, "ann/pump-7/+") && !covers(&rule, PUBLISH, "bob/pump-7/x"));
    let new = read(json!({"permission": "allow", "action": "all", "topic": "${username}/${clientid}"})).unwrap();
    assert!(covers(&new, PUBLISH, "ann/pump-7") && !covers(&new, SUBSCRIBE, "ann/+"));
    let exact = read(json!({"permission": "deny", "action": "subscribe", "topic": "eq #"})).unwrap();
    assert!(covers(&exact, SUBSCRIBE, "#") && !covers(&exact, SUBSCRIBE, "a/#"));
    // A percent sign of another version is text.
    let text = read(json!({"permission": "allow", "action": "publish", "topic": "100%u"})).unwrap();
    assert!(covers(&text, PUBLISH, "100%u"));
}

#[test]
fn what_is_no_rule_is_said_with_the_name_of_its_field() {
    for (row, field) in [
        (json!({"action": "publish", "topic": "a"}), "permission"),
        (json!({"permission": "1", "action": "publish", "topic": "a"}), "permission"),
        (json!({"permission": "allow", "topic": "a"}), "action"),
        (json!({"permission": "allow", "action": "write", "topic": "a"}), "action"),
        (json!({"permission": "allow", "action": "publish"}), "topic"),
        (json!({"permission": "allow", "action": "publish", "topic": "a#"}), "topic"),
        (json!({"permission": "allow", "action": "publish", "topic": "${nobody}"}), "topic"),
        (json!({"permission": "allow", "action": "publish", "topic": ["a", {}]}), "topic"),
        (json!({"permission": "allow", "action": "publish", "topic": "a", "qos": 3}), "qos"),
        (json!({"permission": "allow", "action": "publish", "topic": "a", "retain": "yes"}), "retain"),
        (json!({"permission": "allow", "action": "publish", "topic": "a", "username_re": "("}), "username_re"),
        (json!({"permission": "allow", "action": "publish", "topic": "a", "ipaddr": "10.0.0.0/40"}), "ipaddr"),
        (json!({"permission": "allow", "action": "publish", "topic": "a", "zone": "z"}), "zone"),
        (json!({"permission": "allow", "action": "publish", "topic": "a", "who": "ann"}), "who"),
        (json!("allow"), "acl"),
    ] {
        assert_eq!(read(row.clone()).unwrap_err().field, field, "{row}");
    }
}

#[test]
fn redis_allows_and_nothing_else() {
    let rule = |value: &str| Rule::from_row("rule", PlaceholderStyle::Emqx5, &RuleRow::allowing("a", value)?);
    assert!(covers(&rule("publish").unwrap(), PUBLISH, "a") && !covers(&rule("1").unwrap(), PUBLISH, "a"));
    assert!(covers(&rule(r#"{"action":"all","qos":[0]}"#).unwrap(), SUBSCRIBE, "a"));
    assert!(!covers(&rule(r#"{"action":"all","retain":true}"#).unwrap(), PUBLISH, "a"));
    assert_eq!(rule(r#"{"action":"all","permission":"deny"}"#).unwrap_err().field, "permission");
    assert_eq!(rule(r#"{"action":"all","topic":"b"}"#).unwrap_err().field, "topic");
    assert_eq!(rule("deny").unwrap_err().field, "action");
}

#[test]
fn both_forms_of_a_claim_are_read_and_the_older_one_is_complete() {
    let read = |acl: Value| SourceRules::from_claim("jwt".into(), PlaceholderStyle::Emqx5, &acl);
    let list = read(json!([{"permission": "allow", "action": "publish", "topic": "a/${clientid}"}])).unwrap();
    assert!(!list.is_complete && covers(&list.rules[0], PUBLISH, "a/pump-7"));
    let lists = read(json!({"pub": ["a"], "sub": "b", "all": []})).unwrap();
    assert!(lists.is_complete && lists.rules.len() == 2);
    assert!(read(json!({})).unwrap().is_complete);
    for (acl, field) in [(json!("x"), "acl"), (json!({"publish": ["a"]}), "publish"), (json!({"pub": [{}]}), "pub")] {
        assert_eq!(read(acl).unwrap_err().field, field);
    }
    let many = vec![json!({"permission": "allow", "action": "publish", "topic": "a"}); SourceRules::RULES_MAXIMUM + 1];
    assert_eq!(read(Value::Array(many)).unwrap_err().field, "acl");
}
