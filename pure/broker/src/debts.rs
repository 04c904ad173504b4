//! Messages that found no room and could not be refused, because their client's version has no way to say so (§3.4 of MQTT 3.1.1).
//!
//! They are not acknowledged, so they are still the client's. It sends them again on its next connection [MQTT-4.4.0-1], and only then: so
//! its present one ends as soon as there is room.

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::ConnectionId;
use crate::input::WillRule;
use crate::moment::Moment;
use crate::output::CloseCause;
use crate::route::NoRoom;
use crate::store::Store;
use crate::timers::Timer;
use crate::totals::Load;

/// Time between two looks, in milliseconds. The store says itself when it has room again, the queues do not.
const LOOK: u64 = 1_000;

impl Broker {
    /// A connection is owed an acknowledgement.
    pub(crate) fn note_debt(&mut self, why: NoRoom, now: Moment) {
        let wanted = if let NoRoom::Queues(wanted) = why { wanted } else { Load::default() };
        match &mut self.backlog.debts {
            Some((_, known)) => *known = Load { messages: known.messages.max(wanted.messages), bytes: known.bytes.max(wanted.bytes) },
            None => self.look_later(wanted, now),
        }
    }

    fn look_later(&mut self, wanted: Load, now: Moment) {
        let at = now.plus_millis(LOOK);
        self.backlog.debts = Some((at, wanted));
        self.timers.arm(at, Timer::Debts);
    }

    /// Ends the connections that are owed an acknowledgement, if there is room now; else looks again later.
    pub(crate) fn settle_debts<D: SharedDirectory, S: Store>(&mut self, context: &mut Context<'_, D, S>) {
        let Some((at, wanted)) = self.backlog.debts.take() else { return };
        self.timers.disarm(Some(at), Timer::Debts);
        if context.store.is_full() || !self.has_room(wanted, context.directory) {
            return self.look_later(wanted, context.now);
        }
        let owed = self.connections.values().filter(|connection| connection.incoming.owes).map(|connection| connection.id);
        let mut owed: Vec<ConnectionId> = owed.collect();
        owed.sort_unstable();
        for id in owed {
            let cause = CloseCause::QuotaExceeded("there is room again for a message that was not acknowledged");
            self.disconnect(id, cause, WillRule::Publish, context);
        }
    }

    /// Whether the queues have room for this, and they and the retained messages for more than a little.
    fn has_room<D: SharedDirectory>(&self, wanted: Load, directory: &D) -> bool {
        let total = &self.limits.total;
        let Load { messages, bytes } = self.room();
        let (retained, retained_bytes) = directory.read(crate::Directory::retained);
        let is_free = |used: usize, maximum: usize| used < maximum - maximum / 16;
        // A message for very many sessions may fit under no circumstances, and the others must not wait for it.
        let needed = |wanted: usize, maximum: usize| wanted.min(maximum - maximum / 4).max(maximum / 16);
        messages >= needed(wanted.messages, total.queued_messages_maximum)
            && bytes >= needed(wanted.bytes, total.queued_bytes_maximum)
            && is_free(retained, total.retained_messages_maximum)
            && is_free(retained_bytes, total.retained_bytes_maximum)
    }
}
