//! Allocation of Packet Identifiers (§2.2.1).

use signet_mqtt::PacketId;

/// Hands out Packet Identifiers in turn, so that one that was just freed is not used again at once.
///
/// There are two kinds. A client that holds a QoS 2 message takes whatever comes under the same Packet Identifier for that message, also
/// when a crash has made the Server forget it: so what is not stored has identifiers of its own, and can never be in the way of what is.
#[derive(Debug, Default)]
pub(crate) struct PacketIds {
    kept: Turn,
    /// Counts from [`PacketIds::PASSING`].
    passing: Turn,
}

/// Where the identifiers of one kind are.
#[derive(Debug, Default)]
struct Turn {
    last: u16,
    /// How many behind the last one are known to be free: what is given out since lies before it.
    free: u16,
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
        Self { kept: Turn { last: last.unwrap_or(0), free: 0 }, passing: Turn::default() }
    }

    /// The next identifier that is not in use [MQTT-2.2.1-3]. Nothing if all are, which a window of at most [`Self::EACH_KIND`] rules out.
    /// `used` is walked only once for each run of free ones.
    pub(crate) fn allocate(&mut self, lifetime: Lifetime, used: impl Iterator<Item = PacketId> + Clone) -> Option<PacketId> {
        let used = used.map(PacketId::get);
        match lifetime {
            // Zero is no identifier.
            Lifetime::Kept => self.kept.next(Self::PASSING, used.filter(|id| *id < Self::PASSING).chain([0])),
            Lifetime::Passing => {
                let used = used.filter_map(|id| id.checked_sub(Self::PASSING));
                self.passing.next(Self::EACH_KIND, used).map(|next| Self::PASSING + next)
            }
        }
        .and_then(PacketId::new)
    }
}

impl Turn {
    /// The next of `count` numbers in turn that is not used.
    fn next(&mut self, count: u16, used: impl Iterator<Item = u16> + Clone) -> Option<u16> {
        for _ in 0..count {
            if self.free == 0 {
                let behind = |id: u16| if id > self.last { id - self.last - 1 } else { count - self.last - 1 + id };
                self.free = used.clone().map(behind).min().unwrap_or(count - 1);
            }
            self.last = (self.last + 1) % count;
            if let Some(left) = self.free.checked_sub(1) {
                self.free = left;
                return Some(self.last);
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
        let used = [1, 4, PacketIds::PASSING].map(|id| PacketId::new(id).unwrap());
        let given: Vec<u16> = (0..4).map(|_| ids.allocate(Lifetime::Kept, used.into_iter()).unwrap().get()).collect();
        assert_eq!(given, [PacketIds::PASSING - 1, 2, 3, 5], "zero and what is in use are stepped over");
        assert_eq!(ids.allocate(Lifetime::Passing, used.into_iter()).unwrap().get(), PacketIds::PASSING + 1);
        assert_eq!(Turn::default().next(8, 0..8), None);
        assert_eq!(Turn::default().next(8, (0..8).filter(|id| *id != 5)), Some(5));
    }

    #[test]
    fn what_passes_and_what_is_kept_share_no_identifier() {
        let mut ids = PacketIds::default();
        for _ in 0..0x1_0000 {
            assert!(ids.allocate(Lifetime::Kept, std::iter::empty()).unwrap().get() < PacketIds::PASSING);
            assert!(ids.allocate(Lifetime::Passing, std::iter::empty()).unwrap().get() >= PacketIds::PASSING);
        }
    }

    /// Against walking all that is in use for each one.
    #[test]
    fn what_is_skipped_does_not_depend_on_when_it_was_looked_at() {
        let mut ids = PacketIds::default();
        let mut window: std::collections::VecDeque<PacketId> = (1..=3).filter_map(|id| PacketId::new(id * 7)).collect();
        let stuck = PacketId::new(9_999).unwrap();
        window.push_back(stuck);
        for round in 0..100_000_u32 {
            let next = ids.allocate(Lifetime::Kept, window.iter().copied()).unwrap();
            assert!(!window.contains(&next), "{next:?} in round {round}");
            window.push_back(next);
            if window.len() > 20 {
                let gone = usize::from(window[0] == stuck);
                window.remove(gone);
            }
        }
    }
}
