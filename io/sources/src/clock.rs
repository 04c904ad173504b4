//! The time of day and numbers that differ each time.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 UTC.
pub(crate) fn unix_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A number that is another one each time; nobody's safety hangs on it.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}
