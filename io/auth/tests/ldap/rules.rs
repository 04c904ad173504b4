//! Access rules in a directory.

use signet_auth::{Backend, LdapDirectory, LdapRuleAttributes, LdapRules, RuleSource as _};
use signet_policy::{Client, Rule, SourceRules};
use signet_testkit::LdapServer as Directory;

use crate::people::{INJECTIONS, patient, somebody};
use crate::rig::{FILTER, add, search, server};

fn client(username: Option<&str>) -> Client {
    somebody(username, "c", None, None).client
}

async fn found(source: &LdapRules, username: Option<&str>) -> SourceRules {
    source.rules(&client(username)).await.unwrap()
}

fn shown(rule: &Rule) -> String {
    let topics = |patterns: &[signet_policy::TopicPattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    format!("{:?} pub {} sub {}", rule.effect, topics(&rule.publish), topics(&rule.subscribe))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_are_rules() {
    let mut directory = Directory::start();
    let rule =
        r#"mqttAclRule: [{"permission":"deny","action":"all","topic":"a/secret"},{"permission":"allow","action":"all","topic":"a/#"}]"#;
    add(
        &directory,
        "ann",
        &format!("userPassword: x\nmqttPublishTopic: up/${{username}}\nmqttSubscriptionTopic: down/+\nmqttPubSubTopic: both/#\n{rule}"),
    );
    add(
        &directory,
        "eve",
        "userPassword: x\nmqttPubSubTopic: a/#\nmqttAclRule: {\"permission\":\"deny\",\"action\":\"all\",\"topc\":\"a/secret\"}",
    );
    add(&directory, "fay", "userPassword: x\nmqttPubSubTopic: a/#\nmqttAclRule: deny all");
    add(&directory, "gus", "userPassword: x\nmqttPubSubTopic: a/#/b");
    let made = LdapDirectory::new(server(&directory)).unwrap();
    let source = LdapRules::new("acl".into(), made, search(FILTER), LdapRuleAttributes::default(), Backend::new(patient("ldap")));
    let ann = found(&source, Some("ann")).await;
    assert_eq!(
        ann.rules.iter().map(shown).collect::<Vec<_>>(),
        [
            "Deny pub a/secret sub a/secret",
            "Allow pub a/# sub a/#",
            "Allow pub up/${username} sub ",
            "Allow pub  sub down/+",
            "Allow pub both/# sub both/#"
        ]
    );
    assert!(!ann.is_complete && &*ann.source == "acl");
    // What cannot be understood may have been a denial.
    for name in ["eve", "fay", "gus"] {
        let rules = found(&source, Some(name)).await;
        assert!(rules.rules.is_empty() && rules.is_complete, "{name}");
    }
    for name in [Some("bob"), None] {
        let rules = found(&source, name).await;
        assert!(rules.rules.is_empty() && !rules.is_complete, "{name:?}");
    }
    for injected in INJECTIONS.iter().filter(|name| **name != "ａｎｎ") {
        let rules = found(&source, Some(injected)).await;
        assert!(rules.rules.is_empty(), "{injected:?}");
        assert_eq!(rules.is_complete, injected.contains(['\0', '\n']), "{injected:?}");
    }
    assert_eq!(source.backend().unwrap().report().failed, 0);
    directory.stop();
    assert!(source.rules(&client(Some("ann"))).await.is_err());
}
