//! The server on real sockets, with scripted clients.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test reports by panicking")]
#![expect(
    clippy::too_many_lines,
    clippy::redundant_clone,
    clippy::cloned_ref_to_slice_refs,
    reason = "tables of cases, each line like the next"
)]

mod abuse;
mod credentials;
mod crowds;
mod damaged;
mod explain;
mod forge;
mod limits;
mod messages;
mod pending;
mod profiles;
mod proxies;
mod psk;
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
