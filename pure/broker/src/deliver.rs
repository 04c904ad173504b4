//! From a routed message to a PUBLISH on the wire: now, or later from the queue.

use std::sync::Arc;

use signet_mqtt::{Ack, Message, Packet, QoS};

use crate::broker::{Broker, Context};
use crate::connection::Connection;
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, MessageId, SessionId};
use crate::inflight::Stage;
use crate::input::{Recipient, WillRule};
use crate::moment::Moment;
use crate::output::{CloseCause, Output};
use crate::queue::Pending;
use crate::retained::RetainedMessage;
use crate::session::Session;
use crate::stats::Stats;
use crate::store::{Change, Store, Ticket, Urgency};
use crate::timers::Timer;

/// What [`Broker::pump`] sends to one client before others have their turn.
const PUMP_BYTES: usize = 64 * 1024;

/// What a packet counts for besides its message, so that many small ones count too.
const PUMP_ENTRY: usize = 64;

impl Broker {
    /// Gives a message to one session of this shard. If it ended in the meantime only a Shared Subscription has somebody else.
    pub(crate) fn deliver<D: SharedDirectory, S: Store>(
        &mut self,
        id: Option<MessageId>,
        message: &Arc<Message>,
        received_at: Moment,
        recipient: Recipient,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.get_mut(recipient.session) else {
            if let Some(filter) = &recipient.shared {
                self.pass_on(message, received_at, filter, context);
            }
            return;
        };
        let connection = session.connection.and_then(|id| self.connections.get_mut(&id));
        let pending = Pending::new(id, message, received_at, recipient);
        if pending.qos == QoS::AtMostOnce {
            // QoS 0 is for those who are there: it is neither kept for the absent nor queued for the slow.
            let Some(connection) = connection else { return };
            if session.queue.holds_qos0() {
                // Behind what is older, above all behind the retained messages of a subscription that is just starting.
                if !session.queue.push(pending, &self.limits) {
                    self.stats.dropped_slow += 1;
                }
            } else if connection.is_writable {
                connection.transmit(&pending, None, false, context.now, Ticket::NONE, (context.output, &mut self.stats));
            } else {
                self.stats.dropped_slow += 1;
            }
            return;
        }
        if let Some(connection) = connection
            && connection.is_writable
            && session.queue.is_empty()
            && session.inflight.has_room(connection.window)
        {
            start(session, connection, pending, &mut self.stats, context);
            return;
        }
        if session.queue.push(pending.clone(), &self.limits) {
            return;
        }
        self.stats.dropped_expired += u64::try_from(session.queue.drop_expired(context.now)).unwrap_or(0);
        if !session.queue.push(pending, &self.limits) {
            self.stats.dropped_queue_full += 1;
        }
    }

    /// Gives a new subscription the retained messages it starts with, all of them, behind what the session already waits for.
    pub(crate) fn start_with<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        retained: Vec<(RetainedMessage, Recipient)>,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        for (retained, recipient) in retained {
            let pending = Pending::new(None, &retained.message, retained.received_at, recipient);
            if !session.queue.push_start(pending, &self.limits) {
                self.stats.dropped_queue_full += 1;
            }
        }
        self.pump(id, context);
    }

    /// Sends what may be sent: first again what an earlier connection left open, in its order, then what is queued. Never more than
    /// [`PUMP_BYTES`] at a time: the rest goes on with the next tick, so that others have their turn and the water marks are heard.
    pub(crate) fn pump<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(connection) = session.connection.and_then(|id| self.connections.get_mut(&id)) else { return };
        let mut pumped = 0;
        while connection.is_writable {
            if pumped >= PUMP_BYTES {
                self.timers.arm(context.now.plus_millis(1), Timer::Pump(id));
                break;
            }
            if resend_next(session, connection, &mut self.stats, context) {
                pumped += PUMP_ENTRY;
                continue;
            }
            let Some(qos) = session.queue.next_qos() else { break };
            if qos > QoS::AtMostOnce && !session.inflight.has_room(connection.window) {
                break;
            }
            let Some(pending) = session.queue.pop() else { break };
            pumped += PUMP_ENTRY + pending.message.size();
            if qos == QoS::AtMostOnce {
                connection.transmit(&pending, None, false, context.now, Ticket::NONE, (context.output, &mut self.stats));
            } else {
                start(session, connection, pending, &mut self.stats, context);
            }
        }
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

/// Sends a message with QoS 1 or 2 for the first time.
fn start<D: SharedDirectory, S: Store>(
    session: &mut Session,
    connection: &mut Connection,
    pending: Pending,
    stats: &mut Stats,
    context: &mut Context<'_, D, S>,
) {
    let Some(packet_id) = session.inflight.allocate() else { return };
    if !connection.transmit(&pending, Some(packet_id), false, context.now, Ticket::NONE, (context.output, stats)) {
        return;
    }
    let id = pending.id;
    let stage = if pending.qos == QoS::ExactlyOnce { Stage::Pubrec(pending) } else { Stage::Puback(pending) };
    session.inflight.begin(packet_id, id, stage);
    if let Some(id) = id {
        context.store.append(&Change::MessageSent { session: session.id, id, packet_id, order: 0 }, Urgency::Now);
    }
}

/// Sends one exchange of an earlier connection again [MQTT-4.4.0-1]. Returns false if there is none, or no room for it yet.
fn resend_next<D: SharedDirectory, S: Store>(
    session: &mut Session,
    connection: &mut Connection,
    stats: &mut Stats,
    context: &mut Context<'_, D, S>,
) -> bool {
    let Some(exchange) = session.inflight.next_unsent(connection.window) else { return false };
    let packet_id = exchange.packet_id;
    let was_sent = match &exchange.stage {
        // [MQTT-3.3.1-1]
        Stage::Puback(pending) | Stage::Pubrec(pending) => {
            connection.transmit(pending, Some(packet_id), true, context.now, Ticket::NONE, (context.output, stats))
        }
        Stage::Pubcomp => {
            context.output.push(Output::Send {
                connection: connection.id,
                packet: Packet::Pubrel(Ack::success(packet_id)),
                after: Ticket::NONE,
            });
            true
        }
    };
    if was_sent {
        session.inflight.mark_sent();
    } else {
        session.inflight.end(packet_id);
    }
    true
}
