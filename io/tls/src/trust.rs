//! Trust anchors read from PEM files. Only certification authorities may be anchors: a device certificate in a trust file would
//! let whoever holds its key be believed for anything.
//!
//! A bundle may hold a root and its issuing certificates. Those that another certificate of the bundle signed are kept as known
//! intermediates, not as anchors: then their own expiry and revocation count, and devices need not send them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::DistinguishedName;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use signet_identity::KeyDigest;
use webpki::anchor_from_trusted_cert;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use crate::provider::algorithms;
use crate::signature::verify_certificate_signature;
use crate::{TlsError, pem};

/// The certificates a listener or client believes without further proof, and the issuers it knows.
#[derive(Clone)]
pub struct TrustAnchors {
    pub(crate) anchors: Arc<[TrustAnchor<'static>]>,
    pub(crate) intermediates: Arc<[CertificateDer<'static>]>,
    /// In the order of `anchors`.
    anchor_keys: Arc<[KeyDigest]>,
    certificates: Arc<[CertificateDer<'static>]>,
}

impl TrustAnchors {
    /// Reads every certificate of `files`.
    ///
    /// # Errors
    /// Names the file: unreadable, no certificate in it, a certificate that is no certification authority's.
    pub fn load(files: &[PathBuf]) -> Result<Self, TlsError> {
        let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
        for path in files {
            for (index, certificate) in pem::certificates(path, &pem::read(path)?)?.into_iter().enumerate() {
                check_authority(path, index + 1, &certificate)?;
                if !certificates.contains(&certificate) {
                    certificates.push(certificate);
                }
            }
        }
        let (intermediates, roots): (Vec<_>, Vec<_>) =
            certificates.iter().cloned().partition(|certificate| is_signed_by_another(certificate, &certificates));
        let anchors: Result<Vec<_>, _> = roots.iter().map(|root| anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned())).collect();
        let anchors = anchors.map_err(|error| TlsError::Library(format!("a checked trust anchor was refused: {error}")))?;
        let keys = roots.iter().map(|root| X509Certificate::from_der(root).map(|(_, parsed)| KeyDigest::of(parsed.public_key().raw)));
        let anchor_keys: Result<Vec<_>, _> = keys.collect();
        let anchor_keys = anchor_keys.map_err(|error| TlsError::Library(format!("a checked trust anchor was refused: {error}")))?;
        Ok(Self {
            anchor_keys: anchor_keys.into(),
            anchors: anchors.into(),
            intermediates: intermediates.into(),
            certificates: certificates.into(),
        })
    }

    /// The key of an anchor that path building ended at.
    pub(crate) fn key_of(&self, anchor: &TrustAnchor<'_>) -> KeyDigest {
        let place = self
            .anchors
            .iter()
            .position(|own| own.subject == anchor.subject && own.subject_public_key_info == anchor.subject_public_key_info);
        place.and_then(|place| self.anchor_keys.get(place)).copied().unwrap_or_else(|| KeyDigest::from_bytes([0; 32]))
    }

    /// The certificates in DER, for checking who signed a revocation list.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(|certificate| certificate.as_ref())
    }

    /// Names for the server's CertificateRequest, so that a client with many certificates picks the right one (RFC 8446 §4.2.4).
    pub(crate) fn hints(&self) -> Vec<DistinguishedName> {
        self.certificates
            .iter()
            .filter_map(|certificate| anchor_from_trusted_cert(certificate).ok())
            .map(|anchor| DistinguishedName::in_sequence(&anchor.subject))
            .collect()
    }
}

impl std::fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustAnchors").field("anchors", &self.anchors.len()).field("intermediates", &self.intermediates.len()).finish()
    }
}

fn check_authority(path: &Path, position: usize, certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
    let unreadable =
        |error: String| TlsError::file(path, format!("certificate {position} cannot be read: {error}"), "export it again as PEM");
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| unreadable(error.to_string()))?;
    let subject = parsed.subject().to_string();
    // Version 1 has no basicConstraints; only a self-signed one can be meant as a root.
    let authority = match parsed.version() {
        X509Version::V3 => matches!(parsed.basic_constraints(), Ok(Some(constraints)) if constraints.value.ca),
        _ => parsed.subject().as_raw() == parsed.issuer().as_raw(),
    };
    if !authority {
        let found = format!("certificate {position} (`{subject}`) is not a certification authority's, so it cannot be a trust anchor");
        return Err(TlsError::file(path, found, "name the certificate of the CA that issued it"));
    }
    anchor_from_trusted_cert(certificate).map(drop).map_err(|error| unreadable(error.to_string()))
}

/// Whether another certificate of the bundle issued this one. A self-issued certificate is a root by itself.
fn is_signed_by_another(certificate: &CertificateDer<'_>, all: &[CertificateDer<'_>]) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    if parsed.subject().as_raw() == parsed.issuer().as_raw() || parsed.version() != X509Version::V3 {
        return false;
    }
    all.iter().any(|other| {
        X509Certificate::from_der(other).is_ok_and(|(_, issuer)| {
            issuer.subject().as_raw() == parsed.issuer().as_raw() && verify_certificate_signature(&parsed, &issuer, algorithms()).is_ok()
        })
    })
}
