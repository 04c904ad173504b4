//! Passwords and access rules in a real directory, OpenLDAP: each test starts a server of its own.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test reports by panicking")]

#[path = "../people/mod.rs"]
mod people;
mod rig;

mod clients;
mod outages;
mod rules;
