//! Allocation of Packet Identifiers (§2.2.1).

use signet_mqtt::PacketId;

/// Hands out Packet Identifiers in turn, so that one that was just freed is not used again at once.
///
/// There are two kinds. A client that holds a QoS 2 message takes whatever comes under the same Packet Identifier for that message, also
/// when a crash has made the Server forget it: so what is not stored has identifiers of its own, and can never be in the way of what is.
#[derive(Debug, Default)]
pub(crate) struct PacketIds {
    last: u16,
    /// Counts from [`Self::PASSING`].
    last_passing: u16,
}

/// Whether an exchange outlives the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// The store knows of it, or nobody remembers it after a crash.
    Kept,
    /// The client may remember it longer than the Server.
    Passing,
}

impl PacketIds {
    /// Of either kind there are at least so many.
    pub(crate) const EACH_KIND: u16 = 0x4000;

    /// Identifiers from here on are for what is passing.
    const PASSING: u16 = 0xC000;

    /// Goes on after this one.
    pub(crate) fn after(last: Option<PacketId>) -> Self {
        let last = last.map(PacketId::get).filter(|last| *last < Self::PASSING);
        Self { last: last.unwrap_or(0), last_passing: 0 }
    }

    /// The next identifier that is not in use [MQTT-2.2.1-3]. Nothing if all are, which a window of at most [`Self::EACH_KIND`] rules out.
    pub(crate) fn allocate(&mut self, lifetime: Lifetime, is_used: impl Fn(PacketId) -> bool) -> Option<PacketId> {
        for _ in 0..=u16::MAX {
            let next = match lifetime {
                Lifetime::Kept => {
                    self.last = (self.last + 1) % Self::PASSING;
                    self.last
                }
                Lifetime::Passing => {
                    self.last_passing = (self.last_passing + 1) % Self::EACH_KIND;
                    Self::PASSING + self.last_passing
                }
            };
            if let Some(packet_id) = PacketId::new(next)
                && !is_used(packet_id)
            {
                return Some(packet_id);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mqtt_2_2_1_3_an_identifier_in_use_is_never_given_again() {
        let mut ids = PacketIds::after(PacketId::new(PacketIds::PASSING - 2));
        let used = |packet_id: PacketId| packet_id.get() == 1;
        let given: Vec<u16> = (0..3).map(|_| ids.allocate(Lifetime::Kept, used).unwrap().get()).collect();
        assert_eq!(given, [PacketIds::PASSING - 1, 2, 3], "zero and what is in use are stepped over");
        assert_eq!(ids.allocate(Lifetime::Kept, |_| true), None);
    }

    #[test]
    fn what_passes_and_what_is_kept_share_no_identifier() {
        let mut ids = PacketIds::default();
        for _ in 0..0x1_0000 {
            assert!(ids.allocate(Lifetime::Kept, |_| false).unwrap().get() < PacketIds::PASSING);
            assert!(ids.allocate(Lifetime::Passing, |_| false).unwrap().get() >= PacketIds::PASSING);
        }
    }
}
