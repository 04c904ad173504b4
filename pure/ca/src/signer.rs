//! The one door to a private key: sign these bytes. Everything else in this crate works without seeing a key.

use core::cell::RefCell;
use core::fmt;
use core::str::FromStr;

use rcgen::{PublicKeyData, SigningKey};

use crate::subject_key::SubjectKey;

/// Signs with one private key that it never shows.
///
/// Implemented over key files in `io/ledger`; a hardware module fits behind the same three methods.
pub trait Signer: Send + Sync {
    /// The signature algorithm of every signature this key makes.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// The public half as a DER `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    fn public_key(&self) -> &[u8];

    /// Signs `message` (not its digest) and returns the signature as it stands in a certificate's `signatureValue`.
    ///
    /// # Errors
    /// When the key cannot be used, for example because the module that holds it is gone.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;
}

/// A signature could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signing failed: {0}")]
pub struct SignerError(pub String);

/// The signature algorithms that an authority's key may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384Sha384,
    /// ECDSA on P-521 with SHA-512.
    EcdsaP521Sha512,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RsaPkcs1Sha256,
}

impl SignatureAlgorithm {
    pub(crate) fn to_rcgen(self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Self::EcdsaP256Sha256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::EcdsaP384Sha384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::EcdsaP521Sha512 => &rcgen::PKCS_ECDSA_P521_SHA512,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
            Self::RsaPkcs1Sha256 => &rcgen::PKCS_RSA_SHA256,
        }
    }
}

/// The kinds of key pair that Signet generates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// ECDSA on P-256: the default, small and understood by everything.
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519; not understood by some embedded TLS stacks.
    Ed25519,
    /// RSA with 2048 bits, for devices that know nothing else.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits; slow to generate and to sign with.
    Rsa4096,
}

impl KeyType {
    /// Every key type, in the order shown to people.
    pub const ALL: [Self; 6] = [Self::P256, Self::P384, Self::Ed25519, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The name used on the command line and in configuration, such as `p256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Ed25519 => "ed25519",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for KeyType {
    type Err = KeyTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|key_type| key_type.name() == text).ok_or_else(|| KeyTypeError { found: text.to_owned() })
    }
}

/// A key type that Signet does not generate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown key type `{found}`: use `p256`, `p384`, `ed25519`, `rsa2048`, `rsa3072` or `rsa4096`")]
pub struct KeyTypeError {
    /// What was written.
    pub found: String,
}

/// Lets the certificate writer sign through a [`Signer`], and keeps the signer's own error, for which the writer has no room.
pub(crate) struct Bridge<'a> {
    signer: &'a dyn Signer,
    key: &'a SubjectKey,
    failure: RefCell<Option<SignerError>>,
}

impl<'a> Bridge<'a> {
    /// `key` is the parsed form of `signer.public_key()`.
    pub(crate) const fn new(signer: &'a dyn Signer, key: &'a SubjectKey) -> Self {
        Self { signer, key, failure: RefCell::new(None) }
    }

    /// The reason why the last signature failed, if the signer gave one.
    pub(crate) fn take_failure(&self) -> Option<SignerError> {
        self.failure.borrow_mut().take()
    }
}

impl PublicKeyData for Bridge<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.signer.algorithm().to_rcgen()
    }
}

impl SigningKey for Bridge<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signer.sign(message).map_err(|error| {
            *self.failure.borrow_mut() = Some(error);
            rcgen::Error::RemoteKeyError
        })
    }
}

/// Writes a certificate or CRL with an empty signature: the twin that is linted before a key is touched.
pub(crate) struct Unsigned<'a> {
    algorithm: SignatureAlgorithm,
    key: &'a SubjectKey,
}

impl<'a> Unsigned<'a> {
    pub(crate) const fn new(algorithm: SignatureAlgorithm, key: &'a SubjectKey) -> Self {
        Self { algorithm, key }
    }
}

impl PublicKeyData for Unsigned<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.algorithm.to_rcgen()
    }
}

impl SigningKey for Unsigned<'_> {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Vec::new())
    }
}
