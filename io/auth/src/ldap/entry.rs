//! An entry of a directory, and what its attributes mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ldap3::ResultEntry;
use serde_json::Value;
use signet_identity::PlaceholderStyle;
use signet_policy::{Grant, RuleRow, SourceRules};

/// Which attributes say more than the password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LdapAttributes {
    /// One that says whether the client may do everything: `TRUE`.
    pub superuser: Option<Arc<str>>,
    /// One with groups, one in each value.
    pub groups: Option<Arc<str>>,
    /// Those that become attributes of the client, under their own names. They must have one value at most.
    pub attributes: Vec<Arc<str>>,
    /// Those with access rules.
    pub rules: Option<LdapRuleAttributes>,
}

/// Attributes with access rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapRuleAttributes {
    /// Topics to which the client may publish, one in each value.
    pub publish: Arc<str>,
    /// Those that it may subscribe to.
    pub subscribe: Arc<str>,
    /// Both.
    pub all: Arc<str>,
    /// Rules in JSON, an object or a list of them in each value. They go before the topics. The values of an attribute have no order: where the order
    /// matters, all of them belong into one list.
    pub rule: Arc<str>,
    /// Whose placeholders the topics are written with.
    pub style: PlaceholderStyle,
}

impl Default for LdapRuleAttributes {
    fn default() -> Self {
        Self {
            publish: "mqttPublishTopic".into(),
            subscribe: "mqttSubscriptionTopic".into(),
            all: "mqttPubSubTopic".into(),
            rule: "mqttAclRule".into(),
            style: PlaceholderStyle::Emqx5,
        }
    }
}

/// Groups of one client that are taken.
const GROUPS_MAXIMUM: usize = 256;

/// An entry.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    pub(super) dn: String,
    attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One of its attributes is a password.
        formatter.debug_struct("Entry").field("dn", &self.dn).finish_non_exhaustive()
    }
}

impl Entry {
    /// RFC 4511 §4.5.2, SearchResultEntry. `None`: it is something else.
    pub(super) fn read(entry: ResultEntry) -> Option<Self> {
        let mut parts = entry.0.match_id(4)?.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let mut attributes = Vec::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
            let values = parts.next()?.expect_constructed()?.into_iter().map(|value| value.expect_primitive());
            attributes.push((name, values.collect::<Option<Vec<_>>>()?));
        }
        Some(Self { dn, attributes })
    }

    /// The values of an attribute.
    pub(super) fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or(&[], |(_, values)| values)
    }

    /// The values of an attribute as text; the error is its name.
    fn texts<'a>(&'a self, name: &'a Arc<str>) -> Result<Vec<&'a str>, String> {
        let values = self.values(name).iter().map(|value| std::str::from_utf8(value));
        values.collect::<Result<_, _>>().map_err(|_| format!("`{name}` holds something that is no UTF-8"))
    }
}

impl LdapAttributes {
    /// The names of all that are wanted.
    pub(super) fn wanted(&self) -> Vec<Arc<str>> {
        let rules = self.rules.iter().flat_map(|rules| [&rules.publish, &rules.subscribe, &rules.all, &rules.rule]);
        self.superuser.iter().chain(&self.groups).chain(&self.attributes).chain(rules).cloned().collect()
    }

    /// What an entry gives a client. `source` is the name that its rules have in reports.
    pub(super) fn grant(&self, source: &Arc<str>, entry: &Entry) -> Result<Grant, String> {
        let mut grant = Grant::default();
        if let Some(name) = &self.superuser {
            let is_true = |text: &&str| text.eq_ignore_ascii_case("true") || *text == "1";
            grant.superuser = entry.texts(name)?.first().is_some_and(is_true);
        }
        if let Some(name) = &self.groups {
            let groups: BTreeSet<Arc<str>> = entry.texts(name)?.into_iter().map(Arc::from).collect();
            if groups.len() > GROUPS_MAXIMUM {
                return Err(format!("`{name}` has {} values, and {GROUPS_MAXIMUM} are the most", groups.len()));
            }
            grant.groups = groups;
        }
        let mut attributes = BTreeMap::new();
        for name in &self.attributes {
            match entry.texts(name)?.as_slice() {
                [] => {}
                [value] => drop(attributes.insert(Arc::clone(name), Arc::from(*value))),
                several => return Err(format!("`{name}` has {} values, and an attribute of a client has one", several.len())),
            }
        }
        grant.attributes = attributes;
        if let Some(rules) = &self.rules {
            let rules = rules.read(source, entry);
            if !rules.rules.is_empty() || rules.is_complete {
                grant.rules.push(rules);
            }
        }
        Ok(grant)
    }
}

impl LdapRuleAttributes {
    /// The names of all.
    pub(super) fn wanted(&self) -> Vec<Arc<str>> {
        [&self.publish, &self.subscribe, &self.all, &self.rule].map(Arc::clone).to_vec()
    }

    /// The rules of an entry. What cannot be understood may have been a denial: then nothing is allowed, and nobody else is asked.
    pub(super) fn read(&self, source: &Arc<str>, entry: &Entry) -> SourceRules {
        let rules = self.rows(entry);
        let rules = rules.and_then(|rows| SourceRules::from_rows(Arc::clone(source), self.style, &rows).map_err(|error| error.to_string()));
        rules.unwrap_or_else(|why| {
            tracing::warn!(target: "signet::auth", source = &**source, "the client of `{}` may do nothing, because its access rules cannot be used: {why}", entry.dn);
            SourceRules { source: Arc::clone(source), rules: Vec::new(), is_complete: true }
        })
    }

    fn rows(&self, entry: &Entry) -> Result<Vec<RuleRow>, String> {
        let mut rows = Vec::new();
        for text in entry.texts(&self.rule)? {
            let value: Value = serde_json::from_str(text).map_err(|error| format!("`{}` is no JSON: {error}", self.rule))?;
            let objects = match &value {
                Value::Array(objects) => objects.as_slice(),
                object => std::slice::from_ref(object),
            };
            for object in objects {
                rows.push(RuleRow::from_json(object).map_err(|error| error.to_string())?);
            }
        }
        for (name, action) in [(&self.publish, "publish"), (&self.subscribe, "subscribe"), (&self.all, "all")] {
            let allowed = entry.texts(name)?.into_iter().map(|topic| RuleRow {
                permission: Some("allow".to_owned()),
                action: Some(action.to_owned()),
                topics: vec![topic.to_owned()],
                ..RuleRow::default()
            });
            rows.extend(allowed);
        }
        Ok(rows)
    }
}
