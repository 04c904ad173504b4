//! Why something is allowed or not, for people: the decision of [`crate::decide`] again, with everything that was looked at.

use std::sync::Arc;

use signet_identity::DeviceIdentity;
use signet_mqtt::{ClientIdentifier, Connect, QoS, TopicFilter, TopicName};

use crate::admission::AdmissionRules;
use crate::client::Client;
use crate::decide::{self, publish_decision, subscribe_decision};
use crate::denied::Denied;
use crate::rule::{Action, Coverage, Rule};
use crate::ruleset::{Decider, Ruleset};

/// A decision and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What was decided.
    pub allowed: bool,
    /// The rule that decided, by its name.
    pub rule: String,
    /// Why not, if not.
    pub denied: Option<Denied>,
    /// The rules that were there to be asked, in their order. The first one that includes the client and covers the topic decides.
    pub considered: Vec<Considered>,
}

/// One rule that was there to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// Its name.
    pub rule: String,
    /// Whether it is one of the client's trust profile.
    pub is_of_profile: bool,
    /// Whether it is about this client.
    pub includes_client: bool,
    /// Whether one of its patterns covers what was asked, for this client.
    pub covers: bool,
}

/// Who a device would be after this CONNECT, if its certificate proves this identity; the flag says whether the Client Identifier is chosen here.
/// A question only: what comes of it permits nothing.
///
/// # Errors
/// As [`crate::authorize_connect`].
pub fn explain_connect(rules: &AdmissionRules, identity: &Arc<DeviceIdentity>, connect: &Connect) -> Result<(Client, bool), Denied> {
    // What stands here is shown, and rules may look at it: a name that nobody can be given.
    decide::client(rules, decide::device(identity)?, connect, || ClientIdentifier::new("(assigned by the server)"))
}

/// Explains whether a client may publish to a topic, which is written as the client writes it.
#[must_use]
pub fn explain_publish(rules: &Ruleset, client: &Client, topic: &TopicName) -> Explanation {
    let decided = publish_decision(rules, client, topic).map(|(decider, _)| decider);
    let action = Action::Publish { qos: QoS::AtMostOnce, retain: false, will: false };
    let covers = |rule: &Rule| rule.covers(action, topic.as_str(), client) == Coverage::All;
    explanation(decided, considered(rules, client, covers))
}

/// Explains whether a client may subscribe to a filter, which is written as the client writes it.
#[must_use]
pub fn explain_subscribe(rules: &Ruleset, client: &Client, filter: &TopicFilter) -> Explanation {
    let decided = subscribe_decision(rules, client, filter).map(|(decider, _)| decider);
    let asked = filter.without_share_name();
    let action = Action::Subscribe { qos: QoS::AtMostOnce };
    let covers = |rule: &Rule| rule.covers(action, asked, client) == Coverage::All;
    explanation(decided, considered(rules, client, covers))
}

fn explanation(decided: Result<Decider, Denied>, considered: Vec<Considered>) -> Explanation {
    match decided {
        Ok(decider) => Explanation { allowed: true, rule: decider.as_str().to_owned(), denied: None, considered },
        Err(denied) => Explanation { allowed: false, rule: denied.rule.clone(), denied: Some(denied), considered },
    }
}

fn considered(rules: &Ruleset, client: &Client, covers: impl Fn(&Rule) -> bool) -> Vec<Considered> {
    let asked = rules.asked(client).into_iter().flatten();
    let considered = asked.map(|named| Considered {
        rule: named.name.to_string(),
        is_of_profile: named.is_of_profile,
        includes_client: named.rule.includes(client),
        covers: covers(&named.rule),
    });
    considered.collect()
}
