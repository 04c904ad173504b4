//! What a session, a subscription, a retained message and an idle connection cost the broker in memory and on disk: measured from outside, on
//! the real binary, as the difference before and after many of them are there.

use std::path::Path;

use crate::broker::{Broker, Level, Place};
use crate::crowd::Crowd;

/// What one of something costs.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Of what.
    pub what: &'static str,
    /// How many there were.
    pub count: u32,
    /// What all of them added.
    pub added: Level,
}

impl Cost {
    /// Resident memory of one, in bytes.
    #[must_use]
    pub fn memory_each(&self) -> i64 {
        self.added.memory / i64::from(self.count.max(1))
    }

    /// Disk of one, in bytes: what the store still needs of it, not what it wrote.
    #[must_use]
    pub fn disk_each(&self) -> i64 {
        self.added.disk / i64::from(self.count.max(1))
    }
}

/// Payload of a message, in bytes.
const PAYLOAD: usize = 32;

/// Measures with `count` of each thing, and at most `connections` connections at a time. Each broker lives in a temporary directory and ends with
/// its measurement.
#[must_use]
pub fn measure(binary: &Path, count: u32, connections: u32) -> Vec<Cost> {
    let place = Place::new(binary, count, connections);
    let sessions = |what, crowd: fn(&Place, &Broker) -> Crowd| {
        one(&place, what, count, |broker| {
            crowd(&place, broker).leave_sessions(count);
            broker.settled(0, u64::from(count));
        })
    };
    let idle = |what, crowd: fn(&Place, &Broker) -> Crowd| {
        let broker = place.start();
        // The first connections also pay for what all connections share.
        let crowd = crowd(&place, &broker);
        drop(crowd.stay(8, "first"));
        broker.settled(0, 0);
        let before = broker.level();
        let there = crowd.stay(connections, "idle");
        broker.settled(u64::from(connections), u64::from(connections));
        let after = broker.level();
        drop(there);
        Cost { what, count: connections, added: after.minus(&before) }
    };
    vec![
        sessions("session, client away, no certificate", Crowd::plain),
        sessions("session, client away, with certificate", Crowd::with_certificates),
        one(&place, "subscription", count, |broker| {
            let subscribers = Crowd::plain(&place, broker).subscribe(count);
            let there = u64::try_from(subscribers.len()).unwrap_or(u64::MAX);
            broker.settled(there, there);
            subscribers
        }),
        one(&place, "retained message of 32 bytes", count, |broker| {
            Crowd::plain(&place, broker).retain(count, PAYLOAD);
            broker.settled(0, 0);
        }),
        one(&place, "message of 32 bytes that waits for one session", count, |broker| {
            Crowd::plain(&place, broker).queue(count, PAYLOAD);
            broker.settled(0, 1);
        }),
        idle("idle connection, tcp", Crowd::plain),
        idle("idle connection, ws", Crowd::in_websocket),
        idle("idle connection, tls", Crowd::with_certificates),
    ]
}

/// Measures what `make` adds to a broker, while what it returns is still there.
fn one<T>(place: &Place, what: &'static str, count: u32, make: impl FnOnce(&Broker) -> T) -> Cost {
    let broker = place.start();
    drop(Crowd::plain(place, &broker).stay(8, "first"));
    broker.settled(0, 0);
    let before = broker.level();
    let there = make(&broker);
    let after = broker.level();
    drop(there);
    Cost { what, count, added: after.minus(&before) }
}
