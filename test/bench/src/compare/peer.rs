//! What a broker has to offer to be compared, and a running one.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::certificates::Certificates;
use super::load::{Load, Mqtt, Transport};
use super::machine;

/// How long one may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A kind of broker.
pub(super) trait Peer {
    fn name(&self) -> &'static str;

    /// How it is set up, in words: what differs from how it comes, and how it gets to see client certificates.
    fn setup(&self) -> &'static str;

    /// Its program and its version, or why there is none.
    fn find(&self, places: &Places) -> Result<Program, String>;

    /// What starts it, with everything it needs written to the folder of `place`. It must run in the foreground.
    fn command(&self, program: &Path, place: &Place<'_>) -> io::Result<Command>;

    /// Gets it from where it comes, or says why that is not possible.
    fn install(&self, _: &Places) -> Result<(), String> {
        Err("is not in a registry that is known here".into())
    }

    /// Why it does not take part in a load.
    fn cannot(&self, _: &Load) -> Option<&'static str> {
        None
    }

    /// The processors it may use, where there are as many.
    fn processors(&self) -> &'static str {
        "0"
    }
}

/// Where programs are found.
pub(super) struct Places {
    pub(super) signet: PathBuf,
    /// What installing puts there: `target/peers`.
    pub(super) peers: PathBuf,
}

/// A program that can be started.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) version: String,
}

impl Places {
    /// Asks the first of these that is there for its version: paths, or names that are looked up.
    pub(super) fn first(&self, candidates: &[PathBuf], flag: &str) -> Result<Program, String> {
        for path in candidates {
            let Ok(output) = Command::new(path).arg(flag).stdin(Stdio::null()).output() else { continue };
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let version =
                said.split_whitespace().find(|word| word.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit()));
            let version = version.unwrap_or("unknown version").trim_start_matches('v').to_owned();
            return Ok(Program { path: path.clone(), version });
        }
        let name = candidates.last().and_then(|path| path.file_name()).unwrap_or_default();
        Err(format!("no `{}` was found", name.display()))
    }
}

/// Where one broker runs once.
pub(super) struct Place<'a> {
    pub(super) folder: &'a Path,
    /// Of 127.0.0.1.
    pub(super) port: u16,
    pub(super) transport: Transport,
    pub(super) mqtt: Mqtt,
    pub(super) certificates: &'a Certificates,
}

impl Place<'_> {
    /// Writes a file into its folder.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    pub(super) fn is_tls(&self) -> bool {
        self.transport != Transport::Tcp
    }
}

/// A broker that runs. Dropping it ends it and removes its folder.
pub(super) struct Running {
    child: Child,
    pub(super) port: u16,
    folder: TempDir,
}

impl Running {
    /// Starts one, alone on its processors, and waits until it listens.
    pub(super) fn start(peer: &dyn Peer, program: &Program, load: &Load, certificates: &Certificates) -> Result<Self, String> {
        let folder = folder().map_err(|error| format!("no temporary folder: {error}"))?;
        let port = signet_testkit::free_port();
        let place = Place { folder: folder.path(), port, transport: load.transport, mqtt: load.mqtt, certificates };
        let command = peer.command(&program.path, &place).map_err(|error| format!("cannot be set up: {error}"))?;
        let log = File::create(folder.path().join("log")).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|error| format!("no log: {error}"))?;
        let allowed = if machine::count() > 1 { peer.processors() } else { "0" };
        let mut pinned = Command::new("taskset");
        pinned.args(["--cpu-list", allowed]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            pinned.env(name, value.unwrap_or_default());
        }
        // A group of its own: some programs are scripts that start the real one.
        pinned.process_group(0).current_dir(folder.path()).stdin(Stdio::null()).stdout(out).stderr(err);
        let child = pinned.spawn().map_err(|error| format!("cannot start with `taskset`: {error}"))?;
        let mut running = Self { child, port, folder };
        running.listens()?;
        Ok(running)
    }

    fn listens(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if !self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
                return Err(format!("ended at once: {}", self.said()));
            }
            if Instant::now() > deadline {
                return Err(format!("does not listen: {}", self.said()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The end of what it has logged, in one line.
    fn said(&self) -> String {
        let text = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already: nothing to do.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// In memory where there is such a place: what a broker writes to disk is not compared.
fn folder() -> io::Result<TempDir> {
    tempfile::Builder::new().prefix("signet-compare-").tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}
