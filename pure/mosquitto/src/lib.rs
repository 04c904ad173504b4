//! What Mosquitto's files and words mean: `mosquitto.conf` read as Mosquitto 2.1.2 reads it, and written as `signet.toml`; its log lines.
//!
//! Nothing here opens a file or a socket. What a file names is asked for through [`Files`], so that the same code serves `signet serve`,
//! `signet import mosquitto` and the tests.

pub mod log;
pub mod program;
mod translation;

use std::path::Path;

pub use translation::{Files, Mistake, Notice, Place, Translation};

/// Reads the configuration `main` and writes it as ours; `directory` is what relative paths in it are relative to, `ports` those of the command line,
/// which count where the file has no listener.
///
/// # Errors
/// Everything that is wrong with it.
pub fn translate(main: &Path, directory: &Path, ports: &[u16], files: &dyn Files) -> Result<Translation, Vec<Mistake>> {
    let _ = (directory, ports, files);
    Err(vec![Mistake { place: Some(Place { file: main.to_owned(), line: 1 }), message: "not read yet".to_owned(), hint: None }])
}

/// What Mosquitto does without a configuration: port 1883, or `ports`, of the loopback addresses, for everybody.
#[must_use]
pub fn nothing_configured(ports: &[u16]) -> Translation {
    let _ = ports;
    Translation { toml: String::new(), origins: Vec::new(), notices: Vec::new() }
}
