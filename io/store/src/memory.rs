//! A store that keeps nothing: sessions live as long as the process. Same trait as the journal on disk.

use signet_broker::{Change, Store, Ticket, Urgency};

/// Takes every change and has nothing to wait for. The broker itself holds sessions, queues and retained messages in memory, so a second
/// copy here would serve nobody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryStore {
    changes: u64,
}

impl MemoryStore {
    /// A store that has seen no change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes seen so far: what a durable store would have written.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The latest durable ticket: no promise that depends on a later one may be made yet. Here nothing ever waits.
    #[must_use]
    pub fn durable(&self) -> Ticket {
        Ticket::NONE
    }
}

impl Store for MemoryStore {
    fn append(&mut self, _change: &Change<'_>, _urgency: Urgency) -> Ticket {
        self.changes += 1;
        Ticket::NONE
    }

    fn seal(&mut self) {}

    fn post(&mut self) {}

    fn latest(&self) -> Ticket {
        Ticket::NONE
    }

    fn is_full(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signet_broker::SessionId;

    #[test]
    fn there_is_nothing_to_wait_for() {
        let mut store = MemoryStore::new();
        assert_eq!(store.append(&Change::SessionRemoved { session: SessionId(1) }, Urgency::Now), Ticket::NONE);
        assert_eq!((store.changes(), store.latest(), store.is_full()), (1, Ticket::NONE, false));
    }
}
