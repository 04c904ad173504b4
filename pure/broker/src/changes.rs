//! Counts changes of subscriptions by the topics that they can concern, so that a subscription made here does not make all publishers look up again
//! what they remember about topics elsewhere.
//!
//! A change counts where the filter's literal levels end: `fleet/7/cmd/#` at `fleet/7/cmd`. Whatever matches a topic has its mark at one of the topic's
//! beginnings, from none of its levels to all of them; so a topic has to look at a handful of counts. Counts are shared by what has the same
//! hash: then a topic is looked up once more in vain, no more.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many counts there are: with a thousand changes a second, a topic of four levels is looked up in vain once a second.
const COUNTS: u16 = 4096;

/// Levels that are told apart. Filters that go on are counted where these end.
const LEVELS: usize = 7;

/// The count of filters that begin with a wildcard.
const ANYWHERE: Mark = 0;

/// The number of a count.
pub(crate) type Mark = u16;

/// How often subscriptions have changed. Written within changes of the directory, read at any time.
#[derive(Debug)]
pub struct Changes {
    counts: Box<[AtomicU64]>,
    seed: u64,
}

/// All counts that concern one topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    marks: [Mark; LEVELS],
    length: u8,
}

impl Changes {
    pub(crate) fn new(seed: u64) -> Self {
        Self { counts: (0..COUNTS).map(|_| AtomicU64::new(0)).collect(), seed }
    }

    /// Where changes of subscriptions to a filter count; without its ShareName, if it has one.
    pub(crate) fn mark(&self, filter: &str) -> Mark {
        let mut last = ANYWHERE;
        for (at, mark) in self.beginnings(filter) {
            // Nowhere but at the end of a level may these characters stand [MQTT-4.7.1-1], [MQTT-4.7.1-2].
            if filter.as_bytes().get(..at).is_some_and(|levels| levels.ends_with(b"+") || levels.ends_with(b"#")) {
                break;
            }
            last = mark;
        }
        last
    }

    /// Where to look for changes that concern a topic.
    pub(crate) fn marks(&self, topic: &str) -> Marks {
        let mut marks = Marks { marks: [ANYWHERE; LEVELS], length: 0 };
        for (place, (_, mark)) in marks.marks.iter_mut().zip(self.beginnings(topic)) {
            *place = mark;
            marks.length += 1;
        }
        marks
    }

    /// A subscription has changed, within a change of the directory.
    pub(crate) fn count(&self, mark: Mark) {
        if let Some(count) = self.counts.get(usize::from(mark)) {
            count.fetch_add(1, Ordering::Release);
        }
    }

    /// How many changes there were: as long as it is the same, messages to the topic go where they went. To be asked before routes are looked up.
    pub(crate) fn until_now(&self, marks: &Marks) -> u64 {
        let count = |mark: &Mark| self.counts.get(usize::from(*mark)).map_or(0, |count| count.load(Ordering::Acquire));
        // None of them ever falls.
        marks.marks.iter().take(usize::from(marks.length)).map(count).fold(count(&ANYWHERE), u64::wrapping_add)
    }

    /// The first level, the first two, and so on: where each ends, and where it counts.
    fn beginnings(&self, text: &str) -> impl Iterator<Item = (usize, Mark)> {
        let levels = text.as_bytes().split(|octet| *octet == b'/');
        let mut before = (0, self.seed);
        levels.take(LEVELS).map(move |level| {
            let (begin, hash) = before;
            let (end, hash) = (begin + level.len(), level.iter().fold(hash, hash_one));
            before = (end + 1, hash_one(hash, &b'/'));
            (end, spread(hash))
        })
    }
}

/// FNV-1a: one pass for all beginnings. By collisions clients cannot gain more than look-ups in vain.
fn hash_one(hash: u64, octet: &u8) -> u64 {
    (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
}

/// One of the counts, but [`ANYWHERE`].
fn spread(hash: u64) -> Mark {
    Mark::try_from((hash ^ hash >> 32) % u64::from(COUNTS - 1)).map_or(ANYWHERE, |mark| mark + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use signet_mqtt::{TopicFilter, TopicName};

    use super::*;

    proptest! {
        #[test]
        fn whatever_matches_is_seen(filter in "[ab+]?(/[ab+]?){0,9}(/#)?", topic in "[ab]?(/[ab]?){0,9}") {
            let (Ok(filter), Ok(topic)) = (TopicFilter::new(filter), TopicName::new(topic)) else { return Ok(()) };
            prop_assert!(!filter.matches(&topic) || is_seen(filter.as_str(), topic.as_str()));
        }
    }

    /// Whether a change at this filter is seen by who remembers this topic.
    fn is_seen(filter: &str, topic: &str) -> bool {
        let changes = Changes::new(7);
        let marks = changes.marks(topic);
        let before = changes.until_now(&marks);
        changes.count(changes.mark(filter));
        changes.until_now(&marks) != before
    }

    #[test]
    fn who_may_match_is_seen() {
        let topic = "a/b/c";
        for filter in ["a/b/c", "a/b/c/#", "a/b/+", "a/b/#", "a/+/c", "a/#", "+/b/c", "#", "+/#"] {
            assert!(is_seen(filter, topic), "{filter}");
        }
        for filter in ["a/b/d", "a/c/#", "b/#", "c", "a/b/d/#"] {
            assert!(!is_seen(filter, topic), "{filter}");
        }
        let deep = ["a/b/c/d/e/x", "a/b/c/d/x/#", "a/b/c/x/+", "a/b/x/#", "a/x/+/d", "x/#"];
        assert!(deep.iter().all(|filter| !is_seen(filter, "a/b/c/d/e/f")), "neighbours on any level");
        for (filter, topic) in [("/", "/"), ("/+", "/x"), ("", ""), ("+", "x"), ("$SYS/#", "$SYS/broker")] {
            assert!(is_seen(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn what_is_deeper_than_levels_are_told_apart_is_seen_too() {
        let deep = |last: &str| format!("1/2/3/4/5/6/7/8/{last}");
        for filter in [deep("a"), deep("b"), deep("#"), deep("+"), "1/2/3/4/5/6/7/#".to_owned(), "1/2/3/4/5/6/7/8/9/10".to_owned()] {
            assert!(is_seen(&filter, &deep("a")), "{filter}");
        }
    }
}
