//! Real Redis servers: one alone, a master with a replica and three sentinels, a cluster of three. Each in a directory of its own and on ports of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broker::free_port;
use crate::certs::Pki;
use crate::daemon::await_stopped;

const PATIENCE: Duration = Duration::from_secs(30);
const PORT_ATTEMPTS: u32 = 5;

/// How a server is started.
#[derive(Default, Clone)]
pub struct RedisOptions<'a> {
    /// What the default user has to know; `None`: nothing.
    pub password: Option<&'a str>,
    /// Further users, as `user` lines have them: `signet on >secret ~* +@read`.
    pub users: &'a [&'a str],
    /// A second port with TLS under the server certificate of this PKI.
    pub pki: Option<&'a Pki>,
    /// Whether clients have to show a certificate of the PKI there.
    pub client_certificates: bool,
    /// Further lines of the configuration.
    pub lines: &'a [&'a str],
}

/// A running `redis-server`. What was written is there again after a restart. Dropping it ends the process.
pub struct RedisServer {
    child: Option<Child>,
    directory: TempDir,
    arguments: Vec<&'static str>,
    port: u16,
    tls_port: u16,
    password: Option<String>,
}

impl RedisServer {
    /// Starts it and waits until it takes connections. Needs the `redis-server` package of the system.
    #[must_use]
    pub fn start(options: &RedisOptions<'_>) -> Self {
        for _ in 0..PORT_ATTEMPTS {
            let (port, tls_port) = (free_port(), free_port());
            let mut server = Self::prepare(port, &configuration(options, port, tls_port), &[], options.password);
            server.tls_port = tls_port;
            if server.run() {
                return server;
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    fn prepare(port: u16, text: &str, arguments: &[&'static str], password: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("redis.conf"), text).unwrap();
        Self { child: None, directory, arguments: arguments.to_vec(), port, tls_port: 0, password: password.map(str::to_owned) }
    }

    /// False when a port was taken by somebody else in the meantime.
    fn run(&mut self) -> bool {
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        let mut child = Command::new("redis-server")
            .arg(self.directory.path().join("redis.conf"))
            .args(&self.arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is needed for this test (apt-get install redis-server)");
        let deadline = Instant::now() + PATIENCE;
        // It says so once its ports are its own; a port that answers might be another test's.
        let ready = if self.arguments.is_empty() { "Ready to accept connections" } else { "Sentinel ID is" };
        while !self.log().contains(ready) {
            if child.try_wait().unwrap().is_some() {
                assert!(self.log().contains("in use") || self.log().contains("Failed listening"), "redis-server ended:\n{}", self.log());
                return false;
            }
            assert!(Instant::now() < deadline, "redis-server does not listen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = Some(child);
        true
    }

    /// The port without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port with TLS.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Runs a command by `redis-cli` as the default user and returns what it prints.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let text = self.try_cli(arguments);
        assert!(!is_error(&text), "{arguments:?}: {text}");
        text
    }

    /// The same, errors included.
    pub fn try_cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        if let Some(password) = &self.password {
            command.env("REDISCLI_AUTH", password);
        }
        let output = command.arg("-p").arg(self.port.to_string()).args(arguments).stdin(Stdio::null()).output();
        let output = output.expect("redis-cli is needed for this test (apt-get install redis-tools)");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        text.trim_end().to_owned()
    }

    /// How often a command was called.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        let statistics = self.cli(&["INFO", "commandstats"]);
        let line = statistics.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    }

    /// Stops the process where it is: it takes connections and says nothing.
    pub fn freeze(&self) {
        self.signal("STOP");
        await_stopped(self.child.as_ref().map_or(0, Child::id));
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let Some(child) = &self.child else { panic!("redis-server does not run") };
        let status = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -{signal} failed");
    }

    /// Ends the process; its ports refuse connections.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same ports, with what was written.
    pub fn restart(&mut self) {
        self.stop();
        // Another test may have taken the port meanwhile: it goes when that test is over.
        let deadline = Instant::now() + PATIENCE;
        while !self.run() {
            assert!(Instant::now() < deadline, "somebody took the port of redis-server while it was down");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_error(text: &str) -> bool {
    let code = text.split(' ').next().unwrap_or_default();
    ["ERR", "WRONGTYPE", "NOAUTH", "NOPERM", "WRONGPASS", "NOSCRIPT", "MOVED", "CLUSTERDOWN"].contains(&code)
        || text.starts_with("Could not connect")
}

fn configuration(options: &RedisOptions<'_>, port: u16, tls_port: u16) -> String {
    // Every write is on disk before it is acknowledged, so that a restart after a kill finds it.
    let mut text = format!(
        "port {port}\nbind 127.0.0.1\nprotected-mode no\nsave \"\"\nappendonly yes\nappendfsync always\nunixsocket redis.sock\n\
         enable-debug-command local\nrepl-diskless-sync-delay 0\nrepl-ping-replica-period 1\n"
    );
    if let Some(password) = options.password {
        writeln!(text, "requirepass {password}\nmasterauth {password}").unwrap();
    }
    for user in options.users {
        writeln!(text, "user {user}").unwrap();
    }
    if let Some(pki) = options.pki {
        let server = pki.server();
        let (certificate, key, authorities) = (server.certificate.display(), server.key.display(), pki.ca_file());
        let clients = if options.client_certificates { "yes" } else { "no" };
        writeln!(
            text,
            "tls-port {tls_port}\ntls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {}\ntls-auth-clients {clients}",
            authorities.display()
        )
        .unwrap();
    }
    for line in options.lines {
        writeln!(text, "{line}").unwrap();
    }
    text
}

/// A master, a replica and three sentinels that know them. The servers have a password, the sentinels another one.
pub struct RedisSentinels {
    servers: [RedisServer; 2],
    sentinels: [RedisServer; 3],
}

impl RedisSentinels {
    /// The name by which the sentinels know the master.
    pub const MASTER: &'static str = "devices";
    /// The password of master and replica.
    pub const PASSWORD: &'static str = "server-secret";
    /// The password of the sentinels.
    pub const SENTINEL_PASSWORD: &'static str = "sentinel-secret";

    /// Starts all five and waits until the sentinels know the replica and each other.
    #[must_use]
    pub fn start() -> Self {
        let options = RedisOptions { password: Some(Self::PASSWORD), ..RedisOptions::default() };
        let master = RedisServer::start(&options);
        let replica_of = format!("replicaof 127.0.0.1 {}", master.port());
        let replica = RedisServer::start(&RedisOptions { lines: &[&replica_of], ..options });
        let sentinels = [(); 3].map(|()| sentinel(master.port()));
        let all = Self { servers: [master, replica], sentinels };
        for sentinel in &all.sentinels {
            wait_for("sentinels that know the replica and each other", || {
                let text = sentinel.cli(&["SENTINEL", "MASTER", Self::MASTER]);
                let lines: Vec<_> = text.lines().collect();
                let value = |name: &str| {
                    lines.iter().position(|line| *line == name).and_then(|at| lines.get(at + 1)).map(|value| (*value).to_owned())
                };
                value("num-slaves").as_deref() == Some("1") && value("num-other-sentinels").as_deref() == Some("2")
            });
        }
        wait_for("a replica in step", || all.servers[1].cli(&["INFO", "replication"]).contains("master_link_status:up"));
        all
    }

    /// The ports of the sentinels.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(RedisServer::port).collect()
    }

    /// The server that began as the master, and the one that began as its replica.
    pub fn servers(&mut self) -> &mut [RedisServer; 2] {
        &mut self.servers
    }

    /// The sentinels.
    pub fn sentinels(&mut self) -> &mut [RedisServer; 3] {
        &mut self.sentinels
    }

    /// One more sentinel, which takes the replica for the master.
    #[must_use]
    pub fn misled(&self) -> RedisServer {
        sentinel(self.servers[1].port())
    }

    /// Waits until the replica has what the master has.
    pub fn wait_for_replica(&self) {
        let offset = |server: &RedisServer| {
            let text = server.cli(&["INFO", "replication"]);
            text.lines().find_map(|line| line.strip_prefix("master_repl_offset:").map(|offset| offset.trim().to_owned()))
        };
        wait_for("a replica in step", || offset(&self.servers[0]) == offset(&self.servers[1]));
    }

    /// Waits until all sentinels that run say that the replica of old is the master.
    pub fn wait_for_failover(&self) {
        let port = self.servers[1].port().to_string();
        for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.child.is_some()) {
            wait_for("a failover", || {
                sentinel.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::MASTER]).lines().nth(1) == Some(port.as_str())
            });
        }
        wait_for("a new master", || self.servers[1].cli(&["INFO", "replication"]).contains("role:master"));
    }
}

fn sentinel(master: u16) -> RedisServer {
    let name = RedisSentinels::MASTER;
    let (password, own) = (RedisSentinels::PASSWORD, RedisSentinels::SENTINEL_PASSWORD);
    for _ in 0..PORT_ATTEMPTS {
        let port = free_port();
        let text = format!(
            "port {port}\nbind 127.0.0.1\nprotected-mode no\nrequirepass {own}\nsentinel sentinel-pass {own}\n\
             sentinel monitor {name} 127.0.0.1 {master} 2\nsentinel auth-pass {name} {password}\n\
             sentinel down-after-milliseconds {name} 1000\nsentinel failover-timeout {name} 5000\n"
        );
        let mut sentinel = RedisServer::prepare(port, &text, &["--sentinel"], Some(own));
        if sentinel.run() {
            return sentinel;
        }
    }
    panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
}

/// A cluster of three masters, which share the slots.
pub struct RedisCluster {
    servers: [RedisServer; 3],
}

impl RedisCluster {
    /// Starts all three and waits until each finds the cluster well.
    #[must_use]
    pub fn start(password: Option<&str>) -> Self {
        let servers = [(); 3].map(|()| {
            let bus = format!("cluster-port {}", free_port());
            let lines = ["cluster-enabled yes", &bus, "cluster-node-timeout 2000"];
            RedisServer::start(&RedisOptions { password, lines: &lines, ..RedisOptions::default() })
        });
        let addresses: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        let create = [&["--cluster", "create"][..], &addresses.iter().map(String::as_str).collect::<Vec<_>>(), &["--cluster-yes"]].concat();
        let said = servers[0].cli(&create);
        assert!(said.contains("All 16384 slots covered"), "{said}");
        for server in &servers {
            wait_for("a cluster that is well", || server.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
        }
        Self { servers }
    }

    /// The servers.
    pub fn servers(&mut self) -> &mut [RedisServer; 3] {
        &mut self.servers
    }

    /// Runs a command at the server whose slot its key is in.
    pub fn cli(&self, arguments: &[&str]) -> String {
        self.servers[0].cli(&[&["-c"], arguments].concat())
    }

    /// The place of the server that has a key, among [`Self::servers`].
    #[must_use]
    pub fn place_of(&self, key: &str) -> usize {
        let has = |server: &RedisServer| !is_error(&server.try_cli(&["EXISTS", key]));
        self.servers.iter().position(has).expect("a server for every slot")
    }
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
