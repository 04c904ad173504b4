//! What the writer and the shards have in common: the queue, the tickets that are durable, and how the store is doing.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::state::{StoreState, StoreStats};

/// Buffers that are kept for the next post.
const SPARE_BUFFERS: usize = 64;
/// Larger buffers are given back to the system.
const SPARE_BYTES: usize = 256 << 10;

/// What a shard posted at once: whole transactions, which stand or fall together.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) shard: usize,
    /// Of the last change in it.
    pub(crate) ticket: u64,
    /// Whether somebody waits for it.
    pub(crate) is_urgent: bool,
    pub(crate) records: Vec<u8>,
}

#[derive(Debug, Default)]
struct Queue {
    posts: VecDeque<Post>,
    /// Whether one of them is urgent.
    is_urgent: bool,
    is_closing: bool,
    spare: Vec<Vec<u8>>,
}

/// See the file's documentation.
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    posted: Condvar,
    /// Bytes of posts that are not written yet, those that the writer has taken included.
    queued_bytes: AtomicUsize,
    queue_bytes_maximum: usize,
    durable: Vec<AtomicU64>,
    is_full: AtomicBool,
    is_failed: AtomicBool,
    /// The writer is gone, for whatever reason.
    is_ended: AtomicBool,
    state: Mutex<StoreState>,
    stats: Mutex<StoreStats>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("queued_bytes", &self.queued_bytes).field("durable", &self.durable).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done under any of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(shards: usize, queue_bytes_maximum: usize, stats: StoreStats) -> Self {
        Self {
            queue: Mutex::default(),
            posted: Condvar::new(),
            queued_bytes: AtomicUsize::new(0),
            queue_bytes_maximum,
            durable: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            is_full: AtomicBool::new(false),
            is_failed: AtomicBool::new(false),
            is_ended: AtomicBool::new(false),
            state: Mutex::new(StoreState::Ready),
            stats: Mutex::new(stats),
        }
    }

    /// Queues a post and gives an empty buffer for the next one.
    pub(crate) fn post(&self, post: Post) -> Vec<u8> {
        let mut queue = lock(&self.queue);
        self.queued_bytes.fetch_add(post.records.len(), Ordering::AcqRel);
        // The writer sleeps without a limit only while there is nothing, and longer than it has to only while nothing is urgent.
        let is_news = queue.posts.is_empty() || (post.is_urgent && !queue.is_urgent);
        queue.is_urgent |= post.is_urgent;
        queue.posts.push_back(post);
        let buffer = queue.spare.pop().unwrap_or_default();
        drop(queue);
        if is_news {
            self.posted.notify_one();
        }
        buffer
    }

    /// Moves all posts to `taken` and gives used buffers back. Waits until something is urgent, or `limit` is over: nothing for ever. If `taken`
    /// is empty it waits for anything at all, because from then on there is something that must not stay in memory for long. Says whether
    /// anything is urgent, and whether the store is being closed.
    pub(crate) fn take(&self, taken: &mut VecDeque<Post>, used: &mut Vec<Vec<u8>>, limit: Option<Duration>) -> Taken {
        let mut queue = lock(&self.queue);
        for mut buffer in used.drain(..) {
            if queue.spare.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_BYTES {
                buffer.clear();
                queue.spare.push(buffer);
            }
        }
        match limit {
            None => {
                while queue.posts.is_empty() && !queue.is_closing {
                    queue = self.posted.wait(queue).unwrap_or_else(PoisonError::into_inner);
                }
            }
            Some(limit) => {
                let has_some = !taken.is_empty();
                let waits = |queue: &mut Queue| !queue.is_urgent && !queue.is_closing && (has_some || queue.posts.is_empty());
                queue = self.posted.wait_timeout_while(queue, limit, waits).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        let is_urgent = std::mem::take(&mut queue.is_urgent);
        taken.append(&mut queue.posts);
        Taken { is_urgent, is_closing: queue.is_closing }
    }

    /// The writer has written so many bytes of posts. Whether the shards that held back may go on.
    pub(crate) fn wrote(&self, bytes: usize) -> bool {
        let before = self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
        before > self.queue_bytes_maximum && before - bytes <= self.queue_bytes_maximum
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.queued_bytes.load(Ordering::Acquire) > self.queue_bytes_maximum
    }

    pub(crate) fn close(&self) {
        lock(&self.queue).is_closing = true;
        self.posted.notify_one();
    }

    pub(crate) fn durable(&self, shard: usize) -> u64 {
        self.durable.get(shard).map_or(0, |ticket| ticket.load(Ordering::Acquire))
    }

    pub(crate) fn set_durable(&self, shard: usize, ticket: u64) {
        if let Some(durable) = self.durable.get(shard) {
            durable.store(ticket, Ordering::Release);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.is_failed.load(Ordering::Acquire)
    }

    /// Whether anybody takes what is posted.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        let mut queue = lock(&self.queue);
        queue.posts = VecDeque::new();
        queue.spare = Vec::new();
    }

    pub(crate) fn set_state(&self, state: StoreState) {
        let mut known = lock(&self.state);
        self.is_full.store(matches!(state, StoreState::Full { .. }), Ordering::Release);
        self.is_failed.store(matches!(state, StoreState::Failed { .. }), Ordering::Release);
        *known = state;
    }

    pub(crate) fn state(&self) -> StoreState {
        lock(&self.state).clone()
    }

    pub(crate) fn set_stats(&self, stats: StoreStats) {
        *lock(&self.stats) = stats;
    }

    pub(crate) fn stats(&self) -> StoreStats {
        *lock(&self.stats)
    }
}

/// What [`Shared::take`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) is_urgent: bool,
    pub(crate) is_closing: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_told_once_when_the_queue_is_short_enough_again() {
        let shared = Shared::new(1, 100, StoreStats::default());
        let post = |length| drop(shared.post(Post { shard: 0, ticket: 1, is_urgent: true, records: vec![0; length] }));
        post(60);
        post(41);
        assert!(shared.is_congested());
        assert!(shared.wrote(1) && !shared.is_congested());
        assert!(!shared.wrote(60));
        post(200);
        assert!(!shared.wrote(100) && shared.is_congested());
        assert!(shared.wrote(140));
    }
}
