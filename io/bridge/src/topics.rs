//! Which topics are carried over, in which direction, and what they are called on the other side.
//!
//! A rule holds a filter and two prefixes. Here its topics are `local_prefix` and then what the filter covers, over there `remote_prefix` and
//! then the same. The prefixes are put before the text as they are: where a `/` is wanted, it is written.

use signet_mqtt::{QoS, TopicError, TopicFilter, TopicName};

/// Which way messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the other broker to this one.
    In,
    /// From this broker to the other one.
    Out,
    /// Both.
    Both,
}

/// One entry of the list as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRule {
    /// A Topic Filter without the prefixes. Empty: the prefixes alone are the topic, on each side one.
    pub filter: String,
    /// Which way.
    pub direction: Direction,
    /// Highest QoS to carry over with.
    pub qos: QoS,
    /// What its topics start with here.
    pub local_prefix: String,
    /// What its topics start with over there.
    pub remote_prefix: String,
}

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicRuleError {
    /// Filter and prefixes are empty.
    #[error("the topic is empty: write a `filter`, or both `local_prefix` and `remote_prefix` for a single topic")]
    Empty,
    /// A wildcard where the text has to be the same for every message.
    #[error("`{prefix}` contains a wildcard, expected a prefix without `+` and `#`: wildcards belong into `filter`")]
    Wildcard {
        /// The prefix.
        prefix: String,
    },
    /// Two subscribers that share would each miss half of the messages.
    #[error("`{filter}` is a shared subscription, expected a plain filter: a bridge carries every message")]
    Shared {
        /// Prefix and filter.
        filter: String,
    },
    /// Not a filter.
    #[error("`{filter}` is no topic filter: {source}")]
    Filter {
        /// Prefix and filter.
        filter: String,
        /// Why not.
        source: TopicError,
    },
}

/// A rule, checked.
#[derive(Clone, Debug)]
struct Mapping {
    direction: Direction,
    qos: QoS,
    local: TopicFilter,
    remote: TopicFilter,
    local_prefix: String,
    remote_prefix: String,
}

/// The whole list.
#[derive(Clone, Debug)]
pub(crate) struct Topics(Vec<Mapping>);

impl TopicRule {
    /// Checks one entry.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), TopicRuleError> {
        Mapping::new(self).map(drop)
    }
}

impl Mapping {
    fn new(rule: &TopicRule) -> Result<Self, TopicRuleError> {
        let side = |prefix: &str| {
            if prefix.contains(['+', '#']) {
                return Err(TopicRuleError::Wildcard { prefix: prefix.to_owned() });
            }
            let filter = format!("{prefix}{}", rule.filter);
            if filter.is_empty() {
                return Err(TopicRuleError::Empty);
            }
            if filter.starts_with("$share/") {
                return Err(TopicRuleError::Shared { filter });
            }
            TopicFilter::new(filter.clone()).map_err(|source| TopicRuleError::Filter { filter, source })
        };
        Ok(Self {
            direction: rule.direction,
            qos: rule.qos,
            local: side(&rule.local_prefix)?,
            remote: side(&rule.remote_prefix)?,
            local_prefix: rule.local_prefix.clone(),
            remote_prefix: rule.remote_prefix.clone(),
        })
    }

    fn is_inward(&self) -> bool {
        self.direction != Direction::Out
    }

    fn is_outward(&self) -> bool {
        self.direction != Direction::In
    }
}

impl Topics {
    pub(crate) fn new(rules: &[TopicRule]) -> Result<Self, TopicRuleError> {
        rules.iter().map(Mapping::new).collect::<Result<_, _>>().map(Self)
    }

    /// What a message of the other broker is called here.
    pub(crate) fn inward(&self, topic: &TopicName) -> Option<TopicName> {
        let found = self.0.iter().find(|mapping| mapping.is_inward() && mapping.remote.matches(topic))?;
        renamed(topic, &found.remote_prefix, &found.local_prefix)
    }

    /// What a message of this broker is called over there.
    pub(crate) fn outward(&self, topic: &TopicName) -> Option<TopicName> {
        let found = self.0.iter().find(|mapping| mapping.is_outward() && mapping.local.matches(topic))?;
        renamed(topic, &found.local_prefix, &found.remote_prefix)
    }

    /// Whether the other broker sends a message with this name of its own to us.
    pub(crate) fn comes_back(&self, remote: &TopicName) -> bool {
        self.0.iter().any(|mapping| mapping.is_inward() && mapping.remote.matches(remote))
    }

    /// What to subscribe to at the other broker. Of two rules with one filter the first decides.
    pub(crate) fn remote_subscriptions(&self) -> Vec<(TopicFilter, QoS)> {
        once(self.0.iter().filter(|mapping| mapping.is_inward()).map(|mapping| (&mapping.remote, mapping.qos)))
    }

    /// Every Topic Filter at the other broker in the order of the list: with the QoS to subscribe to it with, or without one if it only goes out.
    pub(crate) fn remote_filters(&self) -> Vec<(TopicFilter, Option<QoS>)> {
        let wanted = self.remote_subscriptions();
        let mut list: Vec<(TopicFilter, Option<QoS>)> = Vec::new();
        for mapping in &self.0 {
            if list.iter().all(|(known, _)| *known != mapping.remote) {
                let qos = wanted.iter().find(|(filter, _)| *filter == mapping.remote).map(|(_, qos)| *qos);
                list.push((mapping.remote.clone(), qos));
            }
        }
        list
    }

    /// What to subscribe to here.
    pub(crate) fn local_subscriptions(&self) -> Vec<(TopicFilter, QoS)> {
        once(self.0.iter().filter(|mapping| mapping.is_outward()).map(|mapping| (&mapping.local, mapping.qos)))
    }

    /// Where messages of the other broker end up here.
    pub(crate) fn local_of_inward(&self) -> impl Iterator<Item = &TopicFilter> {
        self.0.iter().filter(|mapping| mapping.is_inward()).map(|mapping| &mapping.local)
    }

    /// Where messages for the other broker come from here.
    pub(crate) fn local_of_outward(&self) -> impl Iterator<Item = &TopicFilter> {
        self.0.iter().filter(|mapping| mapping.is_outward()).map(|mapping| &mapping.local)
    }
}

fn once<'a>(subscriptions: impl Iterator<Item = (&'a TopicFilter, QoS)>) -> Vec<(TopicFilter, QoS)> {
    let mut list: Vec<(TopicFilter, QoS)> = Vec::new();
    for (filter, qos) in subscriptions {
        match list.iter_mut().find(|(known, _)| known == filter) {
            // The same topics, told to be carried over twice: the higher QoS covers both.
            Some((_, known)) => *known = qos.max(*known),
            None => list.push((filter.clone(), qos)),
        }
    }
    list
}

/// Nothing when the name would be empty or too long on the other side.
fn renamed(topic: &TopicName, from: &str, to: &str) -> Option<TopicName> {
    if from == to {
        return Some(topic.clone());
    }
    let rest = topic.as_str().strip_prefix(from)?;
    TopicName::new(format!("{to}{rest}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(filter: &str, direction: Direction, local_prefix: &str, remote_prefix: &str) -> TopicRule {
        TopicRule {
            filter: filter.into(),
            direction,
            qos: QoS::AtLeastOnce,
            local_prefix: local_prefix.into(),
            remote_prefix: remote_prefix.into(),
        }
    }

    fn name(text: &str) -> TopicName {
        TopicName::new(text.to_owned()).unwrap()
    }

    #[test]
    fn prefixes_are_exchanged_and_the_first_rule_that_covers_decides() {
        let topics = Topics::new(&[
            rule("", Direction::In, "here/clock", "there/time"),
            rule("#", Direction::Both, "site/", "sites/7/"),
            rule("alarm/+", Direction::Out, "", "hq/"),
        ])
        .unwrap();
        let outward = |text: &str| topics.outward(&name(text)).map(|topic| topic.as_str().to_owned());
        let inward = |text: &str| topics.inward(&name(text)).map(|topic| topic.as_str().to_owned());
        assert_eq!(outward("site/a/b").as_deref(), Some("sites/7/a/b"));
        assert_eq!(outward("alarm/fire").as_deref(), Some("hq/alarm/fire"));
        assert_eq!(outward("here/clock"), None, "that one comes in only");
        assert_eq!(outward("alarm/fire/1"), None);
        assert_eq!(inward("sites/7/a").as_deref(), Some("site/a"));
        assert_eq!(inward("there/time").as_deref(), Some("here/clock"));
        assert_eq!(inward("hq/alarm/fire"), None, "that one goes out only");
    }

    #[test]
    fn a_wildcard_at_the_start_carries_no_dollar_topics() {
        let topics = Topics::new(&[rule("#", Direction::Both, "", "")]).unwrap();
        assert_eq!(topics.inward(&name("$SYS/broker/uptime")), None);
        let named = Topics::new(&[rule("broker/#", Direction::In, "hq/", "$SYS/")]).unwrap();
        assert_eq!(named.inward(&name("$SYS/broker/uptime")).unwrap().as_str(), "hq/broker/uptime");
    }

    #[test]
    fn what_cannot_be_named_over_there_is_not_carried_over() {
        let topics = Topics::new(&[rule("#", Direction::Out, "a", "")]).unwrap_err();
        assert!(matches!(topics, TopicRuleError::Filter { .. }), "`a#` is no filter");
        let topics = Topics::new(&[rule("#", Direction::Out, "a/", "")]).unwrap();
        // `a/#` matches `a` too, which has no name without its prefix.
        assert_eq!(topics.outward(&name("a")), None);
        let long = name(&format!("a/{}", "x".repeat(65_500)));
        let longer = Topics::new(&[rule("#", Direction::Out, "a/", &"y".repeat(100))]).unwrap_err();
        assert!(matches!(longer, TopicRuleError::Filter { .. }), "`#` has to follow a slash");
        let longer = Topics::new(&[rule("#", Direction::Out, "a/", &format!("{}/", "y".repeat(100)))]).unwrap();
        assert_eq!(longer.outward(&long), None);
    }

    #[test]
    fn what_is_no_rule_says_why() {
        let why = |filter: &str, local: &str| rule(filter, Direction::Both, local, "").check().unwrap_err().to_string();
        assert!(why("", "").contains("is empty"));
        assert!(why("a", "b/#").contains("`b/#` contains a wildcard"));
        assert!(why("$share/g/a", "").contains("shared subscription"));
        assert!(why("a#", "").contains("`a#` is no topic filter"));
    }

    #[test]
    fn one_filter_is_subscribed_once_with_the_higher_qos() {
        let mut second = rule("a", Direction::In, "x/", "");
        second.qos = QoS::ExactlyOnce;
        let topics = Topics::new(&[rule("a", Direction::Both, "", ""), second]).unwrap();
        assert_eq!(topics.remote_subscriptions(), [(TopicFilter::new("a").unwrap(), QoS::ExactlyOnce)]);
        assert_eq!(topics.local_subscriptions(), [(TopicFilter::new("a").unwrap(), QoS::AtLeastOnce)]);
        let outward = |filter: &str| rule(filter, Direction::Out, "", "x/");
        let topics = Topics::new(&[outward("a"), outward("b"), outward("a"), rule("b", Direction::In, "", "x/")]).unwrap();
        let filter = |text: &str| TopicFilter::new(text.to_owned()).unwrap();
        assert_eq!(topics.remote_filters(), [(filter("x/a"), None), (filter("x/b"), Some(QoS::AtLeastOnce))], "what comes in too is kept");
    }
}
