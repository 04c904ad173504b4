//! The three decisions. The only file that makes permits.

use std::sync::Arc;

use bytestring::ByteString;
use signet_identity::{ClientIdentifierBinding, DeviceIdentity, DeviceName, Facts, Peer, Template};
use signet_mqtt::{ClientIdentifier, Connect, QoS, ReasonCode, TopicFilter, TopicName};

use crate::admission::AdmissionRules;
use crate::applicant::Applicant;
use crate::bridge::{BRIDGE_IDENTIFIERS, bridge_identifier};
use crate::chain::Passed;
use crate::client::{Client, Principal, QualifiedName};
use crate::denied::{DenialReason, Denied, shown};
use crate::grant::Origin;
use crate::permit::{ConnectPermit, PublishPermit, SubscribePermit};
use crate::rule::{Action, Coverage, Effect, Rule};
use crate::ruleset::{Decider, Ruleset};

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
        Some(name) => (bridge(name), false),
        None => client(rules, principal(peer)?, connect, assigned)?,
    };
    client.origin = Some(origin);
    Ok(Applicant {
        client,
        is_assigned,
        claimed_username: connect.username.clone(),
        password: connect.password.clone(),
        method: connect.properties.authentication_method.clone(),
        method_data: connect.properties.authentication_data.clone(),
        without_identity: match peer {
            Peer::Anonymous(why) => Some(why.to_string()),
            Peer::Keyed(_) => Some("it has a pre-shared key instead of a certificate".to_owned()),
            Peer::Device(_) | Peer::Pending(_) | Peer::Named(_) => None,
        },
        now,
    })
}

/// May somebody connect who has passed whoever had to vouch? That, and under which names, is what the permit says.
#[must_use]
pub fn authorize_connect(applicant: Applicant, passed: Passed) -> ConnectPermit {
    let is_assigned = applicant.is_assigned;
    ConnectPermit::assertion(admitted(applicant, passed), is_assigned)
}

/// Who somebody is for whom those vouch who have to.
pub(crate) fn admitted(applicant: Applicant, passed: Passed) -> Client {
    vouched(&applicant, &passed).regranted(Arc::new(passed.into_grant()))
}

/// The same under the names that were vouched for, without what it is given. It permits nothing.
#[must_use]
pub fn vouched(applicant: &Applicant, passed: &Passed) -> Client {
    let mut client = applicant.client.clone();
    if client.username.is_none() {
        client.username = passed.grant().username.clone();
    }
    if passed.is_vouched() && client.principal == Principal::Anonymous {
        client.principal = Principal::User(client.username.clone().unwrap_or_else(|| client.client_identifier.as_str().into()));
    }
    client
}

/// A connected client that has authenticated again: the same client, with what it is granted now.
#[must_use]
pub fn reauthorize(client: &Client, passed: Passed) -> Client {
    client.regranted(Arc::new(passed.into_grant()))
}

/// A bridge of this Server: what it claims is of no interest.
fn bridge(name: &ByteString) -> Client {
    Client::restored(Principal::Bridge(name.clone()), None, bridge_identifier(name), None)
}

/// Anybody else, and whether the Client Identifier was chosen here.
pub(crate) fn client(
    rules: &AdmissionRules,
    (principal, identity): Proven,
    connect: &Connect,
    assigned: impl FnOnce() -> ClientIdentifier,
) -> Result<(Client, bool), Denied> {
    let claimed = &connect.client_identifier;
    let facts = Facts {
        username: connect.username.as_deref(),
        client_identifier: Some(claimed.as_str()).filter(|text| !text.is_empty()),
        ..proven_facts(&principal, identity.as_deref())
    };
    let username = match &rules.username {
        Some(template) => Some(render(template, &facts, "user name", "listener: username", ReasonCode::NotAuthorized)?.into()),
        None => connect.username.clone(),
    };
    check_binding(&rules.binding, &facts, claimed.as_str(), rules.client_identifier.is_some())?;
    let (client_identifier, is_assigned) = match &rules.client_identifier {
        Some(template) => {
            let text = render(template, &facts, "client identifier", "listener: client_identifier", ReasonCode::ClientIdentifierNotValid)?;
            (mapped_identifier(&text)?, claimed.as_str().is_empty())
        }
        None if claimed.as_str().is_empty() => (assigned(), true),
        None => (claimed.clone(), false),
    };
    refuse_reserved(&client_identifier)?;
    Ok((Client::restored(principal, username, client_identifier, identity), is_assigned))
}

/// What is known without the client's word.
fn proven_facts<'a>(principal: &'a Principal, identity: Option<&'a DeviceIdentity>) -> Facts<'a> {
    Facts {
        leaf: identity.map(DeviceIdentity::leaf),
        device: match principal {
            Principal::Device(name) => Some(&**name),
            Principal::Bridge(_) | Principal::User(_) | Principal::Anonymous => None,
        },
        profile: identity.map(|identity| &**identity.profile()).filter(|profile| !profile.is_empty()),
        tenant: identity.and_then(DeviceIdentity::tenant).map(|tenant| &**tenant),
        ..Facts::default()
    }
}

/// May a device that is connected go on under the Client Identifier and the user name that it has, by rules that may be newer than its CONNECT?
/// What rules leave to the client's word is not questioned: that word is gone.
///
/// # Errors
/// Names the rule by which it would be somebody else.
pub fn check_client(
    rules: &AdmissionRules,
    identity: &Arc<DeviceIdentity>,
    client_identifier: &str,
    username: Option<&str>,
) -> Result<(), Denied> {
    let (principal, identity) = device(identity)?;
    let facts = proven_facts(&principal, identity.as_deref());
    let check = |template: &Option<Template>, what: &'static str, rule: &str, has: Option<&str>| {
        let Some(template) = template.as_ref().filter(|template| !template.fields().any(|field| field.is_claim())) else { return Ok(()) };
        let due = render(template, &facts, what, rule, ReasonCode::NotAuthorized)?;
        if has == Some(due.as_str()) {
            return Ok(());
        }
        let detail = format!("the certificate gives `{}`, the session has another", shown(&due));
        Err(Denied { rule: rule.to_owned(), reason: DenialReason::Mapping { what, detail }, reason_code: ReasonCode::NotAuthorized })
    };
    check(&rules.username, "user name", "listener: username", username)?;
    check(&rules.client_identifier, "client identifier", "listener: client_identifier", Some(client_identifier))?;
    check_binding(&rules.binding, &facts, client_identifier, rules.client_identifier.is_some())
}

/// May this client publish to this topic, as the client wrote it? The permit is for the whole topic, with the client's tenant. QoS and RETAIN
/// are part of the question; no rule looks at them yet, and a permit covers all of them.
///
/// # Errors
/// Says that no rule allows it, or why a tenant's client cannot have it.
pub fn authorize_publish(rules: &Ruleset, client: &Client, topic: &TopicName, _qos: QoS, _retain: bool) -> Result<PublishPermit, Denied> {
    let (decider, topic) = publish_decision(rules, client, topic)?;
    Ok(PublishPermit::assertion(topic, decider))
}

/// What allows it, and the whole topic.
pub(crate) fn publish_decision(rules: &Ruleset, client: &Client, topic: &TopicName) -> Result<(Decider, TopicName), Denied> {
    if let Principal::Bridge(name) = client.principal() {
        let is_listed = rules.bridge(name).is_some_and(|bridge| bridge.may_publish(topic));
        return if is_listed { Ok((Decider::Bridge, topic.clone())) } else { Err(outside_bridge(name, topic.as_str())) };
    }
    let mount = client.mount();
    if mount.is_some() && topic.starts_with_dollar() {
        let detail = "topics that start with `$` belong to the server, and no tenant publishes there";
        return Err(outside_tenant(client, topic.as_str(), detail, ReasonCode::NotAuthorized));
    }
    let action = Action::Publish { qos: QoS::AtMostOnce, retain: false, will: false };
    let decider = decider(rules, client, |rule| rule.covers(action, topic.as_str(), client))
        // Topics that start with `$` are the Server's own: without a rule that names them nobody publishes there (§4.7.2).
        .filter(|decider| !(*decider == Decider::NoRules && topic.starts_with_dollar()));
    let Some(decider) = decider else {
        return Err(Denied {
            rule: "access rules".to_owned(),
            reason: DenialReason::Publish { principal: client.principal().to_string(), topic: topic.as_str().to_owned() },
            reason_code: ReasonCode::NotAuthorized,
        });
    };
    let Some(mount) = mount else { return Ok((decider, topic.clone())) };
    // [MQTT-4.7.3-3]
    let too_long = |_| outside_tenant(client, topic.as_str(), TOO_LONG, ReasonCode::TopicNameInvalid);
    Ok((decider, mount.place_topic(topic).map_err(too_long)?))
}

/// May the Server itself publish to this topic? Under `$SYS/` only: what it has to say about itself.
///
/// # Errors
/// Says that the topic is not the Server's own.
pub fn authorize_server_publish(topic: &TopicName) -> Result<PublishPermit, Denied> {
    if topic.as_str().starts_with("$SYS/") {
        return Ok(PublishPermit::assertion(topic.clone(), Decider::Server));
    }
    Err(Denied {
        rule: "the server's own topics".to_owned(),
        reason: DenialReason::Publish { principal: "the server".to_owned(), topic: topic.as_str().to_owned() },
        reason_code: ReasonCode::NotAuthorized,
    })
}

/// May this client subscribe to this filter, as the client wrote it? Of a Shared Subscription the filter behind the ShareName is judged. The
/// permit is for the whole filter, with the client's tenant.
///
/// # Errors
/// Says that no rule allows it, or why a tenant's client cannot have it.
pub fn authorize_subscribe(rules: &Ruleset, client: &Client, filter: &TopicFilter, _qos: QoS) -> Result<SubscribePermit, Denied> {
    let (decider, filter) = subscribe_decision(rules, client, filter)?;
    Ok(SubscribePermit::assertion(filter, decider))
}

/// What allows it, and the whole filter.
pub(crate) fn subscribe_decision(rules: &Ruleset, client: &Client, filter: &TopicFilter) -> Result<(Decider, TopicFilter), Denied> {
    if let Principal::Bridge(name) = client.principal() {
        let is_listed = rules.bridge(name).is_some_and(|bridge| bridge.may_subscribe(filter));
        return if is_listed { Ok((Decider::Bridge, filter.clone())) } else { Err(outside_bridge(name, filter.as_str())) };
    }
    let Some(decider) = reader(rules, client, filter.without_share_name()) else {
        return Err(Denied {
            rule: "access rules".to_owned(),
            reason: DenialReason::Subscribe { principal: client.principal().to_string(), filter: filter.as_str().to_owned() },
            reason_code: ReasonCode::NotAuthorized,
        });
    };
    let Some(mount) = client.mount() else { return Ok((decider, filter.clone())) };
    let too_long = |_| outside_tenant(client, filter.as_str(), TOO_LONG, ReasonCode::TopicFilterInvalid);
    Ok((decider, mount.place_filter(filter).map_err(too_long)?))
}

/// May a message with this whole topic still go to this client, whatever it once subscribed to?
#[must_use]
pub fn may_receive(rules: &Ruleset, client: &Client, topic: &TopicName) -> bool {
    if let Principal::Bridge(name) = client.principal() {
        return rules.bridge(name).is_some_and(|bridge| bridge.may_receive(topic));
    }
    match client.mount() {
        None => reader(rules, client, topic.as_str()).is_some(),
        Some(mount) => mount.view_topic(topic).is_some_and(|topic| reader(rules, client, topic.as_str()).is_some()),
    }
}

/// What lets a client read what a filter without ShareName matches. What the Server says about itself is about all tenants: one of them reads
/// it only if a rule names it.
fn reader(rules: &Ruleset, client: &Client, filter: &str) -> Option<Decider> {
    let action = Action::Subscribe { qos: QoS::AtMostOnce };
    decider(rules, client, |rule| rule.covers(action, filter, client))
        .filter(|decider| !(*decider == Decider::NoRules && client.tenant().is_some() && filter.starts_with('$')))
}

/// What allows something to a client that is no bridge.
fn decider(rules: &Ruleset, client: &Client, covers: impl Fn(&Rule) -> Coverage) -> Option<Decider> {
    let Some(mut asked) = rules.asked(client) else { return Some(Decider::NoRules) };
    let deciding = asked.find(|named| named.rule.includes(client) && covers(&named.rule) == Coverage::All)?;
    (deciding.rule.effect == Effect::Allow).then(|| Decider::Rule(Arc::clone(&deciding.name)))
}

const TOO_LONG: &str = "it is too long with the tenant's name before it";

fn outside_tenant(client: &Client, topic: &str, detail: &'static str, reason_code: ReasonCode) -> Denied {
    Denied {
        rule: client.tenant().map_or_else(String::new, |tenant| format!("tenant `{tenant}`")),
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

/// The sessions of bridges hold what waits for other brokers.
fn refuse_reserved(client_identifier: &ClientIdentifier) -> Result<(), Denied> {
    if !client_identifier.as_str().starts_with(BRIDGE_IDENTIFIERS) {
        return Ok(());
    }
    Err(Denied {
        rule: "reserved client identifiers".to_owned(),
        reason: DenialReason::ClientIdentifier {
            claimed: client_identifier.as_str().to_owned(),
            detail: "identifiers that start with `$bridge/` belong to the bridges of this broker",
        },
        reason_code: ReasonCode::ClientIdentifierNotValid,
    })
}

/// Who somebody is, and by which certificate.
type Proven = (Principal, Option<Arc<DeviceIdentity>>);

/// A device that its certificate proves.
pub(crate) fn device(identity: &Arc<DeviceIdentity>) -> Result<Proven, Denied> {
    check_tenant(identity)?;
    let name = QualifiedName::new(identity.tenant().cloned(), identity.name().clone());
    Ok((Principal::Device(name), Some(Arc::clone(identity))))
}

fn principal(peer: &Peer) -> Result<Proven, Denied> {
    match peer {
        Peer::Device(verified) => device(verified.identity()),
        // The server holds such a CONNECT until the status is known: to decide on one is a fault, and the answer is no.
        Peer::Pending(_) => Err(Denied {
            rule: "revocation status".to_owned(),
            reason: DenialReason::Anonymous { found: "nobody has said yet whether the certificate is revoked".to_owned() },
            reason_code: ReasonCode::NotAuthorized,
        }),
        Peer::Named(named) => Ok((Principal::Device(named.name().clone().into()), None)),
        Peer::Keyed(keyed) => Ok((Principal::Device(keyed.name().clone().into()), None)),
        // Whether that is enough is for the chain to say, or, without one, for the listener.
        Peer::Anonymous(_) => Ok((Principal::Anonymous, None)),
    }
}

/// What stands before every topic of the tenant's clients has to be one level, and not the Server's. The rules for names of devices say that.
fn check_tenant(identity: &DeviceIdentity) -> Result<(), Denied> {
    match identity.tenant() {
        Some(tenant) if DeviceName::new(tenant).is_err() => Err(Denied {
            rule: format!("trust profile `{}`", identity.profile()),
            reason: DenialReason::Tenant { tenant: tenant.to_string() },
            reason_code: ReasonCode::NotAuthorized,
        }),
        _ => Ok(()),
    }
}

fn render(template: &Template, facts: &Facts<'_>, what: &'static str, rule: &str, reason_code: ReasonCode) -> Result<String, Denied> {
    template.render(facts).map_err(|error| Denied {
        rule: rule.to_owned(),
        reason: DenialReason::Mapping { what, detail: error.to_string() },
        reason_code,
    })
}

fn mapped_identifier(text: &str) -> Result<ClientIdentifier, Denied> {
    let unusable = |detail: String| Denied {
        rule: "listener: client_identifier".to_owned(),
        reason: DenialReason::Mapping { what: "client identifier", detail },
        reason_code: ReasonCode::ClientIdentifierNotValid,
    };
    if text.is_empty() {
        return Err(unusable("the template gave an empty text".to_owned()));
    }
    // What goes on the wire as a UTF-8 Encoded String has a length of two bytes and no U+0000 [MQTT-1.5.4-2].
    if text.len() > usize::from(u16::MAX) || text.contains('\0') {
        return Err(unusable("the template gave a text that is no UTF-8 Encoded String of MQTT".to_owned()));
    }
    Ok(ClientIdentifier::new(text))
}

/// A listener that makes the identifier itself has nothing to hold a client's claim against.
fn check_binding(binding: &ClientIdentifierBinding, facts: &Facts<'_>, claimed: &str, is_mapped: bool) -> Result<(), Denied> {
    if is_mapped || matches!(binding, ClientIdentifierBinding::Any) {
        return Ok(());
    }
    binding.check(facts, claimed).map_err(|error| Denied {
        rule: "listener: bind_client_identifier".to_owned(),
        reason: DenialReason::Binding { claimed: claimed.to_owned(), detail: error.to_string() },
        reason_code: ReasonCode::ClientIdentifierNotValid,
    })
}

#[cfg(test)]
mod tests;
