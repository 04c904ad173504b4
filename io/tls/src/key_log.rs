//! Secrets of connections in a file, for who looks at what was sent with Wireshark: the NSS key log format.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;

use crate::TlsError;

/// A file that gets a line per secret. Whoever reads it can read the connections, so only its owner may.
#[derive(Debug)]
pub struct KeyLogFile {
    file: Mutex<File>,
    path: PathBuf,
}

impl KeyLogFile {
    /// Opens the file for more lines; one that is not there yet is made with mode 0600.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn open(path: &Path) -> Result<Self, TlsError> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
        Ok(Self { file: Mutex::new(file), path: path.to_owned() })
    }

    /// Appends one line of the format. A disk that is full ends no connection: what fails is said in the log.
    pub fn write_line(&self, line: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One write, so that lines of several processes do not mix.
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!(path = %self.path.display(), %error, "a secret could not be written to the key log");
        }
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = zeroize::Zeroizing::new(String::with_capacity(label.len() + 2 + 2 * (client_random.len() + secret.len())));
        line.push_str(label);
        for octets in [client_random, secret] {
            line.push(' ');
            for octet in octets {
                // A string takes everything.
                let _ = write!(line, "{octet:02x}");
            }
        }
        self.write_line(&line);
    }
}
