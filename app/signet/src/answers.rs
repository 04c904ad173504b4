//! What the running broker knows, as the admin API shows it: explanations, refusals, trust profiles, sources of revocation knowledge.

pub(crate) mod abuse;
pub(crate) mod authenticators;
pub(crate) mod explain;
pub(crate) mod refusals;
pub(crate) mod sources;
pub(crate) mod trust;

/// Sizes as counts.
pub(crate) fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
