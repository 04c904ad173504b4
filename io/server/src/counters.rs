//! Counts of what the broker's own counters do not see: sockets, refusals, handshakes, packets and octets.

use std::sync::atomic::{AtomicU64, Ordering};

use signet_broker::Stats;
use signet_mqtt::{Packet, QoS};
use signet_telemetry::{Handshakes, Traffic};
use signet_tls::Check;

use crate::gate::Full;
use crate::outbox::Outgoing;

/// What all threads count in. Only what happens seldom.
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    refused: Vec<(Cause, AtomicU64)>,
}

/// Why a connection was refused before its session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Check(Check),
    Full(Full),
    /// It made room for one whose address had fewer.
    Displaced,
    /// The server was to take fewer CONNECT packets per second.
    TooFast,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Check(check) => check.name(),
            Self::Full(Full::Listener) => "listener full",
            Self::Full(Full::Server) => "server full",
            Self::Full(Full::Address) => "address full",
            Self::Displaced => "displaced",
            Self::TooFast => "connect rate",
        }
    }
}

impl Counters {
    pub(crate) fn new() -> Self {
        let others = [Cause::Full(Full::Listener), Cause::Full(Full::Server), Cause::Full(Full::Address), Cause::Displaced, Cause::TooFast];
        let causes = Check::ALL.map(Cause::Check).into_iter().chain(others);
        Self { accepted: AtomicU64::new(0), refused: causes.map(|cause| (cause, AtomicU64::new(0))).collect() }
    }

    pub(crate) fn refuse(&self, cause: Cause) {
        if let Some((_, count)) = self.refused.iter().find(|(known, _)| *known == cause) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every cause with its count.
    pub(crate) fn refused(&self) -> Vec<(&'static str, u64)> {
        self.refused.iter().map(|(cause, count)| (cause.name(), count.load(Ordering::Relaxed))).collect()
    }
}

/// What one shard has counted, and holds now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShardStats {
    pub(crate) broker: Stats,
    pub(crate) connects: u64,
    pub(crate) received: Traffic,
    pub(crate) sent: Traffic,
    pub(crate) handshakes: Handshakes,
    /// Packets and octets that wait for sockets.
    pub(crate) outgoing: (u64, u64),
}

/// A packet arrived, of so many octets.
pub(crate) fn received(traffic: &mut Traffic, packet: &Packet, octets: usize) {
    traffic.packets += 1;
    traffic.octets += wide(octets);
    if let Packet::Publish(publish) = packet {
        count_publish(traffic, publish.qos, publish.payload.len());
    }
}

/// A packet is to be sent. Its octets are counted when it is encoded.
pub(crate) fn sent(traffic: &mut Traffic, outgoing: &Outgoing) {
    traffic.packets += 1;
    if let Outgoing::Publish(message, header, _) = outgoing {
        count_publish(traffic, header.qos, message.payload.len());
    }
}

fn count_publish(traffic: &mut Traffic, qos: QoS, payload: usize) {
    if let Some(count) = traffic.publishes.get_mut(usize::from(u8::from(qos))) {
        *count += 1;
    }
    traffic.payload_octets += wide(payload);
}

/// Adds what one shard counted.
pub(crate) fn add_traffic(total: &mut Traffic, shard: &Traffic) {
    let Traffic { packets, octets, publishes, payload_octets } = shard;
    total.packets += packets;
    total.octets += octets;
    total.payload_octets += payload_octets;
    for (total, shard) in total.publishes.iter_mut().zip(publishes) {
        *total += shard;
    }
}

/// Adds what one shard counted.
pub(crate) fn add_handshakes(total: &mut Handshakes, shard: &Handshakes) {
    let Handshakes { full, resumed, failed, under_way } = shard;
    total.full += full;
    total.resumed += resumed;
    total.failed += failed;
    total.under_way += under_way;
}

/// Sizes as counts.
pub(crate) fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
