//! What the broker tells about itself: the numbers of one moment, gathered for `/metrics` and for the `$SYS` tree.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use signet_admin::{Administration, Live, MetricsSource};
use signet_auth::BackendReport;
use signet_mqtt::{Message, QoS, TopicName};
use signet_net::{Registry, unix_seconds};
use signet_server::{HoldCounts, Monitor, ServerStats, StoreState, StoreStats};
use signet_sources::{SourceReport, Sources};
use signet_telemetry::{
    Backend, Bridge, Certificates, Clients, CrlFreshness, Dropped, Full, Holds, Messages, RevocationSource, Snapshot, Store, SysTree,
    Trust, exposition, numbers,
};
use signet_tls::CurrentRevocations;

use crate::answers::wide;
use crate::authentication::Vouchers;
use crate::process_facts;

/// Where the numbers are.
pub(crate) struct Telemetry {
    monitor: Monitor,
    administration: Arc<Administration>,
    revocations: CurrentRevocations,
    sources: Arc<Sources>,
    vouchers: Vouchers,
    registry: Arc<Registry>,
    started: Instant,
    started_at: i64,
    tree: Mutex<Tree>,
    /// As they were told last.
    bridges: Mutex<Vec<Bridge>>,
}

/// The `$SYS` tree and when it is looked at again.
struct Tree {
    tree: SysTree,
    interval: Option<Duration>,
    due: Instant,
    /// The most connections there were at a time.
    connected_maximum: u64,
}

impl Telemetry {
    /// Begins to count; `interval` is that of the `$SYS` tree.
    pub(crate) fn new(
        monitor: Monitor,
        administration: Arc<Administration>,
        (live, sources, vouchers): (&Live, Arc<Sources>, Vouchers),
        interval: Option<Duration>,
    ) -> Self {
        let started = Instant::now();
        let tree = Tree { tree: SysTree::new(), interval, due: started, connected_maximum: 0 };
        Self {
            monitor,
            administration,
            revocations: live.revocations.clone(),
            sources,
            vouchers,
            registry: Arc::clone(&live.registry),
            started,
            started_at: unix_seconds(),
            tree: Mutex::new(tree),
            bridges: Mutex::default(),
        }
    }

    /// Takes note of how the bridges fare, and publishes what changed in the `$SYS` tree when it is time. To be called about once a second.
    pub(crate) fn tick(&self, bridges: Vec<Bridge>) {
        *self.bridges.lock().unwrap_or_else(PoisonError::into_inner) = bridges;
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(interval) = tree.interval else { return };
        let now = Instant::now();
        if now < tree.due {
            return;
        }
        tree.due = now + interval;
        let snapshot = self.snapshot(&mut tree.connected_maximum);
        let messages = tree.tree.update(&snapshot, unix_seconds()).into_iter().filter_map(message);
        self.monitor.publish(messages.collect());
    }

    /// Names and values, as in `/metrics`.
    pub(crate) fn numbers(&self) -> Vec<(String, f64)> {
        numbers(&self.now())
    }

    /// Every topic of the `$SYS` tree with what it says now, whether it is published or not.
    pub(crate) fn sys_tree(&self) -> Vec<(String, String)> {
        SysTree::new().update(&self.now(), unix_seconds())
    }

    fn now(&self) -> Snapshot {
        self.snapshot(&mut self.tree.lock().unwrap_or_else(PoisonError::into_inner).connected_maximum)
    }

    fn snapshot(&self, connected_maximum: &mut u64) -> Snapshot {
        let stats = self.monitor.stats();
        *connected_maximum = stats.broker.connections.max(*connected_maximum);
        Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.started.elapsed().as_secs(),
            clients: clients(&stats, *connected_maximum),
            messages: messages(&stats),
            received: stats.received,
            sent: stats.sent,
            held: stats.held,
            handshakes: stats.handshakes,
            trust: self.trust(&stats),
            refused: stats.refused_by,
            certificates: self.certificates(),
            backends: self.vouchers.reports().into_iter().map(backend).collect(),
            store: self.monitor.store().map(|(state, stats)| store(&state, &stats)),
            process: process_facts::read(self.started_at),
            bridges: self.bridges.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn certificates(&self) -> Certificates {
        let index = self.revocations.load();
        let crls = index.crls().map(|(issuer, status)| CrlFreshness {
            issuer: hex::encode(issuer.as_bytes()),
            this_update: status.this_update,
            next_update: status.next_update,
        });
        // A ledger that cannot be read is reported where it is needed.
        let totals = self.administration.totals().ok().flatten();
        Certificates {
            issued: totals.map(|(issued, _)| issued),
            revocations: totals.map(|(_, revocations)| revocations),
            revoked_known: u64::try_from(index.len()).unwrap_or(u64::MAX),
            server_ends: self.monitor.server_certificates(),
            crls: crls.collect(),
        }
    }
}

impl Telemetry {
    fn trust(&self, stats: &ServerStats) -> Trust {
        let index = self.revocations.load();
        let clones = self.registry.clone_counts();
        Trust {
            sources: self.sources.report().iter().map(source).collect(),
            suspended: wide(index.suspensions().count()),
            operator_entries: wide(index.operator_entries().count()),
            disabled_profiles: wide(index.disabled_profiles().len()),
            clones: vec![("two_identifiers", clones.two_identifiers), ("alternation", clones.alternations)],
            ended: self.registry.ended_counts().into_iter().collect(),
            holds: stats.holds.iter().map(|(kind, counts)| (kind.name(), holds(counts))).collect(),
        }
    }
}

fn backend(report: BackendReport) -> Backend {
    Backend {
        name: report.name.to_string(),
        kind: report.kind,
        breaker: report.breaker.name(),
        asked: report.asked,
        failed: report.failed,
        remembered: report.remembered,
        spared: report.spared,
        microseconds: report.microseconds,
    }
}

fn source(report: &SourceReport) -> RevocationSource {
    let attempts = &report.attempts;
    RevocationSource {
        profile: report.profile.to_string(),
        kind: report.kind.name(),
        address: report.address.clone(),
        state: report.state.name(),
        this_update: report.lists.iter().map(|list| list.this_update).min(),
        next_update: report.lists.iter().filter_map(|list| list.next_update).min(),
        entries: report.lists.iter().map(|list| wide(list.entries)).sum(),
        answers: wide(report.answers),
        last_success: attempts.last_success,
        latency_milliseconds: attempts.latency.map(|latency| u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)),
        requests: attempts.requests,
        failures: attempts.failed,
    }
}

impl MetricsSource for Telemetry {
    fn metrics(&self) -> String {
        exposition(&self.now())
    }
}

fn message((topic, payload): (String, String)) -> Option<Message> {
    Some(Message {
        // Every name is one; `pure/telemetry` tests it.
        topic: TopicName::new(topic).ok()?,
        payload: Bytes::from(payload),
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: Default::default(),
    })
}

fn holds(counts: &HoldCounts) -> Holds {
    Holds { noted: counts.noted, total: counts.holds, held: counts.held }
}

fn clients(stats: &ServerStats, connected_maximum: u64) -> Clients {
    let broker = &stats.broker;
    Clients {
        connected: broker.connections,
        sockets: stats.sockets,
        sockets_total: stats.accepted,
        connects_total: stats.connects,
        sessions: broker.sessions,
        connected_maximum,
        expired_total: broker.sessions_expired,
        taken_over_total: broker.taken_over,
        keep_alive_timeouts_total: broker.keep_alive_timeouts,
        kicked_total: broker.kicked,
    }
}

fn messages(stats: &ServerStats) -> Messages {
    let broker = &stats.broker;
    let refused = &broker.refused;
    Messages {
        dropped: Dropped {
            slow: broker.dropped_slow,
            queue_full: broker.dropped_queue_full,
            too_large: broker.dropped_too_large,
            expired: broker.dropped_expired,
        },
        unmatched: broker.messages_unmatched,
        denied_publishes: refused.publish_denied,
        denied_subscriptions: refused.subscribe_denied,
        ended_subscriptions: refused.subscriptions_ended,
        withheld: refused.messages_withheld,
        oversized: refused.payload_too_large,
        wills: broker.wills_published,
        full: Full {
            store: refused.store_full,
            queues: refused.queues_full,
            retained: refused.retained_full,
            sessions: refused.sessions_full,
        },
    }
}

fn store(state: &StoreState, stats: &StoreStats) -> Store {
    Store {
        state: match state {
            StoreState::Ready => signet_telemetry::StoreState::Ready,
            StoreState::Full { .. } => signet_telemetry::StoreState::Full,
            StoreState::Failed { .. } => signet_telemetry::StoreState::Failed,
        },
        octets: stats.bytes_total,
        live_octets: stats.bytes_live,
        batches: stats.batches,
        syncs: stats.syncs,
        moved_octets: stats.bytes_moved,
        segments: stats.segments,
    }
}
