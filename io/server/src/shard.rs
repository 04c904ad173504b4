//! One shard: a thread with its epoll, its connections and its part of the broker.

mod abuse;
mod clone;
mod closing;
mod connect;
mod deadlines;
mod durability;
mod input;
mod kicks;
mod newcomers;
mod opening;
mod output;
mod status;
mod vouch;
mod wishes;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use mio::{Events, Interest, Poll, Token};
use signet_broker::{Admission, Broker, Context, Delivery, Input, KickCause, Moment, Output, ShardId, Ticket, WillRule};
use signet_net::{Kick, LinkId};
use signet_policy::Ruleset;
use signet_store::StoreHandle;

use crate::counters::{self, ShardStats};
use crate::link::{Accepted, Link, Phase};
use crate::lobby::{Courtesy, Lobby};
use crate::mailbox::{Mail, Mailbox};
use crate::pipe::Scratch;
use crate::ready::Ready;
use crate::shared::Shared;
use crate::store::ShardStore;
use deadlines::Deadlines;

/// The token of the mailbox's wake-up.
pub(crate) const WAKE: Token = Token(usize::MAX);

/// Connections closed by order in one turn: messages of others wait for the system calls that each costs. Measured: 32 a turn let them wait ten times as long.
const KICKS_PER_TURN: usize = 4;

/// The same in a lobby, where nobody has messages, and for those whose time is up.
const PORTION_IN_LOBBY: usize = 1_024;

/// Connections whose time is up that are dealt with in one turn.
const DEADLINES_PER_TURN: usize = 4;

/// Outputs of messages from other shards that are carried out together: only then the broker hears that a client has too much to read.
const OUTPUTS_TOGETHER: usize = 32;

/// Octets of messages for which that counts.
const SMALL: usize = 8 * 1024;

/// Longest wait for a disk that has too much to write, in milliseconds.
const HELD_BACK_BY_DISK: u64 = 100;

/// One shard. Everything here belongs to its thread.
pub(crate) struct Shard {
    index: u16,
    shared: Arc<Shared>,
    poll: Poll,
    broker: Broker,
    /// What it has counted itself.
    counts: ShardStats,
    ruleset: Arc<Ruleset>,
    store: ShardStore,
    links: HashMap<LinkId, Box<Link>, RandomState>,
    queues: Queues,
    deadlines: Deadlines,
    outputs: Vec<Output>,
    outgoing: Posts,
    buffers: Buffers,
    /// Milliseconds of the server's clock at the start of this turn.
    now: u64,
    /// When the thread ends at the latest, once it was told to stop.
    stopping: Option<u64>,
}

/// Who is to be looked at.
#[derive(Default)]
struct Queues {
    /// Connections that may have something to read or to decode.
    ready: VecDeque<LinkId>,
    /// The same, during their handshake.
    handshakes: VecDeque<LinkId>,
    /// The same, before their CONNECT.
    connecting: VecDeque<LinkId>,
    /// Connections that may have something to write.
    dirty: Vec<LinkId>,
    /// Connections with something that waits for a ticket to become durable.
    awaiting: BinaryHeap<Reverse<(Ticket, LinkId)>>,
    /// When those were excused last that are not read, in milliseconds of the server's clock.
    excused: u64,
    /// Connections that could not be written to: the broker hears of it when it is not in the middle of something.
    broken: Vec<LinkId>,
    /// Orders to close connections, in their order: many come at once when an authority goes, and others have their messages meanwhile.
    kicks: VecDeque<Kick>,
    /// What access sources that judge say has changed, and sessions are judged again when those are closed.
    is_judgement_due: bool,
    /// What is to be done next for those who are not connected yet.
    next: newcomers::Next,
    /// Connections that were accepted and not looked at.
    arrived: VecDeque<Box<Accepted>>,
    /// Connections that must not begin their handshake yet, because so many others have.
    waiting: VecDeque<Box<Accepted>>,
    /// Connections that have left their lobby and were not welcomed here.
    moved: VecDeque<(Box<Link>, Box<Admission>)>,
    /// Number of connections in [`Phase::Handshake`].
    in_handshake: usize,
}

/// What goes to other shards at the end of the turn.
struct Posts {
    by_shard: Vec<Vec<Mail>>,
    /// Connections given away: the registry learns of it after the new owner got them.
    relocations: Vec<(LinkId, u16)>,
}

/// Memory that is used again and again.
struct Buffers {
    scratch: Scratch,
    /// Lent to the connection that is being read.
    spare: Vec<u8>,
    ready: Ready,
    mail: Vec<Mail>,
}

impl Shard {
    /// A shard that is not running yet. Without a `store` it keeps everything in memory.
    pub(crate) fn new(index: u16, poll: Poll, shared: Arc<Shared>, store: Option<StoreHandle>, ruleset: Arc<Ruleset>, seed: u64) -> Self {
        let by_shard = shared.mailboxes.iter().map(|_| Vec::new()).collect();
        let broker = Broker::new(ShardId(index), shared.limits.load_full(), Arc::clone(&shared.totals), Arc::clone(&ruleset), seed);
        Self {
            index,
            shared,
            poll,
            broker,
            counts: ShardStats::default(),
            ruleset,
            store: ShardStore::new(store),
            links: HashMap::default(),
            queues: Queues::default(),
            deadlines: Deadlines::default(),
            outputs: Vec::new(),
            outgoing: Posts { by_shard, relocations: Vec::new() },
            buffers: Buffers { scratch: Scratch::new(), spare: Vec::with_capacity(64 * 1024), ready: Ready::default(), mail: Vec::new() },
            now: 0,
            stopping: None,
        }
    }

    /// Runs until told to stop.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        // What follows from what was restored.
        self.carry_out();
        self.post_mail();
        let mut ended = self.shared.clock.running();
        let mut courtesy = Courtesy::new(ended);
        while !self.is_done() {
            let arrived = self.queues.moved.len();
            if let Err(error) = self.poll.poll(&mut events, self.timeout())
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, shard = self.index, "the shard cannot wait for events and ends");
                break;
            }
            self.now = self.shared.clock.milliseconds();
            let begun = self.shared.clock.running();
            courtesy.rest(begun.saturating_sub(ended));
            for event in &events {
                self.note(event);
            }
            self.take_mail();
            self.kick_some();
            self.read_ready(begun);
            self.excuse_held_back();
            self.tick();
            self.finish_turn();
            if self.is_lobby() {
                self.serve_newcomers();
            } else {
                // What their earlier connections had sent before is reported by now, and read: what was acknowledged there is not sent again here.
                self.welcome_some(arrived);
            }
            ended = self.give_way(&mut courtesy);
        }
        self.leave_lobby();
    }

    /// Lets everybody have what was made for them.
    fn finish_turn(&mut self) {
        // The disk works while we write.
        self.post_changes();
        self.follow_store();
        self.write_dirty();
        self.post_mail();
    }

    fn is_done(&self) -> bool {
        let is_empty = || self.links.is_empty() && self.queues.moved.is_empty() && !self.has_mail();
        // Whoever is on the way here from a lobby is told too.
        let is_last = || self.is_lobby() || self.shared.admissions.lobbies.iter().all(Lobby::has_ended);
        self.stopping.is_some_and(|deadline| (is_last() && is_empty()) || self.now >= deadline)
    }

    /// How long to wait for events.
    fn timeout(&self) -> Option<Duration> {
        if !self.queues.dirty.is_empty()
            || !self.queues.broken.is_empty()
            || self.has_newcomers()
            || !self.queues.kicks.is_empty()
            || !self.queues.moved.is_empty()
        {
            return Some(Duration::ZERO);
        }
        let broker = self.broker.next_deadline().map(Moment::as_millis);
        let next = [broker, self.deadlines.next(), self.stopping].into_iter().flatten().min();
        // `now` is from the start of the turn.
        let next = next.map(|at| at.saturating_sub(self.shared.clock.milliseconds()));
        // Held back by another shard's full mailbox: it needs a moment, not a spinning neighbour. The store calls when it goes on.
        let moment = || if self.store.is_congested() { HELD_BACK_BY_DISK } else { u64::from(self.is_held_back()) };
        let held_back = (!self.queues.ready.is_empty() || !self.queues.connecting.is_empty()).then(moment);
        [next, held_back].into_iter().flatten().min().map(Duration::from_millis)
    }

    fn note(&mut self, event: &mio::event::Event) {
        if event.token() == WAKE {
            return;
        }
        let Some(id) = link_of(event.token()) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        if event.is_writable() {
            link.pipe.writable = true;
            self.mark_dirty(id);
        }
        let hung_up = event.is_read_closed() || event.is_error();
        if event.is_readable() || hung_up {
            if let Some(link) = self.links.get_mut(&id) {
                link.pipe.may_read(hung_up);
            }
            self.enqueue(id);
        }
    }

    /// Puts a connection into the queue of those to be read, unless it is there already.
    fn enqueue(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if std::mem::replace(&mut link.marks.queued, true) {
            return;
        }
        match link.phase {
            Phase::Handshake => self.queues.handshakes.push_back(id),
            Phase::ExpectConnect => self.queues.connecting.push_back(id),
            _ => self.queues.ready.push_back(id),
        }
    }

    fn mark_dirty(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if !std::mem::replace(&mut link.marks.dirty, true) {
            self.queues.dirty.push(id);
        }
    }

    fn take_mail(&mut self) {
        let mut mail = std::mem::take(&mut self.buffers.mail);
        if let Some(mailbox) = self.shared.mailboxes.get(usize::from(self.index)) {
            mailbox.take(&mut mail);
        }
        for item in mail.drain(..) {
            if !matches!(item, Mail::Delivery(_)) {
                self.carry_out();
            }
            match item {
                Mail::Accepted(accepted) => self.queues.arrived.push_back(accepted),
                Mail::Publish(messages) => {
                    for message in messages {
                        self.apply(Input::Publish { message });
                    }
                }
                Mail::Displace(id) => self.displace(id),
                Mail::Moved(link, admission) => self.queues.moved.push_back((link, admission)),
                Mail::Delivery(delivery) => self.deliver(delivery),
                Mail::Kick(kick) => self.queues.kicks.push_back(kick),
                Mail::StatusKnown(id) => self.status_known(id),
                Mail::KeyAnswered(id) => self.enqueue(id),
                Mail::Vouched(id, verdict) => self.vouched(id, verdict),
                Mail::RulesOf(id, rules) => self.rules_of(id, rules),
                Mail::Answered(id, question, answer, lasts) => self.answered_about(id, question, answer, lasts),
                Mail::Controlled(id, answer) => self.controlled(id, answer),
                Mail::RulesChanged => {
                    self.ask_for_all_rules();
                    self.apply(Input::AnswersForgotten);
                }
                Mail::Review { judge, will, session } => self.apply(Input::Review { judge, will, session }),
                Mail::Revoked(certificates) => {
                    let (will, _) = self.shared.on_distrust;
                    self.apply(Input::Revoked { certificates, will });
                }
                Mail::JudgementsChanged => self.queues.is_judgement_due = true,
                Mail::Rules(ruleset) => {
                    self.ruleset = Arc::clone(&ruleset);
                    self.apply(Input::PolicyChanged(ruleset));
                }
                Mail::Limits(changed) => self.apply(Input::LimitsChanged(changed)),
                // Nobody may be waiting any more.
                Mail::Stats(answer) => drop(answer.try_send(self.stats())),
                Mail::Stop { grace } => self.stop(grace),
            }
        }
        self.carry_out();
        self.buffers.mail = mail;
    }

    /// Hands a message from another shard to its receivers. What that makes is carried out for several messages together.
    fn deliver(&mut self, delivery: Delivery) {
        let size = delivery.message.size();
        self.tell_broker(Input::Delivery(delivery));
        if self.outputs.len() >= OUTPUTS_TOGETHER || size > SMALL {
            self.carry_out();
        }
    }

    fn has_mail(&self) -> bool {
        self.shared.mailboxes.get(usize::from(self.index)).is_some_and(|mailbox| mailbox.has_mail())
    }

    fn post_mail(&mut self) {
        self.post_changes();
        for (mailbox, post) in self.shared.mailboxes.iter().zip(&mut self.outgoing.by_shard) {
            mailbox.post(post);
        }
        for (id, shard) in self.outgoing.relocations.drain(..) {
            self.shared.registry.relocate(id, shard);
        }
    }

    /// Whether another shard has so much unread mail, or the disk so much to write, that no more should be made.
    fn is_held_back(&self) -> bool {
        let is_congested = |(index, mailbox): (usize, &Arc<Mailbox>)| index != usize::from(self.index) && mailbox.is_congested();
        // What lobbies get is bounded by the number of connections.
        let shards = self.shared.mailboxes.iter().take(self.shared.shards().into());
        self.store.is_congested() || shards.enumerate().any(is_congested)
    }

    /// Gives the broker an input and carries out what it asks for.
    fn apply(&mut self, input: Input) {
        self.tell_broker(input);
        self.carry_out();
    }

    /// Gives the broker an input. What it asks for waits in `outputs`.
    fn tell_broker(&mut self, input: Input) {
        let mut context = Context {
            now: Moment::from_millis(self.now),
            directory: &self.shared.directory,
            store: &mut self.store,
            output: &mut self.outputs,
        };
        self.broker.apply(input, &mut context);
    }

    /// Counts, with what there is now.
    fn stats(&self) -> ShardStats {
        let waiting = self.links.values().map(|link| link.outbox.waiting());
        let outgoing = waiting.fold((0, 0), |(packets, octets), (more, wide)| (packets + more, octets + wide));
        let mut counts = ShardStats { broker: self.broker.stats(), outgoing, ..self.counts };
        counts.handshakes.under_way = counters::wide(self.queues.in_handshake);
        counts
    }

    fn tick(&mut self) {
        self.release_held();
        if self.broker.next_deadline().is_some_and(|deadline| deadline.as_millis() <= self.now) {
            self.apply(Input::Tick);
        }
        // Those that were closed together linger together, and their time is up at once: the rest has its turn next, without waiting.
        for _ in 0..self.portion(DEADLINES_PER_TURN) {
            let Some(id) = self.deadlines.pop_due(self.now) else { break };
            self.deadline_passed(id);
        }
    }

    /// How many to close in this turn, if it is so many where messages wait meanwhile.
    fn portion(&self, among_messages: usize) -> usize {
        if self.is_lobby() { PORTION_IN_LOBBY } else { among_messages }
    }

    fn stop(&mut self, grace: u64) {
        self.stopping = Some(self.now.saturating_add(grace));
        self.queues.arrived.clear();
        self.queues.waiting.clear();
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            self.end(id, KickCause::ShuttingDown, WillRule::Publish);
        }
    }

    /// Starts to watch a connection's socket.
    fn watch(&self, link: &mut Link) -> io::Result<()> {
        self.poll.registry().register(&mut link.pipe.socket, token_of(link.id), Interest::READABLE | Interest::WRITABLE)
    }
}

fn token_of(id: LinkId) -> Token {
    Token(usize::try_from(id.number()).unwrap_or(usize::MAX - 1))
}

fn link_of(token: Token) -> Option<LinkId> {
    u64::try_from(token.0).ok().map(LinkId::from_number)
}
