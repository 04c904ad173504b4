//! How a scenario went, in one line or more.

use crate::ledger::Verdict;

/// The result of one scenario.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Whether everything was as promised.
    pub(crate) is_good: bool,
    /// The counts.
    pub(crate) text: String,
}

impl Outcome {
    /// A ledger's verdict after so many `rounds`.
    pub(crate) fn of(verdict: &Verdict, rounds: &str) -> Self {
        Self { is_good: verdict.is_good(), text: format!("{rounds}, {verdict}") }
    }
}
