//! Clients, network, process and disk, and the one loop that chance drives through them.

use std::collections::BTreeMap;
use std::sync::Arc;

use signet_broker::{CloseCause, ConnectionId, Event, Input, KickCause, Moment, Output, SessionRule, WillRule};
use signet_mqtt::{Packet, ProtocolVersion, TopicFilter};
use signet_policy::Mount;

use crate::actor::{Actor, frees};
use crate::dice::Dice;
use crate::disk::Disk;
use crate::history::{History, Label, What};
use crate::host::Host;
use crate::link::Link;
use crate::people::People;
use crate::swarm::{ACTIONS, Action, Swarm};
use crate::trust::Trust;

/// The world.
pub(crate) struct World {
    pub(crate) dice: Dice,
    pub(crate) swarm: Swarm,
    pub(crate) people: People,
    pub(crate) now: Moment,
    pub(crate) disk: Disk,
    pub(crate) host: Host,
    pub(crate) links: BTreeMap<u64, Link>,
    pub(crate) actors: Vec<Actor>,
    pub(crate) history: History,
    pub(crate) next_link: u64,
    pub(crate) trust: Trust,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut swarm = Swarm::new(&mut dice);
        let mut trust = Trust::new(seed, swarm.clients);
        swarm.is_tenanted = trust.dice.percent(25);
        let people = People::new(&swarm);
        let mut disk = Disk::default();
        // An hour and a date that nothing depends on.
        let now = Moment::from_millis(1_700_000_000_000);
        let (host, _) = Host::start(swarm.shards, &people.limits, &people.ruleset, &mut disk, now);
        let history = History {
            clients: swarm.clients,
            has_small_queues: swarm.has_small_queues,
            is_group_disturbed: swarm.is_group_disturbed,
            is_tenanted: swarm.is_tenanted,
            ..History::default()
        };
        let actors = (0..swarm.clients).map(|client| Actor::new(client, swarm.limits.receive_maximum)).collect();
        Self { dice, swarm, people, now, disk, host, links: BTreeMap::new(), actors, history, next_link: 1, trust }
    }

    pub(crate) fn note(&mut self, what: What) {
        self.history.note(self.now, what);
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        if self.trust.dice.percent(self.trust.rate) {
            return self.trust_step();
        }
        let action = ACTIONS[self.dice.weighted(&self.swarm.weights)];
        let client = self.dice.below(self.actors.len());
        match action {
            Action::Connect => self.connect(client),
            Action::Disconnect => self.say_goodbye(client),
            Action::Publish => self.publish(client),
            Action::Subscribe => self.subscribe(client),
            Action::Unsubscribe => self.unsubscribe(client),
            Action::Answer => {
                self.answer(client);
            }
            Action::Up => {
                if let Some(link) = self.any_link(|link| !link.up.is_empty() || !link.is_open) {
                    self.up(link);
                }
            }
            Action::Down => {
                if let Some(link) = self.any_link(|link| link.is_open && (!link.down.is_empty() || !link.is_served)) {
                    self.down(link);
                }
            }
            Action::Break => self.break_off(client),
            Action::Mail => {
                let pick = self.dice.below(64);
                self.mail(pick);
            }
            Action::Write => self.write(),
            Action::Sync => self.sync(),
            Action::Pass => {
                let milliseconds = self.dice.between(1, self.swarm.stride);
                self.pass(milliseconds);
            }
            Action::Kick => self.kick(),
            Action::Throttle => self.throttle(),
            Action::Crash => self.crash(),
            Action::Room => {
                let is_full = self.dice.percent(50);
                self.set_full(is_full);
            }
        }
    }

    fn any_link(&mut self, is_fit: impl Fn(&Link) -> bool) -> Option<u64> {
        let fit: Vec<u64> = self.links.iter().filter(|(_, link)| is_fit(link)).map(|(id, _)| *id).collect();
        (!fit.is_empty()).then(|| self.dice.pick(&fit))
    }

    // --- the network

    /// The oldest packet of a connection reaches the broker; behind the last of a broken one, its end does. False if nothing is on its way.
    pub(crate) fn up(&mut self, id: u64) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        if !link.is_served {
            link.up.clear();
            let is_over = !link.is_open;
            if is_over {
                self.links.remove(&id);
            }
            return is_over;
        }
        let connection = ConnectionId(id);
        match (link.up.pop_front(), link.shard) {
            (Some(Packet::Connect(connect)), None) => self.admit(id, *connect),
            (Some(packet), Some(shard)) => {
                self.take_note(id, &packet);
                self.apply(shard, Input::Packet { connection, packet });
            }
            (None, Some(shard)) if !link.is_open => self.apply(shard, Input::Closed { connection }),
            (None, None) if !link.is_open => {
                self.links.remove(&id);
            }
            _ => return false,
        }
        true
    }

    /// The oldest packet reaches the client, or the end of its connection does.
    pub(crate) fn down(&mut self, id: u64) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        if !link.is_open {
            return false;
        }
        let client = link.client;
        match link.down.pop_front() {
            Some(mut packet) => {
                if let (Packet::Connack(connack), ProtocolVersion::V31) = (&mut packet, link.version) {
                    connack.session_present = link.session_present;
                }
                let (happened, again) = self.actors[client].receive(packet);
                for what in happened {
                    self.note(what);
                }
                let Some(link) = self.links.get_mut(&id) else { return true };
                again.iter().for_each(|packet| link.send(packet));
                true
            }
            None if !link.is_served => {
                link.is_open = false;
                self.lose(client, id);
                true
            }
            None => false,
        }
    }

    /// The client sends the oldest answer it owes.
    pub(crate) fn answer(&mut self, client: usize) -> bool {
        let actor = &mut self.actors[client];
        let Some(link) = actor.link.and_then(|id| self.links.get_mut(&id)) else { return false };
        let Some(answer) = actor.answers.pop_front() else { return false };
        link.send(&answer);
        if let Some(packet_id) = frees(&answer) {
            self.note(What::Freed { client, packet_id });
        }
        true
    }

    /// The connection breaks: what is on its way to the client is gone, and of what is on its way to the broker the last part.
    fn break_off(&mut self, client: usize) {
        let Some(id) = self.actors[client].link else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.is_open = false;
        link.down.clear();
        let kept = self.dice.between(0, link.up.len());
        link.up.truncate(kept);
        self.lose(client, id);
    }

    /// The client sees the end of its connection.
    pub(crate) fn lose(&mut self, client: usize, connection: u64) {
        self.note(What::Lost { client, connection });
        for what in self.actors[client].forget_connection() {
            self.note(what);
        }
    }

    fn throttle(&mut self) {
        let Some(id) = self.any_link(|link| link.is_served) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(shard) = link.shard.filter(|_| link.is_served) else { return };
        link.is_writable = !link.is_writable;
        let writable = link.is_writable;
        self.apply(shard, Input::Writable { connection: ConnectionId(id), writable });
    }

    fn kick(&mut self) {
        let Some(id) = self.any_link(|link| link.is_served) else { return };
        let Some(link) = self.links.get(&id) else { return };
        let (Some(shard), true, client) = (link.shard, link.is_served, link.client) else { return };
        let will = if self.dice.percent(50) { WillRule::Publish } else { WillRule::Drop };
        let cause = KickCause::Administrative;
        self.apply(shard, Input::Kick { connection: ConnectionId(id), cause, will, session: SessionRule::Keep });
        let is_closed = self.links.get(&id).is_none_or(|link| !link.is_served);
        self.note(What::Kicked { client, connection: id, is_closed });
    }

    // --- the process

    /// Notes what the broker takes from the network, for the checkers.
    fn take_note(&mut self, id: u64, packet: &Packet) {
        if let Packet::Disconnect(disconnect) = packet
            && let Some(expiry) = disconnect.session_expiry_interval
        {
            self.people.note_goodbye(id, expiry);
        }
        if let Packet::Publish(publish) = packet
            && let Some(label) = self.label_of(id, publish)
        {
            self.note(What::Taken { connection: id, label });
        }
    }

    fn label_of(&self, id: u64, publish: &signet_mqtt::Publish) -> Option<Label> {
        if !publish.payload.is_empty() {
            return std::str::from_utf8(&publish.payload).ok()?.parse().ok();
        }
        // A message that clears says nothing: the client knows which one it was.
        let client = self.links.get(&id)?.client;
        self.people.clearing_label(client, publish)
    }

    /// Applies an input and carries out what comes of it.
    pub(crate) fn apply(&mut self, shard: usize, input: Input) {
        let discards_will = match &input {
            Input::Packet { packet: Packet::Disconnect(disconnect), .. } => {
                !disconnect.reason_code.is_error() && disconnect.reason_code.value() == 0
            }
            Input::Kick { will, .. } => *will == WillRule::Drop,
            _ => false,
        };
        let outputs = self.host.apply(shard, input, self.now);
        self.carry_out(shard, outputs, discards_will);
        if self.dice.percent(70) {
            self.host.post(shard);
        }
        self.flush(shard);
    }

    pub(crate) fn carry_out(&mut self, shard: usize, outputs: Vec<Output>, discards_will: bool) {
        for output in outputs {
            match output {
                Output::Send { connection, packet, after } => {
                    let Some(link) = self.links.get_mut(&connection.0) else { continue };
                    assert!(link.is_served, "nothing is sent after closing: {packet:?}");
                    let is_gate = matches!(packet, Packet::Connack(_) | Packet::Suback(_));
                    let mut bytes = bytes::BytesMut::new();
                    signet_mqtt::encode(&packet, link.version, &mut bytes);
                    link.queue(bytes, after, false, is_gate);
                }
                Output::Publish { connection, message, header, after } => {
                    let Some(link) = self.links.get_mut(&connection.0) else { continue };
                    assert!(link.is_served, "nothing is published after closing");
                    let label = std::str::from_utf8(&message.payload).ok().and_then(|text| text.parse().ok());
                    let what = What::Handed { client: link.client, connection: connection.0, label };
                    let mut bytes = bytes::BytesMut::new();
                    signet_mqtt::encode_publish(&message, &header.as_header(), link.version, &mut bytes);
                    link.queue(bytes, after, true, false);
                    self.note(what);
                }
                Output::Close { connection, cause } => self.closed(shard, connection.0, &cause, discards_will),
                Output::Event(Event::Connected { connection, session_present, .. }) => {
                    if let Some(link) = self.links.get_mut(&connection.0) {
                        link.session_present = session_present;
                    }
                }
                Output::Event(Event::SubscriptionEnded { client_identifier, filter, .. }) => {
                    self.note_ended(client_identifier.as_str(), &filter)
                }
                Output::Ask { question, .. } => panic!("nobody is asked here: {question:?}"),
                Output::Control { .. } => panic!("nothing is published below `$CONTROL/` here"),
                Output::Event(_) | Output::Handover { .. } => {}
            }
        }
    }

    fn note_ended(&mut self, name: &str, filter: &TopicFilter) {
        let client = name.rsplit('-').next().and_then(|number| number.parse().ok()).expect("everybody has a number");
        let mount = self.people.tenant(client).map(Mount::new);
        let filter = mount.map_or_else(|| filter.clone(), |mount| mount.view_filter(filter).expect("it is the tenant's own"));
        self.note(What::Ended { client, filter });
    }

    fn closed(&mut self, shard: usize, id: u64, cause: &CloseCause, discards_will: bool) {
        let durable = self.host.durable(shard);
        let Some(link) = self.links.get_mut(&id) else { return };
        assert!(link.is_served, "a connection is closed once");
        link.flush(durable);
        link.close();
        let client = link.client;
        let is_gone = !link.is_open;
        // A take-over in the same step as a DISCONNECT is not possible: one input, one connection.
        let discards_will = discards_will && !matches!(cause, CloseCause::TakenOver);
        let expiry = self.people.expiry_at_goodbye(id);
        self.note(What::Left { client, connection: id, discards_will, expiry, cause: cause.to_string() });
        if is_gone {
            self.links.remove(&id);
        }
    }

    /// The oldest delivery between one pair of shards arrives.
    pub(crate) fn mail(&mut self, pick: usize) -> bool {
        let Some((shard, input)) = self.host.take_mail(pick) else { return false };
        let is_about_rules = matches!(input, Input::PolicyChanged(_));
        self.apply(shard, input);
        if is_about_rules {
            self.heard_of_rules(shard);
        }
        true
    }

    pub(crate) fn write(&mut self) {
        self.disk.write();
    }

    pub(crate) fn sync(&mut self) {
        self.disk.sync();
        for shard in 0..usize::from(self.host.shards()) {
            self.flush(shard);
        }
    }

    fn flush(&mut self, shard: usize) {
        let durable = self.host.durable(shard);
        for link in self.links.values_mut().filter(|link| link.shard == Some(shard)) {
            link.flush(durable);
        }
    }

    /// Time passes, with a tick exactly when one is asked for, or a little later.
    pub(crate) fn pass(&mut self, milliseconds: usize) {
        let until = self.now.plus_millis(u64::try_from(milliseconds).unwrap());
        while let Some((at, shard)) = self.host.next_deadline().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.apply(shard, Input::Tick);
        }
        self.now = until;
    }

    pub(crate) fn set_full(&mut self, is_full: bool) {
        let had_room = !self.disk.is_full();
        self.history.had_no_room |= is_full;
        self.disk.set_full(is_full);
        if !is_full && !had_room {
            for shard in 0..usize::from(self.host.shards()) {
                self.apply(shard, Input::StoreHasRoom);
            }
        }
    }

    /// The process dies, every connection with it, and comes back.
    fn crash(&mut self) {
        self.note(What::Crashed);
        self.disk.crash(&mut self.dice);
        let links = std::mem::take(&mut self.links);
        for (id, link) in links.iter().filter(|(_, link)| link.is_open) {
            self.lose(link.client, *id);
        }
        let pause = self.dice.between(1, self.swarm.stride);
        self.now = self.now.plus_millis(u64::try_from(pause).unwrap());
        let shards = u16::try_from(self.dice.between(1, 4)).unwrap();
        self.note(What::Restarted { shards });
        let (host, outputs) =
            Host::start(shards, &Arc::clone(&self.people.limits), &Arc::clone(&self.people.ruleset), &mut self.disk, self.now);
        self.host = host;
        self.trust_after_restart();
        for (shard, output) in outputs {
            self.carry_out(shard, output, false);
            self.host.post(shard);
        }
    }
}
