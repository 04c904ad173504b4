//! One installation of Signet: the directory that `signet quickstart` fills, and the broker that serves it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::client::Credentials;
use crate::process::{Finished, Running};
use crate::tools;

/// A directory with CA, server certificate, the device `pump-7` and a configuration for a free port.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    port: u16,
}

/// A running broker. Dropping it kills it.
#[derive(Debug)]
pub struct Broker {
    running: Running,
}

impl Site {
    /// Lets `signet quickstart` fill a new directory.
    #[track_caller]
    pub fn quickstart() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let port = signet_testkit::free_port();
        let site = Self { folder, port };
        site.signet(&["quickstart", "--no-serve", "--port", &port.to_string()]).succeeded();
        site
    }

    /// A new directory with nothing in it, and a port nobody listens on.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary directory"), port: signet_testkit::free_port() }
    }

    /// The directory.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the directory.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The port of the TLS listener.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A port nobody listens on now.
    pub fn free_port(&self) -> u16 {
        signet_testkit::free_port()
    }

    /// Writes a new file of the directory.
    #[track_caller]
    pub fn write(&self, relative: &str, text: &str) {
        fs::write(self.path(relative), text).expect("the file can be written");
    }

    /// A command line of `signet` in the directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tools::signet());
        command.current_dir(self.folder()).args(arguments).env("NO_COLOR", "1").env_remove("RUST_LOG");
        // What a broker keeps whose configuration does not say where goes with the directory.
        command.env("XDG_STATE_HOME", self.path("state"));
        command
    }

    /// Runs `signet` in the directory to its end.
    #[track_caller]
    pub fn signet(&self, arguments: &[&str]) -> Finished {
        Running::run(&mut self.command(arguments))
    }

    /// Rewrites a file of the directory, `signet.toml` for one.
    #[track_caller]
    pub fn edit(&self, relative: &str, change: impl FnOnce(String) -> String) {
        let path = self.path(relative);
        let before = fs::read_to_string(&path).expect("the file can be read");
        let after = change(before.clone());
        assert_ne!(before, after, "the edit of `{relative}` changed nothing");
        fs::write(path, after).expect("the file can be written");
    }

    /// Starts the broker and waits until it says that it listens. Trying the port would not do: if another process took it meanwhile, that
    /// one would answer.
    #[track_caller]
    pub fn serve(&self) -> Broker {
        let running = Running::start(&mut self.command(&["serve"]));
        running.wait_for("listening");
        Broker { running }
    }

    /// Certificate and key of a device of this directory, trusting its CA.
    pub fn device(&self, name: &str) -> Credentials {
        Credentials {
            cafile: self.path("ca/ca.pem"),
            certificate: Some((self.path(&format!("devices/{name}.pem")), self.path(&format!("devices/{name}.key")))),
        }
    }

    /// No certificate, trusting this CA.
    pub fn nobody(&self) -> Credentials {
        Credentials { cafile: self.path("ca/ca.pem"), certificate: None }
    }
}

impl Broker {
    /// Waits for a log line that contains `text`.
    #[track_caller]
    pub fn logs(&self, text: &str) -> String {
        self.running.wait_for(text)
    }

    /// Waits for a log line that contains every one of `texts`.
    #[track_caller]
    pub fn logs_all(&self, texts: &[&str]) -> String {
        self.running.wait_for_line(&texts.join("` and `"), |line| texts.iter().all(|text| line.contains(text)))
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.running.output()
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// Asks the broker to stop and waits until it has.
    #[track_caller]
    pub fn stop(self) -> Finished {
        self.running.signal("TERM");
        self.running.finish()
    }
}
