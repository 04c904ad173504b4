//! Who did something too often: events are counted against a key, and whoever has too many within a window is held off. Pure: time comes as an
//! argument, in milliseconds.
//!
//! A ledger holds a fixed number of records. When there is no room for one more, the one with the least against it makes room: first what is
//! forgotten anyway, then what was held off the fewest times and has the fewest events, the oldest of these first. So whoever wants his record
//! to be forgotten has to have as much written down against each of all the others; and a record that is lost only forgives.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts with a lock each, so that shards seldom wait for one another.
const STRIPES: usize = 16;

/// Records of one part.
const RECORDS_PER_STRIPE: usize = 1_024;

/// What is too often, and what comes of it. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// With so many events within [`Self::window`] whoever they are about is held off. 0: nobody is.
    pub(crate) maximum: u32,
    /// Begins with the first event.
    pub(crate) window: u64,
    /// For how long.
    pub(crate) hold: Hold,
}

/// How long somebody is held off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Until the window is over: so many in a window, and no more.
    UntilWindowEnds,
    /// For so many milliseconds, the next time for twice as long, up to a maximum. Who was not held off again for as long as the maximum
    /// starts anew.
    Doubling {
        /// The first time.
        first: u64,
        /// At most.
        most: u64,
    },
}

impl Hold {
    fn until(self, (began, window): (u64, u64), now: u64, times: u32) -> u64 {
        match self {
            Self::UntilWindowEnds => began.saturating_add(window).max(now.saturating_add(1)),
            Self::Doubling { first, most } => {
                let factor = 1_u64.checked_shl(times).filter(|factor| *factor != 0).unwrap_or(u64::MAX);
                now.saturating_add(first.saturating_mul(factor).min(most.max(first)))
            }
        }
    }

    /// How long after its end it is remembered.
    fn memory(self) -> u64 {
        match self {
            Self::UntilWindowEnds => 0,
            Self::Doubling { most, .. } => most,
        }
    }
}

/// Somebody is held off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Who, for people.
    pub(crate) who: Box<str>,
    /// Until then.
    pub(crate) until: u64,
    /// How often so far, this time included.
    pub(crate) times: u32,
    /// Whether nobody was told of this time yet.
    pub(crate) is_news: bool,
}

#[derive(Debug)]
struct Record {
    who: Box<str>,
    /// When the window began, and events in it.
    began: u64,
    count: u32,
    held_until: u64,
    times: u32,
    is_told: bool,
}

impl Record {
    fn is_held(&self, now: u64) -> bool {
        now < self.held_until
    }

    /// Whether it says nothing any more.
    fn is_over(&self, rules: &Rules, now: u64) -> bool {
        let window_ends = self.began.saturating_add(rules.window);
        let memory_ends = if self.times == 0 { 0 } else { self.held_until.saturating_add(rules.hold.memory()) };
        now >= window_ends.max(memory_ends)
    }

    fn guilt(&self, rules: &Rules, now: u64) -> (bool, u32, u32, u64) {
        (!self.is_over(rules, now), self.times, self.count, self.began)
    }
}

/// The records of one kind of event, by key.
#[derive(Debug)]
pub(crate) struct Ledger<K> {
    rules: Rules,
    stripes: Vec<Mutex<HashMap<K, Record>>>,
    records_per_stripe: usize,
    hasher: RandomState,
    noted: AtomicU64,
    holds: AtomicU64,
}

impl<K: Eq + Hash + Clone> Ledger<K> {
    pub(crate) fn new(rules: Rules) -> Self {
        Self::sized(rules, STRIPES, RECORDS_PER_STRIPE)
    }

    fn sized(rules: Rules, stripes: usize, records_per_stripe: usize) -> Self {
        Self {
            rules,
            stripes: (0..stripes.max(1)).map(|_| Mutex::default()).collect(),
            records_per_stripe,
            hasher: RandomState::new(),
            noted: AtomicU64::new(0),
            holds: AtomicU64::new(0),
        }
    }

    /// Whether anybody can be held off at all.
    pub(crate) fn is_on(&self) -> bool {
        self.rules.maximum > 0
    }

    /// Whether anybody was ever held off.
    pub(crate) fn has_held(&self) -> bool {
        self.holds.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether somebody is held off now. Takes note that this was said.
    pub(crate) fn check(&self, key: &K, now: u64) -> Option<Held> {
        if !self.is_on() {
            return None;
        }
        let mut stripe = self.stripe(key)?;
        let record = stripe.get_mut(key).filter(|record| record.is_held(now))?;
        let is_news = !std::mem::replace(&mut record.is_told, true);
        Some(Held { is_news, ..held(record) })
    }

    /// Counts an event against somebody; `who` makes its name for people. Who is held off already has paid for it. Says whether it is held off
    /// from now on.
    pub(crate) fn note(&self, key: &K, who: impl FnOnce() -> String, now: u64) -> Option<Held> {
        if !self.is_on() {
            return None;
        }
        self.noted.fetch_add(1, Ordering::Relaxed);
        let mut stripe = self.stripe(key)?;
        if !stripe.contains_key(key) {
            self.make_room(&mut stripe, now);
            let fresh = Record { who: who().into(), began: now, count: 0, held_until: 0, times: 0, is_told: false };
            stripe.insert(key.clone(), fresh);
        }
        let record = stripe.get_mut(key)?;
        if record.is_held(now) {
            return None;
        }
        if record.is_over(&self.rules, now) {
            record.times = 0;
        }
        if record.count == 0 || now.saturating_sub(record.began) >= self.rules.window {
            (record.began, record.count) = (now, 0);
        }
        record.count = record.count.saturating_add(1);
        if record.count < self.rules.maximum {
            return None;
        }
        record.held_until = self.rules.hold.until((record.began, self.rules.window), now, record.times);
        record.times = record.times.saturating_add(1);
        (record.began, record.count, record.is_told) = (record.held_until, 0, false);
        self.holds.fetch_add(1, Ordering::Relaxed);
        Some(held(record))
    }

    fn make_room(&self, stripe: &mut HashMap<K, Record>, now: u64) {
        if stripe.len() < self.records_per_stripe {
            return;
        }
        let least = stripe.iter().min_by_key(|(_, record)| record.guilt(&self.rules, now)).map(|(key, _)| key.clone());
        if let Some(least) = least {
            stripe.remove(&least);
        }
    }

    /// Everybody who is held off now.
    pub(crate) fn held(&self, now: u64) -> Vec<Held> {
        let mut all = Vec::new();
        for stripe in &self.stripes {
            let stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(stripe.values().filter(|record| record.is_held(now)).map(held));
        }
        all
    }

    /// Forgets what there is against those whom `wanted` names; says how many of them were held off.
    pub(crate) fn forgive(&self, wanted: impl Fn(&str) -> bool, now: u64) -> usize {
        let mut released = 0;
        for stripe in &self.stripes {
            let mut stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
            stripe.retain(|_, record| {
                let goes = wanted(&record.who);
                released += usize::from(goes && record.is_held(now));
                !goes
            });
        }
        released
    }

    /// Events so far, and how often somebody was held off.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.noted.load(Ordering::Relaxed), self.holds.load(Ordering::Relaxed))
    }

    fn stripe(&self, key: &K) -> Option<MutexGuard<'_, HashMap<K, Record>>> {
        let count = u64::try_from(self.stripes.len()).ok()?;
        let index = usize::try_from(self.hasher.hash_one(key).checked_rem(count)?).ok()?;
        Some(self.stripes.get(index)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn held(record: &Record) -> Held {
    Held { who: record.who.clone(), until: record.held_until, times: record.times, is_news: !record.is_told }
}

#[cfg(test)]
mod tests;
