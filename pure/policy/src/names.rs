//! Under which names somebody connects: what is proven, what the client claims, and what templates make of both.

use std::sync::Arc;

use signet_identity::{ClientIdentifierBinding, DeviceIdentity, DeviceName, Facts, Peer, Template};
use signet_mqtt::{ClientIdentifier, Connect, ReasonCode};

use crate::admission::AdmissionRules;
use crate::bridge::{BRIDGE_IDENTIFIERS, BridgeClient};
use crate::client::{Client, Principal, QualifiedName};
use crate::denied::{DenialReason, Denied, shown};

/// A bridge of this Server: what it claims is of no interest.
pub(crate) fn bridge(bridge: &BridgeClient) -> Client {
    Client::restored(Principal::Bridge(bridge.name.clone()), bridge.username.clone(), bridge.client_identifier.clone(), None)
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
        Some(template) => Some(render(template, &facts, "user name", "listener: username", ReasonCode::BadUserNameOrPassword)?.into()),
        None => connect.username.clone(),
    };
    check_binding(&rules.binding, &facts, claimed.as_str(), rules.client_identifier.is_some())?;
    let (client_identifier, is_assigned) = match &rules.client_identifier {
        Some(template) => {
            // Who has no user name after the template above is not let in under it.
            let lacks_username = username.is_none() && template.fields().any(|field| field.placeholder() == "${username}");
            let reason_code = if lacks_username { ReasonCode::NotAuthorized } else { ReasonCode::ClientIdentifierNotValid };
            let facts = Facts { username: username.as_deref(), ..facts };
            let text = render(template, &facts, "client identifier", "listener: client_identifier", reason_code)?;
            (mapped_identifier(&text)?, claimed.as_str().is_empty())
        }
        None if claimed.as_str().is_empty() => (assigned(), true),
        None => (claimed.clone(), false),
    };
    refuse_reserved(&client_identifier)?;
    let mut client = Client::restored(principal, username, client_identifier, identity);
    client.mount_point.clone_from(&rules.mount_point);
    Ok((client, is_assigned))
}

/// What is known without the client's word.
pub(crate) fn proven_facts<'a>(principal: &'a Principal, identity: Option<&'a DeviceIdentity>) -> Facts<'a> {
    Facts {
        leaf: identity.map(DeviceIdentity::leaf),
        device: match principal {
            Principal::Device(name) => Some(&**name),
            Principal::Bridge(_) | Principal::User(_) | Principal::Unnamed | Principal::Anonymous => None,
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
pub(crate) type Proven = (Principal, Option<Arc<DeviceIdentity>>);

/// A device that its certificate proves.
pub(crate) fn device(identity: &Arc<DeviceIdentity>) -> Result<Proven, Denied> {
    check_tenant(identity)?;
    let name = QualifiedName::new(identity.tenant().cloned(), identity.name().clone());
    Ok((Principal::Device(name), Some(Arc::clone(identity))))
}

pub(crate) fn principal(peer: &Peer) -> Result<Proven, Denied> {
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
