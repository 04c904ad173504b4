//! What clients put into the fields that reach Redis.

use signet_auth::{PasswordHash, RedisFields};
use signet_testkit::{RedisOptions, RedisServer};

use crate::rig::{Asked, Someone, plain_backend, single};

/// What an attacker would have, and what it must not lead to.
fn server() -> RedisServer {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "tls_domain:victim", "password", "public"]);
    server.cli(&["HSET", "mqtt_user:victim", "password", "public"]);
    server.cli(&["HSET", "mqtt_user:", "password", "public"]);
    server.cli(&["HSET", "mqtt_user:%u", "password", "public"]);
    server.cli(&["HSET", "mqtt_user:${username}", "password", "public"]);
    server
}

const ATTEMPTS: [&str; 26] = [
    "",
    " ",
    "x password",
    "victim password",
    "x victim",
    "victim ",
    " victim",
    "victim\r\n",
    "victim\r\nFLUSHALL\r\n",
    "x\r\n*1\r\n$8\r\nFLUSHALL\r\n",
    "x\nSET pwned 1\n",
    "\"victim\"",
    "'victim'",
    "x\" password \"",
    "\\x76ictim",
    "*",
    "vict?m",
    "[v]ictim",
    "{victim}",
    "victim\0",
    "\0",
    "%u",
    "%C",
    "${username}",
    "${cert.cn}",
    "$$",
];

#[tokio::test]
async fn no_value_becomes_anything_but_one_argument() {
    let server = server();
    let before = (server.cli(&["DBSIZE"]), server.cli(&["HGETALL", "tls_domain:victim"]));
    for (text, place) in [
        ("HMGET mqtt_user:%u password salt", 0),
        ("HMGET mqtt_user:${username} password salt", 0),
        ("HGET victims %u", 0),
        ("HMGET mqtt_user:%c password salt", 1),
        ("HMGET tls_domain:%C password salt", 2),
        (r#"HMGET "tls_domain:%C" password salt"#, 2),
        (r#"EVAL_RO "return redis.call('HGET', KEYS[1], 'password')" 1 mqtt_user:%u"#, 0),
    ] {
        let asked = Asked::with(single(&server), text, PasswordHash::Plain, RedisFields::default(), plain_backend());
        for attempt in ATTEMPTS {
            let mut someone = Someone { password: Some("public"), ..Someone::default() };
            match place {
                0 => someone.username = Some(attempt),
                1 => someone.client_identifier = Some(attempt),
                // A certificate without any text in its name is none that is read.
                _ if attempt.is_empty() => continue,
                _ => someone.common_name = Some(attempt),
            }
            let said = asked.about(&someone).await;
            // `%u` and `${username}` are names like others, and there are users of these names; the placeholder is never filled in twice, nor left in.
            let is_named_so = place < 2 && text.contains("mqtt_user:") && ["%u", "${username}"].contains(&attempt);
            if is_named_so {
                assert_eq!(said, "allow", "{text} {attempt:?}");
            } else {
                assert!(said.starts_with("unknown: "), "{text} {attempt:?}: {said}");
            }
        }
        let report = asked.backend.report();
        assert_eq!(report.failed, 0, "{text}: {:?}", report.last_failure);
    }
    assert_eq!((server.cli(&["DBSIZE"]), server.cli(&["HGETALL", "tls_domain:victim"])), before);
    for command in ["flushall", "set", "del"] {
        assert_eq!(server.calls(command), 0, "{command}");
    }
}

#[tokio::test]
async fn values_with_spaces_and_quotes_are_names_like_others() {
    let server = server();
    for name in ["a b", "it's", "\"quoted\"", "größe", "a*", "%C", "{tag}x"] {
        server.cli(&["HSET", &format!("mqtt_user:{name}"), "password", name]);
        let asked = Asked::new(single(&server), "HMGET mqtt_user:%u password", PasswordHash::Plain);
        assert_eq!(asked.about(&Someone { username: Some(name), password: Some(name), ..Someone::default() }).await, "allow", "{name}");
    }
}

#[tokio::test]
async fn two_clients_with_different_values_are_never_the_same_key() {
    let server = server();
    server.cli(&["HSET", "mqtt_user:ann:1:2", "password", "public"]);
    let asked = Asked::new(single(&server), "HMGET mqtt_user:%u:%c password", PasswordHash::Plain);
    let about = |username, client_identifier| Someone {
        username: Some(username),
        client_identifier: Some(client_identifier),
        password: Some("public"),
        ..Someone::default()
    };
    assert_eq!(asked.about(&about("ann", "1:2")).await, "allow");
    let said = asked.about(&about("ann:1", "2")).await;
    assert_eq!(said, "unknown: the value of `${username}` holds `:`, which separates it from the next");
    // With one placeholder there is nothing to mix up, as long as nothing else begins in the same way.
    let asked = Asked::new(single(&server), "HMGET mqtt_user:%u password", PasswordHash::Plain);
    assert_eq!(asked.about(&Someone { username: Some("ann:1:2"), password: Some("public"), ..Someone::default() }).await, "allow");
}
