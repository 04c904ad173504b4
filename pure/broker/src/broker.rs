//! One shard of the broker: owns its connections and sessions, and applies one input at a time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::FixedState;
use signet_mqtt::Packet;
use signet_policy::Ruleset;

use crate::connection::Connection;
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, Ids, ShardId};
use crate::image::{MessageImage, ShardImage};
use crate::input::{Input, NotAmong, Recipient, SessionRule, WillRule};
use crate::limits::Limits;
use crate::memo::LargeRoutes;
use crate::moment::Moment;
use crate::output::{CloseCause, Output};
use crate::review::Reviews;
use crate::session::Sessions;
use crate::stats::Stats;
use crate::store::{Store, Ticket};
use crate::timers::{Timer, Timers};
use crate::totals::{Load, Totals};
use crate::withhold::Stray;

/// One shard of the broker. See the crate's documentation for how to call it.
#[derive(Debug)]
pub struct Broker {
    pub(crate) shard: ShardId,
    pub(crate) limits: Arc<Limits>,
    /// What all shards hold together.
    pub(crate) totals: Arc<Totals>,
    pub(crate) ids: Ids,
    pub(crate) ruleset: Arc<Ruleset>,
    /// Counts rulesets from one, so that a remembered decision is known to be of the present one.
    pub(crate) ruleset_count: u64,
    pub(crate) connections: HashMap<ConnectionId, Connection, FixedState>,
    pub(crate) sessions: Sessions,
    pub(crate) timers: Timers,
    pub(crate) stats: Stats,
    /// What all sessions of this shard hold, and what the totals know of that.
    pub(crate) held: Load,
    told: Load,
    /// The end of the persistent session that ended last: whoever is told that there is no session of its name waits for that.
    pub(crate) last_removal: Ticket,
    pub(crate) backlog: Backlog,
    pub(crate) routing: Routing,
}

/// What is kept from one message to the next.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    /// Memory for recipients.
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) large: LargeRoutes,
}

/// What is to be done and is not done at once.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// Messages that nobody is left for and that wait until all shards have taken up their sessions.
    pub(crate) orphans: Vec<MessageImage>,
    /// When to look whether there is room again for what was not acknowledged, and what the largest of it wants in the queues.
    pub(crate) debts: Option<(Moment, Load)>,
    /// Sessions that are to be judged again.
    pub(crate) reviews: Reviews,
    /// When to look for retained messages that have expired.
    pub(crate) sweep: Option<Moment>,
    /// Messages that are to go to another member at the end of this input.
    pub(crate) strays: VecDeque<Stray>,
}

/// What a call needs from outside.
#[derive(Debug)]
pub struct Context<'a, D: SharedDirectory, S: Store> {
    /// The time of the input; never earlier than that of the call before.
    pub now: Moment,
    /// Subscriptions and retained messages of all shards.
    pub directory: &'a D,
    /// Where changes become durable.
    pub store: &'a mut S,
    /// Where outputs are added at the end.
    pub output: &'a mut Vec<Output>,
}

impl Broker {
    /// A shard without sessions. `totals` is the same for all shards. `seed` makes the hash maps unpredictable for clients; the same seed
    /// and inputs give the same outputs.
    #[must_use]
    pub fn new(shard: ShardId, limits: Arc<Limits>, totals: Arc<Totals>, ruleset: Arc<Ruleset>, seed: u64) -> Self {
        let mut broker = Self {
            shard,
            limits,
            totals,
            ids: Ids::new(shard),
            ruleset,
            ruleset_count: 1,
            connections: HashMap::with_hasher(FixedState::with_seed(seed)),
            sessions: Sessions::new(seed),
            timers: Timers::default(),
            stats: Stats::default(),
            held: Load::default(),
            told: Load::default(),
            last_removal: Ticket::NONE,
            backlog: Backlog::default(),
            routing: Routing::default(),
        };
        broker.look_for_expired(Moment::ZERO);
        broker
    }

    /// Takes up what was stored: before the first input, and after [`crate::Directory::restore`]. Ends with a sealed transaction as
    /// [`Self::apply`] does. What follows from it, Wills of connections that the process lost when it died above all, happens with the
    /// first tick, which is due at once: until then all shards must have taken up theirs.
    pub fn restore<D: SharedDirectory, S: Store>(&mut self, image: ShardImage, context: &mut Context<'_, D, S>) {
        self.take_up(image, context);
        self.settle(context.store);
    }

    /// Applies one input. What it changes is one transaction of the store, or several where another shard may already build on a part of
    /// it.
    pub fn apply<D: SharedDirectory, S: Store>(&mut self, input: Input, context: &mut Context<'_, D, S>) {
        self.apply_one(input, context);
        self.rehome(context);
        self.settle(context.store);
    }

    fn settle<S: Store>(&mut self, store: &mut S) {
        store.seal();
        self.totals.change(self.told, self.held);
        self.told = self.held;
        #[cfg(test)]
        assert_eq!(self.held, self.sessions.load(), "what sessions hold is counted");
    }

    /// What may still be queued by all shards together.
    pub(crate) fn room(&self) -> Load {
        self.totals.room(&self.limits.total)
    }

    fn apply_one<D: SharedDirectory, S: Store>(&mut self, input: Input, context: &mut Context<'_, D, S>) {
        match input {
            Input::Admitted { connection, admission } => {
                // A session whose time has come is gone, even if the tick that says so comes late.
                self.tick(context);
                self.connect(connection, *admission, context);
            }
            Input::Packet { connection, packet } => self.packet(connection, packet, context),
            Input::Malformed { connection, error } => {
                let cause = CloseCause::Malformed(error.to_string(), error.reason_code());
                self.disconnect(connection, cause, WillRule::Publish, context);
            }
            Input::Closed { connection } => self.disconnect(connection, CloseCause::ConnectionLost, WillRule::Publish, context),
            Input::Delivery(delivery) => self.deliver_all(delivery, context),
            Input::Kick { connection, cause, will, session } => self.kick(connection, cause, (will, session), context),
            Input::Revoked { certificates, will } => {
                self.review_trust(Arc::new(NotAmong::new(&certificates)), (will, SessionRule::Keep), context);
            }
            Input::Review { judge, will, session } => self.review_trust(judge, (will, session), context),
            Input::Writable { connection, writable } => self.set_writable(connection, writable, context),
            Input::HeldBack { connection } => {
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.keep_alive.heard(context.now);
                }
            }
            Input::PolicyChanged(ruleset) => self.change_rules(ruleset, context),
            Input::LimitsChanged(changed) => self.change_limits(&changed, context.now),
            Input::Answered { connection, question, answer, lasts } => self.answered(connection, (question, answer, lasts), context),
            Input::Controlled { connection, answer } => self.controlled(connection, answer, context),
            Input::AnswersForgotten => self.ask_anew(context),
            Input::Regranted { connection, client } => self.regrant(connection, client, context),
            Input::Publish { message } => self.publish_own(message, context),
            Input::StoreHasRoom => self.settle_debts(context),
            Input::Tick => self.tick(context),
        }
    }

    /// When the next [`Input::Tick`] is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Stats { connections: count(self.connections.len()), sessions: count(self.sessions.len()), ..self.stats }
    }

    fn packet<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, packet: Packet, context: &mut Context<'_, D, S>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.keep_alive.heard(context.now);
        if connection.is_asking() {
            debug_assert!(false, "nothing is read from a connection that waits for an answer");
            return self.violated(id, "the server has read further than it may", context);
        }
        match packet {
            Packet::Publish(publish) => self.publish(id, publish, context),
            Packet::Puback(ack) => self.puback(id, &ack, context),
            Packet::Pubrec(ack) => self.pubrec(id, &ack, context),
            Packet::Pubrel(ack) => self.pubrel(id, &ack, context),
            Packet::Pubcomp(ack) => self.pubcomp(id, &ack, context),
            Packet::Subscribe(subscribe) => self.subscribe(id, subscribe, context),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(id, &unsubscribe, context),
            // [MQTT-3.12.4-1]
            Packet::Pingreq => context.output.push(Output::Send { connection: id, packet: Packet::Pingresp, after: Ticket::NONE }),
            Packet::Disconnect(disconnect) => self.client_disconnect(id, &disconnect, context),
            Packet::Connect(_) => self.violated(id, "a second CONNECT on one connection [MQTT-3.1.0-2]", context),
            Packet::Auth(_) => self.violated(id, "AUTH without an authentication method [MQTT-4.12.0-7]", context),
            Packet::Connack(_) | Packet::Suback(_) | Packet::Unsuback(_) | Packet::Pingresp => {
                self.violated(id, "a packet that only a Server sends", context);
            }
        }
    }

    /// Ends a connection whose client broke the protocol [MQTT-4.13.1-1], also by an AUTH that begins nothing [MQTT-4.12.1-2].
    pub(crate) fn violated<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, what: &'static str, context: &mut Context<'_, D, S>) {
        self.disconnect(id, CloseCause::ProtocolError(what), WillRule::Publish, context);
    }

    pub(crate) fn tick<D: SharedDirectory, S: Store>(&mut self, context: &mut Context<'_, D, S>) {
        while let Some((due, timer)) = self.timers.pop_due(context.now) {
            match timer {
                Timer::KeepAlive(connection) => self.check_keep_alive(connection, context),
                Timer::Pump(session) => self.pump(session, context),
                Timer::Answers(session) => self.ask_again(session, context),
                Timer::WillDelay(session) => self.publish_will(session, context),
                Timer::SessionExpiry(session) => {
                    debug_assert!(due <= context.now, "only what is due is popped");
                    self.stats.sessions_expired += 1;
                    self.end_session(session, context);
                }
                Timer::Orphans => self.give_orphans_away(context),
                Timer::Review => self.go_on_reviewing(context),
                Timer::Debts => self.settle_debts(context),
                Timer::Sweep => self.forget_expired(context),
            }
        }
    }
}
