//! Checks the signature of a certificate revocation list, once when it is loaded.

use signet_revocation::SignatureVerifier;

/// [`SignatureVerifier`] by webpki and aws-lc-rs: RSA from 2048 bits, ECDSA P-256, P-384 and P-521, Ed25519; SHA-1 is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrlSignatureVerifier;
