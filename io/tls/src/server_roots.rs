//! Whom a client believes when a server shows a certificate: files, a directory as OpenSSL keeps them, the system's own.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::connector::ConnectorConfig;
use crate::trust::is_authority;
use crate::{TlsError, TrustAnchors, pem};

/// Files of a directory that are looked at: distributions have a few hundred.
const MAXIMUM_FILES: usize = 10_000;

/// The anchors, and the same as they are written.
pub(crate) struct ServerRoots {
    pub(crate) store: RootCertStore,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl ServerRoots {
    /// Reads everything that `config` names. What a file holds has to be usable; of a directory and of the system what can be used counts.
    ///
    /// # Errors
    /// Nothing is named, a file cannot be used, or nothing usable is left.
    pub(crate) fn load(config: &ConnectorConfig) -> Result<Self, TlsError> {
        let is_nothing_named = config.ca_files.is_empty() && config.ca_directory.is_none() && !config.system_trust;
        if is_nothing_named {
            let words = "no CA to check the server with; give `--cafile FILE` with the CA of the server's certificate";
            return Err(TlsError::Setting(words.to_owned()));
        }
        let mut roots = Self { store: RootCertStore::empty(), certificates: Vec::new() };
        if !config.ca_files.is_empty() {
            roots.add_files(config)?;
        }
        if let Some(directory) = &config.ca_directory {
            let found = certificates_of(directory)?;
            if found.is_empty() {
                let hint = "put PEM files of authorities into it, and run `openssl rehash` on it for programs that need that";
                return Err(TlsError::file(directory, "holds no certificate of an authority", hint));
            }
            roots.add_usable(found);
        }
        if config.system_trust {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
                return Err(TlsError::Setting(format!("no certificates of the system to check the server with: {why}")));
            }
            roots.add_usable(found.certs);
        }
        Ok(roots)
    }

    fn add_files(&mut self, config: &ConnectorConfig) -> Result<(), TlsError> {
        if config.old_certificates {
            // A server's own certificate may stand there: it is compared as a whole, and nothing is issued by it.
            for path in &config.ca_files {
                self.add_usable(pem::certificates(path, &pem::read(path)?)?);
            }
            return Ok(());
        }
        for certificate in TrustAnchors::load(&config.ca_files)?.certificates() {
            let certificate = CertificateDer::from(certificate.to_owned());
            self.store.add(certificate.clone()).map_err(|error| TlsError::Library(error.to_string()))?;
            self.certificates.push(certificate);
        }
        Ok(())
    }

    fn add_usable(&mut self, found: Vec<CertificateDer<'static>>) {
        self.store.add_parsable_certificates(found.iter().filter(|certificate| is_authority(certificate)).cloned());
        self.certificates.extend(found);
    }
}

/// The certificates of a directory: with names such as `5ed36f99.0`, which OpenSSL looks for, those files; without, every PEM file.
fn certificates_of(directory: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |source| TlsError::Read { path: directory.to_owned(), source };
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        files.push(entry.map_err(fail)?.path());
        if files.len() > MAXIMUM_FILES {
            return Err(TlsError::file(directory, format!("holds more than {MAXIMUM_FILES} files"), "is this the right directory?"));
        }
    }
    files.sort();
    if files.iter().any(|path| is_hash(path)) {
        files.retain(|path| is_hash(path));
    }
    let mut certificates = Vec::new();
    for path in files.iter().filter(|path| path.is_file()) {
        // What is no certificate, or cannot be read, is not OpenSSL's concern either.
        if let Ok(found) = pem::read(path).and_then(|contents| pem::certificates(path, &contents)) {
            certificates.extend(found.into_iter().filter(|certificate| !certificates.contains(certificate)).collect::<Vec<_>>());
        }
    }
    Ok(certificates)
}

/// Whether a file is named by the hash of its subject: eight hexadecimal digits, a dot, a number.
fn is_hash(path: &Path) -> bool {
    let Some((hash, number)) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split_once('.')) else { return false };
    hash.len() == 8
        && hash.bytes().all(|octet| octet.is_ascii_hexdigit())
        && !number.is_empty()
        && number.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_hash_are_told_from_others() {
        for (name, expected) in [
            ("5ed36f99.0", true),
            ("5ED36F99.12", true),
            ("5ed36f99.r0", false),
            ("5ed36f9.0", false),
            ("ca.pem", false),
            ("5ed36f99.", false),
        ] {
            assert_eq!(is_hash(Path::new(name)), expected, "{name}");
        }
    }
}
