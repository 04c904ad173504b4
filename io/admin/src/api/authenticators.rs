//! Those who are asked about clients: how they fare, and forgetting what they have said.

use serde::{Deserialize, Serialize};

/// One who vouches for clients or has rules about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticatorState {
    /// Its name in the configuration.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// `closed`: it is asked. `open`: it is not, it has failed too often. `trying`: one question finds out.
    pub breaker: String,
    /// Questions to it since the start or the last reload.
    pub asked: u64,
    /// Those that failed.
    pub failed: u64,
    /// Questions answered from memory, or by somebody else's question at the same time.
    pub remembered: u64,
    /// Questions that failed by no fault of the backend.
    pub spared: u64,
    /// Answers in memory, about.
    pub cached: u64,
    /// How long a question took on average, in microseconds.
    pub mean_microseconds: u64,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
}

/// Whose answers are to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetAnswers {
    /// Those of the one with this name; of all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetReport {
    /// How many were told to forget.
    pub forgotten: usize,
}
