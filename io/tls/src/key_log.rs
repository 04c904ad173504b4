//! The secrets of TLS connections in a file, one line each in the format that Wireshark and others read (draft-ietf-tls-keylogfile): for whoever has
//! to see what is inside of a recording. Off unless a file is named.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;

use crate::TlsError;

/// Only its owner may read it.
const MODE: u32 = 0o600;

/// A file that secrets are appended to.
#[derive(Debug)]
pub struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    /// Opens `path` for appending; a new file is for its owner alone (0600).
    ///
    /// # Errors
    /// It cannot be opened, or others may read it.
    pub fn open(path: &Path) -> Result<Self, TlsError> {
        let failed = |error: std::io::Error| {
            TlsError::file(path, format!("cannot be opened for the secrets of TLS: {error}"), "name a file in a directory that is writable")
        };
        // Whoever could put a link there could have the secrets written elsewhere.
        let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().try_into().unwrap_or(0);
        let file = OpenOptions::new().append(true).create(true).mode(MODE).custom_flags(no_follow).open(path).map_err(failed)?;
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata().map_err(failed)?);
        if mode & 0o077 != 0 {
            let found =
                format!("others than its owner may use it (mode {:04o}), and it would hold the secrets of every connection", mode & 0o7777);
            return Err(TlsError::file(path, found, "chmod 0600 it, or name a file that is not there yet"));
        }
        Ok(Self(Mutex::new(file)))
    }

    /// Appends one line, which ends without a line feed. A line that cannot be written is lost, with a word in the log of level debug.
    pub fn write_line(&self, line: &str) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // In one call: the lines of several listeners meet in one file.
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::debug!(%error, "secrets of a TLS connection cannot be written");
        }
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        use std::fmt::Write as _;
        let mut line = zeroize::Zeroizing::new(String::with_capacity(label.len() + 2 * (client_random.len() + secret.len()) + 2));
        line.push_str(label);
        for part in [client_random, secret] {
            line.push(' ');
            for octet in part {
                // Writing to a String cannot fail.
                let _ = write!(line, "{octet:02x}");
            }
        }
        self.write_line(&line);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn lines_are_appended_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        for _ in 0..2 {
            KeyLogFile::open(&path).unwrap().log("CLIENT_RANDOM", &[1, 0xab], &[0xff]);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "CLIENT_RANDOM 01ab ff\nCLIENT_RANDOM 01ab ff\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(KeyLogFile::open(&path).unwrap_err().to_string().contains("mode 0640"));
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        assert!(KeyLogFile::open(&folder.path().join("link")).is_err());
    }
}
