//! Where the broker's changes become durable: in a journal on disk ([`Store`]), or nowhere ([`MemoryStore`]).
//!
//! One writer thread serves all shards. A shard appends its changes to a buffer of its own ([`StoreHandle`]) and posts it; what all shards
//! posted while the disk was busy with the last batch is the next one, written and synced at once. Then the shards' durable tickets rise.
//!
//! At start [`Store::open`] reads the journal and gives the state back as an [`signet_broker::Image`].

mod compact;
mod config;
mod engine;
mod error;
mod handle;
mod index;
mod memory;
mod record;
mod recover;
mod shared;
#[cfg(feature = "simulated")]
pub mod simulated;
mod state;
mod store;
mod writer;

pub use config::StoreConfig;
pub use error::StoreError;
pub use handle::StoreHandle;
pub use memory::MemoryStore;
pub use record::{RecordError, encode};
pub use recover::image_of;
pub use signet_journal::Cut;
pub use state::{StoreState, StoreStats};
pub use store::{Opened, Store, StoreWatch};

#[cfg(test)]
mod tests;
