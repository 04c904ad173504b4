//! What goes over the admin socket: requests, answers and errors, shared by [`crate::serve`] and [`crate::Client`].
//!
//! Times are RFC 3339 in UTC, serial numbers and fingerprints hexadecimal. Fields are only ever added: an older CLI ignores what it does
//! not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod abuse;
mod audit;
mod authenticators;
mod explain;
mod live;
mod operator;
mod sources;
mod trust;
mod users;

pub use abuse::{Forgive, ForgiveReport, HeldOffClient};
pub use audit::{AuditEntry, AuditQuery};
pub use authenticators::{AuthenticatorState, ForgetAnswers, ForgetReport};
pub use explain::{
    Explain, Explained, ExplainedAccess, ExplainedAnswer, ExplainedCertificate, ExplainedCheck, ExplainedConnect, ExplainedDenial,
    ExplainedProfile, ExplainedRule, ExplainedStatus, ExplainedVerdict, RefusalQuery, RefusedClient, Secret,
};
pub use live::{CloseConnections, Connection, ConnectionQuery, Release, ReleaseReport, Resume, Suspend, SuspendReport, SuspendedDevice};
pub use operator::{AddRevocation, AddRevocationReport, RemoveRevocation, RevocationEntry};
pub use sources::{RefreshReport, RefreshSources, RevocationList, RevocationSource};
pub use trust::{DisableProfile, DisableReport, DisabledProfile, EnableProfile, TrustProfile, TrustedAuthority};
pub use users::{
    AddUser, ChangeUser, IMPORT_MAXIMUM, ImportReport, ImportUsers, NewScram, NewSecret, RemoveUser, SecretText, User, UserList, UserQuery,
    UserReport,
};

/// One certificate as people and scripts see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The device, or the first name of a server.
    pub name: String,
    /// `device` or `server`.
    pub profile: String,
    /// Serial number.
    pub serial: String,
    /// SHA-256 of the issuer's Name.
    pub issuer: String,
    /// SHA-256 of the certificate; absent when it was intended and never issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Kind of key, such as `P-256`.
    pub key_type: String,
    /// `valid`, `revoked`, `on-hold`, `expired`, `not-yet-valid` or `intended`.
    pub status: String,
    /// Start of validity.
    pub not_before: String,
    /// End of validity.
    pub not_after: String,
    /// When it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<String>,
    /// Who asked for it.
    pub issued_by: String,
    /// Its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<RevokedCertificate>,
    /// Whether the device of that name is suspended: refused whatever its certificate's status.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// When, why and by whom a certificate was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedCertificate {
    /// When.
    pub at: String,
    /// Why, in the words of RFC 5280 §5.3.1.
    pub reason: String,
    /// Who asked for it.
    pub by: String,
    /// Its place in the order of all revocations.
    pub generation: u64,
}

/// A wish for a device certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddDevice {
    /// Name of the device.
    pub name: String,
    /// The key to certify.
    pub key: DeviceKey,
    /// Days of validity; the configuration's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// The public key of a device. The private one never travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKey {
    /// A certification request: DER in hexadecimal. Its signature is checked.
    Csr(String),
    /// A bare `SubjectPublicKeyInfo`: DER in hexadecimal, when the operator made the key on the device's behalf.
    PublicKey(String),
}

/// A new certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedDevice {
    /// Its record.
    pub certificate: Certificate,
    /// PEM: the certificate, then its issuing CA.
    pub chain_pem: String,
}

/// Part of the inventory, in the order of issuance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateList {
    /// At most as many as were asked for.
    pub certificates: Vec<Certificate>,
    /// What to pass as `after` for the next part; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// An order to revoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// Device name (all its certificates) or serial number (that one).
    pub which: String,
    /// Why, in the words of RFC 5280 §5.3.1.
    pub reason: String,
}

/// What a revocation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeReport {
    /// The certificates revoked now.
    pub certificates: Vec<Certificate>,
    /// Certificates that were meant too and had been revoked before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub already_revoked: Vec<Certificate>,
    /// Sessions closed; absent when no broker runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsClosed>,
    /// The list that tells the outside world; absent when it could not be signed or written, and `crl_problem` says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<CrlFile>,
    /// The revocation holds, but others will not learn of it from the CRL yet: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_problem: Option<String>,
}

/// Live sessions that a revocation, a suspension or an operator ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionsClosed {
    /// How many were found. More than `closed` where some did not confirm in time; they were told to close all the same.
    #[serde(default)]
    pub found: u64,
    /// How many are closed for certain.
    pub closed: u64,
    /// When no handshake succeeded any more; with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// When the last one was closed; with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_closed_at: Option<String>,
    /// From the durable record to the last one closed, in microseconds.
    pub microseconds: u64,
}

/// A signed revocation list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrlFile {
    /// Its number.
    pub number: u64,
    /// Certificates on it.
    pub entries: u64,
    /// Start of its validity.
    pub this_update: String,
    /// When the next one is due.
    pub next_update: String,
    /// Where it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The list itself.
    pub pem: String,
}

/// The authority and its inventory in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaReport {
    /// Issuing CA first, then the root where it is known.
    pub certificates: Vec<CaCertificate>,
    /// Certificates ever issued or intended.
    pub certificates_total: u64,
    /// Of these, revoked.
    pub revoked_total: u64,
    /// Generation of the newest revocation.
    pub generation: u64,
    /// The newest CRL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<CrlSummary>,
}

/// One certificate of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaCertificate {
    /// Distinguished name, RFC 4514.
    pub subject: String,
    /// Serial number.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Kind of key.
    pub key_type: String,
    /// Start of validity.
    pub not_before: String,
    /// End of validity.
    pub not_after: String,
}

/// The newest CRL without its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrlSummary {
    /// Its number.
    pub number: u64,
    /// Start of its validity.
    pub this_update: String,
    /// When the next one is due.
    pub next_update: String,
}

/// A running broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Process identifier.
    pub pid: u32,
    /// When it started.
    pub started_at: String,
    /// Listeners and the addresses they really have.
    pub listeners: Vec<Listening>,
    /// Connections now.
    pub connections: u64,
    /// Revoked certificates known, from the inventory and from CRL files.
    pub revoked: u64,
}

/// What a running broker has counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// By name, labels included: the same as in `/metrics`.
    pub series: BTreeMap<String, f64>,
}

/// One listening address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Name of the listener.
    pub name: String,
    /// What carries MQTT: `tcp`, `tls`, `ws` or `wss`.
    pub transport: String,
    /// Address and port, or `unix:PATH`.
    pub address: String,
}

/// What a reload took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// What is in force now, one line each.
    pub applied: Vec<String>,
    /// What is written differently but needs a restart, one line each.
    pub needs_restart: Vec<String>,
}

/// Why a request was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// For programs.
    pub kind: ProblemKind,
    /// For people: lower case, no full stop.
    pub message: String,
    /// What to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kinds of refusal a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// The request makes no sense: a bad name, an unreadable CSR, an unknown reason.
    Invalid,
    /// No such device or certificate.
    NotFound,
    /// Something else failed; the message says what.
    Failed,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same with something to try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
