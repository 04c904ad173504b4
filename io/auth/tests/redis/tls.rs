//! TLS to Redis.

use std::fs;

use signet_auth::{PasswordHash, RedisAddress, RedisConfig, RedisConnections, RedisDeployment, RedisIdentity, RedisTls};
use signet_testkit::{Identity, Pki, RedisOptions, RedisServer};

use crate::rig::{Asked, address, user};

fn config(address: RedisAddress, tls: RedisTls) -> RedisConfig {
    RedisConfig { tls: Some(tls), ..RedisConfig::new(RedisDeployment::Single { address }) }
}

fn identity(identity: &Identity) -> RedisIdentity {
    RedisIdentity { certificate: fs::read(&identity.certificate).unwrap(), key: fs::read(&identity.key).unwrap().into() }
}

async fn about_ann(config: RedisConfig) -> String {
    Asked::new(config, "HMGET mqtt_user:%u password", PasswordHash::Plain).about(&user("ann", "public")).await
}

#[tokio::test]
async fn the_server_has_to_show_a_certificate_of_the_right_authority_and_name() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let server = RedisServer::start(&RedisOptions { pki: Some(&pki), ..RedisOptions::default() });
    server.cli(&["HSET", "mqtt_user:ann", "password", "public"]);
    let right = RedisTls { authorities: fs::read(pki.ca_file()).unwrap(), ..RedisTls::default() };
    let there = address(server.tls_port());
    assert_eq!(about_ann(config(there.clone(), right.clone())).await, "allow");
    for (tls, expected) in [
        (RedisTls { authorities: fs::read(pki.foreign_ca_file()).unwrap(), ..RedisTls::default() }, "UnknownIssuer"),
        (RedisTls { server_name: Some("redis.example".to_owned()), ..right.clone() }, "redis.example"),
        // The authorities of the system do not know ours.
        (RedisTls::default(), "UnknownIssuer"),
    ] {
        let said = about_ann(config(there.clone(), tls)).await;
        assert!(said.starts_with("failed: cannot connect to ") && said.contains(expected), "{expected}: {said}");
    }
    // The name of the certificate need not be that of the address.
    let named = RedisTls { server_name: Some("localhost".to_owned()), ..right.clone() };
    assert_eq!(about_ann(config(there, named)).await, "allow");
    // Neither side takes the other for what it is not.
    let said = about_ann(config(address(server.port()), right)).await;
    assert!(said.starts_with("failed: "), "{said}");
    let plain = RedisConfig::new(RedisDeployment::Single { address: address(server.tls_port()) });
    let said = about_ann(plain).await;
    assert!(said.starts_with("failed: "), "{said}");
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_gets_it() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let server = RedisServer::start(&RedisOptions { pki: Some(&pki), client_certificates: true, ..RedisOptions::default() });
    server.cli(&["HSET", "mqtt_user:ann", "password", "public"]);
    let without = RedisTls { authorities: fs::read(pki.ca_file()).unwrap(), ..RedisTls::default() };
    let with = |shown: &Identity| RedisTls { identity: Some(identity(shown)), ..without.clone() };
    let there = address(server.tls_port());
    assert_eq!(about_ann(config(there.clone(), with(&pki.device("signet")))).await, "allow");
    let said = about_ann(config(there.clone(), without.clone())).await;
    assert!(said.starts_with("failed: "), "{said}");
    let said = about_ann(config(there.clone(), with(&pki.foreign_device("stranger")))).await;
    assert!(said.starts_with("failed: "), "{said}");
    // A key of another certificate.
    let mixed = RedisIdentity { key: fs::read(&pki.device("other").key).unwrap().into(), ..identity(&pki.device("signet-2")) };
    let said = about_ann(config(there, RedisTls { identity: Some(mixed), ..without })).await;
    assert!(said.starts_with("failed: "), "{said}");
}

#[test]
fn what_cannot_be_used_is_refused_before_anybody_is_connected_to() {
    let authorities = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    let single = || RedisDeployment::Single { address: address(6379) };
    let cluster = || RedisDeployment::Cluster { addresses: vec![address(6379)] };
    let unix = || RedisDeployment::Single { address: RedisAddress::Unix("/run/redis.sock".into()) };
    let sentinel = |master: &str| RedisDeployment::Sentinel {
        addresses: vec![address(26379)],
        master: master.to_owned(),
        username: None,
        password: None,
    };
    let tls = |tls: RedisTls| Some(tls);
    for (config, expected) in [
        (
            RedisConfig { tls: tls(RedisTls { authorities: b"no pem".to_vec(), ..RedisTls::default() }), ..RedisConfig::new(single()) },
            "expected PEM",
        ),
        (RedisConfig { tls: tls(RedisTls { authorities, ..RedisTls::default() }), ..RedisConfig::new(single()) }, "cannot be used"),
        (RedisConfig { tls: tls(RedisTls::default()), ..RedisConfig::new(unix()) }, "has no TLS"),
        (
            RedisConfig { tls: tls(RedisTls { server_name: Some("a".to_owned()), ..RedisTls::default() }), ..RedisConfig::new(cluster()) },
            "one server name for all",
        ),
        (RedisConfig { database: 1, ..RedisConfig::new(cluster()) }, "number 0 only"),
        (RedisConfig { username: Some("u".to_owned()), ..RedisConfig::new(single()) }, "no password for Redis"),
        (RedisConfig::new(sentinel("")), "know the master"),
        (RedisConfig::new(RedisDeployment::Cluster { addresses: vec![] }), "names no server"),
    ] {
        let found = RedisConnections::new(config.clone()).map(drop).unwrap_err().to_string();
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let secret = RedisConfig { password: Some("hush".to_owned().into()), ..RedisConfig::new(single()) };
    assert!(!format!("{secret:?} {:?}", RedisConnections::new(secret.clone()).unwrap()).contains("hush"));
}
