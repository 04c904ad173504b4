//! Orders to close connections: who is revoked, suspended or not wanted any more, and what becomes of Will and session.

use std::sync::Arc;

use signet_broker::{ConnectionId, Input, KickCause, SessionRule, WillRule};
use signet_mqtt::ReasonCode;
use signet_net::{Kick, LinkId};
use signet_tls::Check;

use super::{KICKS_PER_TURN, Shard, closing};
use crate::counters::Cause;
use crate::lines;
use crate::link::Phase;
use crate::log;

impl Shard {
    /// Closes a portion of those that are to go.
    pub(super) fn kick_some(&mut self) {
        for _ in 0..self.portion(KICKS_PER_TURN) {
            let Some(kick) = self.queues.kicks.pop_front() else { break };
            self.kick(kick);
        }
        if self.queues.kicks.is_empty() && std::mem::take(&mut self.queues.is_judgement_due) {
            // As if the rules were other ones.
            self.apply(Input::PolicyChanged(Arc::clone(&self.ruleset)));
        }
    }

    fn kick(&mut self, kick: Kick) {
        let Kick { link: id, cause, done } = kick;
        let Some(link) = self.links.get_mut(&id) else {
            // Given away: the owner gets it. Closed: dropping `done` says so.
            if self.shared.registry.shard_of(id).is_some() {
                self.shared.registry.deliver(Kick { link: id, cause, done });
            }
            return;
        };
        link.confirmations.push(done);
        if link.phase == Phase::ExpectConnect {
            // The broker does not know it yet, so nobody else will say why it ended.
            let check = check_of(&cause);
            let when = if link.is_waiting() { "while its CONNECT waited for an answer about it" } else { "before the client sent CONNECT" };
            log::refused(link, check, format!("{cause} {when}"), "see `signet explain` for who may connect now");
            Self::answer_held(link, check);
            Self::answer_waiting(link, ReasonCode::NotAuthorized);
            self.count_refused(Cause::Check(check));
        } else {
            tracing::info!(target: "signet::session", connection = id.number(), "disconnected: {cause}");
            if let Some(identity) = link.peer.as_ref().and_then(|peer| peer.identity()).filter(|_| cause.is_distrust()) {
                lines::certificate_lost(link, identity, check_of(&cause), &cause.to_string());
            }
        }
        let (will, session) = match &cause {
            // As Mosquitto does: the Will goes with the connection, and the session stays.
            signet_net::KickCause::DynamicSecurity(_) => (WillRule::Drop, SessionRule::Keep),
            cause if cause.is_distrust() => self.shared.on_distrust,
            _ => (WillRule::Publish, SessionRule::Keep),
        };
        self.end_with(id, broker_cause(&cause), will, session);
    }

    pub(super) fn end(&mut self, id: LinkId, cause: KickCause, will: WillRule) {
        self.end_with(id, cause, will, SessionRule::Keep);
    }

    /// Ends a connection from outside, whatever its phase.
    pub(super) fn end_with(&mut self, id: LinkId, cause: KickCause, will: WillRule, session: SessionRule) {
        let Some(phase) = self.links.get(&id).map(|link| link.phase) else { return };
        if phase == Phase::Connected {
            self.apply(Input::Kick { connection: ConnectionId(id.number()), cause, will, session });
        }
        self.drain(id, closing::KICK_FLUSH);
    }
}

/// What the client is told.
fn broker_cause(cause: &signet_net::KickCause) -> KickCause {
    use signet_net::KickCause as Net;
    match cause {
        Net::Revoked(reason) => KickCause::Revoked(reason.name()),
        Net::Expired => KickCause::Expired,
        Net::Untrusted(_) => KickCause::Untrusted,
        Net::ProfileDisabled(_) => KickCause::ProfileDisabled,
        Net::Suspended(_) => KickCause::Suspended,
        Net::IdentityChanged(_) => KickCause::IdentityChanged,
        Net::CredentialRevoked(_) => KickCause::CredentialRevoked,
        Net::Cloned => KickCause::Cloned,
        Net::Unchecked(_) => KickCause::Unchecked,
        Net::ListenerRemoved => KickCause::ListenerRemoved,
        Net::DynamicSecurity(_) | Net::Administrative(_) => KickCause::Administrative,
    }
}

/// Which check it failed, for who has not sent its CONNECT.
fn check_of(cause: &signet_net::KickCause) -> Check {
    use signet_net::KickCause as Net;
    match cause {
        Net::Revoked(_) => Check::Revocation,
        Net::Expired => Check::Validity,
        Net::Untrusted(_) => Check::Path,
        Net::ProfileDisabled(_) => Check::Profile,
        Net::Suspended(_) => Check::Suspension,
        Net::IdentityChanged(_) => Check::Name,
        Net::CredentialRevoked(_) => Check::Authentication,
        Net::Cloned => Check::Clone,
        Net::Unchecked(_) => Check::RevocationStatus,
        Net::ListenerRemoved | Net::DynamicSecurity(_) | Net::Administrative(_) => Check::Connect,
    }
}
