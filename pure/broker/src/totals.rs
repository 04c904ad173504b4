//! What all sessions of all shards hold together, and its bounds.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bounds over all shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotalLimits {
    /// Sessions, connected or not; a new one beyond is refused with CONNACK 0x97 (MQTT 3.x: 3, server unavailable). Default 100,000.
    pub sessions_maximum: usize,
    /// Messages with QoS 1 or 2 that wait in queues or are on their way to clients, each counted once for every session. A publish that would go
    /// beyond is refused with 0x97 before anybody gets it (MQTT 3.x: not acknowledged). Default 10,000,000.
    pub queued_messages_maximum: usize,
    /// Bytes of topic, payload and properties of the same, a message that several sessions share counted for each. The same answer. Default 1 GiB.
    pub queued_bytes_maximum: usize,
    /// Retained messages. A new one beyond is refused with 0x97; replacing and clearing always work. Default 100,000.
    pub retained_messages_maximum: usize,
    /// Bytes of topic, payload and properties of all retained messages; more is refused with 0x97. Clearing always works, and so does replacing
    /// by what is no larger. Default 256 MiB.
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

/// What all sessions hold now, shared by the shards.
#[derive(Debug, Default)]
pub struct Totals {
    sessions: AtomicUsize,
    queued_messages: AtomicUsize,
    queued_bytes: AtomicUsize,
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

    /// Messages with QoS 1 or 2 that wait or are on their way, each counted for every session.
    #[must_use]
    pub fn queued_messages(&self) -> usize {
        self.queued_messages.load(Ordering::Relaxed)
    }

    /// Bytes of the same.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes.load(Ordering::Relaxed)
    }
}
