//! Counters, plain numbers. They only ever rise, except the two that say how many there are now.

/// What one shard has counted since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections now.
    pub connections: u64,
    /// Sessions now, connected or not.
    pub sessions: u64,
    /// Application Messages accepted from clients of this shard.
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
    /// Publishes refused by the rules.
    pub denied_publish: u64,
    /// Subscriptions refused by the rules.
    pub denied_subscribe: u64,
    /// Sessions taken over by another connection.
    pub taken_over: u64,
    /// Connections ended by Keep Alive.
    pub keep_alive_timeouts: u64,
    /// Will Messages published.
    pub wills_published: u64,
    /// Connections ended from outside.
    pub kicked: u64,
}
