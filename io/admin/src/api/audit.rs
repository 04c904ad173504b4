//! The record of what was done.

use serde::{Deserialize, Serialize};

/// One thing that was done. Times have milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number; a gap never occurs, the oldest go.
    pub sequence: u64,
    /// When it was complete.
    pub at: String,
    /// Who asked, or which source caused it.
    pub by: String,
    /// What was done, such as `device.revoke`.
    pub action: String,
    /// To whom or what.
    pub subject: String,
    /// More.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
    /// When it was durable and in force: no handshake succeeded any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Live sessions found; absent where no broker ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_found: Option<u64>,
    /// Of these, closed for certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_closed: Option<u64>,
    /// When the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_session_closed_at: Option<String>,
}

/// Which audit records, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditQuery {
    /// Only those about this device or other subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only those from here on, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Only those with a lower number: to go on behind an earlier answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many; 1000 unless said otherwise, and at most 10 000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}
