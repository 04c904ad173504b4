//! The `ca` directory: created once by a ceremony, loaded into an [`Authority`] whenever certificates are issued or revoked.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use signet_ca::{
    Authority, AuthorityError, CaCertificate, CeremonyError, ISSUING_VALIDITY_SECONDS, KeyType, ROOT_VALIDITY_SECONDS, create_issuing,
    create_root,
};

use crate::error::FileError;
use crate::files::{Overwrite, read_certificates, read_key, write_public};
use crate::keys::{PrivateKey, serial_entropy};

/// The files of an authority in one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityFiles {
    directory: PathBuf,
}

/// What a ceremony creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CeremonyPlan {
    /// Common name of the root.
    pub root_name: String,
    /// Common name of the issuing authority.
    pub issuing_name: String,
    /// Type of both keys.
    pub key_type: KeyType,
    /// Validity of the root, in seconds.
    pub root_validity_seconds: i64,
    /// Validity of the issuing authority, in seconds.
    pub issuing_validity_seconds: i64,
}

impl CeremonyPlan {
    /// Root and issuing authority called after `name`, with P-256 keys and the default validities.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            root_name: format!("{name} Root"),
            issuing_name: format!("{name} Issuing"),
            key_type: KeyType::P256,
            root_validity_seconds: ROOT_VALIDITY_SECONDS,
            issuing_validity_seconds: ISSUING_VALIDITY_SECONDS,
        }
    }
}

impl AuthorityFiles {
    /// The files in `directory`, which need not exist yet.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `root.pem`: the root's certificate.
    #[must_use]
    pub fn root_certificate(&self) -> PathBuf {
        self.directory.join("root.pem")
    }

    /// `root.key`: the root's key, needed for ceremonies only.
    #[must_use]
    pub fn root_key(&self) -> PathBuf {
        self.directory.join("root.key")
    }

    /// `issuing.pem`: the issuing authority's certificate.
    #[must_use]
    pub fn issuing_certificate(&self) -> PathBuf {
        self.directory.join("issuing.pem")
    }

    /// `issuing.key`: the issuing authority's key.
    #[must_use]
    pub fn issuing_key(&self) -> PathBuf {
        self.directory.join("issuing.key")
    }

    /// `ca.pem`: issuing and root certificate, what clients and listeners trust.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// `crl.pem`: the newest CRL.
    #[must_use]
    pub fn crl(&self) -> PathBuf {
        self.directory.join("crl.pem")
    }

    /// Whether an authority, or a part of one, is there already.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.own_files().iter().any(|path| path.symlink_metadata().is_ok())
    }

    /// Creates root and issuing authority and writes all their files but the CRL. `now` is in Unix seconds.
    ///
    /// Keys are written first and certificates last: after a crash in between, [`Self::load`] says which file is missing.
    ///
    /// # Errors
    /// [`FileError::Exists`] when any of the files is there and `overwrite` does not say to replace them: nothing is written then. Others of
    /// making and writing.
    pub fn create(&self, plan: &CeremonyPlan, overwrite: Overwrite, now: i64) -> Result<Authority, FileError> {
        if overwrite == Overwrite::Never
            && let Some(path) = self.own_files().into_iter().find(|path| path.symlink_metadata().is_ok())
        {
            return Err(FileError::Exists { path });
        }
        let root_key = PrivateKey::generate(plan.key_type)?;
        let root = create_root(&plan.root_name, &root_key, serial_entropy()?, now, plan.root_validity_seconds)?;
        let issuing_key = PrivateKey::generate(plan.key_type)?;
        let issuing = create_issuing(
            &plan.issuing_name,
            &issuing_key.subject_key()?,
            &root,
            &root_key,
            serial_entropy()?,
            now,
            plan.issuing_validity_seconds,
        )?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&self.directory)
            .map_err(|source| FileError::Write { path: self.directory.clone(), source })?;
        root_key.write(&self.root_key(), overwrite)?;
        issuing_key.write(&self.issuing_key(), overwrite)?;
        write_public(&self.root_certificate(), root.pem().as_bytes())?;
        write_public(&self.issuing_certificate(), issuing.pem().as_bytes())?;
        let authority = Authority::new(issuing, vec![root], Box::new(issuing_key)).map_err(CeremonyError::from)?;
        write_public(&self.bundle(), authority.bundle_pem().as_bytes())?;
        Ok(authority)
    }

    /// Loads the issuing authority. `now` is in Unix seconds.
    ///
    /// `issuing.pem` may hold further authorities after its own, or be self-signed; then `root.pem` is not read.
    ///
    /// # Errors
    /// [`FileError`], naming the file: missing, not PEM, without key, key of another certificate, no authority, expired.
    pub fn load(&self, now: i64) -> Result<Authority, FileError> {
        let path = self.issuing_certificate();
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |source| FileError::Authority { path, source }
        };
        let mut certificates = authorities(&path)?.into_iter();
        let Some(issuing) = certificates.next() else {
            return Err(refused(&path)(AuthorityError::Unreadable("it is empty".to_owned())));
        };
        let mut chain: Vec<CaCertificate> = certificates.collect();
        let is_root = issuing.leaf().issuer_name_digest() == issuing.leaf().subject_name_digest();
        if chain.is_empty() && !is_root {
            chain = authorities(&self.root_certificate())?;
        }
        issuing.check_in_force(now).map_err(refused(&path))?;
        let key = read_key(&self.issuing_key())?;
        let subject = issuing.subject();
        Authority::new(issuing, chain, Box::new(key)).map_err(|error| match error {
            AuthorityError::KeyMismatch { .. } => FileError::KeyMismatch { key: self.issuing_key(), certificate: path, subject },
            other => FileError::Authority { path, source: other },
        })
    }

    fn own_files(&self) -> [PathBuf; 5] {
        [self.root_key(), self.root_certificate(), self.issuing_key(), self.issuing_certificate(), self.bundle()]
    }
}

fn authorities(path: &Path) -> Result<Vec<CaCertificate>, FileError> {
    read_certificates(path)?
        .iter()
        .map(|der| CaCertificate::from_der(der).map_err(|source| FileError::Authority { path: path.to_owned(), source }))
        .collect()
}
