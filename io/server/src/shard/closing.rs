//! Every way a connection ends: what was said is written, the peer is told that this was all, and its own end is awaited for a moment.

use signet_broker::{KickCause, WillRule};
use signet_net::{LinkId, unix_seconds};
use signet_tls::Check;

use super::Shard;
use crate::counters::Cause;
use crate::link::Phase;
use crate::log;

/// Time for writing what was said before a close, in milliseconds. A peer that does not read it in time loses it.
pub(super) const FLUSH: u64 = 5_000;

/// The same when somebody waits for the close.
pub(super) const KICK_FLUSH: u64 = 1_000;

/// Time for the peer to close its end after ours is shut, in milliseconds.
const LINGER: u64 = 1_000;

impl Shard {
    /// Starts to close: nothing more is read, what is in the outbox and the pipe is written within `time` milliseconds. What waits for the disk is
    /// forgotten: the client has not heard of it and will ask again.
    pub(super) fn drain(&mut self, id: LinkId, time: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let was = link.phase;
        if was == Phase::Lingering {
            return;
        }
        link.phase = Phase::Draining;
        let at = self.now.saturating_add(time);
        let at = link.deadline.filter(|_| was == Phase::Draining).map_or(at, |before| before.min(at));
        self.deadlines.set(id, &mut link.deadline, Some(at));
        link.inbound.clear(&mut self.buffers.spare);
        link.outbox.forget_waiting(self.store.durable());
        if was == Phase::Handshake {
            self.handshake_over();
        }
        // It stays in the registry until the last is written: a revocation must find it, as its device still receives.
        self.mark_dirty(id);
    }

    /// Everything is written: shuts our end.
    pub(super) fn finish(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let shut = link.pipe.close_notify(&mut self.buffers.scratch).and_then(|()| link.pipe.flush());
        match shut {
            // The rest of close_notify goes out when the socket is writable again.
            Ok(false) => return,
            Ok(true) => {}
            Err(_) => return self.remove(id),
        }
        // Whoever has said that it sends no more is not waited for: there is nothing that a close could destroy.
        if link.pipe.has_ended() || link.pipe.shut().is_err() {
            return self.remove(id);
        }
        link.phase = Phase::Lingering;
        self.shared.registry.remove(id);
        link.confirmations.clear();
        self.deadlines.set(id, &mut link.deadline, Some(self.now.saturating_add(LINGER)));
        link.pipe.may_read(false);
        self.enqueue(id);
    }

    /// Forgets a connection; its socket closes.
    pub(super) fn remove(&mut self, id: LinkId) {
        let Some(mut link) = self.links.remove(&id) else { return };
        self.deadlines.set(id, &mut link.deadline, None);
        // The close takes the socket off epoll, too: nobody else holds it.
        self.shared.registry.remove(id);
        link.inbound.clear(&mut self.buffers.spare);
        let unwanted = self.buffers.ready.take(&mut link.ready);
        self.buffers.ready.take_back(unwanted);
        let was = link.phase;
        drop(link);
        if was == Phase::Handshake {
            self.handshake_over();
        }
    }

    /// A connection has used up the time of its phase.
    pub(super) fn deadline_passed(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.deadline = None;
        match link.phase {
            Phase::Handshake => {
                let (check, what, hint) = Self::late_opening(link.pipe.awaited());
                log::refused(
                    link,
                    check,
                    format!("no complete {what} within {} s", link.listener().rules().config.handshake_timeout.as_secs()),
                    hint,
                );
                self.counts.handshakes.failed += u64::from(matches!(check, Check::Handshake | Check::PresharedKey));
                self.count_refused(Cause::Check(check));
                self.remove(id);
            }
            Phase::ExpectConnect if link.inbound.holds() => self.status_overdue(id),
            Phase::ExpectConnect if link.entrance.vouching.is_some() => self.vouching_overdue(id),
            Phase::ExpectConnect => {
                let found = format!("no complete CONNECT packet within {} s", link.listener().rules().config.connect_timeout.as_secs());
                log::refused(link, Check::Connect, found, "is it an MQTT client? `connect_timeout` sets the limit");
                self.count_refused(Cause::Check(Check::Connect));
                self.drain(id, KICK_FLUSH);
            }
            Phase::Connected => {
                if link.not_after().is_some_and(|not_after| unix_seconds() > not_after) {
                    self.end(id, KickCause::Expired, WillRule::Publish);
                } else if link.expires_at().is_some_and(|expires_at| unix_seconds() >= expires_at) {
                    self.end(id, KickCause::AuthenticationExpired, WillRule::Publish);
                } else {
                    if link.entrance.terms.as_ref().and_then(|terms| terms.rules_until).is_some_and(|until| until <= self.now) {
                        self.ask_for_rules(id);
                    }
                    self.watch_validity(id);
                }
            }
            Phase::Draining | Phase::Lingering => self.remove(id),
        }
    }
}
