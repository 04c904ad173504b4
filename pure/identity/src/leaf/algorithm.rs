//! Which algorithm a certificate's key is for, and with which one its issuer signed it.

use std::borrow::Cow;
use std::fmt;

use crate::der::{self, DerError, Reader};

/// The algorithm of a public key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// An elliptic curve (RFC 5480).
    Ec,
    /// RSA, for any padding (RFC 3279 §2.3.1).
    Rsa,
    /// RSA for RSASSA-PSS alone (RFC 4055 §1.2).
    RsaPss,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// Another one, by its dotted OID.
    Other(String),
}

/// `EC`, `RSA`, `RSA-PSS`, `Ed25519`, `Ed448`, or the dotted OID.
impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ec => "EC",
            Self::Rsa => "RSA",
            Self::RsaPss => "RSA-PSS",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::Other(oid) => oid,
        })
    }
}

/// What SubjectPublicKeyInfo says about the key.
pub(super) struct Key {
    pub(super) algorithm: KeyAlgorithm,
    pub(super) bits: Option<u32>,
    /// In the words of `Leaf::key_kind`.
    pub(super) kind: Cow<'static, str>,
}

impl Key {
    /// Reads the content of SubjectPublicKeyInfo.
    pub(super) fn read(spki: &[u8]) -> Result<Self, DerError> {
        let mut spki = Reader::new(spki);
        let mut algorithm = spki.sequence()?;
        let oid = algorithm.expect(der::OBJECT_IDENTIFIER)?.content;
        let key = spki.expect(der::BIT_STRING)?.content;
        spki.finish()?;
        let fixed = |algorithm, bits, kind| Self { algorithm, bits: Some(bits), kind: Cow::Borrowed(kind) };
        Ok(match oid {
            OID_EC_PUBLIC_KEY => Self::elliptic(algorithm.optional(der::OBJECT_IDENTIFIER)?.map(|curve| curve.content))?,
            OID_ED25519 => fixed(KeyAlgorithm::Ed25519, 256, "Ed25519"),
            OID_ED448 => fixed(KeyAlgorithm::Ed448, 456, "Ed448"),
            OID_RSA => {
                let bits = modulus_bits(key)?;
                Self { algorithm: KeyAlgorithm::Rsa, bits: Some(bits), kind: format!("RSA-{bits}").into() }
            }
            OID_RSASSA_PSS => {
                let bits = modulus_bits(key)?;
                Self { algorithm: KeyAlgorithm::RsaPss, bits: Some(bits), kind: format!("RSA-PSS-{bits}").into() }
            }
            _ => {
                let oid = der::oid_text(oid)?;
                Self { algorithm: KeyAlgorithm::Other(oid.clone()), bits: None, kind: oid.into() }
            }
        })
    }

    fn elliptic(curve: Option<&[u8]>) -> Result<Self, DerError> {
        let (bits, kind) = match curve {
            Some(OID_P256) => (Some(256), "P-256".into()),
            Some(OID_P384) => (Some(384), "P-384".into()),
            Some(OID_P521) => (Some(521), "P-521".into()),
            Some(curve) => {
                (OTHER_CURVES.iter().find(|(oid, _)| *oid == curve).map(|(_, bits)| *bits), format!("EC-{}", der::oid_text(curve)?).into())
            }
            None => (None, "EC with explicit parameters".into()),
        };
        Ok(Self { algorithm: KeyAlgorithm::Ec, bits, kind })
    }
}

/// RSAPublicKey (RFC 8017 §A.1.1): the size of its modulus.
fn modulus_bits(key: &[u8]) -> Result<u32, DerError> {
    let key = key.strip_prefix(&[0]).ok_or(DerError::Content("expected an RSA key in whole octets"))?;
    let modulus = Reader::document(key)?.expect(der::INTEGER)?.content;
    let significant = modulus.iter().skip_while(|octet| **octet == 0);
    let unused = significant.clone().next().map_or(0, |first| first.leading_zeros());
    // A certificate has at most 64 KiB, so its bits fit.
    Ok(u32::try_from(significant.count()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(unused))
}

/// The algorithm with which a certificate is signed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SignatureAlgorithm {
    name: Cow<'static, str>,
    digest: Option<&'static str>,
}

impl SignatureAlgorithm {
    pub(super) fn unknown() -> Self {
        Self { name: "unknown".into(), digest: None }
    }

    /// The name in its standard, such as `ecdsa-with-SHA256`, `sha256WithRSAEncryption`, `rsassaPss`, `Ed25519`, or else the dotted OID.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest that is signed, such as `SHA-256`. `None` where the algorithm has it inside, as Ed25519, or is not known here.
    #[must_use]
    pub fn digest(&self) -> Option<&'static str> {
        self.digest
    }

    /// Whether two documents of one digest can be made: MD2, MD4, MD5 and SHA-1.
    #[must_use]
    pub fn has_broken_digest(&self) -> bool {
        matches!(self.digest, Some("MD2" | "MD4" | "MD5" | "SHA-1"))
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Of a certificate that was read before.
pub(super) fn signature_algorithm(certificate: &[u8]) -> Result<SignatureAlgorithm, DerError> {
    let mut certificate = Reader::document(certificate)?;
    certificate.element()?;
    let mut algorithm = certificate.sequence()?;
    let oid = algorithm.expect(der::OBJECT_IDENTIFIER)?.content;
    if oid == OID_RSASSA_PSS {
        return Ok(SignatureAlgorithm { name: "rsassaPss".into(), digest: pss_digest(&mut algorithm)? });
    }
    Ok(match SIGNATURES.iter().find(|(known, ..)| *known == oid) {
        Some((_, name, digest)) => SignatureAlgorithm { name: Cow::Borrowed(name), digest: *digest },
        None => SignatureAlgorithm { name: der::oid_text(oid)?.into(), digest: None },
    })
}

/// hashAlgorithm of RSASSA-PSS-params, SHA-1 unless written (RFC 4055 §3.1).
fn pss_digest(algorithm: &mut Reader<'_>) -> Result<Option<&'static str>, DerError> {
    let Some(parameters) = algorithm.optional(der::SEQUENCE)? else { return Ok(None) };
    let Some(wrapper) = Reader::new(parameters.content).optional(0xa0)? else { return Ok(Some("SHA-1")) };
    let oid = Reader::document(wrapper.content)?.expect(der::OBJECT_IDENTIFIER)?.content;
    Ok(DIGESTS.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name))
}

const OID_EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const OID_P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
const OID_P521: &[u8] = &[0x2b, 0x81, 4, 0, 0x23];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const OID_ED448: &[u8] = &[0x2b, 0x65, 0x71];
const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const OID_RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];

/// secp192r1, secp224r1, secp256k1, brainpoolP256r1, brainpoolP384r1, brainpoolP512r1.
const OTHER_CURVES: [(&[u8], u32); 6] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], 192),
    (&[0x2b, 0x81, 4, 0, 0x21], 224),
    (&[0x2b, 0x81, 4, 0, 0x0a], 256),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7], 256),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 11], 384),
    (&[0x2b, 0x24, 3, 3, 2, 8, 1, 1, 13], 512),
];

/// RFC 5758 §3.2, RFC 8017 §A.2.4, RFC 8410 §3.
const SIGNATURES: [(&[u8], &str, Option<&str>); 14] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "ecdsa-with-SHA1", Some("SHA-1")),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1], "ecdsa-with-SHA224", Some("SHA-224")),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], "ecdsa-with-SHA256", Some("SHA-256")),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3], "ecdsa-with-SHA384", Some("SHA-384")),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], "ecdsa-with-SHA512", Some("SHA-512")),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2], "md2WithRSAEncryption", Some("MD2")),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], "md5WithRSAEncryption", Some("MD5")),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], "sha1WithRSAEncryption", Some("SHA-1")),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14], "sha224WithRSAEncryption", Some("SHA-224")),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], "sha256WithRSAEncryption", Some("SHA-256")),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12], "sha384WithRSAEncryption", Some("SHA-384")),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13], "sha512WithRSAEncryption", Some("SHA-512")),
    (OID_ED25519, "Ed25519", None),
    (OID_ED448, "Ed448", None),
];

const DIGESTS: [(&[u8], &str); 5] = [
    (&[0x2b, 0x0e, 3, 2, 0x1a], "SHA-1"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4], "SHA-224"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1], "SHA-256"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2], "SHA-384"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], "SHA-512"),
];
