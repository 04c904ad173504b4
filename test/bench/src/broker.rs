//! The broker that is measured: a process of its own, looked at through `/proc` and its `/metrics`.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use signet_testkit::Pki;
use tempfile::TempDir;

use crate::meter::time_of_process;

/// How long the broker may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Many times the flush interval below: when nothing was written for so long, nothing is left to write.
const QUIET: Duration = Duration::from_millis(300);

/// What a broker holds, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Level {
    /// Resident memory.
    pub memory: i64,
    /// What the store still needs.
    pub disk: i64,
}

impl Level {
    /// What was added since `before`.
    #[must_use]
    pub fn minus(&self, before: &Self) -> Self {
        Self { memory: self.memory - before.memory, disk: self.disk - before.disk }
    }
}

/// Where brokers are started: one after the other, each with a fresh store.
pub(crate) struct Place {
    binary: PathBuf,
    directory: TempDir,
    pub(crate) pki: Pki,
    limits: String,
}

impl Place {
    pub(crate) fn new(binary: &Path, count: u32, connections: u32) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let pki = Pki::create(directory.path());
        let room = u64::from(count) + 1_000;
        let limits = format!(
            "[limits]\nsessions_maximum = {room}\nretained_messages_maximum = {room}\nqueued_messages_maximum = {room}\nqueued_bytes_maximum = \"1GiB\"\nconnections_maximum = {}\n",
            u64::from(connections) + 1_000
        );
        Self { binary: binary.to_owned(), directory, pki, limits }
    }

    /// Starts a broker with nothing in it.
    pub(crate) fn start(&self) -> Broker {
        let data = self.directory.path().join("data");
        // Not there before the first one.
        let _ = fs::remove_dir_all(&data);
        let ports = free_ports();
        let [plain, ws, tls, metrics] = ports;
        let server = self.pki.server();
        let text = format!(
            "data_dir = {data:?}\nshards = 2\nsys_interval = \"0s\"\n[log]\nlevel = \"error\"\n[store]\nflush_interval = \"10ms\"\n[metrics]\nbind = \"127.0.0.1:{metrics}\"\n\
             [[listener]]\nname = \"plain\"\nbind = \"127.0.0.1:{plain}\"\ntransport = \"tcp\"\nanonymous = true\nmaximum_connections = 1000000\n\
             [[listener]]\nname = \"ws\"\nbind = \"127.0.0.1:{ws}\"\ntransport = \"ws\"\nanonymous = true\nmaximum_connections = 1000000\n\
             [[listener]]\nname = \"tls\"\nbind = \"127.0.0.1:{tls}\"\ntransport = \"tls\"\ncertificate = {:?}\nkey = {:?}\ntrust = {:?}\n\
             maximum_connections = 1000000\n{}",
            server.certificate,
            server.key,
            self.pki.ca_file(),
            self.limits
        );
        Broker::start(&self.binary, self.directory.path(), &text, ports)
    }
}

/// A running broker. Dropping it kills it.
pub(crate) struct Broker {
    child: Child,
    pub(crate) plain: u16,
    pub(crate) ws: u16,
    pub(crate) tls: u16,
    metrics: u16,
    log: PathBuf,
}

impl Broker {
    /// Starts one with this configuration and waits until it listens at the third port. The others are those of a plain listener, of one for WebSocket,
    /// and of the metrics, where it has them.
    pub(crate) fn start(binary: &Path, directory: &Path, configuration: &str, [plain, ws, tls, metrics]: [u16; 4]) -> Self {
        let file = directory.join("signet.toml");
        fs::write(&file, configuration).expect("the configuration can be written");
        let log = directory.join("log");
        let child = Command::new(binary)
            .args(["serve", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("the log can be written"))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{}`: {error}", binary.display()));
        let mut broker = Self { child, plain, ws, tls, metrics, log };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", tls)).is_err() {
            assert!(broker.child.try_wait().is_ok_and(|ended| ended.is_none()), "the broker ended: {}", broker.said());
            assert!(Instant::now() < deadline, "the broker does not listen: {}", broker.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        broker
    }

    /// Processor time that it has used.
    pub(crate) fn processor_time(&self) -> Duration {
        time_of_process(self.child.id())
    }

    /// All series of this counter together.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let metrics = self.metrics();
        let series = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} "));
        series.map(|(_, number)| number.parse::<u64>().expect("a counter is a number")).sum()
    }

    /// Waits until it has exactly so many connections and sessions.
    pub(crate) fn settled(&self, connections: u64, sessions: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metrics = self.metrics();
            let found = (value(&metrics, "signet_connections"), value(&metrics, "signet_sessions"));
            if found == (connections, sessions) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "expected {connections} connections and {sessions} sessions, found {found:?}: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it holds now.
    pub(crate) fn level(&self) -> Level {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the broker runs");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| rest.split_whitespace().next());
        let kilobytes: i64 = resident.and_then(|number| number.parse().ok()).expect("Linux says what is resident");
        let disk = self.written();
        Level { memory: kilobytes * 1024, disk: i64::try_from(disk).unwrap_or(i64::MAX) }
    }

    /// What the store still needs, once that no longer changes: what nobody waits for is written a moment later.
    fn written(&self) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        loop {
            let now = value(&self.metrics(), "signet_store_live_bytes");
            if last.replace(now) == Some(now) {
                return now;
            }
            assert!(Instant::now() < deadline, "the store goes on writing: {}", self.said());
            std::thread::sleep(QUIET);
        }
    }

    fn metrics(&self) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.metrics)).expect("the broker serves metrics");
        socket.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        answer
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Ended already: nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn value(metrics: &str, series: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no `{series}` in:\n{metrics}"))
}

/// Ports that nobody listens on now.
pub(crate) fn free_ports() -> [u16; 4] {
    let sockets = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    sockets.map(|socket| socket.local_addr().expect("a bound socket has an address").port())
}
