//! The three decisions. The only file that makes permits.

use std::sync::Arc;

use bytestring::ByteString;
use signet_identity::{ClientIdentifierBinding, DeviceIdentity, Facts, Peer, Template};
use signet_mqtt::{ClientIdentifier, Connect, QoS, ReasonCode, TopicFilter, TopicName};

use crate::admission::AdmissionRules;
use crate::bridge::{BRIDGE_IDENTIFIERS, bridge_identifier};
use crate::client::{Client, Principal};
use crate::denied::{DenialReason, Denied};
use crate::permit::{ConnectPermit, PublishPermit, SubscribePermit};
use crate::rule::Rule;
use crate::ruleset::Ruleset;

/// May this peer connect, and under which names? `assigned` makes a Client Identifier for a client that sent an empty one [MQTT-3.1.3-6].
///
/// # Errors
/// Names the listener's rule that refuses, with the reason code for the CONNACK.
pub fn authorize_connect(
    rules: &AdmissionRules,
    peer: &Peer,
    connect: &Connect,
    assigned: impl FnOnce() -> ClientIdentifier,
) -> Result<ConnectPermit, Denied> {
    let (client, is_assigned) = match &rules.bridge {
        Some(name) => (bridge(name), false),
        None => client(rules, peer, connect, assigned)?,
    };
    Ok(ConnectPermit::assertion(client, is_assigned))
}

/// A bridge of this Server: what it claims is of no interest.
fn bridge(name: &ByteString) -> Client {
    Client { principal: Principal::Bridge(name.clone()), username: None, client_identifier: bridge_identifier(name), identity: None }
}

/// Anybody else, and whether the Client Identifier was chosen here.
fn client(
    rules: &AdmissionRules,
    peer: &Peer,
    connect: &Connect,
    assigned: impl FnOnce() -> ClientIdentifier,
) -> Result<(Client, bool), Denied> {
    let (principal, identity) = principal(rules, peer)?;
    let leaf = identity.as_deref().map(DeviceIdentity::leaf);
    let device = peer.device();
    let claimed = &connect.client_identifier;
    let facts = Facts {
        leaf,
        device,
        username: connect.username.as_deref(),
        client_identifier: Some(claimed.as_str()).filter(|text| !text.is_empty()),
        profile: identity.as_deref().map(|identity| &**identity.profile()).filter(|profile| !profile.is_empty()),
        tenant: identity.as_deref().and_then(DeviceIdentity::tenant).map(|tenant| &**tenant),
        ..Facts::default()
    };
    let username = match &rules.username {
        Some(template) => Some(render(template, &facts, "user name", "listener: username", ReasonCode::NotAuthorized)?.into()),
        None => connect.username.clone(),
    };
    check_binding(&rules.binding, &facts, claimed, rules.client_identifier.is_some())?;
    let (client_identifier, is_assigned) = match &rules.client_identifier {
        Some(template) => {
            let text = render(template, &facts, "client identifier", "listener: client_identifier", ReasonCode::ClientIdentifierNotValid)?;
            (mapped_identifier(&text)?, claimed.as_str().is_empty())
        }
        None if claimed.as_str().is_empty() => (assigned(), true),
        None => (claimed.clone(), false),
    };
    refuse_reserved(&client_identifier)?;
    Ok((Client { principal, username, client_identifier, identity }, is_assigned))
}

/// May this client publish to this topic? QoS and RETAIN are part of the question; no rule looks at them yet, and a permit covers all of them.
///
/// # Errors
/// Says that no rule allows it.
pub fn authorize_publish(rules: &Ruleset, client: &Client, topic: &TopicName, _qos: QoS, _retain: bool) -> Result<PublishPermit, Denied> {
    if let Principal::Bridge(name) = client.principal()
        && !rules.bridge(name).is_some_and(|bridge| bridge.may_publish(topic))
    {
        return Err(outside_bridge(name, topic.as_str()));
    }
    // Topics that start with `$` are the Server's own: without a rule that names them nobody publishes there (§4.7.2).
    let is_reserved = rules.rules().is_none() && topic.starts_with_dollar();
    let is_allowed = is_bridge(client)
        || (!is_reserved
            && is_allowed(rules, client, |rule| rule.publish.iter().any(|pattern| pattern.covers_topic(topic.as_str(), client))));
    if is_allowed {
        return Ok(PublishPermit::assertion(topic.clone()));
    }
    Err(Denied {
        rule: "access rules".to_owned(),
        reason: DenialReason::Publish { principal: client.principal().to_string(), topic: topic.as_str().to_owned() },
        reason_code: ReasonCode::NotAuthorized,
    })
}

/// May the Server itself publish to this topic? Under `$SYS/` only: what it has to say about itself.
///
/// # Errors
/// Says that the topic is not the Server's own.
pub fn authorize_server_publish(topic: &TopicName) -> Result<PublishPermit, Denied> {
    if topic.as_str().starts_with("$SYS/") {
        return Ok(PublishPermit::assertion(topic.clone()));
    }
    Err(Denied {
        rule: "the server's own topics".to_owned(),
        reason: DenialReason::Publish { principal: "the server".to_owned(), topic: topic.as_str().to_owned() },
        reason_code: ReasonCode::NotAuthorized,
    })
}

/// May this client subscribe to this filter? Of a Shared Subscription the filter behind the ShareName is judged.
///
/// # Errors
/// Says that no rule allows it.
pub fn authorize_subscribe(rules: &Ruleset, client: &Client, filter: &TopicFilter, _qos: QoS) -> Result<SubscribePermit, Denied> {
    if let Principal::Bridge(name) = client.principal()
        && !rules.bridge(name).is_some_and(|bridge| bridge.may_subscribe(filter))
    {
        return Err(outside_bridge(name, filter.as_str()));
    }
    let asked = filter.without_share_name();
    let is_allowed =
        is_bridge(client) || is_allowed(rules, client, |rule| rule.subscribe.iter().any(|pattern| pattern.covers_filter(asked, client)));
    if is_allowed {
        return Ok(SubscribePermit::assertion(filter.clone()));
    }
    Err(Denied {
        rule: "access rules".to_owned(),
        reason: DenialReason::Subscribe { principal: client.principal().to_string(), filter: filter.as_str().to_owned() },
        reason_code: ReasonCode::NotAuthorized,
    })
}

/// A bridge's own list was asked; the rules are for everybody else.
fn is_bridge(client: &Client) -> bool {
    matches!(client.principal(), Principal::Bridge(_))
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

fn is_allowed(rules: &Ruleset, client: &Client, allows: impl Fn(&Rule) -> bool) -> bool {
    rules.rules().is_none_or(|rules| rules.iter().any(|rule| rule.who.includes(client) && allows(rule)))
}

fn principal(rules: &AdmissionRules, peer: &Peer) -> Result<(Principal, Option<Arc<DeviceIdentity>>), Denied> {
    match peer {
        Peer::Device(verified) => {
            let identity = Arc::clone(verified.identity());
            Ok((Principal::Device(identity.name().clone()), Some(identity)))
        }
        Peer::Named(named) => Ok((Principal::Device(named.name().clone()), None)),
        Peer::Anonymous(_) if rules.anonymous => Ok((Principal::Anonymous, None)),
        Peer::Anonymous(why) => Err(Denied {
            rule: "listener: anonymous = false".to_owned(),
            reason: DenialReason::Anonymous { found: why.to_string() },
            reason_code: ReasonCode::NotAuthorized,
        }),
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
fn check_binding(binding: &ClientIdentifierBinding, facts: &Facts<'_>, claimed: &ClientIdentifier, is_mapped: bool) -> Result<(), Denied> {
    if is_mapped || matches!(binding, ClientIdentifierBinding::Any) {
        return Ok(());
    }
    binding.check(facts, claimed.as_str()).map_err(|error| Denied {
        rule: "listener: bind_client_identifier".to_owned(),
        reason: DenialReason::Binding { claimed: claimed.as_str().to_owned(), detail: error.to_string() },
        reason_code: ReasonCode::ClientIdentifierNotValid,
    })
}

#[cfg(test)]
mod tests;
