//! Where the records stand that put something, by what they put, in as few octets as it takes: there are millions.

use super::parts::{Parts, Spread};
use super::{Key, Location};

/// Subscriptions of a session that stand side by side. Their keys are small numbers, used again and again.
const ROW: u32 = 16;

/// See the file's documentation.
#[derive(Debug, Default)]
pub(super) struct Puts {
    single: Parts<Packed, Location>,
    /// Subscriptions but the first of each session, by session and key divided by [`ROW`].
    rows: Parts<Packed, Row>,
}

/// A [`Key`], or a session and a row of its subscriptions, without the room that wider numbers would leave between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Packed {
    high: u32,
    low: u32,
    what: u32,
}

/// One place for each key, as far as the largest that there is. A record has a length, so an empty place has none.
#[derive(Debug, Default)]
struct Row(Vec<Location>);

const EMPTY: Location = Location { segment: 0, offset: 0, length: 0 };

impl Packed {
    fn new(id: u64, what: u32) -> Self {
        let [a, b, c, d, e, f, g, h] = id.to_be_bytes();
        Self { high: u32::from_be_bytes([a, b, c, d]), low: u32::from_be_bytes([e, f, g, h]), what }
    }
}

impl Spread for Packed {
    fn spread(&self) -> u64 {
        // Neither all of one session's in one part, nor all first ones.
        u64::from(self.low).wrapping_add(self.what.into())
    }
}

/// Where a key has its place.
enum Home {
    Single(Packed),
    InRow(Packed, usize),
}

impl Home {
    fn of(key: Key) -> Self {
        let kind = |kind: u32| kind << 16;
        match key {
            Key::Subscription(session, key @ 1..) => {
                Self::InRow(Packed::new(session.0, key / ROW), usize::try_from(key % ROW).unwrap_or(0))
            }
            Key::Subscription(session, 0) => Self::Single(Packed::new(session.0, kind(0))),
            Key::Session(session) => Self::Single(Packed::new(session.0, kind(1))),
            Key::Left(session) => Self::Single(Packed::new(session.0, kind(2))),
            Key::Will(session) => Self::Single(Packed::new(session.0, kind(3))),
            Key::Received(session, packet_id) => Self::Single(Packed::new(session.0, kind(4) | u32::from(packet_id))),
            Key::Retained(id) => Self::Single(Packed::new(id.0, kind(5))),
            Key::FirstFree => Self::Single(Packed::new(0, kind(6))),
        }
    }
}

impl Puts {
    /// Says where it stood before, if it did.
    pub(super) fn insert(&mut self, key: Key, location: Location) -> Option<Location> {
        match Home::of(key) {
            Home::Single(key) => self.single.insert(key, location),
            Home::InRow(row, at) => self.rows.get_or_insert(row)?.put(at, location),
        }
    }

    /// Says where it stood, if it did.
    pub(super) fn remove(&mut self, key: Key) -> Option<Location> {
        match Home::of(key) {
            Home::Single(key) => self.single.remove(&key),
            Home::InRow(key, at) => {
                let row = self.rows.get_mut(&key)?;
                let former = row.take(at);
                if row.0.is_empty() {
                    self.rows.remove(&key);
                }
                former
            }
        }
    }

    pub(super) fn get(&self, key: Key) -> Option<Location> {
        match Home::of(key) {
            Home::Single(key) => self.single.get(&key).copied(),
            Home::InRow(row, at) => self.rows.get(&row)?.0.get(at).copied().filter(|location| *location != EMPTY),
        }
    }

    /// Gives memory back after there was much more.
    pub(super) fn shrink(&mut self) {
        self.single.shrink();
        self.rows.shrink();
    }
}

impl Row {
    fn put(&mut self, at: usize, location: Location) -> Option<Location> {
        if self.0.len() <= at {
            self.0.resize(at + 1, EMPTY);
        }
        let former = std::mem::replace(self.0.get_mut(at)?, location);
        Some(former).filter(|former| *former != EMPTY)
    }

    fn take(&mut self, at: usize) -> Option<Location> {
        let former = std::mem::replace(self.0.get_mut(at)?, EMPTY);
        while self.0.last() == Some(&EMPTY) {
            self.0.pop();
        }
        Some(former).filter(|former| *former != EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use signet_broker::{RetainedId, SessionId};

    use super::*;

    #[test]
    fn every_key_has_a_place_of_its_own() {
        let mut keys = vec![Key::FirstFree];
        for id in [0, 1, 16, 0xFFFF, 0x1_0000, 1 << 32, 1 << 48 | 1, u64::MAX] {
            let session = SessionId(id);
            keys.extend([Key::Session(session), Key::Left(session), Key::Will(session), Key::Retained(RetainedId(id))]);
            keys.extend([1, 2, u16::MAX].map(|packet_id| Key::Received(session, packet_id)));
            keys.extend([0, 1, 2, 15, 16, 17, 31, 0x1_0000, 5 << 16, u32::MAX].map(|key| Key::Subscription(session, key)));
        }
        let (mut puts, mut map) = (Puts::default(), HashMap::new());
        for (number, key) in (1..).zip(&keys) {
            let location = Location { segment: 0, offset: number, length: 1 };
            assert_eq!(puts.insert(*key, location), map.insert(*key, location));
        }
        for (number, key) in (1..).zip(&keys) {
            let moved = Location { segment: 1, offset: number, length: 1 };
            assert_eq!(puts.get(*key), map.get(key).copied());
            assert_eq!(puts.insert(*key, moved), map.insert(*key, moved), "{key:?}");
        }
        for key in &keys {
            assert_eq!(puts.remove(*key), map.remove(key), "{key:?}");
            assert_eq!((puts.get(*key), puts.remove(*key)), (None, None));
        }
        assert!(puts.single.is_empty() && puts.rows.is_empty());
        assert_eq!((size_of::<(Packed, Location)>(), size_of::<(Packed, Row)>()), (24, 40));
    }
}
