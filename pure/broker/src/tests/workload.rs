//! A seeded random workload: clients of both versions come, go, subscribe, publish and acknowledge when they like, while deliveries between
//! shards arrive late. What must hold at the end is checked by four checkers that know nothing of each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use signet_mqtt::{Ack, Packet, PacketId, Publish, QoS, ReasonCode, TopicFilter, TopicName};
use signet_policy::{NamePattern, Rule, Ruleset, TopicPattern, Who};

use super::rig::*;
use crate::{ConnectionId, Limits};

const CLIENTS: usize = 7;
const FILTERS: [&str; 7] = ["a/#", "+/x", "a/x", "b/+", "#", "secret/#", "$share/g/s/#"];
const TOPICS: [&str; 6] = ["a/x", "a/y", "b/x", "s/x", "secret/x", "locked/x"];

/// splitmix64: small, and the same everywhere.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// What a client knows; outlives its connections.
#[derive(Default)]
struct Actor {
    connection: Option<ConnectionId>,
    /// Answers not sent yet, in order.
    answers: VecDeque<Packet>,
    /// QoS 2 messages received and not released.
    holds: BTreeSet<PacketId>,
    /// The QoS 2 message on its way out, until PUBCOMP.
    sending: Option<Publish>,
    subscriptions: BTreeMap<&'static str, QoS>,
    receipts: Vec<Receipt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Receipt {
    payload: String,
    topic: String,
    qos: QoS,
    is_repeated: bool,
}

/// One message that the broker accepted, and who was subscribed at that moment with which QoS.
struct Accepted {
    payload: String,
    publisher: usize,
    qos: QoS,
    expected: BTreeMap<usize, QoS>,
    is_for_group: bool,
}

struct World {
    rig: Rig,
    dice: Dice,
    actors: Vec<Actor>,
    accepted: Vec<Accepted>,
    count: u32,
}

fn name(actor: usize) -> String {
    format!("client-{actor}")
}

/// Client 0 may read what is secret; nobody may write to what is locked.
fn rules() -> Ruleset {
    let patterns = |texts: &[&str]| texts.iter().map(|text| TopicPattern::parse(text).unwrap()).collect::<Vec<_>>();
    let rule = |who, publish: &[&str], subscribe: &[&str]| Rule {
        name: "rule".to_owned(),
        who,
        publish: patterns(publish),
        subscribe: patterns(subscribe),
        ..Rule::default()
    };
    let open = ["a/#", "b/#", "s/#", "+/x-nothing"];
    Ruleset::compile(vec![
        rule(Who::Everyone, &["a/#", "b/#", "s/#", "secret/#"], &open),
        rule(Who::Username(NamePattern::exact(name(0))), &[], &["#"]),
    ])
}

fn may_read(actor: usize, topic: &str) -> bool {
    actor == 0 || !(topic.starts_with("secret") || topic.starts_with("locked"))
}

impl World {
    fn new(seed: u64) -> Self {
        let limits = Limits { queued_messages_maximum: 100_000, queued_bytes_maximum: usize::MAX, ..Limits::default() };
        let mut rig = Rig::with(3, limits, rules());
        rig.holds_handovers = true;
        let actors = (0..CLIENTS).map(|_| Actor::default()).collect();
        Self { rig, dice: Dice(seed), actors, accepted: Vec::new(), count: 0 }
    }

    fn step(&mut self) {
        let actor = self.dice.roll(CLIENTS);
        self.rig.pass(10);
        if self.actors[actor].connection.is_none() {
            return if self.dice.roll(3) == 0 { self.connect(actor) } else { self.release(actor) };
        }
        match self.dice.roll(20) {
            0 => self.leave(actor),
            1..=3 => self.subscribe(actor),
            4 => self.unsubscribe(actor),
            5..=9 => self.publish(actor),
            10..=14 => self.release(actor),
            _ => self.answer(actor),
        }
        self.read(actor);
    }

    fn connect(&mut self, actor: usize) {
        let dial = if actor.is_multiple_of(2) { v5(&name(actor)).expiry(u32::MAX) } else { v311(&name(actor)) };
        let window = u16::try_from(1 + self.dice.roll(4)).unwrap();
        let mut dial = dial.resume().properties(|properties| {
            properties.receive_maximum = std::num::NonZeroU16::new(window);
            properties.topic_alias_maximum = Some(2);
        });
        dial.connect.username = Some(name(actor).into());
        let was_known = self.rig.stats().sessions;
        let (id, connack) = self.rig.connected(dial);
        assert_eq!(connack.session_present, self.rig.stats().sessions == was_known, "a session is found if there was one");
        self.actors[actor].connection = Some(id);
        if let Some(sending) = self.actors[actor].sending.clone() {
            self.rig.send(id, Packet::Publish(Publish { dup: true, ..sending }));
        }
        self.read(actor);
    }

    /// By DISCONNECT or without; answers not sent yet are lost.
    fn leave(&mut self, actor: usize) {
        self.read(actor);
        let id = self.actors[actor].connection.take().unwrap();
        if self.dice.roll(2) == 0 {
            self.rig.leave(id)
        } else {
            self.rig.lose(id)
        }
        self.actors[actor].answers.clear();
    }

    fn subscribe(&mut self, actor: usize) {
        self.read(actor);
        let filter = FILTERS[self.dice.roll(FILTERS.len())];
        let qos = [QOS0, QOS1, QOS2][self.dice.roll(3)];
        // The group has one QoS and never loses a member, so that its checker can count.
        let qos = if filter.starts_with("$share") { QOS2 } else { qos };
        let id = self.actors[actor].connection.unwrap();
        if !self.rig.subscribe(id, filter, qos).is_error() {
            self.actors[actor].subscriptions.insert(filter, qos);
        }
    }

    fn unsubscribe(&mut self, actor: usize) {
        self.read(actor);
        let filter = FILTERS[self.dice.roll(FILTERS.len() - 1)];
        self.rig.unsubscribe(self.actors[actor].connection.unwrap(), filter);
        self.actors[actor].subscriptions.remove(filter);
    }

    fn publish(&mut self, actor: usize) {
        self.read(actor);
        self.count += 1;
        let topic = TOPICS[self.dice.roll(TOPICS.len())];
        let qos = [QOS0, QOS1, QOS2][self.dice.roll(3)];
        if qos == QOS2 && self.actors[actor].sending.is_some() {
            return;
        }
        let payload = format!("{:06}", self.count);
        let packet = publish(topic, &payload, qos, (qos > QOS0).then_some(77));
        let id = self.actors[actor].connection.unwrap();
        if topic != "locked/x" {
            self.note(actor, topic, payload, qos);
            if qos == QOS2 {
                self.actors[actor].sending = Some(packet.clone());
            }
        }
        self.rig.send(id, Packet::Publish(packet));
    }

    fn note(&mut self, publisher: usize, topic: &str, payload: String, qos: QoS) {
        let topic = TopicName::new(topic.to_owned()).unwrap();
        let mut expected = BTreeMap::new();
        let mut is_for_group = false;
        for (actor, state) in self.actors.iter().enumerate() {
            for (filter, granted) in &state.subscriptions {
                let filter = TopicFilter::new((*filter).to_owned()).unwrap();
                if let Some((_, inner)) = filter.shared() {
                    is_for_group |= TopicFilter::new(inner.to_owned()).unwrap().matches(&topic);
                } else if filter.matches(&topic) {
                    let highest = expected.entry(actor).or_insert(QOS0);
                    *highest = (*highest).max((*granted).min(qos));
                }
            }
        }
        self.accepted.push(Accepted { payload, publisher, qos, expected, is_for_group });
    }

    /// Sends the oldest answer.
    fn answer(&mut self, actor: usize) {
        let id = self.actors[actor].connection.unwrap();
        let Some(answer) = self.actors[actor].answers.pop_front() else { return };
        self.rig.send(id, answer);
    }

    fn release(&mut self, pick: usize) {
        self.rig.release(pick);
    }

    /// Takes what has come.
    fn read(&mut self, actor: usize) {
        let Some(id) = self.actors[actor].connection else { return };
        for packet in self.rig.drain(id) {
            let state = &mut self.actors[actor];
            match packet {
                Packet::Publish(publish) => state.receive(&publish),
                Packet::Puback(_) => {}
                Packet::Pubcomp(_) => state.sending = None,
                Packet::Pubrec(ack) if ack.reason_code.is_error() => {}
                Packet::Pubrec(ack) => state.answers.push_back(Packet::Pubrel(Ack::success(ack.packet_id))),
                Packet::Pubrel(ack) => {
                    state.holds.remove(&ack.packet_id);
                    state.answers.push_back(Packet::Pubcomp(Ack::success(ack.packet_id)));
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        assert_eq!(self.rig.closed(id), None);
    }

    /// Everybody comes back and answers until nothing moves.
    fn finish(&mut self) {
        for actor in 0..CLIENTS {
            if self.actors[actor].connection.is_some() {
                self.leave(actor);
            }
            self.connect(actor);
        }
        loop {
            let mut is_moving = self.rig.release(0);
            for actor in 0..CLIENTS {
                self.read(actor);
                while !self.actors[actor].answers.is_empty() {
                    is_moving = true;
                    self.answer(actor);
                    self.read(actor);
                }
            }
            if !is_moving {
                break;
            }
        }
    }
}

impl Actor {
    fn receive(&mut self, publish: &Publish) {
        // An alias without a topic was introduced by an earlier packet; the payload says which message it is.
        let topic = publish.topic.as_ref().map(|topic| topic.as_str().to_owned()).unwrap_or_default();
        let mut is_repeated = publish.dup;
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(packet_id)) => self.answers.push_back(Packet::Puback(Ack::success(packet_id))),
            (QoS::ExactlyOnce, Some(packet_id)) => {
                is_repeated = !self.holds.insert(packet_id);
                self.answers.push_back(Packet::Pubrec(Ack::success(packet_id)));
            }
            _ => {}
        }
        self.receipts.push(Receipt { payload: text(publish), topic, qos: publish.qos, is_repeated });
    }

    fn firsts(&self) -> impl Iterator<Item = &Receipt> {
        self.receipts.iter().filter(|receipt| !receipt.is_repeated)
    }
}

/// Every message with QoS 1 or 2 reaches every session that was subscribed when it was accepted, once.
fn check_delivery(world: &World) {
    for (at, actor) in world.actors.iter().enumerate() {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for receipt in actor.firsts() {
            *counts.entry(&receipt.payload).or_default() += 1;
        }
        for accepted in &world.accepted {
            let about: Vec<_> = actor.receipts.iter().filter(|receipt| receipt.payload == accepted.payload).collect();
            let found = counts.get(&*accepted.payload).copied().unwrap_or(0);
            match accepted.expected.get(&at) {
                Some(QoS::AtMostOnce) => {
                    assert!(found <= 1 + usize::from(accepted.is_for_group), "{} at {at}: {about:?}", accepted.payload)
                }
                Some(_) => assert!(found == 1 || accepted.is_for_group && found == 2, "{} at {at}: {about:?}", accepted.payload),
                None => assert!(found == 0 || accepted.is_for_group && found == 1, "{} at {at}: {about:?}", accepted.payload),
            }
        }
    }
}

/// Every message for the group reaches one member.
fn check_group(world: &World) {
    let in_all: Vec<&str> = world.actors.iter().flat_map(|actor| actor.firsts()).map(|receipt| &*receipt.payload).collect();
    for accepted in world.accepted.iter().filter(|accepted| accepted.is_for_group && accepted.qos > QOS0) {
        let direct = accepted.expected.values().filter(|qos| **qos > QOS0).count();
        let best_effort = accepted.expected.len() - direct;
        let found = in_all.iter().filter(|payload| **payload == accepted.payload).count();
        assert!((direct + 1..=direct + 1 + best_effort).contains(&found), "{}: {found}, direct {direct}", accepted.payload);
    }
}

/// What one publisher sent arrives in its order [MQTT-4.6.0-6]: QoS 0 among itself, QoS 1 and 2 among themselves.
fn check_order(world: &World) {
    for (at, actor) in world.actors.iter().enumerate() {
        let mut last: BTreeMap<(usize, bool), &str> = BTreeMap::new();
        for receipt in actor.firsts() {
            let Some(accepted) = world.accepted.iter().find(|accepted| accepted.payload == receipt.payload) else { continue };
            // A session that is in the group gets two copies, which may stand in either order.
            if accepted.is_for_group {
                continue;
            }
            let before = last.insert((accepted.publisher, receipt.qos > QOS0), &receipt.payload);
            assert!(before.is_none_or(|before| before < &*receipt.payload), "{before:?} before {} at {at}", receipt.payload);
        }
    }
}

/// Nothing reaches anybody who may not read it, and nothing that was refused reaches anybody.
fn check_permission(world: &World) {
    for (at, actor) in world.actors.iter().enumerate() {
        for receipt in &actor.receipts {
            assert!(may_read(at, &receipt.topic), "{receipt:?} at {at}");
            assert!(world.accepted.iter().any(|accepted| accepted.payload == receipt.payload), "{receipt:?} was refused");
        }
    }
}

/// What the store was told makes sense to a strict reader, and nothing is kept for anybody who has everything.
fn check_store(world: &World) {
    let state = world.rig.store.read();
    assert_eq!((state.sessions.len(), state.messages.len()), (CLIENTS, 0));
    assert_eq!((world.rig.totals.sessions(), world.rig.totals.queued_messages(), world.rig.totals.queued_bytes()), (CLIENTS, 0, 0));
}

#[test]
fn whatever_happens_messages_arrive_once_in_order_and_only_where_they_may() {
    for seed in 0..60 {
        let outcome = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            for _ in 0..600 {
                world.step();
            }
            world.finish();
            check_delivery(&world);
            check_group(&world);
            check_order(&world);
            check_permission(&world);
            check_store(&world);
            let stats = world.rig.stats();
            assert!(
                stats.messages_sent > 50 && stats.refused.publish_denied > 0 && stats.refused.subscribe_denied > 0,
                "the workload does something: {stats:?}"
            );
            assert_eq!((stats.dropped_queue_full, stats.dropped_slow, stats.dropped_too_large), (0, 0, 0));
        });
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

#[test]
fn the_rules_of_the_workload_are_what_its_checkers_think() {
    let mut rig = Rig::with(1, Limits::default(), rules());
    for (actor, filter, expected) in [(0, "#", true), (1, "#", false), (1, "a/#", true), (1, "secret/#", false), (0, "secret/#", true)] {
        let mut dial = v5(&name(actor));
        dial.connect.username = Some(name(actor).into());
        let id = rig.connect(dial);
        assert_eq!(rig.subscribe(id, filter, QOS0) == ReasonCode::Success, expected, "`{filter}` by {actor}");
    }
}
