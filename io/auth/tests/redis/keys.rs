//! Keys that devices share with the broker, in a real Redis.

use std::time::Duration;

use signet_auth::{Backend, BackendConfig, KeySource as _, Placeholders, RedisCommand, RedisConnections, RedisKeys, SharedKey};
use signet_identity::DeviceName;
use signet_testkit::{RedisOptions, RedisServer};

use crate::rig::{plain_backend, single};

fn keys(server: &RedisServer, text: &str, backend: BackendConfig) -> RedisKeys {
    let command = RedisCommand::parse(text, Some(Placeholders::Signet)).unwrap();
    RedisKeys::new(RedisConnections::new(single(server)).unwrap(), command, Backend::new(backend)).unwrap()
}

/// The key as it is written, `-` for none, or why there is none to be had.
async fn about(keys: &RedisKeys, device: &str) -> String {
    match keys.key(&DeviceName::new(device).unwrap()).await {
        Ok(SharedKey::None) => "-".to_owned(),
        Ok(SharedKey::Written(octets)) => String::from_utf8(octets.to_vec()).unwrap(),
        Ok(SharedKey::Unusable(why)) => format!("unusable: {why}"),
        Err(failure) => format!("failed: {failure}"),
    }
}

#[tokio::test]
async fn a_key_is_found_by_the_name_of_the_device_and_by_no_other() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "psk:pump-7", "key", "aabb"]);
    server.cli(&["HSET", "all", "pump-7", "aabb"]);
    server.cli(&["SET", "text:pump-7", "aabb"]);
    for text in [
        "HGET psk:${device} key",
        "HGET all ${device}",
        "GET text:${device}",
        "EVAL_RO \"return redis.call('HGET', KEYS[1], 'key')\" 1 psk:${device}",
    ] {
        let keys = keys(&server, text, plain_backend());
        assert_eq!(about(&keys, "pump-7").await, "aabb", "{text}");
        assert_eq!(about(&keys, "pump-8").await, "-", "{text}");
    }
}

#[tokio::test]
async fn no_name_becomes_anything_but_one_argument() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "psk:victim", "key", "aabb"]);
    server.cli(&["HSET", "victims", "victim", "aabb"]);
    let before = server.cli(&["DBSIZE"]);
    for text in ["HGET psk:${device} key", "HGET \"psk:${device}\" key", "HGET victims ${device}"] {
        let keys = keys(&server, text, plain_backend());
        for name in [
            "victim key",
            " victim",
            "victim ",
            "x victim",
            "\"victim\"",
            "'victim'",
            "x\" key \"",
            "\\x76ictim",
            "*",
            "vict?m",
            "[v]ictim",
            "{victim}",
            "x${device}",
            "%u",
            "x; FLUSHALL",
        ] {
            assert_eq!(about(&keys, name).await, "-", "{text}: {name}");
        }
        assert_eq!(about(&keys, "victim").await, "aabb");
    }
    assert_eq!(server.cli(&["DBSIZE"]), before);
}

#[tokio::test]
async fn an_entry_that_is_no_use_makes_nobody_else_fail() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "psk:good", "key", "aabb"]);
    server.cli(&["SET", "psk:kind", "aabb"]);
    server.cli(&["HSET", "psk:empty", "key", ""]);
    server.cli(&["HSET", "psk:long", "key", &"a".repeat(SharedKey::MAXIMUM + 1)]);
    let backend = BackendConfig { breaker_failures: 1, ..plain_backend() };
    let keys = keys(&server, "HGET psk:${device} key", backend);
    assert_eq!(about(&keys, "kind").await, "unusable: its key holds something else than the command reads");
    assert_eq!(about(&keys, "empty").await, "unusable: the key is empty");
    assert_eq!(about(&keys, "long").await, "unusable: there are 1025 octets, which is no key");
    assert_eq!(about(&keys, "good").await, "aabb");
    assert_eq!(keys.backend().unwrap().report().failed, 0);
}

#[tokio::test]
async fn answers_are_remembered_and_forgotten_and_failures_are_not_answers() {
    let mut server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "psk:pump-7", "key", "aabb"]);
    let backend = BackendConfig { cache_ttl: Duration::from_secs(3600), ..plain_backend() };
    let keys = keys(&server, "HGET psk:${device} key", backend);
    assert_eq!(about(&keys, "pump-7").await, "aabb");
    server.cli(&["HSET", "psk:pump-7", "key", "ccdd"]);
    assert_eq!(about(&keys, "pump-7").await, "aabb");
    keys.backend().unwrap().forget();
    assert_eq!(about(&keys, "pump-7").await, "ccdd");
    server.stop();
    assert_eq!(about(&keys, "pump-7").await, "ccdd");
    let said = about(&keys, "pump-8").await;
    assert!(said.starts_with("failed: cannot connect to 127.0.0.1:"), "{said}");
    server.restart();
    assert_eq!(about(&keys, "pump-8").await, "-");
}

#[test]
fn commands_that_cannot_bring_a_key_are_refused() {
    for (text, expected) in [
        ("HMGET psk:${device} key", "begins with `HMGET`, which brings more than one value"),
        ("HGETALL psk:${device}", "begins with `HGETALL`"),
        ("GET psk", "asks the same for every device"),
        ("GET psk:%u", "asks the same for every device"),
        ("GET psk:${username}", "holds `${username}`, which nobody knows before the key is proved"),
        ("HGET psk:${device} ${cert.cn}", "holds `${cert.cn}`"),
    ] {
        let command = RedisCommand::parse(text, Some(Placeholders::Signet)).unwrap();
        let error = RedisKeys::check_command(&command).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
