//! Why something is allowed or not, for people: the decision of [`crate::decide`] again, with everything that was looked at.

use std::ops::ControlFlow;
use std::sync::Arc;

use signet_identity::DeviceIdentity;
use signet_mqtt::{ClientIdentifier, Connect, QoS, TopicFilter, TopicName};

use crate::admission::AdmissionRules;
use crate::answers::{AccessQuestion, Known};
use crate::applicant::Applicant;
use crate::client::{Client, Principal};
use crate::decide::{NoPermit, Published, publish_decision, subscribe_decision};
use crate::denied::Denied;
use crate::grant::{Grant, Origin, SourceRules};
use crate::names;
use crate::proven::NameOrigins;
use crate::rule::{Action, Coverage, Effect};
use crate::ruleset::{From, Part, Ruleset};
use crate::verdict::{Allowed, Stance};

/// A decision and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What was decided. Where somebody would have to be asked, nothing is, and this is false.
    pub allowed: bool,
    /// What decided, by its name: a rule, an access source, the client's superuser right.
    pub rule: String,
    /// Why not, if not.
    pub denied: Option<Denied>,
    /// What an access source would be asked, if it comes to that.
    pub asked: Option<AccessQuestion>,
    /// Of a subscription that is allowed: whether some of the topics that its filter matches are, or may be, not delivered.
    pub is_partial: bool,
    /// Everything that was there to be asked, in its order. The first rule that includes the client and covers the topic decides.
    pub considered: Vec<Considered>,
}

/// One rule, or one access source, that was there to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// Its name.
    pub rule: String,
    /// What it does where it applies; nothing for a source that has no rules of its own here.
    pub effect: Option<Effect>,
    /// Where it comes from.
    pub from: ConsideredFrom,
    /// Whether it is about this client.
    pub includes_client: bool,
    /// Whether one of its patterns covers what was asked, for this client, under the conditions of the rule.
    pub covers: bool,
    /// Whether it denies some of what was asked, a filter, and leaves the rest to others.
    pub covers_some: bool,
}

/// Where a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsideredFrom {
    /// The `[[access]]` tables of the configuration.
    Configuration,
    /// The client's trust profile.
    Profile,
    /// An authenticator that gave it to the client.
    Authenticator(String),
    /// An access source.
    Source(String),
    /// An access source that is asked about each topic.
    AskedSource(String),
    /// An access source that could not be asked about the client.
    SilentSource(String),
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
        Some(identity) => names::device(identity)?,
        None => (Principal::Anonymous, None),
    };
    // What stands here is shown, and rules may look at it: a name that nobody can be given.
    let (mut client, is_assigned) = names::client(rules, proven, connect, || ClientIdentifier::new("(assigned by the server)"))?;
    client.origin = Some(origin);
    Ok(Applicant {
        names: NameOrigins::of(rules, &client, is_assigned),
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

/// Who somebody would be if it were let in under its names, whoever has to vouch, with the rules that access sources have about it.
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

/// Explains whether a client may publish such a message to a topic, which is written as the client writes it.
#[must_use]
pub fn explain_publish(rules: &Ruleset, client: &Client, topic: &TopicName, message: Published) -> Explanation {
    let decided = publish_decision(rules, client, topic, message, Known::NOTHING).map(|(allowed, _)| allowed);
    let Published { qos, retain, will } = message;
    explanation(decided, client, considered(rules, client, Action::Publish { qos, retain, will }, &client.ruled(topic.as_str())))
}

/// Explains whether a client may subscribe to a filter, which is written as the client writes it.
#[must_use]
pub fn explain_subscribe(rules: &Ruleset, client: &Client, filter: &TopicFilter, qos: QoS) -> Explanation {
    let decided = subscribe_decision(rules, client, filter, (qos, Known::NOTHING, Stance::Strict)).map(|(allowed, _)| allowed);
    explanation(decided, client, considered(rules, client, Action::Subscribe { qos }, &client.ruled(filter.without_share_name())))
}

fn explanation(decided: Result<Allowed, NoPermit>, client: &Client, considered: Vec<Considered>) -> Explanation {
    match decided {
        Ok(allowed) => Explanation {
            allowed: true,
            rule: allowed.decider.as_str().to_owned(),
            denied: None,
            asked: None,
            is_partial: allowed.is_partial,
            considered,
        },
        Err(NoPermit::Ask(question)) => {
            let rule = format!("access source `{}`, which would be asked", question.source);
            Explanation { allowed: false, rule, denied: None, asked: Some(*question), is_partial: false, considered }
        }
        Err(no @ NoPermit::Denied(_)) => {
            let denied = no.or_denied(client);
            Explanation { allowed: false, rule: denied.rule.clone(), denied: Some(denied), asked: None, is_partial: false, considered }
        }
    }
}

fn considered(rules: &Ruleset, client: &Client, action: Action, topic: &str) -> Vec<Considered> {
    let mut considered = Vec::new();
    let asked = |rule: String, from: ConsideredFrom, covers: bool| Considered {
        rule,
        effect: None,
        from,
        includes_client: true,
        covers,
        covers_some: false,
    };
    let _: ControlFlow<()> = rules.visit(client, &mut |part| {
        match part {
            Part::Rules { from, source, rules, grants_subscribe, .. } => {
                if let Some(source) = source.filter(|_| grants_subscribe && matches!(action, Action::Subscribe { .. })) {
                    considered.push(asked(
                        format!("access source `{source}`: every subscription is granted, and deliveries are judged"),
                        ConsideredFrom::Source(source.to_string()),
                        true,
                    ));
                    return ControlFlow::Continue(());
                }
                for rule in rules {
                    let is_deny = rule.rule.effect == Effect::Deny;
                    let coverage = rule.rule.covers(action, topic, client, is_deny);
                    considered.push(Considered {
                        rule: rule.rule.name.clone(),
                        effect: Some(rule.rule.effect),
                        from: match (from, source) {
                            (_, None) if rule.is_of_profile => ConsideredFrom::Profile,
                            (_, None) => ConsideredFrom::Configuration,
                            (From::Authenticator, Some(source)) => ConsideredFrom::Authenticator(source.to_string()),
                            (From::Source, Some(source)) => ConsideredFrom::Source(source.to_string()),
                        },
                        includes_client: rule.rule.who.test(client, is_deny),
                        covers: coverage == Coverage::All,
                        covers_some: coverage == Coverage::Some,
                    });
                }
            }
            Part::Missing(source) => considered.push(asked(
                format!("access source `{source}`: it could not be asked, and denies"),
                ConsideredFrom::SilentSource(source.to_string()),
                true,
            )),
            Part::Judged(source, _) => considered.push(asked(
                format!("access source `{source}`: it says what it thinks of each topic"),
                ConsideredFrom::AskedSource(source.to_string()),
                true,
            )),
            Part::Asked(source) => considered.push(asked(
                format!("access source `{source}`: it would be asked"),
                ConsideredFrom::AskedSource(source.to_string()),
                true,
            )),
        }
        ControlFlow::Continue(())
    });
    considered
}
