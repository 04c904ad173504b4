//! The store on disk: opened once, asked by everybody, closed at the end.

use signet_broker::Image;
pub use signet_journal::Cut;

use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::handle::StoreHandle;
use crate::state::{StoreState, StoreStats};

/// What [`Store::open`] gives.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// One handle for each shard, in their order.
    pub handles: Vec<StoreHandle>,
    /// What was stored.
    pub image: Image,
    /// The end of the journal that was cut off because the last batches had not reached the disk whole, if any: worth a warning.
    pub cut: Option<Cut>,
}

/// The store on disk. Dropping it is closing it.
#[derive(Debug)]
pub struct Store {}

impl Store {
    /// Reads the journal, or begins one, and starts the writer. `wake` has one closure for each shard; it is called on the writer's thread
    /// whenever the shard's [`StoreHandle`] may answer differently than before, and must not block.
    ///
    /// # Errors
    /// A setting out of bounds; the directory cannot be used; the journal is damaged.
    pub fn open(_config: &StoreConfig, _wake: Vec<Box<dyn Fn() + Send>>) -> Result<Opened, StoreError> {
        todo!()
    }

    /// Counters and levels.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        todo!()
    }

    /// How it is doing.
    #[must_use]
    pub fn state(&self) -> StoreState {
        todo!()
    }

    /// Makes everything durable that was posted, and ends the writer.
    ///
    /// # Errors
    /// What the store failed with, now or before.
    pub fn close(self) -> Result<(), StoreError> {
        todo!()
    }
}
