//! The real `signet` binary, in a temporary directory, on a free port, with its log captured.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::certs::{Identity, Pki};
use crate::device::Target;

/// How long the broker may take to listen, and to stop. Generous: a busy machine is not a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Attempts at finding a port that is still free when the broker takes it.
const PORT_ATTEMPTS: u32 = 5;

/// What carries MQTT on the plain listener: `SIGNET_TEST_TRANSPORT` says `tcp` (as without it), `ws` or `unix`, so that the same tests run over
/// each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    Tcp,
    WebSocket,
    Unix,
}

impl Plain {
    fn chosen() -> Self {
        match std::env::var("SIGNET_TEST_TRANSPORT").as_deref() {
            Err(_) | Ok("tcp") => Self::Tcp,
            Ok("ws") => Self::WebSocket,
            Ok("unix") => Self::Unix,
            Ok(other) => panic!("SIGNET_TEST_TRANSPORT is `{other}`, expected tcp, ws or unix"),
        }
    }

    /// Lines of the listener's table.
    fn lines(self, port: u16) -> String {
        match self {
            Self::Tcp => format!("bind = [\"127.0.0.1:{port}\"]\ntransport = \"tcp\"\n"),
            Self::WebSocket => format!("bind = [\"127.0.0.1:{port}\"]\ntransport = \"ws\"\n"),
            Self::Unix => format!("bind = [\"unix:{PLAIN_SOCKET}\"]\ntransport = \"tcp\"\n"),
        }
    }

    /// What the broker says when it listens.
    fn said(self, port: u16) -> String {
        match self {
            Self::Tcp | Self::WebSocket => format!("address=127.0.0.1:{port}"),
            Self::Unix => PLAIN_SOCKET.to_owned(),
        }
    }
}

/// In the broker's directory.
const PLAIN_SOCKET: &str = "plain.sock";

/// A configuration in the making. Every broker has a plain listener; TLS on request.
#[derive(Debug, Default)]
pub struct BrokerConfig {
    top: String,
    limits: String,
    store: String,
    access: String,
    tls: Option<String>,
    listener_extra: String,
    authentication: Option<String>,
    environment: Vec<(String, String)>,
}

impl BrokerConfig {
    /// One plain listener for anonymous clients, who may do everything; one shard, so that what a test sees has one order.
    #[must_use]
    pub fn plain() -> Self {
        Self { top: "shards = 1\n".into(), ..Self::default() }
    }

    /// Several shards instead of one.
    #[must_use]
    pub fn shards(mut self, shards: u16) -> Self {
        self.top = format!("shards = {shards}\n");
        self
    }

    /// A line of the `[limits]` table.
    #[must_use]
    pub fn limit(mut self, line: &str) -> Self {
        let _ = writeln!(self.limits, "{line}");
        self
    }

    /// The same in place of the line that sets the same key, if there is one.
    #[must_use]
    pub fn limit_instead(mut self, line: &str) -> Self {
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let kept: Vec<&str> = self.limits.lines().filter(|other| key(other) != key(line)).collect();
        self.limits = kept.into_iter().chain([line]).fold(String::new(), |all, line| all + line + "\n");
        self
    }

    /// A line of the `[store]` table.
    #[must_use]
    pub fn store(mut self, line: &str) -> Self {
        let _ = writeln!(self.store, "{line}");
        self
    }

    /// `[[access]]` tables, as written in the file; with one of them, everything else is forbidden.
    #[must_use]
    pub fn access(mut self, tables: &str) -> Self {
        let _ = writeln!(self.access, "{tables}");
        self
    }

    /// Who has to vouch for clients of the plain listener, such as `["users"]`, in place of letting in everybody anonymously.
    #[must_use]
    pub fn authentication(mut self, chain: &str) -> Self {
        self.authentication = Some(chain.to_owned());
        self
    }

    /// A line of the plain listener's table.
    #[must_use]
    pub fn listener(mut self, line: &str) -> Self {
        let _ = writeln!(self.listener_extra, "{line}");
        self
    }

    /// A second listener with mutual TLS that trusts this PKI; `extra` are more lines of its table.
    #[must_use]
    pub fn tls(mut self, pki: &Pki, extra: &str) -> Self {
        let server = pki.server();
        self.tls = Some(format!(
            "transport = \"tls\"\ncertificate = {:?}\nkey = {:?}\ntrust = [{:?}]\n{extra}\n",
            server.certificate,
            server.key,
            pki.ca_file()
        ));
        self
    }

    fn text(&self, plain: u16, tls: u16) -> String {
        let who = self.authentication.as_ref().map_or_else(|| "anonymous = true".to_owned(), |chain| format!("authentication = {chain}"));
        let mut text = format!(
            "data_dir = \"data\"\n{}[log]\nlevel = \"debug\"\n[store]\n{}[limits]\n{}[[listener]]\nname = \"plain\"\n{}{who}\n{}\n",
            self.top,
            self.store,
            self.limits,
            Plain::chosen().lines(plain),
            self.listener_extra
        );
        if let Some(lines) = &self.tls {
            let _ = write!(text, "[[listener]]\nname = \"tls\"\nbind = [\"127.0.0.1:{tls}\"]\n{lines}\n");
        }
        text.push_str(&self.access);
        text
    }
}

/// A running broker. Dropping it ends the process and removes the directory.
pub struct Broker {
    child: Child,
    directory: TempDir,
    plain: u16,
    tls: u16,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Broker {
    /// Starts the broker and waits until it listens.
    #[must_use]
    pub fn start(config: &BrokerConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for _ in 1..PORT_ATTEMPTS {
            if let Some(broker) = Self::attempt(config, &directory) {
                let (child, plain, tls, log) = broker;
                return Self { child, directory, plain, tls, log };
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    fn attempt(config: &BrokerConfig, directory: &TempDir) -> Option<(Child, u16, u16, Arc<Log>)> {
        let (plain, tls) = (free_port(), free_port());
        let file = directory.path().join("signet.toml");
        fs::write(&file, config.text(plain, tls)).unwrap();
        let mut child = Command::new(binary())
            .args(["serve", "-c"])
            .arg(&file)
            .current_dir(directory.path())
            .envs(config.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", binary().display()));
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().unwrap();
        let collected = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                collected.lines.lock().unwrap().push(line);
                collected.more.notify_all();
            }
        });
        let mut wanted = vec![Plain::chosen().said(plain)];
        if config.tls.is_some() {
            wanted.push(format!("address=127.0.0.1:{tls}"));
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = log.lines.lock().unwrap().join("\n");
            // What this broker says itself is the only sign: on a port it did not get, another test's broker may answer.
            if wanted.iter().all(|address| text.lines().any(|line| line.contains("listening") && line.contains(address))) {
                return Some((child, plain, tls, log));
            }
            if let Some(status) = child.try_wait().unwrap() {
                let text = log.lines.lock().unwrap().join("\n");
                if text.contains("taken") || text.contains("in use") {
                    return None;
                }
                panic!("the broker ended with {status}; its configuration:\n{}\nits log:\n{text}", config.text(plain, tls));
            }
            assert!(Instant::now() < deadline, "the broker does not listen; its log:\n{text}");
            let lines = log.lines.lock().unwrap();
            drop(log.more.wait_timeout(lines, Duration::from_millis(20)));
        }
    }

    /// Ends the process as a crash does (SIGKILL): it gets to say and to write nothing more.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again in the same directory, with what the process before left there, after [`Self::kill`] or [`Self::stop`]. The ports are
    /// others and the log begins anew.
    pub fn start_again(&mut self, config: &BrokerConfig) {
        assert!(self.child.try_wait().unwrap().is_some(), "the broker still runs");
        for _ in 1..PORT_ATTEMPTS {
            if let Some((child, plain, tls, log)) = Self::attempt(config, &self.directory) {
                (self.child, self.plain, self.tls, self.log) = (child, plain, tls, log);
                return;
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    /// Waits until it has ended by itself and returns its exit code; nothing when a signal ended it.
    pub fn await_end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the broker does not end; its log:\n{}", self.log().join("\n"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The plain listener.
    #[must_use]
    pub fn plain(&self) -> Target {
        match Plain::chosen() {
            Plain::Tcp => Target::tcp(self.plain),
            Plain::WebSocket => Target::tcp(self.plain).over_websocket(),
            Plain::Unix => Target::unix(self.directory().join(PLAIN_SOCKET)),
        }
    }

    /// The TLS listener, seen by a client with this identity.
    #[must_use]
    pub fn tls(&self, pki: &Pki, identity: Option<&Identity>) -> Target {
        Target::tls(self.tls, pki.ca_file(), identity)
    }

    /// Port of the plain listener.
    #[must_use]
    pub fn plain_port(&self) -> u16 {
        self.plain
    }

    /// Port of the TLS listener.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls
    }

    /// Where configuration and data are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Process id, to signal it.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Every log line so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lines.lock().unwrap().clone()
    }

    /// Waits for a log line with all these parts and returns it.
    #[must_use]
    pub fn await_log(&self, parts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| parts.iter().all(|part| line.contains(part))) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no log line with {parts:?} in:\n{}", lines.join("\n"));
            lines = self.log.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Asks the broker to stop (SIGTERM) and waits until it has; panics unless it ends with exit code 0.
    pub fn stop(&mut self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "the broker ended with {status}; its log:\n{}", self.log().join("\n"));
                return;
            }
            assert!(Instant::now() < deadline, "the broker does not stop; its log:\n{}", self.log().join("\n"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log.lines.lock().map(|lines| lines.join("\n")).unwrap_or_default();
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("--- the broker's log ---\n{log}\n").as_bytes());
        }
    }
}

/// Ports of a block, and blocks: all below those that the system gives to whoever connects.
const BLOCK: u16 = 64;
const BLOCKS: u16 = 340;
const FIRST: u16 = 10_000;

/// A port nobody listens on now, of a block that no other process of tests uses while this one lives: a server that a test stops finds its port
/// free when it is started again.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static OWN: LazyLock<(File, u16)> = LazyLock::new(own_block);
    let next = || OWN.1 + u16::try_from(NEXT.fetch_add(1, Ordering::Relaxed) % u32::from(BLOCK)).unwrap_or_default();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok() && TcpListener::bind(("0.0.0.0", *port)).is_ok();
    (0..BLOCK).map(|_| next()).find(is_free).expect("a free port")
}

/// The first port of a block, and the lock that keeps others out until this process ends.
fn own_block() -> (File, u16) {
    let folder = std::env::temp_dir().join("signet-test-ports");
    fs::create_dir_all(&folder).expect("a folder for locks of ports");
    let start = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap_or_default();
    let take = |block: u16| {
        let file = File::options().create(true).append(true).open(folder.join(block.to_string())).ok()?;
        file.try_lock().ok()?;
        Some((file, FIRST + block * BLOCK))
    };
    (0..BLOCKS).map(|offset| (start + offset) % BLOCKS).find_map(take).expect("a block of ports that no other test has")
}

/// `$SIGNET_BIN`, or the binary next to the running test in the target directory.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SIGNET_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).map(|target| target.join("signet")).unwrap();
    assert!(path.exists(), "{} does not exist: run `cargo build -p signet` first, or set SIGNET_BIN", path.display());
    path
}
