//! The acknowledgements of QoS 1 and 2, both directions (§4.3.2, §4.3.3).

use signet_mqtt::{Ack, Packet, PacketId, ReasonCode};

use crate::broker::{Broker, Context};
use crate::deliver::done;
use crate::directory::SharedDirectory;
use crate::durability::Durability;
use crate::ids::ConnectionId;
use crate::inflight::Stage;
use crate::session::Session;
use crate::store::{Change, Store, Ticket, Urgency};

impl Broker {
    /// QoS 1 to the client ends, whatever the client says of the message [MQTT-4.4.0-2], [MQTT-4.8.2-6].
    pub(crate) fn puback<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, ack: &Ack, context: &mut Context<'_, D, S>) {
        let Some(session) = self.session_of(id) else { return };
        match session.inflight.find(ack.packet_id).map(|exchange| &exchange.stage) {
            Some(Stage::Puback(_)) => self.exchange_ends(id, ack.packet_id, context),
            Some(Stage::Pubrec(_) | Stage::Pubcomp) => self.violated(id, "PUBACK for a message with QoS 2", context),
            // The answer to something that an earlier connection sent and that has ended since.
            None => {}
        }
    }

    /// QoS 2 to the client: it has the message. PUBRELs go out in the order of these [MQTT-4.6.0-4].
    pub(crate) fn pubrec<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, ack: &Ack, context: &mut Context<'_, D, S>) {
        let Some(session) = self.session_of(id) else { return };
        let packet_id = ack.packet_id;
        let (stage, stored) = match session.inflight.find(packet_id) {
            Some(exchange) => (Some(&exchange.stage), exchange.id),
            None => (None, None),
        };
        let mut after = Ticket::NONE;
        let reason_code = match stage {
            // A refusal ends the exchange [MQTT-4.3.3-4], [MQTT-4.4.0-2].
            Some(Stage::Pubrec(_)) if ack.reason_code.is_error() => return self.exchange_ends(id, packet_id, context),
            Some(Stage::Pubrec(_)) => {
                after = self.released(id, packet_id, context);
                ReasonCode::Success
            }
            Some(Stage::Pubcomp) => {
                after = stored.map_or(Ticket::NONE, |_| context.store.latest());
                ReasonCode::Success
            }
            Some(Stage::Puback(_)) => return self.violated(id, "PUBREC for a message with QoS 1", context),
            None if ack.reason_code.is_error() => return,
            None => ReasonCode::PacketIdentifierNotFound,
        };
        self.answer(id, Packet::Pubrel(Ack::new(packet_id, reason_code)), after, context);
    }

    /// The client has the message of a QoS 2 exchange. Returns what PUBREL waits for: after a crash the message must not be sent again.
    fn released<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, packet_id: PacketId, context: &mut Context<'_, D, S>) -> Ticket {
        let Some(session) = self.session_of(id) else { return Ticket::NONE };
        let before = session.load();
        let released = session.inflight.release(packet_id);
        let after = session.load();
        let mut ticket = Ticket::NONE;
        if let Some(message) = released.and_then(|pending| pending.id) {
            // However durable the message: the client forgets its Packet Identifier with PUBREL, and would take it for a new one.
            ticket = context.store.append(&Change::MessageReleased { session: session.id, id: message }, Urgency::Now);
        }
        self.held = self.held.minus(before).plus(after);
        ticket
    }

    /// QoS 2 from the client: it will not send the message again. Nobody asks whether the message has expired [MQTT-4.3.3-13].
    pub(crate) fn pubrel<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, ack: &Ack, context: &mut Context<'_, D, S>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(session) = self.sessions.get_mut(connection.session) else { return };
        let released = session.received.remove(&ack.packet_id);
        let mut after = Ticket::NONE;
        if let Some(received) = released {
            if received.connection == Some(id) {
                connection.incoming.open = connection.incoming.open.saturating_sub(1);
            }
            if session.is_persistent && received.durability != Durability::Off {
                // However durable the message: the client may use the Packet Identifier for another one that is, as soon as it has PUBCOMP.
                after = context.store.append(&Change::ReleasedQos2 { session: session.id, packet_id: ack.packet_id }, Urgency::Now);
            }
        } else if session.is_persistent {
            // Released before, and perhaps not durably.
            after = context.store.latest();
        }
        let reason_code = if released.is_some() { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
        // [MQTT-4.3.3-11]
        self.answer(id, Packet::Pubcomp(Ack::new(ack.packet_id, reason_code)), after, context);
    }

    /// QoS 2 to the client ends.
    pub(crate) fn pubcomp<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, ack: &Ack, context: &mut Context<'_, D, S>) {
        let Some(session) = self.session_of(id) else { return };
        match session.inflight.find(ack.packet_id).map(|exchange| &exchange.stage) {
            Some(Stage::Pubcomp) => self.exchange_ends(id, ack.packet_id, context),
            Some(Stage::Puback(_) | Stage::Pubrec(_)) => self.violated(id, "PUBCOMP before PUBREC", context),
            None => {}
        }
    }

    /// The Packet Identifier is free and the window has room for one more.
    fn exchange_ends<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, packet_id: PacketId, context: &mut Context<'_, D, S>) {
        let Some(session) = self.session_of(id) else { return };
        let before = session.load();
        let ended = session.inflight.end(packet_id).and_then(|exchange| exchange.id);
        let after = session.load();
        let session = session.id;
        done(session, ended, context.store);
        self.held = self.held.minus(before).plus(after);
        self.pump(session, context);
    }

    pub(crate) fn session_of(&mut self, id: ConnectionId) -> Option<&mut Session> {
        self.sessions.get_mut(self.connections.get(&id)?.session)
    }
}
