//! The second front end: a `mosquitto.conf` is written as a `signet.toml`, and that is read like any other. What is wrong with it is shown where
//! the original says it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use signet_mosquitto::{Files, Mistake, Notice, Outside, Translation};

use super::ConfigError;
use super::file::File;
use super::origin::{MosquittoOrigin, Origin};
use super::problem::{Originals, Problem, Problems};
use super::resolved::{Config, Source};
use crate::hint::{Failure, plain};
use crate::state_directory;

/// Overrides `persistence_location`, as it does for Mosquitto.
const PERSISTENCE_LOCATION: &str = "MOSQUITTO_PERSISTENCE_LOCATION";

/// The files of this machine. What was read is kept, for messages that show a line of it.
#[derive(Debug, Default)]
pub(crate) struct SystemFiles(RefCell<Originals>);

impl Files for SystemFiles {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let bytes = std::fs::read(path).map_err(|error| plain(&error))?;
        self.0.borrow_mut().insert(path, bytes.clone());
        Ok(bytes)
    }

    fn list(&self, directory: &Path) -> Result<Vec<String>, String> {
        let entries = std::fs::read_dir(directory).map_err(|error| plain(&error))?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        names.collect::<Result<_, _>>().map_err(|error: std::io::Error| plain(&error))
    }
}

/// A configuration of Mosquitto in our terms, with what its user should know.
pub(crate) fn translate(origin: &MosquittoOrigin, files: &SystemFiles) -> Result<Translation, ConfigError> {
    let Some(file) = &origin.file else { return Ok(signet_mosquitto::nothing_configured(&origin.ports)) };
    let directory = std::env::current_dir()
        .map_err(|error| ConfigError::Unreadable(Failure::new(format!("the current directory is not there: {}", plain(&error)))))?;
    let location = std::env::var_os(PERSISTENCE_LOCATION).map(PathBuf::from);
    let outside = Outside { ports: &origin.ports, persistence_location: location.as_deref() };
    signet_mosquitto::translate_with(file, &directory, outside, files)
        .map_err(|mistakes| ConfigError::Problems(mistakes.into_iter().map(|mistake| problem(mistake, file, files)).collect()))
}

/// Reads it, as `super::read` does with a file of ours.
pub(super) fn read(origin: &MosquittoOrigin) -> Result<(Config, Problems), ConfigError> {
    let files = SystemFiles::default();
    let translation = translate(origin, &files)?;
    let named = Origin::Mosquitto(origin.clone());
    let (text, notices) = (translation.toml.clone(), translation.notices.clone());
    let problems = Problems::translated(named.path(), translation, files.0.into_inner());
    let file = File::parse(&text, &problems);
    let has_place = file.data_dir.is_some();
    // Paths are absolute in a translation, or do not matter.
    let mut config = Config::resolve(file, Path::new("signet.toml"), &problems);
    let mut origin = origin.clone();
    let place = match (std::env::var_os(PERSISTENCE_LOCATION), &origin.place) {
        (Some(location), _) => PathBuf::from(location),
        (None, _) if has_place => config.data_dir.clone(),
        // A reload stays where it was, also when root has become somebody else since.
        (None, Some(place)) => place.clone(),
        (None, None) => {
            let place = state_directory::of(&origin, config.process.user.as_deref()).map_err(ConfigError::Unreadable)?;
            origin.place.insert(place).clone()
        }
    };
    config.source = Source { origin: Origin::Mosquitto(origin), notices, key_log: None };
    config.move_data(place);
    Ok((config, problems))
}

fn problem(mistake: Mistake, main: &Path, files: &SystemFiles) -> Problem {
    let Some(place) = mistake.place else {
        return Problem { file: main.to_owned(), place: None, message: mistake.message, hint: mistake.hint };
    };
    let shown = files.0.borrow().line(&place);
    Problem { file: place.file, place: shown, message: mistake.message, hint: mistake.hint }
}

/// A notice as one line.
pub(crate) fn told(notice: &Notice) -> String {
    format!("{}:{}: {}", notice.place.file.display(), notice.place.line, notice.message)
}
