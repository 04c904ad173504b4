//! The fast path is the simple path: what is remembered changes nothing but the cost, and a message is there once however many get it.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::packets::{QOS0, QOS1, QOS2, V5, V311, number, publish};

const TOPICS: [&str; 5] = ["a/x", "a/y", "b/x", "a/x/1", "c"];

const FILTERS: [&str; 8] = ["a/x", "a/+", "a/#", "#", "+/x", "b/x", "$share/g/a/#", "c"];

#[derive(Debug, Clone)]
enum Step {
    Subscribe(usize, &'static str, QoS),
    Unsubscribe(usize, &'static str),
    Publish(&'static str, QoS),
}

fn step() -> impl Strategy<Value = Step> {
    let qos = || prop_oneof![Just(QOS0), Just(QOS1), Just(QOS2)];
    let filter = || proptest::sample::select(&FILTERS[..]);
    prop_oneof![
        2 => (0..4_usize, filter(), qos()).prop_map(|(client, filter, qos)| Step::Subscribe(client, filter, qos)),
        1 => (0..4_usize, filter()).prop_map(|(client, filter)| Step::Unsubscribe(client, filter)),
        4 => (proptest::sample::select(&TOPICS[..]), qos()).prop_map(|(topic, qos)| Step::Publish(topic, qos)),
    ]
}

/// Four clients of either version, who take whatever comes.
fn audience(shard: &mut Shard) -> Vec<ConnectionId> {
    (0..4).map(|at| shard.client(if at % 2 == 0 { V311 } else { V5 }, &format!("client-{at}"))).collect()
}

fn change(shard: &mut Shard, clients: &[ConnectionId], step: &Step) {
    match step {
        Step::Subscribe(client, filter, qos) => shard.packet(clients[*client], subscribe(&[filter], *qos)),
        Step::Unsubscribe(client, filter) => shard.packet(clients[*client], crate::packets::unsubscribe(filter)),
        Step::Publish(..) => return,
    }
    shard.sent();
}

/// Who gets it, how, and at which places in memory its payload is.
fn published(shard: &mut Shard, publisher: ConnectionId, topic: &str, qos: QoS) -> (Vec<(ConnectionId, QoS)>, BTreeSet<*const u8>) {
    shard.packet(publisher, arrived(&Packet::Publish(publish(topic, 300, qos, 1)), V5));
    if qos == QOS2 {
        shard.packet(publisher, Packet::Pubrel(signet_mqtt::Ack::success(number(1))));
    }
    let (mut receivers, mut places) = (Vec::new(), BTreeSet::new());
    let outputs: Vec<Output> = shard.output.drain(..).collect();
    for output in &outputs {
        if let Output::Publish { connection, message, header, .. } = output {
            receivers.push((*connection, header.qos));
            places.insert(message.payload.as_ptr());
        }
    }
    receivers.sort_unstable();
    (receivers, places)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A publisher whose connection remembers its topics reaches those whom one reaches that has just come.
    #[test]
    fn what_is_remembered_changes_nobody_who_gets_a_message(steps in vec(step(), 1..40)) {
        let (mut one, mut other) = (Shard::open(), Shard::open());
        let (ones, others) = (audience(&mut one), audience(&mut other));
        let steady = one.client(V5, "publisher");
        for (at, step) in steps.iter().enumerate() {
            change(&mut one, &ones, step);
            change(&mut other, &others, step);
            if let Step::Publish(topic, qos) = step {
                // A new connection knows nothing.
                let fresh = other.client(V5, &format!("publisher-{at}"));
                let (remembering, found) = (published(&mut one, steady, topic, *qos).0, published(&mut other, fresh, topic, *qos).0);
                prop_assert_eq!(remembering, found);
            }
        }
    }

    /// One payload for all receivers, whatever their version and QoS.
    #[test]
    fn a_payload_is_there_once(steps in vec(step(), 1..40)) {
        let mut shard = Shard::open();
        let clients = audience(&mut shard);
        let publisher = shard.client(V5, "publisher");
        for step in &steps {
            change(&mut shard, &clients, step);
            if let Step::Publish(topic, qos) = step {
                let (receivers, places) = published(&mut shard, publisher, topic, *qos);
                prop_assert!(places.len() <= 1, "{} copies for {} receivers", places.len(), receivers.len());
            }
        }
    }
}
