//! A shard and its store: what waits for the disk goes out when the disk has it, and a store that is full, slow or lost changes what the shard does.

use std::cmp::Reverse;
use std::sync::Arc;

use signet_broker::{ConnectionId, Context, Input, Moment, ShardImage, Store as _, Ticket};
use signet_identity::CertificateId;
use signet_net::LinkId;

use super::Shard;
use crate::link::Phase;

/// How often those are excused that are not read, in milliseconds: Keep Alive is in seconds.
const EXCUSE_INTERVAL: u64 = 1_000;

impl Shard {
    /// Takes up what was stored for this shard, before anything else happens to it. `revoked` are certificates that sessions were opened with and
    /// that have been revoked since. What follows from it waits until [`Self::run`]: by then all shards are restored.
    pub(crate) fn restore(&mut self, image: ShardImage, revoked: &Arc<[CertificateId]>) {
        self.now = self.shared.clock.milliseconds();
        let mut context = Context {
            now: Moment::from_millis(self.now),
            directory: &self.shared.directory,
            store: &mut self.store,
            output: &mut self.outputs,
        };
        self.broker.restore(image, &mut context);
        if !revoked.is_empty() {
            let will = self.shared.on_distrust.0;
            self.tell_broker(Input::Revoked { certificates: Arc::clone(revoked), will });
        }
    }

    /// What the store has got done: looked at once a turn, after a wake-up by its writer at the latest.
    pub(super) fn follow_store(&mut self) {
        let durable = self.store.durable();
        while let Some(Reverse((ticket, id))) = self.queues.awaiting.peek().copied() {
            if ticket > durable {
                break;
            }
            self.queues.awaiting.pop();
            self.mark_dirty(id);
        }
        if self.store.has_room_again() {
            self.apply(Input::StoreHasRoom);
        }
        if self.store.has_failed() {
            (self.shared.on_store_failure)();
        }
    }

    /// Notes that a connection can go on when a ticket is durable.
    pub(super) fn await_disk(&mut self, id: LinkId, durable: Ticket) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Some(ticket) = link.outbox.next_ticket(durable) {
            self.queues.awaiting.push(Reverse((ticket, id)));
        }
    }

    /// Who is not read because of the disk, or of another shard, is not silent by its own choice: Keep Alive must not end it.
    pub(super) fn excuse_held_back(&mut self) {
        if self.now.saturating_sub(self.queues.excused) < EXCUSE_INTERVAL {
            return;
        }
        let is_paused = |id: &LinkId| self.links.get(id).is_some_and(|link| link.marks.paused);
        let mut silent: Vec<LinkId> = self.queues.awaiting.iter().map(|Reverse((_, id))| *id).filter(is_paused).collect();
        if self.is_held_back() {
            silent.extend(self.queues.ready.iter().chain(&self.queues.connecting));
        }
        if silent.is_empty() {
            return;
        }
        self.queues.excused = self.now;
        for id in silent {
            if self.links.get(&id).is_some_and(|link| link.phase == Phase::Connected) {
                self.apply(Input::HeldBack { connection: ConnectionId(id.number()) });
            }
        }
    }

    /// Gives the writer everything that was changed so far, ahead of anything that another shard may make of it.
    pub(super) fn post_changes(&mut self) {
        self.store.post();
    }
}
