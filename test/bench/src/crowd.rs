//! The clients: many at a time, because each waits for the disk and the disk serves many at once.

use std::thread;

use signet_mqtt::{Connect, Packet, ProtocolVersion, Publish, QoS, ReasonCode, Subscribe};
use signet_testkit::{Device, Target, connect_packet, publish_packet, subscribe_packet};

use crate::broker::{Broker, Place};

/// Clients at a time.
const THREADS: u32 = 16;

/// Subscriptions of one session, as many as it may have.
const SUBSCRIPTIONS: u32 = 1_000;

/// Filters in one SUBSCRIBE.
const FILTERS: u32 = 100;

/// Clients of one broker.
pub(crate) struct Crowd {
    /// How each thread reaches it.
    targets: Vec<Target>,
}

impl Crowd {
    /// Without certificates, over TCP.
    pub(crate) fn plain(_: &Place, broker: &Broker) -> Self {
        Self { targets: (0..THREADS).map(|_| Target::tcp(broker.plain)).collect() }
    }

    /// Without certificates, in WebSocket.
    pub(crate) fn in_websocket(_: &Place, broker: &Broker) -> Self {
        Self { targets: (0..THREADS).map(|_| Target::tcp(broker.ws).over_websocket()).collect() }
    }

    /// With mutual TLS; every thread is a device of its own.
    pub(crate) fn with_certificates(place: &Place, broker: &Broker) -> Self {
        let target = |number| Target::tls(broker.tls, place.pki.ca_file(), Some(&place.pki.device(&format!("device-{number}"))));
        Self { targets: (0..THREADS).map(target).collect() }
    }

    /// Runs `work` for every number below `count`, spread over the threads.
    fn each<T: Send>(&self, count: u32, work: impl Fn(&Target, u32) -> T + Sync) -> Vec<T> {
        thread::scope(|scope| {
            let threads: Vec<_> = (0_u32..)
                .zip(&self.targets)
                .map(|(first, target)| {
                    let work = &work;
                    scope.spawn(move || (first..count).step_by(self.targets.len()).map(|number| work(target, number)).collect::<Vec<T>>())
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a client failed, its message is above")).collect()
        })
    }

    /// Leaves so many sessions behind, each with an empty queue and no subscription.
    pub(crate) fn leave_sessions(&self, count: u32) {
        self.each(count, |target, number| {
            Device::connect_with(target, lasting(&format!("session-{number:010}"))).leave(ReasonCode::Success);
        });
    }

    /// Connects so many and says nothing.
    pub(crate) fn stay(&self, count: u32, name: &str) -> Vec<Device> {
        self.each(count, |target, number| {
            let connect = Connect { keep_alive: 0, ..connect_packet(ProtocolVersion::V5, &format!("{name}-{number:010}")) };
            Device::connect_with(target, connect)
        })
    }

    /// Subscribes to so many Topic Filters, each another, with as few clients as can. Returns them.
    pub(crate) fn subscribe(&self, count: u32) -> Vec<Device> {
        self.each(count.div_ceil(SUBSCRIPTIONS), |target, number| {
            let mut device = Device::connect_with(target, lasting(&format!("subscriber-{number:010}")));
            let last = ((number + 1) * SUBSCRIPTIONS).min(count);
            for first in (number * SUBSCRIPTIONS..last).step_by(usize::try_from(FILTERS).unwrap_or(1)) {
                let filters: Vec<String> =
                    (first..(first + FILTERS).min(last)).map(|filter| format!("plant/line/{filter:010}/state")).collect();
                let filters: Vec<(&str, QoS)> = filters.iter().map(|filter| (filter.as_str(), QoS::AtLeastOnce)).collect();
                let subscribe: Subscribe = subscribe_packet(1, &filters);
                device.subscribe_with(subscribe);
            }
            device
        })
    }

    /// Leaves so many messages waiting for one session whose client is away.
    pub(crate) fn queue(&self, count: u32, payload: usize) {
        let Some(target) = self.targets.first() else { return };
        let mut subscriber = Device::connect_with(target, lasting("subscriber"));
        subscriber.subscribe("plant/line/state", QoS::AtLeastOnce);
        subscriber.leave(ReasonCode::Success);
        let payload = "x".repeat(payload);
        let threads = u32::try_from(self.targets.len()).unwrap_or(1);
        self.each(threads, |target, thread| {
            let mut device = Device::connect(target, ProtocolVersion::V5, &format!("publisher-{thread}"));
            for _ in (thread..count).step_by(usize::try_from(threads).unwrap_or(1)) {
                device.publish("plant/line/state", &payload, QoS::AtLeastOnce, false);
            }
            device.leave(ReasonCode::Success);
        });
    }

    /// Retains so many messages.
    pub(crate) fn retain(&self, count: u32, payload: usize) {
        let threads = u32::try_from(self.targets.len()).unwrap_or(1);
        let payload = "x".repeat(payload);
        self.each(threads, |target, thread| {
            let mut device = Device::connect(target, ProtocolVersion::V5, &format!("publisher-{thread}"));
            for number in (thread..count).step_by(usize::try_from(threads).unwrap_or(1)) {
                let publish: Publish = publish_packet(&format!("plant/line/{number:010}/state"), &payload, QoS::AtMostOnce, true);
                device.send(&Packet::Publish(publish));
            }
            // Answered after all that was sent before.
            device.publish("plant/done", "", QoS::AtLeastOnce, false);
            device.leave(ReasonCode::Success);
        });
    }
}

/// A CONNECT whose session outlives its connection.
fn lasting(identifier: &str) -> Connect {
    let mut connect = connect_packet(ProtocolVersion::V5, identifier);
    connect.properties.session_expiry_interval = Some(86_400);
    connect
}
