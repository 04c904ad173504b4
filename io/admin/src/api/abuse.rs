//! Who is held off, and who is not any more.

use serde::{Deserialize, Serialize};

/// Somebody who is held off: refused for a while because too much was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOffClient {
    /// An address (`192.0.2.7`, `2001:db8::/64`), the device of a certificate, or a device or user by name.
    pub who: String,
    /// What was too much: `address` and `certificate` are failed attempts, then `connect rate` and `flapping`.
    pub why: String,
    /// Until when.
    pub until: String,
    /// How often by now, as far as that is remembered.
    pub times: u32,
}

/// An order to forget what there is against somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgive {
    /// As [`HeldOffClient::who`]; everybody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgiveReport {
    /// How many were held off, and are not any more.
    pub forgiven: u64,
}
