//! Runs `signet-broker` on sockets: one thread, one epoll and one broker state machine per shard.
//!
//! Who owns what: a connection belongs to exactly one shard at a time, first to the one that does its handshake, and from CONNECT on to the
//! one that owns its session. Shards exchange connections and deliveries through mailboxes, in batches, with one wake-up per batch. The
//! control plane (administration, configuration) reaches the shards only through [`ServerHandle`].

mod config;

pub use config::{ListenerConfig, ServerConfig, StartError, TransportConfig};
pub use handle::{KickReport, ServerHandle, ServerStats, start};
mod handle;
