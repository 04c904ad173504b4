//! QoS 1 and 2 messages that we sent and the broker has not finished acknowledging (MQTT 5.0 §4.3).

use std::collections::BTreeMap;

use signet_mqtt::{PacketId, QoS};

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
    exchanges: BTreeMap<PacketId, Awaiting>,
    window: usize,
    last: u16,
}

impl InFlight {
    /// `window`: the broker's Receive Maximum, or our own smaller bound.
    pub(crate) fn new(window: u16) -> Self {
        Self { exchanges: BTreeMap::new(), window: usize::from(window.max(1)), last: 0 }
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
                vacant.insert(awaiting);
                return Some(id);
            }
        }
        None
    }

    /// Ends the exchange if it waited for exactly this; false means the broker answered something that was not asked.
    pub(crate) fn end(&mut self, id: PacketId, awaiting: Awaiting) -> bool {
        if self.exchanges.get(&id) == Some(&awaiting) {
            self.exchanges.remove(&id);
            return true;
        }
        false
    }

    /// PUBREC: the message is the broker's now, PUBREL follows.
    pub(crate) fn received(&mut self, id: PacketId) -> bool {
        match self.exchanges.get_mut(&id) {
            Some(awaiting @ (Awaiting::Pubrec | Awaiting::Pubcomp)) => {
                *awaiting = Awaiting::Pubcomp;
                true
            }
            _ => false,
        }
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
