//! Every way a connection ends → one [`CloseCause`], and what becomes of Will and session.

use signet_mqtt::{Disconnect, Packet, ReasonCode};

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, SessionId};
use crate::input::WillRule;
use crate::output::{CloseCause, Event, Output};
use crate::session::NEVER;
use crate::store::{Change, Store, Ticket, Urgency};
use crate::timers::Timer;

impl Broker {
    /// The client said DISCONNECT (§3.14).
    pub(crate) fn client_disconnect<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        disconnect: &Disconnect,
        context: &mut Context<'_, D, S>,
    ) {
        let expiry_maximum = self.limits.session_expiry_maximum;
        let Some(session) = self.session_of(id) else { return };
        if let Some(expiry) = disconnect.session_expiry_interval {
            // A session that was to end with the connection cannot be kept after all (§3.14.2.2.2). Where none is kept, the zero is ours.
            if session.expiry == 0 && expiry > 0 && expiry_maximum > 0 {
                return self.violated(id, "DISCONNECT sets a Session Expiry Interval that was zero in CONNECT", context);
            }
            session.set_expiry(expiry.min(expiry_maximum));
        }
        // [MQTT-3.14.4-3]: only a normal disconnection discards the Will.
        let will = if disconnect.reason_code == ReasonCode::Success { WillRule::Drop } else { WillRule::Publish };
        self.disconnect(id, CloseCause::ClientDisconnected(disconnect.reason_code), will, context);
    }

    /// Ends a connection for any reason. Does nothing if it has ended.
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
            let mut disconnect = Disconnect::new(reason_code);
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
        self.leave_session(connection.session, will, context);
    }

    /// The session has no connection any more: its Will and its end are settled.
    fn leave_session<D: SharedDirectory, S: Store>(&mut self, id: SessionId, will: WillRule, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.connection = None;
        session.queue.drop_qos0();
        let expiry = session.expiry;
        if expiry > 0 {
            let at = (expiry != NEVER).then(|| context.now.plus_seconds(expiry));
            session.ends_at = at;
            context.store.append(&Change::SessionLeft { session: id, ends_at: at }, Urgency::Later);
            if let Some(at) = at {
                self.timers.arm(at, Timer::SessionExpiry(id));
            }
            self.note_connected(id, false, context);
        }
        self.release_will(id, will, context);
        if expiry == 0 {
            self.end_session(id, context);
        }
    }

    /// Ends a session: what waits of its Will is published, everything else is forgotten.
    pub(crate) fn end_session<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        self.publish_will(id, context);
        let Some(session) = self.sessions.remove(id) else { return };
        self.timers.disarm(session.ends_at, Timer::SessionExpiry(id));
        if !session.subscriptions.is_empty() {
            context.directory.write(|directory| {
                for filter in session.subscriptions.keys() {
                    directory.subscriptions.remove(filter, id);
                }
            });
        }
        if session.is_persistent {
            context.store.append(&Change::SessionRemoved { session: id }, Urgency::Later);
        }
        context.output.push(Output::Event(Event::SessionEnded { client_identifier: session.client.client_identifier().clone() }));
        for pending in session.inflight.into_unacknowledged().chain(session.queue.into_messages()) {
            if let Some(filter) = &pending.shared {
                self.pass_on(&pending.message, pending.received_at, filter, context);
            }
        }
    }

    /// Shared Subscriptions prefer members that are connected.
    pub(crate) fn note_connected<D: SharedDirectory, S: Store>(&self, id: SessionId, is_connected: bool, context: &Context<'_, D, S>) {
        let Some(session) = self.sessions.get(id) else { return };
        if session.subscriptions.keys().any(|filter| filter.shared().is_some()) {
            context.directory.write(|directory| {
                for filter in session.subscriptions.keys() {
                    directory.subscriptions.set_connected(filter, id, is_connected);
                }
            });
        }
    }
}
