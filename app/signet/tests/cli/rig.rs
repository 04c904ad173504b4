//! Runs the binary in a directory of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use signet_testkit::{Identity, Target};

/// How long anything may take before the test fails: generous, nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    directory: tempfile::TempDir,
}

/// What a command ended with.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// An empty directory after `signet quickstart --no-serve`, listening on a port the system chooses.
    pub(crate) fn quickstarted() -> Self {
        let rig = Self::new();
        rig.run(&["quickstart", "--no-serve"]).expect(0);
        let text = rig.read("signet.toml").replace("bind = [\"0.0.0.0:8883\"", "bind = [\"127.0.0.1:0\"").replace(", \"[::]:8883\"", "");
        rig.write("signet.toml", &text);
        rig
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        Ended { code: status.code(), out: String::from_utf8(stdout).unwrap(), err: String::from_utf8(stderr).unwrap() }
    }

    /// Starts a broker and waits until it listens.
    pub(crate) fn serve(&self) -> Broker {
        self.follow(self.command(&["serve"]))
    }

    /// The same, started by a shell that does something first.
    pub(crate) fn serve_after(&self, preparation: &str) -> Broker {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{preparation}; exec \"$0\" serve"), env!("CARGO_BIN_EXE_signet")]);
        command.current_dir(self.directory.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        self.follow(command)
    }

    /// Starts a broker whose log nobody reads.
    pub(crate) fn serve_unread(&self) -> Broker {
        let child = self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap();
        Broker { child, lines: channel().1, seen: Vec::new() }
    }

    fn follow(&self, mut command: Command) -> Broker {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = follow(child.stderr.take().unwrap());
        let mut broker = Broker { child, lines, seen: Vec::new() };
        broker.wait_for("access rules");
        broker
    }

    /// Certificate and key of a file name without its ending.
    pub(crate) fn identity(&self, stem: &str) -> Identity {
        let file = |ending: &str| self.path(&format!("{stem}.{ending}"));
        Identity { certificate: file("pem"), key: file("key"), serial: Vec::new(), der: Vec::new() }
    }

    /// The port of a listener of the running broker.
    pub(crate) fn port_of(&self, listener: &str) -> u16 {
        let status: serde_json::Value = serde_json::from_str(&self.run(&["status", "--json"]).expect(0).out).unwrap();
        let all = status["listeners"].as_array().unwrap();
        let address =
            all.iter().find(|one| one["name"] == listener).unwrap_or_else(|| panic!("no `{listener}` in {status}"))["address"].as_str();
        address.unwrap().rsplit(':').next().unwrap().parse().unwrap()
    }

    /// A listener of the running broker, for a device whose files have this name.
    pub(crate) fn target(&self, listener: &str, stem: &str) -> Target {
        Target::tls(self.port_of(listener), self.path("ca/ca.pem"), Some(&self.identity(stem)))
    }

    /// Reloads through the admin socket; the whole response.
    pub(crate) fn reload(&self) -> String {
        let mut socket = std::os::unix::net::UnixStream::connect(self.path("data/admin.sock")).unwrap();
        socket.write_all(b"POST /v1/reload HTTP/1.1\r\nhost: signet\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What `openssl s_client` says of a listener, and of the certificate that it shows.
    pub(crate) fn s_client(&self, port: u16, arguments: &[&str]) -> String {
        let output = Command::new("openssl")
            .current_dir(self.directory.path())
            .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", "localhost"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signet"));
        command.current_dir(self.directory.path()).args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// A running broker; killed when dropped.
pub(crate) struct Broker {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Broker {
    /// The first log line, from now on, that holds `text`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no line with `{text}` came; the log was:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Lines seen so far.
    pub(crate) fn count(&self) -> usize {
        self.seen.len()
    }

    /// The first line so far that holds `text`.
    #[track_caller]
    pub(crate) fn said(&self, text: &str) -> String {
        self.seen.iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no `{text}` in\n{}", self.seen.join("\n"))).clone()
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> String {
        let line = self.seen.iter().find(|line| line.contains("listening")).unwrap();
        line.rsplit(':').next().unwrap().trim().to_owned()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Ends it as a service manager does; true when that went well.
    pub(crate) fn ended_after_term(self) -> bool {
        self.signal(rustix::process::Signal::TERM);
        self.ended() == Some(0)
    }

    /// Waits for the end after a signal.
    pub(crate) fn ended(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Connects as soon as somebody listens: for a broker that cannot say so.
pub(crate) fn dial(port: u16) -> TcpStream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "nobody listens on port {port}: {error}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn follow(stderr: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
