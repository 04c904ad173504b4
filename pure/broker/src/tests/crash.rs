//! A crash at every change: a seeded workload runs on a store that lags behind, the process dies with exactly so many transactions left,
//! another one takes up what they say, and the clients, who know nothing of it but that their connections are gone, go on. What they were
//! promised must hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use signet_mqtt::{Ack, Packet, PacketId, Publish, QoS, ReasonCode, SubscriptionOptions};
use signet_policy::Ruleset;

use super::rig::*;
use super::workload::Dice;
use crate::{ConnectionId, Limits};

/// Who subscribes to what.
const FILTERS: [&[(&str, QoS)]; CLIENTS] = [
    &[],
    &[],
    &[("#", QOS2)],
    &[("q1/#", QOS1), ("q2/#", QOS1), ("+/0", QOS1)],
    &[("$share/g/q2/#", QOS2)],
    &[("$share/g/q2/#", QOS2), ("q2/#", QOS2)],
];

const CLIENTS: usize = 6;
const PUBLISHERS: usize = 2;
/// The one that sees everything, Wills included.
const WATCHER: usize = 2;
const STEPS: usize = 110;
const MESSAGES: usize = 12;

/// What a client remembers, whatever becomes of its connections.
#[derive(Default)]
struct Actor {
    connection: Option<ConnectionId>,
    /// CONNACK came on the present connection.
    is_up: bool,
    /// CONNACK came ever: the session was promised.
    was_up: bool,
    granted: usize,
    is_subscribing: bool,
    /// Publishes without PUBACK or PUBREC, in order, to be sent again.
    unanswered: VecDeque<Publish>,
    /// QoS 2: after PUBREC, before PUBCOMP.
    releasing: BTreeSet<PacketId>,
    published: usize,
    answers: VecDeque<Packet>,
    /// QoS 2 received and not released.
    holds: BTreeSet<PacketId>,
    /// First receipts: topic and payload.
    receipts: Vec<(String, String)>,
}

/// A connection with a Will: which, and what is known of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was promised and its client was lost: published once.
    Due,
    /// Not promised, or taken back without a promise: published at most once.
    Open,
}

struct World {
    rig: Rig,
    dice: Dice,
    actors: Vec<Actor>,
    wills: BTreeMap<String, Fate>,
    mortal: Option<(ConnectionId, String)>,
    /// The value that was sent last to be retained, and the last one acknowledged.
    retained: (usize, usize),
    count: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rig = Rig::with(3, Limits { maximum_inflight: 3, ..Limits::default() }, Ruleset::allow_all());
        (rig.holds_disk, rig.holds_handovers) = (true, true);
        let actors = (0..CLIENTS).map(|_| Actor::default()).collect();
        Self { rig, dice: Dice(seed), actors, wills: BTreeMap::new(), mortal: None, retained: (0, 0), count: 0 }
    }

    fn step(&mut self) {
        self.rig.pass(5);
        let at = self.dice.roll(CLIENTS + 2);
        match (at, self.dice.roll(12)) {
            (CLIENTS, 0..=5) => self.mortal(),
            (CLIENTS.., _) => drop(self.rig.release(at)),
            (_, 0) => self.leave(at),
            _ => self.act(at),
        }
        (0..CLIENTS).for_each(|at| self.read(at));
    }

    fn is_ready(&self) -> bool {
        self.actors.iter().zip(FILTERS).all(|(actor, filters)| actor.granted == filters.len())
    }

    fn act(&mut self, at: usize) {
        let Some(id) = self.actors[at].connection else { return self.connect(at) };
        if !self.actors[at].is_up {
            return;
        }
        if let Some((filter, qos)) = FILTERS[at].get(self.actors[at].granted).filter(|_| !self.actors[at].is_subscribing) {
            self.actors[at].is_subscribing = true;
            let options = SubscriptionOptions { maximum_qos: *qos, ..SubscriptionOptions::default() };
            return self.rig.send(id, Packet::Subscribe(subscribe(filter, options, None)));
        }
        if let Some(answer) = self.actors[at].answers.pop_front() {
            return self.rig.send(id, answer);
        }
        if at < PUBLISHERS && self.is_ready() {
            self.publish(at, id);
        }
    }

    fn connect(&mut self, at: usize) {
        let dial = if at.is_multiple_of(2) { v5(&format!("client-{at}")).expiry(u32::MAX) } else { v311(&format!("client-{at}")) };
        self.actors[at].connection = Some(self.rig.dial(dial.resume()).unwrap());
        self.read(at);
    }

    fn leave(&mut self, at: usize) {
        self.read(at);
        let Some(id) = self.actors[at].connection else { return };
        self.actors[at].is_lost();
        if self.dice.roll(2) == 0 { self.rig.leave(id) } else { self.rig.lose(id) }
    }

    fn publish(&mut self, at: usize, id: ConnectionId) {
        let actor = &mut self.actors[at];
        if actor.published == MESSAGES || actor.unanswered.len() + actor.releasing.len() >= 3 {
            return;
        }
        actor.published += 1;
        let packet_id = u16::try_from(actor.published).unwrap();
        let payload = format!("{:04}", actor.published);
        let (topic, qos) = if self.dice.roll(2) == 0 { (format!("q1/{at}"), QOS1) } else { (format!("q2/{at}"), QOS2) };
        let mut packet = publish(&topic, &payload, qos, Some(packet_id));
        // Every third message of the first publisher is the state of something.
        if at == 0 && actor.published.is_multiple_of(3) {
            packet = Publish { retain: true, ..publish("state", &payload, QOS1, Some(packet_id)) };
            self.retained.0 = actor.published;
        }
        actor.unanswered.push_back(packet.clone());
        self.rig.send(id, Packet::Publish(packet));
    }

    /// A client that keeps nothing but has a Will comes and goes.
    fn mortal(&mut self) {
        let Some((id, payload)) = self.mortal.take() else {
            self.count += 1;
            let payload = format!("will-{}", self.count);
            let mut dial = v5(&format!("mortal-{}", self.count)).will("w", &payload, 0);
            let will = dial.connect.will.as_mut().unwrap();
            // One that is retained is two transactions: others may have seen it before its message is queued.
            (will.qos, will.retain) = (QOS2, self.count.is_multiple_of(2));
            let id = self.rig.dial(dial).unwrap();
            self.wills.insert(payload.clone(), Fate::Open);
            self.mortal = Some((id, payload));
            return;
        };
        if self.dice.roll(2) == 0 {
            self.rig.leave(id);
            return;
        }
        self.mortal_dies(id, &payload);
        self.rig.lose(id);
    }

    fn mortal_dies(&mut self, id: ConnectionId, payload: &str) {
        // It was promised if the CONNACK came, and somebody has asked for it.
        if self.rig.next(id).is_some() && self.actors[WATCHER].granted == 1 {
            self.wills.insert(payload.to_owned(), Fate::Due);
        }
    }

    fn crash(&mut self, left: usize) {
        (0..CLIENTS).for_each(|at| self.read(at));
        if let Some((id, payload)) = self.mortal.take() {
            self.mortal_dies(id, &payload);
        }
        self.actors.iter_mut().for_each(Actor::is_lost);
        self.rig.crash(left);
    }

    fn read(&mut self, at: usize) {
        let Some(id) = self.actors[at].connection else { return };
        for packet in self.rig.drain(id) {
            self.take(at, id, packet);
        }
        assert_eq!(self.rig.closed(id), None);
    }

    fn take(&mut self, at: usize, id: ConnectionId, packet: Packet) {
        let actor = &mut self.actors[at];
        match packet {
            Packet::Connack(connack) => {
                assert_eq!(connack.reason_code, ReasonCode::Success);
                assert!(connack.session_present || !actor.was_up, "a session that was promised is there");
                (actor.is_up, actor.was_up) = (true, true);
                // [MQTT-4.4.0-1]
                let again = actor.unanswered.iter().map(|packet| Packet::Publish(Publish { dup: true, ..packet.clone() }));
                let released = actor.releasing.iter().map(|packet_id| Packet::Pubrel(Ack::success(*packet_id)));
                let packets: Vec<Packet> = again.chain(released).collect();
                packets.into_iter().for_each(|packet| self.rig.send(id, packet));
            }
            Packet::Suback(_) => {
                actor.granted += 1;
                actor.is_subscribing = false;
            }
            Packet::Puback(ack) => {
                let first = actor.unanswered.iter().position(|packet| packet.packet_id == Some(ack.packet_id)).unwrap();
                let acknowledged = actor.unanswered.remove(first).unwrap();
                if acknowledged.retain {
                    self.retained.1 = text(&acknowledged).parse().unwrap();
                }
            }
            Packet::Pubrec(ack) => {
                actor.unanswered.retain(|packet| packet.packet_id != Some(ack.packet_id));
                actor.releasing.insert(ack.packet_id);
                actor.answers.push_back(Packet::Pubrel(Ack::success(ack.packet_id)));
            }
            Packet::Pubcomp(ack) => drop(actor.releasing.remove(&ack.packet_id)),
            Packet::Publish(publish) => actor.receive(&publish),
            Packet::Pubrel(ack) => {
                actor.holds.remove(&ack.packet_id);
                actor.answers.push_back(Packet::Pubcomp(Ack::success(ack.packet_id)));
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    /// The disk keeps up, and everybody goes on until nothing moves.
    fn finish(&mut self) {
        let mut still = 0;
        for _ in 0..2_000 {
            self.rig.sync(usize::MAX);
            let is_moving = self.rig.release(0);
            for at in 0..CLIENTS {
                self.act(at);
                self.read(at);
            }
            let is_done =
                |actor: &Actor| actor.is_up && actor.answers.is_empty() && actor.unanswered.is_empty() && actor.releasing.is_empty();
            let have_all = self.actors[..PUBLISHERS].iter().all(|actor| actor.published == MESSAGES);
            still = if have_all && !is_moving && self.actors.iter().all(is_done) { still + 1 } else { 0 };
            // What the disk held back has come by then.
            if still == 3 {
                return;
            }
        }
        panic!("it never ends");
    }

    fn check(&mut self) {
        for at in 0..PUBLISHERS {
            self.check_delivery(at);
        }
        self.check_wills();
        let (sent, acknowledged) = self.retained;
        let late = self.rig.dial(v5("late")).unwrap();
        self.rig.send(late, Packet::Subscribe(subscribe("state", SubscriptionOptions::default(), None)));
        let found = self
            .rig
            .drain(late)
            .into_iter()
            .filter_map(|packet| if let Packet::Publish(publish) = packet { Some(text(&publish)) } else { None });
        assert_eq!(found.collect::<Vec<_>>(), [format!("{sent:04}")], "the retained message is the last one");
        assert_eq!(sent, acknowledged);
        self.rig.sync(usize::MAX);
        let state = self.rig.store.read();
        assert_eq!(state.retained_by_topic().get("state"), Some(&format!("{sent:04}")));
        let is_kept = |body: &&super::paper::Body| body.recipients.keys().any(|session| state.sessions.contains_key(session));
        assert_eq!(state.messages.values().filter(is_kept).count(), 0, "what everybody has is not kept");
    }

    /// Everything a publisher sent reached everybody who asked for it: QoS 2 once, QoS 1 at least once, in its order.
    fn check_delivery(&self, publisher: usize) {
        for qos in [QOS1, QOS2] {
            let topic = format!("q{}/{publisher}", u8::from(qos));
            let seen = |at: usize| {
                self.actors[at].receipts.iter().filter(|(on, _)| *on == topic).map(|(_, payload)| &**payload).collect::<Vec<_>>()
            };
            let all: BTreeSet<&str> = seen(WATCHER).into_iter().collect();
            for at in [WATCHER, 3] {
                let received = seen(at);
                assert_eq!(received.iter().copied().collect::<BTreeSet<_>>(), all, "{topic} at {at}");
                let mut firsts = Vec::new();
                received.iter().for_each(|payload| {
                    if !firsts.contains(payload) {
                        firsts.push(*payload)
                    }
                });
                assert!(firsts.is_sorted(), "{topic} at {at}: {received:?}");
            }
            if qos == QOS2 {
                assert_eq!(seen(WATCHER).len(), all.len(), "{topic}: once, {:?}", seen(WATCHER));
                for payload in &all {
                    let in_group = seen(4).into_iter().chain(seen(5)).filter(|other| other == payload).count();
                    assert_eq!(in_group, 2, "{topic}: `{payload}` once for the group and once for its member that asked for it as well");
                }
            }
        }
        let on_own_topics =
            |(topic, _): &&(String, String)| topic.ends_with(&format!("/{publisher}")) || (publisher == 0 && topic == "state");
        let distinct: BTreeSet<&String> = self.actors[WATCHER].receipts.iter().filter(on_own_topics).map(|(_, payload)| payload).collect();
        assert_eq!(distinct.len(), MESSAGES, "nothing that was acknowledged is lost");
    }

    fn check_wills(&self) {
        for (payload, fate) in &self.wills {
            let count = self.actors[WATCHER].receipts.iter().filter(|(topic, other)| topic == "w" && other == payload).count();
            match fate {
                Fate::Due => assert_eq!(count, 1, "{payload}"),
                Fate::Open => assert!(count <= 1, "{payload}"),
            }
        }
    }
}

impl Actor {
    fn is_lost(&mut self) {
        self.connection = None;
        self.is_up = false;
        self.is_subscribing = false;
        self.answers.clear();
    }

    fn receive(&mut self, publish: &Publish) {
        let mut is_first = true;
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(packet_id)) => self.answers.push_back(Packet::Puback(Ack::success(packet_id))),
            (QoS::ExactlyOnce, Some(packet_id)) => {
                is_first = self.holds.insert(packet_id);
                self.answers.push_back(Packet::Pubrec(Ack::success(packet_id)));
            }
            _ => {}
        }
        if is_first {
            self.receipts.push((publish.topic.as_ref().unwrap().as_str().to_owned(), text(publish)));
        }
    }
}

/// Runs the workload with a crash that leaves exactly `left` transactions, as far as there are so many. Returns how many there were.
fn run(seed: u64, left: usize) -> usize {
    let mut world = World::new(seed);
    let mut crash_in = None;
    for _ in 0..STEPS {
        world.step();
        match crash_in {
            None if world.rig.store.journal.len() >= left => {
                world.rig.sync(left);
                crash_in = Some(world.dice.roll(8));
            }
            None => {
                let lag = world.dice.roll(4);
                let reach = world.rig.store.journal.len().saturating_sub(lag).min(left);
                world.rig.sync(reach);
            }
            Some(0) => {
                world.crash(left);
                crash_in = Some(usize::MAX);
            }
            Some(more) if more < STEPS => crash_in = Some(more - 1),
            Some(_) => world.rig.sync(usize::MAX),
        }
    }
    world.finish();
    world.check();
    world.rig.store.journal.len()
}

#[test]
fn whatever_was_promised_holds_after_a_crash_at_any_change() {
    for seed in 0..4 {
        let all = run(seed, usize::MAX);
        assert!(all > 150, "the workload does something: {all}");
        for left in 0..all {
            let outcome = std::panic::catch_unwind(|| run(seed, left));
            assert!(outcome.is_ok(), "seed {seed}, crash with {left} transactions left");
        }
    }
}
