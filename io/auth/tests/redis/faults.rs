//! Redis stopped, slow, wrong, and started again in the middle.

use std::time::Duration;

use signet_auth::{BackendConfig, BreakerState, PasswordHash, RedisConfig, RedisFields};
use signet_testkit::{RedisOptions, RedisServer};

use crate::rig::{Asked, plain_backend, single, user};

const TEXT: &str = "HMGET mqtt_user:%u password";

fn server_with_ann(options: &RedisOptions<'_>) -> RedisServer {
    let server = RedisServer::start(options);
    server.cli(&["HSET", "mqtt_user:ann", "password", "public"]);
    server
}

fn hasty(milliseconds: u64) -> BackendConfig {
    BackendConfig { timeout: Duration::from_millis(milliseconds), ..plain_backend() }
}

fn asked(config: RedisConfig, backend: BackendConfig) -> Asked {
    Asked::with(config, TEXT, PasswordHash::Plain, RedisFields::default(), backend)
}

#[tokio::test]
async fn a_server_that_is_gone_lets_nobody_in_and_one_that_is_back_does() {
    let mut server = server_with_ann(&RedisOptions::default());
    let asked = asked(single(&server), plain_backend());
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    server.stop();
    for _ in 0..3 {
        let said = asked.about(&user("ann", "public")).await;
        assert!(said.starts_with("failed: cannot connect to 127.0.0.1:") && said.contains("refused"), "{said}");
    }
    server.restart();
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    assert_eq!(asked.about(&user("ann", "wrong")).await, "deny: wrong password");
}

#[tokio::test]
async fn a_restart_between_two_questions_is_not_noticed() {
    let mut server = server_with_ann(&RedisOptions::default());
    let asked = asked(single(&server), plain_backend());
    for _ in 0..3 {
        assert_eq!(asked.about(&user("ann", "public")).await, "allow");
        server.restart();
    }
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    let report = asked.backend.report();
    assert_eq!((report.asked, report.failed), (4, 0));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_no_longer_than_allowed() {
    let server = server_with_ann(&RedisOptions::default());
    let asked = asked(single(&server), hasty(300));
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    server.freeze();
    for _ in 0..2 {
        assert_eq!(asked.about(&user("ann", "public")).await, "failed: no answer from `devices` within 300ms");
    }
    server.thaw();
    // The answers that come late are nobody's.
    assert_eq!(asked.about(&user("bob", "public")).await, "unknown: it is not there");
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
}

#[tokio::test]
async fn a_slow_server_is_waited_for_within_the_limit_and_not_beyond() {
    let server = server_with_ann(&RedisOptions::default());
    let patient = asked(single(&server), plain_backend());
    server.cli(&["CLIENT", "PAUSE", "300", "ALL"]);
    assert_eq!(patient.about(&user("ann", "public")).await, "allow");
    let hasty = asked(single(&server), hasty(200));
    server.cli(&["CLIENT", "PAUSE", "2000", "ALL"]);
    assert_eq!(hasty.about(&user("ann", "public")).await, "failed: no answer from `devices` within 200ms");
    assert_eq!(patient.about(&user("ann", "public")).await, "allow");
    assert_eq!(hasty.about(&user("ann", "public")).await, "allow");
}

#[tokio::test]
async fn the_breaker_opens_and_closes_by_what_redis_does() {
    let mut server = server_with_ann(&RedisOptions::default());
    let backend = BackendConfig { breaker_failures: 3, breaker_pause: Duration::from_millis(300), ..plain_backend() };
    let asked = asked(single(&server), backend);
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    server.stop();
    for _ in 0..3 {
        asked.about(&user("ann", "public")).await;
    }
    assert_eq!(asked.backend.report().breaker, BreakerState::Open);
    let said = asked.about(&user("ann", "public")).await;
    assert!(said.starts_with("failed: `devices` is not asked for a while"), "{said}");
    let report = asked.backend.report();
    assert_eq!((report.asked, report.failed, report.spared), (4, 3, 1));
    server.restart();
    while asked.about(&user("ann", "public")).await != "allow" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(asked.backend.report().breaker, BreakerState::Closed);
}

#[tokio::test]
async fn wrong_passwords_and_missing_rights_are_failures_that_say_what_to_do() {
    let users =
        ["reader on >reader-secret ~mqtt_user:* +hmget", "elsewhere on >reader-secret ~other:* +hmget", "writer on >reader-secret ~* +set"];
    let server = server_with_ann(&RedisOptions { password: Some("server-secret"), users: &users, ..RedisOptions::default() });
    let login = |username: Option<&str>, password: Option<&str>| RedisConfig {
        username: username.map(str::to_owned),
        password: password.map(|password| password.to_owned().into()),
        ..single(&server)
    };
    for (username, password, expected) in [
        (None, Some("server-secret"), "allow"),
        (Some("default"), Some("server-secret"), "allow"),
        (Some("reader"), Some("reader-secret"), "allow"),
        (None, None, "Redis wants a password"),
        (None, Some("wrong"), "Password authentication failed"),
        (Some("reader"), Some("server-secret"), "Password authentication failed"),
        (Some("nobody"), Some("reader-secret"), "Password authentication failed"),
        (Some("elsewhere"), Some("reader-secret"), "allow the user of this program the command and the keys"),
        (Some("writer"), Some("reader-secret"), "allow the user of this program the command and the keys"),
    ] {
        let asked = asked(login(username, password), plain_backend());
        for _ in 0..2 {
            let said = asked.about(&user("ann", "public")).await;
            if expected == "allow" {
                assert_eq!(said, "allow", "{username:?}");
            } else {
                assert!(said.starts_with("failed: ") && said.contains(expected), "{username:?} {password:?}: {said}");
                assert!(!said.contains("-secret"), "{said}");
            }
        }
    }
    // A password that is changed on the way: the connection that is there goes on, and a new one fails until it is changed here too.
    let asked = asked(login(Some("reader"), Some("reader-secret")), plain_backend());
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    server.cli(&["ACL", "DELUSER", "reader"]);
    let said = asked.about(&user("ann", "public")).await;
    assert!(said.contains("Password authentication failed"), "{said}");
    server.cli(&["ACL", "SETUSER", "reader", "on", ">reader-secret", "~mqtt_user:*", "+hmget"]);
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
}

#[tokio::test]
async fn a_script_that_is_gone_is_a_failure_that_says_so() {
    let server = server_with_ann(&RedisOptions::default());
    let sha = server.cli(&["SCRIPT", "LOAD", "return redis.call('HGET', KEYS[1], 'password')"]);
    let asked = Asked::new(single(&server), &format!("EVALSHA {sha} 1 mqtt_user:%u"), PasswordHash::Plain);
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    server.cli(&["SCRIPT", "FLUSH"]);
    let said = asked.about(&user("ann", "public")).await;
    assert!(said.starts_with("failed: ") && said.contains("SCRIPT LOAD"), "{said}");
}

#[tokio::test]
async fn something_else_on_the_port_is_a_failure() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeter = std::thread::spawn(move || {
        use std::io::Write as _;
        for stream in listener.incoming().take(3) {
            let _ = stream.unwrap().write_all(b"220 mail ESMTP\r\n");
        }
    });
    let config = RedisConfig::new(signet_auth::RedisDeployment::Single { address: crate::rig::address(port) });
    let asked = asked(config, hasty(2000));
    for _ in 0..3 {
        let said = asked.about(&user("ann", "public")).await;
        assert!(said.starts_with("failed: "), "{said}");
    }
    greeter.join().unwrap();
}
