//! Every way a connection ends → one [`CloseCause`], and what becomes of Will and session.

use signet_mqtt::{Disconnect, Packet, ReasonCode};

use crate::broker::{Broker, Context};
use crate::deliver::done;
use crate::directory::SharedDirectory;
use crate::durability::Durability;
use crate::ids::{ConnectionId, SessionId};
use crate::inflight::Stage;
use crate::input::{KickCause, SessionRule, WillRule};
use crate::output::{CloseCause, Event, Output};
use crate::queue::Pending;
use crate::session::NEVER;
use crate::store::{Change, Store, Ticket, Urgency};
use crate::subscriptions::Place;
use crate::timers::Timer;

impl Broker {
    /// The client said DISCONNECT (§3.14). Nothing that comes behind it is heard [MQTT-3.14.4-2] (3.1.1).
    pub(crate) fn client_disconnect<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        disconnect: &Disconnect,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.session_of(id) else { return };
        if let Some(expiry) = disconnect.session_expiry_interval {
            let expiry_maximum = session.limits.session_expiry_maximum;
            // A session that was to end with the connection cannot be kept after all (§3.14.2.2.2). Where none is kept, the zero is ours.
            if session.expiry == 0 && expiry > 0 && expiry_maximum > 0 {
                return self.violated(id, "DISCONNECT sets a Session Expiry Interval that was zero in CONNECT", context);
            }
            let expiry = expiry.min(expiry_maximum);
            if session.is_stored && expiry > 0 && expiry != session.expiry {
                context.store.append(&Change::SessionOpened { session: session.id, client: &session.client, expiry }, Urgency::Later);
            }
            session.expiry = expiry;
        }
        // [MQTT-3.14.4-3]: only a normal disconnection discards the Will.
        let will = if disconnect.reason_code == ReasonCode::Success { WillRule::Drop } else { WillRule::Publish };
        self.disconnect(id, CloseCause::ClientDisconnected(disconnect.reason_code), will, context);
    }

    /// Ends a connection for any reason. Does nothing if it has ended. Whether a DISCONNECT can be sent or not, the connection is closed,
    /// and nothing follows [MQTT-3.14.4-1], [MQTT-3.14.4-2], [MQTT-4.13.2-1].
    pub(crate) fn disconnect<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        cause: CloseCause,
        will: WillRule,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.timers.disarm(connection.keep_alive.armed, Timer::KeepAlive(id));
        if connection.manners.hears_disconnect
            && let Some(reason_code) = cause.reason_code()
        {
            let mut disconnect = Disconnect::new(connection.worded(&cause, reason_code));
            disconnect.reason_string = Some(cause.to_string().into());
            // One that is too large for the client is left out: closing says enough.
            let _ = connection.answer(Packet::Disconnect(Box::new(disconnect)), Ticket::NONE, context.output);
        }
        if matches!(cause, CloseCause::Kicked(_)) {
            self.stats.kicked += 1;
        }
        context.output.push(Output::Close { connection: id, cause: cause.clone() });
        context.output.push(Output::Event(Event::Disconnected {
            connection: id,
            client_identifier: connection.client.client_identifier().clone(),
            principal: connection.client.principal().clone(),
            cause,
        }));
        if let Some(session) = self.sessions.get_mut(connection.session).filter(|_| connection.asking.is_some()) {
            // Nobody hears the answer.
            session.standing.is_unsettled = true;
        }
        self.leave_session(connection.session, will, context);
    }

    /// Somebody outside ends a connection.
    pub(crate) fn kick<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        cause: KickCause,
        (will, rule): (WillRule, SessionRule),
        context: &mut Context<'_, D, S>,
    ) {
        if let Some(session) = self.session_of(id).filter(|_| rule == SessionRule::End) {
            session.expiry = 0;
        }
        self.disconnect(id, CloseCause::Kicked(cause), will, context);
    }

    /// The session has no connection any more: its Will and its end are settled. No session ends while it has one [MQTT-4.1.0-1],
    /// [MQTT-4.1.0-2].
    fn leave_session<D: SharedDirectory, S: Store>(&mut self, id: SessionId, will: WillRule, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let before = session.load();
        session.connection = None;
        session.standing.is_waiting = false;
        let (will, rule) = session.standing.sentenced(will);
        if rule == SessionRule::End {
            session.expiry = 0;
        }
        let was_starting = session.queue.is_starting();
        if !session.limits.messages.queued_qos0 {
            session.queue.drop_qos0();
        }
        if was_starting {
            session.note_started(context.store);
        }
        let after = session.load();
        let expiry = session.expiry;
        if expiry > 0 {
            let ends_at = (expiry != NEVER).then(|| context.now.plus_seconds(expiry));
            session.ends_at = ends_at;
            if session.is_stored {
                context.store.append(&Change::SessionLeft { session: id, ends_at }, Urgency::Later);
            }
            if let Some(at) = ends_at {
                self.timers.arm(at, Timer::SessionExpiry(id));
            }
            self.note_connected(id, false, context);
        }
        self.held = self.held.minus(before).plus(after);
        self.release_will(id, will, context);
        if expiry == 0 {
            self.end_session(id, context);
        }
    }

    /// Ends a session: what waits of its Will is published, what a Shared Subscription chose it for goes to others, everything else is
    /// forgotten.
    pub(crate) fn end_session<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        self.publish_will(id, context);
        let Some(session) = self.sessions.remove(id) else { return };
        self.held = self.held.minus(session.load());
        self.totals.session_ends();
        self.timers.disarm(session.ends_at, Timer::SessionExpiry(id));
        self.forget_timer_of(&session);
        session.subscribed.end(id, context.directory);
        context.output.push(Output::Event(Event::SessionEnded { client_identifier: session.client.client_identifier().clone() }));
        for exchange in session.inflight.into_exchanges() {
            // The QoS 1 messages that nobody acknowledged. QoS 2 messages under way must not be given to anybody else [MQTT-4.8.2-5].
            if let Stage::Puback(pending) = exchange.stage {
                self.give_away(&pending, context);
            }
            done(id, exchange.id, context.store);
        }
        for pending in session.queue.into_messages() {
            self.give_away(&pending, context);
            done(id, pending.id, context.store);
        }
        if session.is_stored {
            let received = session.received.iter().filter(|(_, received)| session.is_persistent && received.durability != Durability::Off);
            for (packet_id, _) in received {
                context.store.append(&Change::ReleasedQos2 { session: id, packet_id: *packet_id }, Urgency::Later);
            }
            for (key, _) in session.subscribed.iter().filter(|_| session.is_persistent) {
                context.store.append(&Change::SubscriptionRemoved { session: id, key }, Urgency::Later);
            }
            // The next client of this name may be told that there is no session: then it must not come back.
            let urgency = if session.is_persistent { Urgency::Now } else { Urgency::Later };
            let removed = context.store.append(&Change::SessionRemoved { session: id }, urgency);
            if session.is_persistent {
                self.last_removal = removed;
            }
        }
    }

    /// A message of a Shared Subscription goes to another member than the session it was for.
    pub(crate) fn give_away<D: SharedDirectory, S: Store>(&mut self, pending: &Pending, context: &mut Context<'_, D, S>) {
        if let Some(filter) = &pending.shared {
            self.pass_on(&pending.message, pending.received_at, (filter, 0), pending.id.is_some(), context);
        }
    }

    /// Shared Subscriptions prefer members that are connected.
    pub(crate) fn note_connected<D: SharedDirectory, S: Store>(&self, id: SessionId, is_connected: bool, context: &Context<'_, D, S>) {
        let Some(session) = self.sessions.get(id) else { return };
        if session.subscribed.iter().any(|(_, place)| matches!(place, Place::Group(_))) {
            context.directory.write(|directory| {
                for (_, place) in session.subscribed.iter() {
                    directory.subscriptions.set_connected(place, id, is_connected);
                }
            });
        }
    }
}
