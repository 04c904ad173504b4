//! What a look at all the files of a journal found.

use std::fmt;
use std::path::PathBuf;

/// The end of a journal that is, or was, cut off at its opening: batches that had never been synced and did not reach the disk whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: PathBuf,
    /// Where the first of them begins.
    pub offset: u64,
    /// How many bytes, up to the last that is not zero.
    pub bytes: u64,
}

/// A place where something is missing that had been synced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many bytes; zero if the file is missing.
    pub bytes: u64,
    /// What was found.
    pub what: &'static str,
    pub(crate) segment: u64,
    pub(crate) part: Part,
}

/// What is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole file is missing.
    File,
    /// The segment's header.
    Header,
    /// Batches, and there are whole ones behind them in the segment.
    Batches,
    /// Everything to the end of the segment.
    Rest,
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is damaged at offset {}: {}", self.file.display(), self.offset, self.what)
    }
}

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    /// The file.
    pub file: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Up to the end of the last whole batch.
    pub bytes_used: u64,
    /// Whole batches.
    pub batches: u64,
}

/// All of a journal, as [`crate::check()`] finds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Every segment, the oldest first.
    pub segments: Vec<SegmentReport>,
    /// Everything that keeps the journal from being opened, missing files included, in order.
    pub damages: Vec<Damage>,
    /// The torn end that the next opening cuts off.
    pub torn: Option<Cut>,
}

/// What [`crate::repair()`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repaired {
    /// What was cut out, in order. Nothing: there was nothing to repair.
    pub damages: Vec<Damage>,
    /// Batches that are lost, as far as the numbers of their neighbours tell.
    pub batches_lost: u64,
    /// Whether there may be more of them: the damage was before the first whole batch, or behind the last.
    pub is_uncounted: bool,
    /// Copies of the damaged files as they were.
    pub copies: Vec<PathBuf>,
}
