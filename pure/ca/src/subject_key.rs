//! The public key a certificate is made for, checked for strength and written in one canonical form.

use core::fmt;

use rcgen::PublicKeyData;
use sha2::{Digest as _, Sha256};
use x509_parser::oid_registry;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// The weakest RSA key that is certified, in bits; what TLS engines refuse is not worth a certificate.
const RSA_BITS_MIN: usize = 2048;
/// The longest RSA key, in bits: a longer one costs every peer, and TLS engines refuse it.
const RSA_BITS_MAX: usize = 8192;

/// A public key strong enough to be certified.
#[derive(Clone, PartialEq, Eq)]
pub struct SubjectKey {
    kind: KeyKind,
    bits: Vec<u8>,
    der: Vec<u8>,
}

/// The kinds of public key that are certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// EC key on P-256.
    P256,
    /// EC key on P-384.
    P384,
    /// EC key on P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// RSA with this many bits.
    Rsa(usize),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256 => formatter.write_str("P-256"),
            Self::P384 => formatter.write_str("P-384"),
            Self::P521 => formatter.write_str("P-521"),
            Self::Ed25519 => formatter.write_str("Ed25519"),
            Self::Rsa(bits) => write!(formatter, "RSA-{bits}"),
        }
    }
}

/// A public key that is not certified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectKeyError {
    /// Not a `SubjectPublicKeyInfo`.
    #[error("the public key cannot be read: {0}")]
    Unreadable(String),
    /// An algorithm or curve that TLS engines do not accept for certificates.
    #[error("a public key of type `{found}` is not supported: use P-256, P-384, P-521, Ed25519 or RSA with 2048 bits and more")]
    Unsupported {
        /// The algorithm or curve, as an object identifier or a name.
        found: String,
    },
    /// RSA outside the bounds.
    #[error("an RSA key of {bits} bits is not accepted: expected {RSA_BITS_MIN} to {RSA_BITS_MAX} bits")]
    RsaSize {
        /// Its size.
        bits: usize,
    },
    /// RSA with an exponent that makes no key.
    #[error("the RSA key's public exponent is even or less than 3: generate the key anew")]
    RsaExponent,
}

impl SubjectKey {
    /// Reads and checks a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`SubjectKeyError`].
    pub fn from_spki(der: &[u8]) -> Result<Self, SubjectKeyError> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|error| SubjectKeyError::Unreadable(error.to_string()))?;
        if !rest.is_empty() {
            return Err(SubjectKeyError::Unreadable("bytes follow the key".to_owned()));
        }
        Self::from_parsed(&info)
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key as a DER `SubjectPublicKeyInfo`, in the form in which it stands in certificates.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of [`Self::spki`].
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// The key identifier (RFC 7093 §2 method 1: the leftmost 160 bits of the SHA-256 of the key).
    pub(crate) fn key_identifier(&self) -> Vec<u8> {
        let digest: [u8; 32] = Sha256::digest(&self.bits).into();
        digest.iter().copied().take(20).collect()
    }

    pub(crate) fn from_parsed(info: &SubjectPublicKeyInfo<'_>) -> Result<Self, SubjectKeyError> {
        let kind = kind(info)?;
        let mut key = Self { kind, bits: info.subject_public_key.data.to_vec(), der: Vec::new() };
        key.der = key.subject_public_key_info();
        Ok(key)
    }
}

impl fmt::Debug for SubjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SubjectKey({})", self.kind)
    }
}

impl PublicKeyData for SubjectKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.kind {
            KeyKind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyKind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyKind::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            KeyKind::Ed25519 => &rcgen::PKCS_ED25519,
            KeyKind::Rsa(_) => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

fn kind(info: &SubjectPublicKeyInfo<'_>) -> Result<KeyKind, SubjectKeyError> {
    let algorithm = &info.algorithm.algorithm;
    let unsupported = || SubjectKeyError::Unsupported { found: algorithm.to_id_string() };
    let bits: &[u8] = &info.subject_public_key.data;
    if *algorithm == oid_registry::OID_SIG_ED25519 {
        return if bits.len() == 32 {
            Ok(KeyKind::Ed25519)
        } else {
            Err(SubjectKeyError::Unreadable("an Ed25519 key has 32 octets".to_owned()))
        };
    }
    if *algorithm == oid_registry::OID_KEY_TYPE_EC_PUBLIC_KEY {
        return ec_kind(info, bits);
    }
    if *algorithm != oid_registry::OID_PKCS1_RSAENCRYPTION {
        return Err(unsupported());
    }
    let Ok(PublicKey::RSA(rsa)) = info.parsed() else {
        return Err(SubjectKeyError::Unreadable("the RSA modulus and exponent are not DER".to_owned()));
    };
    let modulus = rsa.modulus.iter().position(|octet| *octet != 0).and_then(|first| rsa.modulus.get(first..)).unwrap_or_default();
    let unused = modulus.first().map_or(0, |octet| octet.leading_zeros());
    let bits = modulus.len().saturating_mul(8).saturating_sub(usize::try_from(unused).unwrap_or(0));
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(SubjectKeyError::RsaSize { bits });
    }
    match rsa.try_exponent() {
        Ok(exponent) if exponent >= 3 && exponent % 2 == 1 => Ok(KeyKind::Rsa(bits)),
        _ => Err(SubjectKeyError::RsaExponent),
    }
}

fn ec_kind(info: &SubjectPublicKeyInfo<'_>, point: &[u8]) -> Result<KeyKind, SubjectKeyError> {
    let curve = info
        .algorithm
        .parameters
        .as_ref()
        .and_then(|parameters| parameters.as_oid().ok())
        .ok_or_else(|| SubjectKeyError::Unsupported { found: "EC key without a named curve".to_owned() })?;
    let (kind, octets) = if curve == oid_registry::OID_EC_P256 {
        (KeyKind::P256, 65)
    } else if curve == oid_registry::OID_NIST_EC_P384 {
        (KeyKind::P384, 97)
    } else if curve == oid_registry::OID_NIST_EC_P521 {
        (KeyKind::P521, 133)
    } else {
        return Err(SubjectKeyError::Unsupported { found: curve.to_id_string() });
    };
    // RFC 5480 §2.2: the uncompressed form is the one that everybody must understand.
    if point.len() == octets && point.first() == Some(&4) {
        Ok(kind)
    } else {
        Err(SubjectKeyError::Unreadable("the EC point is not in uncompressed form".to_owned()))
    }
}
