//! `signet connections` and `signet connections close`: who is connected now.

use signet_admin::api::{CloseConnections, Connection, ConnectionQuery, SessionsClosed};

use super::device::{day, duration};
use super::named;
use crate::exit::Exit;
use crate::flags::{Connections, ConnectionsCommand, Which};
use crate::hint::Failure;
use crate::office::{Office, Places};
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Connections) -> Result<Exit, Failure> {
    match &flags.command {
        None => {
            let connections = open(&Places::find(&flags.config)?)?.connections(&query(&flags.which)?)?;
            if flags.json { output::json(&connections)? } else { list(&connections) }
        }
        Some(ConnectionsCommand::Close { which, all, reason, json, config }) => {
            let request = CloseConnections { which: query(which)?, all: *all, reason: reason.clone() };
            let report = open(&Places::find(config)?)?.close_connections(&request)?;
            if *json { output::json(&report)? } else { output::data(&closed(&report)) }
        }
    }
    Ok(Exit::Done)
}

/// Without a broker there is nothing to look at, so the ledger is left alone.
fn open(places: &Places) -> Result<Office, Failure> {
    Office::of_broker(places)
}

fn query(which: &Which) -> Result<ConnectionQuery, Failure> {
    Ok(ConnectionQuery {
        device: which.device.clone(),
        tenant: which.tenant.clone(),
        profile: which.profile.clone(),
        authority: which.ca.as_deref().map(named::authority).transpose()?,
        certificate: which.cert.as_deref().map(named::certificate).transpose()?,
        key: which.key.as_deref().map(named::key).transpose()?.map(|key| key.to_string()),
        client_identifier: which.client_identifier.clone(),
        listener: which.listener.clone(),
        after: None,
        limit: None,
    })
}

fn closed(report: &SessionsClosed) -> String {
    let noun = if report.closed == 1 { "connection" } else { "connections" };
    let open = report.found.saturating_sub(report.closed);
    let late = if open > 0 { format!("; {open} more were told to close and did not confirm in time") } else { String::new() };
    format!("{} {noun} closed in {}{late}", report.closed, duration(report.microseconds))
}

fn list(connections: &[Connection]) {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |connection: &Connection| {
        let device = match (&connection.tenant, &connection.device) {
            (Some(tenant), Some(device)) => format!("{tenant}/{device}"),
            (_, device) => or_dash(device),
        };
        vec![
            device,
            or_dash(&connection.username),
            or_dash(&connection.client_identifier),
            connection.address.clone(),
            connection.listener.clone(),
            connection.transport.clone(),
            connection.since.clone(),
            or_dash(&connection.profile),
            or_dash(&connection.serial),
            connection.not_after.as_deref().map_or_else(|| "-".to_owned(), day),
        ]
    };
    let heading =
        ["DEVICE", "USER NAME", "CLIENT IDENTIFIER", "ADDRESS", "LISTENER", "TRANSPORT", "SINCE", "PROFILE", "SERIAL", "VALID TO"];
    output::table(&heading, connections.iter().map(row));
}
