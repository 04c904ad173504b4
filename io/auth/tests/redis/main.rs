//! Asks real Redis servers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests report by panicking")]

mod crowd;
mod deployments;
mod faults;
mod injection;
mod keys;
mod replies;
mod rig;
mod rules;
mod story;
mod tls;
