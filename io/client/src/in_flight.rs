//! QoS 1 and 2 messages that we sent and the broker has not finished acknowledging (MQTT 5.0 §4.3).

use std::collections::BTreeMap;

use signet_mqtt::{PacketId, Publish, QoS};

/// Where an outgoing exchange stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaiting {
    Puback,
    Pubrec,
    Pubcomp,
    Suback,
    Unsuback,
}

/// The exchanges in progress by Packet Identifier. Never holds more than `window` publishes.
#[derive(Debug)]
pub(crate) struct InFlight {
    exchanges: BTreeMap<PacketId, Exchange>,
    window: usize,
    last: u16,
    begun: u64,
}

#[derive(Debug)]
struct Exchange {
    awaiting: Awaiting,
    /// What it is about, as long as it may have to be sent again.
    message: Option<Publish>,
    /// The order in which exchanges began.
    number: u64,
}

impl InFlight {
    /// `window`: the broker's Receive Maximum, or our own smaller bound.
    pub(crate) fn new(window: u16) -> Self {
        Self { exchanges: BTreeMap::new(), window: usize::from(window.max(1)), last: 0, begun: 0 }
    }

    /// `window` as in [`Self::new`].
    pub(crate) fn set_window(&mut self, window: u16) {
        self.window = usize::from(window.max(1));
    }

    /// No room for another QoS 1 or 2 publish [MQTT-3.3.4-9].
    pub(crate) fn is_full(&self) -> bool {
        self.exchanges.len() >= self.window
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// Starts an exchange with an unused Packet Identifier [MQTT-2.2.1-3]. None only if all 65535 are in use.
    pub(crate) fn begin(&mut self, awaiting: Awaiting) -> Option<PacketId> {
        for _ in 0..=u16::MAX {
            self.last = self.last.checked_add(1).unwrap_or(1);
            let Some(id) = PacketId::new(self.last) else { continue };
            if let std::collections::btree_map::Entry::Vacant(vacant) = self.exchanges.entry(id) {
                self.begun += 1;
                vacant.insert(Exchange { awaiting, message: None, number: self.begun });
                return Some(id);
            }
        }
        None
    }

    /// Ends the exchange if it waited for exactly this; false means the broker answered something that was not asked.
    pub(crate) fn end(&mut self, id: PacketId, awaiting: Awaiting) -> bool {
        if self.exchanges.get(&id).map(|exchange| exchange.awaiting) == Some(awaiting) {
            self.exchanges.remove(&id);
            return true;
        }
        false
    }

    /// PUBREC: the message is the broker's now, PUBREL follows.
    pub(crate) fn received(&mut self, id: PacketId) -> bool {
        match self.exchanges.get_mut(&id) {
            Some(exchange) if matches!(exchange.awaiting, Awaiting::Pubrec | Awaiting::Pubcomp) => {
                exchange.awaiting = Awaiting::Pubcomp;
                exchange.message = None;
                true
            }
            _ => false,
        }
    }

    /// Keeps the message of an exchange that has begun, in case that the connection is lost.
    pub(crate) fn keep(&mut self, message: &Publish) {
        if let Some(exchange) = message.packet_id.and_then(|id| self.exchanges.get_mut(&id)) {
            exchange.message = Some(message.clone());
        }
    }

    pub(crate) fn contains(&self, id: PacketId) -> bool {
        self.exchanges.contains_key(&id)
    }

    /// A new connection: subscriptions that were not answered are given up, and what has to be sent again is listed in its order. That is the message,
    /// or PUBREL where the broker has it already.
    pub(crate) fn begin_anew(&mut self) -> Vec<(PacketId, Option<Publish>)> {
        self.exchanges.retain(|_, exchange| !matches!(exchange.awaiting, Awaiting::Suback | Awaiting::Unsuback));
        let mut unfinished: Vec<_> = self.exchanges.iter().collect();
        unfinished.sort_by_key(|(_, exchange)| exchange.number);
        unfinished.into_iter().map(|(id, exchange)| (*id, exchange.message.clone())).collect()
    }
}

/// The acknowledgement that a publish of this QoS waits for; None for QoS 0.
pub(crate) fn awaited(qos: QoS) -> Option<Awaiting> {
    match qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce => Some(Awaiting::Puback),
        QoS::ExactlyOnce => Some(Awaiting::Pubrec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_never_reused_while_in_flight_and_wrap_past_zero() {
        let mut in_flight = InFlight::new(10);
        let first = in_flight.begin(Awaiting::Puback).unwrap();
        assert_eq!(first.get(), 1);
        in_flight.last = u16::MAX;
        assert_eq!(in_flight.begin(Awaiting::Puback).unwrap().get(), 2);
        assert!(in_flight.end(first, Awaiting::Puback));
        in_flight.last = u16::MAX;
        assert_eq!(in_flight.begin(Awaiting::Puback).unwrap().get(), 1);
    }

    #[test]
    fn an_answer_must_be_the_one_that_was_awaited() {
        let mut in_flight = InFlight::new(1);
        let id = in_flight.begin(Awaiting::Pubrec).unwrap();
        assert!(in_flight.is_full());
        assert!(!in_flight.end(id, Awaiting::Puback));
        assert!(!in_flight.end(id, Awaiting::Pubcomp));
        assert!(in_flight.received(id));
        assert!(in_flight.end(id, Awaiting::Pubcomp));
        assert!(in_flight.is_empty());
    }
}
