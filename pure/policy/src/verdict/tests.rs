//! What decides, in which order, and what is not known.

use signet_mqtt::{ClientIdentifier, QoS};

use super::*;
use crate::answers::Answers;
use crate::client::Principal;
use crate::grant::{Grant, Origin, SourceRules};
use crate::pattern::TopicPattern;
use crate::rule::{Conditions, QosSet};
use crate::ruleset::AccessSource;
use crate::who::Who;

const PUBLISH: Action = Action::Publish { qos: QoS::AtMostOnce, retain: false, will: false };
const SUBSCRIBE: Action = Action::Subscribe { qos: QoS::AtMostOnce };
const RECEIVE: Action = Action::Receive { qos: QoS::AtMostOnce };

fn patterns(all: &[&str]) -> Vec<TopicPattern> {
    all.iter().map(|text| TopicPattern::parse(text).unwrap()).collect()
}

fn allow(topics: &[&str]) -> Rule {
    Rule::allow(format!("allow {topics:?}"), Who::Everyone, patterns(topics), patterns(topics))
}

fn deny(topics: &[&str]) -> Rule {
    Rule::deny(format!("deny {topics:?}"), Who::Everyone, patterns(topics), patterns(topics))
}

/// A client that nobody has given anything.
fn away() -> Client {
    Client::restored(Principal::Anonymous, Some("ann".into()), ClientIdentifier::new("pump-7"), None)
}

fn client(grant: Grant) -> Client {
    let mut client = away().regranted(Arc::new(grant));
    client.origin = Some(Origin { address: Some("10.1.2.3".parse().unwrap()), listener: "tcp".into() });
    client
}

fn plain() -> Client {
    client(Grant::default())
}

fn ask(rules: &Ruleset, client: &Client, action: Action, topic: &str) -> Verdict {
    judge(&Request { rules, client, action, topic, written: topic, known: Known::NOTHING, stance: Stance::Strict })
}

fn allows(rules: &Ruleset, client: &Client, action: Action, topic: &str) -> bool {
    matches!(ask(rules, client, action, topic), Verdict::Allow(_))
}

fn is_partial(rules: &Ruleset, filter: &str) -> Option<bool> {
    match ask(rules, &plain(), SUBSCRIBE, filter) {
        Verdict::Allow(allowed) => Some(allowed.is_partial),
        _ => None,
    }
}

fn source_rules(source: &str, rules: Vec<Rule>, is_complete: bool) -> SourceRules {
    SourceRules { source: source.into(), rules, is_complete }
}

#[test]
fn the_first_rule_that_covers_it_decides() {
    let rules = Ruleset::compile(vec![allow(&["a/open/#"]), deny(&["a/#", "b"]), allow(&["#"])]);
    for (topic, expected) in [("a/open/x", true), ("a/x", false), ("a", false), ("b", false), ("b/x", true), ("c", true)] {
        assert_eq!(allows(&rules, &plain(), PUBLISH, topic), expected, "{topic}");
        assert_eq!(allows(&rules, &plain(), RECEIVE, topic), expected, "{topic}");
    }
    assert_eq!(ask(&rules, &plain(), PUBLISH, "a/x"), Verdict::Deny(By::Rule("deny [\"a/#\", \"b\"]".to_owned())));
    assert_eq!(ask(&Ruleset::compile(vec![deny(&["a"])]), &plain(), PUBLISH, "b"), Verdict::Deny(By::Nobody));
}

#[test]
fn a_filter_of_which_some_is_denied_stands_and_its_deliveries_are_judged() {
    let rules = Ruleset::compile(vec![allow(&["a/open/#"]), deny(&["a/+/secret", "eq b/#", "c/#"]), allow(&["#"])]);
    for (filter, expected) in [
        ("a/open/#", Some(false)),
        ("a/open/secret", Some(false)),
        ("a/x/secret", None),
        ("a/+/secret", None),
        ("a/#", Some(true)),
        ("#", Some(true)),
        ("+/+/+", Some(true)),
        ("a/+/x", Some(false)),
        ("a/+", Some(false)),
        ("b/#", None),
        ("b/+", Some(false)),
        ("b/x", Some(false)),
        ("c", None),
        ("c/#", None),
        ("d/#", Some(false)),
    ] {
        assert_eq!(is_partial(&rules, filter), expected, "{filter}");
    }
    // What `eq` denies is the subscription, and what it allows is all that comes by it.
    assert!(allows(&rules, &plain(), RECEIVE, "b/x"));
    let exact = Ruleset::compile(vec![allow(&["eq t/#"])]);
    assert!(allows(&exact, &plain(), SUBSCRIBE, "t/#") && !allows(&exact, &plain(), SUBSCRIBE, "t/x"));
    assert!(allows(&exact, &plain(), RECEIVE, "t/x") && !allows(&exact, &plain(), PUBLISH, "t/x"));
}

proptest::proptest! {
    /// Whatever a subscription that is not partial can bring is allowed, and what is denied is withheld from one that is.
    #[test]
    fn no_delivery_of_a_whole_subscription_is_denied(
        rules in proptest::collection::vec(("[ab+]{1}(/[ab+]){0,2}(/#)?", proptest::bool::ANY), 1..6),
        filter in "[ab+]{1}(/[ab+]){0,2}(/#)?",
        topic in "[ab]{1}(/[ab]){0,3}",
    ) {
        let made = rules.iter().map(|(topic, is_allow)| if *is_allow { allow(&[topic]) } else { deny(&[topic]) }).collect();
        let ruleset = Ruleset::compile(made);
        let matches = signet_mqtt::TopicFilter::new(filter.clone()).unwrap().matches(&signet_mqtt::TopicName::new(topic.clone()).unwrap());
        if matches && is_partial(&ruleset, &filter) == Some(false) {
            proptest::prop_assert!(allows(&ruleset, &plain(), RECEIVE, &topic), "{rules:?} {filter} {topic}");
        }
        proptest::prop_assert_eq!(allows(&ruleset, &plain(), RECEIVE, &topic), allows(&ruleset, &plain(), PUBLISH, &topic));
    }
}

#[test]
fn a_hole_that_nothing_fills_allows_nothing_and_denies_all_behind_it() {
    let nobody = Client { username: None, ..plain() };
    let strange = Client { username: Some("a/#".into()), ..plain() };
    let allowing = Ruleset::compile(vec![allow(&["x/${username}/#"])]);
    let denying = Ruleset::compile(vec![deny(&["x/${username}/#", "y/${attribute.site}"]), allow(&["#"])]);
    for client in [&nobody, &strange] {
        assert!(!allows(&allowing, client, PUBLISH, "x/a"));
        assert!(!allows(&denying, client, PUBLISH, "x/a/b") && !allows(&denying, client, SUBSCRIBE, "x/a"));
        assert!(allows(&denying, client, PUBLISH, "z"));
        assert!(matches!(ask(&denying, client, SUBSCRIBE, "#"), Verdict::Allow(Allowed { is_partial: true, .. })));
    }
    assert!(allows(&allowing, &plain(), PUBLISH, "x/ann/b") && !allows(&denying, &plain(), PUBLISH, "x/ann/b"));
    assert!(allows(&denying, &plain(), PUBLISH, "x/bob") && !allows(&denying, &plain(), PUBLISH, "y/bob"));
    let given = client(Grant { attributes: [("site".into(), "here".into())].into(), ..Grant::default() });
    assert!(!allows(&denying, &given, PUBLISH, "y/here") && allows(&denying, &given, PUBLISH, "y/there"));
}

#[test]
fn conditions_are_part_of_what_a_rule_covers() {
    let with = |conditions: Conditions| Ruleset::compile(vec![Rule { conditions, ..allow(&["#"]) }]);
    let qos: QosSet = [QoS::AtMostOnce, QoS::AtLeastOnce].into_iter().collect();
    let publish = |qos, retain, will| Action::Publish { qos, retain, will };
    let rules = with(Conditions { qos: Some(qos), retain: Some(false), will: Some(false) });
    for (action, expected) in [
        (publish(QoS::AtLeastOnce, false, false), true),
        (publish(QoS::ExactlyOnce, false, false), false),
        (publish(QoS::AtMostOnce, true, false), false),
        (publish(QoS::AtMostOnce, false, true), false),
        (Action::Subscribe { qos: QoS::AtLeastOnce }, true),
        (Action::Subscribe { qos: QoS::ExactlyOnce }, false),
        // The delivery may have any QoS.
        (Action::Receive { qos: QoS::ExactlyOnce }, true),
    ] {
        assert_eq!(allows(&rules, &plain(), action, "a"), expected, "{action:?}");
    }
    let one: QosSet = [QoS::AtLeastOnce].into_iter().collect();
    let denying =
        Ruleset::compile(vec![Rule { conditions: Conditions { qos: Some(one), ..Conditions::default() }, ..deny(&["a"]) }, allow(&["#"])]);
    assert!(allows(&denying, &plain(), Action::Receive { qos: QoS::AtMostOnce }, "a"));
    assert!(!allows(&denying, &plain(), Action::Receive { qos: QoS::AtLeastOnce }, "a"));
    // What comes with a lower QoS than that of the subscription is judged when it comes.
    let partial = |qos, filter: &str| match ask(&denying, &plain(), Action::Subscribe { qos }, filter) {
        Verdict::Allow(allowed) => Some(allowed.is_partial),
        _ => None,
    };
    assert_eq!((partial(QoS::ExactlyOnce, "a"), partial(QoS::ExactlyOnce, "#")), (Some(true), Some(true)));
    assert_eq!((partial(QoS::AtLeastOnce, "a"), partial(QoS::AtLeastOnce, "#")), (None, Some(true)));
    assert_eq!((partial(QoS::AtMostOnce, "a"), partial(QoS::AtMostOnce, "#")), (Some(false), Some(false)));
    assert_eq!(partial(QoS::ExactlyOnce, "b/#"), Some(false));
    let is_general = |rules: &Ruleset, topic: &str| match ask(rules, &plain(), PUBLISH, topic) {
        Verdict::Allow(allowed) => Some(allowed.is_general),
        _ => None,
    };
    assert_eq!((is_general(&denying, "a"), is_general(&Ruleset::compile(vec![allow(&["#"])]), "a")), (Some(false), Some(true)));
}

#[test]
fn the_order_is_superuser_given_rules_configuration_sources() {
    let file = AccessSource::Rules {
        name: "file".into(),
        of_users: Default::default(),
        rules: vec![allow(&["file", "both"])],
        grants_subscribe: false,
    };
    let rules =
        Ruleset::compile(vec![deny(&["both", "given"]), allow(&["own"])]).with_sources(vec![file, AccessSource::Fetched("db".into())]);
    let fetched = source_rules("db", vec![deny(&["db/x"]), allow(&["db/#"])], false);
    let grant = Grant {
        rules: vec![source_rules("jwt", vec![allow(&["given"]), deny(&["own/x"])], false)],
        fetched: [("db".into(), fetched)].into(),
        ..Grant::default()
    };
    let ann = client(grant.clone());
    for (topic, expected) in
        [("given", true), ("both", false), ("own", true), ("file", true), ("db/y", true), ("db/x", false), ("else", false)]
    {
        assert_eq!(allows(&rules, &ann, PUBLISH, topic), expected, "{topic}");
    }
    // One whose rules are complete asks nobody else.
    let only = Grant { rules: vec![source_rules("jwt", vec![allow(&["given"])], true)], ..Grant::default() };
    assert_eq!(ask(&rules, &client(only), PUBLISH, "own"), Verdict::Deny(By::Source("jwt".into())));
    // A source that could not be asked denies what nobody before it has allowed.
    let silent = client(Grant { fetched: Default::default(), ..grant.clone() });
    assert!(allows(&rules, &silent, PUBLISH, "file"));
    assert_eq!(ask(&rules, &silent, PUBLISH, "db/y"), Verdict::Deny(By::Silent("db".into(), None)));
    let root = client(Grant { superuser: true, ..grant });
    assert!(allows(&rules, &root, PUBLISH, "both") && allows(&rules, &root, SUBSCRIBE, "#") && allows(&rules, &root, SUBSCRIBE, "$SYS/#"));
    assert!(!allows(&rules, &root, PUBLISH, "$SYS/x"));
}

#[test]
fn without_anything_everything_is_allowed_and_with_anything_nothing_is() {
    let open = Ruleset::allow_all();
    assert!(allows(&open, &plain(), PUBLISH, "a") && !allows(&open, &plain(), PUBLISH, "$SYS/a"));
    let given = client(Grant { rules: vec![source_rules("jwt", vec![allow(&["a"])], false)], ..Grant::default() });
    assert!(allows(&open, &given, PUBLISH, "a") && !allows(&open, &given, PUBLISH, "b"));
    assert!(!allows(&open.with_sources(vec![AccessSource::Fetched("db".into())]), &plain(), PUBLISH, "a"));
}

#[test]
fn a_source_is_there_for_those_whom_it_is_about() {
    let file = |name: &str, topic: &str| AccessSource::Rules {
        name: name.into(),
        of_users: Default::default(),
        rules: vec![allow(&[topic])],
        grants_subscribe: false,
    };
    let by = |listener: &str| Some(Who::Listener(crate::name_pattern::NamePattern::new(listener)));
    let rules = Ruleset::allow_all().with_sources_for(vec![(by("tcp"), file("one", "one")), (by("tls"), file("two", "two"))]);
    assert!(allows(&rules, &plain(), PUBLISH, "one") && !allows(&rules, &plain(), PUBLISH, "two"));
    let mut other = plain();
    other.origin = Some(Origin { address: None, listener: "ws".into() });
    assert!(allows(&rules, &other, PUBLISH, "two"), "where nobody has anything to say everything is allowed");
    // Of one that was stored nobody knows by which listener it will come back: it keeps what it has, and is judged then.
    let hopeful = |topic| {
        judge(&Request {
            rules: &rules,
            client: &away(),
            action: RECEIVE,
            topic,
            written: topic,
            known: Known::NOTHING,
            stance: Stance::Hopeful,
        })
    };
    assert!(matches!(hopeful("one"), Verdict::Allow(_)) && matches!(hopeful("three"), Verdict::Allow(_)));
    assert!(!allows(&rules, &away(), PUBLISH, "one"), "but does nothing meanwhile");
}

#[test]
fn which_topics_are_the_servers_own_can_be_said() {
    let open = Ruleset::allow_all();
    let sys = Ruleset::allow_all().with_reserved(crate::Reserved::Sys);
    for (topic, by_default, by_sys) in [
        ("a", true, true),
        ("$a", false, true),
        ("$SYS/a", false, false),
        ("$SYSTEM", false, false),
        ("$share/g/a", false, false),
        ("$SYS/broker/connection/hq/state", false, true),
        ("$SYS/broker/connection/a/b/state", false, false),
        ("$SYS/broker/connection/hq/state/x", false, false),
    ] {
        let found = (allows(&open, &plain(), PUBLISH, topic), allows(&sys, &plain(), PUBLISH, topic));
        assert_eq!(found, (by_default, by_sys), "{topic}");
    }
}

#[test]
fn a_file_that_grants_subscriptions_looks_at_deliveries() {
    let file =
        AccessSource::Rules { name: "acl".into(), of_users: Default::default(), rules: vec![allow(&["a/#"])], grants_subscribe: true };
    let rules = Ruleset::allow_all().with_sources(vec![file]);
    assert_eq!(is_partial(&rules, "b/#"), Some(true));
    assert!(
        allows(&rules, &plain(), RECEIVE, "a/x") && !allows(&rules, &plain(), RECEIVE, "b/x") && !allows(&rules, &plain(), PUBLISH, "b/x")
    );
}

#[test]
fn a_source_is_asked_and_its_answer_counts_for_what_comes_by_the_subscription() {
    let rules = Ruleset::compile(vec![deny(&["a/secret"])]).with_sources(vec![AccessSource::Asked("http".into())]);
    let Verdict::Ask(question) = ask(&rules, &plain(), SUBSCRIBE, "a/#") else { panic!("nobody is asked") };
    assert_eq!((&*question.source, &*question.topic, question.action), ("http", "a/#", SUBSCRIBE));
    assert_eq!(ask(&rules, &plain(), SUBSCRIBE, "a/secret"), Verdict::Deny(By::Rule("deny [\"a/secret\"]".to_owned())));
    for (said, expected) in [
        (AccessAnswer::Allow, true),
        (AccessAnswer::Deny, false),
        (AccessAnswer::Continue, false),
        (AccessAnswer::Failed("down".to_owned()), false),
    ] {
        let mut held = Answers::default();
        held.remember(question.clone(), said.clone(), std::time::Duration::ZERO, 0);
        let known = Known { held: Some(&held), answers: &[], now: 1_000 };
        let client = plain();
        let ask = |action, topic| {
            judge(&Request { rules: &rules, client: &client, action, topic, written: topic, known, stance: Stance::Strict })
        };
        assert_eq!(
            matches!(ask(SUBSCRIBE, "a/#"), Verdict::Allow(Allowed { is_partial: true, is_general: false, .. })),
            expected,
            "{said:?}"
        );
        assert_eq!(matches!(ask(RECEIVE, "a/x"), Verdict::Allow(_)), expected, "{said:?}");
        assert!(!matches!(ask(RECEIVE, "a/secret"), Verdict::Allow(_)));
        // Nobody is asked about a delivery.
        assert_eq!(ask(RECEIVE, "b"), Verdict::Deny(By::Nobody));
    }
}

#[test]
fn of_a_client_that_is_away_nothing_unknown_is_held_against_it() {
    let group = Who::Group("ops".to_owned());
    let hope = |rules: &Ruleset, client: &Client, topic: &str| {
        let request = Request { rules, client, action: RECEIVE, topic, written: topic, known: Known::NOTHING, stance: Stance::Hopeful };
        matches!(judge(&request), Verdict::Allow(_))
    };
    let rules = Ruleset::compile(vec![
        Rule { who: Who::Address("10.0.0.0/8".parse().unwrap()), ..deny(&["net"]) },
        Rule { who: group.clone(), ..deny(&["team/no"]) },
        Rule { who: group, ..allow(&["team/#"]) },
        allow(&["open", "net", "site/${attribute.site}"]),
    ]);
    for (topic, now, later) in
        [("open", true, true), ("net", false, true), ("team/a", false, true), ("team/no", false, true), ("else", false, false)]
    {
        assert_eq!((allows(&rules, &away(), RECEIVE, topic), hope(&rules, &away(), topic)), (now, later), "{topic}");
    }
    assert!(hope(&rules, &away(), "site/x") && !allows(&rules, &away(), RECEIVE, "site/x"));
    // Of one whose grant is known nothing is hoped, but that somebody outside will be asked.
    assert!(!hope(&rules, &plain(), "team/a") && !hope(&rules, &plain(), "net") && !hope(&rules, &plain(), "site/x"));
    let asked = rules.clone().with_sources(vec![AccessSource::Asked("http".into())]);
    assert!(hope(&asked, &plain(), "else") && !allows(&asked, &plain(), RECEIVE, "else"));
    let fetched = rules.clone().with_sources(vec![AccessSource::Fetched("db".into())]);
    assert!(hope(&fetched, &away(), "else") && !hope(&fetched, &plain(), "else"));
    assert!(hope(&rules.with_grants(true), &away(), "else"), "a token may bring any right");
}

#[derive(Debug)]
struct Silent;

impl crate::judge::JudgeAccess for Silent {
    fn judge(&self, _: &Client, _: Wish, _: &str) -> Option<bool> {
        None
    }
}

#[test]
fn who_has_no_rules_does_not_administer_what_judges_others() {
    let elsewhere = Who::Listener(crate::name_pattern::NamePattern::exact("other"));
    let judged = AccessSource::Judged("dynamic_security".into(), AccessJudge(Arc::new(Silent)));
    let own_topics = crate::ruleset::OwnTopics { control: true, ..Default::default() };
    let rules = Ruleset::allow_all()
        .with_sources_for(vec![(Some(elsewhere), judged)])
        .with_reserved(crate::ruleset::Reserved::Sys)
        .with_own_topics(own_topics);
    for (topic, expected) in [("$CONTROL/dynamic-security/v1", false), ("$CONTROL/broker/v1", false), ("$other", true), ("a", true)] {
        assert_eq!(allows(&rules, &plain(), PUBLISH, topic), expected, "{topic}");
    }
    let superuser = client(Grant { superuser: true, ..Grant::default() });
    assert!(!allows(&rules, &superuser, PUBLISH, "$CONTROL/dynamic-security/v1") && allows(&rules, &superuser, PUBLISH, "a"));
    assert!(allows(&rules, &plain(), SUBSCRIBE, "$CONTROL/#"));
    let without_judge = Ruleset::allow_all().with_reserved(crate::ruleset::Reserved::Sys).with_own_topics(own_topics);
    assert!(allows(&without_judge, &plain(), PUBLISH, "$CONTROL/broker/v1"));
}
