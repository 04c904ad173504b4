//! The time-outs of a shard's connections: one for each, in the order in which they are due.

use std::collections::BTreeSet;

use signet_net::LinkId;

/// Deadlines in milliseconds of the server's clock.
#[derive(Default)]
pub(super) struct Deadlines {
    ends: BTreeSet<(u64, LinkId)>,
    /// When connections that sent too fast are to be read again.
    held: BTreeSet<(u64, LinkId)>,
}

impl Deadlines {
    /// Replaces a connection's deadline, which it keeps in `current`.
    pub(super) fn set(&mut self, id: LinkId, current: &mut Option<u64>, at: Option<u64>) {
        if let Some(before) = current.take() {
            self.ends.remove(&(before, id));
        }
        if let Some(at) = at {
            self.ends.insert((at, id));
            *current = Some(at);
        }
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<u64> {
        self.ends.first().into_iter().chain(self.held.first()).map(|(at, _)| *at).min()
    }

    /// A connection whose time is over. It is not here any more, though it may keep the value.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<LinkId> {
        pop_due(&mut self.ends, now)
    }

    /// Lets a connection wait until it is read again.
    pub(super) fn hold(&mut self, id: LinkId, until: u64) {
        self.held.insert((until, id));
    }

    /// A connection that is to be read again, if it is still there.
    pub(super) fn pop_released(&mut self, now: u64) -> Option<LinkId> {
        pop_due(&mut self.held, now)
    }
}

fn pop_due(set: &mut BTreeSet<(u64, LinkId)>, now: u64) -> Option<LinkId> {
    if set.first()?.0 > now {
        return None;
    }
    set.pop_first().map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_has_one_deadline() {
        let (id, other) = (LinkId::from_number(1), LinkId::from_number(2));
        let (mut deadlines, mut mine, mut others) = (Deadlines::default(), None, None);
        deadlines.set(id, &mut mine, Some(10));
        deadlines.set(other, &mut others, Some(20));
        deadlines.set(id, &mut mine, Some(30));
        assert_eq!(deadlines.next(), Some(20));
        assert_eq!(deadlines.pop_due(19), None);
        assert_eq!(deadlines.pop_due(30), Some(other));
        assert_eq!(deadlines.pop_due(30), Some(id));
        assert_eq!(deadlines.next(), None);
        deadlines.set(id, &mut mine, None);
        assert_eq!(mine, None);
    }

    #[test]
    fn who_is_held_back_keeps_its_deadline() {
        let (id, mut deadlines, mut mine) = (LinkId::from_number(1), Deadlines::default(), None);
        deadlines.set(id, &mut mine, Some(20));
        deadlines.hold(id, 10);
        assert_eq!(deadlines.next(), Some(10));
        assert_eq!((deadlines.pop_due(10), deadlines.pop_released(10)), (None, Some(id)));
        assert_eq!(deadlines.next(), Some(20));
    }
}
