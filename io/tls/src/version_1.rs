//! Certificates of X.509 version 1 and 2, where a trust profile allows them: plain `openssl x509 -req` made such ones for many years, and fleets of
//! devices have them.
//!
//! They have no extensions, so they do not say what they may be used for, and the library for paths takes version 3 only. Their path is made here, of
//! the authorities in the profile's own files and of nothing that the client sends. Authorities themselves need version 3 to be more than an anchor.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{self, verify_tls13_signature_with_raw_key};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use signet_identity::Leaf;
use webpki::RawPublicKeyEntity;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::TrustAnchors;
use crate::client_verifier::MAXIMUM_INTERMEDIATES;
use crate::provider::algorithms;
use crate::signature;

/// The first version with extensions (RFC 5280 §4.1.2.1).
const WITH_EXTENSIONS: u8 = 3;

/// Whether the certificate has no extensions because of its version.
pub(crate) fn is_old(leaf: &Leaf) -> bool {
    leaf.version() < WITH_EXTENSIONS
}

/// The intermediates, the device's issuer first, and the trust anchor of a certificate (RFC 5280 §6.1); `None`: there is no such path. `now` in unix
/// seconds; `None`: dates do not count.
pub(crate) fn path_of<'a>(leaf: &Leaf, trust: &'a TrustAnchors, now: Option<i64>) -> Option<(Vec<Leaf>, &'a Leaf)> {
    let mut known: Vec<Leaf> = trust.intermediates.iter().filter_map(|der| Leaf::parse(der).ok()).collect();
    let mut path: Vec<Leaf> = Vec::new();
    while path.len() <= MAXIMUM_INTERMEDIATES {
        let last = path.last().unwrap_or(leaf);
        if let Some(anchor) = trust.anchors().iter().find(|anchor| has_issued(anchor, last)) {
            return Some((path, anchor));
        }
        let below = path.len();
        let next = known.iter().position(|authority| may_issue(authority, below, now) && has_issued(authority, last))?;
        path.push(known.swap_remove(next));
    }
    None
}

/// Whether an intermediate is one, now, with so many others below it.
fn may_issue(authority: &Leaf, below: usize, now: Option<i64>) -> bool {
    let validity = authority.validity();
    let has_room = authority.path_length().is_none_or(|limit| below <= usize::try_from(limit).unwrap_or(usize::MAX));
    authority.is_ca() && has_room && now.is_none_or(|now| validity.not_before <= now && now <= validity.not_after)
}

fn has_issued(authority: &Leaf, certificate: &Leaf) -> bool {
    if authority.subject_name_digest() != certificate.issuer_name_digest() || !authority.allows_certificate_sign() {
        return false;
    }
    let Ok((_, certificate)) = X509Certificate::from_der(certificate.der()) else { return false };
    X509Certificate::from_der(authority.der()).is_ok_and(|(_, issuer)| signature::has_issued(&issuer, &certificate))
}

/// The key of a certificate that the library for paths does not read; `None`: it reads it itself, or nobody can.
fn key_of(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let leaf = Leaf::parse(certificate).ok().filter(is_old)?;
    Some(SubjectPublicKeyInfoDer::from(leaf.spki().to_vec()))
}

/// Proof of possession in TLS 1.3 (RFC 8446 §4.4.3), by the key of a certificate of any version.
pub(crate) fn verify_tls13_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    match key_of(certificate) {
        Some(key) => verify_tls13_signature_with_raw_key(message, &key, signature, &algorithms()),
        None => crypto::verify_tls13_signature(message, certificate, signature, &algorithms()),
    }
}

/// The same in TLS 1.2 (RFC 5246 §7.4.8), where a scheme names the hash but not the curve: every algorithm of the scheme is tried.
pub(crate) fn verify_tls12_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let Some(key) = key_of(certificate) else {
        return crypto::verify_tls12_signature(message, certificate, signature, &algorithms());
    };
    let key = RawPublicKeyEntity::try_from(&key).map_err(|_| CertificateError::BadEncoding)?;
    let mapping = algorithms().mapping.iter().find(|(scheme, _)| *scheme == signature.scheme);
    let (_, candidates) = mapping.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let is_valid = candidates.iter().any(|algorithm| key.verify_signature(*algorithm, message, signature.signature()).is_ok());
    if is_valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}
