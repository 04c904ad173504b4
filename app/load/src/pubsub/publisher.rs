//! One publisher: which of its messages are under way.

use crate::number::{index, wide};

/// Packet Identifiers that are used in turns (§2.2.1: never 0).
const PACKET_IDS: u64 = 65_535;

/// What a message under way still waits for.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    deliveries: u32,
    /// PUBACK or PUBCOMP.
    acknowledgement: bool,
}

/// A connection that publishes. Its messages are numbered; `next` is sent next, and all below `base` are done.
#[derive(Debug)]
pub(super) struct Publisher {
    next: u64,
    base: u64,
    window: u64,
    /// A power of two, at least the window.
    slots: Vec<Slot>,
    /// At a fixed rate, messages that have been due.
    pub(super) released: u64,
    /// The topic of the next message.
    pub(super) topic: u64,
    pub(super) ending: [u8; super::plan::ENDING],
    /// Whether it stands in the list of those that may send.
    pub(super) is_listed: bool,
}

impl Publisher {
    pub(super) fn new(window: usize, topic: u64, ending: [u8; super::plan::ENDING]) -> Self {
        let slots = vec![Slot::default(); window.next_power_of_two()];
        Self { next: 0, base: 0, window: wide(window), slots, released: 0, topic, ending, is_listed: false }
    }

    /// No more messages under way than the broker takes.
    pub(super) fn narrow(&mut self, window: u64) {
        self.window = self.window.min(window.max(1));
    }

    /// Messages sent so far, the number of the next.
    pub(super) fn sent(&self) -> u64 {
        self.next
    }

    /// Messages under way.
    pub(super) fn under_way(&self) -> u64 {
        self.next - self.base
    }

    pub(super) fn has_room(&self) -> bool {
        self.under_way() < self.window
    }

    /// Takes the next message into the window, and gives its Packet Identifier.
    pub(super) fn begin(&mut self, deliveries: u32, acknowledgement: bool) -> u16 {
        let number = self.next;
        let at = self.place(number);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Slot { deliveries, acknowledgement };
        }
        self.next += 1;
        u16::try_from(number % PACKET_IDS + 1).unwrap_or(1)
    }

    /// The message whose number ends like this, unless it is done or was never sent.
    pub(super) fn number_of(&self, low: u32) -> Option<u64> {
        let low_of_base = u32::try_from(self.base & u64::from(u32::MAX)).unwrap_or(0);
        let number = self.base + u64::from(low.wrapping_sub(low_of_base));
        (number < self.next).then_some(number)
    }

    /// One more has received it. `false`: nobody was still to.
    pub(super) fn deliver(&mut self, number: u64) -> bool {
        let at = self.place(number);
        let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.deliveries > 0) else { return false };
        slot.deliveries -= 1;
        self.advance();
        true
    }

    /// The broker is done with the message of this Packet Identifier.
    pub(super) fn acknowledge(&mut self, packet_id: u16) {
        let wanted = (u64::from(packet_id) + PACKET_IDS - 1) % PACKET_IDS;
        let number = self.base + (wanted + PACKET_IDS - self.base % PACKET_IDS) % PACKET_IDS;
        if number < self.next {
            let at = self.place(number);
            if let Some(slot) = self.slots.get_mut(at) {
                slot.acknowledgement = false;
            }
            self.advance();
        }
    }

    fn place(&self, number: u64) -> usize {
        index(number & wide(self.slots.len()).wrapping_sub(1))
    }

    fn advance(&mut self) {
        while self.base < self.next
            && self.slots.get(self.place(self.base)).is_some_and(|slot| slot.deliveries == 0 && !slot.acknowledgement)
        {
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publisher(window: usize) -> Publisher {
        Publisher::new(window, 0, [b'0'; super::super::plan::ENDING])
    }

    #[test]
    fn a_message_is_done_when_everybody_has_it_and_the_broker_says_so() {
        let mut publisher = publisher(2);
        let first = publisher.begin(2, true);
        let second = publisher.begin(1, true);
        assert_eq!((first, second, publisher.has_room()), (1, 2, false));
        // The second is done before the first, which holds the window.
        assert!(publisher.deliver(1));
        publisher.acknowledge(second);
        assert_eq!(publisher.under_way(), 2);
        assert!(publisher.deliver(0) && publisher.deliver(0) && !publisher.deliver(0));
        assert_eq!(publisher.under_way(), 2);
        publisher.acknowledge(first);
        assert_eq!((publisher.under_way(), publisher.has_room(), publisher.sent()), (0, true, 2));
        // An acknowledgement for nothing changes nothing.
        publisher.acknowledge(9);
        assert_eq!(publisher.under_way(), 0);
    }

    #[test]
    fn numbers_and_packet_identifiers_go_round() {
        let mut publisher = publisher(3);
        publisher.next = u64::from(u32::MAX) - 1;
        publisher.base = publisher.next;
        for _ in 0..200_000 {
            let number = publisher.sent();
            let packet_id = publisher.begin(1, true);
            assert!(packet_id > 0);
            let low = u32::try_from(number & u64::from(u32::MAX)).unwrap();
            assert_eq!(publisher.number_of(low), Some(number));
            assert_eq!(publisher.number_of(low.wrapping_add(1)), None);
            assert_eq!(publisher.number_of(low.wrapping_sub(1)), None);
            assert!(publisher.deliver(number));
            publisher.acknowledge(packet_id);
            assert_eq!(publisher.under_way(), 0);
        }
    }
}
