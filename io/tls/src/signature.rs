//! Signatures outside of handshakes: revocation lists, and certificates of a trust bundle.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use signet_revocation::{SignatureVerifier, SignedData};
use webpki::{Error, RawPublicKeyEntity};
use x509_parser::certificate::X509Certificate;

use crate::provider::algorithms;

/// Checks who signed a revocation list, with webpki and aws-lc-rs: RSA from 2048 bits, ECDSA P-256, P-384 and P-521, Ed25519. SHA-1 is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrlSignatureVerifier;

impl SignatureVerifier for CrlSignatureVerifier {
    fn verify(&self, signed: SignedData<'_>) -> Result<(), String> {
        verify(signed, algorithms())
    }
}

/// Checks that the key of `issuer` signed `certificate`.
fn verify_certificate_signature(
    certificate: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
    algorithms: WebPkiSupportedAlgorithms,
) -> Result<(), String> {
    let identifier = &certificate.signature_algorithm;
    let signed = SignedBytes {
        to_be_signed: certificate.tbs_certificate.as_ref(),
        signature: &certificate.signature_value.data,
        issuer_spki: issuer.public_key().raw,
    };
    // The parsed form keeps no DER of the identifier, so every algorithm of the same OID is tried: the wrong ones fail.
    let oid = identifier.algorithm.as_bytes();
    let matching = algorithms.all.iter().filter(|algorithm| has_oid(algorithm.signature_alg_id().as_ref(), oid));
    signed.verify_with(matching.copied())
}

/// Whether `issuer` is whom `certificate` names as its issuer, and its key has signed it. A name alone says nothing: anybody can make an authority of it.
pub(crate) fn has_issued(issuer: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    issuer.subject().as_raw() == certificate.issuer().as_raw() && verify_certificate_signature(certificate, issuer, algorithms()).is_ok()
}

fn verify(signed: SignedData<'_>, algorithms: WebPkiSupportedAlgorithms) -> Result<(), String> {
    let identifier = content(signed.algorithm).ok_or("the signature algorithm cannot be read")?;
    let bytes = SignedBytes { to_be_signed: signed.to_be_signed, signature: signed.signature, issuer_spki: signed.issuer_spki };
    bytes.verify_with(algorithms.all.iter().copied().filter(|algorithm| algorithm.signature_alg_id().as_ref() == identifier))
}

struct SignedBytes<'a> {
    to_be_signed: &'a [u8],
    signature: &'a [u8],
    issuer_spki: &'a [u8],
}

impl SignedBytes<'_> {
    fn verify_with(
        &self,
        algorithms: impl Iterator<Item = &'static dyn rustls_pki_types::SignatureVerificationAlgorithm>,
    ) -> Result<(), String> {
        let spki = SubjectPublicKeyInfoDer::from(self.issuer_spki);
        let key = RawPublicKeyEntity::try_from(&spki).map_err(|error| format!("the issuer's public key cannot be read: {error}"))?;
        for algorithm in algorithms {
            match key.verify_signature(algorithm, self.to_be_signed, self.signature) {
                Ok(()) => return Ok(()),
                // An algorithm for another kind of key (ECDSA with SHA-256 names no curve): the next one may fit.
                Err(Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
                Err(_) => return Err("the signature does not match the issuer's public key".to_owned()),
            }
        }
        Err("the signature algorithm is not supported or does not fit the issuer's key; use ECDSA, Ed25519 or RSA with SHA-256 or better"
            .to_owned())
    }
}

/// The content of a DER SEQUENCE shorter than 128 octets, which every AlgorithmIdentifier we support is.
fn content(sequence: &[u8]) -> Option<&[u8]> {
    match sequence {
        [0x30, length, rest @ ..] if *length < 0x80 && rest.len() == usize::from(*length) => Some(rest),
        _ => None,
    }
}

/// Whether the content of an AlgorithmIdentifier starts with this OBJECT IDENTIFIER.
fn has_oid(identifier: &[u8], oid: &[u8]) -> bool {
    match identifier {
        [0x06, length, rest @ ..] => usize::from(*length) == oid.len() && rest.starts_with(oid),
        _ => false,
    }
}
