//! Authorization: `acl.conf`, rows of Redis, tokens.

use std::sync::Arc;

use serde_json::json;
use signet_identity::PlaceholderStyle;
use signet_mqtt::{QoS, TopicFilter, TopicName};
use signet_policy::{
    AdmissionRules, Client, Grant, Known, ProvenNames, Published, RuleRow, Ruleset, SourceRules, authorize_publish, authorize_subscribe,
    emqx_acl_file, may_receive,
};

use crate::rig::introduced;
use crate::table::{Row, Said, agrees_with_guide, safer, same};

use Said::{No, NoConfiguration, Superuser, Yes};

/// Where the rules are.
#[derive(Debug)]
enum Rules {
    /// An `acl.conf`.
    File(&'static str),
    /// A hash of Redis, with placeholders of EMQX 4.
    Redis4(&'static [(&'static str, &'static str)]),
    /// The `acl` of a token, in the old form or the new, with `{allow, all}` in the file behind it.
    Token(serde_json::Value),
    /// An `acl.conf`, and nobody has proven any name of the client.
    Unproven(&'static str),
    /// Whatever: an authenticator has made a superuser of the client.
    Superuser,
}

/// What somebody wants.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Publish(&'static str),
    /// With this QoS, and retained or not.
    PublishAs(&'static str, QoS, bool),
    Subscribe(&'static str),
    Receive(&'static str),
    /// That the rules are taken.
    Start,
}

/// Who: `ann`, client `pump-7` from 10.1.2.3 in hall 3.
const ANN: (Option<&str>, &str) = (Some("ann"), "pump-7");
const NO_NAME: (Option<&str>, &str) = (None, "pump-7");
/// One whose Client Identifier is a filter.
const WILD: (Option<&str>, &str) = (Some("ann"), "+");

#[derive(Debug)]
struct Ours(Rules, (Option<&'static str>, &'static str), Wish);

impl Ours {
    fn says(&self) -> Said {
        let Self(rules, (username, identifier), wish) = self;
        let client = introduced(&AdmissionRules::default(), *username, identifier).unwrap().client;
        let client = if matches!(rules, Rules::Unproven(_)) { client.with_proven(ProvenNames::default()) } else { client };
        let mut grant = Grant { attributes: [("site".into(), "hall-3".into())].into(), ..Grant::default() };
        let file = |text: &str| emqx_acl_file(&"acl".into(), PlaceholderStyle::Emqx5, text).map(|file| file.source);
        let sources = match rules {
            Rules::File(text) | Rules::Unproven(text) => file(text).map(|source| vec![source]),
            Rules::Redis4(fields) => {
                let rows: Vec<RuleRow> = fields.iter().map(|(topic, value)| RuleRow::allowing(topic, value).unwrap()).collect();
                grant.rules.push(SourceRules::from_rows("redis".into(), PlaceholderStyle::Emqx4, &rows).unwrap());
                Ok(Vec::new())
            }
            Rules::Token(acl) => {
                grant.rules.push(SourceRules::from_claim("token".into(), PlaceholderStyle::Emqx5, acl).unwrap());
                file("{allow, all}.").map(|source| vec![source])
            }
            Rules::Superuser => {
                grant.superuser = true;
                file("{deny, all}.").map(|source| vec![source])
            }
        };
        let Ok(sources) = sources else { return NoConfiguration };
        let rules = Ruleset::allow_all().with_grants(!grant.rules.is_empty()).with_sources(sources);
        if told(&rules, &client.regranted(Arc::new(grant)), *wish) { Yes } else { No }
    }
}

fn told(rules: &Ruleset, client: &Client, wish: Wish) -> bool {
    let topic = |text: &str| TopicName::new(text.to_owned()).unwrap();
    match wish {
        Wish::Publish(text) => told(rules, client, Wish::PublishAs(text, QoS::AtMostOnce, false)),
        Wish::PublishAs(text, qos, retain) => {
            authorize_publish(rules, client, &topic(text), Published { qos, retain, will: false }, Known::NOTHING).is_ok()
        }
        Wish::Subscribe(filter) => {
            let filter = TopicFilter::new(filter.to_owned()).unwrap();
            authorize_subscribe(rules, client, &filter, QoS::AtMostOnce, Known::NOTHING).is_ok()
        }
        Wish::Receive(text) => may_receive(rules, client, &topic(text), QoS::AtMostOnce, Known::NOTHING),
        Wish::Start => true,
    }
}

fn file(text: &'static str, wish: Wish) -> Ours {
    Ours(Rules::File(text), ANN, wish)
}

/// Who, action and topic of `acl.conf`.
fn forms() -> Vec<Row<Ours>> {
    use Wish::{Publish, PublishAs, Start, Subscribe};
    vec![
        same("`{allow, all}`, publish to `a`", Yes, file("{allow, all}.", Publish("a"))),
        same("`{deny, all}`, publish to `a`", No, file("{deny, all}.", Publish("a"))),
        same("the first rule that fits decides", No, file("{deny, all, publish, [\"a\"]}.\n{allow, all}.", Publish("a"))),
        same("`{username, \"ann\"}`", Yes, file("{allow, {username, \"ann\"}, publish, [\"a\"]}.", Publish("a"))),
        same("`{user, \"bob\"}`", No, file("{allow, {user, \"bob\"}, publish, [\"a\"]}.\n{deny, all}.", Publish("a"))),
        same("`{username, {re, \"^a\"}}`", Yes, file("{allow, {username, {re, \"^a\"}}, publish, [\"a\"]}.", Publish("a"))),
        same("`{clientid, \"pump-7\"}`", Yes, file("{allow, {clientid, \"pump-7\"}, publish, [\"a\"]}.", Publish("a"))),
        same("`{ipaddr, \"10.0.0.0/8\"}`", Yes, file("{allow, {ipaddr, \"10.0.0.0/8\"}, publish, [\"a\"]}.", Publish("a"))),
        same(
            "`{ipaddrs, […]}` of others",
            No,
            file("{allow, {ipaddrs, [\"192.168.0.0/16\"]}, publish, [\"a\"]}.\n{deny, all}.", Publish("a")),
        ),
        same(
            "`{client_attr, \"site\", \"hall-3\"}`",
            Yes,
            file("{allow, {client_attr, \"site\", \"hall-3\"}, publish, [\"a\"]}.", Publish("a")),
        ),
        same(
            "`{'and', […]}`",
            No,
            file("{allow, {'and', [{user, \"ann\"}, {client, \"x\"}]}, publish, [\"a\"]}.\n{deny, all}.", Publish("a")),
        ),
        same("`{'or', […]}`", Yes, file("{allow, {'or', [{user, \"ann\"}, {client, \"x\"}]}, publish, [\"a\"]}.", Publish("a"))),
        same("`publish` does not mean `subscribe`", No, file("{allow, all, publish, [\"a\"]}.\n{deny, all}.", Subscribe("a"))),
        same("`all` means both", Yes, file("{allow, all, all, [\"a\"]}.", Subscribe("a"))),
        same(
            "`{qos, [1, 2]}`, QoS 1",
            Yes,
            file("{allow, all, {publish, [{qos, [1, 2]}]}, [\"a\"]}.", PublishAs("a", QoS::AtLeastOnce, false)),
        ),
        same("`{qos, [1, 2]}`, QoS 0", No, file("{allow, all, {publish, [{qos, [1, 2]}]}, [\"a\"]}.\n{deny, all}.", Publish("a"))),
        same(
            "`{retain, false}`, retained",
            No,
            file("{allow, all, {publish, [{retain, false}]}, [\"a\"]}.\n{deny, all}.", PublishAs("a", QoS::AtMostOnce, true)),
        ),
        same(
            "`{retain, all}`, retained",
            Yes,
            file("{allow, all, {publish, [{retain, all}]}, [\"a\"]}.", PublishAs("a", QoS::AtMostOnce, true)),
        ),
        same("`{eq, \"#\"}` denies `#`", No, file("{deny, all, subscribe, [{eq, \"#\"}]}.\n{allow, all}.", Subscribe("#"))),
        same("`{eq, \"#\"}` does not deny `a/#`", Yes, file("{deny, all, subscribe, [{eq, \"#\"}]}.\n{allow, all}.", Subscribe("a/#"))),
        safer(
            "a rule with `{zone, \"external\"}`",
            Yes,
            file("{allow, {zone, \"external\"}, all, [\"#\"]}.", Start),
            "the file is refused: there are no zones",
        ),
    ]
}

/// What no rule covers, and what goes further here.
fn reach() -> Vec<Row<Ours>> {
    use Wish::{Publish, Receive, Subscribe};
    let plus = "{allow, all, subscribe, [\"a/+\"]}.\n{deny, all}.";
    let part = "{deny, all, subscribe, [\"a/b\"]}.\n{allow, all}.";
    vec![
        safer(
            "no rule fits, `no_match = allow` (5.x)",
            Yes,
            file("{allow, all, publish, [\"b\"]}.", Publish("a")),
            "denied; `{allow, all}.` at the end says the same",
        ),
        same("no rule fits, `no_match = deny` (6.0)", No, file("{allow, all, publish, [\"b\"]}.", Publish("a"))),
        same("`a/+` allows `a/b`", Yes, file(plus, Subscribe("a/b"))),
        safer(
            "`{allow, all, subscribe, [\"a/+\"]}`, subscribe to `a/#`",
            Yes,
            file(plus, Subscribe("a/#")),
            "denied: a rule has to cover all that the filter can match",
        ),
        same("`{deny, all, subscribe, [\"a/b\"]}`, subscribe to `a/b`", No, file(part, Subscribe("a/b"))),
        same("the same rule, subscribe to `a/#`", Yes, file(part, Subscribe("a/#"))),
        safer(
            "`{deny, all, subscribe, [\"a/b\"]}` and a subscription to `a/#`: a message to `a/b`",
            Yes,
            file(part, Receive("a/b")),
            "not delivered",
        ),
        safer(
            "`{allow, all}`, publish to `$SYS/x`",
            Yes,
            file("{allow, all}.", Publish("$SYS/x")),
            "denied: topics with `$` need a rule that names them",
        ),
        same("a superuser, publish to `a`, and a rule denies", Yes, Ours(Rules::Superuser, ANN, Publish("a"))),
        safer(
            "a superuser, publish to `$SYS/x`",
            Yes,
            Ours(Rules::Superuser, ANN, Publish("$SYS/x")),
            "denied: topics with `$` need a rule that names them",
        ),
    ]
}

/// Placeholders in topics.
fn placeholders() -> Vec<Row<Ours>> {
    use Wish::{Publish, Receive, Subscribe};
    let allow = "{allow, all, publish, [\"up/${username}\"]}.\n{deny, all}.";
    let deny = "{deny, all, publish, [\"up/${username}\"]}.\n{allow, all}.";
    let with_client = |text, wish| Ours(Rules::File(text), WILD, wish);
    let allow_client = "{allow, all, subscribe, [\"up/${clientid}\"]}.\n{deny, all}.";
    let deny_client = "{deny, all, subscribe, [\"up/${clientid}\"]}.\n{allow, all}.";
    vec![
        same("`up/${username}`, own topic", Yes, file(allow, Publish("up/ann"))),
        same("`up/${username}`, that of another", No, file(allow, Publish("up/bob"))),
        same("`{allow, …, [\"up/${username}\"]}`, no user name", No, Ours(Rules::File(allow), NO_NAME, Publish("up/x"))),
        safer(
            "`{deny, …, [\"up/${username}\"]}`, no user name (legacy), `{allow, all}` behind it",
            Yes,
            Ours(Rules::File(deny), NO_NAME, Publish("up/x")),
            "denied: it denies all that the placeholder could be",
        ),
        same("the same (hardened)", No, Ours(Rules::File(deny), NO_NAME, Publish("up/x"))),
        same("`{allow, …, [\"up/${clientid}\"]}`, the Client Identifier is `+`", No, with_client(allow_client, Subscribe("up/+"))),
        safer(
            "`{deny, …, [\"up/${clientid}\"]}`, the Client Identifier is `+` and fills nothing, `{allow, all}` behind it: a message to `up/x`",
            Yes,
            with_client(deny_client, Receive("up/x")),
            "not delivered: it denies all that the placeholder could be",
        ),
        safer(
            "`{allow, {username, \"ann\"}, …}`, and whoever calls itself `ann` has a token that says nothing of that",
            Yes,
            Ours(Rules::Unproven("{allow, {username, \"ann\"}, publish, [\"a\"]}."), ANN, Publish("a")),
            "denied: nobody has proven the name; `believe = [\"username\"]` allows it",
        ),
        safer(
            "`{allow, …, [\"up/${clientid}\"]}`, and the Client Identifier is what a user claims who has proven its user name",
            Yes,
            Ours(Rules::Unproven("{allow, all, publish, [\"up/${clientid}\"]}."), ANN, Publish("up/pump-7")),
            "denied: nobody has proven it; `believe = [\"client_identifier\"]` allows it",
        ),
    ]
}

/// Redis as EMQX 4 has it, and tokens.
fn others() -> Vec<Row<Ours>> {
    use Wish::{Publish, Subscribe};
    let redis = |wish| Ours(Rules::Redis4(&[("sub/%u", "1"), ("pub/%c", "2"), ("both", "3")]), ANN, wish);
    let old = || Rules::Token(json!({"pub": ["a"], "sub": [], "all": []}));
    let new = || Rules::Token(json!([{"permission": "allow", "action": "publish", "topic": "a"}]));
    vec![
        same("EMQX 4, Redis: `1` is subscribe", Yes, redis(Subscribe("sub/ann"))),
        same("EMQX 4, Redis: `1` is not publish", No, redis(Publish("sub/ann"))),
        same("EMQX 4, Redis: `2` is publish", Yes, redis(Publish("pub/pump-7"))),
        same("EMQX 4, Redis: `2` is not subscribe", No, redis(Subscribe("pub/pump-7"))),
        same("EMQX 4, Redis: `3` is both, subscribe", Yes, redis(Subscribe("both"))),
        same("EMQX 4, Redis: `3` is both, publish", Yes, redis(Publish("both"))),
        same("`acl` of a token, old form: what it names", Yes, Ours(old(), ANN, Publish("a"))),
        same("`acl` of a token, old form: what it does not name", No, Ours(old(), ANN, Publish("b"))),
        same("`acl` of a token, new form: what it does not name, allowed by the next source", Yes, Ours(new(), ANN, Publish("b"))),
    ]
}

#[test]
fn what_is_allowed_is_as_emqx_documents_it_or_less() {
    let rows: Vec<Row<Ours>> = [forms(), reach(), placeholders(), others()].into_iter().flatten().collect();
    let wrong: Vec<String> = rows.iter().filter_map(|row| row.judge(row.ours.says()).err()).collect();
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    agrees_with_guide(&rows, "access.md", |said| match said {
        No => "denied",
        Yes | Superuser | NoConfiguration => "allowed",
    });
}
