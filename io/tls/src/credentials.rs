//! A certificate with its key, read from PEM files: what a TLS end shows of itself.

use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use crate::TlsError;

/// A certificate chain and the private key of its first certificate.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) certified: Arc<CertifiedKey>,
    pub(crate) not_after: i64,
}

impl Credentials {
    /// Reads a PEM chain (leaf first) and its PEM key (PKCS#8, SEC1 or PKCS#1, not encrypted), and checks that they belong together and that
    /// the leaf is valid at `now` (unix seconds).
    ///
    /// # Errors
    /// Names the file and the way out: no certificate, no key, an encrypted key, a key of another certificate, an expired certificate.
    pub fn load(certificate: &Path, key: &Path, now: i64) -> Result<Self, TlsError> {
        todo!()
    }

    /// When the leaf's validity ends, unix seconds.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }
}
