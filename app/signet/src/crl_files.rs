//! CRL files of other authorities: read whole or not at all, looked at every second, the last good state kept when a file is bad.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use signet_identity::CertificateId;
use signet_revocation::{Crl, CrlError, Freshness, IssuerCertificate, ListSource};
use signet_tls::{CrlSignatureVerifier, CurrentRevocations, TrustAnchors};

use crate::config::{Config, DeviceTrust, Listener};
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
    /// Lists of this file that are in force and not past their `nextUpdate`, as far as was reported.
    fresh: Vec<Fresh>,
}

#[derive(Debug)]
struct Fresh {
    issuer: String,
    next_update: Option<i64>,
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
    },
    /// A list in force is past its `nextUpdate`, from the start or from now on.
    Stale { path: PathBuf, issuer: String, next_update: i64 },
    /// Not taken over; the state before stays in force.
    Refused { path: PathBuf, message: String },
}

impl CrlFiles {
    /// The files of a configuration, none read yet.
    pub(crate) fn of(config: &Config) -> Result<Self, String> {
        let mut files: Vec<Watched> = Vec::new();
        for devices in config.listeners.iter().filter_map(Listener::devices).filter(|devices| !devices.crl.is_empty()) {
            let issuers = issuers(devices)?;
            for file in &devices.crl {
                match files.iter_mut().find(|known| known.path == file.value) {
                    // Two listeners name the same file: whoever either of them trusts may have signed it.
                    Some(known) => known.issuers.extend(issuers.iter().cloned()),
                    None => files.push(Watched::new(file.value.clone(), issuers.clone())),
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
            file.read_if_changed(revocations, &mut events);
            file.report_stale(now, &mut events);
        }
        events
    }
}

impl Watched {
    fn new(path: PathBuf, issuers: Vec<IssuerCertificate>) -> Self {
        Self { path, issuers, seen: None, fresh: Vec::new() }
    }

    fn read_if_changed(&mut self, revocations: &CurrentRevocations, events: &mut Vec<CrlEvent>) {
        // Looked at before reading: a write in between shows as another change next time.
        // A file that is missing, or bad, is reported when it becomes so, not every second after.
        let seen = Some(Stamp::of(&self.path).map_or(Seen::Nothing, Seen::File));
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        match read(&self.path, &self.issuers) {
            Ok(crls) => {
                for crl in crls {
                    let fresh = Fresh { issuer: crl.issuer_text().to_owned(), next_update: crl.status().next_update };
                    let event = put_in_force(&self.path, crl, revocations);
                    if matches!(event, CrlEvent::Loaded { .. }) {
                        self.fresh.retain(|known| known.issuer != fresh.issuer);
                        self.fresh.push(fresh);
                    }
                    events.push(event);
                }
            }
            Err(message) => events.push(CrlEvent::Refused { path: self.path.clone(), message }),
        }
    }

    /// Once for each list.
    fn report_stale(&mut self, now: i64, events: &mut Vec<CrlEvent>) {
        self.fresh.retain(|list| match Freshness::at(list.next_update, now) {
            Freshness::Fresh => true,
            Freshness::Stale { next_update } => {
                events.push(CrlEvent::Stale { path: self.path.clone(), issuer: list.issuer.clone(), next_update });
                false
            }
        });
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { size: metadata.len(), inode: metadata.ino(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

/// The certificates that may sign CRLs for a listener.
pub(crate) fn issuers(devices: &DeviceTrust) -> Result<Vec<IssuerCertificate>, String> {
    let files: Vec<PathBuf> = devices.trust.iter().map(|at| at.value.clone()).collect();
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

fn put_in_force(path: &Path, crl: Crl, revocations: &CurrentRevocations) -> CrlEvent {
    let (issuer, status) = (crl.issuer_text().to_owned(), crl.status());
    let source = ListSource::new(path.display().to_string());
    let mut outcome: Result<Vec<CertificateId>, CrlError> = Ok(Vec::new());
    revocations.update(|index| match index.with_crl(crl.clone(), source.clone()) {
        Ok(next) => {
            outcome = Ok(crl.ids().filter(|id| index.lookup(id).is_none() && next.lookup(id).is_some()).collect());
            next
        }
        Err(error) => {
            outcome = Err(error);
            index.clone()
        }
    });
    match outcome {
        Ok(newly_revoked) => CrlEvent::Loaded { path: path.to_owned(), issuer, entries: status.entries, newly_revoked },
        Err(error) => CrlEvent::Refused { path: path.to_owned(), message: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use signet_revocation::RevocationIndex;
    use signet_testkit::{CrlWindow, Pki};

    use super::*;

    #[test]
    fn a_list_is_reported_once_when_it_grows_stale() {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::create(directory.path());
        let path = pki.crl("crl.pem", 1, &[], CrlWindow::default());
        let anchors = TrustAnchors::load(&[pki.ca_file()]).unwrap();
        let issuers: Vec<_> = anchors.certificates().map(|der| IssuerCertificate::parse(der).unwrap()).collect();
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        let mut files = CrlFiles { files: vec![Watched::new(path, issuers)] };
        let now = signet_net::unix_seconds();
        assert!(matches!(files.poll(&revocations, now).as_slice(), [CrlEvent::Loaded { .. }]));
        assert!(files.poll(&revocations, now).is_empty());
        let years_later = now + 10 * 365 * 86_400;
        assert!(matches!(files.poll(&revocations, years_later).as_slice(), [CrlEvent::Stale { .. }]));
        assert!(files.poll(&revocations, years_later).is_empty());
        let _ = pki.crl("crl.pem", 2, &[], CrlWindow::default());
        assert!(matches!(files.poll(&revocations, now).as_slice(), [CrlEvent::Loaded { .. }]));
        assert!(matches!(files.poll(&revocations, years_later).as_slice(), [CrlEvent::Stale { .. }]));
    }

    #[test]
    fn what_cannot_be_read_is_reported_once_and_again_when_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crl.pem");
        let mut files = CrlFiles { files: vec![Watched::new(path.clone(), Vec::new())] };
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
