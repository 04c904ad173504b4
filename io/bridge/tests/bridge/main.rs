//! Bridges between brokers that are really there: a server in this process, mosquitto, and a broker that says what the test wants to hear.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test reports by panicking")]

mod cut;
mod fake;
mod kill;
mod mosquitto;
mod options;
mod reload;
mod rig;
mod signets;
