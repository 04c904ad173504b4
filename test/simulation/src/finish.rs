//! The end of a run: everything heals, everybody is there, and nothing moves any more. What is missing then is lost.

use signet_broker::{ConnectionId, Input};
use signet_mqtt::{QoS, TopicFilter};

use crate::actor::Actor;
use crate::history::{SubscriptionSpec, What};
use crate::world::World;

/// Rounds without an end mean that the broker never comes to rest.
const ROUNDS_MAXIMUM: usize = 100_000;

impl World {
    /// Lets the world come to rest, and has somebody look at the retained messages.
    pub(crate) fn finish(&mut self) {
        self.set_full(false);
        self.finish_trust();
        self.swarm.clean = 0;
        self.swarm.persistent = 100;
        self.swarm.short = 0;
        self.swarm.will = 0;
        self.settle();
        for client in 0..self.actors.len() {
            self.connect(client);
        }
        self.settle();
        self.look_at_retained();
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAXIMUM {
            let mut is_moving = false;
            for id in self.links.keys().copied().collect::<Vec<_>>() {
                self.make_writable(id);
                while self.up(id) {
                    is_moving = true;
                }
                while self.down(id) {
                    is_moving = true;
                }
            }
            for client in 0..self.actors.len() {
                while self.answer(client) {
                    is_moving = true;
                }
            }
            while self.mail(0) {
                is_moving = true;
            }
            for shard in 0..usize::from(self.host.shards()) {
                self.host.post(shard);
            }
            self.write();
            self.sync();
            // A shard that has more to send asks for a tick right away.
            if self.host.next_deadline().is_some_and(|(at, _)| at <= self.now.plus_millis(5)) {
                is_moving = true;
            }
            self.pass(1);
            let waits = self.links.values().any(|link| !link.down.is_empty() && link.is_open);
            if !is_moving && !waits {
                let moved = self.disk.moved();
                self.history.bytes_moved = moved;
                return;
            }
        }
        panic!("the broker does not come to rest");
    }

    fn make_writable(&mut self, id: u64) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(shard) = link.shard.filter(|_| link.is_served && !link.is_writable) else { return };
        link.is_writable = true;
        self.apply(shard, Input::Writable { connection: ConnectionId(id), writable: true });
    }

    fn look_at_retained(&mut self) {
        let reader = self.actors.len();
        self.actors.push(Actor::new(reader, self.swarm.limits.receive_maximum));
        self.swarm.clean = 100;
        self.connect(reader);
        self.settle();
        let subscription = SubscriptionSpec {
            filter: TopicFilter::new("r/#".to_owned()).unwrap(),
            qos: QoS::AtMostOnce,
            no_local: false,
            identifier: None,
        };
        let before = self.history.entries.len();
        self.ask_for_retained(reader, subscription);
        self.settle();
        let labels = self.history.entries[before..].iter().filter_map(|entry| match &entry.what {
            What::Arrived { client, arrival, .. } if *client == reader => Some(arrival.label),
            _ => None,
        });
        let labels = labels.collect();
        self.note(What::Retained { labels });
    }
}
