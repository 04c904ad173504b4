//! Counted instructions: what decoding, routing and connecting cost, in a unit that does not depend on what else the machine does. One run under
//! callgrind does every [`Case`]; what is counted is held against `expected.toml`, so that a change that makes something dearer is seen.
//!
//! Only pure crates are counted. What the kernel, TLS and the disk take is measured elsewhere (`test/bench`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a case that cannot be made ready ends the program with its reason")]

mod callgrind;
mod case;
mod codec;
mod command;
mod connecting;
mod packets;
mod router;
mod shard;
mod table;

pub use case::{Case, Operation};
pub use command::{compare, profile, run, write};

/// All cases, in the order of the table.
#[must_use]
pub fn cases() -> Vec<Case> {
    [codec::cases(), router::cases(), connecting::cases()].into_iter().flatten().collect()
}
