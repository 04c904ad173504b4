//! What test suites share: a PKI made on the spot, the real broker in a directory of its own, and devices that speak packet by packet.
//!
//! Everything here reports by panicking, with what was expected and what came instead: it only ever runs inside a test.

#![expect(clippy::panic, clippy::unwrap_used, clippy::expect_used, reason = "a test rig reports by panicking")]

mod broker;
mod certs;
mod daemon;
mod device;
mod http_service;
mod ldap_server;
mod mariadb_server;
mod mosquitto;
mod nginx;
mod openssl_ca;
mod postgres_server;
mod redis_server;
mod relay;
mod rush;
mod session;

pub use broker::{Broker, BrokerConfig, free_port};
pub use certs::{CrlWindow, Identity, Pki};
pub use daemon::await_stopped;
pub use device::{Device, Target, connect_packet, packet_id, publish_packet, subscribe_packet, topic, topic_filter};
pub use http_service::{HttpService, ServiceTls};
pub use ldap_server::LdapServer;
pub use mariadb_server::MariadbServer;
pub use mosquitto::Mosquitto;
pub use nginx::Nginx;
pub use openssl_ca::{CrlWish, Issued, OcspResponder, OpensslCa};
pub use postgres_server::PostgresServer;
pub use redis_server::{RedisCluster, RedisOptions, RedisSentinels, RedisServer};
pub use relay::{Conduct, Relay};
pub use rush::{Rush, raise_open_files};
pub use session::{Happened, Session};
pub use signet_client::{ClientError, Received};
