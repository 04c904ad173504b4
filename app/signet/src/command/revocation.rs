//! `signet revocation add|list|remove`: the operator's own list, for certificates of other authorities.

use signet_admin::api::{AddRevocation, AddRevocationReport, RemoveRevocation, RevocationEntry};

use super::device::{day, sessions};
use super::named;
use crate::exit::Exit;
use crate::flags::Revocation;
use crate::hint::Failure;
use crate::office::{Office, Places};
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
