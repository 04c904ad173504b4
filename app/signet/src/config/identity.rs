//! Who the clients of a listener are: names made of what they prove, and of what they claim.

use std::sync::Arc;

use signet_identity::{ClientIdentifierBinding, NamingRule, Template, TemplateError};
use signet_mqtt::TopicName;
use signet_policy::{AdmissionRules, Chain, ProvenNames};

use super::file::{Header, ListenerIdentity};
use super::problem::{Problems, suggestion};
use super::section::At;

/// What a listener learns of its clients besides what they claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing.
    None,
    /// The name of a device, by the word of a proxy.
    Name,
    /// The name of a device, by the key that it shares with the server.
    Key,
    /// A certificate, or that there is none.
    Optional,
    /// A certificate, always.
    Required,
}

impl Proof {
    fn suffices_for(self, template: &Template) -> bool {
        match self {
            Self::None => !template.needs_certificate(),
            Self::Name | Self::Key => !template.needs_whole_certificate(),
            Self::Optional | Self::Required => true,
        }
    }
}

/// Gives the keys that say who a client is their meaning.
pub(super) fn resolve(
    written: &ListenerIdentity,
    (header, chain, believed): (&Header, Option<Arc<Chain>>, ProvenNames),
    proof: Proof,
    problems: &Problems,
) -> (AdmissionRules, NamingRule) {
    let naming = written.device.as_ref().and_then(|at| naming(at, proof, problems));
    let anonymous = written.anonymous.as_ref().is_some_and(|at| at.value);
    match &written.anonymous {
        Some(at) if at.value && chain.is_some() => problems.at(
            &at.span,
            "`anonymous` has no meaning where `authentication` says who has to vouch",
            Some("remove it, and write \"anonymous\" as an alternative of `authentication`".to_owned()),
        ),
        Some(at) if at.value && proof == Proof::Required => problems.at(
            &at.span,
            "`anonymous` has no meaning where every client must show a certificate",
            Some("set client_certificate = \"optional\", or remove `anonymous`".to_owned()),
        ),
        Some(at) if at.value && proof == Proof::Key => problems.at(
            &at.span,
            "`anonymous` has no meaning where every client must have a key",
            Some("remove `anonymous`, or give anonymous clients a listener of their own".to_owned()),
        ),
        _ if !anonymous && chain.is_none() && proof == Proof::None => problems.at(
            &header.span,
            "nobody could connect here: no certificate is asked for, `anonymous` is not true, and `authentication` names nobody",
            Some("add anonymous = true, or use transport = \"tls\" with client_certificate = \"required\"".to_owned()),
        ),
        _ => {}
    }
    let mapped = |at: &At<String>| {
        let template = template(at, problems)?;
        template.require_one_line().map_err(|error| complain(at, &error, problems)).ok()?;
        if let Some(field) = template.fields().find(|field| !field.is_lasting()) {
            let hint = "a name that changes from one connection to the next is no name; write a certificate field";
            problems.at(&at.span, format!("`{}` cannot make a name", field.placeholder()), Some(hint.to_owned()));
        }
        if !proof.suffices_for(&template) {
            let hint = match proof {
                Proof::Key => "write \"${device}\": of a device with a pre-shared key nothing but its name is known",
                _ => "use transport = \"tls\" with client_certificate = \"required\" or \"optional\"",
            };
            problems.at(&at.span, format!("`{}` needs a certificate, and this listener asks for none", at.value), Some(hint.to_owned()));
        }
        Some(template)
    };
    let binding = match written.bind_client_identifier.as_ref() {
        Some(at) if at.value != "any" => {
            if written.client_identifier.is_some() {
                let hint = "with `client_identifier` the certificate makes the identifier itself: remove one of the two";
                problems.at(&at.span, "`bind_client_identifier` has no meaning beside `client_identifier`", Some(hint.to_owned()));
            }
            binding(at, proof, mapped, problems)
        }
        _ => ClientIdentifierBinding::Any,
    };
    let admission = AdmissionRules {
        chain,
        anonymous,
        username: written.username.as_ref().and_then(mapped),
        client_identifier: written.client_identifier.as_ref().and_then(mapped),
        binding,
        believed: written.believe.as_ref().map_or(believed, |at| believe(at, problems)),
        mount_point: written.mount_point.as_ref().and_then(|at| mount_point(at, problems)),
        bridge: None,
    };
    (admission, naming.unwrap_or_default())
}

/// Names of clients that rules look at although nobody has proven them.
pub(super) fn believe(written: &At<Vec<At<String>>>, problems: &Problems) -> ProvenNames {
    let known = ["username", "client_identifier"];
    let one = |at: &At<String>| match at.value.as_str() {
        "username" => ProvenNames::USERNAME,
        "client_identifier" => ProvenNames::CLIENT_IDENTIFIER,
        other => {
            problems.at(&at.span, format!("`{other}` is no name that a client claims"), Some(suggestion(other, &known)));
            ProvenNames::default()
        }
    };
    written.value.iter().map(one).fold(ProvenNames::default(), ProvenNames::or)
}

/// The longest, in bytes: every topic of its clients is as much longer.
const MOUNT_POINT_MAX: usize = 1_024;

/// What stands before every topic: the beginning of a topic, so no wildcards.
fn mount_point(at: &At<String>, problems: &Problems) -> Option<Arc<str>> {
    if at.value.len() > MOUNT_POINT_MAX || TopicName::new(at.value.clone()).is_err() {
        let message = format!("`{}` cannot stand before topics", signet_policy::shown(&at.value));
        let hint = format!("write at most {MOUNT_POINT_MAX} bytes without `+` and `#`, such as \"factory/\"");
        problems.at(&at.span, message, Some(hint));
        return None;
    }
    Some(at.value.as_str().into())
}

/// What ties a Client Identifier to a certificate.
fn binding(
    at: &At<String>,
    proof: Proof,
    mapped: impl Fn(&At<String>) -> Option<Template>,
    problems: &Problems,
) -> ClientIdentifierBinding {
    if let Some(domain) = at.value.strip_prefix("uri_domain:") {
        if domain.is_empty() || !domain.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_')) {
            let hint = "write \"uri_domain:my.domain.name\", the part between `spiffe://` and `/device/`";
            problems.at(&at.span, format!("`{domain}` is no domain of a URI"), Some(hint.to_owned()));
        }
        if !matches!(proof, Proof::Optional | Proof::Required) {
            let hint = "use transport = \"tls\" with client_certificate = \"required\" or \"optional\"";
            problems.at(&at.span, "`uri_domain` needs a certificate, and this listener sees none", Some(hint.to_owned()));
        }
        return ClientIdentifierBinding::UriSan { domain: domain.to_owned() };
    }
    let (text, prefix) = at.value.strip_suffix('*').map_or((at.value.as_str(), false), |text| (text, true));
    let template = mapped(&At { value: text.to_owned(), span: at.span.clone() });
    refuse_claims(at, template.as_ref(), problems);
    match (template, prefix) {
        (Some(template), true) => ClientIdentifierBinding::Prefix(template),
        (Some(template), false) => ClientIdentifierBinding::Equals(template),
        (None, _) => ClientIdentifierBinding::Any,
    }
}

/// How devices get their names.
fn naming(written: &At<String>, proof: Proof, problems: &Problems) -> Option<NamingRule> {
    let template = template(written, problems)?;
    if proof == Proof::Name && written.value.trim() != "${cert.cn}" {
        // Who relies on another field must not get devices by a name that anybody may have put into the common name.
        let hint = "remove `device`, or set proxy_identity = \"certificate\"";
        problems.at(&written.span, "`device` has no meaning where the proxy tells the common name and nothing else", Some(hint.to_owned()));
    }
    if proof == Proof::Key {
        let hint = "remove `device`: the identity of the key is the name";
        problems.at(&written.span, "`device` has no meaning where a pre-shared key names the device", Some(hint.to_owned()));
    }
    NamingRule::new(template).map_err(|error| complain(written, &error, problems)).ok()
}

/// A claim cannot prove a claim: a binding is made of what the certificate says, and of fixed text.
fn refuse_claims(written: &At<String>, template: Option<&Template>, problems: &Problems) {
    if let Some(claim) = template.and_then(|template| template.fields().find(|field| field.is_claim())) {
        problems.at(
            &written.span,
            format!("`{}` is what the client claims, so it binds the Client Identifier to nothing", claim.placeholder()),
            Some("write \"${device}\", \"${device}*\" or a certificate field".to_owned()),
        );
    }
}

fn template(written: &At<String>, problems: &Problems) -> Option<Template> {
    Template::parse(&written.value).map_err(|error| complain(written, &error, problems)).ok()
}

fn complain(written: &At<String>, error: &TemplateError, problems: &Problems) {
    // One quote stands before the text, unless it is written with three quotes or escapes: then the whole value is marked.
    let plain = written.span.len() == written.value.len() + 2;
    let span =
        if plain { written.span.start + 1 + error.span.start..written.span.start + 1 + error.span.end } else { written.span.clone() };
    problems.at(&span, error.to_string(), None);
}
