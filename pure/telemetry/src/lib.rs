//! What a running broker tells about itself: names, units and formats. Who gathers the numbers and who publishes them is elsewhere.
//!
//! A [`Snapshot`] is everything at one moment. [`exposition()`] writes it as Prometheus reads it, [`SysTree`] as the messages of the
//! `$SYS` tree that changed. Each name stands in one table with its words, so that the reference page ([`reference()`]) cannot differ.

mod exposition;
mod load;
mod metrics;
mod snapshot;
mod sys_tree;

pub use exposition::{exposition, numbers, reference};
pub use snapshot::{
    Backend, Bridge, Certificates, Clients, CrlFreshness, Dropped, Full, Handshakes, Held, Holds, Messages, Process, RevocationSource,
    Snapshot, Store, StoreState, Traffic, Trust,
};
pub use sys_tree::{SysTree, sys_topics};
