//! Dates of certificates as people read them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-11-22T02:30:00Z` from unix seconds.
pub(crate) fn text(unix_seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix_seconds)
        .ok()
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{unix_seconds} s after 1970"))
}

/// Unix seconds by the system's wall clock.
pub(crate) fn now() -> i64 {
    i64::try_from(rustls_pki_types::UnixTime::now().as_secs()).unwrap_or(i64::MAX)
}
