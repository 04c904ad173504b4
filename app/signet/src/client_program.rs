//! The MQTT clients and the editor of password files: `signet pub`, `sub`, `rr` and `passwd`, and the names of Mosquitto's programs. They read their
//! flags themselves, since those are Mosquitto's to the letter.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

type Run = fn(&str, Vec<OsString>) -> ExitCode;

/// The word behind `signet`, the name of Mosquitto's program, what runs it.
const PROGRAMS: [(&str, &str, Run); 4] = [
    ("pub", "mosquitto_pub", signet_clients::publish),
    ("sub", "mosquitto_sub", signet_clients::subscribe),
    ("rr", "mosquitto_rr", signet_clients::request),
    ("passwd", "mosquitto_passwd", signet_clients::passwd),
];

/// Runs the client that the first words of the command line name, if they name one.
pub(crate) fn by_words(mut words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let name = words.next()?;
    let name = Path::new(&name).file_name()?;
    if let Some((_, program, run)) = PROGRAMS.iter().find(|(_, program, _)| name == *program) {
        return Some(run(program, words.collect()));
    }
    let word = words.next()?;
    let known = PROGRAMS.iter().any(|(known, ..)| word == *known);
    known.then(|| by_word(&word, words.collect()))
}

/// `signet WORD …`
pub(crate) fn by_word(word: &OsStr, arguments: Vec<OsString>) -> ExitCode {
    match PROGRAMS.iter().find(|(known, ..)| word == *known) {
        Some((known, _, run)) => run(&format!("signet {known}"), arguments),
        None => ExitCode::FAILURE,
    }
}
