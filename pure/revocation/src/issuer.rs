//! Who may have signed a CRL, and how its signature is checked: the arithmetic itself is the caller's.

use signet_identity::der::{self, DerError, Reader};
use signet_identity::{Leaf, NameDigest};

use crate::error::CrlError;

const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];

/// The bytes that a signature check needs, each as encoded in the signed document or the issuer's certificate.
#[derive(Debug, Clone, Copy)]
pub struct SignedData<'a> {
    /// What was signed: the DER of tbsCertList, tbsResponseData or tbsCertificate.
    pub to_be_signed: &'a [u8],
    /// The DER of the AlgorithmIdentifier of the signature, its SEQUENCE header included.
    pub algorithm: &'a [u8],
    /// The signature's octets.
    pub signature: &'a [u8],
    /// The DER of the issuer's SubjectPublicKeyInfo, its SEQUENCE header included.
    pub issuer_spki: &'a [u8],
}

/// The DER of the subject's Name.
fn subject_of(leaf: &Leaf) -> Result<&[u8], DerError> {
    let mut tbs = Reader::document(leaf.der())?.sequence()?;
    tbs.optional(0xa0)?;
    tbs.expect(der::INTEGER)?;
    for _ in ["signature", "issuer", "validity"] {
        tbs.expect(der::SEQUENCE)?;
    }
    Ok(tbs.expect(der::SEQUENCE)?.encoded)
}

/// The octets of a certificate's key: the content of subjectPublicKey's BIT STRING, without the count of unused bits.
pub(crate) fn key_octets(leaf: &Leaf) -> Result<&[u8], DerError> {
    let mut spki = Reader::document(leaf.spki())?;
    spki.expect(der::SEQUENCE)?;
    let key = spki.expect(der::BIT_STRING)?.content;
    key.strip_prefix(&[0]).ok_or(DerError::Content("expected a key in whole octets"))
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
pub struct IssuerCertificate(Leaf);

impl IssuerCertificate {
    /// Reads a CA certificate.
    ///
    /// # Errors
    /// [`CrlError::Issuer`] when it cannot be read.
    pub fn parse(der: &[u8]) -> Result<Self, CrlError> {
        Ok(Self(Leaf::parse(der)?))
    }

    /// The digest of the name under which it signs.
    #[must_use]
    pub fn name(&self) -> NameDigest {
        self.0.subject_name_digest()
    }

    /// Whether its key may sign CRLs (RFC 5280 §6.3.3 (f)): keyUsage has cRLSign, or is absent in the certificate of a CA. A certificate before
    /// version 3 cannot say that it is a CA's; whoever offers it as an issuer says so.
    #[must_use]
    pub fn may_sign_crls(&self) -> bool {
        let Self(leaf) = self;
        leaf.allows_crl_sign() && (leaf.is_ca() || leaf.version() < 3 || leaf.extension(OID_KEY_USAGE).is_some())
    }

    /// The DER of its subject's Name, and the octets of its key without the BIT STRING's header: what a CertID is made of (RFC 6960 §4.1.1).
    pub(crate) fn name_and_key(&self) -> Result<(&[u8], &[u8]), DerError> {
        let Self(leaf) = self;
        Ok((subject_of(leaf)?, key_octets(leaf)?))
    }

    /// The certificate's facts.
    #[must_use]
    pub fn leaf(&self) -> &Leaf {
        &self.0
    }
}
