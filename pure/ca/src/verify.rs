//! Checks a signature with a certified or to-be-certified key: proof of possession in requests, the chain of an authority.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use rcgen::PublicKeyData as _;
use x509_parser::oid_registry;
use x509_parser::x509::AlgorithmIdentifier;

use crate::subject_key::{KeyKind, SubjectKey};

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum VerifyError {
    /// SHA-1, MD5, or an algorithm that does not fit the key.
    UnsupportedAlgorithm(String),
    /// It was not made with this key over this message.
    BadSignature,
}

/// Checks `signature` over `message` under `algorithm`, which must fit the key.
pub(crate) fn verify(key: &SubjectKey, algorithm: &AlgorithmIdentifier<'_>, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
    let verification = verification_algorithm(key.kind(), algorithm)
        .ok_or_else(|| VerifyError::UnsupportedAlgorithm(algorithm.algorithm.to_id_string()))?;
    UnparsedPublicKey::new(verification, key.der_bytes()).verify(message, signature).map_err(|_| VerifyError::BadSignature)
}

fn verification_algorithm(kind: KeyKind, algorithm: &AlgorithmIdentifier<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    let oid = &algorithm.algorithm;
    if matches!(kind, KeyKind::Rsa(_)) {
        return if *oid == oid_registry::OID_PKCS1_SHA256WITHRSA {
            Some(&RSA_PKCS1_2048_8192_SHA256)
        } else if *oid == oid_registry::OID_PKCS1_SHA384WITHRSA {
            Some(&RSA_PKCS1_2048_8192_SHA384)
        } else if *oid == oid_registry::OID_PKCS1_SHA512WITHRSA {
            Some(&RSA_PKCS1_2048_8192_SHA512)
        } else {
            None
        };
    }
    if kind == KeyKind::Ed25519 {
        return (*oid == oid_registry::OID_SIG_ED25519).then_some(&ED25519);
    }
    let by_digest: [&'static dyn VerificationAlgorithm; 3] = match kind {
        KeyKind::P256 => [&ECDSA_P256_SHA256_ASN1, &ECDSA_P256_SHA384_ASN1, &ECDSA_P256_SHA512_ASN1],
        KeyKind::P384 => [&ECDSA_P384_SHA256_ASN1, &ECDSA_P384_SHA384_ASN1, &ECDSA_P384_SHA512_ASN1],
        KeyKind::P521 => [&ECDSA_P521_SHA256_ASN1, &ECDSA_P521_SHA384_ASN1, &ECDSA_P521_SHA512_ASN1],
        KeyKind::Ed25519 | KeyKind::Rsa(_) => return None,
    };
    let [sha256, sha384, sha512] = by_digest;
    if *oid == oid_registry::OID_SIG_ECDSA_WITH_SHA256 {
        Some(sha256)
    } else if *oid == oid_registry::OID_SIG_ECDSA_WITH_SHA384 {
        Some(sha384)
    } else if *oid == oid_registry::OID_SIG_ECDSA_WITH_SHA512 {
        Some(sha512)
    } else {
        None
    }
}
