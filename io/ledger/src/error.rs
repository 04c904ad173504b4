//! Errors of files and of opening the ledger: which file, what was found, what to do.

use std::io;
use std::path::PathBuf;

use signet_ca::{AuthorityError, CeremonyError, PemError};

use crate::keys::{EntropyError, KeyError};

/// The ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the inventory `{}` is in use by another process: use the admin socket of the running broker, or stop it first", path.display())]
    InUse {
        /// The ledger's file.
        path: PathBuf,
    },
    /// Written by a later version of Signet.
    #[error("the inventory `{}` has format {found}, but this version of Signet knows only up to {known}: use the newer Signet that wrote it", path.display())]
    NewerFormat {
        /// The ledger's file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format known here.
        known: u64,
    },
    /// The file cannot be created or opened.
    #[error("the inventory `{}` cannot be opened: {source}", path.display())]
    File {
        /// The ledger's file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The file is damaged or something else than a ledger.
    #[error("`{}` is not a readable inventory: {source}; restore it from a backup", path.display())]
    Damaged {
        /// The ledger's file.
        path: PathBuf,
        /// The store's words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A certificate or key file that could not be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("`{}` cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// It cannot be written.
    #[error("`{}` cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// It exists and must not be overwritten.
    #[error("`{}` exists and is not overwritten: move it away first, or force it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It is larger than any certificate or key file.
    #[error("`{}` has {found} bytes: at most {limit} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        found: u64,
        /// The bound.
        limit: u64,
    },
    /// It is not PEM.
    #[error("`{}` is not PEM: {source}", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PemError,
    },
    /// It is PEM of something else.
    #[error("`{}` holds no {expected}, only {found}: {hint}", path.display())]
    WrongContent {
        /// The file.
        path: PathBuf,
        /// What was looked for, such as `private key`.
        expected: &'static str,
        /// The labels found.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// Its private key cannot be used.
    #[error("the private key in `{}` cannot be used: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The key belongs to another certificate.
    #[error("the key `{}` does not belong to the certificate `{}` ({subject}): give the key that the certificate was issued for", key.display(), certificate.display())]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
        /// The certificate's subject.
        subject: String,
    },
    /// Its certificate cannot be used as an authority.
    #[error("`{}`: {source}", path.display())]
    Authority {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: AuthorityError,
    },
    /// The authority could not be created.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A key could not be generated.
    #[error(transparent)]
    KeyGeneration(#[from] KeyError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}
