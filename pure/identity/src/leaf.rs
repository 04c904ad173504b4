//! The facts of an end-entity certificate, read once into owned values.

use std::fmt;
use std::sync::Arc;

use crate::certificate_id::{CertificateId, NameDigest};
use crate::error::IdentityError;
use crate::subject::{Subject, SubjectAltName};

/// SHA-256 of a certificate's DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// From stored octets.
    #[must_use]
    pub fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The digest's octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 lower-case hex digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// From when to when a certificate holds, both ends included (RFC 5280 §4.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Seconds since 1970-01-01 UTC.
    pub not_before: i64,
    /// Seconds since 1970-01-01 UTC.
    pub not_after: i64,
}

/// The facts of one certificate. Reading proves nothing about it.
#[derive(Clone)]
pub struct Leaf {
    facts: Arc<LeafFacts>,
}

pub(crate) struct LeafFacts {
    pub(crate) der: Vec<u8>,
    pub(crate) id: CertificateId,
    pub(crate) subject: Subject,
    pub(crate) issuer: Subject,
    pub(crate) subject_digest: NameDigest,
    pub(crate) san: Vec<SubjectAltName>,
    pub(crate) validity: Validity,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) spki_digest: [u8; 32],
    pub(crate) version: u8,
    pub(crate) key_kind: String,
    pub(crate) usage: Usage,
}

/// What the extensions allow the key to be used for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) is_ca: bool,
    pub(crate) client_auth: bool,
    pub(crate) server_auth: bool,
    pub(crate) digital_signature: bool,
    pub(crate) crl_sign: bool,
}

impl Leaf {
    /// The largest certificate that is read, in bytes of DER. Device certificates have 400 to 2000.
    pub const MAXIMUM_SIZE: usize = 64 * 1024;

    /// Reads a certificate.
    ///
    /// # Errors
    /// [`IdentityError::TooLarge`], or [`IdentityError::Unreadable`] with the field that is malformed, present twice, or followed by
    /// more bytes. Never panics; allocates no more than a small multiple of the input.
    pub fn parse(der: &[u8]) -> Result<Self, IdentityError> {
        let _ = der;
        todo!()
    }

    /// The certificate's key everywhere else: issuer digest and serial number.
    #[must_use]
    pub fn id(&self) -> CertificateId {
        self.facts.id
    }

    /// The digest of the issuer's Name.
    #[must_use]
    pub fn issuer_name_digest(&self) -> NameDigest {
        self.facts.id.issuer()
    }

    /// The digest of the subject's Name: what certificates and CRLs issued under this one have as [`Self::issuer_name_digest`].
    #[must_use]
    pub fn subject_name_digest(&self) -> NameDigest {
        self.facts.subject_digest
    }

    /// Who the certificate is about.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.facts.subject
    }

    /// Who signed it.
    #[must_use]
    pub fn issuer(&self) -> &Subject {
        &self.facts.issuer
    }

    /// The names of subjectAltName, in order; empty without the extension.
    #[must_use]
    pub fn san(&self) -> &[SubjectAltName] {
        &self.facts.san
    }

    /// From when to when it holds.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.facts.validity
    }

    /// SHA-256 of the DER.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.facts.fingerprint
    }

    /// SHA-256 of SubjectPublicKeyInfo: the same for every certificate of one key.
    #[must_use]
    pub fn spki_digest(&self) -> [u8; 32] {
        self.facts.spki_digest
    }

    /// The X.509 version: 1, 2 or 3.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.facts.version
    }

    /// Whether basicConstraints says CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.facts.usage.is_ca
    }

    /// Whether extKeyUsage is absent or lists id-kp-clientAuth (RFC 5280 §4.2.1.12). anyExtendedKeyUsage alone does not count, as in path building.
    #[must_use]
    pub fn allows_client_auth(&self) -> bool {
        self.facts.usage.client_auth
    }

    /// Whether extKeyUsage is absent or lists id-kp-serverAuth.
    #[must_use]
    pub fn allows_server_auth(&self) -> bool {
        self.facts.usage.server_auth
    }

    /// Whether keyUsage is absent or has digitalSignature, which TLS authentication needs (RFC 5280 §4.2.1.3).
    #[must_use]
    pub fn allows_digital_signature(&self) -> bool {
        self.facts.usage.digital_signature
    }

    /// Whether keyUsage is absent or has cRLSign.
    #[must_use]
    pub fn allows_crl_sign(&self) -> bool {
        self.facts.usage.crl_sign
    }

    /// The kind of key: `P-256`, `P-384`, `P-521`, `Ed25519`, `RSA-2048`, or the algorithm's OID.
    #[must_use]
    pub fn key_kind(&self) -> &str {
        &self.facts.key_kind
    }

    /// The certificate itself.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.facts.der
    }
}

/// Subject, serial number and fingerprint.
impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { facts } = self;
        f.debug_struct("Leaf").field("subject", &facts.subject.rfc4514()).field("id", &facts.id).field("fingerprint", &facts.fingerprint).finish_non_exhaustive()
    }
}
