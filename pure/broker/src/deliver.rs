//! From a routed message to a PUBLISH on the wire: now, or later from the queue.

use std::sync::Arc;

use signet_mqtt::{Ack, Message, Packet, PacketId, QoS};

use crate::broker::{Broker, Context};
use crate::connection::Connection;
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, Ids, MessageId, SessionId, ShardId};
use crate::inflight::Stage;
use crate::input::{Recipient, WillRule};
use crate::moment::Moment;
use crate::output::{CloseCause, Output};
use crate::packet_ids::Lifetime;
use crate::queue::{Pending, Start};
use crate::session::Session;
use crate::stats::Stats;
use crate::store::{Change, Starting, Store, Ticket, Urgency};
use crate::timers::Timer;
use crate::withhold::receives;

/// What [`Broker::pump`] sends to one client before others have their turn.
const PUMP_BYTES: usize = 64 * 1024;

/// What a packet counts for besides its message, so that many small ones count too.
const PUMP_ENTRY: usize = 64;

/// What sending needs of the shard besides the session and its connection.
struct Desk<'a, S: Store> {
    shard: ShardId,
    ids: &'a mut Ids,
    stats: &'a mut Stats,
    now: Moment,
    store: &'a mut S,
    output: &'a mut Vec<Output>,
}

impl Broker {
    /// Gives a message to one session of this shard, whether its client is there or not [MQTT-4.5.0-1], [MQTT-3.1.2-5] (3.1.1). If it ended
    /// in the meantime only a Shared Subscription has somebody else. With an `id` the store keeps the message for this session.
    pub(crate) fn deliver<D: SharedDirectory, S: Store>(
        &mut self,
        id: Option<MessageId>,
        message: &Arc<Message>,
        received_at: Moment,
        (recipient, passed_on): (Recipient, u8),
        context: &mut Context<'_, D, S>,
    ) {
        let session_id = recipient.session;
        let Some(session) = self.sessions.get_mut(session_id) else {
            if let Some(filter) = &recipient.shared {
                self.pass_on(message, received_at, (filter, passed_on), id.is_some(), context);
            }
            return done(session_id, id, context.store);
        };
        let pending = Pending::new(id, message, received_at, recipient);
        let mut has_to_wait = session.standing.is_waiting;
        if session.standing.is_doubtful(self.ruleset_count) {
            // Its subscriptions may have to be asked about, and the message waits for what comes of that.
            let is_behind = session.standing.rulesets != self.ruleset_count;
            has_to_wait |= is_behind && session.connection.is_some() && self.ruleset.asks();
            let is_here = session.connection.is_some() && !has_to_wait;
            let asked = (&message.topic, pending.qos);
            if !session.with_known(None, context.now, |known| receives(&self.ruleset, &session.client, asked, known, is_here)) {
                return self.withhold(pending, session_id, passed_on, context);
            }
            session.standing.is_unsettled |= has_to_wait;
        }
        let before = session.load();
        let connection = session.connection.and_then(|id| self.connections.get_mut(&id)).filter(|connection| connection.is_writable);
        if pending.qos == QoS::AtMostOnce {
            // QoS 0 is for those who are there: it is not queued for the slow, and kept for the absent only where that is wanted.
            let is_absent = session.connection.is_none();
            if is_absent && !session.limits.messages.queued_qos0 {
                return;
            }
            if is_absent || session.queue.holds_qos0() || has_to_wait {
                // Behind what is older, above all behind the retained messages of a subscription that is just starting.
                if session.queue.push(pending, &session.limits).is_err() {
                    *if is_absent { &mut self.stats.dropped_queue_full } else { &mut self.stats.dropped_slow } += 1;
                }
            } else if let Some(connection) = connection {
                connection.transmit(pending, context.now, (context.output, &mut self.stats));
            } else {
                self.stats.dropped_slow += 1;
            }
        } else if let Some(connection) =
            connection.filter(|connection| !has_to_wait && session.queue.is_empty() && session.inflight.has_room(connection.window()))
        {
            let Context { now, store, output, .. } = context;
            let mut desk = Desk { shard: self.shard, ids: &mut self.ids, stats: &mut self.stats, now: *now, store: *store, output };
            desk.start(session, connection, pending, None);
        } else if let Err(pending) = session.queue.push(pending, &session.limits) {
            for expired in session.queue.take_expired(context.now) {
                self.stats.dropped_expired += 1;
                done(session.id, expired.id, context.store);
            }
            if let Err(pending) = session.queue.push(pending, &session.limits) {
                self.stats.dropped_queue_full += 1;
                done(session.id, pending.id, context.store);
            }
        }
        let after = session.load();
        self.held = self.held.minus(before).plus(after);
    }

    /// Gives a new subscription the retained messages it starts with, all of them, behind what the session already waits for.
    pub(crate) fn start_with<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        starts: Vec<(Pending, Start)>,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        for (pending, start) in starts {
            if !session.queue.push_start(pending, start, self.limits.total.retained_messages_maximum) {
                self.stats.dropped_queue_full += 1;
            }
        }
        session.note_started(context.store);
        self.pump(id, context);
    }

    /// Sends what may be sent: first again what an earlier connection left open, in its order, then what is queued. Never more than
    /// [`PUMP_BYTES`] at a time: the rest goes on with the next tick, so that others have their turn and the water marks are heard.
    pub(crate) fn pump<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        if self.sessions.get(id).is_some_and(|session| session.connection.is_some()) {
            self.keep_up(id, context);
        }
        let Some(session) = self.sessions.get_mut(id).filter(|session| !session.standing.is_waiting) else { return };
        let Some(connection) = session.connection.and_then(|id| self.connections.get_mut(&id)) else { return };
        let before = session.load();
        let was_starting = session.queue.is_starting();
        let Context { now, store, output, .. } = context;
        let mut desk = Desk { shard: self.shard, ids: &mut self.ids, stats: &mut self.stats, now: *now, store: *store, output };
        let mut pumped = 0;
        while connection.is_writable {
            if pumped >= PUMP_BYTES {
                self.timers.arm(desk.now.plus_millis(1), Timer::Pump(id));
                break;
            }
            if desk.resend_next(session, connection) {
                pumped += PUMP_ENTRY;
                continue;
            }
            let Some(qos) = session.queue.next_qos() else { break };
            // [MQTT-4.9.0-2]
            if qos > QoS::AtMostOnce && !session.inflight.has_room(connection.window()) {
                break;
            }
            let Some((pending, start)) = session.queue.pop() else { break };
            pumped += PUMP_ENTRY + pending.message.size();
            if qos == QoS::AtMostOnce {
                connection.transmit(pending, desk.now, (desk.output, desk.stats));
            } else {
                desk.start(session, connection, pending, start.as_deref());
            }
        }
        if was_starting {
            session.note_started(desk.store);
        }
        let after = session.load();
        self.held = self.held.minus(before).plus(after);
    }

    /// The connection's buffer crossed a water mark.
    pub(crate) fn set_writable<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        is_writable: bool,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.is_writable = is_writable;
        let session = connection.session;
        if is_writable {
            self.pump(session, context);
        }
    }

    /// Sends an answer that must be sent; a client that cannot take it cannot go on.
    pub(crate) fn answer<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        packet: Packet,
        after: Ticket,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.get(&id) else { return };
        if !connection.answer(packet, after, context.output) {
            self.disconnect(id, CloseCause::PacketTooLarge, WillRule::Publish, context);
        }
    }
}

impl<S: Store> Desk<'_, S> {
    /// Sends a message with QoS 1 or 2 for the first time, under a free identifier and without DUP [MQTT-4.3.2-1], [MQTT-4.3.2-2],
    /// [MQTT-4.3.3-1], [MQTT-4.3.3-2], perhaps as the start of a subscription.
    fn start(&mut self, session: &mut Session, connection: &mut Connection, mut pending: Pending, start: Option<&Start>) {
        let is_exact = pending.qos == QoS::ExactlyOnce;
        let is_kept = pending.id.is_some() || start.is_some_and(|start| start.is_stored);
        let lifetime = if is_exact && session.is_persistent && !is_kept { Lifetime::Passing } else { Lifetime::Kept };
        let packet_id = session.inflight.allocate(lifetime);
        let prepared = packet_id.and_then(|_| connection.prepare(&pending, packet_id, false, self.now, self.stats));
        let (Some(packet_id), Some((seen, header))) = (packet_id, prepared) else { return done(session.id, pending.id, self.store) };
        let message = seen.unwrap_or_else(|| Arc::clone(&pending.message));
        if let Some(start) = start.filter(|start| start.is_stored && session.is_persistent) {
            pending.id = Some(self.store_start(session, &pending, start));
        }
        let id = pending.id;
        let order = session.inflight.begin(packet_id, id, if is_exact { Stage::Pubrec(pending) } else { Stage::Puback(pending) });
        let mut after = Ticket::NONE;
        if let Some(id) = id {
            let change = Change::MessageSent { session: session.id, id, packet_id, order };
            // A crash must not make it go out a second time under another Packet Identifier: with QoS 2 that would be another message. Nor
            // may another message go out under this one: the client would take it for the message it holds, however durable that was to be.
            let ticket = self.store.append(&change, if is_exact { Urgency::Now } else { Urgency::Later });
            after = if is_exact { ticket } else { Ticket::NONE };
        }
        connection.emit(message, header, after, (self.output, self.stats));
    }

    /// A retained message goes out to a session that outlives the process: from here on it is stored like any other message, and the store
    /// learns how far the subscription has started, so that a restarted broker goes on from there.
    fn store_start(&mut self, session: &mut Session, pending: &Pending, start: &Start) -> MessageId {
        let id = self.ids.message();
        let recipients = [pending.recipient(session.id, self.shard)];
        let change = Change::MessageQueued { id, message: &pending.message, recipients: &recipients, received_at: pending.received_at };
        self.store.append(&change, Urgency::Later);
        if let Some((filter, subscription)) = session.subscribed.starting(start.key)
            && let Some(starting) = &mut subscription.starting
        {
            debug_assert_eq!(*filter, start.filter, "no key is used again while anything starts");
            *starting = Starting { after: start.retained, ..*starting };
            self.store.append(&subscription.added(session.id, filter), Urgency::Later);
        }
        id
    }

    /// Sends one exchange of an earlier connection again [MQTT-4.4.0-1]: the message while it is unacknowledged [MQTT-4.3.2-3],
    /// [MQTT-4.3.3-3], then PUBREL and not the message [MQTT-4.3.3-5], [MQTT-4.3.3-6]. Returns false if there is none, or no room for it
    /// yet.
    fn resend_next(&mut self, session: &mut Session, connection: &mut Connection) -> bool {
        let Some(exchange) = session.inflight.next_unsent(connection.window().exchanges) else { return false };
        let packet_id = exchange.packet_id;
        // What the earlier connection waited for need not be durable yet.
        let after = match exchange.stage {
            Stage::Puback(_) => Ticket::NONE,
            Stage::Pubrec(_) | Stage::Pubcomp => exchange.id.map_or(Ticket::NONE, |_| self.store.latest()),
        };
        let Some(pending) = exchange.stage.pending() else {
            self.output.push(Output::Send { connection: connection.id, packet: Packet::Pubrel(Ack::success(packet_id)), after });
            session.inflight.mark_sent();
            return true;
        };
        // [MQTT-3.3.1-1]
        if let Some((seen, header)) = connection.prepare(pending, Some(packet_id), true, self.now, self.stats) {
            let message = seen.unwrap_or_else(|| Arc::clone(&pending.message));
            connection.emit(message, header, after, (self.output, self.stats));
            session.inflight.mark_sent();
        } else {
            self.drop_exchange(session, packet_id);
        }
        true
    }

    fn drop_exchange(&mut self, session: &mut Session, packet_id: PacketId) {
        let id = session.inflight.end(packet_id).and_then(|exchange| exchange.id);
        done(session.id, id, self.store);
    }
}

/// The store need not keep a message for a session any more, if it did.
pub(crate) fn done<S: Store>(session: SessionId, id: Option<MessageId>, store: &mut S) {
    if let Some(id) = id {
        store.append(&Change::MessageDone { session, id }, Urgency::Later);
    }
}
