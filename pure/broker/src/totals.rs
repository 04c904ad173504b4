//! What all sessions of all shards hold together, and its bounds.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bounds over all shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotalLimits {
    /// Sessions, connected or not; a new one beyond is refused with CONNACK 0x97 (before MQTT 5.0: 3, server unavailable). Default 100,000.
    pub sessions_maximum: usize,
    /// Messages that wait in queues or are on their way to clients with QoS 1 or 2, each counted once for every session. A publish that
    /// would go beyond is refused with 0x97 before anybody gets it (before MQTT 5.0: it is not acknowledged, and the connection ends when
    /// there is room again, so that the client sends it again). Default 10,000,000.
    pub queued_messages_maximum: usize,
    /// Bytes of topic, payload and properties of the same, the same rule. Default 1 GiB.
    pub queued_bytes_maximum: usize,
    /// Retained messages. A new one beyond is refused with 0x97, or as above; replacing and clearing always work. Default 100,000.
    pub retained_messages_maximum: usize,
    /// Bytes of topic, payload and properties of all retained messages; more is refused with 0x97. Clearing always works, and so does
    /// replacing by what is no larger. Default 256 MiB.
    pub retained_bytes_maximum: usize,
}

impl Default for TotalLimits {
    fn default() -> Self {
        Self {
            sessions_maximum: 100_000,
            queued_messages_maximum: 10_000_000,
            queued_bytes_maximum: 1024 * 1024 * 1024,
            retained_messages_maximum: 100_000,
            retained_bytes_maximum: 256 * 1024 * 1024,
        }
    }
}

/// What all sessions hold now, shared by the shards. Each shard reports at the end of every input.
#[derive(Debug, Default)]
pub struct Totals {
    sessions: AtomicUsize,
    queued_messages: AtomicUsize,
    queued_bytes: AtomicUsize,
}

/// Messages with QoS 1 or 2, and what waits behind them, that are held for somebody; the retained messages that a subscription starts with
/// only once they are on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    /// Of topic, payload and properties.
    pub(crate) bytes: usize,
}

impl Load {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { messages: self.messages.wrapping_add(other.messages), bytes: self.bytes.wrapping_add(other.bytes) }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self { messages: self.messages.wrapping_sub(other.messages), bytes: self.bytes.wrapping_sub(other.bytes) }
    }
}

impl Totals {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sessions, connected or not.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Messages that wait or are on their way, each counted for every session.
    #[must_use]
    pub fn queued_messages(&self) -> usize {
        self.queued_messages.load(Ordering::Relaxed)
    }

    /// Bytes of the same.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn session_begins(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn session_ends(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }

    /// A shard holds `now` where it held `before`. Wraps: what one shard takes away another may have added.
    pub(crate) fn change(&self, before: Load, now: Load) {
        let change = now.minus(before);
        if change != Load::default() {
            self.queued_messages.fetch_add(change.messages, Ordering::Relaxed);
            self.queued_bytes.fetch_add(change.bytes, Ordering::Relaxed);
        }
    }

    /// What may still be queued.
    pub(crate) fn room(&self, limits: &TotalLimits) -> Load {
        Load {
            messages: limits.queued_messages_maximum.saturating_sub(self.queued_messages()),
            bytes: limits.queued_bytes_maximum.saturating_sub(self.queued_bytes()),
        }
    }
}
