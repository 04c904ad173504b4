//! The log lines of the data plane.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use signet_broker::{CloseCause, Event};
use signet_mqtt::ReasonCode;
use signet_net::PeerAddress;
use signet_tls::{Check, Refusal};

use crate::lines;
use crate::link::Link;
use crate::refusals::RefusalBook;

/// Refused publishes and subscriptions of one connection that are logged in [`DENIALS_TIME`]. A client may be refused as fast as it can send;
/// the disk that holds the log must not fill as fast.
const DENIALS_LOGGED: u32 = 10;

/// The same for refused connections of one listener: whoever reaches the port can be refused, thousands of times a second. So many that a fleet
/// whose certificates have all expired is still named device by device, one after the other.
const REFUSALS_LOGGED: u32 = 1_000;

/// Milliseconds.
const DENIALS_TIME: u64 = 10_000;

/// How much of one connection's refusals, or of one listener's, is in the log.
#[derive(Debug, Default)]
pub(crate) struct DenialLog {
    /// When the present time began, in milliseconds of the server's clock.
    since: u64,
    logged: u32,
    unlogged: u64,
}

impl DenialLog {
    /// Whether one more publish or subscription is logged now; then says how many were left out since the last one that was.
    pub(crate) fn admit(&mut self, now: u64) -> Option<u64> {
        self.admit_one_of(DENIALS_LOGGED, now)
    }

    fn admit_one_of(&mut self, most: u32, now: u64) -> Option<u64> {
        if now.saturating_sub(self.since) >= DENIALS_TIME {
            (self.since, self.logged) = (now, 0);
        }
        if self.logged >= most {
            self.unlogged += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.unlogged))
    }
}

/// What a listener has logged of the connections that it refused.
#[derive(Debug)]
pub(crate) struct RefusalLog {
    book: Arc<RefusalBook>,
    started: Instant,
    log: Mutex<DenialLog>,
}

impl RefusalLog {
    pub(crate) fn new(book: Arc<RefusalBook>) -> Self {
        Self { book, started: Instant::now(), log: Mutex::default() }
    }

    /// One line, unless there were very many just now: then a count, later. The book gets it anyway. Whether it was written.
    pub(crate) fn write(&self, refusal: &Refusal, listener: &str, address: PeerAddress) -> bool {
        self.book.note(refusal, listener, address);
        let Some(unlogged) = self.admit() else { return false };
        if unlogged > 0 {
            tracing::warn!(target: "signet::refused", listener, "{unlogged} more refusals of this listener are not in the log; the metrics count them all");
        }
        refusal.log(listener, address);
        true
    }

    fn admit(&self) -> Option<u64> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).admit_one_of(REFUSALS_LOGGED, now)
    }
}

/// One line for a client that is refused before its session begins, with its certificate if that is known.
pub(crate) fn refused(link: &Link, check: Check, found: impl Into<String>, hint: impl Into<String>) {
    refused_with(link, check, found, hint, None);
}

/// The same, with what the client is told.
pub(crate) fn refused_with(link: &Link, check: Check, found: impl Into<String>, hint: impl Into<String>, code: Option<ReasonCode>) {
    let refusal = match link.peer.as_ref().and_then(|peer| peer.identity()) {
        Some(identity) => Refusal::of(identity.leaf(), check, found, hint),
        None => Refusal::without_certificate(check, found, hint),
    };
    link.listener().log_refusal_of(&refusal, link.address, lines::claimed(link), code);
}

/// One line for an event of the broker; `link` is the connection it is about, as long as there is one.
pub(crate) fn event(event: &Event, link: Option<&Link>) {
    match event {
        Event::Connected { connection, client_identifier, principal, session_present } => tracing::info!(
            target: "signet::session",
            connection = connection.0,
            address = link.map(|link| tracing::field::display(link.address)),
            listener = link.map(|link| &*link.listener().name),
            client_identifier = client_identifier.as_str(),
            %principal,
            session_present,
            "connected"
        ),
        Event::Disconnected { connection, client_identifier, principal, cause } => tracing::info!(
            target: "signet::session",
            connection = connection.0,
            client_identifier = client_identifier.as_str(),
            %principal,
            "disconnected: {cause}"
        ),
        Event::Denied { connection, client_identifier, denied } => tracing::warn!(
            target: "signet::denied",
            connection = connection.map(|connection| connection.0),
            address = link.map(|link| tracing::field::display(link.address)),
            client_identifier = client_identifier.as_str(),
            "{denied}"
        ),
        Event::SubscriptionEnded { connection, client_identifier, filter, denied } => tracing::warn!(
            target: "signet::denied",
            connection = connection.map(|connection| connection.0),
            client_identifier = client_identifier.as_str(),
            filter = signet_policy::shown(filter.as_str()),
            "a subscription ended: {denied}"
        ),
        Event::HeldBack { connection, client_identifier, why } => tracing::warn!(
            target: "signet::session",
            connection = connection.0,
            client_identifier = client_identifier.as_str(),
            "{why}: nothing is acknowledged to this client until there is; its MQTT version has no other way to say so"
        ),
        // The refusal itself has its own line.
        Event::IdentifierRefused { connection, client_identifier, .. } => tracing::debug!(
            target: "signet::session",
            connection = connection.0,
            client_identifier = client_identifier.as_str(),
            "identifier refused"
        ),
        Event::SessionRefused { connection, client_identifier, .. } => tracing::debug!(
            target: "signet::session",
            connection = connection.0,
            client_identifier = client_identifier.as_str(),
            "session refused"
        ),
        Event::SessionNotShared { client_identifier, owner, claimant } => tracing::warn!(
            target: "signet::session",
            client_identifier = client_identifier.as_str(),
            %owner,
            %claimant,
            "a session of another client under the same identifier was ended instead of resumed; give every client its own identifier"
        ),
        Event::SessionEnded { client_identifier } => {
            tracing::debug!(target: "signet::session", client_identifier = client_identifier.as_str(), "session ended");
        }
    }
}

/// What [`DenialLog`] kept out of the log.
pub(crate) fn denials_left_out(link: &Link, count: u64) {
    tracing::warn!(target: "signet::denied", connection = link.id.number(), address = %link.address, "{count} more refusals of this connection are not in the log");
}

/// Why the broker closes, for people who follow one connection.
pub(crate) fn closing(link: &Link, cause: &CloseCause) {
    tracing::debug!(target: "signet::connection", connection = link.id.number(), address = %link.address, "closing: {cause}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_refused_faster_than_the_log_grows() {
        let log = RefusalLog::new(Arc::new(RefusalBook::new(8)));
        assert_eq!((0..5_000).filter_map(|_| log.admit()).count(), 1_000);
    }

    #[test]
    fn a_flood_of_refusals_is_a_few_lines_and_a_count() {
        let mut log = DenialLog::default();
        assert_eq!((0..100).filter_map(|_| log.admit(5_000)).collect::<Vec<_>>(), [0; 10]);
        assert_eq!(log.admit(9_999), None);
        assert_eq!(log.admit(10_000), Some(91), "the time is over, and what was left out is said");
        assert_eq!(log.admit(10_000), Some(0));
    }
}
