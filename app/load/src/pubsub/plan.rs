//! Which topics there are, who publishes and subscribes to which, and what each message looks like.

use signet_mqtt::{ProtocolVersion, QoS};

use crate::number::{float, index, wide};
use crate::wire::Template;
use crate::{LoadError, PubSubLoad};

/// Digits of a topic's group and number: every topic is as long as every other.
const GROUP_DIGITS: usize = 6;
const TOPIC_DIGITS: usize = 8;

/// `/000012/00000345`, what differs between topics.
pub(super) const ENDING: usize = 2 + GROUP_DIGITS + TOPIC_DIGITS;

/// Different sizes that stand for a range.
const SIZES: usize = 16;

/// The length of the pattern in which the QoS of a mix take turns.
const PATTERN: usize = 100;

/// Who hears whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Many publishers, few subscribers that hear all of them.
    FanIn,
    /// Few publishers, many subscribers that hear all of them.
    FanOut,
    /// Each publisher has one subscriber.
    Pairs,
}

impl Layout {
    /// As on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FanIn => "fan-in",
            Self::FanOut => "fan-out",
            Self::Pairs => "pairs",
        }
    }
}

/// QoS of messages: one, or several in turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QosMix([u8; 3]);

impl QosMix {
    /// All the same.
    #[must_use]
    pub fn only(qos: QoS) -> Self {
        let mut shares = [0; 3];
        if let Some(share) = shares.get_mut(usize::from(u8::from(qos))) {
            *share = 100;
        }
        Self(shares)
    }

    /// So many of a hundred with QoS 0, 1 and 2; `None` unless they are a hundred in all.
    #[must_use]
    pub fn shares(shares: [u8; 3]) -> Option<Self> {
        (shares.iter().map(|share| u32::from(*share)).sum::<u32>() == 100).then_some(Self(shares))
    }

    /// The highest of those that occur.
    #[must_use]
    pub fn highest(self) -> QoS {
        match self.0 {
            [.., share] if share > 0 => QoS::ExactlyOnce,
            [_, share, _] if share > 0 => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        }
    }

    /// The shares, where there is more than one.
    pub(crate) fn mix(self) -> Option<[u8; 3]> {
        (self.0.iter().filter(|share| **share > 0).count() > 1).then_some(self.0)
    }

    /// The levels in turns, each as evenly spread as it can be.
    fn pattern(self) -> Vec<QoS> {
        let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        if self.mix().is_none() {
            return vec![self.highest()];
        }
        let mut credit = [0_i32; 3];
        let mut pattern = Vec::with_capacity(PATTERN);
        for _ in 0..PATTERN {
            for (credit, share) in credit.iter_mut().zip(self.0) {
                *credit += i32::from(share);
            }
            let best = (0..3).max_by_key(|at| credit.get(*at).copied().unwrap_or(0)).unwrap_or(0);
            if let (Some(credit), Some(level)) = (credit.get_mut(best), levels.get(best)) {
                *credit -= 100;
                pattern.push(*level);
            }
        }
        pattern
    }
}

/// Everything about topics and messages that does not change during a run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) layout: Layout,
    pub(super) publishers: usize,
    pub(super) subscribers: usize,
    pub(super) topics: u64,
    pub(super) wildcards: bool,
    prefix: String,
    pattern: Vec<QoS>,
    sizes: Vec<usize>,
    /// By size and then QoS.
    templates: Vec<[Template; 3]>,
}

impl Plan {
    pub(super) fn new(load: &PubSubLoad, run: &str, version: ProtocolVersion) -> Result<Self, LoadError> {
        let topics = load.topics.unwrap_or_else(|| if load.layout == Layout::FanOut { 1 } else { wide(load.publishers) });
        let prefix = format!("{}/{run}", load.topic_prefix);
        let sizes = sizes(*load.payload.start(), *load.payload.end());
        let topic = format!("{prefix}{}", ending(0, 0));
        let refused = |error| LoadError::Setting(format!("`{}` cannot be the beginning of a topic: {error}", load.topic_prefix));
        let template = |qos, size| Template::new(version, qos, &topic, ENDING, size).map_err(refused);
        let templates = sizes
            .iter()
            .map(|size| Ok([template(QoS::AtMostOnce, *size)?, template(QoS::AtLeastOnce, *size)?, template(QoS::ExactlyOnce, *size)?]));
        Ok(Self {
            layout: load.layout,
            publishers: load.publishers,
            subscribers: load.subscribers,
            topics,
            wildcards: load.wildcards.unwrap_or(load.layout == Layout::FanIn),
            prefix,
            pattern: load.qos.pattern(),
            templates: templates.collect::<Result<_, LoadError>>()?,
            sizes,
        })
    }

    /// How many receive each message.
    pub(super) fn copies(&self) -> u32 {
        if self.layout == Layout::Pairs { 1 } else { u32::try_from(self.subscribers).unwrap_or(u32::MAX) }
    }

    /// The QoS of the message of this number.
    pub(super) fn qos(&self, sequence: u64) -> QoS {
        match self.pattern.as_slice() {
            [only] => *only,
            pattern => pattern.get(index(sequence % wide(pattern.len()))).copied().unwrap_or_default(),
        }
    }

    /// The payload's octets of the message of this number. No two publishers send the large ones at the same time.
    pub(super) fn size(&self, publisher: usize, sequence: u64) -> usize {
        self.sizes.get(self.size_class(publisher, sequence)).copied().unwrap_or_default()
    }

    pub(super) fn template(&self, publisher: usize, sequence: u64) -> Option<&Template> {
        self.templates.get(self.size_class(publisher, sequence))?.get(usize::from(u8::from(self.qos(sequence))))
    }

    fn size_class(&self, publisher: usize, sequence: u64) -> usize {
        match self.sizes.len() {
            1 => 0,
            sizes => index((sequence + wide(publisher)) % wide(sizes)),
        }
    }

    /// The largest packet there is.
    pub(super) fn largest_packet(&self) -> usize {
        self.templates.iter().flatten().map(Template::len).max().unwrap_or(0)
    }

    /// The first topic of a publisher.
    pub(super) fn first_topic(&self, publisher: usize) -> u64 {
        wide(publisher) % self.topics
    }

    /// The topic after `topic` of the same publisher: it goes round those whose number leaves the same rest as its own.
    pub(super) fn next_topic(&self, publisher: usize, topic: u64) -> u64 {
        let next = topic.saturating_add(wide(self.publishers));
        if next < self.topics { next } else { self.first_topic(publisher) }
    }

    /// Whether every publisher keeps to one topic: then the broker owes the order of its messages (§4.6).
    pub(super) fn is_ordered(&self) -> bool {
        self.topics <= wide(self.publishers)
    }

    /// The end of a topic of this publisher.
    pub(super) fn ending(&self, publisher: usize, topic: u64) -> [u8; ENDING] {
        let text = ending(self.group(publisher), topic);
        text.as_bytes().first_chunk().copied().unwrap_or([b'0'; ENDING])
    }

    /// Pairs have no subscriptions in common, not even by wildcards.
    fn group(&self, member: usize) -> u64 {
        if self.layout == Layout::Pairs { wide(member) } else { 0 }
    }

    /// How many filters a subscriber has.
    pub(super) fn filters(&self, subscriber: usize) -> u64 {
        match self.layout {
            _ if self.wildcards => 1,
            Layout::Pairs => (self.topics - wide(subscriber)).div_ceil(wide(self.publishers)),
            Layout::FanIn | Layout::FanOut => self.topics,
        }
    }

    /// One of them.
    pub(super) fn filter(&self, subscriber: usize, number: u64) -> String {
        let group = self.group(subscriber);
        if self.wildcards {
            return format!("{}/{group:0GROUP_DIGITS$}/+", self.prefix);
        }
        let topic = match self.layout {
            Layout::Pairs => wide(subscriber) + number * wide(self.publishers),
            Layout::FanIn | Layout::FanOut => number,
        };
        format!("{}{}", self.prefix, ending(group, topic))
    }
}

fn ending(group: u64, topic: u64) -> String {
    format!("/{group:0GROUP_DIGITS$}/{topic:0TOPIC_DIGITS$}")
}

/// Sizes from the smallest to the largest, each by the same factor larger than the one before; in an order in which large and small ones take turns.
fn sizes(smallest: usize, largest: usize) -> Vec<usize> {
    if smallest == largest {
        return vec![smallest];
    }
    let factor = (float(wide(largest)) / float(wide(smallest))).powf(1.0 / float(wide(SIZES - 1)));
    let mut exact = float(wide(smallest));
    let mut sizes = Vec::with_capacity(SIZES);
    for _ in 0..SIZES {
        sizes.push(whole(exact).clamp(smallest, largest));
        exact *= factor;
    }
    if let Some(last) = sizes.last_mut() {
        *last = largest;
    }
    let (small, large) = sizes.split_at(SIZES / 2);
    small.iter().zip(large.iter().rev()).flat_map(|(small, large)| [*small, *large]).collect()
}

/// The nearest whole number of a size.
fn whole(number: f64) -> usize {
    index(u64::try_from(std::time::Duration::from_secs_f64(number.clamp(0.0, 1e9)).as_millis().saturating_add(500) / 1000).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use signet_mqtt::{TopicFilter, TopicName};

    use super::*;

    fn load(layout: Layout, publishers: usize, subscribers: usize, topics: Option<u64>, wildcards: Option<bool>) -> PubSubLoad {
        PubSubLoad {
            layout,
            publishers,
            subscribers,
            qos: QosMix::only(QoS::AtMostOnce),
            payload: 16..=16,
            topics,
            wildcards,
            topic_prefix: "bench".to_owned(),
            window: 4,
            rate: None,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(1),
            clean_start: true,
        }
    }

    fn plan(load: &PubSubLoad) -> Plan {
        Plan::new(load, "run", ProtocolVersion::V311).unwrap()
    }

    /// The topics that a publisher goes round, as names.
    fn names(plan: &Plan, publisher: usize) -> BTreeSet<String> {
        let mut topic = plan.first_topic(publisher);
        let mut names = BTreeSet::new();
        while names.insert(format!("bench/run{}", str::from_utf8(&plan.ending(publisher, topic)).unwrap())) {
            topic = plan.next_topic(publisher, topic);
        }
        names
    }

    #[test]
    fn every_message_reaches_exactly_those_that_the_layout_says() {
        for layout in [Layout::FanIn, Layout::FanOut, Layout::Pairs] {
            for topics in [None, Some(3), Some(8), Some(100)] {
                for wildcards in [None, Some(false), Some(true)] {
                    let plan = plan(&load(layout, 3, 3, topics, wildcards));
                    let mut all = BTreeSet::new();
                    for publisher in 0..3 {
                        let names = names(&plan, publisher);
                        assert_eq!(plan.is_ordered(), names.len() == 1, "{layout:?} {topics:?}");
                        for name in &names {
                            for subscriber in 0..3 {
                                let filters = (0..plan.filters(subscriber)).map(|number| plan.filter(subscriber, number));
                                let name = TopicName::new(name.as_str()).unwrap();
                                let hits = filters.filter(|filter| TopicFilter::new(filter.as_str()).unwrap().matches(&name)).count();
                                let expected = usize::from(layout != Layout::Pairs || subscriber == publisher);
                                assert_eq!(hits, expected, "{layout:?} {topics:?} {wildcards:?} {name:?}");
                            }
                        }
                        all.extend(names);
                    }
                    assert_eq!(wide(all.len()), plan.topics, "{layout:?} {topics:?}");
                }
            }
        }
    }

    #[test]
    fn a_mix_has_its_shares_and_is_spread() {
        let pattern = QosMix::shares([70, 20, 10]).unwrap().pattern();
        let count = |part: &[QoS], wanted| part.iter().filter(|qos| **qos == wanted).count();
        for (qos, share) in [(QoS::AtMostOnce, 70), (QoS::AtLeastOnce, 20), (QoS::ExactlyOnce, 10)] {
            assert_eq!(count(&pattern, qos), share);
            assert!(pattern.chunks(10).all(|part| count(part, qos).abs_diff(share / 10) <= 1), "{pattern:?}");
        }
        assert_eq!(QosMix::shares([50, 20, 10]), None);
        assert_eq!(QosMix::only(QoS::AtLeastOnce).pattern(), [QoS::AtLeastOnce]);
        assert_eq!(QosMix::shares([50, 50, 0]).unwrap().highest(), QoS::AtLeastOnce);
    }

    #[test]
    fn sizes_span_the_range() {
        let sizes = sizes(16, 65_536);
        assert_eq!((sizes.len(), sizes.iter().min(), sizes.iter().max()), (SIZES, Some(&16), Some(&65_536)));
        assert_eq!(sizes.iter().collect::<BTreeSet<_>>().len(), SIZES);
        assert_eq!(super::sizes(100, 100), [100]);
    }
}
