//! Many at once.

use std::sync::Arc;
use std::time::Duration;

use signet_auth::{Authenticator as _, BackendConfig, PasswordHash, RedisFields};
use signet_policy::Outcome;
use signet_testkit::{RedisOptions, RedisServer};

use crate::rig::{Asked, plain_backend, single, user};

const CROWD: usize = 10_000;

fn fill(server: &RedisServer) {
    let script = format!("for i = 0, {CROWD} - 1 do redis.call('HSET', 'mqtt_user:dev-' .. i, 'password', 'secret-' .. i) end");
    server.cli(&["EVAL", &script, "0"]);
}

fn connections(server: &RedisServer) -> usize {
    server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).lines().count() - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_different_clients_are_answered_over_eight_connections() {
    let server = RedisServer::start(&RedisOptions::default());
    fill(&server);
    let backend = BackendConfig { timeout: Duration::from_secs(60), ..BackendConfig::new("devices", "redis") };
    let config = single(&server);
    let asked = Arc::new(Asked::with(config, "HMGET mqtt_user:%u password salt", PasswordHash::Plain, RedisFields::default(), backend));
    let ask = |at: usize| {
        let asked = Arc::clone(&asked);
        tokio::spawn(async move {
            let (name, password) = (format!("dev-{at}"), format!("secret-{}", if at.is_multiple_of(10) { at + 1 } else { at }));
            let outcome = asked.authenticator.authenticate(&user(&name, &password).applicant()).await.unwrap();
            matches!(outcome, Outcome::Allow(_))
        })
    };
    let tasks: Vec<_> = (0..CROWD).map(ask).collect();
    let mut allowed = 0;
    for (at, task) in tasks.into_iter().enumerate() {
        let is_allowed = task.await.unwrap();
        assert_eq!(is_allowed, !at.is_multiple_of(10), "dev-{at}");
        allowed += usize::from(is_allowed);
    }
    assert_eq!(allowed, CROWD - CROWD / 10);
    let report = asked.backend.report();
    assert_eq!((report.asked, report.failed, report.spared), (10_000, 0, 0));
    assert_eq!(server.calls("hmget"), 10_000);
    assert!(connections(&server) <= 8, "{} connections", connections(&server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_want_to_know_the_same_at_once_ask_once() {
    let server = RedisServer::start(&RedisOptions::default());
    fill(&server);
    for (ttl, most) in [(Duration::ZERO, 500), (Duration::from_secs(60), 1)] {
        server.cli(&["CONFIG", "RESETSTAT"]);
        let backend = BackendConfig { cache_ttl: ttl, ..plain_backend() };
        let config = single(&server);
        let asked = Arc::new(Asked::with(config, "HMGET mqtt_user:%u password", PasswordHash::Plain, RedisFields::default(), backend));
        // All are there before the first answer comes.
        server.cli(&["CLIENT", "PAUSE", "300", "ALL"]);
        let ask = |at: usize| {
            let asked = Arc::clone(&asked);
            tokio::spawn(async move {
                let password = if at.is_multiple_of(2) { "secret-7" } else { "wrong" };
                (at, asked.about(&user("dev-7", password)).await)
            })
        };
        let tasks: Vec<_> = (0..1000).map(ask).collect();
        for task in tasks {
            let (at, said) = task.await.unwrap();
            assert_eq!(said, if at.is_multiple_of(2) { "allow" } else { "deny: wrong password" });
        }
        let calls = server.calls("hmget");
        assert!(calls >= 1 && calls <= most, "{calls} commands with {ttl:?}");
        assert_eq!(asked.backend.report().asked, calls);
    }
}

#[tokio::test]
async fn answers_are_remembered_until_somebody_says_to_forget_them() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "mqtt_user:ann", "password", "public"]);
    let backend = BackendConfig { cache_ttl: Duration::from_secs(600), ..plain_backend() };
    let asked = Asked::with(single(&server), "HMGET mqtt_user:%u password", PasswordHash::Plain, RedisFields::default(), backend);
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    assert_eq!(asked.about(&user("bob", "public")).await, "unknown: it is not there");
    server.cli(&["HSET", "mqtt_user:ann", "password", "changed"]);
    server.cli(&["HSET", "mqtt_user:bob", "password", "public"]);
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    assert_eq!(asked.about(&user("ann", "wrong")).await, "deny: wrong password");
    assert_eq!(asked.about(&user("bob", "public")).await, "unknown: it is not there");
    let report = asked.backend.report();
    assert_eq!((report.asked, report.remembered), (2, 3));
    asked.backend.forget();
    assert_eq!(asked.about(&user("ann", "public")).await, "deny: wrong password");
    assert_eq!(asked.about(&user("ann", "changed")).await, "allow");
    assert_eq!(asked.about(&user("bob", "public")).await, "allow");
    assert_eq!(server.calls("hmget"), 4);
}
