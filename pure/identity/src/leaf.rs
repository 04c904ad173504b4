//! The facts of an end-entity certificate, read once into owned values.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::certificate_id::{AuthorityId, CertificateId, KeyDigest, NameDigest, SerialNumber};
use crate::der::{self, DerError, Extension, Reader};
use crate::error::IdentityError;
use crate::subject::{Subject, SubjectAltName, read_san};

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

struct LeafFacts {
    der: Vec<u8>,
    spki: Vec<u8>,
    id: CertificateId,
    subject: Subject,
    issuer: Subject,
    subject_digest: NameDigest,
    san: Vec<SubjectAltName>,
    validity: Validity,
    fingerprint: Fingerprint,
    spki_digest: KeyDigest,
    version: u8,
    key_kind: String,
    usage: Usage,
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
        Ok(Self { facts: Arc::new(read_certificate(der)?) })
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
    pub fn spki_digest(&self) -> KeyDigest {
        self.facts.spki_digest
    }

    /// The authority that this certificate is of, if it is one's: its subject and key.
    #[must_use]
    pub fn authority_id(&self) -> AuthorityId {
        AuthorityId { name: self.facts.subject_digest, key: self.facts.spki_digest }
    }

    /// The DER of SubjectPublicKeyInfo, its SEQUENCE header included.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.facts.spki
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
        &self.facts.key_kind
    }

    /// The extension of an OID, given as the content octets of an OBJECT IDENTIFIER. Reads the certificate anew: nothing for a hot path.
    #[must_use]
    pub fn extension(&self, oid: &[u8]) -> Option<Extension<'_>> {
        let mut extensions = Reader::document(extensions_of(&self.facts.der)?).ok()?;
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
            .field("fingerprint", &facts.fingerprint)
            .finish_non_exhaustive()
    }
}

/// Certificate and TBSCertificate (RFC 5280 §4.1), field by field, so that an error names the field it is in.
fn read_certificate(der: &[u8]) -> Result<LeafFacts, IdentityError> {
    let mut certificate = Reader::document(der).map_err(in_field("DER"))?;
    let mut tbs = certificate.sequence().map_err(in_field("tbsCertificate"))?;
    certificate.expect(der::SEQUENCE).map_err(in_field("signatureAlgorithm"))?;
    certificate.expect(der::BIT_STRING).map_err(in_field("signatureValue"))?;
    certificate.finish().map_err(in_field("DER"))?;

    let version = read_version(&mut tbs).map_err(in_field("version"))?;
    let serial = tbs.expect(der::INTEGER).map_err(in_field("serialNumber"))?.content;
    let serial =
        SerialNumber::from_der_integer(serial).ok_or_else(|| in_field("serialNumber")(DerError::Content("expected 1 to 20 octets")))?;
    tbs.expect(der::SEQUENCE).map_err(in_field("signature"))?;
    let issuer = tbs.expect(der::SEQUENCE).map_err(in_field("issuer"))?.encoded;
    let validity = tbs.sequence().and_then(read_validity).map_err(in_field("validity"))?;
    let subject = tbs.expect(der::SEQUENCE).map_err(in_field("subject"))?.encoded;
    let spki = tbs.expect(der::SEQUENCE).map_err(in_field("subjectPublicKeyInfo"))?;
    for (tag, field) in [(0x81, "issuerUniqueID"), (0x82, "subjectUniqueID")] {
        if tbs.optional(tag).map_err(in_field(field))?.is_some() && version < 2 {
            return Err(in_field(field)(DerError::Content("a version 1 certificate has none")));
        }
    }
    let mut found = FoundExtensions::default();
    if let Some(wrapper) = tbs.optional(0xa3).map_err(in_field("extensions"))? {
        if version < 3 {
            return Err(in_field("extensions")(DerError::Content("a certificate of version 1 or 2 has none")));
        }
        found.read(wrapper.content)?;
    }
    tbs.finish().map_err(in_field("tbsCertificate"))?;

    Ok(LeafFacts {
        id: CertificateId::new(NameDigest::of(issuer), serial),
        subject: Subject::from_name_der(subject, "subject")?,
        issuer: Subject::from_name_der(issuer, "issuer")?,
        subject_digest: NameDigest::of(subject),
        san: found.san.unwrap_or_default(),
        validity,
        fingerprint: Fingerprint(Sha256::digest(der).into()),
        spki_digest: KeyDigest::of(spki.encoded),
        version,
        key_kind: key_kind(spki.content).map_err(in_field("subjectPublicKeyInfo"))?,
        usage: Usage {
            is_ca: found.is_ca.unwrap_or(false),
            // Without the extension the key may serve any purpose (RFC 5280 §4.2.1.12, §4.2.1.3).
            client_auth: found.purposes.is_none_or(|purposes| purposes.client_auth),
            server_auth: found.purposes.is_none_or(|purposes| purposes.server_auth),
            digital_signature: found.key_usage.is_none_or(|bits| bits & KEY_USAGE_DIGITAL_SIGNATURE != 0),
            certificate_sign: found.key_usage.is_none_or(|bits| bits & KEY_USAGE_CERTIFICATE_SIGN != 0),
            crl_sign: found.key_usage.is_none_or(|bits| bits & KEY_USAGE_CRL_SIGN != 0),
        },
        der: der.to_vec(),
        spki: spki.encoded.to_vec(),
    })
}

/// The DER of the Extensions of a certificate that was read before; `None` without any.
fn extensions_of(der: &[u8]) -> Option<&[u8]> {
    let mut tbs = Reader::document(der).ok()?.sequence().ok()?;
    while !tbs.is_empty() {
        let element = tbs.element().ok()?;
        if element.tag == 0xa3 {
            return Some(element.content);
        }
    }
    None
}

fn in_field(field: &'static str) -> impl Fn(DerError) -> IdentityError {
    move |error| IdentityError::Unreadable { field, reason: error.to_string() }
}

/// version `[0]` EXPLICIT, default v1. An explicit v1 is against DER but harmless, and old software writes it.
fn read_version(tbs: &mut Reader<'_>) -> Result<u8, DerError> {
    let Some(wrapper) = tbs.optional(0xa0)? else { return Ok(1) };
    let mut inner = Reader::new(wrapper.content);
    let content = inner.expect(der::INTEGER)?.content;
    inner.finish()?;
    match content {
        [number @ 0..=2] => Ok(number + 1),
        _ => Err(DerError::Content("expected version 1, 2 or 3")),
    }
}

fn read_validity(mut validity: Reader<'_>) -> Result<Validity, DerError> {
    let not_before = der::time(validity.element()?)?;
    let not_after = der::time(validity.element()?)?;
    validity.finish()?;
    Ok(Validity { not_before, not_after })
}

/// The extensions that say something about identity or use. Others are left to path building, which refuses unknown critical ones.
#[derive(Default)]
struct FoundExtensions {
    san: Option<Vec<SubjectAltName>>,
    is_ca: Option<bool>,
    key_usage: Option<u8>,
    purposes: Option<Purposes>,
}

#[derive(Clone, Copy)]
struct Purposes {
    client_auth: bool,
    server_auth: bool,
}

impl FoundExtensions {
    fn read(&mut self, content: &[u8]) -> Result<(), IdentityError> {
        let mut outer = Reader::new(content);
        let mut extensions = outer.sequence().map_err(in_field("extensions"))?;
        outer.finish().map_err(in_field("extensions"))?;
        while !extensions.is_empty() {
            let extension = Extension::read(&mut extensions).map_err(in_field("extensions"))?;
            match extension.oid {
                OID_SUBJECT_ALT_NAME => once(&mut self.san, "subjectAltName", read_san(extension.value))?,
                OID_BASIC_CONSTRAINTS => once(&mut self.is_ca, "basicConstraints", read_basic_constraints(extension.value))?,
                OID_KEY_USAGE => once(&mut self.key_usage, "keyUsage", read_key_usage(extension.value))?,
                OID_EXTENDED_KEY_USAGE => once(&mut self.purposes, "extKeyUsage", read_purposes(extension.value))?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// An extension appears once (RFC 5280 §4.2): of two, each reader could believe another.
fn once<T>(slot: &mut Option<T>, field: &'static str, value: Result<T, DerError>) -> Result<(), IdentityError> {
    if slot.replace(value.map_err(in_field(field))?).is_some() {
        return Err(in_field(field)(DerError::Content("the extension is there twice")));
    }
    Ok(())
}

fn read_basic_constraints(value: &[u8]) -> Result<bool, DerError> {
    let mut constraints = Reader::document(value)?;
    let is_ca = constraints.boolean_default_false()?;
    constraints.optional(der::INTEGER)?;
    constraints.finish()?;
    Ok(is_ca)
}

/// The first octet of the named bits; bit 0 is the highest (RFC 5280 §4.2.1.3).
fn read_key_usage(value: &[u8]) -> Result<u8, DerError> {
    let mut reader = Reader::new(value);
    let content = reader.expect(der::BIT_STRING)?.content;
    reader.finish()?;
    match content {
        [0..=7, bits, ..] => Ok(*bits),
        [0] => Ok(0),
        _ => Err(DerError::Content("expected a BIT STRING")),
    }
}

fn read_purposes(value: &[u8]) -> Result<Purposes, DerError> {
    let mut list = Reader::document(value)?;
    let mut purposes = Purposes { client_auth: false, server_auth: false };
    while !list.is_empty() {
        let oid = list.expect(der::OBJECT_IDENTIFIER)?.content;
        purposes.client_auth |= oid == OID_CLIENT_AUTH;
        purposes.server_auth |= oid == OID_SERVER_AUTH;
    }
    Ok(purposes)
}

/// Algorithm and size in the words of `Leaf::key_kind`.
fn key_kind(spki: &[u8]) -> Result<String, DerError> {
    let mut spki = Reader::new(spki);
    let mut algorithm = spki.sequence()?;
    let oid = algorithm.expect(der::OBJECT_IDENTIFIER)?.content;
    let key = spki.expect(der::BIT_STRING)?.content;
    spki.finish()?;
    match oid {
        OID_EC_PUBLIC_KEY => match algorithm.optional(der::OBJECT_IDENTIFIER)?.map(|curve| curve.content) {
            Some(OID_P256) => Ok("P-256".to_owned()),
            Some(OID_P384) => Ok("P-384".to_owned()),
            Some(OID_P521) => Ok("P-521".to_owned()),
            Some(curve) => Ok(format!("EC-{}", der::oid_text(curve)?)),
            None => Ok("EC with explicit parameters".to_owned()),
        },
        OID_ED25519 => Ok("Ed25519".to_owned()),
        OID_RSA => {
            let key = key.strip_prefix(&[0]).ok_or(DerError::Content("expected an RSA key in whole octets"))?;
            let modulus = Reader::document(key)?.expect(der::INTEGER)?.content;
            let significant = modulus.iter().skip_while(|octet| **octet == 0);
            let unused = significant.clone().next().map_or(0, |first| first.leading_zeros());
            let bits = significant.count().saturating_mul(8).saturating_sub(usize::try_from(unused).unwrap_or(0));
            Ok(format!("RSA-{bits}"))
        }
        _ => der::oid_text(oid),
    }
}

const KEY_USAGE_DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_USAGE_CERTIFICATE_SIGN: u8 = 0x04;
const KEY_USAGE_CRL_SIGN: u8 = 0x02;

const OID_SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const OID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const OID_SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const OID_CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const OID_EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const OID_P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
const OID_P521: &[u8] = &[0x2b, 0x81, 4, 0, 0x23];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

#[cfg(test)]
mod tests;
