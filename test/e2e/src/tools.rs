//! Where the programs are that the tests drive.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Finished, Running};

/// The repository's root folder.
pub fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The `signet` binary.
///
/// # Panics
/// When there is none.
pub(crate) fn signet() -> PathBuf {
    let binary = std::env::var_os("SIGNET_BIN").map_or_else(|| target().join("debug").join("signet"), PathBuf::from);
    assert!(binary.is_file(), "`{}` does not exist: run `cargo build -p signet` first", binary.display());
    binary
}

/// A file that `test/setup` installs below `target/clients`.
///
/// # Panics
/// When it is not there.
pub(crate) fn installed(relative: &str) -> PathBuf {
    let path = repository().join("target/clients").join(relative);
    assert!(path.exists(), "`{}` does not exist: run test/setup once", path.display());
    path
}

/// A client program of this crate.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// A program of the system. Distributions put daemons where only root looks.
///
/// # Panics
/// When it is not there.
pub(crate) fn system_program(name: &str) -> PathBuf {
    let found = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"].map(|place| Path::new(place).join(name));
    let found = found.into_iter().find(|path| path.is_file());
    assert!(found.is_some(), "`{name}` is not installed: run test/setup once");
    found.unwrap_or_default()
}

/// The `haproxy` binary.
///
/// # Panics
/// When it is not there.
pub fn haproxy() -> PathBuf {
    system_program("haproxy")
}

/// Runs `openssl` in `folder`.
#[track_caller]
pub fn openssl(folder: &Path, arguments: &[&str]) -> Finished {
    Running::run(Command::new("openssl").current_dir(folder).args(arguments))
}

/// Starts `openssl` in `folder` and leaves it running, its input open.
#[track_caller]
pub(crate) fn openssl_running(folder: &Path, arguments: &[&str]) -> Running {
    Running::start(Command::new("openssl").current_dir(folder).args(arguments))
}
