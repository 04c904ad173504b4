//! The log lines of the data plane.

use signet_broker::{CloseCause, Event};
use signet_tls::{Check, Refusal};

use crate::link::Link;

/// One line for a client that is refused after its handshake, with its certificate if it has one.
pub(crate) fn refused(link: &Link, check: Check, found: impl Into<String>, hint: impl Into<String>) {
    let refusal = match link.peer.as_ref().and_then(|peer| peer.identity()) {
        Some(identity) => Refusal::of(identity.leaf(), check, found, hint),
        None => Refusal::without_certificate(check, found, hint),
    };
    refusal.log(&link.listener().name, link.address);
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
        // The refusal itself has its own line.
        Event::IdentifierRefused { connection, client_identifier, .. } => tracing::debug!(
            target: "signet::session",
            connection = connection.0,
            client_identifier = client_identifier.as_str(),
            "identifier refused"
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

/// Why the broker closes, for people who follow one connection.
pub(crate) fn closing(link: &Link, cause: &CloseCause) {
    tracing::debug!(target: "signet::connection", connection = link.id.number(), address = %link.address, "closing: {cause}");
}
