//! The three decisions. The only file that makes permits.

use std::sync::Arc;

use signet_identity::Peer;
use signet_mqtt::{ClientIdentifier, Connect, QoS, ReasonCode, TopicFilter, TopicName};

use crate::admission::AdmissionRules;
use crate::answers::{AccessQuestion, Known};
use crate::applicant::Applicant;
use crate::chain::Passed;
use crate::client::{Client, Principal};
use crate::denied::{DenialReason, Denied};
use crate::grant::Origin;
use crate::names;
use crate::permit::{ConnectPermit, PublishPermit, SubscribePermit};
use crate::proven::NameOrigins;
use crate::rule::Action;
use crate::ruleset::{Decider, Ruleset};
use crate::verdict::{Allowed, By, Request, Stance, Verdict, judge};

/// Who would this peer be, under which names, and what does it show for that? `assigned` makes a Client Identifier for a client that sent an empty
/// one [MQTT-3.1.3-6]; `now` in Unix seconds.
///
/// # Errors
/// Names the listener's rule that refuses, with the reason code for the CONNACK.
pub fn identify(
    rules: &AdmissionRules,
    peer: &Peer,
    connect: &Connect,
    origin: Origin,
    now: i64,
    assigned: impl FnOnce() -> ClientIdentifier,
) -> Result<Applicant, Denied> {
    let (mut client, is_assigned) = match &rules.bridge {
        Some(client) => (names::bridge(client), false),
        None => names::client(rules, names::principal(peer)?, connect, assigned)?,
    };
    client.origin = Some(origin);
    Ok(Applicant {
        names: NameOrigins::of(rules, &client, is_assigned),
        client,
        is_assigned,
        claimed_username: connect.username.clone(),
        password: connect.password.clone(),
        method: connect.properties.authentication_method.clone(),
        method_data: connect.properties.authentication_data.clone(),
        without_identity: without_identity(peer),
        now,
    })
}

/// Why a peer has no certificate, if it has none: [`Applicant::without_identity`].
#[must_use]
pub fn without_identity(peer: &Peer) -> Option<String> {
    match peer {
        Peer::Anonymous(why) => Some(why.to_string()),
        Peer::Keyed(_) => Some("it has a pre-shared key instead of a certificate".to_owned()),
        Peer::Device(_) | Peer::Pending(_) | Peer::Named(_) => None,
    }
}

/// May somebody connect who has passed whoever had to vouch? That, and under which names, is what the permit says.
#[must_use]
pub fn authorize_connect(applicant: Applicant, passed: Passed) -> ConnectPermit {
    let is_assigned = applicant.is_assigned;
    let client = named(&applicant, &passed).regranted(Arc::new(passed.into_grant()));
    ConnectPermit::assertion(client, is_assigned)
}

/// Who somebody would be for whom those vouch who have to, with what it is given: rules and access sources can be asked about it. It permits nothing.
#[must_use]
pub fn vouched(applicant: &Applicant, passed: &Passed) -> Client {
    named(applicant, passed).regranted(Arc::new(passed.grant().clone()))
}

/// The same under the names that were vouched for, without what it is given.
fn named(applicant: &Applicant, passed: &Passed) -> Client {
    let mut client = applicant.client.clone();
    let (names, grant) = (applicant.names, passed.grant());
    // A name is logged, shown and stored. One that a template has made is a name.
    if grant.has_secret_username && client.username == applicant.claimed_username {
        client.username = None;
    }
    if client.username.is_none() {
        client.username = grant.username.clone();
    }
    let mut proven = names.proven.or(names.believed).or(grant.proven);
    proven.username |= grant.username.is_some() && client.username == grant.username;
    proven.client_identifier |= names.is_identifier_of_username && client.username.is_some() && proven.username;
    client.proven = proven;
    if passed.is_vouched() && client.principal == Principal::Anonymous {
        client.principal = match client.proven_username() {
            Some(username) => Principal::User(username.into()),
            None if proven.client_identifier => Principal::User(client.client_identifier.as_str().into()),
            None => Principal::Unnamed,
        };
    }
    client
}

/// A connected client that has authenticated again: the same client, with what it is granted now.
#[must_use]
pub fn reauthorize(client: &Client, passed: Passed) -> Client {
    client.regranted(Arc::new(passed.into_grant()))
}

/// Why there is no permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPermit {
    /// It is not allowed.
    Denied(Box<Denied>),
    /// An access source has to be asked first. What it says belongs into [`Known`], and then the same is to be decided again.
    Ask(Box<AccessQuestion>),
}

impl From<Denied> for NoPermit {
    fn from(denied: Denied) -> Self {
        Self::Denied(Box::new(denied))
    }
}

impl NoPermit {
    /// The refusal where nobody can be asked any more.
    #[must_use]
    pub fn or_denied(self, client: &Client) -> Denied {
        match self {
            Self::Denied(denied) => *denied,
            Self::Ask(question) => {
                let by = By::Silent(question.source, Some("there was no time for it".to_owned()));
                denied_by(by, client, question.action, &question.topic)
            }
        }
    }
}

/// May this client publish this message to this topic, as the client wrote it? The permit is for the whole topic, with the client's tenant.
///
/// # Errors
/// Says which rule or source denies it, that nobody allows it, why a tenant's client cannot have it, or who has to be asked first.
pub fn authorize_publish(
    rules: &Ruleset,
    client: &Client,
    topic: &TopicName,
    message: Published,
    known: Known<'_>,
) -> Result<PublishPermit, NoPermit> {
    let (allowed, topic) = publish_decision(rules, client, topic, message, known)?;
    Ok(PublishPermit::assertion(topic, allowed.decider, allowed.is_general))
}

/// What rules look at in a message besides its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its QoS.
    pub qos: QoS,
    /// Its RETAIN flag.
    pub retain: bool,
    /// Whether it is a Will.
    pub will: bool,
}

/// What allows it, and the whole topic.
pub(crate) fn publish_decision(
    rules: &Ruleset,
    client: &Client,
    topic: &TopicName,
    message: Published,
    known: Known<'_>,
) -> Result<(Allowed, TopicName), NoPermit> {
    if let Principal::Bridge(name) = client.principal() {
        let is_listed = rules.bridge(name).is_some_and(|bridge| bridge.may_publish(topic));
        let allowed = Allowed { decider: Decider::Bridge, is_general: true, is_partial: false };
        return if is_listed { Ok((allowed, topic.clone())) } else { Err(outside_bridge(name, topic.as_str()).into()) };
    }
    let ruled = client.ruled(topic.as_str());
    if client.tenant().is_some() && ruled.starts_with('$') {
        let detail = "topics that start with `$` belong to the server, and no tenant publishes there";
        return Err(outside_mount(client, topic.as_str(), detail, ReasonCode::NotAuthorized).into());
    }
    let Published { qos, retain, will } = message;
    // A request is for whoever is there to hear the answer.
    if will && rules.own_topics().control && topic.as_str().starts_with("$CONTROL/") {
        let detail = "topics below `$CONTROL/` are for requests to the server".to_owned();
        let reason_code = ReasonCode::NotAuthorized;
        return Err(Denied { rule: "the server's own topics".to_owned(), reason: DenialReason::Will { detail }, reason_code }.into());
    }
    let action = Action::Publish { qos, retain, will };
    let allowed = decide(&Request { rules, client, action, topic: &ruled, written: &ruled, known, stance: Stance::Strict })?;
    // [MQTT-4.7.3-3]
    let too_long = |_| outside_mount(client, topic.as_str(), TOO_LONG, ReasonCode::TopicNameInvalid);
    Ok((allowed, client.place_topic(topic).map_err(too_long)?))
}

/// Below which topics the Server publishes itself: what it has to say about itself, answers to those who administer it, and what it keeps of others.
const OWN_TOPICS: [&str; 3] = ["$SYS/", "$CONTROL/", "$sparkplug/certificates/"];

/// May the Server itself publish to this topic? Under `$SYS/`, `$CONTROL/` and `$sparkplug/certificates/` only.
///
/// # Errors
/// Says that the topic is not the Server's own.
pub fn authorize_server_publish(topic: &TopicName) -> Result<PublishPermit, Denied> {
    if OWN_TOPICS.iter().any(|own| topic.as_str().starts_with(own)) {
        return Ok(PublishPermit::assertion(topic.clone(), Decider::Server, true));
    }
    Err(Denied {
        rule: "the server's own topics".to_owned(),
        reason: DenialReason::Publish { principal: "the server".to_owned(), topic: topic.as_str().to_owned() },
        reason_code: ReasonCode::NotAuthorized,
    })
}

/// May this client subscribe to this filter, as the client wrote it, with this QoS at most? Of a Shared Subscription the filter behind the ShareName is
/// judged. The permit is for the whole filter, with the client's tenant.
///
/// # Errors
/// Says which rule or source denies it, that nobody allows it, why a tenant's client cannot have it, or who has to be asked first.
pub fn authorize_subscribe(
    rules: &Ruleset,
    client: &Client,
    filter: &TopicFilter,
    qos: QoS,
    known: Known<'_>,
) -> Result<SubscribePermit, NoPermit> {
    let (allowed, filter) = subscribe_decision(rules, client, filter, (qos, known, Stance::Strict))?;
    Ok(SubscribePermit::assertion(filter, allowed.decider, allowed.is_partial))
}

/// May a client that is away keep this subscription, as it wrote it, until it comes back? What is not known of it, because it was stored, or because
/// somebody would have to be asked, is taken to be in its favour. Says whether each delivery has to be judged.
///
/// # Errors
/// It may not, whatever it is granted when it comes back.
pub fn may_keep_subscription(
    rules: &Ruleset,
    client: &Client,
    filter: &TopicFilter,
    qos: QoS,
    known: Known<'_>,
) -> Result<bool, Box<Denied>> {
    match subscribe_decision(rules, client, filter, (qos, known, Stance::Hopeful)) {
        Ok((allowed, _)) => Ok(allowed.is_partial),
        Err(NoPermit::Denied(denied)) => Err(denied),
        // Who hopes does not ask.
        Err(NoPermit::Ask(_)) => Ok(false),
    }
}

/// What allows it, and the whole filter.
pub(crate) fn subscribe_decision(
    rules: &Ruleset,
    client: &Client,
    filter: &TopicFilter,
    (qos, known, stance): (QoS, Known<'_>, Stance),
) -> Result<(Allowed, TopicFilter), NoPermit> {
    if let Principal::Bridge(name) = client.principal() {
        let is_listed = rules.bridge(name).is_some_and(|bridge| bridge.may_subscribe(filter));
        let allowed = Allowed { decider: Decider::Bridge, is_general: true, is_partial: false };
        return if is_listed { Ok((allowed, filter.clone())) } else { Err(outside_bridge(name, filter.as_str()).into()) };
    }
    let ruled = client.ruled(filter.without_share_name());
    let action = Action::Subscribe { qos };
    let allowed = decide(&Request { rules, client, action, topic: &ruled, written: filter.as_str(), known, stance })?;
    let Some(mount) = client.mount() else { return Ok((allowed, filter.clone())) };
    let unusable = |_| outside_mount(client, filter.as_str(), UNUSABLE, ReasonCode::TopicFilterInvalid);
    Ok((allowed, mount.place_filter(filter).map_err(unusable)?))
}

/// May a message with this whole topic still go to this client, whatever it once subscribed to? `qos` is that of the delivery. Nobody is asked for it: an
/// access source has said what it thinks of the subscription by which the message comes, and that stands in `known`.
#[must_use]
pub fn may_receive(rules: &Ruleset, client: &Client, topic: &TopicName, qos: QoS, known: Known<'_>) -> bool {
    receives(rules, client, topic, (qos, known, Stance::Strict))
}

/// May a message with this whole topic be kept for a client that is away? What is not known of it is taken to be in its favour, as with
/// [`may_keep_subscription`]: it is judged again before it is sent.
#[must_use]
pub fn may_yet_receive(rules: &Ruleset, client: &Client, topic: &TopicName, qos: QoS, known: Known<'_>) -> bool {
    receives(rules, client, topic, (qos, known, Stance::Hopeful))
}

fn receives(rules: &Ruleset, client: &Client, topic: &TopicName, (qos, known, stance): (QoS, Known<'_>, Stance)) -> bool {
    if let Principal::Bridge(name) = client.principal() {
        return rules.bridge(name).is_some_and(|bridge| bridge.may_receive(topic));
    }
    let seen = match client.mount() {
        None => Some(topic.clone()),
        Some(mount) => mount.ruled_topic(topic),
    };
    let action = Action::Receive { qos };
    let may = |topic: TopicName| judge(&Request { rules, client, action, topic: topic.as_str(), written: topic.as_str(), known, stance });
    seen.is_some_and(|topic| matches!(may(topic), Verdict::Allow(_)))
}

/// The verdict as a decision.
fn decide(request: &Request<'_>) -> Result<Allowed, NoPermit> {
    match judge(request) {
        Verdict::Allow(allowed) => Ok(allowed),
        Verdict::Deny(by) => Err(denied_by(by, request.client, request.action, request.written).into()),
        Verdict::Ask(question) => Err(NoPermit::Ask(Box::new(question))),
    }
}

/// A refusal in words.
fn denied_by(by: By, client: &Client, action: Action, written: &str) -> Denied {
    let (principal, topic) = (client.described(), written.to_owned());
    let action = match action {
        Action::Publish { .. } => "publish to",
        Action::Subscribe { .. } | Action::Receive { .. } => "subscribe to",
    };
    let (rule, reason) = match by {
        By::Nobody if action == "publish to" => ("access rules".to_owned(), DenialReason::Publish { principal, topic }),
        By::Nobody => ("access rules".to_owned(), DenialReason::Subscribe { principal, filter: topic }),
        By::Rule(name) => (name, DenialReason::Rule { principal, action, topic }),
        By::Source(name) => (format!("access source `{name}`"), DenialReason::Source { principal, action, topic }),
        By::Silent(name, why) => {
            let why = why.unwrap_or_default();
            (format!("access source `{name}`"), DenialReason::SourceFailed { principal, action, topic, why })
        }
    };
    Denied { rule, reason, reason_code: ReasonCode::NotAuthorized }
}

const TOO_LONG: &str = "it is too long with what stands before it, tenant or mount point";
const UNUSABLE: &str = "it is too long with what stands before it, tenant or mount point, or no filter";

fn outside_mount(client: &Client, topic: &str, detail: &'static str, reason_code: ReasonCode) -> Denied {
    Denied {
        rule: match (client.tenant(), &client.mount_point) {
            (Some(tenant), _) => format!("tenant `{tenant}`"),
            (None, Some(point)) => format!("mount point `{point}`"),
            (None, None) => String::new(),
        },
        reason: DenialReason::Mount { principal: client.principal().to_string(), topic: topic.to_owned(), detail },
        reason_code,
    }
}

fn outside_bridge(name: &str, topic: &str) -> Denied {
    Denied {
        rule: format!("bridge `{name}`"),
        reason: DenialReason::Bridge { topic: topic.to_owned() },
        reason_code: ReasonCode::NotAuthorized,
    }
}

#[cfg(test)]
mod tests;
