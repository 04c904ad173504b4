//! `signet pub`, `sub`, `rr` and `passwd`: programs that read their flags themselves, since those are Mosquitto's to the letter.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

type Run = fn(&str, Vec<OsString>) -> ExitCode;

/// The word behind `signet`, the name in messages, what runs it.
const CLIENTS: [(&str, &str, Run); 4] = [
    ("pub", "signet pub", signet_clients::publish),
    ("sub", "signet sub", signet_clients::subscribe),
    ("rr", "signet rr", signet_clients::request),
    ("passwd", "signet passwd", signet_clients::passwd),
];

/// Runs the client that the first word of the command line names, if it names one.
pub(crate) fn by_word(words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let mut words = words.skip(1);
    let word = words.next()?;
    CLIENTS.iter().any(|(known, ..)| word == *known).then(|| run(&word, words.collect()))
}

/// Runs the client of this name.
pub(crate) fn run(word: &OsStr, arguments: Vec<OsString>) -> ExitCode {
    match CLIENTS.iter().find(|(known, ..)| word == *known) {
        Some((_, name, run)) => run(name, arguments),
        None => ExitCode::FAILURE,
    }
}
