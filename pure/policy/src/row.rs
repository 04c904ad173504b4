//! Rules as data bases, tokens and other programs give them: one row, one rule. The forms are those of EMQX 5 and, with
//! [`PlaceholderStyle::Emqx4`], of EMQX 4.
//!
//! Whatever cannot be understood is an error with the name of the field: a condition that is passed over makes an allowance wider.

use std::sync::Arc;

use serde_json::{Map, Value};
use signet_identity::PlaceholderStyle;
use signet_mqtt::QoS;

use crate::denied::shown;
use crate::grant::SourceRules;
use crate::name_pattern::NamePattern;
use crate::network::Network;
use crate::pattern::TopicPattern;
use crate::rule::{Conditions, Effect, QosSet, Rule};
use crate::who::Who;

/// A row, with every field as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleRow {
    /// `allow` or `deny`; with EMQX 4 also `1` or `0`.
    pub permission: Option<String>,
    /// `publish`, `subscribe` or `all`; with EMQX 4 `1` for subscribe, `2` for publish, `3` for both.
    pub action: Option<String>,
    /// Topic patterns with placeholders. `eq ` before one means this filter itself.
    pub topics: Vec<String>,
    /// `0`, or several, `1,2`. Nothing or an empty text: any.
    pub qos: Option<String>,
    /// `true` or `1`, `false` or `0`, `all`. Nothing or an empty text: either.
    pub retain: Option<String>,
    /// The user name, as it is.
    pub username: Option<String>,
    /// A regular expression for the user name.
    pub username_re: Option<String>,
    /// The Client Identifier, as it is.
    pub clientid: Option<String>,
    /// A regular expression for the Client Identifier.
    pub clientid_re: Option<String>,
    /// An address or a network, or several with commas in between.
    pub ipaddr: Option<String>,
    /// The listener's name.
    pub listener: Option<String>,
    /// A regular expression for the listener's name.
    pub listener_re: Option<String>,
    /// A zone of EMQX. There are none here.
    pub zone: Option<String>,
}

/// A row that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` of an access rule: found {found}, expected {expected}")]
pub struct RowError {
    /// The name of the field at fault.
    pub field: String,
    /// What was found there, cut and without control characters.
    pub found: String,
    /// What can stand there.
    pub expected: String,
}

impl RowError {
    fn new(field: impl Into<String>, found: &str, expected: impl Into<String>) -> Self {
        Self { field: field.into(), found: format!("`{}`", shown(found)), expected: expected.into() }
    }

    fn missing(field: &str, expected: &str) -> Self {
        Self { field: field.to_owned(), found: "nothing".to_owned(), expected: expected.to_owned() }
    }
}

/// The fields of a row in JSON.
const FIELDS: &str =
    "permission, action, topic, topics, qos, retain, username, username_re, clientid, clientid_re, ipaddr, listener, listener_re";

impl RuleRow {
    /// A row that allows something, as Redis has it: the field of the hash is the topic, the value is the action, or an object with action, qos and
    /// retain.
    ///
    /// # Errors
    /// The value is an object with other fields.
    pub fn allowing(topic: &str, value: &str) -> Result<Self, RowError> {
        let mut row = match serde_json::from_str::<Value>(value) {
            Ok(Value::Object(object)) => Self::from_object(&object)?,
            _ => Self { action: Some(value.to_owned()), ..Self::default() },
        };
        if row.permission.as_deref().is_some_and(|permission| permission != "allow") {
            return Err(RowError::new(
                "permission",
                row.permission.as_deref().unwrap_or_default(),
                "`allow`: rules of this kind only allow",
            ));
        }
        if !row.topics.is_empty() {
            return Err(RowError::new("topic", &row.topics.join(", "), "none: the topic stands before the value"));
        }
        row.permission = Some("allow".to_owned());
        row.topics = vec![topic.to_owned()];
        Ok(row)
    }

    /// A row in JSON: `{"permission": "allow", "action": "publish", "topic": "a/#"}`.
    ///
    /// # Errors
    /// Names the field that is unknown or holds something else than it can.
    pub fn from_json(value: &Value) -> Result<Self, RowError> {
        match value {
            Value::Object(object) => Self::from_object(object),
            other => Err(RowError::new("acl", &other.to_string(), "an object for each rule")),
        }
    }

    fn from_object(object: &Map<String, Value>) -> Result<Self, RowError> {
        let mut row = Self::default();
        for (key, value) in object {
            let place = match key.as_str() {
                "permission" => &mut row.permission,
                "action" | "access" => &mut row.action,
                "topic" | "topics" => {
                    row.topics.extend(texts(key, value)?);
                    continue;
                }
                "qos" => &mut row.qos,
                "retain" => &mut row.retain,
                "username" => &mut row.username,
                "username_re" => &mut row.username_re,
                "clientid" => &mut row.clientid,
                "clientid_re" => &mut row.clientid_re,
                "ipaddr" | "ipaddress" | "peerhost" => &mut row.ipaddr,
                "listener" => &mut row.listener,
                "listener_re" => &mut row.listener_re,
                "zone" | "zone_re" => &mut row.zone,
                other => return Err(RowError::new(other, &value.to_string(), format!("one of {FIELDS}"))),
            };
            let all = texts(key, value)?;
            *place = (!all.is_empty()).then(|| all.join(","));
        }
        Ok(row)
    }
}

/// A value as text, or each of several; `null` is nothing.
fn texts(field: &str, value: &Value) -> Result<Vec<String>, RowError> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        other => Err(RowError::new(field, &other.to_string(), "a text, a number, or a list of them")),
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(all) => all.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}

impl Rule {
    /// The most topics of one row.
    pub const TOPICS_MAXIMUM: usize = 1000;

    /// The rule of a row, under this name. `style` says whose placeholders the topics are written with.
    ///
    /// # Errors
    /// Names the field, what was found and what was expected.
    pub fn from_row(name: impl Into<String>, style: PlaceholderStyle, row: &RuleRow) -> Result<Self, RowError> {
        let is_version_4 = style == PlaceholderStyle::Emqx4;
        let effect = match row.permission.as_deref() {
            Some("allow") => Effect::Allow,
            Some("deny") => Effect::Deny,
            Some("1") if is_version_4 => Effect::Allow,
            Some("0") if is_version_4 => Effect::Deny,
            Some(other) => return Err(RowError::new("permission", other, "`allow` or `deny`")),
            None => return Err(RowError::missing("permission", "`allow` or `deny`")),
        };
        let expected = "`publish`, `subscribe` or `all`; as a number 1 (subscribe), 2 (publish) or 3 (both)";
        let (publishes, subscribes) = match row.action.as_deref() {
            Some("publish" | "pub" | "2") => (true, false),
            Some("subscribe" | "sub" | "1") => (false, true),
            Some("all" | "pubsub" | "3") => (true, true),
            Some(other) => return Err(RowError::new("action", other, expected)),
            None => return Err(RowError::missing("action", expected)),
        };
        let topics = topics(style, &row.topics)?;
        let conditions = Conditions { qos: qos(row.qos.as_deref())?, retain: retain(row.retain.as_deref())?, will: None };
        // EMQX knows the RETAIN flag of messages alone.
        Ok(Self {
            name: name.into(),
            effect,
            who: who(row)?,
            publish: if publishes { topics.clone() } else { Vec::new() },
            subscribe: if subscribes { topics } else { Vec::new() },
            conditions,
        })
    }
}

fn topics(style: PlaceholderStyle, written: &[String]) -> Result<Vec<TopicPattern>, RowError> {
    let expected = "a topic filter, with placeholders if need be";
    if written.is_empty() {
        return Err(RowError::missing("topic", expected));
    }
    if written.len() > Rule::TOPICS_MAXIMUM {
        return Err(RowError::new("topics", &format!("{} of them", written.len()), format!("at most {}", Rule::TOPICS_MAXIMUM)));
    }
    let read = |text: &String| {
        TopicPattern::parse_with_placeholders(style, text).map_err(|error| RowError::new("topic", text, format!("{expected}: {error}")))
    };
    written.iter().map(read).collect()
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn qos(text: Option<&str>) -> Result<Option<QosSet>, RowError> {
    let Some(text) = given(text) else { return Ok(None) };
    let one = |level: &str| match level.trim() {
        "0" => Ok(QoS::AtMostOnce),
        "1" => Ok(QoS::AtLeastOnce),
        "2" => Ok(QoS::ExactlyOnce),
        _ => Err(RowError::new("qos", text, "0, 1, 2, or several of them with commas in between")),
    };
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let set = inner.split(',').map(one).collect::<Result<QosSet, _>>()?;
    Ok((!set.is_all()).then_some(set))
}

fn retain(text: Option<&str>) -> Result<Option<bool>, RowError> {
    match given(text) {
        None | Some("all") => Ok(None),
        Some("true" | "1" | "t") => Ok(Some(true)),
        Some("false" | "0" | "f") => Ok(Some(false)),
        Some(other) => Err(RowError::new("retain", other, "`true`, `false` or `all`")),
    }
}

fn who(row: &RuleRow) -> Result<Who, RowError> {
    let mut all = Vec::new();
    let exact = |text: &Option<String>| given(text.as_deref()).map(NamePattern::exact);
    let regex = |field: &str, text: &Option<String>| {
        let read = |text| NamePattern::regex(text).map_err(|error| RowError::new(field, text, error.to_string()));
        given(text.as_deref()).map(read).transpose()
    };
    // EMQX 4 writes `$all` where everybody is meant.
    all.extend(exact(&row.username).filter(|name| name.as_str() != "$all").map(Who::Username));
    all.extend(regex("username_re", &row.username_re)?.map(Who::Username));
    all.extend(exact(&row.clientid).filter(|name| name.as_str() != "$all").map(Who::ClientIdentifier));
    all.extend(regex("clientid_re", &row.clientid_re)?.map(Who::ClientIdentifier));
    all.extend(exact(&row.listener).map(Who::Listener));
    all.extend(regex("listener_re", &row.listener_re)?.map(Who::Listener));
    if let Some(networks) = given(row.ipaddr.as_deref()) {
        let read = |text: &str| {
            let network = text.trim().parse::<Network>();
            network.map(Who::Address).map_err(|error| RowError::new("ipaddr", text, error.to_string()))
        };
        all.push(Who::Any(networks.split(',').map(read).collect::<Result<_, _>>()?));
    }
    if let Some(zone) = given(row.zone.as_deref()) {
        return Err(RowError::new("zone", zone, "no zone: there are none here; use `listener`"));
    }
    Ok(match all.len() {
        0 => Who::Everyone,
        1 => all.remove(0),
        _ => Who::All(all),
    })
}

impl SourceRules {
    /// The most rules that one source may have about one client.
    pub const RULES_MAXIMUM: usize = 1000;

    /// The rules of rows, in order; whoever is next is asked about what none of them covers.
    ///
    /// # Errors
    /// Names the field of the first row that is no rule, or says that there are too many.
    pub fn from_rows<'a>(source: Arc<str>, style: PlaceholderStyle, rows: impl IntoIterator<Item = &'a RuleRow>) -> Result<Self, RowError> {
        let mut rules = Vec::new();
        for (at, row) in rows.into_iter().enumerate() {
            if at >= Self::RULES_MAXIMUM {
                return Err(RowError::new("acl", "more", format!("at most {} rules for one client", Self::RULES_MAXIMUM)));
            }
            rules.push(Rule::from_row(format!("rule {} of `{source}`", at + 1), style, row)?);
        }
        Ok(Self { source, rules, is_complete: false })
    }

    /// The `acl` of a token or of an answer by HTTP: a list of rows, behind which others are asked, or the older object with the lists `pub`, `sub` and
    /// `all`, which denies what does not stand in it.
    ///
    /// # Errors
    /// Names the field that is none of either form.
    pub fn from_claim(source: Arc<str>, style: PlaceholderStyle, acl: &Value) -> Result<Self, RowError> {
        match acl {
            Value::Array(rows) => {
                if rows.len() > Self::RULES_MAXIMUM {
                    return Err(RowError::new("acl", &format!("{} rules", rows.len()), format!("at most {}", Self::RULES_MAXIMUM)));
                }
                let rows = rows.iter().map(RuleRow::from_json).collect::<Result<Vec<_>, _>>()?;
                Self::from_rows(source, style, &rows)
            }
            Value::Object(lists) => {
                let mut rows = Vec::new();
                for (key, value) in lists {
                    let action = match key.as_str() {
                        "pub" => "publish",
                        "sub" => "subscribe",
                        "all" => "all",
                        other => return Err(RowError::new(other, &value.to_string(), "`pub`, `sub` or `all`")),
                    };
                    let topics = texts(key, value)?;
                    if !topics.is_empty() {
                        let (permission, action) = (Some("allow".to_owned()), Some(action.to_owned()));
                        rows.push(RuleRow { permission, action, topics, ..RuleRow::default() });
                    }
                }
                Ok(Self { is_complete: true, ..Self::from_rows(source, style, &rows)? })
            }
            other => Err(RowError::new("acl", &other.to_string(), "a list of rules, or an object with `pub`, `sub` and `all`")),
        }
    }
}

#[cfg(test)]
mod tests;
