//! From `signet.toml` to what the program runs on: `file.rs` as written, `resolved.rs` as meant, `material.rs` the files it names.
//!
//! Every step reports into one list of [`Problems`], so that one run of `signet check` shows all there is to repair.

mod abuse;
mod auth;
mod bridge;
mod carriage;
mod conduct;
mod file;
mod host;
mod identity;
mod limits;
mod listener;
mod log;
mod material;
mod mentions;
mod mosquitto;
mod origin;
mod problem;
mod process;
mod psk;
mod resolved;
mod section;
mod store;
mod telemetry;
mod trust;
mod who;

use std::io::ErrorKind;
use std::path::Path;

pub(crate) use auth::{Authentication, DynamicSecurityFiles, Tools};
pub(crate) use bridge::Bridge;
pub(crate) use listener::Listener;
pub(crate) use log::{Destination, Format, LogConfig, Mosquitto as MosquittoLog, Timestamps};
pub(crate) use mosquitto::{SystemFiles, told, translate};
pub(crate) use origin::{MosquittoOrigin, Origin};
pub(crate) use problem::Problem;
use problem::Problems;
pub(crate) use psk::WantedKeys;
pub(crate) use resolved::{CaConfig, Config};
pub(crate) use store::directory as store_directory;
pub(crate) use trust::Profile;

use crate::exit::Exit;
use crate::hint::Failure;
use crate::output;

/// Why there is no configuration to run on.
#[derive(Debug)]
pub(crate) enum ConfigError {
    /// The file itself could not be read.
    Unreadable(Failure),
    /// It has problems, in the order of the file.
    Problems(Vec<Problem>),
}

impl ConfigError {
    /// Prints what is wrong, and returns what the command ends with.
    pub(crate) fn report(self, path: &Path) -> Failure {
        match self {
            Self::Unreadable(failure) => failure,
            Self::Problems(problems) => {
                for problem in &problems {
                    output::note(&format!("{problem}\n"));
                }
                let count = match problems.len() {
                    1 => "1 problem".to_owned(),
                    many => format!("{many} problems"),
                };
                Failure::new(format!("`{}` has {count}, nothing was started or changed", path.display())).exit(Exit::Configuration)
            }
        }
    }
}

/// Reads and checks a configuration and every file it names; `now` in Unix seconds.
///
/// A CRL past its nextUpdate passes here and is warned of when it is taken over: it concerns the devices of one CA, and must not keep the
/// broker from starting, or from a new server certificate, for all others.
pub(crate) fn load(origin: &Origin, now: i64) -> Result<Config, ConfigError> {
    load_between(origin, now, &mut |_| Ok(()))
}

/// The same, where something is to be done after the configuration was read and before the files that it names are.
pub(crate) fn load_between(
    origin: &Origin,
    now: i64,
    between: &mut dyn FnMut(&Config) -> Result<(), Failure>,
) -> Result<Config, ConfigError> {
    let (config, problems) = read(origin)?;
    if problems.is_empty() {
        between(&config).map_err(ConfigError::Unreadable)?;
    }
    material::check(&config, &problems, now);
    finish(config, problems)
}

/// The same for `signet check`, which reports a CRL past its nextUpdate too.
pub(crate) fn load_strictly(origin: &Origin, now: i64) -> Result<Config, ConfigError> {
    let (config, problems) = read(origin)?;
    material::check(&config, &problems, now);
    material::check_freshness(&config, &problems, now);
    finish(config, problems)
}

/// The same without opening the files it names: for commands that need only to know where things are.
pub(crate) fn load_places(origin: &Origin) -> Result<Config, ConfigError> {
    let (config, problems) = read(origin)?;
    finish(config, problems)
}

fn read(origin: &Origin) -> Result<(Config, Problems), ConfigError> {
    let path = match origin {
        Origin::Native(path) => path,
        Origin::Mosquitto(origin) => return mosquitto::read(origin),
    };
    let bytes = std::fs::read(path).map_err(|error| ConfigError::Unreadable(unreadable(path, &error)))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let failure = Failure::new(format!("`{}` is not UTF-8 text: byte {}", path.display(), error.utf8_error().valid_up_to() + 1));
        ConfigError::Unreadable(failure.exit(Exit::Configuration))
    })?;
    let problems = Problems::new(path, &text);
    let file = file::File::parse(&text, &problems);
    let config = Config::resolve(file, path, &problems);
    Ok((config, problems))
}

fn finish(config: Config, problems: Problems) -> Result<Config, ConfigError> {
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Problems(problems.into_sorted())) }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::file("read", path, error).exit(Exit::Configuration);
    if error.kind() == ErrorKind::NotFound {
        return failure.hint("`signet quickstart` sets up a directory with a configuration; -c FILE names another one");
    }
    failure
}

#[cfg(test)]
mod tests;
