//! CRL files: read whole or not at all, looked at every second, read again when they look different.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What a file looked like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    File(Stamp),
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// How a file looks. Taken before it is read: a write in between then shows as another change next time.
pub(crate) fn look(path: &Path) -> Seen {
    let stamp = |found: fs::Metadata| Stamp {
        size: found.len(),
        inode: found.ino(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    };
    fs::metadata(path).map_or(Seen::Nothing, |found| Seen::File(stamp(found)))
}

/// Reads a file of at most so many bytes. The error completes the sentence "the file …".
pub(crate) fn read(path: &Path, maximum_size: usize) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| {
        let text = error.to_string();
        format!("cannot be read: {}", text.split(" (os error").next().unwrap_or_default().to_lowercase())
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if usize::try_from(metadata.len()).unwrap_or(usize::MAX) > maximum_size {
        return Err(format!("has {} bytes, more than the limit of {maximum_size}", metadata.len()));
    }
    // A pipe would block whoever reads, for as long as nobody writes.
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    fs::read(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_looks_different_when_it_is_written_replaced_or_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crl.pem");
        assert_eq!(look(&path), Seen::Nothing);
        fs::write(&path, "one").unwrap();
        let first = look(&path);
        assert_eq!(look(&path), first);
        let other = directory.path().join("other");
        fs::write(&other, "two").unwrap();
        fs::rename(&other, &path).unwrap();
        assert_ne!(look(&path), first);
        fs::remove_file(&path).unwrap();
        assert_eq!(look(&path), Seen::Nothing);
    }

    #[test]
    fn what_is_no_file_of_bounded_size_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crl.pem");
        assert_eq!(read(&path, 10).unwrap_err(), "cannot be read: no such file or directory");
        fs::write(&path, "half a list").unwrap();
        assert_eq!(read(&path, 11).unwrap(), b"half a list");
        assert_eq!(read(&path, 10).unwrap_err(), "has 11 bytes, more than the limit of 10");
        assert_eq!(read(directory.path(), 1 << 20).unwrap_err(), "is not a file");
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(read(&pipe, 10).unwrap_err(), "is not a file", "a pipe must not be waited for");
    }
}
