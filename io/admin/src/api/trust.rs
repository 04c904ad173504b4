//! Trust profiles: what they are, and switching one off.

use serde::{Deserialize, Serialize};

use super::{Connection, SessionsClosed};

/// A trust profile of the running broker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustProfile {
    /// Its name.
    pub name: String,
    /// Whether its devices are let in: the configuration says so, and nobody has disabled it.
    pub enabled: bool,
    /// Whether the configuration says so.
    pub enabled_in_configuration: bool,
    /// Since when and why an operator has it disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<DisabledProfile>,
    /// In whose name space its devices live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The certificates that it believes, or knows as issuers.
    pub authorities: Vec<TrustedAuthority>,
    /// What certificates have to be like, and what becomes of names: one line each.
    pub rules: Vec<String>,
    /// How revocation is looked up: one line each.
    pub revocation: Vec<String>,
    /// Where revocation knowledge comes from: kind and address.
    pub sources: Vec<String>,
    /// The listeners that judge certificates by it.
    pub listeners: Vec<String>,
    /// Live sessions under it.
    pub sessions: u64,
}

/// Who disabled a trust profile, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisabledProfile {
    /// Its name.
    pub profile: String,
    /// Since when.
    pub since: String,
    /// Why, if somebody said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who asked.
    pub by: String,
}

/// A certificate of a trust profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedAuthority {
    /// Distinguished name, RFC 4514.
    pub subject: String,
    /// Whether paths may end here; otherwise it is a known intermediate.
    pub anchor: bool,
    /// Kind of key.
    pub key_type: String,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// End of validity.
    pub not_after: String,
}

/// A wish to disable a trust profile: every session under it ends, and nobody is let in until it is enabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisableProfile {
    /// Its name.
    pub profile: String,
    /// Why, in any words, at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only say what would end.
    #[serde(default)]
    pub dry_run: bool,
}

/// What disabling did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisableReport {
    /// How the profile is disabled now; absent where only was asked what would end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<DisabledProfile>,
    /// Whether it was disabled before, so that nothing was recorded now.
    pub already: bool,
    /// How many sessions would end, when only that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would_end: Option<u64>,
    /// The first of them, at most a thousand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<Connection>,
    /// Sessions closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsClosed>,
}

/// A wish to enable a trust profile again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnableProfile {
    /// Its name.
    pub profile: String,
}
