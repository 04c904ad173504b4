//! The binary under the names of Mosquitto's programs, and those programs themselves.

use std::ffi::OsStr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Finished, Running};
use crate::tools;

/// Whose program is run under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The `signet` binary, through a symbolic link.
    Ours,
    /// The one of the system.
    Mosquittos,
}

impl Whose {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Ours, Self::Mosquittos];

    /// A command line of the program `name`, such as `mosquitto_pub`, in `folder`. What the programs read from the home directory of a user is not
    /// there, and what they keep for one is kept in the folder.
    ///
    /// # Panics
    /// When the program is not installed, or the link cannot be made.
    pub fn command(self, name: &str, folder: &Path) -> Command {
        let program = match self {
            Self::Ours => link(name, folder),
            Self::Mosquittos => tools::system_program(name),
        };
        let mut command = Command::new(program);
        command.current_dir(folder).env("HOME", folder).env_remove("XDG_CONFIG_HOME").env("XDG_STATE_HOME", folder.join("state"));
        command.env("NO_COLOR", "1").env_remove("RUST_LOG");
        command
    }

    /// Runs it to its end without input.
    #[track_caller]
    pub fn run(self, name: &str, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Finished {
        Running::run(self.command(name, folder).args(arguments))
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self, name: &str, folder: &Path, arguments: &[impl AsRef<OsStr>]) -> Running {
        Running::start(self.command(name, folder).args(arguments))
    }
}

fn link(name: &str, folder: &Path) -> PathBuf {
    let place = folder.join("bin");
    std::fs::create_dir_all(&place).expect("the folder can be written");
    let path = place.join(name);
    if !path.exists() {
        symlink(tools::signet(), &path).expect("a link can be made");
    }
    path
}
