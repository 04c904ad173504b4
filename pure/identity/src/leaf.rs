//! The facts of an end-entity certificate, read once into owned values.

mod algorithm;
mod read;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use sha2::{Digest as _, Sha256};

pub use algorithm::{KeyAlgorithm, SignatureAlgorithm};

use crate::certificate_id::{AuthorityId, CertificateId, KeyDigest, NameDigest};
use crate::der::{self, Extension, Reader};
use crate::error::IdentityError;
use crate::san::SubjectAltName;
use crate::subject::Subject;
use algorithm::Key;

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

impl Validity {
    /// The whole time in seconds, from `not_before` to `not_after`: 86400 for a certificate of one day as tools make it. Negative when they are the
    /// wrong way round.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.not_after.saturating_sub(self.not_before)
    }
}

/// The facts of one certificate. Reading proves nothing about it.
#[derive(Clone)]
pub struct Leaf {
    facts: Arc<LeafFacts>,
}

struct LeafFacts {
    der: Vec<u8>,
    /// Where in the DER the subject is.
    subject_place: Range<usize>,
    /// Where in the DER SubjectPublicKeyInfo is.
    spki_place: Range<usize>,
    id: CertificateId,
    subject: Subject,
    /// Where in the DER the issuer is.
    issuer_place: Range<usize>,
    san: Vec<SubjectAltName>,
    validity: Validity,
    version: u8,
    key: Key,
    usage: Usage,
    /// Most handshakes need none of it.
    derived: Derived,
}

/// What is made when somebody asks.
#[derive(Default)]
struct Derived {
    /// All devices of an authority have the same: nobody needs it in the memory of every connection.
    issuer: OnceLock<Box<Subject>>,
    fingerprint: OnceLock<Fingerprint>,
    subject: OnceLock<NameDigest>,
    spki: OnceLock<KeyDigest>,
}

/// What the extensions allow the key to be used for.
#[derive(Debug, Clone, Copy)]
struct Usage {
    is_ca: bool,
    client_auth: bool,
    server_auth: bool,
    digital_signature: bool,
    certificate_sign: bool,
    crl_sign: bool,
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
        if der.len() > Self::MAXIMUM_SIZE {
            return Err(IdentityError::TooLarge { size: der.len(), limit: Self::MAXIMUM_SIZE });
        }
        Ok(Self { facts: Arc::new(read::certificate(der)?) })
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
        *self.facts.derived.subject.get_or_init(|| NameDigest::of(self.part(&self.facts.subject_place)))
    }

    /// Who the certificate is about.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.facts.subject
    }

    /// Who signed it.
    #[must_use]
    pub fn issuer(&self) -> &Subject {
        // It was found to be readable with the rest.
        let read = || Box::new(Subject::read(self.part(&self.facts.issuer_place)).unwrap_or_default());
        self.facts.derived.issuer.get_or_init(read)
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
        *self.facts.derived.fingerprint.get_or_init(|| Fingerprint(Sha256::digest(&self.facts.der).into()))
    }

    /// SHA-256 of SubjectPublicKeyInfo: the same for every certificate of one key.
    #[must_use]
    pub fn spki_digest(&self) -> KeyDigest {
        *self.facts.derived.spki.get_or_init(|| KeyDigest::of(self.spki()))
    }

    /// The authority that this certificate is of, if it is one's: its subject and key.
    #[must_use]
    pub fn authority_id(&self) -> AuthorityId {
        AuthorityId { name: self.subject_name_digest(), key: self.spki_digest() }
    }

    /// The DER of SubjectPublicKeyInfo, its SEQUENCE header included.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        self.part(&self.facts.spki_place)
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        // The place was measured when the same bytes were read.
        self.facts.der.get(place.clone()).unwrap_or_default()
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

    /// Whether extKeyUsage is absent or lists id-kp-clientAuth (RFC 5280 §4.2.1.12). anyExtendedKeyUsage alone does not count, as in path
    /// building.
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

    /// Whether keyUsage is absent or has keyCertSign, which every authority of a path needs (RFC 5280 §6.1.4 (n)).
    #[must_use]
    pub fn allows_certificate_sign(&self) -> bool {
        self.facts.usage.certificate_sign
    }

    /// Whether keyUsage is absent or has cRLSign.
    #[must_use]
    pub fn allows_crl_sign(&self) -> bool {
        self.facts.usage.crl_sign
    }

    /// The kind of key: `P-256`, `P-384`, `P-521`, `Ed25519`, `RSA-2048`, or the algorithm's OID.
    #[must_use]
    pub fn key_kind(&self) -> &str {
        &self.facts.key.kind
    }

    /// The algorithm that the key is for.
    #[must_use]
    pub fn key_algorithm(&self) -> &KeyAlgorithm {
        &self.facts.key.algorithm
    }

    /// The size of the key in bits: of the modulus, or of the curve's field. `None` where the algorithm or the curve is not known here.
    #[must_use]
    pub fn key_bits(&self) -> Option<u32> {
        self.facts.key.bits
    }

    /// How the issuer signed it. Reads the certificate anew, as everything below: nothing for a hot path.
    #[must_use]
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        algorithm::signature_algorithm(&self.facts.der).unwrap_or_else(|_| SignatureAlgorithm::unknown())
    }

    /// Every purpose that extKeyUsage lists, as dotted OIDs, in order; empty without the extension.
    #[must_use]
    pub fn extended_key_usages(&self) -> Vec<String> {
        let list = self.extension(read::OID_EXTENDED_KEY_USAGE).map(|extension| read::purpose_oids(extension.value));
        // The extension was read before, so it cannot fail now.
        list.and_then(Result::ok).unwrap_or_default()
    }

    /// pathLenConstraint of basicConstraints: how many intermediates may follow below this authority (RFC 5280 §4.2.1.9). `None` without one.
    #[must_use]
    pub fn path_length(&self) -> Option<u32> {
        let constraints = self.extension(read::OID_BASIC_CONSTRAINTS)?;
        read::basic_constraints(constraints.value).ok()?.1
    }

    /// The key identifier of subjectKeyIdentifier (RFC 5280 §4.2.1.2).
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&[u8]> {
        let mut reader = Reader::new(self.extension(read::OID_SUBJECT_KEY_IDENTIFIER)?.value);
        Some(reader.expect(der::OCTET_STRING).ok()?.content)
    }

    /// The key identifier of authorityKeyIdentifier, if it has one (RFC 5280 §4.2.1.1).
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        let mut reader = Reader::document(self.extension(read::OID_AUTHORITY_KEY_IDENTIFIER)?.value).ok()?;
        Some(reader.optional(0x80).ok()??.content)
    }

    /// The extension of an OID, given as the content octets of an OBJECT IDENTIFIER. Reads the certificate anew: nothing for a hot path.
    #[must_use]
    pub fn extension(&self, oid: &[u8]) -> Option<Extension<'_>> {
        let mut extensions = Reader::document(read::extensions_of(&self.facts.der)?).ok()?;
        while !extensions.is_empty() {
            let extension = Extension::read(&mut extensions).ok()?;
            if extension.oid == oid {
                return Some(extension);
            }
        }
        None
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
        f.debug_struct("Leaf")
            .field("subject", &facts.subject.rfc4514())
            .field("id", &facts.id)
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
