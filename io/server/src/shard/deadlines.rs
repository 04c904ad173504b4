//! The time-outs of a shard's connections: one for each, in the order in which they are due.

use std::collections::BTreeSet;

use signet_net::LinkId;

/// Deadlines in milliseconds of the server's clock.
#[derive(Default)]
pub(super) struct Deadlines(BTreeSet<(u64, LinkId)>);

impl Deadlines {
    /// Replaces a connection's deadline, which it keeps in `current`.
    pub(super) fn set(&mut self, id: LinkId, current: &mut Option<u64>, at: Option<u64>) {
        if let Some(before) = current.take() {
            self.0.remove(&(before, id));
        }
        if let Some(at) = at {
            self.0.insert((at, id));
            *current = Some(at);
        }
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.first().map(|(at, _)| *at)
    }

    /// A connection whose time is over. It is not here any more, though it may keep the value.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<LinkId> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, id)| id)
    }
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
}
