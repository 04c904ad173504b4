//! The programs that this one is when it is started under their names, by a link or a copy.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use signet_mosquitto::program::{Flags, Stop, parse};
use signet_net::unix_seconds;

use crate::command::serve;
use crate::config::{self, MosquittoOrigin, Origin};
use crate::exit::Exit;
use crate::hint::Failure;
use crate::output;

/// Takes the arguments behind the name.
type Program = fn(Vec<OsString>) -> ExitCode;

const PROGRAMS: [(&str, Program); 5] = [
    ("mosquitto", mosquitto),
    ("mosquitto_pub", |arguments| signet_clients::publish("mosquitto_pub", arguments)),
    ("mosquitto_sub", |arguments| signet_clients::subscribe("mosquitto_sub", arguments)),
    ("mosquitto_rr", |arguments| signet_clients::request("mosquitto_rr", arguments)),
    ("mosquitto_passwd", |arguments| signet_clients::passwd("mosquitto_passwd", arguments)),
];

/// Runs the program that the first argument names, if it is one of these.
pub(crate) fn by_name(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let name = arguments.next()?;
    let program = named(Path::new(&name))?;
    Some(program(arguments.collect()))
}

fn named(path: &Path) -> Option<Program> {
    let name = path.file_name()?;
    PROGRAMS.iter().find(|(known, _)| name == *known).map(|(_, program)| *program)
}

/// `mosquitto`: the broker, with its flags, messages and exit codes.
fn mosquitto(arguments: Vec<OsString>) -> ExitCode {
    match parse(arguments) {
        Ok(flags) => match broker(&flags) {
            Ok(exit) => exit.into(),
            Err(failure) => {
                complain(&format!("Error: {}", failure.message), true);
                if let Some(hint) = &failure.hint {
                    output::note(&format!("hint: {hint}"));
                }
                failure.exit.into()
            }
        },
        Err(Stop { out, err, code }) => {
            if let Some((message, has_time)) = err {
                complain(&message, has_time);
            }
            if !out.is_empty() {
                output::data(out.trim_end_matches('\n'));
            }
            ExitCode::from(code)
        }
    }
}

/// A line on stderr, where there is no log yet.
fn complain(message: &str, has_time: bool) {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    output::note(&if has_time { format!("{seconds}: {message}") } else { message.to_owned() });
}

fn broker(flags: &Flags) -> Result<Exit, Failure> {
    let origin = origin(flags);
    if !flags.test_config {
        return serve::start(flags, &origin);
    }
    if flags.config_file.is_none() {
        complain("Please provide a configuration file to test.", true);
        return Ok(Exit::Configuration);
    }
    config::load(&origin, unix_seconds()).map_err(|error| error.report(origin.path()))?;
    complain("Configuration file is OK.", true);
    Ok(Exit::Done)
}

/// Under this name a file is Mosquitto's, unless it says that it is ours.
fn origin(flags: &Flags) -> Origin {
    match &flags.config_file {
        Some(path) if path.extension().is_some_and(|extension| extension == "toml") => Origin::Native(path.clone()),
        file => Origin::Mosquitto(MosquittoOrigin { file: file.clone(), ports: flags.ports.clone(), place: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_which_program_it_is() {
        for (name, is_one) in [("mosquitto", true), ("/usr/sbin/mosquitto", true), ("signet", false), ("/opt/mosquitto/signet", false)] {
            assert_eq!(named(Path::new(name)).is_some(), is_one, "{name}");
        }
    }

    #[test]
    fn a_file_without_a_name_that_says_otherwise_is_mosquittos() {
        let of = |file: Option<&str>| origin(&Flags { config_file: file.map(Into::into), ports: vec![1], ..Flags::default() });
        assert_eq!(of(Some("signet.toml")), Origin::Native("signet.toml".into()));
        let expected = |file: Option<&str>| Origin::Mosquitto(MosquittoOrigin { file: file.map(Into::into), ports: vec![1], place: None });
        assert_eq!(of(Some("/etc/m")), expected(Some("/etc/m")));
        assert_eq!(of(None), expected(None));
    }
}
