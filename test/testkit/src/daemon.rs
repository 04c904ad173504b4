//! What the starters of data bases and directories share: such servers refuse to run as root, so then they run as `nobody`, in a directory of his.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to come up or to end. Machines that run many tests at once are slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Attempts at finding a port that is still free when the server takes it.
pub(crate) const PORT_ATTEMPTS: u32 = 5;

/// A server's process. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a server and waits until what it logs says `is_up`. `None`: its port was taken by somebody else in the meantime.
    pub(crate) fn start(command: &mut Command, log: &Path, is_up: impl Fn(&str) -> bool) -> Option<Self> {
        let _ = fs::remove_file(log);
        let mut daemon = Self::spawn(command, log);
        if daemon.wait_until(|| is_up(&fs::read_to_string(log).unwrap_or_default())) {
            return Some(daemon);
        }
        assert!(daemon.log().contains("Address already in use"), "{command:?} ended:\n{}", daemon.log());
        None
    }

    /// Starts a command whose output goes to `log`.
    fn spawn(command: &mut Command, log: &Path) -> Self {
        let output = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let errors = output.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} cannot be started, run test/setup: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// Waits until `is_up`. False: it ended before.
    fn wait_until(&mut self, is_up: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !is_up() {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "the server does not come up:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal by name, `INT`, to this process alone.
    pub(crate) fn signal(&self, name: &str) {
        run(Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()));
    }

    /// Stops it where it is: every thread, before this returns.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
        await_stopped(self.child.id());
    }

    /// Asks it to end by a signal, and waits until it has.
    pub(crate) fn end(mut self, signal: &str) {
        self.signal(signal);
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the server does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Waits until all threads of a process that was told to stop have: until then one of them may still answer.
///
/// # Panics
/// When they do not.
pub fn await_stopped(process: u32) {
    let is_stopped = |stat: String| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'));
    let tasks = format!("/proc/{process}/task");
    let are_stopped =
        || fs::read_dir(&tasks).unwrap().all(|task| fs::read_to_string(task.unwrap().path().join("stat")).is_ok_and(is_stopped));
    let deadline = Instant::now() + PATIENCE;
    while !are_stopped() {
        assert!(Instant::now() < deadline, "process {process} does not stop");
        std::thread::yield_now();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory that the server may write to.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    give_away(directory.path());
    directory
}

/// Lets the server read a file or directory, and nobody else: private keys are refused otherwise.
pub(crate) fn give_away(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg("-R").arg("nobody").arg(path));
    }
}

/// A command that is not run as root.
pub(crate) fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]).arg(program);
    command
}

/// Runs a command that has to succeed, and returns what it wrote.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} cannot be started, run test/setup: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?} failed:\n{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).trim() == "0"
}
