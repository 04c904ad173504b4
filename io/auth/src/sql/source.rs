//! What rows mean: passwords, and what else a client is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signet_policy::{Applicant, ProvenNames};

use super::row::{READABLE, SqlRow, SqlValue};
use super::{Found, SqlError, SqlPool, SqlStatement};
use crate::check::SourceCheck;
use crate::key::QueryKey;
use crate::password_source::{Record, RecordSource};
use crate::source::{BoxFuture, Failure};

/// Columns with more than the password: its hash is in `password_hash` or `password`, its salt in `salt`, and whether the client may do everything in
/// `is_superuser`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlColumns {
    /// Columns that become attributes of the client, under their own names.
    pub attributes: Vec<Arc<str>>,
    /// A column with groups, separated by commas.
    pub groups: Option<Arc<str>>,
    /// A column that says when the session ends, in Unix seconds.
    pub expires_at: Option<Arc<str>>,
}

/// Groups of one client that are taken.
const GROUPS_MAXIMUM: usize = 256;

/// Passwords in a data base.
#[derive(Debug)]
pub struct SqlRecords {
    pool: Arc<SqlPool>,
    statement: SqlStatement,
    columns: SqlColumns,
}

impl SqlRecords {
    /// Finds clients by a query, of which the first row counts.
    ///
    /// # Errors
    /// A query without a placeholder.
    pub fn new(pool: Arc<SqlPool>, statement: SqlStatement, columns: SqlColumns) -> Result<Self, SqlError> {
        if statement.value_count() == 0 {
            return Err(SqlError(
                "the query has no placeholder, so it would find the same for every client; write `WHERE username = ${username}`".to_owned(),
            ));
        }
        Ok(Self { pool, statement, columns })
    }

    /// Asks the server whether it takes the query and brings what is needed. Has to be called within a tokio runtime.
    pub async fn check(&self) -> SourceCheck {
        self.pool.check(&self.statement, |found| self.check_columns(found)).await
    }

    /// `found`: names of columns and, where their type is not read, the name of the type.
    fn check_columns(&self, found: &[(String, String)]) -> Result<(), String> {
        let has = |name: &str| found.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
        let all = || found.iter().map(|(column, _)| format!("`{column}`")).collect::<Vec<_>>().join(", ");
        if !has("password_hash") && !has("password") {
            return Err(format!(
                "the query brings no column `password_hash` or `password`, only {}; write `SELECT … AS password_hash`",
                all()
            ));
        }
        let configured = self.columns.attributes.iter().chain(&self.columns.groups).chain(&self.columns.expires_at);
        if let Some(missing) = configured.clone().find(|name| !has(name)) {
            return Err(format!("the query brings no column `{missing}`, only {}", all()));
        }
        let ours = ["password_hash", "password", "salt", "is_superuser"];
        let is_ours =
            |name: &str| ours.iter().copied().chain(configured.clone().map(|name| &**name)).any(|ours| ours.eq_ignore_ascii_case(name));
        match found.iter().find(|(name, unread)| is_ours(name) && !unread.is_empty()) {
            Some((name, unread)) => Err(unreadable(name, unread)),
            None => Ok(()),
        }
    }

    async fn record(&self, applicant: &Applicant) -> Result<Option<Record>, Failure> {
        let Ok(values) = self.statement.values(&applicant.facts()) else { return Ok(None) };
        let values: Vec<Option<String>> = values.into_iter().map(Some).collect();
        match self.pool.ask(&self.statement, &values, 1).await? {
            Found::Rows { rows, .. } => rows.first().map(|row| self.columns.read(row)).transpose(),
            Found::BadValue(why) => {
                tracing::debug!(target: "signet::auth", "the data base knows nobody by such a name: {why}");
                Ok(None)
            }
        }
    }
}

impl RecordSource for SqlRecords {
    fn proves(&self) -> ProvenNames {
        self.statement.proves()
    }

    fn key(&self, applicant: &Applicant) -> Result<QueryKey, String> {
        let values = self.statement.values(&applicant.facts())?;
        Ok(QueryKey::of(values.iter().map(String::as_bytes)))
    }

    fn find<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Option<Record>, Failure>> {
        Box::pin(self.record(applicant))
    }
}

impl SqlColumns {
    /// What a row says. One that cannot be understood as a whole is an entry without a password: nobody can log in by it.
    fn read(&self, row: &SqlRow) -> Result<Record, Failure> {
        let known = |name: &str| row.get(name).filter(|value| **value != SqlValue::Null);
        for name in ["password_hash", "password", "salt", "is_superuser"] {
            if let Some(SqlValue::Other(unread)) = row.get(name) {
                return Err(Failure(unreadable(name, unread)));
            }
        }
        let Some(password) = row.get("password_hash").or_else(|| row.get("password")) else {
            return Err(Failure("the query brings no column `password_hash` or `password`".to_owned()));
        };
        let mut record = Record {
            password_hash: password.bytes(),
            salt: known("salt").and_then(SqlValue::bytes),
            superuser: known("is_superuser").is_some_and(SqlValue::is_true),
            ..Record::default()
        };
        let more = self.groups(row).and_then(|groups| Ok((groups, self.attributes(row)?, self.expires_at(row)?)));
        match more {
            Ok((groups, attributes, expires_at)) => {
                (record.groups, record.attributes, record.expires_at) = (groups, attributes, expires_at)
            }
            Err(column) => {
                tracing::warn!(target: "signet::auth", "an entry lets nobody in, because its column `{column}` cannot be read");
                record = Record::default();
            }
        }
        Ok(record)
    }

    fn groups(&self, row: &SqlRow) -> Result<BTreeSet<Arc<str>>, Arc<str>> {
        let Some(column) = &self.groups else { return Ok(BTreeSet::new()) };
        let text = text(row, column)?.unwrap_or_default();
        let groups: BTreeSet<Arc<str>> = text.split(',').map(str::trim).filter(|group| !group.is_empty()).map(Arc::from).collect();
        if groups.len() > GROUPS_MAXIMUM { Err(Arc::clone(column)) } else { Ok(groups) }
    }

    fn attributes(&self, row: &SqlRow) -> Result<BTreeMap<Arc<str>, Arc<str>>, Arc<str>> {
        let found = self.attributes.iter().filter_map(|column| match text(row, column) {
            Ok(value) => value.map(|value| Ok((Arc::clone(column), Arc::from(value)))),
            Err(column) => Some(Err(column)),
        });
        found.collect()
    }

    fn expires_at(&self, row: &SqlRow) -> Result<Option<i64>, Arc<str>> {
        let Some(column) = &self.expires_at else { return Ok(None) };
        let Some(text) = text(row, column)? else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| Arc::clone(column))
    }
}

/// The text of a column; `None`: NULL.
fn text(row: &SqlRow, column: &Arc<str>) -> Result<Option<String>, Arc<str>> {
    match row.get(column) {
        Some(SqlValue::Null) => Ok(None),
        Some(value) => value.text().map(Some).ok_or_else(|| Arc::clone(column)),
        None => Err(Arc::clone(column)),
    }
}

fn unreadable(column: &str, unread: &str) -> String {
    format!(
        "the column `{column}` is of the type {unread}, and {READABLE}; convert it in the query, `CAST({column} AS CHAR(64))` or `{column}::text`"
    )
}
