//! What a session is subscribed to: for each subscription the place where it stands in the directory. Filter and options stand there only: a second
//! copy would cost more than all the rest.

use std::collections::{BTreeMap, BTreeSet};

use signet_mqtt::TopicFilter;
use smallvec::SmallVec;

use crate::directory::SharedDirectory;
use crate::ids::SessionId;
use crate::session::Subscription;
use crate::subscriptions::{Place, Subscriber};

/// Subscriptions that are looked at before whoever wants to change the directory has a turn.
const PORTION: usize = 1_000;

/// See the file's documentation. Subscriptions go by their keys, under which the store knows them: small numbers that are used again.
#[derive(Debug, Default)]
pub(crate) struct Subscribed {
    places: SmallVec<[Option<Place>; 1]>,
    extra: Option<Box<Extra>>,
}

/// What most sessions have nothing of.
#[derive(Debug, Default)]
struct Extra {
    /// The keys below the largest that are not used.
    free: BTreeSet<u32>,
    /// The subscriptions that have still to start with retained messages, as far as the store knows.
    starting: BTreeMap<u32, (TopicFilter, Subscription)>,
}

impl Subscribed {
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.extra.as_ref().map_or(0, |extra| extra.free.len())
    }

    /// A key for another subscription. While subscriptions have still to start it is one that none of these can have had: what waits for them
    /// says its key.
    pub(crate) fn key(&self, is_starting: bool) -> u32 {
        let free = self.extra.as_ref().filter(|_| !is_starting).and_then(|extra| extra.free.first().copied());
        // No session may have as many.
        free.unwrap_or_else(|| u32::try_from(self.places.len()).unwrap_or(u32::MAX))
    }

    /// Whether a key that was stored can stay: keys take memory up to the largest, and earlier versions did not use one again.
    pub(crate) fn suits(&self, key: u32, count: usize) -> bool {
        usize::try_from(key)
            .is_ok_and(|at| at < count.saturating_mul(2).saturating_add(16) && self.places.get(at).is_none_or(Option::is_none))
    }

    pub(crate) fn put(&mut self, key: u32, place: Place) {
        let Ok(at) = usize::try_from(key) else { return };
        let length = self.places.len();
        if at >= length {
            self.places.resize(at, None);
            self.places.push(Some(place));
            let skipped = (0..key).skip(length);
            if at > length {
                self.extra.get_or_insert_default().free.extend(skipped);
            }
        } else if let Some(known) = self.places.get_mut(at) {
            *known = Some(place);
            if let Some(extra) = &mut self.extra {
                extra.free.remove(&key);
            }
        }
    }

    /// Takes one out. `is_starting`: see [`Self::key`].
    pub(crate) fn remove(&mut self, key: u32, is_starting: bool) {
        let place = usize::try_from(key).ok().and_then(|at| self.places.get_mut(at));
        let Some(()) = place.and_then(Option::take).map(drop) else { return };
        let extra = self.extra.get_or_insert_default();
        extra.starting.remove(&key);
        extra.free.insert(key);
        if is_starting {
            return;
        }
        while self.places.last().is_some_and(Option::is_none) {
            self.places.pop();
            extra.free.pop_last();
        }
        if self.places.len() * 4 < self.places.capacity() {
            self.places.shrink_to_fit();
        }
        if extra.free.is_empty() && extra.starting.is_empty() {
            self.extra = None;
        }
    }

    /// All of them, by their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Place)> {
        (0..).zip(&self.places).filter_map(|(key, place)| place.map(|place| (key, place)))
    }

    /// The same as they stand in the directory. Read in portions, so nobody may change them meanwhile but whoever calls.
    pub(crate) fn read<D: SharedDirectory>(&self, session: SessionId, directory: &D) -> Vec<(TopicFilter, Subscriber)> {
        let mut all = Vec::with_capacity(self.len());
        let mut rest = self.iter().peekable();
        while rest.peek().is_some() {
            directory.read(|directory| {
                all.extend(rest.by_ref().take(PORTION).filter_map(|(_, place)| directory.subscriptions.at(place, session)));
            });
        }
        all
    }

    /// Ends all of them in the directory, in portions.
    pub(crate) fn end<D: SharedDirectory>(&self, session: SessionId, directory: &D) {
        let mut rest = self.iter().peekable();
        while rest.peek().is_some() {
            directory.write(|directory| {
                for (_, place) in rest.by_ref().take(PORTION) {
                    directory.subscriptions.remove_at(place, session);
                }
            });
        }
    }

    /// Remembers that one has still to start.
    pub(crate) fn begin(&mut self, filter: &TopicFilter, subscription: Subscription) {
        self.extra.get_or_insert_default().starting.insert(subscription.key, (filter.clone(), subscription));
    }

    /// The subscription, if it has still to start.
    pub(crate) fn starting(&mut self, key: u32) -> Option<&mut (TopicFilter, Subscription)> {
        self.extra.as_mut()?.starting.get_mut(&key)
    }

    /// Forgets that any has still to start, and says which ones had.
    pub(crate) fn take_starting(&mut self) -> BTreeMap<u32, (TopicFilter, Subscription)> {
        self.extra.as_mut().map(|extra| std::mem::take(&mut extra.starting)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(subscribed: &Subscribed) -> Vec<u32> {
        subscribed.iter().map(|(key, _)| key).collect()
    }

    fn add(subscribed: &mut Subscribed, is_starting: bool) -> u32 {
        let key = subscribed.key(is_starting);
        subscribed.put(key, Place::Node(key + 100));
        key
    }

    #[test]
    fn keys_are_used_again_and_memory_comes_back() {
        let mut subscribed = Subscribed::default();
        for key in 0..1_000 {
            assert_eq!(add(&mut subscribed, false), key);
        }
        for key in (0..1_000).filter(|key| key % 2 == 0) {
            subscribed.remove(key, false);
        }
        assert_eq!((subscribed.len(), subscribed.key(false)), (500, 0));
        assert_eq!((add(&mut subscribed, false), add(&mut subscribed, false)), (0, 2));
        for key in 0..999 {
            subscribed.remove(key, false);
            subscribed.remove(key, false);
        }
        assert_eq!(keys(&subscribed), [999]);
        subscribed.remove(999, false);
        assert_eq!((subscribed.len(), subscribed.places.capacity(), subscribed.extra.is_none()), (0, 1, true));
    }

    /// What waits in the queue for a subscription that is no more would be taken for the start of another one.
    #[test]
    fn no_key_is_used_again_while_subscriptions_start() {
        let mut subscribed = Subscribed::default();
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            let (first, second) = (add(&mut subscribed, true), add(&mut subscribed, true));
            assert!(seen.insert(first) && seen.insert(second));
            subscribed.remove(second, true);
            subscribed.remove(first, true);
        }
        assert_eq!(subscribed.len(), 0);
        assert_eq!(add(&mut subscribed, false), 0);
        subscribed.remove(0, false);
        assert_eq!(subscribed.key(true), 0);
    }

    #[test]
    fn keys_that_were_stored_stay_if_they_are_small() {
        let mut subscribed = Subscribed::default();
        assert!(subscribed.suits(17, 1) && !subscribed.suits(18, 1) && !subscribed.suits(u32::MAX, 1_000));
        subscribed.put(5, Place::Group(1));
        assert!(!subscribed.suits(5, 1));
        assert_eq!((subscribed.len(), keys(&subscribed)), (1, vec![5]));
        assert_eq!((add(&mut subscribed, false), add(&mut subscribed, true)), (0, 6));
        subscribed.put(2, Place::Group(1));
        assert_eq!((subscribed.len(), keys(&subscribed)), (4, vec![0, 2, 5, 6]));
    }
}
