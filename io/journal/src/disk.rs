//! The folder of a real file system.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::io::Errno;

use crate::error::JournalError;
use crate::folder::{File, Folder};

/// A directory, locked against other processes for as long as this value lives.
#[derive(Debug)]
pub struct DiskFolder {
    path: PathBuf,
    directory: fs::File,
}

impl DiskFolder {
    /// Opens the directory and makes it, for this user only, if it is not there.
    ///
    /// # Errors
    /// [`JournalError::Busy`] when another process has it; otherwise as the system reports.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |action: &'static str| move |source| JournalError::Io { action, path: path.to_owned(), source };
        if !path.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("make the directory"))?;
        }
        keep_names(path).map_err(failed("sync the directory above"))?;
        let directory = fs::File::open(path).map_err(failed("open the directory"))?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), directory }),
            Err(Errno::WOULDBLOCK) => Err(JournalError::Busy { path: path.to_owned() }),
            Err(error) => Err(failed("lock the directory")(error.into())),
        }
    }
}

/// Makes the names of a directory and of all above it durable, at every start: whoever made them, this process or one that died since,
/// need not have.
fn keep_names(path: &Path) -> io::Result<()> {
    for above in path.canonicalize()?.ancestors().skip(1) {
        match fs::File::open(above).and_then(|above| above.sync_all()) {
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::IO | Errno::NOSPC | Errno::DQUOT)) => return Err(error),
            // It may be somebody else's, or for reading only. Then nothing is new there.
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

impl Folder for DiskFolder {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that is no text is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut options = fs::OpenOptions::new();
        Ok(Box::new(DiskFile(options.read(true).write(true).create_new(true).mode(0o600).open(self.path(name))?)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(DiskFile(fs::OpenOptions::new().read(true).write(true).open(self.path(name))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.directory.sync_all()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[derive(Debug)]
struct DiskFile(fs::File);

impl File for DiskFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let present = self.length()?;
        if present >= length {
            return Ok(());
        }
        loop {
            match fallocate(&self.0, FallocateFlags::empty(), 0, length) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // Not every file system can reserve room; one that cannot is made to by writing.
                Err(Errno::OPNOTSUPP) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let zeros = [0; 64 << 10];
        let mut offset = present;
        while offset < length {
            let count = usize::try_from(length - offset).unwrap_or(usize::MAX).min(zeros.len());
            let part = zeros.get(..count).unwrap_or(&zeros);
            self.0.write_all_at(part, offset)?;
            offset += crate::format::wide(count);
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync: content and length, without the times nobody asks for.
        self.0.sync_data()
    }
}
