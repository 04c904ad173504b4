//! Access rules in a data base: one row, one rule.

use std::sync::Arc;

use signet_identity::PlaceholderStyle;
use signet_policy::{Client, RuleRow, SourceRules};

use super::row::{READABLE, SqlRow, SqlValue};
use super::{Found, SqlPool, SqlStatement};
use crate::backend::{Backend, Remembered};
use crate::check::SourceCheck;
use crate::key::QueryKey;
use crate::source::{BoxFuture, Failure, RuleSource};

/// Columns that a rule can have; the second of two names is that of EMQX 4.
const COLUMNS: [&str; 18] = [
    "permission",
    "allow",
    "action",
    "access",
    "topic",
    "topics",
    "qos",
    "retain",
    "username",
    "username_re",
    "clientid",
    "clientid_re",
    "ipaddr",
    "ipaddress",
    "listener",
    "listener_re",
    "zone",
    "zone_re",
];

/// Access rules in a data base.
#[derive(Debug)]
pub struct SqlRules {
    name: Arc<str>,
    pool: Arc<SqlPool>,
    statement: SqlStatement,
    style: PlaceholderStyle,
    remembered: Remembered<SourceRules>,
}

impl SqlRules {
    /// Finds the rules about a client by a query, which may bring up to [`SourceRules::RULES_MAXIMUM`] rows. `name` is the source's in the configuration,
    /// `style` that of placeholders in topics.
    #[must_use]
    pub fn new(name: Arc<str>, pool: Arc<SqlPool>, statement: SqlStatement, style: PlaceholderStyle, backend: Arc<Backend>) -> Self {
        Self { name, pool, statement, style, remembered: Remembered::new(backend) }
    }

    /// Asks the server whether it takes the query and brings what is needed. Has to be called within a tokio runtime.
    pub async fn check(&self) -> SourceCheck {
        self.pool.check(&self.statement, check_columns).await
    }

    /// A client without one of the values is asked about with NULL in its place, which is equal to nothing: in `username = … OR clientid = …` the other
    /// half still counts.
    async fn find(&self, client: &Client) -> Result<SourceRules, Failure> {
        let values = match self.statement.values_or_null(&client.facts()) {
            Ok(values) => values,
            Err(why) => return Ok(self.nothing(&why)),
        };
        let fields = values.iter().flat_map(|value| match value {
            Some(value) => [b"value".as_slice(), value.as_bytes()],
            None => [b"null".as_slice(), &[]],
        });
        let key = QueryKey::of(fields);
        self.remembered.ask(key, self.ask(&values)).await
    }

    async fn ask(&self, values: &[Option<String>]) -> Result<SourceRules, Failure> {
        let rows = match self.pool.ask(&self.statement, values, SourceRules::RULES_MAXIMUM).await? {
            Found::Rows { rows, has_more: false } => rows,
            Found::Rows { .. } => return Ok(self.nothing(&format!("there are more than {} of them", SourceRules::RULES_MAXIMUM))),
            Found::BadValue(why) => return Ok(self.nothing(&why)),
        };
        let rows: Vec<RuleRow> = rows.iter().map(rule_row).collect::<Result<_, _>>().map_err(Failure)?;
        match SourceRules::from_rows(Arc::clone(&self.name), self.style, &rows) {
            Ok(rules) => Ok(rules),
            Err(error) => Ok(self.nothing(&error.to_string())),
        }
    }

    /// What cannot be understood may have been a denial: then nothing is allowed, and nobody else is asked. It is no failure of the data base: what a
    /// client calls itself must not keep others from being asked about.
    fn nothing(&self, why: &str) -> SourceRules {
        tracing::warn!(target: "signet::auth", source = &*self.name, "a client may do nothing, because its access rules cannot be used: {why}");
        SourceRules { source: Arc::clone(&self.name), rules: Vec::new(), is_complete: true }
    }
}

impl RuleSource for SqlRules {
    fn rules<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<SourceRules, Failure>> {
        Box::pin(self.find(client))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}

/// `found`: names of columns and, where their type is not read, the name of the type.
fn check_columns(found: &[(String, String)]) -> Result<(), String> {
    let has = |wanted: &[&str]| found.iter().any(|(name, _)| wanted.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)));
    if let Some((name, _)) = found.iter().find(|(name, _)| !has_name(name)) {
        return Err(unknown(name));
    }
    for wanted in [&["permission", "allow"][..], &["action", "access"], &["topic", "topics"]] {
        if !has(wanted) {
            return Err(format!("the query brings no column `{}`; a rule needs `permission`, `action` and `topic`", wanted.join("` or `")));
        }
    }
    match found.iter().find(|(_, unread)| !unread.is_empty()) {
        Some((name, unread)) => Err(unreadable(name, unread)),
        None => Ok(()),
    }
}

fn has_name(name: &str) -> bool {
    COLUMNS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A condition that is passed over makes an allowance wider.
fn unknown(name: &str) -> String {
    format!("the query brings a column `{name}`, which no access rule has; name the columns that are meant, out of {}", COLUMNS.join(", "))
}

fn unreadable(name: &str, unread: &str) -> String {
    format!(
        "the column `{name}` is of the type {unread}, and {READABLE}; convert it in the query, `CAST({name} AS CHAR(64))` or `{name}::text`"
    )
}

fn rule_row(row: &SqlRow) -> Result<RuleRow, String> {
    let mut rule = RuleRow::default();
    for (name, value) in row.columns() {
        if let SqlValue::Other(unread) = value {
            return Err(unreadable(name, unread));
        }
        if *value == SqlValue::Null {
            continue;
        }
        let text = value.text().ok_or_else(|| format!("the column `{name}` of an access rule is no UTF-8"))?;
        let place = match name.to_ascii_lowercase().as_str() {
            "permission" => &mut rule.permission,
            "allow" => {
                rule.permission = Some(allow(&text).to_owned());
                continue;
            }
            "action" | "access" => &mut rule.action,
            "topic" | "topics" => {
                rule.topics.push(text);
                continue;
            }
            "qos" => &mut rule.qos,
            "retain" => &mut rule.retain,
            "username" => &mut rule.username,
            "username_re" => &mut rule.username_re,
            "clientid" => &mut rule.clientid,
            "clientid_re" => &mut rule.clientid_re,
            "ipaddr" | "ipaddress" => &mut rule.ipaddr,
            "listener" => &mut rule.listener,
            "listener_re" => &mut rule.listener_re,
            "zone" | "zone_re" => &mut rule.zone,
            other => return Err(unknown(other)),
        };
        *place = Some(text);
    }
    Ok(rule)
}

/// EMQX 4 has a number there.
fn allow(text: &str) -> &str {
    match text.trim() {
        "1" | "true" => "allow",
        "0" | "false" => "deny",
        other => other,
    }
}
