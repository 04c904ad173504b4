//! How a bridge fares, readable from any thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How one bridge fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeStatus {
    /// Its name.
    pub name: String,
    /// Whether messages can flow now.
    pub connected: bool,
    /// Unix seconds since when it is connected, or not; of a bridge that was never connected, since its start.
    pub since: i64,
    /// The address it is or was connected to.
    pub remote: Option<String>,
    /// Connections made since the start.
    pub connections: u64,
    /// Messages handed to this broker.
    pub forwarded_in: u64,
    /// Messages handed to the other broker.
    pub forwarded_out: u64,
    /// Messages that were acknowledged to where they came from, and not carried over.
    pub dropped: Dropped,
    /// Why the last connection ended or the last attempt failed.
    pub last_error: Option<String>,
}

/// Messages not carried over, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// No topic of the list covers them any more, or the new name would be no Topic Name.
    pub unmapped: u64,
    /// They have been here before, or came through too many brokers.
    pub loops: u64,
    /// Larger than the receiving broker takes.
    pub too_large: u64,
    /// The receiving broker refused them for good.
    pub refused: u64,
    /// QoS 0, and the receiver did not read fast enough.
    pub slow: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.unmapped + self.loops + self.too_large + self.refused + self.slow
    }
}

/// What is counted, one for each bridge.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) forwarded_in: AtomicU64,
    pub(crate) forwarded_out: AtomicU64,
    pub(crate) unmapped: AtomicU64,
    pub(crate) loops: AtomicU64,
    pub(crate) too_large: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) slow: AtomicU64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) -> Dropped {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Dropped {
            unmapped: read(&self.unmapped),
            loops: read(&self.loops),
            too_large: read(&self.too_large),
            refused: read(&self.refused),
            slow: read(&self.slow),
        }
    }
}

/// Counters and what changes with connections.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) counters: Counters,
    facts: Mutex<BridgeStatus>,
}

impl Board {
    pub(crate) fn new(name: &str, now: i64) -> Self {
        let facts = BridgeStatus { name: name.to_owned(), since: now, ..BridgeStatus::default() };
        Self { counters: Counters::default(), facts: Mutex::new(facts) }
    }

    pub(crate) fn connected(&self, remote: String, now: i64) {
        let mut facts = self.facts();
        facts.connected = true;
        facts.since = now;
        facts.remote = Some(remote);
        facts.connections += 1;
    }

    pub(crate) fn ended(&self, error: Option<String>, now: i64) {
        let mut facts = self.facts();
        if facts.connected {
            facts.connected = false;
            facts.since = now;
        }
        if error.is_some() {
            facts.last_error = error;
        }
    }

    pub(crate) fn status(&self) -> BridgeStatus {
        BridgeStatus {
            forwarded_in: self.counters.forwarded_in.load(Ordering::Relaxed),
            forwarded_out: self.counters.forwarded_out.load(Ordering::Relaxed),
            dropped: self.counters.dropped(),
            ..self.facts().clone()
        }
    }

    fn facts(&self) -> MutexGuard<'_, BridgeStatus> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
