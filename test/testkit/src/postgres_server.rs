//! A PostgreSQL server of its own, in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::broker::free_port;
use crate::daemon::{Daemon, PORT_ATTEMPTS, directory, give_away, run, unprivileged};
use crate::openssl_ca::{Issued, OpensslCa};

/// A running PostgreSQL. The superuser `postgres` needs no password over the socket; over TCP everybody needs one. Dropping it ends the process.
#[derive(Debug)]
pub struct PostgresServer {
    daemon: Option<Daemon>,
    directory: TempDir,
    port: u16,
    tls: bool,
}

impl PostgresServer {
    /// Starts one. Needs the package `postgresql` of the system.
    #[must_use]
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Starts one that only takes TLS over TCP, with a certificate of `ca`; the user `certified` is let in by a certificate with this common name alone.
    #[must_use]
    pub fn start_tls(ca: &OpensslCa, server: &Issued) -> Self {
        Self::with(Some((ca, server)))
    }

    fn with(tls: Option<(&OpensslCa, &Issued)>) -> Self {
        let directory = directory();
        let data = directory.path().join("data");
        let mut initdb = unprivileged(&program("initdb"));
        initdb.args(["--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--encoding=UTF8"]);
        run(initdb.args(["--locale=C.UTF-8", "--pgdata"]).arg(&data).current_dir(directory.path()));
        if let Some((ca, issued)) = tls {
            for (from, name) in [(&ca.certificate(), "ca.pem"), (&issued.certificate, "server.pem"), (&issued.key, "server.key")] {
                let to = directory.path().join(name);
                fs::copy(from, &to).unwrap();
                run(Command::new("chmod").arg("600").arg(&to));
                give_away(&to);
            }
            let rules = "local all all trust\nhostssl all certified 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
            fs::write(data.join("pg_hba.conf"), rules).unwrap();
        }
        let mut server = Self { daemon: None, directory, port: 0, tls: tls.is_some() };
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_port();
            if server.attempt() {
                return server;
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    /// False when its port was taken by somebody else in the meantime.
    fn attempt(&mut self) -> bool {
        let path = self.directory.path();
        let mut command = unprivileged(&program("postgres"));
        command.arg("-D").arg(path.join("data")).current_dir(path);
        let settings = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=16MB", "max_connections=40"];
        let files = |name: &str| path.join(name).display().to_string();
        let mut settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        settings.push(format!("port={}", self.port));
        settings.push("listen_addresses=127.0.0.1".to_owned());
        settings.push(format!("unix_socket_directories={}", path.display()));
        if self.tls {
            settings.push("ssl=on".to_owned());
            settings.push(format!("ssl_ca_file={}", files("ca.pem")));
            settings.push(format!("ssl_cert_file={}", files("server.pem")));
            settings.push(format!("ssl_key_file={}", files("server.key")));
        }
        command.args(settings.iter().flat_map(|setting| ["-c", setting]));
        self.daemon = Daemon::start(&mut command, &path.join("log"), |log| log.contains("ready to accept connections"));
        self.daemon.is_some()
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its socket.
    #[must_use]
    pub fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs statements as superuser in the data base `postgres`, and returns what they print, without headings.
    pub fn execute(&self, statements: &str) -> String {
        let mut psql = Command::new(program("psql"));
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--username=postgres",
            "--dbname=postgres",
        ]);
        psql.arg("--host").arg(self.directory.path()).arg(format!("--port={}", self.port));
        run(psql.arg("--command").arg(statements)).trim().to_owned()
    }

    /// What it logged since it was started.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.as_ref().map(Daemon::log).unwrap_or_default()
    }

    /// Ends it; clients that are connected are sent away.
    pub fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.end("INT");
        }
    }

    /// Starts it again, on the same port, with what it had stored.
    pub fn start_again(&mut self) {
        assert!(self.daemon.is_none() && self.attempt(), "somebody has taken the port");
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // Killed, it would leave its helpers behind.
        self.stop();
    }
}

/// Debian keeps each version in a directory of its own, in nobody's path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| name.into())
}
