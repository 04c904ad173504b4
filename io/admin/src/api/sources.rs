//! How the sources of revocation knowledge fare.

use serde::{Deserialize, Serialize};

/// One source: a file, an address, a responder, or the response stapled to our own certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationSource {
    /// The trust profile that asks it; of a staple, the listener.
    pub profile: String,
    /// `file`, `url`, `certificate` (an address that a certificate named), `ocsp` or `staple`.
    pub kind: String,
    /// Path or address.
    pub address: String,
    /// `good`, `waiting`, `stale` (a list of it is past its next update) or `failing`.
    pub state: String,
    /// The lists in force from it.
    pub lists: Vec<RevocationList>,
    /// OCSP answers held that came from it.
    pub answers: u64,
    /// When something succeeded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<String>,
    /// What the last failure was; absent after a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// How long the last attempt that got an answer took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_milliseconds: Option<u64>,
    /// Attempts since the start.
    pub requests: u64,
    /// Of these, failed.
    pub failures: u64,
    /// Of these, since the last success.
    pub consecutive_failures: u32,
}

/// A list in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationList {
    /// Who signed it, RFC 4514.
    pub issuer: String,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Whether it is a delta CRL.
    pub delta: bool,
    /// When it was made.
    pub this_update: String,
    /// How old it is.
    pub age_seconds: i64,
    /// When its successor is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<String>,
    /// Certificates on it.
    pub entries: u64,
    /// Whether it is overdue.
    pub stale: bool,
}

/// A wish to fetch and read sources now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshSources {
    /// Those of this trust profile, or with this address; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub which: Option<String>,
}

/// What is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshReport {
    /// Sources of lists that are read or fetched again; OCSP answers are asked for besides.
    pub sources: u64,
}
