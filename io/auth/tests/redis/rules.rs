//! Access rules in Redis.

use std::sync::Arc;
use std::time::Duration;

use signet_auth::{BackendConfig, RedisCommand, RedisConnections, RedisRules, RuleSource as _};
use signet_mqtt::{QoS, TopicFilter, TopicName};
use signet_policy::{Known, Published, Ruleset, SourceRules, authorize_publish, authorize_subscribe};
use signet_testkit::{RedisOptions, RedisServer};

use crate::rig::{Someone, device, plain_backend, rules, single, user};

async fn of(source: &RedisRules, someone: &Someone<'_>) -> Result<SourceRules, signet_auth::Failure> {
    source.rules(&someone.applicant().client).await
}

/// Where somebody may publish and what it may subscribe to, sorted.
fn shown(rules: &SourceRules) -> (Vec<String>, Vec<String>) {
    let sorted = |patterns: Vec<String>| {
        let mut patterns = patterns;
        patterns.sort();
        patterns
    };
    let publish = rules.rules.iter().flat_map(|rule| rule.publish.iter().map(ToString::to_string)).collect();
    let subscribe = rules.rules.iter().flat_map(|rule| rule.subscribe.iter().map(ToString::to_string)).collect();
    (sorted(publish), sorted(subscribe))
}

#[tokio::test]
async fn fields_are_topics_and_values_are_what_may_be_done_there() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "mqtt_acl:ann", "a/#", "publish", "b/+", "subscribe", "c", "all"]);
    server.cli(&["HSET", "mqtt_acl:ann", "d/%u", "1", "e", "2", "f", "3", "g", r#"{"action":"publish","qos":[0,1],"retain":false}"#]);
    for text in ["HGETALL mqtt_acl:%u", r#"EVAL_RO "return redis.call('HGETALL', KEYS[1])" 1 mqtt_acl:%u"#] {
        let source = rules(single(&server), text, false, plain_backend());
        let found = of(&source, &user("ann", "")).await.unwrap();
        assert_eq!(&*found.source, "devices");
        assert!(!found.is_complete);
        let (publish, subscribe) = shown(&found);
        assert_eq!(publish, ["a/#", "c", "e", "f", "g"], "{text}");
        assert_eq!(subscribe, ["b/+", "c", "d/%u", "f"], "{text}");
        let conditional = found.rules.iter().filter(|rule| rule.conditions.qos.is_some()).count();
        assert_eq!(conditional, 1);
        let client = user("ann", "").applicant().client;
        let rules = Ruleset::compile(found.rules.clone());
        let may_subscribe = |filter: &str| {
            let filter = TopicFilter::new(filter).unwrap();
            authorize_subscribe(&rules, &client, &filter, QoS::AtMostOnce, Known::NOTHING).is_ok()
        };
        assert_eq!(["d/ann", "b/x", "d/bob", "d/%u", "a/x"].map(may_subscribe), [true, true, false, false, false], "{text}");
        let may_publish = |(topic, qos): (&str, QoS)| {
            let message = Published { qos, retain: false, will: false };
            authorize_publish(&rules, &client, &TopicName::new(topic).unwrap(), message, Known::NOTHING).is_ok()
        };
        let least = [("a/x", QoS::AtMostOnce), ("f", QoS::AtMostOnce), ("b/x", QoS::AtMostOnce), ("d/ann", QoS::AtMostOnce)];
        assert_eq!(least.map(may_publish), [true, true, false, false], "{text}");
        assert_eq!([("g", QoS::AtLeastOnce), ("g", QoS::ExactlyOnce)].map(may_publish), [true, false], "{text}");
        // Nothing is known about others, and nothing about somebody without a user name.
        for someone in [user("bob", ""), device("ann", "")] {
            let found = of(&source, &someone).await.unwrap();
            assert!(found.rules.is_empty() && !found.is_complete);
        }
    }
    let some = rules(single(&server), "HMGET mqtt_acl:${username} a/# nothing", true, plain_backend());
    let found = of(&some, &user("ann", "")).await.unwrap();
    assert_eq!(shown(&found), (vec!["a/#".to_owned()], vec![]));
    assert!(found.is_complete);
    assert!(of(&some, &device("ann", "")).await.unwrap().is_complete);
}

#[tokio::test]
async fn rules_that_cannot_be_read_allow_nothing_and_leave_nothing_to_others() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "mqtt_acl:word", "a/#", "publish", "b", "everything"]);
    server.cli(&["HSET", "mqtt_acl:deny", "a/#", r#"{"action":"publish","permission":"deny"}"#]);
    server.cli(&["HSET", "mqtt_acl:filter", "a/#/b", "publish"]);
    server.cli(&["HSET", "mqtt_acl:key", "a", r#"{"action":"publish","colour":"red"}"#]);
    server.cli(&["SET", "mqtt_acl:text", "publish"]);
    let source = rules(single(&server), "HGETALL mqtt_acl:%u", false, plain_backend());
    for name in ["word", "deny", "filter", "key", "text"] {
        let found = of(&source, &user(name, "")).await.unwrap();
        assert!(found.rules.is_empty() && found.is_complete, "{name}: {found:?}");
    }
    assert_eq!(source.backend().unwrap().report().failed, 0);
}

#[tokio::test]
async fn a_source_that_cannot_be_asked_fails_and_rules_are_remembered() {
    let mut server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "mqtt_acl:ann", "a/#", "publish"]);
    let backend = BackendConfig { cache_ttl: Duration::from_secs(600), ..plain_backend() };
    let source = rules(single(&server), "HGETALL mqtt_acl:%u", false, backend);
    for _ in 0..5 {
        assert_eq!(of(&source, &user("ann", "")).await.unwrap().rules.len(), 1);
    }
    assert_eq!(server.calls("hgetall"), 1);
    server.cli(&["HSET", "mqtt_acl:ann", "b", "publish"]);
    source.backend().unwrap().forget();
    assert_eq!(of(&source, &user("ann", "")).await.unwrap().rules.len(), 2);
    server.stop();
    assert_eq!(of(&source, &user("ann", "")).await.unwrap().rules.len(), 2);
    assert!(of(&source, &user("bob", "")).await.is_err());
}

#[test]
fn commands_that_bring_no_pairs_are_refused() {
    let server = RedisServer::start(&RedisOptions::default());
    let connections = RedisConnections::new(single(&server)).unwrap();
    let backend = signet_auth::Backend::new(plain_backend());
    for text in ["GET mqtt_acl:%u", "HGET mqtt_acl:%u a"] {
        let command = RedisCommand::parse(text, None).unwrap();
        let found = RedisRules::new(Arc::clone(&connections), command, false, Arc::clone(&backend)).map(drop).unwrap_err();
        assert!(found.to_string().contains("HGETALL"), "{found}");
    }
}
