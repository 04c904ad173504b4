//! CRL files of other authorities: read whole or not at all, looked at every second, the last good state kept when a file is bad.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use signet_identity::CertificateId;
use signet_revocation::{Crl, CrlError, Freshness, IssuerCertificate};
use signet_tls::{CrlSignatureVerifier, CurrentRevocations, TrustAnchors};

use crate::config::{Config, Tls};
use crate::hint::plain;

/// The CRL files of a configuration and what each looked like when it was last read.
#[derive(Debug, Default)]
pub(crate) struct CrlFiles {
    files: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// Who may have signed it: the listener's trust anchors.
    issuers: Vec<IssuerCertificate>,
    /// `None`: not looked at yet.
    seen: Option<Seen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    File(Stamp),
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
}

/// What became of a file that changed.
#[derive(Debug)]
pub(crate) enum CrlEvent {
    /// In force now.
    Loaded {
        path: PathBuf,
        issuer: String,
        entries: usize,
        /// Certificates that were not revoked before: their sessions are to be ended.
        newly_revoked: Vec<CertificateId>,
        /// When its successor was due, if that is past.
        stale_since: Option<i64>,
    },
    /// Not taken over; the state before stays in force.
    Refused { path: PathBuf, message: String },
}

impl CrlFiles {
    /// The files of a configuration, none read yet.
    pub(crate) fn of(config: &Config) -> Result<Self, String> {
        let mut files: Vec<Watched> = Vec::new();
        for tls in config.listeners.iter().filter_map(|listener| listener.tls.as_ref()).filter(|tls| !tls.crl.is_empty()) {
            let issuers = issuers(tls)?;
            for file in &tls.crl {
                match files.iter_mut().find(|known| known.path == file.value) {
                    // Two listeners name the same file: whoever either of them trusts may have signed it.
                    Some(known) => known.issuers.extend(issuers.iter().cloned()),
                    None => files.push(Watched { path: file.value.clone(), issuers: issuers.clone(), seen: None }),
                }
            }
        }
        Ok(Self { files })
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Reads the files that changed since the last time and puts the good ones in force; `now` in Unix seconds.
    pub(crate) fn poll(&mut self, revocations: &CurrentRevocations, now: i64) -> Vec<CrlEvent> {
        let mut events = Vec::new();
        for file in &mut self.files {
            // Looked at before reading: a write in between shows as another change next time.
            // A file that is missing, or bad, is reported when it becomes so, not every second after.
            let seen = Some(Stamp::of(&file.path).map_or(Seen::Nothing, Seen::File));
            if seen == file.seen {
                continue;
            }
            file.seen = seen;
            match read(&file.path, &file.issuers) {
                Ok(crls) => events.extend(crls.into_iter().map(|crl| put_in_force(&file.path, crl, revocations, now))),
                Err(message) => events.push(CrlEvent::Refused { path: file.path.clone(), message }),
            }
        }
        events
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { size: metadata.len(), inode: metadata.ino(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

/// The certificates that may sign CRLs for a listener.
pub(crate) fn issuers(tls: &Tls) -> Result<Vec<IssuerCertificate>, String> {
    let files: Vec<PathBuf> = tls.trust.iter().map(|at| at.value.clone()).collect();
    let anchors = TrustAnchors::load(&files).map_err(|error| error.to_string())?;
    anchors.certificates().map(|der| IssuerCertificate::parse(der).map_err(|error| error.to_string())).collect()
}

/// Reads every CRL of a file and verifies it.
pub(crate) fn read(path: &Path, issuers: &[IssuerCertificate]) -> Result<Vec<Crl>, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("cannot be read: {}", plain(&error)))?;
    if usize::try_from(metadata.len()).unwrap_or(usize::MAX) > Crl::MAXIMUM_SIZE {
        return Err(format!("has {} bytes, more than the limit of {}", metadata.len(), Crl::MAXIMUM_SIZE));
    }
    // A pipe would block whoever looks at the files, for as long as nobody writes.
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    let bytes = fs::read(path).map_err(|error| format!("cannot be read: {}", plain(&error)))?;
    Crl::parse_pem_or_der(&bytes, issuers, &CrlSignatureVerifier).map_err(|error| error.to_string())
}

fn put_in_force(path: &Path, crl: Crl, revocations: &CurrentRevocations, now: i64) -> CrlEvent {
    let (issuer, status) = (crl.issuer_text().to_owned(), crl.status());
    let mut outcome: Result<Vec<CertificateId>, CrlError> = Ok(Vec::new());
    revocations.update(|index| match index.with_crl(crl.clone()) {
        Ok((next, newly_revoked)) => {
            outcome = Ok(newly_revoked);
            next
        }
        Err(error) => {
            outcome = Err(error);
            index.clone()
        }
    });
    match outcome {
        Ok(newly_revoked) => CrlEvent::Loaded {
            path: path.to_owned(),
            issuer,
            entries: status.entries,
            newly_revoked,
            stale_since: match Freshness::at(status.next_update, now) {
                Freshness::Stale { next_update } => Some(next_update),
                Freshness::Fresh => None,
            },
        },
        Err(error) => CrlEvent::Refused { path: path.to_owned(), message: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use signet_revocation::RevocationIndex;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_reported_once_and_again_when_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crl.pem");
        let mut files = CrlFiles { files: vec![Watched { path: path.clone(), issuers: Vec::new(), seen: None }] };
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        let mut complaint = || match files.poll(&revocations, 0).as_slice() {
            [] => None,
            [CrlEvent::Refused { message, .. }] => Some(message.clone()),
            more => panic!("{more:?}"),
        };
        assert!(complaint().unwrap().contains("cannot be read"), "missing from the start");
        assert_eq!(complaint(), None);
        fs::write(&path, "half").unwrap();
        assert!(complaint().is_some());
        assert_eq!(complaint(), None);
        fs::remove_file(&path).unwrap();
        assert!(complaint().is_some());
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert_eq!(complaint().as_deref(), Some("is not a file"), "a pipe must not be waited for");
    }
}
