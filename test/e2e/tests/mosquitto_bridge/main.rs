//! The `connection` bridges of a `mosquitto.conf`, given to the real mosquitto and to ours: the same packets, the same messages, the same topics.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test reports by panicking")]

mod incoming;
mod outcomes;
mod recorded;
mod reload;
mod rig;
mod tls;
