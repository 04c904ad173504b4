//! The checkers: each reads the history alone and knows nothing of the others.

mod authorization;
mod delivery;
mod ordering;
mod retained;
mod revocation;
mod session;
mod wills;

use crate::history::{History, Violation, What};

/// Everything that is wrong with a history.
pub(crate) fn all(history: &History) -> Vec<Violation> {
    let checkers = [
        delivery::check,
        ordering::check,
        session::check,
        retained::check,
        wills::check,
        authorization::check,
        revocation::check,
        protocol,
    ];
    checkers.into_iter().flat_map(|check| check(history)).collect()
}

/// What the clients themselves saw to be wrong.
fn protocol(history: &History) -> Vec<Violation> {
    let broken = history.iter().filter_map(|(place, entry)| match &entry.what {
        What::Broken { client, rule } => {
            Some(Violation { checker: "protocol", text: format!("client {client} at {place}: {rule}"), client: Some(*client), label: None })
        }
        _ => None,
    });
    broken.collect()
}
