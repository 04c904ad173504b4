//! The server on real sockets, with scripted clients.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod crowds;
mod damaged;
mod explain;
mod forge;
mod limits;
mod messages;
mod pending;
mod profiles;
mod proxies;
mod races;
mod refusals;
mod restarts;
mod revocation;
mod rig;
mod stage;
mod status;
mod tickets;
mod transports;
mod x509;
