//! A shard's end of the store.

use std::sync::Arc;

use signet_broker::{Change, Store, Ticket, Urgency};

use crate::record;
use crate::shared::{Post, Shared};

/// From here on a post is cut: one alone must never be larger than a batch can be, which would end the store for good. So much comes only of
/// very many sessions that end at once; all that follows from one packet fits in. What puts is appended before what it replaces is taken
/// away, so a crash between two parts repeats something and loses nothing.
const POST_BYTES: usize = 64 << 20;

/// A shard's end of the store: takes its changes and says what is durable. Belongs to the shard's thread; after [`crate::Store::close`], or
/// after the store failed, it takes changes and nothing becomes of them.
///
/// A post is one transaction for the writer: whatever was sealed since the last one stands or falls together, up to 64 MiB.
#[derive(Debug)]
pub struct StoreHandle {
    shared: Arc<Shared>,
    shard: usize,
    /// Records since the last post.
    records: Vec<u8>,
    is_urgent: bool,
    /// Changes ever appended.
    count: u64,
    /// The last one of those that anybody may wait for.
    latest: u64,
}

impl StoreHandle {
    pub(crate) fn new(shared: Arc<Shared>, shard: usize) -> Self {
        Self { shared, shard, records: Vec::new(), is_urgent: false, count: 0, latest: 0 }
    }

    /// Everything up to this ticket is on disk. Never rises again after the store failed. The wake closure is called after it rose.
    #[must_use]
    pub fn durable(&self) -> Ticket {
        Ticket(self.shared.durable(self.shard))
    }

    /// Whether so much waits for the disk that the shard should read no more from its clients. The wake closure is called when it ends.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.shared.is_congested()
    }

    /// Whether the store failed for good.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.shared.is_failed()
    }
}

impl Store for StoreHandle {
    fn append(&mut self, change: &Change<'_>, urgency: Urgency) -> Ticket {
        if self.records.len() > POST_BYTES {
            self.post();
        }
        record::encode(change, &mut self.records);
        self.count += 1;
        if urgency == Urgency::Now {
            self.is_urgent = true;
            self.latest = self.count;
        }
        Ticket(self.count)
    }

    fn seal(&mut self) {
        // A post is never cut apart, and nothing is posted but by `post`.
    }

    fn post(&mut self) {
        if self.records.is_empty() {
            return;
        }
        if self.shared.is_ended() {
            self.records.clear();
            return;
        }
        let records = std::mem::take(&mut self.records);
        let post = Post { shard: self.shard, ticket: self.count, is_urgent: std::mem::take(&mut self.is_urgent), records };
        self.records = self.shared.post(post);
    }

    fn latest(&self) -> Ticket {
        Ticket(self.latest)
    }

    fn is_full(&self) -> bool {
        self.shared.is_full()
    }
}
