//! QoS 1 and 2 exchanges under way to one client: the Receive Maximum window and the order of re-delivery (§4.3, §4.4, §4.9).

use std::collections::VecDeque;

use signet_mqtt::PacketId;

use crate::ids::MessageId;
use crate::packet_ids::{Lifetime, PacketIds};
use crate::queue::Pending;
use crate::totals::Load;

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

impl Stage {
    /// The message, as long as it may have to be sent again.
    pub(crate) fn pending(&self) -> Option<&Pending> {
        match self {
            Self::Puback(pending) | Self::Pubrec(pending) => Some(pending),
            Self::Pubcomp => None,
        }
    }
}

/// What may be on its way to one client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Exchanges.
    pub(crate) exchanges: u16,
    /// Bytes of their payloads; 0: any.
    pub(crate) payload_bytes: usize,
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
    /// Bytes of the messages that may have to be sent again.
    bytes: usize,
    /// Counts every PUBLISH that was sent for the first time, so that a restarted broker knows their order.
    order: u64,
}

impl InFlight {
    /// What a restarted broker finds under way, in the order of first sending. `order` is that of the last one.
    pub(crate) fn restored(exchanges: VecDeque<Exchange>, order: u64) -> Self {
        let bytes = exchanges.iter().filter_map(|exchange| exchange.stage.pending()).map(|pending| pending.message.size()).sum();
        let packet_ids = PacketIds::after(exchanges.back().map(|exchange| exchange.packet_id));
        Self { exchanges, sent: 0, packet_ids, bytes, order }
    }

    /// Whether a new exchange may begin: it fits into the window [MQTT-3.3.4-9], where each holds its place until PUBACK or PUBCOMP,
    /// everything older was sent on this connection [MQTT-4.6.0-1], and the payloads on their way are fewer bytes than they may be.
    pub(crate) fn has_room(&self, Window { exchanges, payload_bytes }: Window) -> bool {
        let payload = |exchange: &Exchange| exchange.stage.pending().map_or(0, |pending| pending.message.payload.len());
        self.exchanges.len() < usize::from(exchanges)
            && self.sent == self.exchanges.len()
            && (payload_bytes == 0 || self.exchanges.iter().map(payload).sum::<usize>() < payload_bytes)
    }

    /// A Packet Identifier for [`Self::begin`].
    pub(crate) fn allocate(&mut self, lifetime: Lifetime) -> Option<PacketId> {
        self.packet_ids.allocate(lifetime, self.exchanges.iter().map(|exchange| exchange.packet_id))
    }

    /// The PUBLISH goes out. Returns its place in the order of first sending.
    pub(crate) fn begin(&mut self, packet_id: PacketId, id: Option<MessageId>, stage: Stage) -> u64 {
        self.bytes += stage.pending().map_or(0, |pending| pending.message.size());
        self.exchanges.push_back(Exchange { packet_id, id, stage });
        self.sent += 1;
        self.order += 1;
        self.order
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

    /// What is under way when the session ends.
    pub(crate) fn into_exchanges(self) -> impl Iterator<Item = Exchange> {
        self.exchanges.into_iter()
    }

    /// An exchange under way.
    pub(crate) fn find(&self, packet_id: PacketId) -> Option<&Exchange> {
        self.exchanges.iter().find(|exchange| exchange.packet_id == packet_id)
    }

    /// Takes back what was not sent on the present connection and is not kept, with the ids in the store. An exchange of QoS 1 is over. One of
    /// QoS 2 is not, because the client may have the message and remember its Packet Identifier: PUBREL is what is left to be sent of it.
    pub(crate) fn withdraw(&mut self, is_kept: impl Fn(&Pending) -> bool) -> Vec<(Stage, Option<MessageId>)> {
        let mut taken = Vec::new();
        let sent = self.exchanges.drain(..self.sent.min(self.exchanges.len())).collect::<Vec<_>>();
        let rest = std::mem::replace(&mut self.exchanges, sent.into());
        for mut exchange in rest {
            match exchange.stage.pending() {
                Some(pending) if !is_kept(pending) => self.bytes -= pending.message.size(),
                _ => {
                    self.exchanges.push_back(exchange);
                    continue;
                }
            }
            let id = exchange.id;
            match std::mem::replace(&mut exchange.stage, Stage::Pubcomp) {
                stage @ Stage::Puback(_) => taken.push((stage, id)),
                stage => {
                    taken.push((stage, id));
                    self.exchanges.push_back(exchange);
                }
            }
        }
        taken
    }

    /// PUBREC came: gives the message of a QoS 2 exchange out, which is no longer needed.
    pub(crate) fn release(&mut self, packet_id: PacketId) -> Option<Pending> {
        let exchange = self.exchanges.iter_mut().find(|exchange| exchange.packet_id == packet_id)?;
        match std::mem::replace(&mut exchange.stage, Stage::Pubcomp) {
            Stage::Puback(pending) | Stage::Pubrec(pending) => {
                self.bytes -= pending.message.size();
                Some(pending)
            }
            Stage::Pubcomp => None,
        }
    }

    /// The exchange is over.
    pub(crate) fn end(&mut self, packet_id: PacketId) -> Option<Exchange> {
        let at = self.exchanges.iter().position(|exchange| exchange.packet_id == packet_id)?;
        if at < self.sent {
            self.sent -= 1;
        }
        let exchange = self.exchanges.remove(at)?;
        self.bytes -= exchange.stage.pending().map_or(0, |pending| pending.message.size());
        Some(exchange)
    }

    /// What is under way.
    pub(crate) fn load(&self) -> Load {
        Load { messages: self.exchanges.len(), bytes: self.bytes }
    }
}
