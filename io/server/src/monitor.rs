//! The counters of a running server, and what the server itself has to say to its clients.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use signet_broker::{SharedDirectory as _, Stats};
use signet_mqtt::Message;
use signet_store::{StoreState, StoreStats, StoreWatch};
use signet_telemetry::{Handshakes, Held, Traffic};

use crate::abuse::{HoldCounts, HoldKind};
use crate::counters::{self, ShardStats, wide};
use crate::mailbox::Mail;
use crate::shared::Shared;

/// How long the counters of a shard are waited for.
const STATS_PATIENCE: Duration = Duration::from_secs(1);

/// Counters of the whole server, summed over its shards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Live connections whose handshake is complete, before and after CONNECT.
    pub connections: u64,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections refused before their session began: limits, TLS, deadlines, CONNECT.
    pub refused: u64,
    /// The same by the check that failed; every check is there.
    pub refused_by: Vec<(&'static str, u64)>,
    /// What was counted against somebody, and who is held off; every kind is there.
    pub holds: Vec<(HoldKind, HoldCounts)>,
    /// Sockets now, those whose handshake is going on included.
    pub sockets: u64,
    /// CONNECT packets received.
    pub connects: u64,
    /// What came from clients.
    pub received: Traffic,
    /// What went to clients.
    pub sent: Traffic,
    /// TLS handshakes.
    pub handshakes: Handshakes,
    /// What is held now.
    pub held: Held,
    /// Broker counters.
    pub broker: Stats,
}

/// Watches a server and speaks for it; from any thread, also while the server ends.
#[derive(Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
    store: Option<StoreWatch>,
}

impl Monitor {
    pub(crate) fn new(shared: Arc<Shared>, store: Option<StoreWatch>) -> Self {
        Self { shared, store }
    }

    /// How the store is doing; `None` when everything is in memory.
    pub fn store(&self) -> Option<(StoreState, StoreStats)> {
        self.store.as_ref().map(|store| (store.state(), store.stats()))
    }

    /// Counters. A shard that does not answer within a second is left out.
    pub fn stats(&self) -> ServerStats {
        let (sender, receiver) = mpsc::sync_channel(self.shared.mailboxes.len());
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::Stats(sender.clone()));
        }
        drop(sender);
        let refused_by = self.shared.counters.refused();
        let mut stats = ServerStats {
            connections: wide(self.shared.registry.len()),
            accepted: self.shared.counters.accepted.load(Ordering::Relaxed),
            refused: refused_by.iter().map(|(_, count)| count).sum(),
            refused_by,
            holds: self.shared.admissions.abuse.counts(self.shared.clock.milliseconds()),
            sockets: wide(self.shared.admissions.total.live()),
            held: self.held(),
            ..ServerStats::default()
        };
        for _ in &self.shared.mailboxes {
            let Ok(shard) = receiver.recv_timeout(STATS_PATIENCE) else { break };
            stats.add(shard);
        }
        stats
    }

    /// Publishes messages of the server itself: below `$SYS/`, never stored, allowed whatever the rules say.
    pub fn publish(&self, messages: Vec<Message>) {
        if let Some(mailbox) = self.shared.mailboxes.first() {
            mailbox.post_one(Mail::Publish(messages));
        }
    }

    /// What access sources that judge say has changed: subscriptions are judged again, and what waits for clients.
    pub fn judgements_changed(&self) {
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::JudgementsChanged);
        }
    }

    /// When the certificate that a listener shows ends: name of the listener, Unix seconds. Without those that have none.
    pub fn server_certificates(&self) -> Vec<(String, i64)> {
        let listeners = self.shared.listeners.load();
        listeners.iter().filter_map(|listener| Some((listener.name.to_string(), listener.not_after()?))).collect()
    }

    /// What the shards share.
    fn held(&self) -> Held {
        let totals = &self.shared.totals;
        self.shared.directory.read(|directory| {
            let (retained, octets) = directory.retained();
            Held {
                subscriptions: wide(directory.subscriptions()),
                shared_subscriptions: wide(directory.shared_subscriptions()),
                retained: wide(retained),
                retained_octets: wide(octets),
                queued: wide(totals.queued_messages()),
                queued_octets: wide(totals.queued_bytes()),
                ..Held::default()
            }
        })
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Monitor")
    }
}

impl ServerStats {
    fn add(&mut self, shard: ShardStats) {
        self.broker += shard.broker;
        self.connects += shard.connects;
        counters::add_traffic(&mut self.received, &shard.received);
        counters::add_traffic(&mut self.sent, &shard.sent);
        counters::add_handshakes(&mut self.handshakes, &shard.handshakes);
        self.held.outgoing += shard.outgoing.0;
        self.held.outgoing_octets += shard.outgoing.1;
    }
}
