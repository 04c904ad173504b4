//! A shard's end of the store.

use signet_broker::{Change, Store, Ticket, Urgency};

/// A shard's end of the store: takes its changes and says what is durable. Belongs to the shard's thread; after [`crate::Store::close`] it
/// takes changes and nothing becomes of them.
#[derive(Debug)]
pub struct StoreHandle {}

impl StoreHandle {
    /// Everything up to this ticket is on disk. Never rises again after the store failed. The wake closure is called after it rose.
    #[must_use]
    pub fn durable(&self) -> Ticket {
        todo!()
    }

    /// Whether so much waits for the disk that the shard should read no more from its clients. The wake closure is called when it ends.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        todo!()
    }

    /// Whether the store failed for good.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        todo!()
    }
}

impl Store for StoreHandle {
    fn append(&mut self, _change: &Change<'_>, _urgency: Urgency) -> Ticket {
        todo!()
    }

    fn seal(&mut self) {
        todo!()
    }

    fn post(&mut self) {
        todo!()
    }

    fn latest(&self) -> Ticket {
        todo!()
    }

    fn is_full(&self) -> bool {
        todo!()
    }
}
