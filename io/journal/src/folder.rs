//! The few file operations that the journal needs, so that tests can put a disk under it that fails on demand.

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;

/// A directory of files. What is created, renamed or removed in it lasts only once [`Folder::sync`] returned.
pub trait Folder: Debug + Send {
    /// The names of all files in it, in any order.
    ///
    /// # Errors
    /// As the system reports them; so for all methods here.
    fn names(&self) -> io::Result<Vec<String>>;

    /// A new empty file, for this user only. Fails if there is one of that name.
    ///
    /// # Errors
    /// See [`Folder::names`].
    fn create(&self, name: &str) -> io::Result<Box<dyn File>>;

    /// A file to read and write.
    ///
    /// # Errors
    /// See [`Folder::names`].
    fn open(&self, name: &str) -> io::Result<Box<dyn File>>;

    /// Another name for a file; what had that name is gone.
    ///
    /// # Errors
    /// See [`Folder::names`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// See [`Folder::names`].
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names durable.
    ///
    /// # Errors
    /// See [`Folder::names`].
    fn sync(&self) -> io::Result<()>;

    /// The file's full path, for messages.
    fn path(&self, name: &str) -> PathBuf;
}

/// An open file. What is written lasts only once [`File::sync`] returned.
pub trait File: Debug + Send {
    /// Its length in bytes.
    ///
    /// # Errors
    /// As the system reports them; so for all methods here.
    fn length(&self) -> io::Result<u64>;

    /// Fills `out` from `offset` on.
    ///
    /// # Errors
    /// See [`File::length`]; also when the file ends before.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// See [`File::length`]. Some of the bytes may have been written then.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file `length` bytes long if it is shorter, with room reserved for all of it; what is new reads as zeros.
    ///
    /// # Errors
    /// See [`File::length`].
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// See [`File::length`].
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Makes content and length durable.
    ///
    /// # Errors
    /// See [`File::length`]. What was written since the last sync may then be lost, and trying again proves nothing.
    fn sync(&self) -> io::Result<()>;
}

/// Whether an error only says that there is no room, which may pass.
pub(crate) fn is_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
