//! Conformance by statement: every test starts a broker of its own and talks to it over a socket.
//!
//! The broker runs with one shard (except in `shards.rs`), so that a PINGREQ answered after everything else proves that nothing else is coming.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking, as the tests do"
)]

mod access_files;
mod acknowledgements;
mod connack;
mod connect;
mod connect_will;
mod data;
mod disconnect;
mod errors;
mod flow_control;
mod keep_alive;
mod listed;
mod mqtt_3_1;
mod ping;
mod publish;
mod publish_properties;
mod quality_of_service;
mod raw;
mod retained;
mod session;
mod shards;
mod shared;
mod subscribe;
mod subscribe_options;
mod tls;
mod topics;
mod unsubscribe;

use signet_mqtt::ProtocolVersion::{self, V5, V311};
use signet_testkit::{Broker, BrokerConfig};

/// For what holds in every version.
const ALL: [ProtocolVersion; 3] = ProtocolVersion::ALL;

/// For what MQTT 3.1 does not say: bits that it leaves unused, fields it lets a client leave out.
const SINCE_311: [ProtocolVersion; 2] = [V311, V5];

/// A Maximum Packet Size in which our CONNACK fits and no sentence does.
const CONNACK_FITS: u32 = 20;

/// Whether a CONNACK of this version can say that a session is resumed.
fn tells_session(version: ProtocolVersion) -> bool {
    version != ProtocolVersion::V31
}

fn broker() -> Broker {
    Broker::start(&BrokerConfig::plain())
}
