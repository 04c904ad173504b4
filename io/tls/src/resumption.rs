//! Session tickets that cannot outlive the trust in the client that holds them.
//!
//! rustls does not call the certificate verifier when a session is resumed: the client's certificates come out of the ticket. So every ticket is
//! judged here like a certificate just presented, before rustls may resume from it. When the judgement is not good, the ticket is as if it
//! could not be decrypted: a full handshake follows, and the client gets the alert that says why.
//!
//! Each listener configuration has ticket keys of its own, made at random when it is loaded and rolled every six hours. A ticket of another
//! listener, of another trust bundle or of an earlier process decrypts nowhere.

use std::sync::Arc;

use rustls::server::ProducesTickets;
use rustls_pki_types::CertificateDer;

use crate::client_verifier::{DeviceVerifier, Judgement, last};
use crate::{TlsError, date};

/// Tickets of one listener.
#[derive(Debug)]
pub(crate) struct DeviceTickets {
    inner: Arc<dyn ProducesTickets>,
    /// `None`: the listener asks for no certificates.
    verifier: Option<Arc<DeviceVerifier>>,
    /// A ticket without a certificate is refused.
    certificate_required: bool,
}

impl DeviceTickets {
    pub(crate) fn new(verifier: Option<Arc<DeviceVerifier>>, certificate_required: bool) -> Result<Self, TlsError> {
        let inner = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(|error| TlsError::Library(error.to_string()))?;
        Ok(Self { inner, verifier, certificate_required })
    }

    fn may_resume(&self, plain: &[u8]) -> bool {
        let Some(chain) = ticket_chain(plain) else { return false };
        match (&self.verifier, chain.split_first()) {
            (Some(verifier), Some((end_entity, intermediates))) => match verifier.judge(end_entity, intermediates, date::now()) {
                Ok(identity) => {
                    last::set(Judgement::Accepted(Arc::new(identity)));
                    true
                }
                Err(_) => false,
            },
            (_, None) => !self.certificate_required,
            (None, Some(_)) => false,
        }
    }
}

impl ProducesTickets for DeviceTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.inner.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let plain = self.inner.decrypt(cipher)?;
        self.may_resume(&plain).then_some(plain)
    }
}

/// The client's certificates inside of a ticket, leaf first; empty when the client had none; `None` when the ticket is not of the form we know.
///
/// The form is rustls' own: SNI (flag, u8-prefixed), version, suite, secret (u8-prefixed), flag, chain (flag, u24 list of u24). Should another
/// rustls change it, nothing is resumed and the resumption tests fail: no trust hangs on reading it right, because a ticket is authenticated.
fn ticket_chain(plain: &[u8]) -> Option<Vec<CertificateDer<'_>>> {
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

    /// A big-endian length of `octets` octets.
    fn length(&mut self, octets: usize) -> Option<usize> {
        Some(self.take(octets)?.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ticket of TLS 1.3 without SNI, with the given rest after the flag "extended master secret".
    fn ticket(rest: &[u8]) -> Vec<u8> {
        let mut plain = vec![0, 3, 4, 0x13, 1, 2, 0xaa, 0xbb, 1];
        plain.extend_from_slice(rest);
        plain
    }

    #[test]
    fn finds_the_chain() {
        let plain = ticket(&[1, 0, 0, 9, 0, 0, 2, 7, 8, 0, 0, 1, 9, 0, 99]);
        let chain = ticket_chain(&plain).unwrap();
        assert_eq!(chain.iter().map(|certificate| certificate.to_vec()).collect::<Vec<_>>(), [vec![7, 8], vec![9]]);
    }

    #[test]
    fn no_certificate_is_not_the_same_as_an_unreadable_ticket() {
        assert_eq!(ticket_chain(&ticket(&[0, 0])).unwrap().len(), 0);
        assert!(ticket_chain(&ticket(&[2])).is_none());
        assert!(ticket_chain(&ticket(&[1, 0, 0, 0])).is_none());
        assert!(ticket_chain(&ticket(&[1, 0, 0, 9, 0, 0, 200])).is_none());
        assert!(ticket_chain(&[]).is_none());
    }
}
