//! The real binary on a directory and a port that stay the same from one start to the next.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signet_testkit::await_stopped;

use crate::line::PATIENCE;

/// Exit code of a broker whose disk failed (`signet --help`).
pub(crate) const STORE_FAILED: i32 = 7;

/// Exit code of a broker whose files are damaged.
pub(crate) const STORE_DAMAGED: i32 = 8;

/// How the broker is to be started.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Where configuration and log are; the data too, unless `data` says otherwise.
    pub(crate) directory: PathBuf,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// The port of its listener.
    pub(crate) port: u16,
    /// Number of shards.
    pub(crate) shards: u16,
    /// The `[store]` table, if it is to be there.
    pub(crate) store: String,
    /// What stands before the program on the command line, to watch or disturb it.
    pub(crate) prefix: Vec<String>,
}

impl Setup {
    /// A broker with its data under its own directory.
    pub(crate) fn new(directory: &Path, shards: u16) -> Self {
        Self {
            directory: directory.to_owned(),
            data: directory.join("data"),
            port: signet_testkit::free_port(),
            shards,
            store: String::new(),
            prefix: Vec::new(),
        }
    }

    /// Where the journal is.
    pub(crate) fn journal(&self) -> PathBuf {
        self.data.join("store")
    }

    /// Writes the configuration. Queues have room for everything: what is tested here is that nothing is lost, and a full queue may lose.
    pub(crate) fn write(&self) -> PathBuf {
        let file = self.directory.join("signet.toml");
        let text = format!(
            "data_dir = {:?}\nshards = {}\n[log]\nlevel = \"info\"\n[limits]\nqueued_messages_maximum = 1000000\nqueued_bytes_maximum = 1000000000\n\
             {}\n[[listener]]\nname = \"plain\"\nbind = [\"127.0.0.1:{}\"]\ntransport = \"tcp\"\nanonymous = true\n",
            self.data, self.shards, self.store, self.port
        );
        fs::write(&file, text).unwrap();
        file
    }

    fn command(&self) -> Command {
        let file = self.write();
        let mut words = self.prefix.iter().cloned().chain([binary().display().to_string()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(["serve", "-c"]).arg(file).current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// A running broker. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    state: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

/// How a start went.
#[derive(Debug)]
pub(crate) enum Start {
    /// It listens.
    Listening(Server),
    /// It ended instead, with this exit code and log.
    Ended(Option<i32>, String),
}

impl Server {
    /// Starts the broker, which has to listen.
    pub(crate) fn start(setup: &Setup) -> Self {
        match Self::attempt(setup) {
            Start::Listening(server) => server,
            Start::Ended(code, log) => panic!("the broker ended with {code:?}; its log:\n{log}"),
        }
    }

    /// Starts the broker and waits until it listens or ends.
    pub(crate) fn attempt(setup: &Setup) -> Start {
        let mut child = setup.command().spawn().unwrap_or_else(|error| panic!("cannot run the broker: {error}"));
        let log = Arc::new(Log::default());
        let (stderr, collected) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                collected.state.lock().unwrap().0.push(line);
                collected.more.notify_all();
            }
            collected.state.lock().unwrap().1 = true;
            collected.more.notify_all();
        });
        let mut server = Self { child, log };
        if server.await_log("listening", PATIENCE) {
            return Start::Listening(server);
        }
        match server.await_end(PATIENCE) {
            Some(status) => Start::Ended(status.code(), server.log()),
            None => panic!("the broker neither listens nor ends; its log:\n{}", server.log()),
        }
    }

    /// Waits for a log line with this text. False if the log ends or the time is over before.
    pub(crate) fn await_log(&self, text: &str, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        let mut state = self.log.state.lock().unwrap();
        loop {
            if state.0.iter().any(|line| line.contains(text)) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.1 || left.is_zero() {
                return false;
            }
            state = self.log.more.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Everything it said so far.
    pub(crate) fn log(&self) -> String {
        self.log.state.lock().unwrap().0.join("\n")
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn await_end(&mut self, wait: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            // The end of a child has no event that std can wait for with a deadline.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the process as the kernel does when memory is short: no farewell, nothing written.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Stops every thread of the broker where it is, none of them within a system call: what a machine without power does.
    pub(crate) fn freeze(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        await_stopped(self.child.id());
    }

    /// Lets a frozen broker go on.
    pub(crate) fn thaw(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// Asks the broker to stop and waits until it has.
    pub(crate) fn stop(mut self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let status = self.await_end(PATIENCE).unwrap_or_else(|| panic!("the broker does not stop; its log:\n{}", self.log()));
        assert!(status.success(), "the broker stopped with {status}; its log:\n{}", self.log());
    }

    fn end(&mut self) {
        // What watches the broker would leave it behind when it is killed itself.
        for watched in children(self.child.id()) {
            let _ = kill_process(watched, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("--- the broker's log ---\n{}", self.log());
        }
    }
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}

/// Runs another command of the program to its end: exit code, and what it said on both streams.
pub(crate) fn run(setup: &Setup, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(binary()).args(arguments).current_dir(&setup.directory).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run the program: {error}"));
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// `$SIGNET_BIN`, or the binary next to this program in the target directory.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SIGNET_BIN") {
        return PathBuf::from(path).canonicalize().unwrap();
    }
    let path = std::env::current_exe().unwrap().with_file_name("signet");
    assert!(path.exists(), "{} does not exist: run `cargo build -p signet` first, or set SIGNET_BIN", path.display());
    path
}
