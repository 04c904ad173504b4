//! Who tries too often, where clients connect and leave.

use signet_broker::{CloseCause, Event, Ticket};
use signet_mqtt::{Connack, Packet, ProtocolVersion, ReasonCode};
use signet_net::LinkId;
use signet_policy::Principal;
use signet_tls::Check;

use super::Shard;
use crate::HeldOff;
use crate::counters::Cause;
use crate::outbox::Outgoing;

impl Shard {
    /// Whether a CONNECT, of this version, is looked at at all.
    pub(super) fn may_try(&mut self, id: LinkId, version: ProtocolVersion) -> Result<(), HeldOff> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        link.version = version;
        link.peer.as_ref().map_or(Ok(()), |peer| self.shared.admissions.abuse.may_try(&link.address, peer, self.now))
    }

    /// Whether a client may come in for whom everybody vouches who has to. Those who guess many times at once have not guessed right if they were
    /// held off meanwhile.
    pub(super) fn may_connect(&self, id: LinkId, principal: &Principal) -> Result<(), HeldOff> {
        let Some(link) = self.links.get(&id) else { return Ok(()) };
        if let Some(peer) = &link.peer {
            self.shared.admissions.abuse.may_try(&link.address, peer, self.now)?;
        }
        self.shared.admissions.abuse.connected(principal, self.now)
    }

    /// Answers a CONNECT of somebody who is held off. The log hears of it once each time, the metrics always.
    pub(super) fn refuse_held_off(&mut self, id: LinkId, held: &HeldOff) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let leaf = link.peer.as_ref().and_then(|peer| peer.identity()).map(|identity| identity.leaf());
        match self.shared.admissions.abuse.news(held, leaf, self.now) {
            Some(refusal) => link.listener().log_refusal(&refusal, link.address),
            None => {
                tracing::debug!(target: "signet::connection", connection = id.number(), address = %link.address, "`{}` is still held off", held.who);
            }
        }
        // MQTT 3.1.1 has no such code and says `server unavailable` (3).
        let connack = Connack { reason_code: ReasonCode::ConnectionRateExceeded, ..Connack::default() };
        link.send(Outgoing::Packet(Packet::Connack(Box::new(connack)), Ticket::NONE));
        self.refuse(id, Cause::Check(Check::HeldOff));
    }

    /// Counts the end of a connection. What an operator, other rules or a want of room ended is not the client's doing.
    pub(super) fn note_end(&self, event: &Event) {
        let Event::Disconnected { principal, cause, .. } = event else { return };
        if !matches!(cause, CloseCause::Kicked(_) | CloseCause::SubscriptionEnded(_) | CloseCause::QuotaExceeded(_)) {
            self.shared.admissions.abuse.disconnected(principal, self.now);
        }
    }
}
