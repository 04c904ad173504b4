//! The writer's thread: what was posted while the disk was busy is the next batch.
//!
//! A batch with anything urgent in it is synced at once. Without, it is written within [`LINGER`], so that only a loss of power can take
//! it, and synced after the flush interval at the latest. Acknowledgements go out before the index learns what was written.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signet_journal::JournalError;

use crate::engine::{Engine, Written};
use crate::shared::{Post, Shared, Taken};
use crate::state::StoreState;

/// How long something that nobody waits for may stay in memory.
const LINGER: Duration = Duration::from_millis(20);
/// A full disk is looked at again so often.
const RETRY: Duration = Duration::from_secs(1);
/// No post is added to a batch from here on; one alone may be larger.
const BATCH_BYTES: usize = 1 << 20;

/// See the file's documentation.
pub(crate) struct Writer {
    engine: Engine,
    shared: Arc<Shared>,
    wake: Vec<Box<dyn Fn() + Send>>,
    flush_interval: Duration,
    /// Posts that are not in a batch yet.
    posts: VecDeque<Post>,
    /// Whether one of them is urgent.
    is_urgent: bool,
    /// Since when they wait, if none is urgent.
    lingers_since: Option<Instant>,
    batch: Gathered,
    /// Buffers of posts that are in a batch.
    used: Vec<Vec<u8>>,
    /// For each shard the last ticket that was written.
    written: Vec<u64>,
    /// When the first batch was written that is not synced.
    unsynced_since: Option<Instant>,
    /// Why there is no room, as the shards know it, and when to look again.
    full: Option<(String, Instant)>,
}

/// What is in the batch that is put together.
#[derive(Debug, Default)]
struct Gathered {
    /// Bytes of posts.
    bytes: usize,
    /// Whether it is to be synced as soon as it is written.
    is_urgent: bool,
    /// Shard and ticket of each post.
    tickets: Vec<(usize, u64)>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").field("engine", &self.engine).field("batch", &self.batch).finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) fn new(engine: Engine, shared: Arc<Shared>, wake: Vec<Box<dyn Fn() + Send>>, flush_interval: Duration) -> Self {
        let written = vec![0; wake.len()];
        Self {
            engine,
            shared,
            wake,
            flush_interval,
            posts: VecDeque::new(),
            is_urgent: false,
            lingers_since: None,
            batch: Gathered::default(),
            used: Vec::new(),
            written,
            unsynced_since: None,
            full: None,
        }
    }

    /// Until the store is closed or fails. Then the state says which.
    pub(crate) fn run(mut self) {
        let failed = match self.prepare().and_then(|()| self.rounds()) {
            Ok(()) if self.engine.pending() == 0 => None,
            Ok(()) => {
                let why = self.full.as_ref().map_or("", |(why, _)| why);
                Some(format!("closed without room for the last changes: {why}"))
            }
            Err(error) => Some(error.to_string()),
        };
        self.shared.set_stats(self.engine.stats());
        if let Some(message) = failed {
            self.shared.set_state(StoreState::Failed { message });
        }
    }

    fn rounds(&mut self) -> Result<(), JournalError> {
        loop {
            let limit = self.limit();
            let taken = self.shared.take(&mut self.posts, &mut self.used, limit);
            self.is_urgent |= taken.is_urgent;
            // A batch for which there was no room is still there and goes first.
            if self.engine.pending() == 0 && self.is_due(taken) {
                self.gather()?;
            }
            let is_written = self.write()?;
            if taken.is_closing && (!is_written || self.posts.is_empty()) {
                return self.sync();
            }
        }
    }

    /// How long to wait for something urgent; nothing: without a limit, and for anything.
    fn limit(&self) -> Option<Duration> {
        let retry = self.full.as_ref().map(|(_, again)| again.saturating_duration_since(Instant::now()));
        if self.engine.pending() > 0 {
            // Only time can bring room.
            return retry;
        }
        if self.is_urgent || self.engine.wants_compaction() {
            return Some(Duration::ZERO);
        }
        let left = |since: Option<Instant>, limit: Duration| since.map(|since| limit.saturating_sub(since.elapsed()));
        let flush = left(self.unsynced_since, self.flush_interval);
        [flush, left(self.lingers_since, LINGER), retry].into_iter().flatten().min()
    }

    /// Whether what there is should be written now.
    fn is_due(&mut self, taken: Taken) -> bool {
        if self.posts.is_empty() {
            return self.engine.wants_compaction();
        }
        let since = *self.lingers_since.get_or_insert_with(Instant::now);
        self.is_urgent || taken.is_closing || since.elapsed() >= LINGER.min(self.flush_interval) || self.engine.wants_compaction()
    }

    /// Puts the next batch together: compaction first, because it knows nothing of what is posted now.
    fn gather(&mut self) -> Result<(), JournalError> {
        if self.engine.wants_compaction() {
            let posted = self.posts.iter().map(|post| post.records.len()).sum::<usize>().min(BATCH_BYTES);
            self.engine.compact(posted)?;
            self.batch.is_urgent = true;
        }
        while let Some(post) = self.posts.pop_front() {
            if self.batch.bytes > 0 && self.batch.bytes + post.records.len() > BATCH_BYTES {
                self.posts.push_front(post);
                break;
            }
            self.engine.add(&post.records);
            self.batch.bytes += post.records.len();
            self.batch.is_urgent |= post.is_urgent;
            self.batch.tickets.push((post.shard, post.ticket));
            self.used.push(post.records);
        }
        if self.posts.is_empty() {
            self.is_urgent = false;
            self.lingers_since = None;
        }
        Ok(())
    }

    /// Writes the batch and does what follows from it. Whether there was room.
    fn write(&mut self) -> Result<bool, JournalError> {
        if self.engine.pending() > 0 {
            if let Written::NoRoom(why) = self.engine.write()? {
                self.out_of_room(why)?;
                return Ok(false);
            }
            self.unsynced_since.get_or_insert_with(Instant::now);
            for (shard, ticket) in self.batch.tickets.drain(..) {
                if let Some(written) = self.written.get_mut(shard) {
                    *written = ticket;
                }
            }
            let may_go_on = self.shared.wrote(std::mem::take(&mut self.batch.bytes));
            if std::mem::take(&mut self.batch.is_urgent) {
                self.sync()?;
            }
            if may_go_on {
                self.wake_all();
            }
            self.engine.settle()?;
            self.shared.set_stats(self.engine.stats());
        }
        if self.unsynced_since.is_some_and(|since| since.elapsed() >= self.flush_interval) {
            self.sync()?;
        }
        self.prepare()?;
        Ok(true)
    }

    /// Makes durable what was written, and tells the shards.
    fn sync(&mut self) -> Result<(), JournalError> {
        let before = self.engine.journal.bytes_total();
        self.engine.sync()?;
        self.unsynced_since = None;
        for ((shard, ticket), wake) in self.written.iter().enumerate().zip(&self.wake) {
            if *ticket > self.shared.durable(shard) {
                self.shared.set_durable(shard, *ticket);
                wake();
            }
        }
        if let Some((_, again)) = &mut self.full
            && self.engine.journal.bytes_total() < before
        {
            // A segment was removed.
            *again = Instant::now();
        }
        Ok(())
    }

    /// Keeps spare segments ready, and says so when there is no room for them, or room again.
    fn prepare(&mut self) -> Result<(), JournalError> {
        if self.full.as_ref().is_some_and(|(_, again)| Instant::now() < *again) {
            return Ok(());
        }
        match self.engine.prepare()? {
            Some(why) => self.set_full(why),
            // While a batch waits for room there is none, whatever the spare segments say.
            None if self.engine.pending() == 0 && self.full.take().is_some() => {
                self.shared.set_state(StoreState::Ready);
                self.wake_all();
            }
            None => {}
        }
        Ok(())
    }

    fn set_full(&mut self, why: String) {
        let was_full = self.full.is_some();
        self.full = Some((why.clone(), Instant::now() + RETRY));
        if !was_full {
            self.shared.set_state(StoreState::Full { why });
            self.wake_all();
        }
    }

    /// Not even what is urgent can be written. What helps, besides time, is to remove segments of which nothing is live.
    fn out_of_room(&mut self, why: String) -> Result<(), JournalError> {
        self.set_full(why);
        self.engine.rescue()?;
        if self.unsynced_since.is_some() {
            self.sync()?;
        }
        let _ = self.engine.prepare()?;
        Ok(())
    }

    fn wake_all(&self) {
        self.wake.iter().for_each(|wake| wake());
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.set_state(StoreState::Failed { message: "the writer's thread panicked".to_owned() });
        }
        self.shared.end();
        self.wake_all();
    }
}
