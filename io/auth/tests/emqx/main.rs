//! What EMQX is documented to do, beside what happens here: row by row the same, or something that lets in and allows less. What is less stands in the guides
//! too, in the same words.
//!
//! The rows follow the documentation of EMQX 5 and 6 and of the Redis plugin of EMQX 4.4. "Legacy" and "hardened" are the security profiles of EMQX 6.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod access;
mod chain;
mod rig;
mod table;
