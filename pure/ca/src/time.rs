//! Unix seconds, as this crate takes and gives them, in the forms that certificates and people need.

use time::OffsetDateTime;
use time::macros::format_description;

/// The calendar's view of a time; `None` beyond the year 9999.
pub(crate) fn calendar(seconds: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// For messages: `2031-05-01 12:00:00 UTC`.
pub(crate) fn shown(seconds: i64) -> String {
    calendar(seconds)
        .and_then(|time| time.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC")).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}
