//! The programs that this one is when it is started under their names, by a link or a copy.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use signet_mosquitto::program::{Flags, INVALID, Stop, parse};
use signet_net::unix_seconds;

use crate::command::serve;
use crate::config;
use crate::exit::Exit;
use crate::hint::Failure;
use crate::output;

/// Takes the arguments behind the name.
type Program = fn(Vec<OsString>) -> ExitCode;

const PROGRAMS: [(&str, Program); 1] = [("mosquitto", mosquitto)];

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
    let Some(path) = &flags.config_file else {
        if flags.test_config {
            complain("Please provide a configuration file to test.", true);
            return Ok(Exit::Configuration);
        }
        return serve::start(flags, None, |between| without_file(&flags.ports, between));
    };
    let read = |between: &mut serve::Between<'_>| config::load_between(path, unix_seconds(), between).map_err(|error| error.report(path));
    if flags.test_config {
        read(&mut |_| Ok(()))?;
        complain("Configuration file is OK.", true);
        return Ok(Exit::Done);
    }
    serve::start(flags, Some(path.clone()), read)
}
