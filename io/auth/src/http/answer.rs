//! What an answer means.
//!
//! | status | as EMQX 5 | as EMQX 4 |
//! |---|---|---|
//! | 204 | allow | failure |
//! | 200 | what `result` of the JSON or form says, `ignore` where it says nothing | allow; `ignore` alone in the body: ignore |
//! | 4xx | deny | deny |
//! | 408, 429, anything else | failure | failure |
//!
//! What is neither is a failure, and a failure is never an answer: JSON that is none, another `result`, another media type, a field of the wrong kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use signet_http::Answer;
use signet_policy::SourceRules;

use crate::claims;
use crate::source::Failure;

/// Whose answers they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compatibility {
    /// A service written for EMQX 5.
    #[default]
    Emqx5,
    /// One written for EMQX 4, where the status is all that counts.
    Emqx4,
}

/// What a service says.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Allow(Arc<Fields>),
    Deny(String),
    Ignore,
}

/// What it says besides. All that is not there is nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) superuser: bool,
    pub(super) attributes: BTreeMap<Arc<str>, Arc<str>>,
    pub(super) expires_at: Option<i64>,
    pub(super) rules: Option<SourceRules>,
}

/// Reads an answer. `source` is the name of who asks, for rules.
pub(super) fn read(answer: &Answer, compatibility: Compatibility, source: &Arc<str>) -> Result<Said, Failure> {
    match (answer.status, compatibility) {
        (200, Compatibility::Emqx4) if answer.body.trim_ascii() == b"ignore" => Ok(Said::Ignore),
        (200, Compatibility::Emqx4) | (204, Compatibility::Emqx5) => Ok(Said::Allow(Arc::default())),
        (200, Compatibility::Emqx5) => said(&object(answer)?, source),
        (408 | 429, _) => Err(refused(answer.status)),
        (400..500, _) => Ok(Said::Deny(format!("the service answers {}", answer.status))),
        _ => Err(refused(answer.status)),
    }
}

/// The body of an answer with 200: an object of JSON, or a form.
pub(super) fn object(answer: &Answer) -> Result<Map<String, Value>, Failure> {
    match answer.content_type.as_deref() {
        // EMQX takes what names no type for JSON.
        None | Some("application/json") => match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(Failure("the service answers JSON that is no object; expected `{\"result\": …}`".to_owned())),
            Err(error) => Err(Failure(format!("the service answers what is no JSON: {}", plain(&error)))),
        },
        Some("application/x-www-form-urlencoded") => form(&answer.body),
        Some(other) => {
            let shown: String = other.chars().take(80).flat_map(char::escape_debug).collect();
            Err(Failure(format!("the service answers with the media type `{shown}`; expected `application/json`")))
        }
    }
}

/// A status that is no answer.
pub(super) fn refused(status: u16) -> Failure {
    let hint = if (300..400).contains(&status) { "; redirects are not followed: name that address itself" } else { "" };
    Failure(format!("the service answers {status}{hint}"))
}

fn said(object: &Map<String, Value>, source: &Arc<str>) -> Result<Said, Failure> {
    match object.get("result") {
        None => Ok(Said::Ignore),
        Some(Value::String(result)) => match &**result {
            "allow" => Ok(Said::Allow(Arc::new(fields(object, source).map_err(Failure)?))),
            "deny" => Ok(Said::Deny("the service says `deny`".to_owned())),
            "ignore" => Ok(Said::Ignore),
            _ => Err(Failure("the service answers with another `result` than `allow`, `deny` or `ignore`".to_owned())),
        },
        Some(_) => Err(Failure("the service answers with a `result` that is no text".to_owned())),
    }
}

fn fields(object: &Map<String, Value>, source: &Arc<str>) -> Result<Fields, String> {
    let named = |name: &'static str| move |why: String| format!("the service's `{name}`: {why}");
    Ok(Fields {
        superuser: claims::truth(object.get("is_superuser")).map_err(named("is_superuser"))?,
        attributes: claims::attributes(object.get("client_attrs")).map_err(named("client_attrs"))?,
        expires_at: expires_at(object.get("expire_at")).map_err(named("expire_at"))?,
        rules: claims::rules(object.get("acl"), source).map_err(named("acl"))?,
    })
}

/// Unix seconds; a form holds them as text.
fn expires_at(value: Option<&Value>) -> Result<Option<i64>, String> {
    let unfit = || "expected whole Unix seconds".to_owned();
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(unfit),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| unfit()),
        Some(_) => Err(unfit()),
    }
}

/// `application/x-www-form-urlencoded`: each name once.
fn form(body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let mut object = Map::new();
    for field in body.split(|octet| *octet == b'&').filter(|field| !field.is_empty()) {
        let mut parts = field.splitn(2, |octet| *octet == b'=');
        let name = decoded(parts.next().unwrap_or_default());
        let value = decoded(parts.next().unwrap_or_default());
        let (Some(name), Some(value)) = (name, value) else {
            return Err(Failure("the service answers a form that cannot be read".to_owned()));
        };
        if object.insert(name, Value::String(value)).is_some() {
            return Err(Failure("the service answers a form that names something twice".to_owned()));
        }
    }
    Ok(object)
}

fn decoded(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(octet) = rest.next() {
        match octet {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [*rest.next()?, *rest.next()?];
                bytes.extend(hex::decode(digits).ok()?);
            }
            other => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Where it is wrong, without what is there.
fn plain(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}
