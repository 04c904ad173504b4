//! A signed CRL becomes entries (RFC 5280 §5): issuer, signature, number, extensions, all checked once, when it is loaded.

use std::fmt;
use std::sync::Arc;

use signet_identity::{CertificateId, Leaf, NameDigest, SerialNumber};

use crate::error::CrlError;
use crate::index::CrlStatus;
use crate::reason::Reason;

/// The bytes that a signature check needs, each as encoded in the CRL or the issuer's certificate.
#[derive(Debug, Clone, Copy)]
pub struct SignedData<'a> {
    /// What was signed: the DER of tbsCertList.
    pub to_be_signed: &'a [u8],
    /// The DER of the AlgorithmIdentifier of the signature, its SEQUENCE header included.
    pub algorithm: &'a [u8],
    /// The signature's octets.
    pub signature: &'a [u8],
    /// The DER of the issuer's SubjectPublicKeyInfo, its SEQUENCE header included.
    pub issuer_spki: &'a [u8],
}

/// Verifies one signature. `io/tls` implements it with the TLS library's algorithms.
pub trait SignatureVerifier {
    /// Checks the signature.
    ///
    /// # Errors
    /// What is wrong, for people: an unsupported algorithm, or a signature that does not match.
    fn verify(&self, signed: SignedData<'_>) -> Result<(), String>;
}

/// A CA certificate that may have signed CRLs.
#[derive(Debug, Clone)]
pub struct IssuerCertificate {
    leaf: Leaf,
    spki: Vec<u8>,
}

impl IssuerCertificate {
    /// Reads a CA certificate.
    ///
    /// # Errors
    /// [`CrlError::Issuer`] when it cannot be read.
    pub fn parse(der: &[u8]) -> Result<Self, CrlError> {
        let _ = der;
        todo!()
    }

    /// The digest of the name under which it signs.
    #[must_use]
    pub fn name(&self) -> NameDigest {
        self.leaf.subject_name_digest()
    }

    /// The certificate's facts.
    #[must_use]
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }
}

/// A CRL's number: at most 20 octets (RFC 5280 §5.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlNumber(SerialNumber);

impl From<u64> for CrlNumber {
    fn from(number: u64) -> Self {
        let mut octets = [0; SerialNumber::MAXIMUM_OCTETS];
        let (_, low) = octets.split_at_mut(SerialNumber::MAXIMUM_OCTETS - 8);
        low.copy_from_slice(&number.to_be_bytes());
        Self(SerialNumber::from_padded(octets))
    }
}

/// Decimal when it fits into 64 bits, else hex octets.
impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = self.0.as_octets();
        if octets.len() <= 8 {
            write!(f, "{}", octets.iter().fold(0_u64, |number, octet| (number << 8) | u64::from(*octet)))
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl fmt::Debug for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CrlNumber({self})")
    }
}

/// One revoked certificate, packed: an index holds millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlEntry {
    serial: [u8; SerialNumber::MAXIMUM_OCTETS],
    since: [u8; 5],
    reason: Reason,
}

impl CrlEntry {
    /// Packs an entry. `since` is cut to the 40 bits that hold every date X.509 can write.
    #[must_use]
    pub fn new(serial: SerialNumber, since: i64, reason: Reason) -> Self {
        let _ = since;
        Self { serial: serial.to_padded(), since: [0; 5], reason }
    }
}

/// A complete CRL whose signature was verified.
#[derive(Debug, Clone)]
pub struct Crl {
    pub(crate) issuer: NameDigest,
    pub(crate) issuer_text: String,
    pub(crate) status: CrlStatus,
    pub(crate) entries: Arc<[CrlEntry]>,
}

impl Crl {
    /// The largest file that is read, in bytes: about four million entries.
    pub const MAXIMUM_SIZE: usize = 256 * 1024 * 1024;

    /// Reads every CRL of a PEM file, or one CRL in DER, and verifies each signature.
    ///
    /// # Errors
    /// [`CrlError`]; one bad CRL refuses the whole file. Never panics; allocates no more than a small multiple of the input.
    pub fn parse_pem_or_der(bytes: &[u8], issuers: &[IssuerCertificate], verifier: &dyn SignatureVerifier) -> Result<Vec<Self>, CrlError> {
        let _ = (bytes, issuers, verifier);
        todo!()
    }

    /// The digest of the issuer's Name.
    #[must_use]
    pub fn issuer(&self) -> NameDigest {
        self.issuer
    }

    /// The issuer's Name as RFC 4514 writes it.
    #[must_use]
    pub fn issuer_text(&self) -> &str {
        &self.issuer_text
    }

    /// Number, dates and size.
    #[must_use]
    pub fn status(&self) -> CrlStatus {
        self.status
    }

    /// The ids on it, in order.
    pub fn ids(&self) -> impl Iterator<Item = CertificateId> + '_ {
        self.entries.iter().map(|entry| CertificateId::new(self.issuer, SerialNumber::from_padded(entry.serial)))
    }
}
