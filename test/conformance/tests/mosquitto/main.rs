//! What clients of Mosquitto find here: the same octets, and the same answers to whoever wants to connect. Compared with the Mosquitto of the system,
//! which is 2.0; where 2.1 does it another way, the row says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking, as the tests do"
)]

mod authentication;
mod bytes;
mod options;
mod wire;

use signet_testkit::BrokerConfig;

/// What Mosquitto 2.1 does by default, in our words.
const DEFAULTS: &[&str] = &[
    "maximum_packet_size = 2000000",
    "maximum_connect_size = 100005",
    "user_properties_maximum = 65535",
    "filters_per_packet_maximum = 65535",
    "topic_levels_maximum = 201",
    "receive_maximum = 20",
    "maximum_inflight = 20",
    "topic_alias_maximum = 10",
    "client_identifier_bytes_maximum = 65535",
    "session_expiry_maximum = \"4294967295s\"",
    "overlapping_subscriptions = \"each\"",
    "foreign_session = \"resume\"",
    "server_topics = \"$SYS\"",
    "answers = \"plain\"",
];

/// A broker that does as Mosquitto does, with this chain of authenticators.
fn as_mosquitto(chain: &str) -> BrokerConfig {
    let config = BrokerConfig::plain().authentication(chain).store("enabled = false");
    DEFAULTS.iter().fold(config, |config, line| config.limit(line))
}
