//! `signet status`: how a running broker fares, and what it has counted.

use std::collections::BTreeMap;

use serde::Serialize;
use signet_admin::api;
use signet_admin::{Client, ClientError};

use crate::exit::Exit;
use crate::flags::Status;
use crate::hint::Failure;
use crate::office::{self, Places};
use crate::output;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    status: api::Status,
    numbers: BTreeMap<String, f64>,
}

/// Runs the command.
pub(crate) fn run(flags: &Status) -> Result<Exit, Failure> {
    let places = Places::find(&flags.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the system gives no event loop: {error}")))?;
    let client = Client::new(&places.admin_socket);
    let failed = |error| match error {
        ClientError::NotRunning(_) => Failure::new(format!("no broker runs here: nobody answers on `{}`", places.admin_socket.display()))
            .hint("start it: signet serve"),
        other => office::refused(other, &places.admin_socket),
    };
    let status = runtime.block_on(client.status()).map_err(failed)?;
    let numbers = runtime.block_on(client.numbers()).map_err(failed)?.series;
    if flags.json {
        output::json(&Report { status, numbers })?;
    } else {
        show(&status, &numbers);
    }
    Ok(Exit::Done)
}

fn show(status: &api::Status, numbers: &BTreeMap<String, f64>) {
    output::data(&format!("signet {}, process {}, since {}", status.version, status.pid, status.started_at));
    for listening in &status.listeners {
        output::data(&format!("listener `{}`: {} on {}", listening.name, listening.transport, listening.address));
    }
    output::table(&["NUMBER", "VALUE"], numbers.iter().map(|(series, value)| vec![series.clone(), value.to_string()]));
}
