//! A blocking MQTT client over TCP, TLS, WebSocket and unix sockets, directly or through a proxy, for `signet pub`, `signet sub`, the programs that have
//! the flags of Mosquitto's, and the test rigs.
//!
//! One thread, one socket, no runtime: [`Client::poll`] is the only place that waits, and everything else is built on it.
//!
//! ```text
//! Endpoint ──resolve, dial──▶ Transport (tcp | unix, tls, WebSocket) ──bytes──▶ Wire (packets) ──▶ Client (QoS, keep alive, acknowledgements)
//! ```
//!
//! Deliberately missing: when to connect anew ([`Client::reconnect`] is asked to), enhanced authentication, and a session that outlives
//! the process (a persistent session's queue is the broker's; what this process had in flight is gone with it).

mod client;
mod dial;
mod endpoint;
mod error;
mod in_flight;
mod keep_alive;
mod service;
mod socket;
mod socks5;
mod trace;
mod transport;
mod wire;

pub use client::{Client, ConnectOptions, Event, OutgoingMessage};
pub use dial::SocketOptions;
pub use endpoint::{Endpoint, Place, PskOptions, TlsOptions};
pub use error::{ClientError, in_words};
pub use signet_psk::{DeviceName, Psk, PskError};
pub use signet_tls::{MinimumVersion, PeerFault, TlsError};
pub use socks5::{ProxyFault, Socks5Proxy};
pub use trace::Trace;
pub use transport::{Interrupter, Transport};
pub use wire::{Received, Wire};
