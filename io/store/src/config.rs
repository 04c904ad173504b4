//! What can be set about the store.

use std::path::PathBuf;
use std::time::Duration;

/// Where the store is and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The directory of the journal; made, for this user only, if it is not there.
    pub directory: PathBuf,
    /// Bytes of a segment file, 4 KiB to 1 GiB, rounded up to a multiple of 4 KiB. The empty store takes three. At start one is read into memory at a time.
    pub segment_bytes: u64,
    /// How long a change that nobody waits for may stay unsynced.
    pub flush_interval: Duration,
    /// The most bytes that segment files may take; then the store counts as full. At least eight segments. Nothing: what the disk has.
    pub maximum_bytes: Option<u64>,
    /// Bytes that wait for the writer, all shards together, above which [`crate::StoreHandle::is_congested`] asks the shards to read no more.
    pub queue_bytes_maximum: usize,
}

impl StoreConfig {
    /// The defaults, in `directory`: segments of 16 MiB, a flush each second, as much as the disk has, 16 MiB of queue.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            segment_bytes: 16 << 20,
            flush_interval: Duration::from_secs(1),
            maximum_bytes: None,
            queue_bytes_maximum: 16 << 20,
        }
    }
}
