//! The acknowledgements of QoS 1 and 2, both directions (§4.3.2, §4.3.3).

use signet_mqtt::{Ack, Packet, PacketId, ReasonCode};

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::ConnectionId;
use crate::inflight::Stage;
use crate::session::Session;
use crate::store::{Change, Store, Ticket, Urgency};

impl Broker {
    /// QoS 1 to the client ends.
    pub(crate) fn puback<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, ack: &Ack, context: &mut Context<'_, D, S>) {
        let Some(session) = self.session_of(id) else { return };
        match session.inflight.stage(ack.packet_id) {
            Some(Stage::Puback(_)) => self.exchange_ends(id, ack.packet_id, context),
            Some(Stage::Pubrec(_) | Stage::Pubcomp) => self.violated(id, "PUBACK for a message with QoS 2", context),
            // The answer to something that an earlier connection sent and that has ended since.
            None => {}
        }
    }

    /// QoS 2 to the client: it has the message.
    pub(crate) fn pubrec<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, ack: &Ack, context: &mut Context<'_, D, S>) {
        let Some(session) = self.session_of(id) else { return };
        let session_id = session.id;
        let exchange = session.inflight.find(ack.packet_id);
        let stored = exchange.as_ref().and_then(|exchange| exchange.id);
        let reason_code = match exchange.map(|exchange| &mut exchange.stage) {
            // A refusal ends the exchange [MQTT-4.3.3-4].
            Some(Stage::Pubrec(_)) if ack.reason_code.is_error() => return self.exchange_ends(id, ack.packet_id, context),
            Some(stage @ Stage::Pubrec(_)) => {
                *stage = Stage::Pubcomp;
                ReasonCode::Success
            }
            Some(Stage::Pubcomp) => ReasonCode::Success,
            Some(Stage::Puback(_)) => return self.violated(id, "PUBREC for a message with QoS 1", context),
            None if ack.reason_code.is_error() => return,
            None => ReasonCode::PacketIdentifierNotFound,
        };
        let mut after = Ticket::NONE;
        if let Some(id) = stored.filter(|_| reason_code == ReasonCode::Success) {
            after = context.store.append(&Change::MessageReleased { session: session_id, id }, Urgency::Now);
        }
        self.answer(id, Packet::Pubrel(Ack::new(ack.packet_id, reason_code)), after, context);
    }

    /// QoS 2 from the client: it will not send the message again.
    pub(crate) fn pubrel<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, ack: &Ack, context: &mut Context<'_, D, S>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(session) = self.sessions.get_mut(connection.session) else { return };
        let released = session.received.remove(&ack.packet_id);
        if released == Some(id) {
            connection.receiving = connection.receiving.saturating_sub(1);
        }
        let was_known = released.is_some();
        let mut after = Ticket::NONE;
        if was_known && session.is_persistent {
            after = context.store.append(&Change::ReleasedQos2 { session: session.id, packet_id: ack.packet_id }, Urgency::Now);
        }
        let reason_code = if was_known { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
        // [MQTT-4.3.3-11]
        self.answer(id, Packet::Pubcomp(Ack::new(ack.packet_id, reason_code)), after, context);
    }

    /// QoS 2 to the client ends.
    pub(crate) fn pubcomp<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, ack: &Ack, context: &mut Context<'_, D, S>) {
        let Some(session) = self.session_of(id) else { return };
        match session.inflight.stage(ack.packet_id) {
            Some(Stage::Pubcomp) => self.exchange_ends(id, ack.packet_id, context),
            Some(Stage::Puback(_) | Stage::Pubrec(_)) => self.violated(id, "PUBCOMP before PUBREC", context),
            None => {}
        }
    }

    /// The Packet Identifier is free and the window has room for one more.
    fn exchange_ends<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, packet_id: PacketId, context: &mut Context<'_, D, S>) {
        let Some(session) = self.session_of(id) else { return };
        let session_id = session.id;
        if let Some(id) = session.inflight.end(packet_id).and_then(|exchange| exchange.id) {
            context.store.append(&Change::MessageDone { session: session_id, id }, Urgency::Later);
        }
        self.pump(session_id, context);
    }

    pub(crate) fn session_of(&mut self, id: ConnectionId) -> Option<&mut Session> {
        self.sessions.get_mut(self.connections.get(&id)?.session)
    }
}
