//! Authenticators: alone, and one after the other.
//!
//! Where EMQX ignores a client, the row has an authenticator behind that lets everybody in: so ignoring and denying are two different things.

use serde_json::json;
use signet_auth::RedisCommand;
use signet_identity::Template;
use signet_policy::{AdmissionRules, Applicant, Passed};

use crate::rig::{NOW, Rig, bearer, good_bearer, introduced, somebody, user};
use crate::table::{Row, Said, agrees_with_guide, safer, same};

use Said::{No, NoConfiguration, Superuser, Yes};

/// What happens here.
#[derive(Debug)]
enum Ours {
    /// A chain is asked about somebody.
    Chain(&'static str, Applicant),
    /// The same, and the service answers this.
    Web(&'static str, &'static str),
    /// A listener without a chain, where `anonymous` is this.
    NoChain(bool, Applicant),
    /// A listener whose `username` is this template, for a client without a certificate that calls itself `admin`.
    Named(&'static str),
    /// A command for Redis is read.
    Command(&'static str),
}

impl Ours {
    async fn says(&self, rig: &Rig) -> Said {
        let told = |is_in: bool| if is_in { Yes } else { No };
        match self {
            Self::Chain(chain, applicant) => rig.says(chain, "[]", applicant).await,
            Self::Web(chain, answer) => rig.says(chain, answer, &user("ann", "public")).await,
            Self::NoChain(anonymous, applicant) => told(Passed::without_chain(applicant, *anonymous).is_ok()),
            Self::Named(template) => {
                let rules =
                    AdmissionRules { anonymous: true, username: Some(Template::parse(template).unwrap()), ..AdmissionRules::default() };
                told(introduced(&rules, Some("admin"), "pump-7").is_ok())
            }
            Self::Command(command) => {
                if RedisCommand::parse(command, None).is_ok() {
                    Yes
                } else {
                    NoConfiguration
                }
            }
        }
    }
}

fn chain(text: &'static str, applicant: Applicant) -> Ours {
    Ours::Chain(text, applicant)
}

fn ann() -> Applicant {
    user("ann", "public")
}

/// Order, the end, failures, no chain at all.
fn chains() -> Vec<Row<Ours>> {
    let nobody = || somebody(None, None);
    vec![
        same("the first authenticator says ok", Yes, chain("users", ann())),
        same("the first says ok, the second would deny", Yes, chain("users, redis", ann())),
        same("the first denies a wrong password, the second would let in", No, chain("users, everybody", user("ann", "wrong"))),
        same("the first ignores, the second says ok", Yes, chain("redis, users", ann())),
        same("all ignore: the chain is exhausted", No, chain("users, redis", user("carl", "public"))),
        same(
            "a password authenticator and no password: ignored, the next says ok",
            Yes,
            chain("users, everybody", somebody(Some("ann"), None)),
        ),
        same("a password authenticator and no password, nobody behind it", No, chain("users", somebody(Some("ann"), None))),
        safer(
            "an authenticator cannot be asked (legacy), the next says ok",
            Yes,
            chain("away, everybody", ann()),
            "refused, unless it has `on_failure = \"continue\"`",
        ),
        same("an authenticator cannot be asked (hardened)", No, chain("away, everybody", ann())),
        same("the same with `ignore_backend_failures = true`", Yes, chain("away?, everybody", ann())),
        safer(
            "no authenticator at all (legacy)",
            Yes,
            Ours::NoChain(false, ann()),
            "refused without a certificate, unless the listener has `anonymous = true`",
        ),
        same("no authenticator at all (hardened)", No, Ours::NoChain(false, ann())),
        same("`enable_authn = false`: anybody", Yes, Ours::NoChain(true, ann())),
        same("`enable_authn = quick_deny_anonymous`, no user name", No, chain("users", nobody())),
        safer(
            "`peer_cert_as_username = cn`, and a client without a certificate calls itself `admin`",
            Yes,
            Ours::Named("${cert.cn}"),
            "refused: `username = \"${cert.cn}\"` has no value, and what the client claims does not take its place",
        ),
        same("client information: `deny` fits", No, chain("condition, everybody", user("eve", "public"))),
        same("client information: `allow` fits", Yes, chain("condition", ann())),
        same("client information: nothing fits, ignored", Yes, chain("condition, everybody", user("carl", "public"))),
    ]
}

/// Data bases: no row, no hash, hashes, superusers.
fn data_bases() -> Vec<Row<Ours>> {
    vec![
        same("SQL: no row, ignored", Yes, chain("users, everybody", user("carl", "public"))),
        same("SQL: a row without a hash", No, chain("users, everybody", user("bob", "public"))),
        same("SQL: `is_superuser` is true", Superuser, chain("users", user("root", "public"))),
        same("a hash in capitals, with the salt in front", Yes, chain("hashed", ann())),
        same("a plain password in another case", No, chain("users", user("ann", "Public"))),
        same("Redis: every field is nil, ignored", Yes, chain("redis, everybody", user("carl", "public"))),
        same("Redis: `is_superuser` is `1`", Superuser, chain("redis", user("one", "public"))),
        same("Redis: `is_superuser` is `2`", Superuser, chain("redis", user("two", "public"))),
        same("Redis: `is_superuser` is `true`", Superuser, chain("redis", user("word", "public"))),
        same("Redis: `is_superuser` is `0`", Yes, chain("redis", user("zero", "public"))),
        same("Redis: `is_superuser` is `yes`", Yes, chain("redis", user("yes", "public"))),
        same("Redis: `is_superuser` is empty", Yes, chain("redis", user("nothing", "public"))),
        same("EMQX 4, `super_cmd` brings `1`", Superuser, chain("super4", user("one", "public"))),
        same("EMQX 4, `super_cmd` brings `2`", Yes, chain("super4", user("two", "public"))),
        same("EMQX 4, `super_cmd` brings `true`", Yes, chain("super4", user("word", "public"))),
        same("EMQX 4: first value is the hash, by place", Yes, chain("redis4", user("one", "public"))),
        safer(
            "EMQX 4: an entry with a salt and no password, ignored; the next says ok",
            Yes,
            chain("redis4, everybody", user("salted", "x")),
            "refused: an entry without a password lets nobody in",
        ),
        safer(
            "EMQX 4: the user name `salted salt` in `HMGET mqtt_user:%u password` adds an argument, and the salt is taken for the password",
            Yes,
            chain("super4", user("salted salt", "public")),
            "not known: a value is always one argument",
        ),
    ]
}

/// Placeholders without a value, and such as there are not.
fn placeholders() -> Vec<Row<Ours>> {
    vec![
        safer(
            "`HMGET mqtt_user:${username} …`, no user name: the key is `mqtt_user:`, and an entry is there",
            Yes,
            chain("redis", somebody(None, Some("public"))),
            "not known: nothing is asked",
        ),
        safer(
            "EMQX 4: `HMGET mqtt_user:%C …`, no certificate: the key is `mqtt_user:%C`, and an entry is there",
            Yes,
            chain("names4", ann()),
            "not known: nothing is asked",
        ),
        safer(
            "a placeholder that there is not, `${nonsense}`, stays as it is written",
            Yes,
            Ours::Command("HMGET mqtt_user:${nonsense} password"),
            "the configuration is refused",
        ),
        same("a placeholder that there is", Yes, Ours::Command("HMGET mqtt_user:${cert_common_name} password salt")),
    ]
}

/// Tokens.
fn tokens() -> Vec<Row<Ours>> {
    let good = || good_bearer(&json!({"exp": NOW + 60}));
    let wrong = || bearer(&json!({"exp": NOW + 60}), b"another secret");
    vec![
        same("JWT: good", Yes, chain("token", good())),
        same("JWT: expired", No, chain("token, everybody", good_bearer(&json!({"exp": NOW - 60})))),
        same("JWT: not valid yet", No, chain("token, everybody", good_bearer(&json!({"nbf": NOW + 60, "exp": NOW + 120})))),
        safer("JWT: the signature is wrong (legacy), the next says ok", Yes, chain("token, everybody", wrong()), "refused"),
        same("JWT: the signature is wrong (hardened)", No, chain("token, everybody", wrong())),
        same("JWT: the password is no token, ignored", Yes, chain("token, users", ann())),
        same("JWT: no password, `on_missing_jwt = ignore`", Yes, chain("token, everybody", somebody(Some("ann"), None))),
        same("JWT: no password, `on_missing_jwt = deny`", No, chain("token!, everybody", somebody(Some("ann"), None))),
        same("JWT: `is_superuser` is true", Superuser, chain("token", good_bearer(&json!({"exp": NOW + 60, "is_superuser": true})))),
    ]
}

/// What an HTTP service answers.
fn services() -> Vec<Row<Ours>> {
    macro_rules! json {
        ($text:literal) => {
            concat!(r#"[{"type": "application/json", "body": ""#, $text, r#""}]"#)
        };
    }
    vec![
        same("HTTP: 204", Yes, Ours::Web("web", r#"[{"status": 204}]"#)),
        same("HTTP: `{\"result\": \"allow\"}`", Yes, Ours::Web("web", json!(r#"{\"result\": \"allow\"}"#))),
        same("HTTP: allow, `is_superuser` true", Superuser, Ours::Web("web", json!(r#"{\"result\": \"allow\", \"is_superuser\": true}"#))),
        same("HTTP: deny", No, Ours::Web("web, everybody", json!(r#"{\"result\": \"deny\"}"#))),
        same("HTTP: ignore", Yes, Ours::Web("web, everybody", json!(r#"{\"result\": \"ignore\"}"#))),
        same("HTTP: 200 without `result`, ignored", Yes, Ours::Web("web, everybody", json!("{}"))),
        safer(
            "HTTP: status 500 (legacy), ignored; the next says ok",
            Yes,
            Ours::Web("web, everybody", r#"[{"status": 500}]"#),
            "refused, unless it has `on_failure = \"continue\"`",
        ),
        same("HTTP: status 500 (hardened)", No, Ours::Web("web, everybody", r#"[{"status": 500}]"#)),
        same("HTTP: `expire_at` is over", No, Ours::Web("web", json!(r#"{\"result\": \"allow\", \"expire_at\": 1779999999}"#))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_let_in_is_as_emqx_documents_it_or_fewer() {
    let rows: Vec<Row<Ours>> = [chains(), data_bases(), placeholders(), tokens(), services()].into_iter().flatten().collect();
    let rig = Rig::start();
    let mut wrong = Vec::new();
    for row in &rows {
        wrong.extend(row.judge(row.ours.says(&rig).await).err());
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    agrees_with_guide(&rows, "authentication.md", |said| match said {
        No => "refused",
        Yes | NoConfiguration => "let in",
        Superuser => "superuser",
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_ends_the_session_and_its_rules_are_complete_or_not_as_in_emqx() {
    let rig = Rig::start();
    // `disconnect_after_expire`.
    assert_eq!(rig.grant(good_bearer(&json!({"exp": NOW + 60}))).await.expires_at, Some(NOW + 60));
    for (acl, is_complete) in
        [(json!({"pub": ["a"], "sub": [], "all": []}), true), (json!([{"permission": "allow", "action": "publish", "topic": "a"}]), false)]
    {
        let grant = rig.grant(good_bearer(&json!({"exp": NOW + 60, "acl": acl}))).await;
        assert_eq!(grant.rules.iter().map(|rules| rules.is_complete).collect::<Vec<_>>(), [is_complete], "{acl}");
    }
}
