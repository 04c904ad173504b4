//! `signet revocation add|list|remove`, the operator's own list for certificates of other authorities; `sources|refresh`, where everything else
//! that is known of them comes from.

use signet_admin::api::{AddRevocation, AddRevocationReport, RefreshSources, RemoveRevocation, RevocationEntry, RevocationSource};

use super::device::{day, sessions};
use super::named;
use crate::exit::Exit;
use crate::flags::Revocation;
use crate::hint::Failure;
use crate::office::{BrokerOffice, Office, Places};
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Revocation) -> Result<Exit, Failure> {
    match flags {
        Revocation::Add { which, reason, json, config } => {
            let named::Subject { id, label } = named::subject(which)?;
            let request = AddRevocation { id, label, reason: reason.name().to_owned() };
            let report = Office::open(&Places::find(config)?)?.add_revocation(&request)?;
            if *json { output::json(&report)? } else { output::data(&added(&report)) }
        }
        Revocation::List { json, config } => {
            let entries = Office::open(&Places::find(config)?)?.revocations()?;
            if *json { output::json(&entries)? } else { list(&entries) }
        }
        Revocation::Remove { which, id, json, config } => {
            let id = match id {
                Some(id) => id.clone(),
                None => named::subject(which)?.id,
            };
            let entry = Office::open(&Places::find(config)?)?.remove_revocation(&RemoveRevocation { id })?;
            if *json {
                output::json(&entry)?;
            } else {
                output::data(&format!("removed {} ({}, since {})", entry.label, entry.reason, entry.since));
            }
        }
        Revocation::Sources { json, config } => {
            let found = BrokerOffice::open(config)?.sources()?;
            if *json { output::json(&found)? } else { sources(&found) }
        }
        Revocation::Refresh { which, json, config } => {
            let report = BrokerOffice::open(config)?.refresh(&RefreshSources { which: which.clone() })?;
            if *json {
                output::json(&report)?;
            } else {
                let noun = if report.sources == 1 { "source" } else { "sources" };
                output::data(&format!("asked {} {noun} of lists again; what comes of it: signet revocation sources", report.sources));
            }
        }
    }
    Ok(Exit::Done)
}

fn added(report: &AddRevocationReport) -> String {
    let RevocationEntry { label, reason, since, by, .. } = &report.entry;
    let ended = sessions(report.sessions.as_ref());
    if report.already {
        format!("{label} is on the list already, since {since} by {by} ({reason}); {ended}")
    } else {
        format!("revoked {label} ({reason}); {ended}")
    }
}

fn list(entries: &[RevocationEntry]) {
    let kind = |entry: &RevocationEntry| entry.id.split(':').next().unwrap_or_default().to_owned();
    let row = |entry: &RevocationEntry| {
        vec![kind(entry), entry.label.clone(), entry.reason.clone(), day(&entry.since), entry.by.clone(), entry.id.clone()]
    };
    output::table(&["KIND", "WHAT", "REASON", "SINCE", "BY", "ID"], entries.iter().map(row));
}

/// One line for each list, one for a source without any.
fn sources(found: &[RevocationSource]) {
    let dash = || "-".to_owned();
    let mut rows = Vec::new();
    for source in found {
        let attempts = format!("{} of {} failed", source.failures, source.requests);
        let latency = source.latency_milliseconds.map_or_else(dash, |milliseconds| format!("{milliseconds} ms"));
        let tail = [latency, attempts, source.last_error.clone().unwrap_or_else(dash)];
        let head = [source.profile.clone(), source.kind.clone(), source.address.clone(), source.state.clone()];
        if source.lists.is_empty() {
            let held = if source.answers > 0 { format!("{} answers", source.answers) } else { dash() };
            rows.push(head.into_iter().chain([dash(), dash(), held, dash()]).chain(tail).collect());
            continue;
        }
        for list in &source.lists {
            let number = list.number.clone().unwrap_or_else(dash);
            let number = if list.delta { format!("{number} (delta)") } else { number };
            let facts = [age(list.age_seconds), list.next_update.clone().unwrap_or_else(dash), format!("{} entries", list.entries), number];
            rows.push(head.clone().into_iter().chain(facts).chain(tail.clone()).collect::<Vec<_>>());
        }
    }
    let heading = ["PROFILE", "KIND", "ADDRESS", "STATE", "AGE", "NEXT UPDATE", "HOLDS", "NUMBER", "LATENCY", "ATTEMPTS", "LAST ERROR"];
    output::table(&heading, rows);
}

/// Seconds in the largest unit that leaves a number above one.
pub(super) fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let shown = [(-5, "-5 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")];
        for (seconds, expected) in shown {
            assert_eq!(age(seconds), expected);
        }
    }
}
