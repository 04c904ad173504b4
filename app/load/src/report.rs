//! What was measured, as `--json` prints it. Other programs read these names: they stay.

use serde::Serialize;

use crate::histogram::Histogram;
use crate::number::{float, ratio, rounded, wide};
use crate::usage::{Memory, Used};

/// The result of a load.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `connect`, `idle` or `pubsub`.
    pub command: &'static str,
    /// Against whom, and over what.
    #[serde(flatten)]
    pub common: Common,
    /// What is particular to the command.
    #[serde(flatten)]
    pub facts: Facts,
    /// Whether the figures are what was asked for: everything arrived, nothing failed.
    pub valid: bool,
    /// Why they are not.
    pub reasons: Vec<String>,
    /// Somebody stopped it before its end; what was measured until then is valid or not on its own.
    pub interrupted: bool,
    /// Operations in a second: a connection, or a delivered message.
    pub per_second: f64,
    /// Of an operation; `null` when there was none.
    pub latency_us: Option<LatencyMicros>,
    /// Processor time of the broker; `null` when its process is not known.
    pub broker_cpu: Option<BrokerCpu>,
    /// Memory of the broker; `null` when its process is not known.
    pub broker_memory: Option<BrokerMemory>,
    /// Processors that this program kept busy: near 1 it may be what limits the figures.
    pub load_cpu_cores: f64,
    /// Processors that everybody else kept busy; `null` when the broker's process is not known, because then it is among them.
    pub noise_cores: Option<f64>,
    /// All latencies.
    #[serde(skip)]
    pub latencies: Histogram,
}

/// Against whom, and over what.
#[derive(Clone, Debug, Serialize)]
pub struct Common {
    /// Host and port.
    pub broker: String,
    /// `tcp`, `tls`, `ws` or `wss`.
    pub transport: &'static str,
    /// `null` without TLS, and when no connection came up.
    pub tls: Option<TlsFacts>,
    /// `3.1.1` or `5.0`.
    pub mqtt: &'static str,
}

/// What was negotiated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TlsFacts {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// Such as `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// Group of the key exchange, such as `x25519`; `null` where there was none, in a session of TLS 1.2 that was taken up again.
    pub group: Option<String>,
}

/// What is particular to a command.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Facts {
    /// Of `connect`.
    Connect(ConnectFacts),
    /// Of `idle`.
    Idle(IdleFacts),
    /// Of `pubsub`.
    PubSub(Box<PubSubFacts>),
}

/// Connections that were opened and closed again.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectFacts {
    /// Wanted.
    pub count: u64,
    /// At a time.
    pub concurrency: u64,
    /// Without a CONNACK of success.
    pub failed: u64,
    /// Whether TLS sessions were to be taken up again.
    pub resume: bool,
    /// Connections that took one up.
    pub resumed: u64,
    /// All of it took.
    pub seconds: f64,
}

/// Connections that were held.
#[derive(Clone, Debug, Serialize)]
pub struct IdleFacts {
    /// Wanted.
    pub count: u64,
    /// Opened at a time.
    pub concurrency: u64,
    /// That did not come up, or ended before the end.
    pub failed: u64,
    /// Until all were up.
    pub up_seconds: f64,
    /// They were held so long.
    pub hold_seconds: f64,
    /// Processors that the broker kept busy meanwhile; `null` when its process is not known.
    pub idle_cpu_cores: Option<f64>,
}

/// Messages.
#[derive(Clone, Debug, Serialize)]
pub struct PubSubFacts {
    /// `fan-in`, `fan-out` or `pairs`.
    pub layout: &'static str,
    /// Connections that publish.
    pub publishers: u64,
    /// Connections that subscribe.
    pub subscribers: u64,
    /// The QoS, or the highest of a mix.
    pub qos: u8,
    /// Messages of QoS 0, 1 and 2 in a hundred; `null` where all have the same.
    pub qos_mix: Option<[u8; 3]>,
    /// Octets of a payload, or the smallest of a range.
    pub payload: u64,
    /// The largest.
    pub payload_maximum: u64,
    /// Topics that are published to.
    pub topics: u64,
    /// Whether subscriptions have wildcards.
    pub wildcards: bool,
    /// Messages of a publisher that may be under way.
    pub window: u64,
    /// Publishes in a second by all publishers together; `null`: as fast as the window lets them.
    pub rate: Option<u64>,
    /// Whether sessions began afresh.
    pub clean_start: bool,
    /// Measured so long.
    pub seconds: f64,
    /// What arrived.
    #[serde(flatten)]
    pub arrivals: Arrivals,
}

/// What became of the messages of a run, warm-up included.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Arrivals {
    /// Each counts once.
    pub sent: u64,
    /// Each counts once per receiver.
    pub delivered: u64,
    /// Deliveries that were due and did not come.
    pub lost: u64,
    /// Deliveries that came behind a later message of the same publisher and QoS, or twice.
    pub reordered: u64,
}

/// Microseconds that so large a part of the operations did not exceed.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LatencyMicros {
    /// Half of them.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// All.
    pub max: f64,
}

/// Processor time of the broker.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BrokerCpu {
    /// Microseconds for each operation.
    pub us_per_operation: f64,
    /// Processors it kept busy.
    pub cores: f64,
}

/// Memory of the broker, in octets.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BrokerMemory {
    /// Resident, before the first connection.
    pub rss_before: u64,
    /// Resident, with all connections up.
    pub rss_after: u64,
    /// The difference for each connection.
    pub bytes_per_connection: f64,
    /// The same without what several processes share.
    pub pss_bytes_per_connection: f64,
}

impl LatencyMicros {
    /// Of a histogram that is not empty.
    pub(crate) fn of(latencies: &Histogram) -> Option<Self> {
        let micros = |nanoseconds: u64| rounded(float(nanoseconds) / 1000.0);
        let part = |part: f64| micros(latencies.quantile(part));
        (latencies.count() > 0).then(|| Self {
            p50: part(0.5),
            p90: part(0.9),
            p99: part(0.99),
            p999: part(0.999),
            max: micros(latencies.maximum()),
        })
    }
}

impl BrokerCpu {
    /// Of so many operations.
    pub(crate) fn of(used: Used, operations: u64) -> Self {
        Self { us_per_operation: rounded(ratio(used.broker_seconds * 1e6, float(operations))), cores: rounded(used.broker_cores) }
    }
}

impl BrokerMemory {
    /// What so many connections have added.
    pub(crate) fn of(before: Memory, after: Memory, connections: usize) -> Self {
        let each = |before: u64, after: u64| rounded(ratio(float(after.saturating_sub(before)), float(wide(connections))));
        Self {
            rss_before: before.resident,
            rss_after: after.resident,
            bytes_per_connection: each(before.resident, after.resident),
            pss_bytes_per_connection: each(before.proportional, after.proportional),
        }
    }
}

/// What is measured beside the operations, before it is a report.
pub(crate) struct Measured {
    pub(crate) command: &'static str,
    pub(crate) common: Common,
    pub(crate) facts: Facts,
    pub(crate) reasons: Vec<String>,
    pub(crate) interrupted: bool,
    /// Operations that `used` was used for.
    pub(crate) operations: u64,
    /// Seconds that `per_second` is counted by.
    pub(crate) seconds: f64,
    pub(crate) used: Used,
    pub(crate) memory: Option<BrokerMemory>,
    pub(crate) knows_broker: bool,
    pub(crate) latencies: Histogram,
}

impl Measured {
    pub(crate) fn report(self) -> Report {
        Report {
            command: self.command,
            common: self.common,
            facts: self.facts,
            valid: self.reasons.is_empty(),
            reasons: self.reasons,
            interrupted: self.interrupted,
            per_second: rounded(ratio(float(self.operations), self.seconds)),
            latency_us: LatencyMicros::of(&self.latencies),
            broker_cpu: self.knows_broker.then(|| BrokerCpu::of(self.used, self.operations)),
            broker_memory: self.memory,
            load_cpu_cores: rounded(self.used.own_cores),
            noise_cores: self.knows_broker.then(|| rounded(self.used.other_cores)),
            latencies: self.latencies,
        }
    }
}
