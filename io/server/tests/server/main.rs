//! The server on real sockets, with scripted clients.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

mod crowds;
mod limits;
mod messages;
mod proxies;
mod refusals;
mod restarts;
mod revocation;
mod rig;
mod status;
mod transports;
