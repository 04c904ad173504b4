//! Where the changes of a shard go: to the journal on disk, or nowhere.

use signet_broker::{Change, Store, Ticket, Urgency};
use signet_store::{MemoryStore, StoreHandle};

/// A shard's store, and what the shard has already heard of it.
pub(crate) struct ShardStore {
    place: Place,
    was_full: bool,
    was_failed: bool,
}

enum Place {
    Memory(MemoryStore),
    Journal(StoreHandle),
}

impl ShardStore {
    /// Without a handle everything stays in memory.
    pub(crate) fn new(handle: Option<StoreHandle>) -> Self {
        let place = handle.map_or_else(|| Place::Memory(MemoryStore::new()), Place::Journal);
        Self { place, was_full: false, was_failed: false }
    }

    /// Everything up to this ticket is on disk.
    pub(crate) fn durable(&self) -> Ticket {
        match &self.place {
            Place::Memory(memory) => memory.durable(),
            Place::Journal(handle) => handle.durable(),
        }
    }

    /// Whether so much waits for the disk that no more should be made.
    pub(crate) fn is_congested(&self) -> bool {
        match &self.place {
            Place::Memory(_) => false,
            Place::Journal(handle) => handle.is_congested(),
        }
    }

    /// True once each time that room has come back.
    pub(crate) fn has_room_again(&mut self) -> bool {
        let is_full = self.is_full();
        std::mem::replace(&mut self.was_full, is_full) && !is_full
    }

    /// True once, when the store has failed.
    pub(crate) fn has_failed(&mut self) -> bool {
        let is_failed = match &self.place {
            Place::Memory(_) => false,
            Place::Journal(handle) => handle.is_failed(),
        };
        !std::mem::replace(&mut self.was_failed, is_failed) && is_failed
    }
}

impl Store for ShardStore {
    fn append(&mut self, change: &Change<'_>, urgency: Urgency) -> Ticket {
        match &mut self.place {
            Place::Memory(memory) => memory.append(change, urgency),
            Place::Journal(handle) => handle.append(change, urgency),
        }
    }

    fn seal(&mut self) {
        match &mut self.place {
            Place::Memory(memory) => memory.seal(),
            Place::Journal(handle) => handle.seal(),
        }
    }

    fn post(&mut self) {
        match &mut self.place {
            Place::Memory(memory) => memory.post(),
            Place::Journal(handle) => handle.post(),
        }
    }

    fn latest(&self) -> Ticket {
        match &self.place {
            Place::Memory(memory) => memory.latest(),
            Place::Journal(handle) => handle.latest(),
        }
    }

    fn is_full(&self) -> bool {
        match &self.place {
            Place::Memory(memory) => memory.is_full(),
            Place::Journal(handle) => handle.is_full(),
        }
    }
}
