//! Trust anchors read from PEM files. Only certification authorities may be anchors: a device certificate in a trust file would
//! let whoever holds its key be believed for anything.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::TlsError;

/// The certificates a listener or client believes without further proof, and the issuers it knows.
#[derive(Clone)]
pub struct TrustAnchors {
    pub(crate) anchors: Arc<[TrustAnchor<'static>]>,
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
}

impl TrustAnchors {
    /// Reads every certificate of `files`.
    ///
    /// # Errors
    /// Names the file: unreadable, no certificate in it, a certificate that is no certification authority's.
    pub fn load(files: &[PathBuf]) -> Result<Self, TlsError> {
        todo!()
    }

    /// The certificates in DER, for checking who signed a revocation list.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(|certificate| certificate.as_ref())
    }
}
