//! Sentinels, clusters, databases and sockets.

use std::time::Duration;

use signet_auth::{
    BackendConfig, PasswordHash, RedisAddress, RedisConfig, RedisConnections, RedisDeployment, RedisFields, RedisLookup, RedisRecords,
    SourceCheck,
};
use signet_testkit::{RedisCluster, RedisOptions, RedisSentinels, RedisServer};

use crate::rig::{Asked, address, command, plain_backend, single, user};

const TEXT: &str = "HMGET mqtt_user:%u password";

fn asked(config: RedisConfig) -> Asked {
    let backend = BackendConfig { timeout: Duration::from_secs(20), ..plain_backend() };
    Asked::with(config, TEXT, PasswordHash::Plain, RedisFields::default(), backend)
}

fn sentinel_config(sentinels: &RedisSentinels) -> RedisConfig {
    RedisConfig {
        password: Some(RedisSentinels::PASSWORD.to_owned().into()),
        ..RedisConfig::new(RedisDeployment::Sentinel {
            addresses: sentinels.ports().into_iter().map(address).collect(),
            master: RedisSentinels::MASTER.to_owned(),
            username: None,
            password: Some(RedisSentinels::SENTINEL_PASSWORD.to_owned().into()),
        })
    }
}

#[tokio::test]
async fn the_master_is_found_by_sentinels_and_followed_when_another_takes_over() {
    let mut sentinels = RedisSentinels::start();
    sentinels.servers()[0].cli(&["HSET", "mqtt_user:ann", "password", "public"]);
    sentinels.wait_for_replica();
    let asked = asked(sentinel_config(&sentinels));
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    assert_eq!((sentinels.servers()[0].calls("hmget"), sentinels.servers()[1].calls("hmget")), (1, 0));
    sentinels.servers()[0].stop();
    let said = asked.about(&user("ann", "public")).await;
    assert!(said.starts_with("failed: no sentinel leads to a master `devices`: "), "{said}");
    sentinels.wait_for_failover();
    assert_eq!(asked.about(&user("ann", "public")).await, "allow");
    assert_eq!(asked.about(&user("ann", "wrong")).await, "deny: wrong password");
    assert!(sentinels.servers()[1].calls("hmget") > 0);
    // One sentinel is gone: the next is asked. What is written to the new master counts.
    sentinels.sentinels()[0].stop();
    sentinels.servers()[1].cli(&["HSET", "mqtt_user:ann", "password", "changed"]);
    assert_eq!(asked.about(&user("ann", "changed")).await, "allow");
    sentinels.servers()[1].cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_eq!(asked.about(&user("ann", "changed")).await, "allow");
}

#[tokio::test]
async fn a_sentinel_whose_master_says_that_it_is_none_is_not_believed() {
    let mut sentinels = RedisSentinels::start();
    sentinels.servers()[0].cli(&["HSET", "mqtt_user:ann", "password", "public"]);
    sentinels.wait_for_replica();
    let misled = sentinels.misled();
    let mut config = sentinel_config(&sentinels);
    if let RedisDeployment::Sentinel { addresses, .. } = &mut config.deployment {
        addresses.insert(0, address(misled.port()));
    }
    assert_eq!(asked(config.clone()).about(&user("ann", "public")).await, "allow");
    assert_eq!((sentinels.servers()[0].calls("hmget"), sentinels.servers()[1].calls("hmget")), (1, 0));
    if let RedisDeployment::Sentinel { addresses, .. } = &mut config.deployment {
        addresses.truncate(1);
    }
    let said = asked(config).about(&user("ann", "public")).await;
    assert!(said.starts_with("failed: ") && said.contains("is the master, and it says that it is not"), "{said}");
}

#[tokio::test]
async fn sentinels_that_do_not_know_the_way_are_a_failure_that_says_why() {
    let sentinels = RedisSentinels::start();
    let mut wrong_master = sentinel_config(&sentinels);
    let mut wrong_password = sentinel_config(&sentinels);
    if let RedisDeployment::Sentinel { master, .. } = &mut wrong_master.deployment {
        *master = "other".to_owned();
    }
    if let RedisDeployment::Sentinel { password, .. } = &mut wrong_password.deployment {
        *password = Some("wrong".to_owned().into());
    }
    let wrong_server_password = RedisConfig { password: None, ..sentinel_config(&sentinels) };
    for (config, expected) in [
        (wrong_master, "knows no master `other`"),
        (wrong_password, "Password authentication failed"),
        (wrong_server_password, "does not say its role: "),
    ] {
        let said = asked(config).about(&user("ann", "public")).await;
        assert!(said.starts_with("failed: ") && said.contains(expected), "{expected}: {said}");
    }
}

#[tokio::test]
async fn a_cluster_is_asked_where_the_key_is() {
    let mut cluster = RedisCluster::start(Some("cluster-secret"));
    // By their slots they are on all three.
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut places = std::collections::BTreeSet::new();
    for name in names {
        cluster.cli(&["HSET", &format!("mqtt_user:{name}"), "password", name]);
        places.insert(cluster.place_of(&format!("mqtt_user:{name}")));
    }
    assert_eq!(places.len(), 3);
    // One address that leads nowhere, and one that leads to the others.
    let dead = address(signet_testkit::free_port());
    let config = RedisConfig {
        password: Some("cluster-secret".to_owned().into()),
        ..RedisConfig::new(RedisDeployment::Cluster { addresses: vec![dead, address(cluster.servers()[2].port())] })
    };
    let script = r#"EVAL_RO "return redis.call('HGET', KEYS[1], 'password')" 1 mqtt_user:%u"#;
    for text in [TEXT, "HGETALL mqtt_user:%u", script] {
        let asked = Asked::new(config.clone(), text, PasswordHash::Plain);
        for name in names {
            assert_eq!(asked.about(&user(name, name)).await, "allow", "{text} {name}");
            assert_eq!(asked.about(&user(name, "wrong")).await, "deny: wrong password", "{text} {name}");
        }
        assert_eq!(asked.about(&user("nobody", "x")).await, "unknown: it is not there", "{text}");
    }
    // A server that is started again has lost its connections and nothing else.
    let asked = asked(config);
    assert_eq!(asked.about(&user("a", "a")).await, "allow");
    let place = cluster.place_of("mqtt_user:a");
    cluster.servers()[place].restart();
    let mut said = String::new();
    for _ in 0..100 {
        said = asked.about(&user("a", "a")).await;
        if said == "allow" {
            break;
        }
        assert!(said.starts_with("failed: "), "{said}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(said, "allow");
    // One that is gone for good, without a replica: those whose entries it has cannot be asked about.
    cluster.servers()[place].stop();
    let said = asked.about(&user("a", "a")).await;
    assert!(said.starts_with("failed: "), "{said}");
}

#[tokio::test]
async fn databases_and_sockets_are_where_the_configuration_says() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["-n", "3", "HSET", "mqtt_user:ann", "password", "public"]);
    let third = asked(RedisConfig { database: 3, ..single(&server) });
    assert_eq!(third.about(&user("ann", "public")).await, "allow");
    assert_eq!(asked(single(&server)).about(&user("ann", "public")).await, "unknown: it is not there");
    let said = asked(RedisConfig { database: 99, ..single(&server) }).about(&user("ann", "public")).await;
    assert!(said.starts_with("failed: ") && said.contains("database"), "{said}");
    let socket = RedisDeployment::Single { address: RedisAddress::Unix(server.socket()) };
    let by_socket = asked(RedisConfig { database: 3, ..RedisConfig::new(socket) });
    assert_eq!(by_socket.about(&user("ann", "public")).await, "allow");
}

#[tokio::test]
async fn connections_are_used_again_and_idle_ones_are_no_more_than_allowed() {
    let server = RedisServer::start(&RedisOptions::default());
    server.cli(&["HSET", "mqtt_user:ann", "password", "public"]);
    let made = || {
        let statistics = server.cli(&["INFO", "stats"]);
        let line = statistics.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap().trim().to_owned();
        line.parse::<u32>().unwrap()
    };
    let asked = asked(single(&server));
    let before = made();
    for at in 0..50 {
        assert_eq!(asked.about(&user(&format!("nobody-{at}"), "public")).await, "unknown: it is not there");
    }
    // Each look has one of its own.
    assert_eq!(made() - before, 2);
}

#[tokio::test]
async fn a_look_says_what_will_not_work_before_anybody_asks() {
    let mut server = RedisServer::start(&RedisOptions { users: &["reader on >secret ~* +hmget +evalsha"], ..RedisOptions::default() });
    let sha = server.cli(&["SCRIPT", "LOAD", "return 'x'"]);
    let reader = |server: &RedisServer| RedisConfig {
        username: Some("reader".to_owned()),
        password: Some("secret".to_owned().into()),
        ..single(server)
    };
    let records = |config: RedisConfig, text: &str| {
        let lookup = RedisLookup::new(command(text), None, RedisFields::default()).unwrap();
        RedisRecords::new(RedisConnections::new(config).unwrap(), lookup)
    };
    let missing = format!("EVALSHA {} 1 mqtt_user:%u", "0".repeat(40));
    assert_eq!(records(single(&server), TEXT).check().await, SourceCheck::Fine);
    assert_eq!(records(single(&server), &format!("EVALSHA {sha} 1 mqtt_user:%u")).check().await, SourceCheck::Fine);
    let found = records(single(&server), &missing).check().await;
    assert!(matches!(&found, SourceCheck::Wrong(why) if why.contains("SCRIPT LOAD")), "{found:?}");
    // Who may not look takes it to be well.
    assert_eq!(records(reader(&server), &missing).check().await, SourceCheck::Fine);
    let wrong = RedisConfig { password: Some("wrong".to_owned().into()), ..reader(&server) };
    let found = records(wrong, TEXT).check().await;
    assert!(matches!(&found, SourceCheck::Unreachable(why) if why.contains("authentication failed")), "{found:?}");
    server.stop();
    let found = records(single(&server), TEXT).check().await;
    assert!(matches!(&found, SourceCheck::Unreachable(why) if why.contains("refused")), "{found:?}");
}
