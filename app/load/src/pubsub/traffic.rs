//! Messages on their way: what is sent, what comes, and whether that is all and in order. This runs for every message.

use signet_mqtt::{ProtocolVersion, QoS};

use super::plan::Plan;
use super::publisher::Publisher;
use crate::clock::Clock;
use crate::histogram::Histogram;
use crate::number::{index, wide};
use crate::wire::{Frame, Head, Step, next};

/// QoS levels, each of which has an order of its own.
const LEVELS: usize = 3;

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Deliveries that were due.
    pub(super) delivered: u64,
    /// Behind a later message of the same publisher and QoS, or twice.
    pub(super) reordered: u64,
    /// With a lower QoS than published and subscribed.
    pub(super) low_qos: u64,
    /// Messages that the broker acknowledged with an error.
    pub(super) refused: u64,
    /// Messages that were not as they were sent, or not ours.
    pub(super) foreign: u64,
    /// Deliveries and acknowledgements: as long as it changes, the broker works.
    pub(super) moves: u64,
}

/// All messages of a run.
pub(super) struct Traffic<'a> {
    plan: &'a Plan,
    version: ProtocolVersion,
    clock: Clock,
    publishers: Vec<Publisher>,
    /// By subscriber, publisher and QoS, the number of the message after the last that came.
    expected: Vec<u64>,
    /// Publishers that a subscriber hears.
    heard: usize,
    /// Publishers that may send.
    listed: Vec<usize>,
    /// At a fixed rate: nanoseconds when it began, and publishes in a second.
    rate: Option<(u64, u64)>,
    /// At a fixed rate: messages that have been due.
    released: u64,
    pub(super) counts: Counts,
    pub(super) latencies: Histogram,
    /// Whether latencies are counted.
    pub(super) is_measuring: bool,
    /// Why a broker says that it ends a connection.
    pub(super) farewell: Option<String>,
}

impl<'a> Traffic<'a> {
    pub(super) fn new(plan: &'a Plan, version: ProtocolVersion, clock: Clock, window: usize) -> Self {
        let publisher = |number| {
            let topic = plan.first_topic(number);
            Publisher::new(window, topic, plan.ending(number, topic))
        };
        let heard = if plan.copies() == 1 && plan.subscribers > 1 { 1 } else { plan.publishers };
        Self {
            plan,
            version,
            clock,
            publishers: (0..plan.publishers).map(publisher).collect(),
            expected: vec![0; plan.subscribers * heard * LEVELS],
            heard,
            listed: Vec::new(),
            rate: None,
            released: 0,
            counts: Counts::default(),
            latencies: Histogram::default(),
            is_measuring: false,
            farewell: None,
        }
    }

    /// No more messages of a publisher under way than this.
    pub(super) fn narrow(&mut self, publisher: usize, window: u64) {
        if let Some(publisher) = self.publishers.get_mut(publisher) {
            publisher.narrow(window);
        }
    }

    /// From now on publishers send: as fast as they can, or so many messages in a second.
    pub(super) fn begin(&mut self, rate: Option<u64>) {
        self.rate = rate.map(|rate| (self.clock.now(), rate));
        if rate.is_none() {
            (0..self.publishers.len()).for_each(|publisher| self.list(publisher));
        }
    }

    /// Messages sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.publishers.iter().map(Publisher::sent).sum()
    }

    /// Messages that are not done.
    pub(super) fn under_way(&self) -> u64 {
        self.publishers.iter().map(Publisher::under_way).sum()
    }

    /// Messages that were due and could not be sent; 0 unless there is a rate.
    pub(super) fn behind(&self) -> u64 {
        self.rate.map_or(0, |_| self.released.saturating_sub(self.sent()))
    }

    /// Messages that have been due; 0 unless there is a rate.
    pub(super) fn released(&self) -> u64 {
        self.released
    }

    /// Nanoseconds of the clock when the message of this number in all is due. `None`: there is no rate.
    fn due(&self, number: u64) -> Option<u64> {
        let (begun, rate) = self.rate?;
        let (whole, part) = (number / rate, number % rate);
        // Computed anew for each, so that nothing adds up.
        Some(begun.saturating_add(whole.saturating_mul(1_000_000_000)).saturating_add(part.saturating_mul(1_000_000_000) / rate))
    }

    /// Lets those publishers send whose messages are due by now, and says when the next is.
    pub(super) fn release(&mut self, now: u64) -> Option<u64> {
        let publishers = wide(self.publishers.len());
        loop {
            let due = self.due(self.released)?;
            if due > now {
                return Some(due);
            }
            let at = index(self.released % publishers);
            if let Some(publisher) = self.publishers.get_mut(at) {
                publisher.released += 1;
            }
            self.list(at);
            self.released += 1;
        }
    }

    fn list(&mut self, at: usize) {
        if let Some(publisher) = self.publishers.get_mut(at).filter(|publisher| !publisher.is_listed) {
            publisher.is_listed = true;
            self.listed.push(at);
        }
    }

    /// The next publisher that may send.
    pub(super) fn unlist(&mut self) -> Option<usize> {
        let at = self.listed.pop()?;
        if let Some(publisher) = self.publishers.get_mut(at) {
            publisher.is_listed = false;
        }
        Some(at)
    }

    /// Puts what a publisher may send now.
    pub(super) fn fill(&mut self, at: usize, now: u64, out: &mut Vec<u8>) {
        let plan = self.plan;
        let deliveries = plan.copies();
        let publishers = wide(plan.publishers);
        let Ok(number) = u32::try_from(at) else { return };
        while let Some(sequence) = self.publishers.get(at).filter(|publisher| publisher.has_room()).map(Publisher::sent) {
            let is_due = self.rate.is_none() || self.publishers.get(at).is_some_and(|publisher| publisher.released > sequence);
            if !is_due {
                return;
            }
            let time = self.due(sequence.saturating_mul(publishers) + wide(at)).unwrap_or(now);
            let (Some(publisher), Some(template)) = (self.publishers.get_mut(at), plan.template(at, sequence)) else { return };
            let packet_id = publisher.begin(deliveries, plan.qos(sequence) != QoS::AtMostOnce);
            let low = u32::try_from(sequence & u64::from(u32::MAX)).unwrap_or(0);
            template.write(&publisher.ending, packet_id, Head { publisher: number, sequence: low, at: time }, out);
            if !plan.is_ordered() {
                publisher.topic = plan.next_topic(at, publisher.topic);
                publisher.ending = plan.ending(at, publisher.topic);
            }
        }
    }

    /// Takes what has come on a connection; subscribers have the first numbers, publishers those behind them.
    pub(super) fn take(&mut self, id: usize, out: &mut Vec<u8>, octets: &[u8]) -> usize {
        let now = self.clock.now();
        let mut taken = 0;
        while let Some((frame, length)) = octets.get(taken..).and_then(|left| next(left, self.version)) {
            taken += length;
            match frame {
                Frame::Publish { qos, packet_id, payload } => {
                    match qos {
                        QoS::AtMostOnce => {}
                        QoS::AtLeastOnce => Step::Puback.write(packet_id, out),
                        QoS::ExactlyOnce => Step::Pubrec.write(packet_id, out),
                    }
                    self.receive(id, qos, payload, now);
                }
                Frame::Acknowledgement { step: Step::Pubrel, packet_id, .. } => Step::Pubcomp.write(packet_id, out),
                Frame::Acknowledgement { step: Step::Pubrec, packet_id, is_error: false } => Step::Pubrel.write(packet_id, out),
                Frame::Acknowledgement { packet_id, is_error, .. } => self.acknowledge(id, packet_id, is_error),
                Frame::Other(packet) => self.note(packet),
                Frame::Garbled => self.farewell = Some("what the broker sends is not MQTT".to_owned()),
            }
        }
        taken
    }

    fn acknowledge(&mut self, id: usize, packet_id: u16, is_error: bool) {
        let Some(at) = id.checked_sub(self.plan.subscribers) else { return };
        self.counts.refused += u64::from(is_error);
        self.counts.moves += 1;
        if let Some(publisher) = self.publishers.get_mut(at) {
            publisher.acknowledge(packet_id);
            self.relist(at);
        }
    }

    fn receive(&mut self, subscriber: usize, qos: QoS, payload: &[u8], now: u64) {
        self.counts.moves += 1;
        let Some(head) = Head::read(payload) else {
            self.counts.foreign += 1;
            return;
        };
        let from = usize::try_from(head.publisher).unwrap_or(usize::MAX);
        let Some(publisher) = self.publishers.get_mut(from) else {
            self.counts.foreign += 1;
            return;
        };
        let Some(number) = publisher.number_of(head.sequence) else {
            // Everybody has had it.
            self.counts.reordered += 1;
            return;
        };
        if payload.len() != self.plan.size(from, number) {
            self.counts.foreign += 1;
            return;
        }
        let level = usize::from(u8::from(qos));
        let path = subscriber * self.heard + if self.heard == 1 { 0 } else { from };
        if let Some(expected) = self.expected.get_mut(path * LEVELS + level) {
            if number < *expected {
                self.counts.reordered += 1;
            } else {
                *expected = number + 1;
            }
        }
        if publisher.deliver(number) {
            self.counts.delivered += 1;
            self.counts.low_qos += u64::from(qos != self.plan.qos(number));
            if self.is_measuring {
                self.latencies.add(now.saturating_sub(head.at));
            }
        }
        self.relist(from);
    }

    /// Lets a publisher send again whose window has room.
    fn relist(&mut self, at: usize) {
        let has_rate = self.rate.is_some();
        let Some(publisher) = self.publishers.get(at).filter(|publisher| !publisher.is_listed && publisher.has_room()) else { return };
        if !has_rate || publisher.released > publisher.sent() {
            self.list(at);
        }
    }

    /// Of what else a broker says only a DISCONNECT means something.
    fn note(&mut self, packet: &[u8]) {
        let mut decoder = signet_mqtt::Decoder::new(signet_mqtt::Role::Server, signet_mqtt::DecodeLimits::default());
        decoder.set_version(self.version);
        if let Ok(Some((signet_mqtt::Packet::Disconnect(disconnect), _))) = decoder.decode(packet) {
            self.farewell = Some(format!("the broker disconnected: {}", disconnect.reason_code));
        }
    }
}

#[cfg(test)]
mod tests;
