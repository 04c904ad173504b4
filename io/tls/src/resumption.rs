//! Session tickets that cannot outlive the trust in the client that holds them.
//!
//! rustls does not call the certificate verifier when a session is resumed: the client's certificates come out of the ticket. So every ticket is
//! judged here like a certificate just presented, before rustls may resume from it. When the judgement is not good, the ticket is as if it
//! could not be decrypted: a full handshake follows, and the client gets the alert that says why. What of the judgement cannot have changed since
//! the ticket was made is taken from the ticket itself: see `ticket.rs`.
//!
//! Each host of each listener configuration has ticket keys of its own, made at random when it is loaded and rolled every six hours. A ticket of
//! another listener or host, of other trust profiles or of an earlier process decrypts nowhere.

use std::sync::Arc;

use rustls::server::ProducesTickets;
use rustls::ticketer::TicketRotator;
use signet_identity::Leaf;

use crate::client_verifier::{DeviceVerifier, Judged, Judgement, last};
use crate::rejection::{self, Rejected};
use crate::{TlsError, date, ticket, ticket_key};

/// Tickets of one host.
#[derive(Debug)]
pub(crate) struct DeviceTickets {
    keys: TicketRotator,
    /// `None`: the host asks for no certificates.
    verifier: Option<Arc<DeviceVerifier>>,
    /// A ticket without a certificate is refused.
    certificate_required: bool,
}

impl DeviceTickets {
    pub(crate) fn new(verifier: Option<Arc<DeviceVerifier>>, certificate_required: bool) -> Result<Self, TlsError> {
        Ok(Self { keys: ticket_key::rolling()?, verifier, certificate_required })
    }

    fn may_resume(&self, session: &[u8], note: &[u8]) -> bool {
        let Some(chain) = ticket::chain(session) else { return false };
        let (verifier, end_entity, intermediates) = match (&self.verifier, chain.split_first()) {
            (Some(verifier), Some((end_entity, intermediates))) => (verifier, end_entity, intermediates),
            (_, None) => return !self.certificate_required,
            (None, Some(_)) => return false,
        };
        let now = date::now();
        let judged = match Leaf::parse(end_entity) {
            Ok(leaf) => judge_noted(verifier, note, &leaf, now).unwrap_or_else(|| verifier.judge(end_entity, intermediates, now)),
            Err(error) => Err(rejection::unreadable(&error)),
        };
        match judged {
            Ok(judged) => {
                last::set(Judgement::Accepted(Arc::new(judged)));
                true
            }
            Err(_) => false,
        }
    }
}

/// The judgement by a note, with everything that changes with time looked at now.
fn judge_noted(verifier: &DeviceVerifier, note: &[u8], leaf: &Leaf, now: i64) -> Option<Result<Judged, Rejected>> {
    let judged = ticket::noted(verifier, note, leaf)?;
    Some(judged.and_then(|judged| verifier.check_current(&judged, now).map(|_| judged)))
}

impl ProducesTickets for DeviceTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.keys.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut noted = zeroize::Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(ticket::USUAL_NOTE)));
        noted.extend_from_slice(plain);
        ticket::append_note(&mut noted, last::judged().as_deref());
        self.keys.encrypt(&noted)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let mut session = self.keys.decrypt(cipher)?;
        let length = {
            let (plain, note) = ticket::split_note(&session)?;
            self.may_resume(plain, note).then_some(plain.len())?
        };
        session.truncate(length);
        Some(session)
    }
}
