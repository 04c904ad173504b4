//! Bridges: this broker as a client of another one [MQTT-7.0.0-1] (3.1.1), so that topics of both are joined.
//!
//! A bridge joins two MQTT sessions, one here and one at the other broker, and keeps no state of its own that matters. What it reads as a
//! PUBLISH from one side it sends to the other with the same Packet Identifier, and every acknowledgement comes back the same way:
//!
//! ```text
//!   local session ──PUBLISH 7──▶ bridge ──PUBLISH 7──▶ remote session
//!                 ◀──PUBACK 7──        ◀──PUBACK 7──
//! ```
//!
//! So nothing is acknowledged before the broker that is to have it has acknowledged it, and both sessions send again what was under way when
//! the bridge, the link or a broker died: at least once for QoS 1, exactly once for QoS 2. While the other broker cannot be reached the local
//! session queues, with the limits and the durability of every other session.
//!
//! - [`Bridges::start`] runs one thread for each bridge; [`Bridges::status`] tells how they fare; [`Bridges::retire`] and [`Bridges::adopt`] change
//!   them while they run.
//! - `topics.rs` maps names, `forward.rs` decides what becomes of a packet (both without sockets); `session.rs` is one connection from dialling
//!   to its end, `thread.rs` what comes between two connections.

mod config;
mod dial;
mod echo;
mod error;
mod forward;
mod hops;
mod keep_alive;
mod lazy;
mod leg;
mod opening;
mod probe;
mod requests;
mod running;
mod schedule;
mod session;
mod side;
mod status;
mod stream;
mod thread;
mod topics;
mod waiter;

pub use config::{
    BridgeConfig, LocalBroker, LocalSession, Notification, Outgoing, Reconnect, ReloadRule, Remote, RemoteAddress, RemoteTls,
    SessionSettings, SocketOptions, Start, TcpKeepAlive,
};
pub use running::{Bridges, Change, Planned};
pub use schedule::Schedule;
pub use signet_psk::PskSettings;
pub use status::{BridgeStatus, Dropped};
pub use topics::{Direction, TopicRule, TopicRuleError};
