//! How suspensions, disabled trust profiles, the operator's entries and audit records look on disk.

use serde::{Deserialize, Serialize};
use signet_ca::{AuditRecord, DisabledProfile, OperatorEntry, OperatorSubject, Suspension};

use super::{Unreadable, reason};

/// One suspension; the device is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredSuspension {
    since: i64,
    why: String,
    by: String,
}

impl StoredSuspension {
    pub(crate) fn new(suspension: &Suspension) -> Self {
        Self { since: suspension.since, why: suspension.why.clone(), by: suspension.by.clone() }
    }

    pub(crate) fn decode(device: &str, bytes: &[u8]) -> Result<Suspension, Unreadable> {
        let Self { since, why, by } = serde_json::from_slice(bytes)?;
        Ok(Suspension { device: device.to_owned(), since, why, by })
    }
}

/// One disabled trust profile; its name is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredDisabledProfile {
    since: i64,
    why: String,
    by: String,
}

impl StoredDisabledProfile {
    pub(crate) fn new(profile: &DisabledProfile) -> Self {
        Self { since: profile.since, why: profile.why.clone(), by: profile.by.clone() }
    }

    pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<DisabledProfile, Unreadable> {
        let Self { since, why, by } = serde_json::from_slice(bytes)?;
        Ok(DisabledProfile { name: name.to_owned(), since, why, by })
    }
}

/// One entry of the operator's list; the subject is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredOperatorEntry {
    label: String,
    since: i64,
    reason: u8,
    by: String,
}

impl StoredOperatorEntry {
    pub(crate) fn new(entry: &OperatorEntry) -> Self {
        Self { label: entry.label.clone(), since: entry.since, reason: entry.reason.code(), by: entry.by.clone() }
    }

    pub(crate) fn decode(subject: OperatorSubject, bytes: &[u8]) -> Result<OperatorEntry, Unreadable> {
        let stored: Self = serde_json::from_slice(bytes)?;
        Ok(OperatorEntry { subject, label: stored.label, since: stored.since, reason: reason(stored.reason)?, by: stored.by })
    }
}

/// One audit record; the sequence number is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredAudit {
    at: i64,
    by: String,
    action: String,
    subject: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    details: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sessions_found: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sessions_closed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_session_closed_at: Option<i64>,
}

impl StoredAudit {
    pub(crate) fn new(record: &AuditRecord) -> Self {
        let AuditRecord { at, by, action, subject, details, revoked_at, sessions_found, sessions_closed, last_session_closed_at } =
            record.clone();
        Self { at, by, action, subject, details, revoked_at, sessions_found, sessions_closed, last_session_closed_at }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<AuditRecord, Unreadable> {
        let Self { at, by, action, subject, details, revoked_at, sessions_found, sessions_closed, last_session_closed_at } =
            serde_json::from_slice(bytes)?;
        Ok(AuditRecord { at, by, action, subject, details, revoked_at, sessions_found, sessions_closed, last_session_closed_at })
    }
}
