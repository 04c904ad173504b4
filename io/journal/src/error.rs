//! Why a journal cannot be opened, written or repaired.

use std::io;
use std::path::PathBuf;

use crate::report::Damage;

/// Why a journal cannot be opened, written or repaired.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A setting is out of its bounds.
    #[error("{0}")]
    Config(String),
    /// Somebody else has it open.
    #[error("`{path}` is in use by another process")]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("could not {action} `{path}`: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// What had been synced to the disk is not there any more, or not as it was written.
    #[error("{0}")]
    Damaged(Box<Damage>),
    /// A batch is whole, but who reads its content cannot make sense of it.
    #[error("`{file}`, batch at offset {offset}: {message}")]
    Content {
        /// The file.
        file: PathBuf,
        /// Where the batch begins.
        offset: u64,
        /// What the reader said.
        message: String,
    },
    /// Repair can do nothing here.
    #[error("cannot repair `{path}`: {why}")]
    Unrepairable {
        /// The directory.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A batch is larger than any segment may be.
    #[error("a batch of {bytes} bytes, at most {maximum} fit into a segment")]
    TooLarge {
        /// Bytes of the batch.
        bytes: u64,
        /// The most.
        maximum: u64,
    },
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no room on the disk, or the journal has reached its maximum. The same batch may be tried again later.
    #[error("no room for the journal: {0}")]
    NoRoom(String),
    /// Anything else; the journal must not be used any more.
    #[error(transparent)]
    Failed(#[from] JournalError),
}
