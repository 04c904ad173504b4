//! The rig: shards, a directory, a recording store, a clock that moves by hand, and clients that see what a real one would, because every
//! output goes through the encoder and a client's decoder.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::BytesMut;
use signet_identity::{CertificateId, DeviceIdentity, DeviceName, KeyDigest, Leaf, NoIdentity, Peer, VerifiedPeer};
use signet_mqtt::{
    Ack, ClientIdentifier, Connack, Connect, ConnectProperties, DecodeLimits, Decoder, Disconnect, Packet, PacketId, ProtocolVersion,
    Publish, QoS, ReasonCode, Role, Suback, Subscribe, SubscribeFilter, SubscriptionIdentifier, SubscriptionOptions, TopicFilter,
    TopicName, Unsuback, Unsubscribe, UserProperties, Will, WillProperties, encode, encode_publish,
};
use signet_policy::{
    AccessAnswer, AccessQuestion, AdmissionRules, Answers, Applicant, Chain, Client, Grant, Member, Next, Origin, Otherwise, Outcome,
    Passed, Proof, Ruleset, Walk,
};

use super::paper::Paper;
use crate::{
    Broker, CloseCause, ConnectionId, Context, Directory, Event, Input, Judge, KickCause, Limits, Moment, Output, Refusal, SessionRule,
    SharedDirectory, Stats, Store, Ticket, Totals, WillRule, admit, admit_without_chain, apply,
};

pub(super) const QOS0: QoS = QoS::AtMostOnce;
pub(super) const QOS1: QoS = QoS::AtLeastOnce;
pub(super) const QOS2: QoS = QoS::ExactlyOnce;

pub(super) struct Shared(RefCell<Directory>);

impl SharedDirectory for Shared {
    fn read<R>(&self, look: impl FnOnce(&Directory) -> R) -> R {
        look(&self.0.borrow())
    }

    fn write<R>(&self, change: impl FnOnce(&mut Directory) -> R) -> R {
        change(&mut self.0.borrow_mut())
    }
}

struct Line {
    version: ProtocolVersion,
    shard: usize,
    inbox: VecDeque<Packet>,
    /// What the broker asked for and the disk holds back.
    outbox: Vec<Outgoing>,
    closed: Option<CloseCause>,
    tickets: Vec<(&'static str, Ticket)>,
}

struct Outgoing {
    bytes: BytesMut,
    after: Ticket,
    is_publish: bool,
    /// CONNACK or SUBACK, which no PUBLISH overtakes.
    is_gate: bool,
}

pub(super) struct Rig {
    brokers: Vec<Broker>,
    pub(super) directory: Shared,
    pub(super) store: Paper,
    /// Whether nothing is durable before [`Rig::sync`].
    pub(super) holds_disk: bool,
    pub(super) limits: Arc<Limits>,
    pub(super) totals: Arc<Totals>,
    pub(super) ruleset: Arc<Ruleset>,
    pub(super) admission: AdmissionRules,
    pub(super) now: Moment,
    pub(super) events: Vec<Event>,
    /// What access sources are asked.
    pub(super) asked: Asked,
    lines: BTreeMap<ConnectionId, Line>,
    count: u64,
    /// Whether deliveries between shards wait for [`Rig::release`], in order per pair of shards.
    pub(super) holds_handovers: bool,
    held: BTreeMap<(usize, usize), VecDeque<Input>>,
}

/// Access sources that are asked.
pub(super) struct Asked {
    /// What they have not answered.
    pub(super) questions: VecDeque<(ConnectionId, Arc<Client>, AccessQuestion)>,
    /// Requests to the Server that wait.
    pub(super) requests: VecDeque<(ConnectionId, String, String)>,
    /// What they say about Wills.
    pub(super) of_wills: AccessAnswer,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(3, Limits::default(), Ruleset::allow_all())
    }

    pub(super) fn with(shards: u16, limits: Limits, ruleset: Ruleset) -> Self {
        let (limits, totals, ruleset) = (Arc::new(limits), Arc::new(Totals::new()), Arc::new(ruleset));
        let broker = |shard| Broker::new(crate::ShardId(shard), Arc::clone(&limits), Arc::clone(&totals), Arc::clone(&ruleset), 7);
        Self {
            brokers: (0..shards).map(broker).collect(),
            directory: Shared(RefCell::new(Directory::new(7))),
            store: Paper::default(),
            holds_disk: false,
            limits,
            totals,
            ruleset,
            admission: AdmissionRules { anonymous: true, ..AdmissionRules::default() },
            now: Moment::ZERO,
            events: Vec::new(),
            asked: Asked { questions: VecDeque::new(), requests: VecDeque::new(), of_wills: AccessAnswer::Allow },
            lines: BTreeMap::new(),
            count: 0,
            holds_handovers: false,
            held: BTreeMap::new(),
        }
    }

    /// Sends a CONNECT; the answer is in the inbox.
    pub(super) fn dial(&mut self, dial: Dial) -> Result<ConnectionId, Refusal> {
        self.count += 1;
        let id = ConnectionId(self.count);
        let version = dial.connect.version;
        let assigned = || ClientIdentifier::new(format!("assigned-{}", self.count));
        let origin = Origin { address: None, listener: "rig".into() };
        let admission = match dial.grant {
            None => admit_without_chain(dial.connect, &dial.peer, &self.admission, &self.ruleset, &self.limits, (origin, 0), assigned)?,
            Some(grant) => {
                let application = apply(dial.connect, &dial.peer, &self.admission, &self.limits, (origin, 0), assigned)?;
                let passed = vouch(application.applicant(), grant);
                let mut answers = Answers::default();
                while let Some((_, question)) = application.will_question(&passed, &self.ruleset, &answers) {
                    answers.remember(question, self.asked.of_wills.clone(), Duration::ZERO, 0);
                }
                admit(application, passed, &self.ruleset, answers)?
            }
        };
        let shards = u16::try_from(self.brokers.len()).unwrap();
        let shard = usize::from(admission.owner(shards).0);
        self.lines.insert(id, Line { version, shard, inbox: VecDeque::new(), outbox: Vec::new(), closed: None, tickets: Vec::new() });
        self.apply(shard, Input::Admitted { connection: id, admission: Box::new(admission) });
        Ok(id)
    }

    /// Connects and takes the CONNACK.
    pub(super) fn connect(&mut self, dial: Dial) -> ConnectionId {
        self.connected(dial).0
    }

    pub(super) fn connected(&mut self, dial: Dial) -> (ConnectionId, Connack) {
        let id = self.dial(dial).unwrap();
        match self.next(id) {
            Some(Packet::Connack(connack)) if connack.reason_code == ReasonCode::Success => (id, *connack),
            other => panic!("no CONNACK first [MQTT-3.2.0-1]: {other:?}"),
        }
    }

    pub(super) fn send(&mut self, id: ConnectionId, packet: Packet) {
        self.input(id, Input::Packet { connection: id, packet });
    }

    pub(super) fn input(&mut self, id: ConnectionId, input: Input) {
        let shard = self.lines[&id].shard;
        self.apply(shard, input);
    }

    pub(super) fn lose(&mut self, id: ConnectionId) {
        self.input(id, Input::Closed { connection: id });
    }

    pub(super) fn leave(&mut self, id: ConnectionId) {
        self.send(id, Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::Success))));
    }

    pub(super) fn kick(&mut self, id: ConnectionId, cause: KickCause, will: WillRule) {
        self.input(id, Input::Kick { connection: id, cause, will, session: SessionRule::Keep });
    }

    /// Revokes the certificate that all devices of these tests share.
    pub(super) fn revoke(&mut self, will: WillRule) {
        let certificates: Arc<[CertificateId]> = device("any").identity().map(|identity| identity.certificate()).into_iter().collect();
        for shard in 0..self.brokers.len() {
            self.apply(shard, Input::Revoked { certificates: Arc::clone(&certificates), will });
        }
    }

    /// Lets time pass, with ticks exactly when they are asked for.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        let until = self.now.plus_millis(milliseconds);
        loop {
            let next = (0..self.brokers.len()).filter_map(|shard| Some((self.brokers[shard].next_deadline()?, shard))).min();
            let Some((at, shard)) = next.filter(|(at, _)| *at <= until) else { break };
            self.now = self.now.max(at);
            self.apply(shard, Input::Tick);
        }
        self.now = until;
    }

    pub(super) fn change_rules(&mut self, ruleset: Ruleset) {
        self.ruleset = Arc::new(ruleset);
        for shard in 0..self.brokers.len() {
            self.apply(shard, Input::PolicyChanged(Arc::clone(&self.ruleset)));
        }
    }

    /// Has all sessions without a connection judged.
    pub(super) fn review(&mut self, judge: Arc<dyn Judge>, will: WillRule, session: SessionRule) {
        for shard in 0..self.brokers.len() {
            self.apply(shard, Input::Review { judge: Arc::clone(&judge), will, session });
        }
    }

    pub(super) fn directory_subscriptions(&self) -> usize {
        self.directory.read(Directory::subscriptions)
    }

    pub(super) fn apply(&mut self, shard: usize, input: Input) {
        let mut work = VecDeque::from([(shard, input)]);
        while let Some((shard, input)) = work.pop_front() {
            let mut output = Vec::new();
            let mut pen = self.store.pen(shard);
            let mut context = Context { now: self.now, directory: &self.directory, store: &mut pen, output: &mut output };
            self.brokers[shard].apply(input, &mut context);
            if output.iter().any(|output| matches!(output, Output::Handover { .. })) {
                pen.post();
            }
            for output in output {
                if let Output::Handover { shard: to, delivery } = output {
                    let to = usize::from(to.0);
                    if self.holds_handovers {
                        self.held.entry((shard, to)).or_default().push_back(Input::Delivery(delivery));
                    } else {
                        work.push_back((to, Input::Delivery(delivery)));
                    }
                } else {
                    self.carry_out(output);
                }
            }
        }
        if !self.holds_disk {
            self.sync(usize::MAX);
        }
    }

    /// The writer gets everything, and makes so many transactions durable, counted from the first one ever.
    pub(super) fn sync(&mut self, transactions: usize) {
        self.store.post_all();
        self.store.synced = transactions.min(self.store.journal.len()).max(self.store.synced);
        for line in self.lines.values_mut() {
            line.write(self.store.durable(line.shard));
        }
    }

    /// The process dies, and so many transactions are left. Another one takes up what they say.
    pub(super) fn crash(&mut self, left: usize) {
        let shards = u16::try_from(self.brokers.len()).unwrap();
        self.restart(left, shards);
    }

    /// The same, with everything on disk, and something that happens between taking up what is stored and the first tick.
    pub(super) fn revive_with(&mut self, before_tick: impl FnOnce(&mut Self)) {
        let shards = u16::try_from(self.brokers.len()).unwrap();
        self.take_up(self.store.journal.len(), shards);
        before_tick(self);
        self.pass(0);
    }

    /// The same with another number of shards.
    pub(super) fn restart(&mut self, left: usize, shards: u16) {
        self.take_up(left, shards);
        self.pass(0);
    }

    fn take_up(&mut self, left: usize, shards: u16) {
        self.store.crash(left);
        let seed = self.count;
        self.totals = Arc::new(Totals::new());
        let totals = &self.totals;
        let broker =
            |shard| Broker::new(crate::ShardId(shard), Arc::clone(&self.limits), Arc::clone(totals), Arc::clone(&self.ruleset), seed);
        self.brokers = (0..shards).map(broker).collect();
        self.directory = Shared(RefCell::new(Directory::new(seed)));
        self.held.clear();
        self.lines.clear();
        let image = self.store.read().into_image();
        let first_free = image.first_free;
        let (retained, parts) = image.split(shards);
        self.directory.write(|directory| directory.restore(retained, first_free));
        for (shard, part) in parts.into_iter().enumerate() {
            let mut output = Vec::new();
            let mut pen = self.store.pen(shard);
            let mut context = Context { now: self.now, directory: &self.directory, store: &mut pen, output: &mut output };
            self.brokers[shard].restore(part, &mut context);
            assert!(output.is_empty(), "nobody is there yet");
        }
    }

    /// Hands over the oldest delivery of one pair of shards. Returns false if none waits.
    pub(super) fn release(&mut self, pick: usize) -> bool {
        self.held.retain(|_, waiting| !waiting.is_empty());
        let Some(pair) = self.held.keys().copied().nth(pick % self.held.len().max(1)) else { return false };
        let Some(input) = self.held.get_mut(&pair).and_then(VecDeque::pop_front) else { return false };
        self.apply(pair.1, input);
        true
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { connection, packet, after } => {
                let line = self.lines.get_mut(&connection).unwrap();
                assert!(line.closed.is_none(), "nothing is sent after closing");
                line.tickets.push((packet.name(), after));
                let mut bytes = BytesMut::new();
                encode(&packet, line.version, &mut bytes);
                let is_gate = matches!(packet, Packet::Connack(_) | Packet::Suback(_));
                line.outbox.push(Outgoing { bytes, after, is_publish: false, is_gate });
                line.write(self.store.durable(line.shard).max(all_if(!self.holds_disk)));
            }
            Output::Publish { connection, message, header, after } => {
                let line = self.lines.get_mut(&connection).unwrap();
                assert!(line.closed.is_none(), "nothing is sent after closing");
                let mut bytes = BytesMut::new();
                encode_publish(&message, &header.as_header(), line.version, &mut bytes);
                line.tickets.push(("PUBLISH", after));
                line.outbox.push(Outgoing { bytes, after, is_publish: true, is_gate: false });
                line.write(self.store.durable(line.shard).max(all_if(!self.holds_disk)));
            }
            Output::Close { connection, cause } => {
                let line = self.lines.get_mut(&connection).unwrap();
                line.closed = Some(cause);
                line.outbox.clear();
            }
            Output::Event(event) => self.events.push(event),
            Output::Ask { connection, client, question } => self.asked.questions.push_back((connection, client, question)),
            Output::Control { connection, topic, payload, .. } => {
                let payload = String::from_utf8(payload.to_vec()).unwrap();
                self.asked.requests.push_back((connection, topic.as_str().to_owned(), payload));
            }
            Output::Handover { .. } => unreachable!("handed over by the caller"),
        }
    }

    /// Gives the oldest question that waits its answer, and says what was asked.
    pub(super) fn answer(&mut self, answer: AccessAnswer, lasts: u64) -> String {
        let (connection, _, question) = self.asked.questions.pop_front().expect("nobody was asked");
        let asked = format!("{:?} {}", question.action, question.topic);
        self.input(connection, Input::Answered { connection, question, answer, lasts: Duration::from_secs(lasts) });
        asked
    }

    pub(super) fn next(&mut self, id: ConnectionId) -> Option<Packet> {
        self.lines.get_mut(&id).unwrap().inbox.pop_front()
    }

    /// Everything in the inbox.
    pub(super) fn drain(&mut self, id: ConnectionId) -> Vec<Packet> {
        self.lines.get_mut(&id).unwrap().inbox.drain(..).collect()
    }

    pub(super) fn closed(&self, id: ConnectionId) -> Option<&CloseCause> {
        self.lines[&id].closed.as_ref()
    }

    /// The ticket of the latest packet of this name.
    pub(super) fn ticket(&self, id: ConnectionId, name: &str) -> Ticket {
        self.lines[&id].tickets.iter().rev().find(|(sent, _)| *sent == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    pub(super) fn shard_of(&self, id: ConnectionId) -> usize {
        self.lines[&id].shard
    }

    pub(super) fn stats(&self) -> Stats {
        let mut sum = Stats::default();
        self.brokers.iter().for_each(|broker| sum += broker.stats());
        sum
    }

    // --- what clients do

    pub(super) fn subscribe(&mut self, id: ConnectionId, filter: &str, qos: QoS) -> ReasonCode {
        self.subscribe_with(id, filter, SubscriptionOptions { maximum_qos: qos, ..SubscriptionOptions::default() }, None)
    }

    pub(super) fn subscribe_with(
        &mut self,
        id: ConnectionId,
        filter: &str,
        options: SubscriptionOptions,
        identifier: Option<u32>,
    ) -> ReasonCode {
        self.send(id, Packet::Subscribe(subscribe(filter, options, identifier)));
        match self.next(id) {
            Some(Packet::Suback(Suback { reason_codes, .. })) => reason_codes[0],
            other => panic!("no SUBACK: {other:?}"),
        }
    }

    pub(super) fn unsubscribe(&mut self, id: ConnectionId, filter: &str) -> ReasonCode {
        let filters = vec![TopicFilter::new(filter).unwrap()];
        self.send(id, Packet::Unsubscribe(Unsubscribe { packet_id: pid(9), user_properties: UserProperties::default(), filters }));
        match self.next(id) {
            Some(Packet::Unsuback(Unsuback { reason_codes, .. })) => reason_codes.first().copied().unwrap_or_default(),
            other => panic!("no UNSUBACK: {other:?}"),
        }
    }

    /// Publishes with QoS 0.
    pub(super) fn publish0(&mut self, id: ConnectionId, topic: &str, payload: &str) {
        self.send(id, Packet::Publish(publish(topic, payload, QOS0, None)));
    }

    /// Publishes with QoS 1 and takes the PUBACK.
    pub(super) fn publish1(&mut self, id: ConnectionId, topic: &str, payload: &str) -> ReasonCode {
        self.publish_acknowledged(id, publish(topic, payload, QOS1, Some(1)))
    }

    /// Sends a PUBLISH with QoS 1 and takes the PUBACK, which may stand behind deliveries to the same client.
    pub(super) fn publish_acknowledged(&mut self, id: ConnectionId, packet: Publish) -> ReasonCode {
        self.send(id, Packet::Publish(packet));
        let inbox = &mut self.lines.get_mut(&id).unwrap().inbox;
        let at = inbox.iter().position(|packet| matches!(packet, Packet::Puback(_))).unwrap_or_else(|| panic!("no PUBACK: {inbox:?}"));
        match inbox.remove(at) {
            Some(Packet::Puback(ack)) => ack.reason_code,
            other => panic!("no PUBACK: {other:?}"),
        }
    }

    /// Takes the next packet, which has to be a PUBLISH.
    pub(super) fn take(&mut self, id: ConnectionId) -> Publish {
        match self.next(id) {
            Some(Packet::Publish(publish)) => publish,
            other => panic!("no PUBLISH: {other:?}"),
        }
    }

    /// The client of a connection.
    pub(super) fn client(&self, id: ConnectionId) -> Arc<Client> {
        Arc::clone(&self.brokers[self.shard_of(id)].connections[&id].client)
    }

    /// The payloads of what is sent with the next tick, too.
    pub(super) fn payloads_after_pump(&mut self, id: ConnectionId) -> Vec<String> {
        self.pass(5);
        self.payloads(id)
    }

    /// Takes every packet, which all have to be PUBLISH, and returns their payloads.
    pub(super) fn payloads(&mut self, id: ConnectionId) -> Vec<String> {
        let drained = self.drain(id);
        drained
            .into_iter()
            .map(|packet| match packet {
                Packet::Publish(publish) => text(&publish),
                other => panic!("no PUBLISH: {other:?}"),
            })
            .collect()
    }

    pub(super) fn puback(&mut self, id: ConnectionId, packet_id: Option<PacketId>) {
        self.send(id, Packet::Puback(Ack::success(packet_id.unwrap())));
    }
}

/// The ticket for which everything is durable.
fn all_if(is_all: bool) -> Ticket {
    Ticket(if is_all { u64::MAX } else { 0 })
}

impl Line {
    /// Writes what need not wait, as the server does: PUBLISH packets and all others keep their own order, and nothing overtakes a gate.
    fn write(&mut self, durable: Ticket) {
        let (mut packets, mut messages) = (true, true);
        for outgoing in std::mem::take(&mut self.outbox) {
            let lane = if outgoing.is_publish { &mut messages } else { &mut packets };
            *lane &= outgoing.after <= durable;
            if *lane {
                self.receive(&outgoing.bytes);
            } else {
                messages &= !outgoing.is_gate;
                self.outbox.push(outgoing);
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut decoder = Decoder::new(Role::Server, DecodeLimits::default());
        decoder.set_version(self.version);
        let (packet, consumed) = decoder.decode(bytes).expect("what the broker sends is well formed").expect("and complete");
        assert_eq!(consumed, bytes.len());
        self.inbox.push_back(packet);
    }
}

/// A CONNECT in the making.
pub(super) struct Dial {
    pub(super) connect: Connect,
    pub(super) peer: Peer,
    /// What those who vouch for the client give it; `None`: nobody has to vouch.
    pub(super) grant: Option<Grant>,
}

/// A client of MQTT 5 that starts clean.
pub(super) fn v5(client_identifier: &str) -> Dial {
    let connect = Connect {
        version: ProtocolVersion::V5,
        is_bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_identifier: ClientIdentifier::new(client_identifier.to_owned()),
        will: None,
        username: None,
        password: None,
        properties: ConnectProperties::default(),
    };
    Dial { connect, peer: Peer::Anonymous(NoIdentity::PlainTransport), grant: None }
}

/// A client of MQTT 3.1.1 with a clean session.
pub(super) fn v311(client_identifier: &str) -> Dial {
    let mut dial = v5(client_identifier);
    dial.connect.version = ProtocolVersion::V311;
    dial
}

impl Dial {
    /// Wants its old session.
    pub(super) fn resume(mut self) -> Self {
        self.connect.clean_start = false;
        self
    }

    pub(super) fn expiry(mut self, seconds: u32) -> Self {
        self.connect.properties.session_expiry_interval = Some(seconds);
        self
    }

    pub(super) fn keep_alive(mut self, seconds: u16) -> Self {
        self.connect.keep_alive = seconds;
        self
    }

    pub(super) fn properties(mut self, change: impl FnOnce(&mut ConnectProperties)) -> Self {
        change(&mut self.connect.properties);
        self
    }

    pub(super) fn will(mut self, topic: &str, payload: &str, delay: u32) -> Self {
        self.connect.will = Some(Will {
            topic: TopicName::new(topic.to_owned()).unwrap(),
            payload: payload.to_owned().into(),
            qos: QOS1,
            retain: false,
            properties: WillProperties { delay_interval: (delay > 0).then_some(delay), ..WillProperties::default() },
        });
        self
    }

    /// Comes with a verified certificate of this name.
    pub(super) fn device(mut self, name: &str) -> Self {
        self.peer = device(name);
        self
    }

    /// Comes with a certificate that was verified under a profile of this name, which belongs to a tenant of the same name.
    pub(super) fn tenant(mut self, tenant: &str, name: &str) -> Self {
        let identity = device(name).identity().map(|identity| DeviceIdentity::clone(identity)).unwrap();
        self.peer = Peer::Device(VerifiedPeer::assertion(Arc::new(identity.under(tenant.into(), Some(tenant.into()))), false));
        self
    }

    pub(super) fn grant(mut self, grant: Grant) -> Self {
        self.grant = Some(grant);
        self
    }

    pub(super) fn username(mut self, username: &str) -> Self {
        self.connect.username = Some(username.to_owned().into());
        self
    }
}

/// Somebody vouches for a client and gives it this.
fn vouch(applicant: &Applicant, grant: Grant) -> Passed {
    let member = Member {
        name: "rig".into(),
        proof: Proof::Authenticator,
        when: None,
        on_deny: Otherwise::Deny,
        on_unknown: Otherwise::Deny,
        on_failure: Otherwise::Deny,
    };
    let mut walk = Walk::new(Arc::new(Chain { alternatives: vec![vec![member]] }));
    assert!(matches!(walk.next(applicant), Next::Ask(_)));
    walk.answer(Outcome::Allow(Box::new(grant))).unwrap();
    match walk.next(applicant) {
        Next::Done(Ok(passed)) => passed,
        other => panic!("{other:?}"),
    }
}

pub(super) fn device(name: &str) -> Peer {
    static LEAF: LazyLock<Leaf> = LazyLock::new(|| {
        let certificate = rcgen::generate_simple_self_signed(vec!["device.test".to_owned()]).unwrap();
        Leaf::parse(certificate.cert.der()).unwrap()
    });
    let identity = DeviceIdentity::new(DeviceName::new(name).unwrap(), LEAF.clone(), KeyDigest::of(b"issuer"), []);
    Peer::Device(VerifiedPeer::assertion(Arc::new(identity), false))
}

pub(super) fn subscribe(filter: &str, options: SubscriptionOptions, identifier: Option<u32>) -> Subscribe {
    Subscribe {
        packet_id: pid(7),
        subscription_identifier: identifier.and_then(SubscriptionIdentifier::new),
        user_properties: UserProperties::default(),
        subscriptions: vec![SubscribeFilter { filter: TopicFilter::new(filter.to_owned()).unwrap(), options }],
    }
}

pub(super) fn publish(topic: &str, payload: &str, qos: QoS, packet_id: Option<u16>) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(TopicName::new(topic.to_owned()).unwrap()),
        packet_id: packet_id.map(pid),
        properties: Default::default(),
        payload: payload.to_owned().into(),
    }
}

pub(super) fn retained(topic: &str, payload: &str) -> Packet {
    Packet::Publish(Publish { retain: true, ..publish(topic, payload, QOS0, None) })
}

pub(super) fn pid(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

pub(super) fn text(publish: &Publish) -> String {
    String::from_utf8(publish.payload.to_vec()).unwrap()
}
