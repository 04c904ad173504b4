//! A MariaDB server of its own, in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::broker::free_port;
use crate::daemon::{Daemon, PORT_ATTEMPTS, directory, give_away, run, unprivileged};
use crate::openssl_ca::{Issued, OpensslCa};

/// A running MariaDB with an empty data base `mqtt`. `root` needs no password over the socket. Dropping it ends the process.
#[derive(Debug)]
pub struct MariadbServer {
    daemon: Option<Daemon>,
    directory: TempDir,
    port: u16,
    tls: bool,
}

impl MariadbServer {
    /// Starts one. Needs the package `mariadb-server` of the system.
    #[must_use]
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Starts one with a certificate of `ca`, that wants TLS of whoever comes over TCP.
    #[must_use]
    pub fn start_tls(ca: &OpensslCa, server: &Issued) -> Self {
        Self::with(Some((ca, server)))
    }

    fn with(tls: Option<(&OpensslCa, &Issued)>) -> Self {
        let directory = directory();
        let mut install = unprivileged(Path::new("mariadb-install-db"));
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]);
        install.arg(format!("--datadir={}", directory.path().join("data").display()));
        // One that starts removes the temporary tables of the others, if they are in the same place.
        install.arg(format!("--tmpdir={}", directory.path().display()));
        run(install.current_dir(directory.path()));
        if let Some((ca, issued)) = tls {
            for (from, name) in [(&ca.certificate(), "ca.pem"), (&issued.certificate, "server.pem"), (&issued.key, "server.key")] {
                let to = directory.path().join(name);
                fs::copy(from, &to).unwrap();
                give_away(&to);
            }
        }
        let mut server = Self { daemon: None, directory, port: 0, tls: tls.is_some() };
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_port();
            if server.attempt() {
                server.execute_in("mysql", "CREATE DATABASE mqtt CHARACTER SET utf8mb4");
                return server;
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    /// False when its port was taken by somebody else in the meantime.
    fn attempt(&mut self) -> bool {
        let path = self.directory.path();
        let file = |name: &str| path.join(name).display().to_string();
        let mut command = unprivileged(&program());
        command.args([
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--skip-log-bin",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=8M",
        ]);
        command.args(["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--max-connections=60"]);
        command.arg(format!("--datadir={}", file("data"))).arg(format!("--socket={}", file("socket")));
        command.arg(format!("--pid-file={}", file("pid"))).arg(format!("--port={}", self.port));
        command.arg(format!("--tmpdir={}", path.display()));
        if self.tls {
            command.arg(format!("--ssl-ca={}", file("ca.pem"))).arg(format!("--ssl-cert={}", file("server.pem")));
            command.arg(format!("--ssl-key={}", file("server.key"))).arg("--require-secure-transport=ON");
        }
        self.daemon = Daemon::start(command.current_dir(path), &path.join("log"), |log| log.contains("ready for connections"));
        self.daemon.is_some()
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Runs statements as `root` in the data base `mqtt`, and returns what they print, without headings.
    pub fn execute(&self, statements: &str) -> String {
        self.execute_in("mqtt", statements)
    }

    fn execute_in(&self, database: &str, statements: &str) -> String {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--user=root", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]);
        client.arg(format!("--socket={}", self.socket().display()));
        run(client.arg(format!("--execute={statements}")).arg(database)).trim().to_owned()
    }

    /// Ends it; clients that are connected are sent away.
    pub fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.end("TERM");
        }
    }

    /// Starts it again, on the same port, with what it had stored.
    pub fn start_again(&mut self) {
        assert!(self.daemon.is_none() && self.attempt(), "somebody has taken the port");
    }

    /// Stops its clock: it takes connections and questions, and answers none.
    pub fn freeze(&self) {
        self.daemon.as_ref().expect("a running server").freeze();
    }

    /// Goes on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.daemon.as_ref().expect("a running server").signal("CONT");
    }
}

/// Debian puts the daemon where ordinary users have no path to it.
fn program() -> PathBuf {
    let debian = Path::new("/usr/sbin/mariadbd");
    if debian.exists() { debian.to_owned() } else { "mariadbd".into() }
}
