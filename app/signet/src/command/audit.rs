//! `signet audit`: what was done, by whom, and when the last session was closed.

use signet_admin::api::{AuditEntry, AuditQuery};
use signet_net::unix_seconds;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use crate::exit::Exit;
use crate::flags::Audit;
use crate::hint::Failure;
use crate::office::{Office, Places};
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Audit) -> Result<Exit, Failure> {
    let query = AuditQuery {
        subject: flags.device.clone(),
        since: flags.since.as_deref().map(|text| since(text, unix_seconds())).transpose()?,
        before: None,
        limit: usize::try_from(flags.limit).ok(),
    };
    let entries = Office::open(&Places::find(&flags.config)?)?.audit(&query)?;
    if flags.json {
        output::json(&entries)?
    } else {
        output::table(&HEADING, entries.iter().map(row))
    }
    Ok(Exit::Done)
}

const HEADING: [&str; 8] = ["AT", "BY", "ACTION", "SUBJECT", "REVOKED AT", "SESSIONS", "LAST CLOSED AT", "DETAILS"];

fn row(entry: &AuditEntry) -> Vec<String> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let sessions = match (entry.sessions_closed, entry.sessions_found) {
        (Some(closed), Some(found)) if closed < found => format!("{closed} of {found}"),
        (Some(closed), _) => closed.to_string(),
        (None, _) => "-".to_owned(),
    };
    let details = if entry.details.is_null() { "-".to_owned() } else { entry.details.to_string() };
    vec![
        entry.at.clone(),
        entry.by.clone(),
        entry.action.clone(),
        entry.subject.clone(),
        or_dash(&entry.revoked_at),
        sessions,
        or_dash(&entry.last_session_closed_at),
        details,
    ]
}

/// A time, a date or how long ago, as unix milliseconds. `now` in unix seconds.
fn since(text: &str, now: i64) -> Result<i64, Failure> {
    let seconds = ago(text).map(|seconds| now.saturating_sub(seconds)).or_else(|| moment(text));
    seconds.map(|seconds| seconds.saturating_mul(1000)).ok_or_else(|| {
        Failure::new(format!("`{text}` is no point in time")).hint("2h, 30m or 7d for how long ago; 2026-11-30; 2026-11-30T12:00:00Z")
    })
}

fn ago(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = text.get(..text.len().checked_sub(1)?)?.parse().ok()?;
    i64::from(count).checked_mul(unit)
}

fn moment(text: &str) -> Option<i64> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(moment.unix_timestamp());
    }
    let date = Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).ok()?;
    Some(date.midnight().assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_written_in_three_ways() {
        assert_eq!(since("2h", 10_000).unwrap(), 2_800_000);
        assert_eq!(since("1970-01-02", 0).unwrap(), 86_400_000);
        assert_eq!(since("1970-01-01T01:00:00+01:00", 5).unwrap(), 0);
        for wrong in ["", "h", "-2h", "yesterday", "2026-13-01", "2 h", "ä"] {
            assert!(since(wrong, 0).is_err(), "{wrong}");
        }
    }
}
