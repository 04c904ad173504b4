//! The secrets of TLS connections in a file, for programs that decrypt what was recorded on the network. Only for looking for mistakes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::KeyLog;

/// Of the whole process, as the environment variable `SSLKEYLOGFILE` is elsewhere: nothing in a configuration can switch it on.
static KEY_LOG: OnceLock<Arc<KeyLogFile>> = OnceLock::new();

/// The open file, in the format of NSS.
pub struct KeyLogFile(Mutex<File>);

/// Writes the secrets of every TLS connection that listeners accept from here on into a file, which only its owner may read. The first call counts.
///
/// # Errors
/// The file cannot be opened, is a symbolic link, or others may read it.
pub fn log_keys(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let (opened, named) = (file.metadata()?, std::fs::symlink_metadata(path)?);
    // A link has an entry of its own.
    let is_link = (opened.dev(), opened.ino()) != (named.dev(), named.ino());
    if is_link || opened.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "secrets go only into a file that nobody else may read, and through no link",
        ));
    }
    drop(KEY_LOG.set(Arc::new(KeyLogFile(Mutex::new(file)))));
    Ok(())
}

/// Where secrets go, if anywhere.
pub fn key_log() -> Option<Arc<KeyLogFile>> {
    KEY_LOG.get().cloned()
}

impl KeyLogFile {
    /// One line.
    pub fn line(&self, line: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A disk that is full must not end connections.
        drop(file.write_all(format!("{line}\n").as_bytes()));
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.line(&format!("{label} {} {}", hex::encode(client_random), hex::encode(secret)));
    }
}

impl fmt::Debug for KeyLogFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyLogFile")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn secrets_go_into_no_file_that_others_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        std::fs::write(&open, "").unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o640)).unwrap();
        let own = dir.path().join("own");
        let link = dir.path().join("link");
        symlink(&own, &link).unwrap();
        for refused in [&open, &link, &dir.path().join("no/file")] {
            assert!(log_keys(refused).is_err(), "{}", refused.display());
        }
        assert!(key_log().is_none());
        log_keys(&own).unwrap();
        key_log().unwrap().log("CLIENT_RANDOM", &[1, 255], &[16]);
        assert_eq!(std::fs::read_to_string(&own).unwrap(), "CLIENT_RANDOM 01ff 10\n");
        assert_eq!(own.metadata().unwrap().mode() & 0o777, 0o600);
    }
}
