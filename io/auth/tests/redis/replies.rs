//! What comes back by commands of all kinds.

use signet_auth::{Authenticator as _, PasswordHash, RedisFields, RedisLookup};
use signet_policy::{Grant, Outcome};
use signet_testkit::{RedisOptions, RedisServer};

use crate::rig::{Asked, command, plain_backend, single, user};

async fn grant(asked: &Asked, name: &str) -> Grant {
    match asked.authenticator.authenticate(&user(name, "public").applicant()).await.unwrap() {
        Outcome::Allow(grant) => *grant,
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn values_come_by_their_place_or_by_their_name() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["SET", "password:ann", "public"]);
    server.cli(&["SET", "site:ann", "Wien"]);
    server.cli(&["HSET", "users", "ann", "public"]);
    server.cli(&["HSET", "user:ann", "pw", "public", "site", "Wien", "groups", "a,b", "until", "1900000000"]);
    server.cli(&["HSET", "account:ann", "password_hash", "public", "password", "old"]);
    server.cli(&["RPUSH", "list:ann", "public", "salt"]);
    let text = "return {redis.call('HGET', KEYS[1], 'pw'), false, redis.call('HGET', KEYS[1], ARGV[1])}";
    let sha = server.cli(&["SCRIPT", "LOAD", text]);
    server.cli(&["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function{function_name='who', flags={'no-writes'}, callback=function(keys) return redis.call('HGET', keys[1], 'pw') end}"]);
    for text in [
        "GET password:%u",
        "HGET users %u",
        "HGET users ${username}",
        "MGET password:%u salt:%u",
        "HMGET user:%u pw",
        "LINDEX list:%u 0",
        "LRANGE list:%u 0 1",
        "GETRANGE password:%u 0 -1",
        "HGETALL account:%u",
        "HMGET account:%u password password_hash",
        &format!("EVALSHA {sha} 1 user:%u site"),
        &format!("EVALSHA_RO {sha} 1 user:${{username}} site"),
        "FCALL_RO who 1 user:%u",
        r#"EVAL_RO "return {'public'}" 0 %u"#,
    ] {
        let asked = Asked::new(single(&server), text, PasswordHash::Plain);
        assert_eq!(asked.about(&user("ann", "public")).await, "allow", "{text}");
        assert_eq!(asked.about(&user("ann", "old")).await, "deny: wrong password", "{text}");
    }
    let configured = RedisFields {
        groups: Some("groups".into()),
        expires_at: Some("until".into()),
        attributes: vec!["site".into()],
        ..RedisFields::default()
    };
    let placed = |names: &[&str]| RedisFields { positions: names.iter().map(|name| (*name).into()).collect(), ..configured.clone() };
    for (text, fields) in [
        ("HMGET user:%u pw site groups until", configured.clone()),
        ("MGET password:%u site:%u", RedisFields { groups: None, expires_at: None, ..placed(&["password", "site"]) }),
        (
            r#"EVAL_RO "return redis.call('HMGET', KEYS[1], 'until', 'site', 'pw', 'groups')" 1 user:%u"#,
            placed(&["until", "site", "password", "groups"]),
        ),
    ] {
        let asked = Asked::with(single(&server), text, PasswordHash::Plain, fields.clone(), plain_backend());
        let grant = grant(&asked, "ann").await;
        assert_eq!(grant.attributes.get("site").map(|site| &**site), Some("Wien"), "{text}");
        assert_eq!(grant.groups.len(), if fields.groups.is_some() { 2 } else { 0 }, "{text}");
        assert_eq!(grant.expires_at, fields.expires_at.as_ref().map(|_| 1_900_000_000), "{text}");
        assert!(!grant.superuser, "{text}");
    }
}

#[tokio::test]
async fn an_entry_that_has_expired_lets_nobody_in() {
    let server = RedisServer::start(&RedisOptions::default());
    let now = user("ann", "public").applicant().now;
    for (name, until) in [("past", now - 1), ("now", now), ("next", now + 1)] {
        server.cli(&["HSET", &format!("user:{name}"), "password", "public", "until", &until.to_string()]);
    }
    let until = RedisFields { expires_at: Some("until".into()), ..RedisFields::default() };
    let asked = Asked::with(single(&server), "HGETALL user:%u", PasswordHash::Plain, until, plain_backend());
    assert_eq!(asked.about(&user("past", "public")).await, "deny: its entry has expired");
    assert_eq!(asked.about(&user("now", "public")).await, "deny: its entry has expired");
    assert_eq!(asked.about(&user("now", "wrong")).await, "deny: wrong password");
    assert_eq!(grant(&asked, "next").await.expires_at, Some(now + 1));
}

#[tokio::test]
async fn an_entry_without_a_usable_password_lets_nobody_in() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "user:salted", "salt", "s"]);
    server.cli(&["HSET", "user:empty", "password", ""]);
    server.cli(&["RPUSH", "user:list", "public"]);
    server.cli(&["SET", "user:text", "public"]);
    server.cli(&["HSET", "user:timed", "password", "public", "until", "soon"]);
    let until = RedisFields { expires_at: Some("until".into()), ..RedisFields::default() };
    for text in ["HMGET user:%u password salt until", "HGETALL user:%u"] {
        let asked = Asked::with(single(&server), text, PasswordHash::Plain, until.clone(), plain_backend());
        for name in ["salted", "empty", "list", "text", "timed"] {
            for password in ["public", ""] {
                assert_eq!(asked.about(&user(name, password)).await, "deny: its entry has no password", "{text} {name}");
            }
        }
        assert_eq!(asked.about(&user("nobody", "public")).await, "unknown: it is not there");
        // Keys of other kinds are no fault of Redis: nobody keeps others out by a name that leads to one.
        assert_eq!(asked.backend.report().failed, 0);
    }
    // A script that fails for one is no fault of Redis either.
    let script = r#"EVAL_RO "return redis.call('HGET', KEYS[1], 'password')" 1 user:%u"#;
    let asked = Asked::new(single(&server), script, PasswordHash::Plain);
    assert_eq!(asked.about(&user("list", "public")).await, "deny: its entry has no password");
    assert_eq!(asked.about(&user("timed", "public")).await, "allow");
    assert_eq!(asked.backend.report().failed, 0);
}

#[test]
fn what_a_command_cannot_bring_is_refused_before_anybody_is_asked() {
    let records =
        |text: &str, fields: RedisFields| RedisLookup::new(command(text), None, fields).map(drop).map_err(|error| error.to_string());
    let site = || RedisFields { attributes: vec!["site".into()], ..RedisFields::default() };
    let positions = |names: &[&str]| RedisFields { positions: names.iter().map(|name| (*name).into()).collect(), ..RedisFields::default() };
    for (text, fields, expected) in [
        ("HMGET user:one password", RedisFields::default(), "asks the same for every client"),
        ("HMGET user:%u is_superuser", RedisFields::default(), "no `password_hash` or `password`"),
        ("HMGET user:%u password", site(), "no `site`, which is asked for"),
        ("GET user:%u", site(), "no `site`"),
        ("HGETALL user:%u", positions(&["password"]), "names of its own"),
        ("MGET user:%u", positions(&["salt"]), "no `password_hash` or `password`"),
    ] {
        let found = records(text, fields).unwrap_err();
        assert!(found.contains(expected), "{text}: {found}");
    }
    assert_eq!(records("HGETALL user:%u", site()), Ok(()));
}
