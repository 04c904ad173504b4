//! The `acl.conf` of EMQX.
//!
//! What it means, and where it is not taken to the letter:
//!
//! - Rules are asked in order, and the first that applies decides. What none of them covers is left to the next access source, and denied if there is
//!   none, whatever `no_match` says there.
//! - A rule allows a Topic Filter if its topics cover everything that the filter can match; EMQX compares level by level, so that `a/+` there allows a
//!   subscription to `a/#`. A rule that denies a part of what a filter matches does not refuse the subscription: those messages are not delivered.
//! - `{allow, all}` does not reach topics that start with `$`; a rule that names them does. `{deny, all}` reaches them.
//! - A placeholder without a value, or with one that is no level of a topic, makes a rule that allows allow nothing, and one that denies deny
//!   everything from there on.
//! - `{security_profile, …}` is never true, and there are no zones.

use std::collections::BTreeMap;
use std::sync::Arc;

use signet_identity::PlaceholderStyle;
use signet_mqtt::QoS;

use super::erlang::{Kind, Term, terms};
use super::{AclFile, AclFileError, AclWarning, rule_name};
use crate::name_pattern::NamePattern;
use crate::pattern::TopicPattern;
use crate::rule::{Conditions, Effect, QosSet, Rule};
use crate::ruleset::AccessSource;
use crate::who::Who;

const RULE: &str = "`{allow, WHO, ACTION, TOPICS}` or `{deny, WHO, ACTION, TOPICS}`, or either with `all` alone";
const WHO: &str = "`all`, `{username, …}`, `{clientid, …}`, `{ipaddr, …}`, `{ipaddrs, […]}`, `{client_attr, …, …}`, `{listener, …}`, `{'and', […]}` or `{'or', […]}`";
const ACTION: &str = "`publish`, `subscribe` or `all`, alone or as `{publish, [{qos, 1}, {retain, true}]}`";

/// Reads a file; `name` is how the access source is called, `style` whose placeholders its topics have.
///
/// # Errors
/// Names the first line at fault, what was found and what was expected.
pub fn emqx_acl_file(name: &Arc<str>, style: PlaceholderStyle, text: &str) -> Result<AclFile, AclFileError> {
    let mut warnings = Vec::new();
    let mut rules = Vec::new();
    for term in terms(text)? {
        rules.extend(rule(name, style, &term, &mut warnings)?);
    }
    let source = AccessSource::Rules { name: Arc::clone(name), of_users: BTreeMap::new(), rules, grants_subscribe: false };
    Ok(AclFile { source, warnings })
}

fn wrong(term: &Term, expected: impl Into<String>) -> AclFileError {
    AclFileError::new(term.line, &term.shown(), expected)
}

fn rule(name: &Arc<str>, style: PlaceholderStyle, term: &Term, warnings: &mut Vec<AclWarning>) -> Result<Option<Rule>, AclFileError> {
    let Kind::Tuple(parts) = &term.kind else { return Err(wrong(term, RULE)) };
    let effect = match parts.first().and_then(Term::atom) {
        Some("allow") => Effect::Allow,
        Some("deny") => Effect::Deny,
        _ => return Err(wrong(term, RULE)),
    };
    let everything = || vec![TopicPattern::everything()];
    let mut made = Rule { name: rule_name(name, term.line), effect, ..Rule::default() };
    match parts.get(1..).unwrap_or_default() {
        [only] if only.atom() == Some("all") => {
            let all = if effect == Effect::Deny { everything() } else { topics_of(style, only, &["#"])? };
            (made.publish, made.subscribe) = (all.clone(), all);
        }
        [Term { kind: Kind::Tuple(parts), line }] if parts.first().and_then(Term::atom) == Some("security_profile") => {
            let what = "a rule for a security profile is passed over: there are none here".to_owned();
            warnings.push(AclWarning { line: *line, what });
            return Ok(None);
        }
        [who, action, topics] => {
            made.who = who_of(who)?;
            let (publishes, subscribes, conditions) = action_of(action)?;
            let topics = self::topics(style, topics, warnings)?;
            made.conditions = conditions;
            made.publish = if publishes { topics.clone() } else { Vec::new() };
            made.subscribe = if subscribes { topics } else { Vec::new() };
        }
        _ => return Err(wrong(term, RULE)),
    }
    Ok(Some(made))
}

fn who_of(term: &Term) -> Result<Who, AclFileError> {
    if term.atom() == Some("all") {
        return Ok(Who::Everyone);
    }
    let Kind::Tuple(parts) = &term.kind else { return Err(wrong(term, WHO)) };
    let network = |term: &Term| {
        let text = term.text().ok_or_else(|| wrong(term, "an address or a network in quotes"))?;
        text.parse().map(Who::Address).map_err(|error: crate::network::NetworkError| wrong(term, error.to_string()))
    };
    let list = |term: &Term, read: &dyn Fn(&Term) -> Result<Who, AclFileError>| match &term.kind {
        Kind::List(all) if !all.is_empty() => all.iter().map(read).collect::<Result<Vec<_>, _>>(),
        _ => Err(wrong(term, "a list with something in it")),
    };
    let kind = parts.first().and_then(Term::atom);
    match (kind, parts.get(1..).unwrap_or_default()) {
        (Some("username" | "user"), [name]) => Ok(Who::Username(name_of(name)?)),
        (Some("clientid" | "client"), [name]) => Ok(Who::ClientIdentifier(name_of(name)?)),
        (Some("listener"), [name]) => Ok(Who::Listener(name_of(name)?)),
        (Some("ipaddr"), [address]) => network(address),
        (Some("ipaddrs"), [addresses]) => Ok(Who::Any(list(addresses, &network)?)),
        (Some("client_attr"), [attribute, value]) => {
            let name =
                attribute.text().or_else(|| attribute.atom()).ok_or_else(|| wrong(attribute, "the name of an attribute in quotes"))?;
            Ok(Who::Attribute { name: name.to_owned(), value: name_of(value)? })
        }
        (Some("and"), [all]) => Ok(Who::All(list(all, &who_of)?)),
        (Some("or"), [any]) => Ok(Who::Any(list(any, &who_of)?)),
        _ => Err(wrong(term, WHO)),
    }
}

fn name_of(term: &Term) -> Result<NamePattern, AclFileError> {
    match &term.kind {
        Kind::Text(name) => Ok(NamePattern::exact(name)),
        Kind::Tuple(parts) if parts.len() == 2 && parts.first().and_then(Term::atom) == Some("re") => {
            let regex = parts.get(1).and_then(Term::text).ok_or_else(|| wrong(term, "`{re, \"…\"}`"))?;
            NamePattern::regex(regex).map_err(|error| wrong(term, format!("a regular expression: {error}")))
        }
        _ => Err(wrong(term, "a name in quotes, or `{re, \"…\"}`")),
    }
}

fn action_of(term: &Term) -> Result<(bool, bool, Conditions), AclFileError> {
    let (word, options) = match &term.kind {
        Kind::Tuple(parts) => match parts.as_slice() {
            [word, Term { kind: Kind::List(options), .. }] => (word.atom(), options.as_slice()),
            _ => return Err(wrong(term, ACTION)),
        },
        _ => (term.atom(), [].as_slice()),
    };
    let (publishes, subscribes) = match word {
        Some("publish") => (true, false),
        Some("subscribe") => (false, true),
        Some("all" | "pubsub") => (true, true),
        _ => return Err(wrong(term, ACTION)),
    };
    let mut conditions = Conditions::default();
    for option in options {
        let Kind::Tuple(parts) = &option.kind else { return Err(wrong(option, "`{qos, …}` or `{retain, …}`")) };
        match (parts.first().and_then(Term::atom), parts.get(1)) {
            (Some("qos"), Some(value)) => conditions.qos = Some(qos_of(value)?).filter(|set| !set.is_all()),
            (Some("retain"), Some(value)) => {
                conditions.retain = match value.atom() {
                    Some("all") => None,
                    Some("true") => Some(true),
                    Some("false") => Some(false),
                    _ => return Err(wrong(value, "`true`, `false` or `all`")),
                }
            }
            _ => return Err(wrong(option, "`{qos, …}` or `{retain, …}`")),
        }
    }
    Ok((publishes, subscribes, conditions))
}

fn qos_of(term: &Term) -> Result<QosSet, AclFileError> {
    let one = |term: &Term| match term.kind {
        Kind::Number(0) => Ok(QoS::AtMostOnce),
        Kind::Number(1) => Ok(QoS::AtLeastOnce),
        Kind::Number(2) => Ok(QoS::ExactlyOnce),
        _ => Err(wrong(term, "0, 1, 2, or a list of them")),
    };
    match &term.kind {
        Kind::List(all) => all.iter().map(one).collect(),
        _ => Ok([one(term)?].into_iter().collect()),
    }
}

fn topics(style: PlaceholderStyle, term: &Term, warnings: &mut Vec<AclWarning>) -> Result<Vec<TopicPattern>, AclFileError> {
    let expected = "a list of topic filters in quotes, each alone or as `{eq, \"…\"}`";
    let Kind::List(all) = &term.kind else { return Err(wrong(term, expected)) };
    let mut topics = Vec::new();
    for topic in all {
        let text = match &topic.kind {
            Kind::Text(text) => text.clone(),
            Kind::Tuple(parts) if parts.len() == 2 && parts.first().and_then(Term::atom) == Some("eq") => {
                format!("eq {}", parts.get(1).and_then(Term::text).ok_or_else(|| wrong(topic, expected))?)
            }
            _ => return Err(wrong(topic, expected)),
        };
        if style == PlaceholderStyle::Emqx5 && (text.contains("%c") || text.contains("%u")) {
            let what = format!("`{text}`: `%c` and `%u` are placeholders of EMQX 4, and plain text here");
            warnings.push(AclWarning { line: topic.line, what });
        }
        topics.extend(topics_of(style, topic, &[&text])?);
    }
    Ok(topics)
}

fn topics_of(style: PlaceholderStyle, term: &Term, all: &[&str]) -> Result<Vec<TopicPattern>, AclFileError> {
    let read =
        |text: &&str| TopicPattern::parse_with_placeholders(style, text).map_err(|error| wrong(term, format!("a topic filter: {error}")));
    all.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
