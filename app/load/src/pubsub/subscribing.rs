//! Subscriptions before the first message: a million filters go in many packets, one at a time for each subscriber.

use std::time::Duration;

use bytes::BytesMut;
use signet_mqtt::{
    DecodeLimits, Decoder, Packet, PacketId, QoS, Role, Subscribe, SubscribeFilter, SubscriptionOptions, TopicFilter, UserProperties,
    encode,
};

use super::plan::Plan;
use crate::clock::nanoseconds;
use crate::number::wide;
use crate::session::Bench;
use crate::{Control, LoadError};

/// Topic Filters in a packet.
const FILTERS: u64 = 100;

/// Without a single SUBACK.
const PATIENCE: Duration = Duration::from_secs(30);

const TICK: Duration = Duration::from_millis(100);

/// Subscribers that wait for their SUBACKs.
struct Subscribing<'a> {
    plan: &'a Plan,
    qos: QoS,
    /// By subscriber, the filters that were sent.
    sent: Vec<u64>,
    /// Those that are not through.
    open: usize,
    granted: u64,
    refused: u64,
    reasons: Vec<String>,
}

/// Makes all subscriptions; gives the reasons why that failed.
pub(super) fn subscribe(bench: &mut Bench<'_>, plan: &Plan, qos: QoS, control: &mut Control<'_>) -> Result<Vec<String>, LoadError> {
    let mut state =
        Subscribing { plan, qos, sent: vec![0; plan.subscribers], open: plan.subscribers, granted: 0, refused: 0, reasons: Vec::new() };
    for id in 0..plan.subscribers {
        if let Some(link) = bench.net.link(id) {
            state.ask(id, bench.target.version, link.out());
            if let Err(reason) = bench.net.write(id) {
                state.fail(reason);
            }
        }
    }
    let total: u64 = (0..plan.subscribers).map(|subscriber| plan.filters(subscriber)).sum();
    let version = bench.target.version;
    let mut ready = Vec::new();
    let mut moved = (0, bench.clock.now());
    while state.open > 0 && state.reasons.is_empty() && !control.is_asked_to_stop() {
        bench.net.wait(TICK, &mut ready)?;
        for ready in &ready {
            if let Err(reason) = bench.net.proceed(*ready, |out, octets| state.take(ready.id, version, out, octets)) {
                state.fail(reason);
                bench.net.close(ready.id);
            }
        }
        let now = bench.clock.now();
        if state.granted > moved.0 {
            moved = (state.granted, now);
        } else if now.saturating_sub(moved.1) > nanoseconds(PATIENCE) {
            state.reasons.push(format!("no SUBACK within {} seconds", PATIENCE.as_secs()));
        }
        control.say("subscribing", state.granted, Some(total));
    }
    if state.refused > 0 {
        state.reasons.push(format!("the broker refused {} of {total} subscriptions, or granted a lower QoS", state.refused));
    }
    Ok(state.reasons)
}

impl Subscribing<'_> {
    fn fail(&mut self, reason: String) {
        self.reasons.push(format!("a connection ended while subscribing: {reason}"));
    }

    /// Puts the next packet of a subscriber; none are left when that is so.
    fn ask(&mut self, id: usize, version: signet_mqtt::ProtocolVersion, out: &mut Vec<u8>) {
        let Some(sent) = self.sent.get_mut(id) else { return };
        let from = *sent;
        let end = self.plan.filters(id).min(from + FILTERS);
        if from == end {
            self.open -= 1;
            return;
        }
        *sent = end;
        let options = SubscriptionOptions { maximum_qos: self.qos, ..SubscriptionOptions::default() };
        let filters = (from..end).filter_map(|number| TopicFilter::new(self.plan.filter(id, number)).ok());
        let Some(packet_id) = PacketId::new(1) else { return };
        let subscribe = Subscribe {
            packet_id,
            subscription_identifier: None,
            user_properties: UserProperties::default(),
            subscriptions: filters.map(|filter| SubscribeFilter { filter, options }).collect(),
        };
        let mut packet = BytesMut::new();
        encode(&Packet::Subscribe(subscribe), version, &mut packet);
        out.extend_from_slice(&packet);
    }

    fn take(&mut self, id: usize, version: signet_mqtt::ProtocolVersion, out: &mut Vec<u8>, octets: &[u8]) -> usize {
        let mut decoder = Decoder::new(Role::Server, DecodeLimits::default());
        decoder.set_version(version);
        let mut taken = 0;
        while let Some(left) = octets.get(taken..).filter(|left| !left.is_empty()) {
            match decoder.decode(left) {
                Ok(None) => break,
                Ok(Some((Packet::Suback(suback), length))) => {
                    taken += length;
                    let as_wanted = suback.reason_codes.iter().filter(|code| code.value() == u8::from(self.qos)).count();
                    self.granted += wide(as_wanted);
                    self.refused += wide(suback.reason_codes.len() - as_wanted);
                    self.ask(id, version, out);
                }
                Ok(Some((Packet::Disconnect(disconnect), length))) => {
                    taken += length;
                    self.fail(disconnect.reason_code.to_string());
                }
                Ok(Some((_, length))) => taken += length,
                Err(error) => {
                    self.fail(format!("what the broker sends is not MQTT: {error}"));
                    return octets.len();
                }
            }
        }
        taken
    }
}
