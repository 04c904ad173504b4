//! How every source fares, for metrics, the operator's API and people.

use std::sync::Arc;
use std::time::Duration;

/// One source: a file, an address, or a responder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    /// The profile's name; of a staple, its own.
    pub profile: Arc<str>,
    /// What it is.
    pub kind: SourceKind,
    /// Path or address.
    pub address: String,
    /// How it fares.
    pub state: SourceState,
    /// What was tried and came of it.
    pub attempts: Attempts,
    /// The lists in force from it, oldest knowledge first; none for a responder.
    pub lists: Vec<ListFacts>,
    /// The answers held that came from it; 0 for lists. Of a staple: whether there is one.
    pub answers: usize,
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// A CRL file.
    File,
    /// An address of the configuration.
    Url,
    /// An address that a certificate named.
    FromCertificate,
    /// An OCSP responder.
    Responder,
    /// The OCSP response about our own certificate.
    Staple,
}

impl SourceKind {
    /// A word for labels: `file`, `url`, `certificate`, `ocsp`, `staple`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Url => "url",
            Self::FromCertificate => "certificate",
            Self::Responder => "ocsp",
            Self::Staple => "staple",
        }
    }
}

/// How a source fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// Nothing came of it yet, good or bad.
    Waiting,
    /// The last attempt succeeded and nothing is overdue.
    Good,
    /// A list of it is past its nextUpdate, whether or not the last attempt succeeded.
    Stale,
    /// The last attempt failed; what was known before stays in force.
    Failing,
}

impl SourceState {
    /// A word for labels: `waiting`, `good`, `stale`, `failing`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Good => "good",
            Self::Stale => "stale",
            Self::Failing => "failing",
        }
    }
}

/// What was tried. Times in seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attempts {
    /// When something was tried last.
    pub last: Option<i64>,
    /// When something succeeded last.
    pub last_success: Option<i64>,
    /// How long the last attempt that got an answer took.
    pub latency: Option<Duration>,
    /// How many there were.
    pub requests: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many failed since the last success.
    pub consecutive_failures: u32,
    /// What the last failure was; `None` after a success.
    pub last_error: Option<String>,
}

impl Attempts {
    pub(crate) fn succeeded(&mut self, now: i64, latency: Duration) {
        self.requests = self.requests.saturating_add(1);
        self.last = Some(now);
        self.last_success = Some(now);
        self.latency = Some(latency);
        self.consecutive_failures = 0;
        self.last_error = None;
    }

    /// Whether this is news: another error than the last time.
    pub(crate) fn failed(&mut self, now: i64, error: &str) -> bool {
        self.requests = self.requests.saturating_add(1);
        self.last = Some(now);
        self.failed = self.failed.saturating_add(1);
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        let news = self.last_error.as_deref() != Some(error);
        self.last_error = Some(error.to_owned());
        news
    }
}

/// A list in force. Times in seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFacts {
    /// The issuer's Name as RFC 4514 writes it.
    pub issuer: String,
    /// crlNumber.
    pub number: Option<String>,
    /// Whether it is a delta CRL.
    pub delta: bool,
    /// When it was made.
    pub this_update: i64,
    /// When its successor is due.
    pub next_update: Option<i64>,
    /// How many certificates are on it.
    pub entries: usize,
    /// Whether it was reported as overdue.
    pub stale: bool,
}
