//! QoS 1 and 2 exchanges under way to one client: the Receive Maximum window and the order of re-delivery (§4.3, §4.4, §4.9).

use std::collections::VecDeque;

use signet_mqtt::PacketId;

use crate::ids::MessageId;
use crate::packet_ids::PacketIds;
use crate::queue::Pending;

/// What an exchange waits for.
#[derive(Debug, Clone)]
pub(crate) enum Stage {
    /// QoS 1: PUBACK.
    Puback(Pending),
    /// QoS 2: PUBREC.
    Pubrec(Pending),
    /// QoS 2: PUBCOMP. The message itself is no longer needed.
    Pubcomp,
}

/// One message on its way.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) packet_id: PacketId,
    /// Under which id the store keeps it, if it does.
    pub(crate) id: Option<MessageId>,
    pub(crate) stage: Stage,
}

/// Exchanges in the order in which their PUBLISH was first sent, which is the order in which they are sent again [MQTT-4.6.0-1].
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    exchanges: VecDeque<Exchange>,
    /// How many of them, from the front, were sent on the present connection.
    sent: usize,
    packet_ids: PacketIds,
}

impl InFlight {
    /// Whether a new exchange may begin: it fits into the window [MQTT-3.3.4-9], where each holds its place until PUBACK or PUBCOMP, and
    /// everything older was sent on this connection [MQTT-4.6.0-1].
    pub(crate) fn has_room(&self, window: u16) -> bool {
        self.exchanges.len() < usize::from(window) && self.sent == self.exchanges.len()
    }

    /// A Packet Identifier for [`Self::begin`].
    pub(crate) fn allocate(&mut self) -> Option<PacketId> {
        let exchanges = &self.exchanges;
        self.packet_ids.allocate(|packet_id| exchanges.iter().any(|exchange| exchange.packet_id == packet_id))
    }

    /// The PUBLISH went out.
    pub(crate) fn begin(&mut self, packet_id: PacketId, id: Option<MessageId>, stage: Stage) {
        self.exchanges.push_back(Exchange { packet_id, id, stage });
        self.sent += 1;
    }

    /// A new connection: everything has to be sent again [MQTT-4.4.0-1].
    pub(crate) fn reconnect(&mut self) {
        self.sent = 0;
    }

    /// The next exchange to be sent again, if the window of the new connection has room for it.
    pub(crate) fn next_unsent(&self, window: u16) -> Option<&Exchange> {
        if self.sent >= usize::from(window) { None } else { self.exchanges.get(self.sent) }
    }

    /// It was sent again.
    pub(crate) fn mark_sent(&mut self) {
        self.sent += 1;
    }

    /// The QoS 1 messages that nobody acknowledged when the session ends. QoS 2 messages under way are not among them: they must not be given
    /// to anybody else [MQTT-4.8.2-5].
    pub(crate) fn into_unacknowledged(self) -> impl Iterator<Item = Pending> {
        self.exchanges.into_iter().filter_map(|exchange| match exchange.stage {
            Stage::Puback(pending) => Some(pending),
            Stage::Pubrec(_) | Stage::Pubcomp => None,
        })
    }

    /// An exchange under way.
    pub(crate) fn find(&mut self, packet_id: PacketId) -> Option<&mut Exchange> {
        self.exchanges.iter_mut().find(|exchange| exchange.packet_id == packet_id)
    }

    /// What it waits for.
    pub(crate) fn stage(&self, packet_id: PacketId) -> Option<&Stage> {
        self.exchanges.iter().find(|exchange| exchange.packet_id == packet_id).map(|exchange| &exchange.stage)
    }

    /// The exchange is over.
    pub(crate) fn end(&mut self, packet_id: PacketId) -> Option<Exchange> {
        let at = self.exchanges.iter().position(|exchange| exchange.packet_id == packet_id)?;
        if at < self.sent {
            self.sent -= 1;
        }
        self.exchanges.remove(at)
    }
}
