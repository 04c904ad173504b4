//! The disk: the real records, journal, index, compaction and recovery of the store, on a folder in memory that keeps what was synced, and of
//! the rest what chance leaves.

use signet_broker::Image;
use signet_store::StoreHandle;
use signet_store::simulated::{Chance, SimulatedFolder, SimulatedStore};

use crate::dice::Dice;

/// Segments so small that a run fills several, and compaction has something to do.
const SEGMENT_BYTES: u64 = 4 << 10;

/// The disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    folder: SimulatedFolder,
    store: Option<SimulatedStore>,
    /// Whether it was made to run full.
    is_full: bool,
    /// Bytes that compaction moved, in all the processes so far.
    moved: u64,
}

impl Disk {
    /// Reads everything back, for a process with so many shards.
    pub(crate) fn open(&mut self, shards: u16) -> (Image, Vec<StoreHandle>) {
        let opened = SimulatedStore::open(&self.folder, SEGMENT_BYTES, usize::from(shards));
        let (store, handles, image) = opened.unwrap_or_else(|error| panic!("the store does not open: {error}"));
        self.store = Some(store);
        (image, handles)
    }

    /// The writer takes what was posted.
    pub(crate) fn write(&mut self) {
        if let Some(store) = &mut self.store {
            store.write().unwrap_or_else(|error| panic!("the store cannot write: {error}"));
        }
    }

    /// What was written is on disk.
    pub(crate) fn sync(&mut self) {
        if let Some(store) = &mut self.store {
            store.sync().unwrap_or_else(|error| panic!("the store cannot sync: {error}"));
        }
    }

    /// The process dies; with the power, what was written and not synced is at the mercy of chance.
    pub(crate) fn crash(&mut self, dice: &mut Dice) {
        self.moved += self.store.take().map_or(0, |store| store.stats().bytes_moved);
        self.folder = if dice.percent(70) { self.folder.lose_power(&mut Chance::new(dice.roll())) } else { self.folder.kill() };
        self.is_full = false;
    }

    /// From here on there is no room for more than there is, or as much as anybody wants.
    pub(crate) fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
        self.folder.set_room(is_full.then(|| self.folder.bytes()));
        if let Some(store) = &mut self.store {
            store.prepare().unwrap_or_else(|error| panic!("the store cannot look for room: {error}"));
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Bytes that compaction moved.
    pub(crate) fn moved(&self) -> u64 {
        self.moved + self.store.as_ref().map_or(0, |store| store.stats().bytes_moved)
    }
}
