//! Counters, plain numbers. They only ever rise, except the two that say how many there are now.

use std::ops::AddAssign;

/// What one shard has counted since it started. What the shards share is counted in [`crate::Totals`] and [`crate::Directory`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections now.
    pub connections: u64,
    /// Sessions now, connected or not.
    pub sessions: u64,
    /// Sessions that ended because nobody came back in time.
    pub sessions_expired: u64,
    /// Application Messages accepted from clients of this shard, their Wills included.
    pub messages_received: u64,
    /// PUBLISH packets sent, re-deliveries included.
    pub messages_sent: u64,
    /// Messages that matched no subscription.
    pub messages_unmatched: u64,
    /// QoS 0 messages dropped because the receiver's connection was full.
    pub dropped_slow: u64,
    /// Messages dropped because the receiver's queue was full: the drop rule refuses the newest.
    pub dropped_queue_full: u64,
    /// Messages dropped because the receiver's Maximum Packet Size is smaller [MQTT-3.1.2-25].
    pub dropped_too_large: u64,
    /// Messages whose Message Expiry Interval passed while they waited.
    pub dropped_expired: u64,
    /// What was refused to clients.
    pub refused: Refused,
    /// Sessions taken over by another connection.
    pub taken_over: u64,
    /// Connections ended by Keep Alive.
    pub keep_alive_timeouts: u64,
    /// Will Messages published.
    pub wills_published: u64,
    /// Connections ended from outside.
    pub kicked: u64,
}

/// What was refused to connected clients, and to new sessions, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// Publishes, by the rules.
    pub publish_denied: u64,
    /// Subscriptions, by the rules.
    pub subscribe_denied: u64,
    /// Publishes, subscriptions and sessions, because the store had no room.
    pub store_full: u64,
    /// Publishes, because all queues together held as much as they may.
    pub queues_full: u64,
    /// Publishes to be retained, because there were as many retained messages as there may be.
    pub retained_full: u64,
    /// Sessions, because there were as many as there may be.
    pub sessions_full: u64,
    /// Publishes, because of the size of their payload.
    pub payload_too_large: u64,
    /// Subscriptions that were made and ended, because rules changed.
    pub subscriptions_ended: u64,
    /// Messages that were queued for a client, or routed to it, and that it may not have: rules changed, or its tenant does not see the topic.
    pub messages_withheld: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        let Self {
            connections,
            sessions,
            sessions_expired,
            messages_received,
            messages_sent,
            messages_unmatched,
            dropped_slow,
            dropped_queue_full,
            dropped_too_large,
            dropped_expired,
            refused,
            taken_over,
            keep_alive_timeouts,
            wills_published,
            kicked,
        } = other;
        self.connections += connections;
        self.sessions += sessions;
        self.sessions_expired += sessions_expired;
        self.messages_received += messages_received;
        self.messages_sent += messages_sent;
        self.messages_unmatched += messages_unmatched;
        self.dropped_slow += dropped_slow;
        self.dropped_queue_full += dropped_queue_full;
        self.dropped_too_large += dropped_too_large;
        self.dropped_expired += dropped_expired;
        self.refused += refused;
        self.taken_over += taken_over;
        self.keep_alive_timeouts += keep_alive_timeouts;
        self.wills_published += wills_published;
        self.kicked += kicked;
    }
}

impl AddAssign for Refused {
    fn add_assign(&mut self, other: Self) {
        let Self {
            publish_denied,
            subscribe_denied,
            store_full,
            queues_full,
            retained_full,
            sessions_full,
            payload_too_large,
            subscriptions_ended,
            messages_withheld,
        } = other;
        self.publish_denied += publish_denied;
        self.subscribe_denied += subscribe_denied;
        self.store_full += store_full;
        self.queues_full += queues_full;
        self.retained_full += retained_full;
        self.sessions_full += sessions_full;
        self.payload_too_large += payload_too_large;
        self.subscriptions_ended += subscriptions_ended;
        self.messages_withheld += messages_withheld;
    }
}
