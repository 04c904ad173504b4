//! An append-only journal of batches in segment files. It does not know what the bytes mean.

/// The end of a journal that was cut off at its opening: batches that had never been synced and did not reach the disk whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: std::path::PathBuf,
    /// Where the first of them began.
    pub offset: u64,
    /// How many bytes were cut, up to the last that was not zero.
    pub bytes: u64,
}
