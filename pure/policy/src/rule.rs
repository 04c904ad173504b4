//! One rule as written.

use signet_mqtt::QoS;

use crate::client::Client;
use crate::pattern::{Fit, TopicPattern};
use crate::who::Who;

/// One rule: for whom, and what it allows or denies. Rules are asked in order, and the first that has something to say about what is asked decides.
///
/// The default is a rule that allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// How a refusal or an explanation names the rule, for example "access rule 2".
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// To whom the rule applies.
    pub who: Who,
    /// Where they may publish, or not.
    pub publish: Vec<TopicPattern>,
    /// What they may subscribe to and receive, or not. A filter is allowed if every topic it can match is covered by one of these; it is denied if every
    /// topic is. Of a filter of which some topics are denied, these are not delivered.
    pub subscribe: Vec<TopicPattern>,
    /// What else has to be the case.
    pub conditions: Conditions,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Effect {
    /// Whatever it covers is allowed.
    #[default]
    Allow,
    /// Whatever it covers is denied.
    Deny,
}

/// What has to be the case for a rule to apply, besides who asks and for which topic. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The QoS of the message, or of the subscription. A message that is delivered is held against a rule that denies with the QoS of its delivery; to a
    /// rule that allows the QoS of a delivery is no condition, because it may be lower than that of the subscription. `None`: any.
    pub qos: Option<QosSet>,
    /// The RETAIN flag of the message. Without meaning for subscriptions. `None`: either.
    pub retain: Option<bool>,
    /// Whether the message is a Will. Without meaning for subscriptions. `None`: either.
    pub will: Option<bool>,
}

/// Some of the three levels of QoS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QosSet([bool; 3]);

impl QosSet {
    /// Whether this one is among them.
    #[must_use]
    pub fn contains(self, qos: QoS) -> bool {
        let [zero, one, two] = self.0;
        match qos {
            QoS::AtMostOnce => zero,
            QoS::AtLeastOnce => one,
            QoS::ExactlyOnce => two,
        }
    }

    /// Whether it is all of them.
    #[must_use]
    pub fn is_all(self) -> bool {
        self.0 == [true; 3]
    }
}

impl FromIterator<QoS> for QosSet {
    fn from_iter<I: IntoIterator<Item = QoS>>(all: I) -> Self {
        let mut set = Self::default();
        let [zero, one, two] = &mut set.0;
        for qos in all {
            match qos {
                QoS::AtMostOnce => *zero = true,
                QoS::AtLeastOnce => *one = true,
                QoS::ExactlyOnce => *two = true,
            }
        }
        set
    }
}

/// What a client wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Send a message.
    Publish {
        /// Its QoS.
        qos: QoS,
        /// Its RETAIN flag.
        retain: bool,
        /// Whether it is a Will.
        will: bool,
    },
    /// Subscribe to a filter.
    Subscribe {
        /// With this QoS at most.
        qos: QoS,
    },
    /// Get a message by a subscription that it has.
    Receive {
        /// The QoS of the delivery.
        qos: QoS,
    },
}

/// How far a rule covers what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coverage {
    Nothing,
    /// Some of the topics that a filter can match: of a rule that denies only.
    Some,
    All,
}

impl Rule {
    /// A rule that allows, under no further conditions.
    #[must_use]
    pub fn allow(name: impl Into<String>, who: Who, publish: Vec<TopicPattern>, subscribe: Vec<TopicPattern>) -> Self {
        Self { name: name.into(), effect: Effect::Allow, who, publish, subscribe, conditions: Conditions::default() }
    }

    /// A rule that denies, under no further conditions.
    #[must_use]
    pub fn deny(name: impl Into<String>, who: Who, publish: Vec<TopicPattern>, subscribe: Vec<TopicPattern>) -> Self {
        Self { effect: Effect::Deny, ..Self::allow(name, who, publish, subscribe) }
    }

    /// Whether a yes or no of its depends on more than who asks and for which topic.
    pub(crate) fn has_conditions(&self) -> bool {
        self.conditions != Conditions::default()
    }

    /// How far its topics and conditions cover what is asked: a Topic Name, or a Topic Filter without ShareName. `takes_unfilled`: whether it covers what
    /// is behind a hole that nothing fills.
    pub(crate) fn covers(&self, action: Action, asked: &str, client: &Client, takes_unfilled: bool) -> Coverage {
        let is_deny = self.effect == Effect::Deny;
        if !self.conditions.admit(action, is_deny) {
            let is_reached = matches!(action, Action::Subscribe { qos } if is_deny && self.conditions.reach_below(qos));
            let is_met = is_reached && self.subscribe.iter().any(|pattern| pattern.overlaps_filter(asked, client));
            return if is_met { Coverage::Some } else { Coverage::Nothing };
        }
        let is_covered = |fit: Fit| fit == Fit::Yes || (takes_unfilled && fit == Fit::Unfilled);
        let covers_all = match action {
            Action::Publish { .. } => self.publish.iter().any(|pattern| is_covered(pattern.covers_topic(asked, client))),
            Action::Subscribe { .. } => self.subscribe.iter().any(|pattern| is_covered(pattern.covers_filter(asked, client))),
            Action::Receive { .. } if is_deny => self.subscribe.iter().any(|pattern| is_covered(pattern.covers_topic(asked, client))),
            Action::Receive { .. } => self.subscribe.iter().any(|pattern| is_covered(pattern.allows_delivery(asked, client))),
        };
        match action {
            _ if covers_all => Coverage::All,
            Action::Subscribe { .. } if is_deny && self.subscribe.iter().any(|pattern| pattern.overlaps_filter(asked, client)) => {
                Coverage::Some
            }
            _ => Coverage::Nothing,
        }
    }
}

impl Conditions {
    /// Whether they hold for messages that a subscription with this QoS brings with a lower one.
    fn reach_below(&self, qos: QoS) -> bool {
        let lower = [QoS::AtMostOnce, QoS::AtLeastOnce].into_iter().filter(|lower| *lower < qos);
        self.qos.is_some_and(|wanted| lower.into_iter().any(|lower| wanted.contains(lower)))
    }

    fn admit(&self, action: Action, is_deny: bool) -> bool {
        let has_qos = |found: QoS| self.qos.is_none_or(|wanted| wanted.contains(found));
        match action {
            Action::Publish { qos, retain, will } => {
                has_qos(qos) && self.retain.is_none_or(|wanted| wanted == retain) && self.will.is_none_or(|wanted| wanted == will)
            }
            Action::Subscribe { qos } => has_qos(qos),
            Action::Receive { qos } => !is_deny || has_qos(qos),
        }
    }
}
