//! The story of the EMQX post: a certificate, and a secret in Redis for each of them.

use signet_auth::{PasswordHash, RedisConnections, RedisFields, RedisLookup, RedisRecords, SaltPosition};
use signet_testkit::{RedisOptions, RedisServer};

use crate::rig::{Asked, Someone, command, device, plain_backend, single};

const NAME: &str = "346a004d-1dab-4016-bb38-03cca7094415";

#[tokio::test]
async fn a_device_needs_its_certificate_and_the_password_that_redis_has_for_it() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HMSET", &format!("tls_domain:{NAME}"), "password", "public"]);
    let asked = Asked::new(single(&server), "HMGET tls_domain:%C password", PasswordHash::Plain);
    let other = "446a004d-1dab-4016-bb38-03cca7094415";
    assert_eq!(asked.about(&device(NAME, "public")).await, "allow");
    assert_eq!(asked.about(&device(NAME, "Public")).await, "deny: wrong password");
    assert_eq!(asked.about(&device(NAME, "")).await, "deny: wrong password");
    assert_eq!(asked.about(&device(other, "public")).await, "unknown: it is not there");
    let without_password = Someone { password: None, ..device(NAME, "") };
    assert_eq!(asked.about(&without_password).await, "unknown: it sends no password");
    // The name alone, claimed in every field there is, is no certificate.
    let claimed = Someone { common_name: None, username: Some(NAME), client_identifier: Some(NAME), password: Some("public") };
    let said = asked.about(&claimed).await;
    assert!(said.starts_with("unknown: `${cert.cn}` has no value"), "{said}");
    assert_eq!(server.calls("hmget"), asked.backend.report().asked);
}

#[tokio::test]
async fn every_way_to_write_the_placeholder_asks_the_same() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HMSET", &format!("tls_domain:{NAME}"), "password", "public"]);
    for text in [
        "HMGET tls_domain:%C password",
        "HMGET tls_domain:${cert_common_name} password",
        "hmget tls_domain:${cert.cn} password salt is_superuser",
        "HGET tls_domain:%C password",
        r#"HGET "tls_domain:%C" 'password'"#,
        "HGETALL tls_domain:${cert.cn:lower}",
        r#"EVAL_RO "return redis.call('HMGET', KEYS[1], 'password')" 1 tls_domain:%C"#,
    ] {
        let asked = Asked::new(single(&server), text, PasswordHash::Plain);
        assert_eq!(asked.about(&device(NAME, "public")).await, "allow", "{text}");
        assert_eq!(asked.about(&device(NAME, "wrong")).await, "deny: wrong password", "{text}");
        assert_eq!(asked.about(&device("other", "public")).await, "unknown: it is not there", "{text}");
    }
}

#[tokio::test]
async fn a_salt_stands_before_or_behind_the_password() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HMSET", "tls_domain:prefix", "password", &sha256("saltpublic"), "salt", "salt"]);
    server.cli(&["HMSET", "tls_domain:suffix", "password", &sha256("publicsalt").to_uppercase(), "salt", "salt"]);
    server.cli(&["HMSET", "tls_domain:unsalted", "password", &sha256("public")]);
    for (name, position, other) in [("prefix", SaltPosition::Prefix, "suffix"), ("suffix", SaltPosition::Suffix, "prefix")] {
        let asked = Asked::new(single(&server), "HMGET tls_domain:%C password salt", PasswordHash::Sha256(position));
        assert_eq!(asked.about(&device(name, "public")).await, "allow", "{name}");
        assert_eq!(asked.about(&device(name, "publi")).await, "deny: wrong password", "{name}");
        assert_eq!(asked.about(&device("unsalted", "public")).await, "allow", "{name}");
        assert_eq!(asked.about(&device(other, "public")).await, "deny: wrong password", "{name}");
        // The salt is not asked for, and so it is not there.
        let without = Asked::new(single(&server), "HMGET tls_domain:%C password", PasswordHash::Sha256(position));
        assert_eq!(without.about(&device(name, "public")).await, "deny: wrong password", "{name}");
    }
}

/// By another program.
fn sha256(text: &str) -> String {
    let output = std::process::Command::new("sh").args(["-c", &format!("printf %s {text} | sha256sum")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_second_command_says_who_is_a_superuser() {
    let server = RedisServer::start(&RedisOptions::default());
    for (name, truth) in [("root", "1"), ("guest", "0")] {
        server.cli(&["HSET", &format!("mqtt_user:{name}"), "password", "public", "is_superuser", truth]);
    }
    server.cli(&["HSET", "mqtt_user:plain", "password", "public"]);
    server.cli(&["SET", "kind:string", "1"]);
    let is_superuser = async |first: &str, second: Option<&str>, name: &str| {
        let connections = RedisConnections::new(single(&server)).unwrap();
        let lookup = RedisLookup::new(command(first), second.map(command), RedisFields::default()).unwrap();
        let records = RedisRecords::new(connections, lookup);
        let asked = Asked::of(records, PasswordHash::Plain, plain_backend());
        let applicant = crate::rig::user(name, "public").applicant();
        match signet_auth::Authenticator::authenticate(&asked.authenticator, &applicant).await.unwrap() {
            signet_policy::Outcome::Allow(grant) => grant.superuser,
            other => panic!("{other:?}"),
        }
    };
    let (auth, superuser) = ("HMGET mqtt_user:%u password", Some("HGET mqtt_user:%u is_superuser"));
    assert!(is_superuser(auth, superuser, "root").await);
    assert!(!is_superuser(auth, superuser, "guest").await);
    assert!(!is_superuser(auth, superuser, "plain").await);
    assert!(!is_superuser(auth, None, "root").await);
    assert!(is_superuser("HMGET mqtt_user:%u password salt is_superuser", None, "root").await);
    assert!(is_superuser("HGETALL mqtt_user:%u", None, "root").await);
    // Who is looked up by another name is no superuser by the one that it claims.
    server.cli(&["HSET", "mqtt_user:client-1", "password", "public"]);
    assert!(!is_superuser("HMGET mqtt_user:%c password", superuser, "root").await);
    assert!(is_superuser("HMGET mqtt_user:%u password", Some("HGET mqtt_user:%u is_superuser"), "root").await);
    // What cannot be read makes nobody a superuser.
    assert!(!is_superuser(auth, Some("HGET kind:string %u"), "root").await);
    assert!(!is_superuser(auth, Some("HGET mqtt_user:%C is_superuser"), "root").await);
}
