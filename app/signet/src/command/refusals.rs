//! `signet refusals …`: the last clients that were not let in, and why; who is held off, and forgiving it.

use signet_admin::api::{Forgive, HeldOffClient, RefusalQuery, RefusedClient};

use crate::exit::Exit;
use crate::flags::{Refusals, RefusalsCommand};
use crate::hint::Failure;
use crate::office::BrokerOffice;
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Refusals) -> Result<Exit, Failure> {
    match &flags.command {
        None => {
            let query = RefusalQuery {
                number: None,
                last: usize::try_from(flags.last).ok(),
                listener: flags.listener.clone(),
                device: flags.device.clone(),
                serial: flags.serial.clone(),
                address: flags.address.clone(),
            };
            let refused = BrokerOffice::open(&flags.config)?.refusals(&query)?;
            if flags.json { output::json(&refused)? } else { list(&refused) }
        }
        Some(RefusalsCommand::Show { number, json, config }) => {
            let refused = BrokerOffice::open(config)?.refusal(*number)?;
            if *json { output::json(&refused)? } else { show(&refused) }
        }
        Some(RefusalsCommand::Held { json, config }) => {
            let held = BrokerOffice::open(config)?.held_off()?;
            if *json { output::json(&held)? } else { list_held(&held) }
        }
        // Everybody only where that was asked for: the command line makes sure of one of the two.
        Some(RefusalsCommand::Forgive { who, all: _, json, config }) => {
            let report = BrokerOffice::open(config)?.forgive(&Forgive { who: who.clone() })?;
            if *json {
                output::json(&report)?;
            } else {
                let noun = if report.forgiven == 1 { "hold" } else { "holds" };
                output::data(&format!("{} {noun} ended", report.forgiven));
            }
        }
    }
    Ok(Exit::Done)
}

fn list(refused: &[RefusedClient]) {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |refused: &RefusedClient| {
        vec![
            refused.number.to_string(),
            refused.at.clone(),
            refused.address.clone(),
            refused.listener.clone(),
            or_dash(&refused.subject),
            or_dash(&refused.serial),
            refused.check.clone(),
            refused.found.clone(),
        ]
    };
    output::table(&["NUMBER", "AT", "ADDRESS", "LISTENER", "SUBJECT", "SERIAL", "CHECK", "FOUND"], refused.iter().map(row));
    if let Some(newest) = refused.first() {
        output::note(&format!("note: what to do about one: signet refusals show {}", newest.number));
    }
}

fn list_held(held: &[HeldOffClient]) {
    let row = |held: &HeldOffClient| vec![held.who.clone(), held.why.clone(), held.until.clone(), held.times.to_string()];
    output::table(&["WHO", "WHY", "UNTIL", "TIMES"], held.iter().map(row));
}

fn show(refused: &RefusedClient) {
    let RefusedClient { number, at, address, listener, check, found, hint, .. } = refused;
    output::data(&format!("refusal {number}  {at}  from {address} at listener `{listener}`"));
    if let (Some(subject), Some(serial)) = (&refused.subject, &refused.serial) {
        let issuer = refused.issuer.as_deref().unwrap_or("-");
        output::data(&format!("  certificate  {subject}  serial {serial}  issued by {issuer}"));
    }
    output::data(&format!("  check        {check}"));
    output::data(&format!("  found        {found}"));
    output::data(&format!("  hint         {hint}"));
    if refused.explainable {
        output::note(&format!("note: every check, by what is in force now: signet explain --refusal {number}"));
    }
}
