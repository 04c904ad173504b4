//! How the store is doing, as everybody may ask.

/// Whether the store takes what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreState {
    /// It does.
    Ready,
    /// There is no room for more than acknowledgements and the like; it tries again each second.
    Full {
        /// What is used up.
        why: String,
    },
    /// It stopped for good: nothing becomes durable any more and the process has to end.
    Failed {
        /// What happened.
        message: String,
    },
}

/// Counters and levels of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// Bytes of records that are still needed.
    pub bytes_live: u64,
    /// Bytes of all segment files, spare ones included.
    pub bytes_total: u64,
    /// Segment files.
    pub segments: u64,
    /// Batches written since the start.
    pub batches: u64,
    /// Syncs to disk since the start.
    pub syncs: u64,
    /// Bytes that compaction wrote again since the start.
    pub bytes_moved: u64,
    /// Messages stored now, each counted once however many sessions wait for it.
    pub messages: u64,
    /// Sessions stored now.
    pub sessions: u64,
    /// Retained messages stored now.
    pub retained: u64,
}
