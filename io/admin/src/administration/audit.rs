//! The record of what was done: by operators, and by the broker for reasons of its own.
//!
//! A record is written when the work is complete, since it says how many sessions were closed and when. A process that ends in between leaves
//! the order itself in the ledger, with who and when, and no audit record.

use serde_json::Value;
use signet_ca::{AuditQuery, AuditRecord};
use signet_net::{KickReport, unix_milliseconds};

use super::{Administration, Desk, failed};
use crate::api::{self, AuditEntry, Problem};
use crate::view;

/// Records in an answer unless asked otherwise, and at most.
const LIMIT: usize = 1000;
const LIMIT_MAXIMUM: usize = 10_000;

/// Something that was done.
#[derive(Debug, Clone, Default)]
pub struct Done<'a> {
    /// What, such as `device.revoke` or `crl.load`: a noun, a dot, a verb.
    pub action: &'a str,
    /// To whom or what: the device's qualified name where there is one.
    pub subject: &'a str,
    /// Who asked, or which source caused it.
    pub by: &'a str,
    /// More, an object; null for nothing.
    pub details: Value,
    /// When it was durable and in force, unix milliseconds.
    pub revoked_at: Option<i64>,
    /// What became of live sessions; `None` where there was no broker.
    pub sessions: Option<KickReport>,
}

impl Administration {
    /// Appends a record, at the time of the call, and returns its number. Waits for the disk.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn audit(&self, done: &Done<'_>) -> Result<u64, Problem> {
        self.desk().append(done)
    }

    /// From the next record on so many are kept, at least one; [`signet_ca::AUDIT_RECORDS_KEPT`] unless this is called.
    pub fn keep_audit_records(&self, count: u64) {
        self.desk().audit_kept = count;
    }

    /// The records, newest first.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn audit_records(&self, query: &api::AuditQuery) -> Result<Vec<AuditEntry>, Problem> {
        let query = AuditQuery {
            subject: query.subject.clone(),
            since: query.since,
            before: query.before,
            limit: query.limit.unwrap_or(LIMIT).min(LIMIT_MAXIMUM),
        };
        let records = self.desk().ledger.audit(&query).map_err(failed)?;
        Ok(records.into_iter().map(|(sequence, record)| entry(sequence, record)).collect())
    }
}

impl Desk {
    /// Appends a record of what is done already: that it holds matters more than that it is written down, so a failure is logged.
    pub(super) fn record(&mut self, done: &Done<'_>) {
        if let Err(problem) = self.append(done) {
            tracing::error!(
                action = done.action,
                subject = done.subject,
                by = done.by,
                "this is done and could not be recorded: {problem}"
            );
        }
    }

    fn append(&mut self, done: &Done<'_>) -> Result<u64, Problem> {
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let record = AuditRecord {
            at: unix_milliseconds(),
            by: done.by.to_owned(),
            action: done.action.to_owned(),
            subject: done.subject.to_owned(),
            details: if done.details.is_null() { String::new() } else { done.details.to_string() },
            revoked_at: done.revoked_at,
            sessions_found: done.sessions.map(|report| wide(report.found)),
            sessions_closed: done.sessions.map(|report| wide(report.closed)),
            last_session_closed_at: done.sessions.and_then(|report| report.last_closed_at),
        };
        self.ledger.record_audit(&record, self.audit_kept).map_err(failed)
    }
}

fn entry(sequence: u64, record: AuditRecord) -> AuditEntry {
    AuditEntry {
        sequence,
        at: view::date_with_milliseconds(record.at),
        by: record.by,
        action: record.action,
        subject: record.subject,
        // What is no JSON was written by somebody else; it is shown as it is.
        details: match serde_json::from_str(&record.details) {
            Ok(details) => details,
            Err(_) if record.details.is_empty() => Value::Null,
            Err(_) => Value::String(record.details),
        },
        revoked_at: record.revoked_at.map(view::date_with_milliseconds),
        sessions_found: record.sessions_found,
        sessions_closed: record.sessions_closed,
        last_session_closed_at: record.last_session_closed_at.map(view::date_with_milliseconds),
    }
}
