//! The operator's own revocation list: certificates of authorities that are not Signet's.

use serde::{Deserialize, Serialize};

use super::SessionsClosed;

/// A wish to put something on the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddRevocation {
    /// What is no longer trusted: `certificate:`, `key:` or `authority:` and its octets in hexadecimal. For a certificate, the digest of its
    /// issuer's Name and 20 octets of serial number; for a key, the digest of its SubjectPublicKeyInfo, which means certificates signed with it too; for an authority, the digest of
    /// its Name and that of its key. Digests are SHA-256.
    pub id: String,
    /// The same in words that people know, at most 256 bytes.
    pub label: String,
    /// Why, in the words of RFC 5280 §5.3.1.
    pub reason: String,
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationEntry {
    /// As in [`AddRevocation`].
    pub id: String,
    /// In words.
    pub label: String,
    /// Since when.
    pub since: String,
    /// Why, in the words of RFC 5280 §5.3.1.
    pub reason: String,
    /// Who asked.
    pub by: String,
}

/// What adding did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddRevocationReport {
    /// The entry as it is on the list now.
    pub entry: RevocationEntry,
    /// Whether it was on it before, so that nothing was recorded now.
    pub already: bool,
    /// Sessions closed; absent when no broker runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsClosed>,
}

/// A wish to take something off the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveRevocation {
    /// As in [`AddRevocation`].
    pub id: String,
}
