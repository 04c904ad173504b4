//! A load generator for any MQTT broker: what `signet bench` runs.
//!
//! ```text
//! Target, settings ──opening──▶ Net (one thread, one epoll) of Links (TCP, TLS, WebSocket) ──octets──▶ connect | idle | pubsub ──▶ Report
//!                                                                                                            wire ─┘   └─ usage: the broker's CPU and memory
//! ```
//!
//! It must cost less per message than any broker, or it would measure itself: packets are made from templates, many go into one write and one TLS
//! record, and what arrives is looked at where it lies (`wire.rs`). Packets that are no part of the load go through `signet-mqtt`.
//!
//! Nothing here prints: progress goes to a [`Control`], the result is a [`Report`]. Every load is bounded and ends by itself.

mod clock;
mod connect;
mod control;
mod error;
mod failures;
mod histogram;
mod idle;
mod keys;
mod link;
mod machine;
mod net;
mod number;
mod opening;
mod pubsub;
mod report;
mod session;
mod target;
mod usage;
mod websocket;
mod wire;

pub use connect::{ConnectLoad, connect};
pub use control::{Control, Progress};
pub use error::LoadError;
pub use histogram::Histogram;
pub use idle::{IdleLoad, idle};
pub use machine::{pin, raise_open_files};
pub use pubsub::{Layout, PubSubLoad, QosMix, SMALLEST_PAYLOAD, pubsub};
pub use report::{Arrivals, BrokerCpu, BrokerMemory, Common, ConnectFacts, Facts, IdleFacts, LatencyMicros, PubSubFacts, Report, TlsFacts};
pub use target::{Target, reachable};
