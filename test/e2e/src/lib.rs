//! The real binary in a directory of its own, and other people's MQTT clients against it: what a user would do, done by a test.
//!
//! Nothing of Signet is linked in. The binary is `$SIGNET_BIN`, or the one `cargo build` leaves in the target folder; the clients are
//! the ones that `test/setup` installs. Whatever is missing fails the test with the command that mends it.

#![expect(clippy::expect_used, clippy::panic, reason = "a rig that cannot do its job fails the test that uses it")]

mod client;
mod named;
pub mod original;
mod pki;
mod process;
pub mod s_client;
mod scram;
mod site;
mod tools;
pub mod transcript;

pub use client::{Client, Credentials, Door, Publication, Subscription, Version, Will};
pub use named::Whose;
pub use pki::{Pki, Validity};
pub use process::{Finished, Running};
pub use scram::{Scramp, mqttjs_scram};
pub use site::{Broker, Site};
pub use tools::{haproxy, openssl, repository};

use std::time::Duration;

/// How long a test waits for something that must happen before it fails. Generous: it is never waited for when things work.
pub const PATIENCE: Duration = Duration::from_secs(30);
