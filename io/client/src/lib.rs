//! A blocking MQTT client over TCP, TLS, WebSocket and unix sockets, for `signet pub`, `signet sub` and the test rigs.
//!
//! One thread, one socket, no runtime: [`Client::poll`] is the only place that waits, and everything else is built on it.
//!
//! ```text
//! Endpoint ──resolve, connect──▶ Transport (tcp | unix, tls, WebSocket) ──bytes──▶ Wire (packets) ──▶ Client (QoS, keep alive, acknowledgements)
//! ```
//!
//! Deliberately missing: reconnecting (a command line tool says why it ended instead), enhanced authentication, and a session that outlives
//! the process (a persistent session's queue is the broker's; what this process had in flight is gone with it).

mod client;
mod endpoint;
mod error;
mod in_flight;
mod keep_alive;
mod socket;
mod trace;
mod transport;
mod wire;

pub use client::{Client, ConnectOptions, Event, OutgoingMessage};
pub use endpoint::{Endpoint, Place, PskOptions, TlsOptions};
pub use error::{ClientError, in_words};
pub use signet_psk::{DeviceName, Psk, PskError};
pub use trace::Trace;
pub use transport::{Interrupter, Transport};
pub use wire::{Received, Wire};
