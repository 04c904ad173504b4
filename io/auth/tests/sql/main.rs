//! Passwords and access rules in real data bases, PostgreSQL and MariaDB: each test starts a server of its own.

#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test reports by panicking")]

#[path = "../people/mod.rs"]
mod people;
mod rig;

mod clients;
mod outages;
mod queries;
mod rules;
mod tls;
