//! What is in a session ticket: the library's session with the client's certificates, and behind it our note of how these were judged.
//!
//! The note makes a resumed handshake cheap. To verify a path anew costs more than all the rest of the resumption, and its result cannot have
//! changed: a ticket is authenticated, its keys are of one loaded configuration, and so are the trust profiles. What can change is looked at every
//! time: the dates of every certificate of the path, revocation, suspension.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use signet_identity::{CertificateId, DeviceIdentity, KeyDigest, Leaf, PathCertificate};

use crate::client_verifier::{DeviceVerifier, Judged};
use crate::rejection::Rejected;

/// Longer paths than any profile's authorities are likely to build are judged anew instead of being noted.
const MAXIMUM_PATH: usize = 16;

/// The note about a certificate of an authority that is a trust anchor, under a profile with a name of ordinary length: for whoever makes room.
pub(crate) const USUAL_NOTE: usize = 96;

/// Appends the note about `judged`, if the certificate in the session is the judged one. The last two octets are its length.
pub(crate) fn append_note(plain: &mut Vec<u8>, judged: Option<&Judged>) {
    let start = plain.len();
    let is_its = |judged: &&Judged| {
        chain(plain).and_then(|chain| chain.into_iter().next()).is_some_and(|leaf| leaf.as_ref() == judged.identity.leaf().der())
    };
    if let Some(judged) = judged.filter(is_its).filter(|judged| judged.identity.path().len() <= MAXIMUM_PATH) {
        write_note(plain, judged);
    }
    let length = u16::try_from(plain.len().saturating_sub(start)).unwrap_or(0);
    if length == 0 {
        plain.truncate(start);
    }
    plain.extend_from_slice(&length.to_be_bytes());
}

/// What is before the note, which is the library's session, and the note.
pub(crate) fn split_note(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, length) = plain.split_last_chunk::<2>()?;
    rest.split_at_checked(rest.len().checked_sub(usize::from(u16::from_be_bytes(*length)))?)
}

fn write_note(out: &mut Vec<u8>, judged: &Judged) {
    let name = judged.profile.name().as_bytes();
    out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(name);
    out.extend_from_slice(&judged.path_not_after.to_be_bytes());
    for (position, certificate) in judged.identity.path().iter().enumerate() {
        if position > 0 {
            out.extend_from_slice(&certificate.id.to_bytes());
        }
        out.extend_from_slice(certificate.issuer_key.as_bytes());
    }
}

/// Who a session belongs to by its note. `None`: there is no usable note, and the certificates have to be judged in full.
///
/// The profile's rules and naming run again on the leaf: they are cheap, and the note need not hold a name.
pub(crate) fn noted(verifier: &DeviceVerifier, note: &[u8], leaf: &Leaf) -> Option<Result<Judged, Rejected>> {
    let mut input = Input(note);
    let length = input.length(2)?;
    let profile = verifier.profile(std::str::from_utf8(input.take(length)?).ok()?)?;
    let path_not_after = i64::from_be_bytes(input.array()?);
    let issuer_key = KeyDigest::from_bytes(input.array()?);
    let mut intermediates = Vec::new();
    while !input.0.is_empty() {
        let id = CertificateId::from_bytes(input.take(52)?)?;
        intermediates.push(PathCertificate { id, issuer_key: KeyDigest::from_bytes(input.array()?) });
    }
    let config = profile.config();
    let named = config.naming.name(leaf).map_err(|error| crate::rejection::name(leaf, &error));
    Some(named.and_then(|name| {
        let identity =
            DeviceIdentity::new(name, leaf.clone(), issuer_key, intermediates).under(Arc::clone(profile.name()), config.tenant.clone());
        profile.recheck_unnamed(&identity)?;
        Ok(Judged { identity: Arc::new(identity), profile: Arc::clone(profile), path_not_after })
    }))
}

/// The client's certificates inside of a session, leaf first; empty when the client had none; `None` when the session is not of the form we know.
///
/// The form is rustls' own: SNI (flag, u8-prefixed), version, suite, secret (u8-prefixed), flag, chain (flag, u24 list of u24). Should another
/// rustls change it, nothing is resumed and the resumption tests fail: no trust hangs on reading it right, because a ticket is authenticated.
pub(crate) fn chain(plain: &[u8]) -> Option<Vec<CertificateDer<'_>>> {
    let mut input = Input(plain);
    if input.take(1)? == [1] {
        let length = input.length(1)?;
        input.take(length)?;
    }
    input.take(4)?;
    let secret = input.length(1)?;
    input.take(secret)?;
    input.take(1)?;
    match input.take(1)? {
        [0] => Some(Vec::new()),
        [1] => {
            let total = input.length(3)?;
            let mut list = Input(input.take(total)?);
            let mut chain = Vec::new();
            while !list.0.is_empty() {
                let length = list.length(3)?;
                chain.push(CertificateDer::from(list.take(length)?));
            }
            (!chain.is_empty()).then_some(chain)
        }
        _ => None,
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// A big-endian length of `octets` octets.
    fn length(&mut self, octets: usize) -> Option<usize> {
        Some(self.take(octets)?.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet)))
    }
}

#[cfg(test)]
mod tests;
