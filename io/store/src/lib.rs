//! Where the broker's changes become durable: in a journal on disk ([`Store`]), or nowhere ([`MemoryStore`]).
//!
//! One writer thread serves all shards. A shard appends its changes to a buffer of its own ([`StoreHandle`]) and posts it; what all shards
//! posted while the disk was busy with the last batch is the next one, written and synced at once. Then the shards' durable tickets rise.
//!
//! At start [`Store::open`] reads the journal and gives the state back as an [`signet_broker::Image`].

mod config;
mod error;
mod handle;
mod memory;
mod state;
mod store;

pub use config::StoreConfig;
pub use error::StoreError;
pub use handle::StoreHandle;
pub use memory::MemoryStore;
pub use state::{StoreState, StoreStats};
pub use store::{Opened, Store};
