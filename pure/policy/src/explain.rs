//! Why something is allowed or not, for people: the decision of [`crate::decide`] again, with everything that was looked at.

use std::sync::Arc;

use signet_identity::DeviceIdentity;
use signet_mqtt::{ClientIdentifier, Connect, QoS, TopicFilter, TopicName};

use crate::admission::AdmissionRules;
use crate::applicant::Applicant;
use crate::chain::Passed;
use crate::client::{Client, Principal};
use crate::decide::{self, publish_decision, subscribe_decision};
use crate::denied::Denied;
use crate::grant::{Grant, Origin, SourceRules};
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

/// Who would want to be let in by this CONNECT, with this identity if its certificate proves one. A question only: what comes of it permits nothing.
///
/// # Errors
/// As [`crate::identify`].
pub fn explain_connect(
    rules: &AdmissionRules,
    identity: Option<&Arc<DeviceIdentity>>,
    connect: &Connect,
    origin: Origin,
    now: i64,
) -> Result<Applicant, Denied> {
    let proven = match identity {
        Some(identity) => decide::device(identity)?,
        None => (Principal::Anonymous, None),
    };
    // What stands here is shown, and rules may look at it: a name that nobody can be given.
    let (mut client, is_assigned) = decide::client(rules, proven, connect, || ClientIdentifier::new("(assigned by the server)"))?;
    client.origin = Some(origin);
    Ok(Applicant {
        client,
        is_assigned,
        claimed_username: connect.username.clone(),
        password: connect.password.clone(),
        method: connect.properties.authentication_method.clone(),
        method_data: None,
        without_identity: identity.is_none().then(|| "it has no certificate".to_owned()),
        now,
    })
}

/// Who somebody would be for whom those vouch who have to: rules can be asked about it.
#[must_use]
pub fn explain_passed(applicant: Applicant, passed: Passed) -> Client {
    decide::admitted(applicant, passed)
}

/// Who somebody would be if it were let in, whoever has to vouch, with the rules that access sources have about it.
#[must_use]
pub fn explain_assumed(applicant: Applicant, fetched: Vec<SourceRules>) -> Client {
    let Applicant { mut client, claimed_username, .. } = applicant;
    if let (Principal::Anonymous, Some(username)) = (&client.principal, client.username.clone().or(claimed_username)) {
        client.principal = Principal::User(username);
    }
    let fetched = fetched.into_iter().map(|rules| (Arc::clone(&rules.source), rules)).collect();
    client.grant = Some(Arc::new(Grant { fetched, ..Grant::default() }));
    client
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
