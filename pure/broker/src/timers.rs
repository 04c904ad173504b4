//! Deadlines, driven by the time the caller gives.

use std::collections::BTreeSet;

use crate::ids::{ConnectionId, SessionId};
use crate::moment::Moment;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Look whether the client was heard from.
    KeepAlive(ConnectionId),
    /// The Will Delay Interval passed.
    WillDelay(SessionId),
    /// The Session Expiry Interval passed.
    SessionExpiry(SessionId),
    /// An answer on which a subscription rests has come to its end.
    Answers(SessionId),
    /// More is waiting for the client than went out at once.
    Pump(SessionId),
    /// All shards have taken up what was stored.
    Orphans,
    /// More sessions are to be judged by new rules, or their identities again.
    Review,
    /// Look whether there is room for what was not acknowledged.
    Debts,
    /// Look for retained messages that have expired.
    Sweep,
}

/// All deadlines of a shard, at most one keep-alive per connection and four per session: whoever arms one disarms the one before,
/// and a pump finds nothing to do when it comes twice.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BTreeSet<(Moment, Timer)>,
}

impl Timers {
    pub(crate) fn arm(&mut self, at: Moment, timer: Timer) {
        self.queue.insert((at, timer));
    }

    pub(crate) fn disarm(&mut self, at: Option<Moment>, timer: Timer) {
        if let Some(at) = at {
            self.queue.remove(&(at, timer));
        }
    }

    pub(crate) fn next(&self) -> Option<Moment> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Moment) -> Option<(Moment, Timer)> {
        if self.next()? > now {
            return None;
        }
        self.queue.pop_first()
    }
}
