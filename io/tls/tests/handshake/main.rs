//! Whole handshakes in memory, between our server end and rustls' client: who gets in, who does not, and which alert the client sees.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod accepted;
mod files;
mod garbage;
mod key_usage;
mod overdue;
mod refused;
mod resumption;
mod rig;
mod settings;
mod version_1;
