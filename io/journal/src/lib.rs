//! An append-only journal of batches in segment files. It does not know what the bytes mean.
//!
//! [`Journal::open`] shows every batch that is there, in order. Then [`Journal::append`] writes one at a time and [`Journal::sync`] makes all of
//! them durable; a batch stands or falls as a whole. Segments are preallocated, and two are kept ready behind the one that is written, so that
//! a full disk is noticed while there still is room for what is urgent. Only the oldest segment can be removed ([`Journal::retire_oldest`]):
//! whoever wants it back writes what is still needed of it again at the end.
//!
//! What is found at opening: batches up to the first that is not whole. If that one had never been synced, it and what follows is cut
//! off; nothing depended on it. If it had been, the journal is damaged and refuses to open; [`check()`] tells more, and [`repair()`] cuts the
//! damage out. After a failed write or sync nobody knows what is on the disk, so there is no way on but to open anew.
//!
//! What is missing on purpose: reading a single batch by number, more than one writer, threads, clocks.

mod batch;
mod check;
mod disk;
mod error;
mod folder;
mod format;
mod journal;
mod open;
mod repair;
mod report;
#[cfg(any(test, feature = "simulated"))]
pub mod simulated;
mod survey;
mod walk;

pub use batch::Batch;
pub use check::check;
pub use disk::DiskFolder;
pub use error::{AppendError, JournalError};
pub use folder::{File, Folder};
pub use journal::{Journal, JournalConfig, Place};
pub use repair::repair;
pub use report::{Cut, Damage, Repaired, Report, SegmentReport};

#[cfg(test)]
mod tests;
