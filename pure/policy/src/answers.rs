//! Access sources that are asked about one topic at a time, and what is remembered of what they said.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use signet_mqtt::{TopicFilter, TopicName};

use crate::rule::Action;

/// What an access source is asked about one client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessQuestion {
    /// The source's name in the configuration.
    pub source: Arc<str>,
    /// The Topic Name, or the Topic Filter without ShareName, as the client writes it: without the tenant.
    pub topic: ByteString,
    /// What the client wants to do: publish or subscribe. No source is asked about deliveries.
    pub action: Action,
}

/// What the source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessAnswer {
    /// The client may.
    Allow,
    /// It may not.
    Deny,
    /// Whoever is next is asked.
    Continue,
    /// The source could not be asked: the client may not. The words are for the operator. Never remembered.
    Failed(String),
}

/// Bytes of a topic about which an answer is remembered where their number is bounded: a client chooses topics, of 64 KiB if it likes.
const TOPIC_MAXIMUM: usize = 1024;

/// What access sources have said about one client, up to a number of answers.
#[derive(Clone)]
pub struct Answers {
    entries: BTreeMap<AccessQuestion, Answer>,
    maximum: usize,
}

/// One answer.
#[derive(Debug, Clone)]
struct Answer {
    said: AccessAnswer,
    /// In milliseconds of the caller's clock.
    until: u64,
    /// The filter, if the question was about one.
    filter: Option<TopicFilter>,
}

/// What is known at a time: remembered answers, in one place or several.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What was asked for this very decision, or for the one that is made again here: it counts whatever its age.
    pub held: Option<&'a Answers>,
    /// What else is remembered, and counts for its time. The first that has an answer counts.
    pub answers: &'a [&'a Answers],
    /// In milliseconds of the clock by which answers are remembered.
    pub now: u64,
}

impl Known<'_> {
    /// Nothing.
    pub const NOTHING: Self = Self { held: None, answers: &[], now: 0 };

    pub(crate) fn answer(&self, question: &AccessQuestion) -> Option<&AccessAnswer> {
        let held = self.held.and_then(|held| held.entries.get(question)).map(|answer| &answer.said);
        held.or_else(|| self.answers.iter().find_map(|answers| answers.find(question, self.now)))
    }

    /// What was said, and for how long it still counts.
    #[must_use]
    pub fn lasting(&self, question: &AccessQuestion) -> Option<(AccessAnswer, Duration)> {
        let held = self.held.and_then(|held| held.entries.get(question));
        let found = held.or_else(|| {
            let counting = self.answers.iter().filter_map(|answers| answers.entries.get(question));
            counting.filter(|answer| self.now <= answer.until).max_by_key(|answer| answer.until)
        })?;
        Some((found.said.clone(), Duration::from_millis(found.until.saturating_sub(self.now))))
    }

    /// Whether the source has allowed a subscription that the topic came by. That is so until the subscription ends: an answer whose time is over is
    /// asked for again, and not doubted before there is another.
    pub(crate) fn allows_delivery(&self, source: &str, topic: &str) -> bool {
        let Ok(topic) = TopicName::new(ByteString::from(topic)) else { return false };
        self.held.iter().chain(self.answers).any(|answers| answers.allows_delivery(source, &topic))
    }
}

impl Answers {
    /// None yet, and never more than so many, and none about a topic of more than 1 KiB.
    #[must_use]
    pub fn new(maximum: usize) -> Self {
        Self { entries: BTreeMap::new(), maximum }
    }

    /// Remembers an answer for so long. One that is remembered already is replaced; when there is no room the one that ends first goes.
    pub fn remember(&mut self, question: AccessQuestion, said: AccessAnswer, lasts: Duration, now: u64) {
        let is_bounded = self.maximum < usize::MAX;
        if self.maximum == 0 || (is_bounded && question.topic.len() > TOPIC_MAXIMUM) {
            return;
        }
        let until = now.saturating_add(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
        let filter = match question.action {
            Action::Subscribe { .. } => TopicFilter::new(question.topic.clone()).ok(),
            Action::Publish { .. } | Action::Receive { .. } => None,
        };
        self.entries.insert(question, Answer { said, until, filter });
        if self.entries.len() > self.maximum {
            let first = self.entries.iter().min_by_key(|(_, answer)| answer.until).map(|(question, _)| question.clone());
            if let Some(first) = first {
                self.entries.remove(&first);
            }
        }
    }

    /// What was said, if that still counts.
    #[must_use]
    pub fn find(&self, question: &AccessQuestion, now: u64) -> Option<&AccessAnswer> {
        self.entries.get(question).filter(|answer| now <= answer.until).map(|answer| &answer.said)
    }

    /// Takes everything over from another, as far as there is room, and leaves out what was no answer.
    pub fn take_over(&mut self, other: Self, now: u64) {
        for (question, answer) in other.entries {
            if !matches!(answer.said, AccessAnswer::Failed(_)) && answer.until > now {
                let lasts = Duration::from_millis(answer.until.saturating_sub(now));
                self.remember(question, answer.said, lasts, now);
            }
        }
    }

    /// Forgets everything but the answers to these questions.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&AccessQuestion) -> bool) {
        self.entries.retain(|question, _| is_kept(question));
    }

    /// When the first answer ends; later than any moment if there is none.
    #[must_use]
    pub fn ends_at(&self) -> Option<u64> {
        self.entries.values().map(|answer| answer.until).min()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn allows_delivery(&self, source: &str, topic: &TopicName) -> bool {
        self.entries.iter().any(|(question, answer)| {
            *question.source == *source
                && answer.said == AccessAnswer::Allow
                && answer.filter.as_ref().is_some_and(|filter| filter.matches(topic))
        })
    }
}

impl Default for Answers {
    /// Any number of them.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.entries.iter().map(|(question, answer)| (question, &answer.said))).finish()
    }
}

#[cfg(test)]
mod tests {
    use signet_mqtt::QoS;

    use super::*;

    fn question(topic: &str) -> AccessQuestion {
        AccessQuestion { source: "http".into(), topic: topic.to_owned().into(), action: Action::Subscribe { qos: QoS::AtMostOnce } }
    }

    #[test]
    fn an_answer_counts_for_its_time_and_the_first_to_end_makes_room() {
        let mut answers = Answers::new(2);
        answers.remember(question("a"), AccessAnswer::Allow, Duration::from_millis(10), 100);
        answers.remember(question("b"), AccessAnswer::Deny, Duration::ZERO, 100);
        assert_eq!(answers.find(&question("a"), 110), Some(&AccessAnswer::Allow));
        assert_eq!(answers.find(&question("a"), 111), None);
        assert_eq!((answers.find(&question("b"), 100), answers.find(&question("b"), 101)), (Some(&AccessAnswer::Deny), None));
        answers.remember(question("c"), AccessAnswer::Allow, Duration::from_millis(5), 100);
        assert_eq!(answers.len(), 2);
        assert_eq!(answers.find(&question("b"), 100), None);
        assert_eq!(answers.ends_at(), Some(105));
        let mut none = Answers::new(0);
        none.remember(question("a"), AccessAnswer::Allow, Duration::from_secs(1), 0);
        assert!(none.is_empty());
    }

    #[test]
    fn long_topics_are_remembered_only_for_what_is_decided_now() {
        for (length, is_kept) in [(1024, true), (1025, false)] {
            let (mut held, mut answers) = (Answers::default(), Answers::new(8));
            held.remember(question(&"x".repeat(length)), AccessAnswer::Allow, Duration::from_secs(9), 0);
            assert_eq!(held.len(), 1);
            answers.take_over(held, 0);
            assert_eq!(answers.len(), usize::from(is_kept));
        }
    }

    #[test]
    fn what_was_no_answer_is_not_taken_over() {
        let mut held = Answers::default();
        held.remember(question("a"), AccessAnswer::Failed("down".to_owned()), Duration::from_secs(9), 0);
        held.remember(question("b"), AccessAnswer::Continue, Duration::from_secs(9), 0);
        held.remember(question("c"), AccessAnswer::Allow, Duration::ZERO, 0);
        let mut answers = Answers::new(8);
        answers.take_over(held, 0);
        assert_eq!((answers.len(), answers.find(&question("b"), 0)), (1, Some(&AccessAnswer::Continue)));
    }

    #[test]
    fn a_delivery_is_covered_by_the_filter_it_came_by() {
        let mut answers = Answers::default();
        answers.remember(question("a/#"), AccessAnswer::Allow, Duration::ZERO, 0);
        answers.remember(question("b/#"), AccessAnswer::Deny, Duration::from_secs(9), 0);
        let known = Known { held: None, answers: &[&answers], now: 999 };
        assert!(known.allows_delivery("http", "a/x") && !known.allows_delivery("http", "b/x") && !known.allows_delivery("other", "a/x"));
    }
}
