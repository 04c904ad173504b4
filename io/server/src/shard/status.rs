//! Connections whose certificate may be revoked or not: their CONNECT waits until somebody knows, or the time for that is over. Nobody else waits.

use signet_broker::Ticket;
use signet_identity::Peer;
use signet_mqtt::{Connack, Packet, ProtocolVersion, ReasonCode};
use signet_net::{LinkId, unix_seconds};
use signet_tls::{Check, ListenerTls, Refusal};

use super::Shard;
use crate::counters::Cause;
use crate::link::Link;
use crate::mailbox::Mail;
use crate::outbox::Outgoing;

impl Shard {
    /// Lets somebody find out, while the client still sends its CONNECT.
    pub(super) fn ask_about(&self, id: LinkId) {
        let Some(inquiry) = self.shared.asked.inquiry.get() else { return };
        let Some(identity) = self.links.get(&id).and_then(|link| link.peer.as_ref()?.identity().cloned()) else { return };
        let Some(mailbox) = self.shared.mailboxes.get(usize::from(self.index)).cloned() else { return };
        inquiry.ask(&identity, Box::new(move || mailbox.post_one(Mail::StatusKnown(id))));
    }

    /// A device that was let in. Where nobody has said anything about it, somebody finds out while it is here; where somebody has, that is kept
    /// current.
    pub(super) fn note_device(&self, id: LinkId) {
        let (Some(inquiry), Some(link)) = (self.shared.asked.inquiry.get(), self.links.get(&id)) else { return };
        let Some(identity) = link.peer.as_ref().and_then(Peer::identity) else { return };
        if link.listener().rules().is_answered(identity, unix_seconds()) {
            inquiry.seen(identity);
        } else {
            inquiry.ask(identity, Box::new(|| {}));
        }
    }

    /// A CONNECT that cannot be decided yet, unless it can by now.
    pub(super) fn hold_connect(&mut self, id: LinkId, packet: Packet) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let wait = link.peer.as_ref().and_then(Peer::identity).and_then(|identity| {
            let rules = link.listener().rules();
            Some(rules.profile(identity)?.config().status_wait)
        });
        if let Packet::Connect(connect) = &packet {
            link.version = connect.version;
        }
        link.inbound.hold(packet);
        let wait = u64::try_from(wait.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        self.deadlines.set(id, &mut link.deadline, Some(self.now.saturating_add(wait)));
        self.settle(id, false);
        // Whoever was asked after the handshake may have given up before the CONNECT came.
        if self.links.get(&id).is_some_and(|link| link.inbound.holds()) {
            self.ask_about(id);
        }
    }

    /// Whoever was asked has found out, or has given up.
    pub(super) fn status_known(&mut self, id: LinkId) {
        self.settle(id, true);
    }

    /// The time for an answer is over.
    pub(super) fn status_overdue(&mut self, id: LinkId) {
        self.settle(id, true);
    }

    /// Goes on with a connection whose status is known now; `is_final`: it will not be known any better.
    fn settle(&mut self, id: LinkId, is_final: bool) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(Peer::Pending(pending)) = &link.peer else { return };
        if link.phase.is_closing() {
            return;
        }
        match link.listener().rules().settle(pending, is_final && link.inbound.holds(), unix_seconds()) {
            Ok(Some(peer)) => {
                link.peer = Some(peer);
                // Not here yet: the CONNECT will find a peer that is known.
                let Some(packet) = link.inbound.take_held() else { return };
                self.connect(id, packet);
                self.enqueue(id);
            }
            Ok(None) if !is_final || !link.inbound.holds() => {}
            Ok(None) => {
                let refusal = ListenerTls::unsettled(pending);
                self.refuse_connect(id, &refusal);
            }
            Err(refusal) => self.refuse_connect(id, &refusal),
        }
    }

    /// Answers a CONNECT that this shard has taken with a refusal, as far as there was one.
    pub(super) fn refuse_connect(&mut self, id: LinkId, refusal: &Refusal) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.listener().log_refusal(refusal, link.address);
        // A peer that is pending no more has had its CONNECT read, or it would not be refused here.
        if link.inbound.take_held().is_some() || !matches!(link.peer, Some(Peer::Pending(_))) {
            link.send(Outgoing::Packet(connack(link.version, refusal.check), Ticket::NONE));
        }
        self.refuse(id, Cause::Check(refusal.check));
    }

    /// Answers a CONNECT that is held with a refusal, where one is: whoever ends the connection has logged it.
    pub(super) fn answer_held(link: &mut Link, check: Check) {
        if link.inbound.take_held().is_some() {
            link.send(Outgoing::Packet(connack(link.version, check), Ticket::NONE));
        }
    }
}

/// The refusal of a CONNECT, with the name of the check that failed.
fn connack(version: ProtocolVersion, check: Check) -> Packet {
    let mut connack = Connack { reason_code: ReasonCode::NotAuthorized, ..Connack::default() };
    if version == ProtocolVersion::V5 {
        connack.properties.reason_string = Some(check.name().into());
    }
    Packet::Connack(Box::new(connack))
}
