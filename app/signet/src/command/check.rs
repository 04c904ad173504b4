//! `signet check`: everything `signet serve` would refuse, at once, without touching anything.

use crate::config;
use crate::exit::Exit;
use crate::flags::Check;
use crate::hint::Failure;
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Check) -> Result<Exit, Failure> {
    let origin = flags.config.origin();
    let path = origin.path();
    let config = config::load_strictly(&origin, signet_net::unix_seconds()).map_err(|error| error.report(path))?;
    for notice in &config.source.notices {
        output::note(&config::told(notice));
    }
    let rules = match config.rules.len() {
        0 if !config.authentication.sources.is_empty() => "no access rules of its own".to_owned(),
        0 => "no access rules: everything is allowed to whoever may connect".to_owned(),
        1 => "1 access rule".to_owned(),
        many => format!("{many} access rules"),
    };
    for listener in &config.listeners {
        let places: Vec<String> = listener.bind.iter().map(ToString::to_string).collect();
        output::data(&format!("listener `{}`: {} on {}", listener.name, listener.transport(), places.join(", ")));
    }
    for bridge in &config.bridges {
        output::data(&format!("bridge `{}`: {}", bridge.name(), bridge.summary()));
    }
    let listeners = match config.listeners.len() {
        1 => "1 listener".to_owned(),
        many => format!("{many} listeners"),
    };
    output::data(&format!("{}: no problems ({listeners}, {rules})", path.display()));
    Ok(Exit::Done)
}
