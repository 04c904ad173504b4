//! The store on disk: opened once, asked by everybody, closed at the end.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use signet_broker::Image;
use signet_journal::{Cut, DiskFolder, Folder, JournalConfig};

use crate::config::StoreConfig;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::handle::StoreHandle;
use crate::shared::Shared;
use crate::state::{StoreState, StoreStats};
use crate::writer::Writer;

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
pub struct Store {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// Asks a store how it is doing, also while that ends.
#[derive(Debug, Clone)]
pub struct StoreWatch {
    shared: Arc<Shared>,
}

impl StoreWatch {
    /// Counters and levels.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.shared.stats()
    }

    /// How it is doing.
    #[must_use]
    pub fn state(&self) -> StoreState {
        self.shared.state()
    }
}

impl Store {
    /// Reads the journal, or begins one, and starts the writer. `wake` has one closure for each shard; it is called on the writer's thread
    /// whenever the shard's [`StoreHandle`] may answer differently than before, and must not block.
    ///
    /// # Errors
    /// A setting out of bounds; the directory cannot be used; the journal is damaged.
    pub fn open(config: &StoreConfig, wake: Vec<Box<dyn Fn() + Send>>) -> Result<Opened, StoreError> {
        Self::open_in(Box::new(DiskFolder::open(&config.directory)?), config, wake)
    }

    pub(crate) fn open_in(folder: Box<dyn Folder>, config: &StoreConfig, wake: Vec<Box<dyn Fn() + Send>>) -> Result<Opened, StoreError> {
        let journal = JournalConfig { segment_bytes: config.segment_bytes.next_multiple_of(4 << 10), maximum_bytes: config.maximum_bytes };
        let (engine, image, cut) = Engine::open(folder, journal)?;
        let shared = Arc::new(Shared::new(wake.len(), config.queue_bytes_maximum, engine.stats()));
        let handles = (0..wake.len()).map(|shard| StoreHandle::new(Arc::clone(&shared), shard)).collect();
        let writer = Writer::new(engine, Arc::clone(&shared), wake, config.flush_interval);
        let writer = thread::Builder::new().name("store".to_owned()).spawn(move || writer.run()).map_err(StoreError::Thread)?;
        Ok(Opened { store: Self { shared, writer: Some(writer) }, handles, image, cut })
    }

    /// Counters and levels.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.shared.stats()
    }

    /// How it is doing.
    #[must_use]
    pub fn state(&self) -> StoreState {
        self.shared.state()
    }

    /// What asks the same from beside.
    #[must_use]
    pub fn watch(&self) -> StoreWatch {
        StoreWatch { shared: Arc::clone(&self.shared) }
    }

    /// Makes everything durable that was posted, and ends the writer.
    ///
    /// # Errors
    /// What the store failed with, now or before.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.end();
        match self.shared.state() {
            StoreState::Failed { message } => Err(StoreError::Failed(message)),
            StoreState::Ready | StoreState::Full { .. } => Ok(()),
        }
    }

    fn end(&mut self) {
        self.shared.close();
        if let Some(writer) = self.writer.take() {
            // How it ended is in the state, even if it panicked.
            let _ = writer.join();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}
