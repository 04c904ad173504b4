//! One running broker per data directory: a lock that the kernel releases however the process ends.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::exit::Exit;
use crate::hint::Failure;

/// Holds the lock of a data directory until dropped.
#[derive(Debug)]
pub(crate) struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock, making the directory if needed.
    pub(crate) fn take(data_dir: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(data_dir).map_err(|error| Failure::file("create", data_dir, &error))?;
        let path = data_dir.join("signet.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| Failure::file("open", &path, &error))?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(Failure::file("lock", &path, &error.into()));
            }
            let mut holder = String::new();
            drop(file.read_to_string(&mut holder));
            let who = holder.trim().parse::<u32>().map_or_else(|_| String::new(), |pid| format!(" (process {pid})"));
            return Err(Failure::new(format!("another signet{who} runs on the data directory `{}`", data_dir.display()))
                .exit(Exit::Busy)
                .hint("stop it, or give this one its own `data_dir`"));
        }
        // The number only helps people; that it could not be written changes nothing about the lock.
        drop(file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())));
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_with_the_name_of_the_first_and_may_come_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let first = DataLock::take(directory.path()).unwrap();
        let failure = DataLock::take(directory.path()).unwrap_err();
        assert_eq!(failure.exit, Exit::Busy);
        assert!(failure.message.contains(&format!("process {}", std::process::id())), "{}", failure.message);
        drop(first);
        DataLock::take(directory.path()).unwrap();
    }
}
