//! A hash map in parts, each of which grows for itself: moving millions of entries at once would hold up everybody who waits for the disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use foldhash::fast::RandomState;
use signet_broker::{MessageId, SessionId};

const PARTS: usize = 32;
/// The same, for ids.
const PARTS_WIDE: u64 = 32;

/// Keys that say in which part they are.
pub(super) trait Spread {
    /// Numbers that follow each other for keys that do.
    fn spread(&self) -> u64;
}

impl Spread for MessageId {
    fn spread(&self) -> u64 {
        self.0
    }
}

impl Spread for (SessionId, MessageId) {
    fn spread(&self) -> u64 {
        self.1.spread()
    }
}

/// See the file's documentation.
#[derive(Debug)]
pub(super) struct Parts<K, V> {
    parts: [HashMap<K, V, RandomState>; PARTS],
    count: usize,
}

impl<K, V> Default for Parts<K, V> {
    fn default() -> Self {
        Self { parts: std::array::from_fn(|_| HashMap::default()), count: 0 }
    }
}

impl<K: Spread + Hash + Eq, V> Parts<K, V> {
    fn part(&mut self, key: &K) -> Option<&mut HashMap<K, V, RandomState>> {
        self.parts.get_mut(index(key))
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let former = self.part(&key)?.insert(key, value);
        self.count += usize::from(former.is_none());
        former
    }

    /// The value of a key, made if it is not there.
    pub(super) fn get_or_insert(&mut self, key: K) -> Option<&mut V>
    where
        V: Default,
    {
        let Self { parts, count } = self;
        match parts.get_mut(index(&key))?.entry(key) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(place) => {
                *count += 1;
                Some(place.insert(V::default()))
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let former = self.part(key)?.remove(key);
        self.count -= usize::from(former.is_some());
        former
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.parts.get(index(key))?.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.part(key)?.get_mut(key)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        self.parts.iter_mut().for_each(|part| part.retain(|key, _| keep(key)));
        self.count = self.parts.iter().map(HashMap::len).sum();
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Gives memory back after there was much more.
    pub(super) fn shrink(&mut self) {
        for part in &mut self.parts {
            if part.len() * 4 < part.capacity() {
                part.shrink_to(part.len() * 2);
            }
        }
    }
}

fn index<K: Spread>(key: &K) -> usize {
    usize::try_from(key.spread() % PARTS_WIDE).unwrap_or(0)
}
