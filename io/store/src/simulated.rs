//! The store without its thread, on a simulated disk: for simulations, which decide themselves when it writes and syncs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use signet_broker::Image;
use signet_journal::JournalConfig;
pub use signet_journal::simulated::{Chance, SimulatedFolder};

use crate::engine::{Engine, Written};
use crate::error::StoreError;
use crate::handle::StoreHandle;
use crate::shared::Shared;
use crate::state::{StoreState, StoreStats};

/// The records, the index, compaction and recovery of [`crate::Store`], one step at a time.
#[derive(Debug)]
pub struct SimulatedStore {
    engine: Engine,
    shared: Arc<Shared>,
    /// What the batch that is put together covers, by shard.
    batched: Vec<(usize, u64)>,
    /// For each shard the last ticket that was written.
    written: Vec<u64>,
}

impl SimulatedStore {
    /// Reads the journal, or begins one. One handle for each shard.
    ///
    /// # Errors
    /// As [`crate::Store::open`].
    pub fn open(folder: &SimulatedFolder, segment_bytes: u64, shards: usize) -> Result<(Self, Vec<StoreHandle>, Image), StoreError> {
        let (engine, image, _) = Engine::open(Box::new(folder.clone()), JournalConfig { segment_bytes, maximum_bytes: None })?;
        let shared = Arc::new(Shared::new(shards, usize::MAX, engine.stats()));
        let handles = (0..shards).map(|shard| StoreHandle::new(Arc::clone(&shared), shard)).collect();
        let mut store = Self { engine, shared, batched: Vec::new(), written: vec![0; shards] };
        store.prepare()?;
        Ok((store, handles, image))
    }

    /// Writes what was posted as one batch, with compaction if there is need. Without room it stays where it is, and the store counts as full.
    ///
    /// # Errors
    /// The disk failed.
    pub fn write(&mut self) -> Result<(), StoreError> {
        let mut has_compacted = false;
        if self.engine.pending() == 0 {
            let mut posts = VecDeque::new();
            self.shared.take(&mut posts, &mut Vec::new(), Some(Duration::ZERO));
            if self.engine.wants_compaction() {
                self.engine.compact(posts.iter().map(|post| post.records.len()).sum())?;
                has_compacted = true;
            }
            for post in posts {
                self.engine.add(&post.records);
                self.batched.push((post.shard, post.ticket));
            }
        }
        if let Written::NoRoom(why) = self.engine.write()? {
            self.shared.set_state(StoreState::Full { why });
            self.engine.rescue()?;
            return Ok(());
        }
        for (shard, ticket) in self.batched.drain(..) {
            if let Some(written) = self.written.get_mut(shard) {
                *written = ticket;
            }
        }
        if has_compacted {
            self.sync()?;
        }
        self.engine.settle()?;
        self.prepare()
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.engine.sync()?;
        for (shard, written) in self.written.iter().enumerate() {
            self.shared.set_durable(shard, *written);
        }
        Ok(())
    }

    /// Looks whether there is room, as the writer does each second when it is full.
    ///
    /// # Errors
    /// The disk failed.
    pub fn prepare(&mut self) -> Result<(), StoreError> {
        let state = match self.engine.prepare()? {
            Some(why) => StoreState::Full { why },
            None => StoreState::Ready,
        };
        self.shared.set_state(state);
        Ok(())
    }

    /// Counters and levels.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.engine.stats()
    }
}
