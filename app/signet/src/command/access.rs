//! `signet acl check`: what a client may do, by the rules in force, as if it were connected. `signet auth`: how those fare who are asked about clients.

use signet_admin::api::{AuthenticatorState, Explain, Explained, ForgetAnswers};

use super::explain::{access_lines, certificates};
use crate::exit::Exit;
use crate::flags::{Acl, AclCheck, Auth};
use crate::hint::Failure;
use crate::office::BrokerOffice;
use crate::output;

/// Runs `signet acl`.
pub(crate) fn acl(flags: &Acl) -> Result<Exit, Failure> {
    let Acl::Check(flags) = flags;
    check(flags)
}

fn check(flags: &AclCheck) -> Result<Exit, Failure> {
    // Neither of the two: both.
    let (publish, subscribe) = if flags.publish == flags.subscribe { (true, true) } else { (flags.publish, flags.subscribe) };
    // A filter with wildcards is nothing that anybody publishes to.
    let is_filter = flags.topic.contains(['+', '#']);
    let request = Explain {
        certificates: flags.cert.as_deref().map(certificates).transpose()?.unwrap_or_default(),
        device: flags.identity.clone(),
        username: flags.username.clone(),
        client_identifier: flags.client_identifier.clone(),
        listener: flags.listener.clone(),
        address: flags.address,
        assume_let_in: true,
        publish: (publish && !(is_filter && subscribe)).then(|| flags.topic.clone()),
        subscribe: subscribe.then(|| flags.topic.clone()),
        ..Explain::default()
    };
    let explained = BrokerOffice::open(&flags.config)?.explain(&request)?;
    if flags.json {
        output::json(&explained)?;
    } else {
        lines(&explained).iter().for_each(|line| output::data(line));
    }
    Ok(if explained.is_allowed() { Exit::Done } else { Exit::Refused })
}

fn lines(explained: &Explained) -> Vec<String> {
    let mut lines: Vec<String> = explained.notes.iter().map(|note| format!("note: {note}")).collect();
    if !explained.let_in {
        lines.push(explained.verdict.clone());
    }
    if let Some(connect) = &explained.connect {
        let who = match (&connect.device, &connect.username) {
            (Some(device), _) => format!("device `{device}`"),
            (None, Some(username)) => format!("user `{username}`"),
            (None, None) => "a client that nobody vouches for".to_owned(),
        };
        lines.push(format!("{who} at listener `{}`, if it is let in", explained.listener));
    }
    explained.access.iter().for_each(|access| lines.extend(access_lines(access)));
    lines
}

/// Runs `signet auth`.
pub(crate) fn auth(flags: &Auth) -> Result<Exit, Failure> {
    match flags {
        Auth::List { json, config } => {
            let states = BrokerOffice::open(config)?.authenticators()?;
            if *json { output::json(&states)? } else { list(&states) }
        }
        Auth::Forget { name, config } => {
            let report = BrokerOffice::open(config)?.forget_answers(&ForgetAnswers { name: name.clone() })?;
            output::data(&format!("{} told to forget; who connects now is asked about anew", report.forgotten));
        }
    }
    Ok(Exit::Done)
}

fn list(states: &[AuthenticatorState]) {
    if states.is_empty() {
        return output::data(
            "nobody is asked about clients: signet.toml has no [[authenticator]] and no [[access_source]] that is somewhere else",
        );
    }
    let row = |state: &AuthenticatorState| {
        vec![
            state.name.clone(),
            state.kind.clone(),
            state.breaker.clone(),
            state.asked.to_string(),
            state.failed.to_string(),
            state.spared.to_string(),
            state.remembered.to_string(),
            format!("{:.1} ms", std::time::Duration::from_micros(state.mean_microseconds).as_secs_f64() * 1000.0),
            state.last_failure.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let head = ["NAME", "TYPE", "BREAKER", "ASKED", "FAILED", "SPARED", "REMEMBERED", "MEAN", "LAST FAILURE"];
    output::table(&head, states.iter().map(row));
}
