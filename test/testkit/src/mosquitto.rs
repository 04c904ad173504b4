//! A mosquitto broker in a temporary directory: the other implementation that our client is tested against.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broker::free_port;
use crate::certs::Pki;

const PATIENCE: Duration = Duration::from_secs(20);

/// Attempts at finding ports that are still free when mosquitto takes them.
const PORT_ATTEMPTS: u32 = 5;

/// A running mosquitto with a plain listener and, with a PKI, one for mutual TLS. Dropping it ends the process.
pub struct Mosquitto {
    child: Child,
    directory: TempDir,
    plain: u16,
    tls: u16,
}

impl Mosquitto {
    /// Starts it and waits until it listens. Needs the `mosquitto` package of the system.
    #[must_use]
    pub fn start(pki: Option<&Pki>) -> Self {
        Self::start_with("allow_anonymous true\n", pki)
    }

    /// The same, without TLS, for the users of a password file.
    #[must_use]
    pub fn with_passwords(file: &Path) -> Self {
        Self::start_with(&format!("allow_anonymous false\npassword_file {}\n", file.display()), None)
    }

    /// The same, without TLS, with an access file; whoever comes is let in under the user name that it claims.
    #[must_use]
    pub fn with_acl(file: &Path) -> Self {
        Self::start_with(&format!("allow_anonymous true\nacl_file {}\n", file.display()), None)
    }

    /// The same, without TLS, with its plugin for dynamic security and this file.
    ///
    /// # Panics
    /// When there is no plugin.
    #[must_use]
    pub fn with_dynamic_security(file: &Path) -> Self {
        let folders = fs::read_dir("/usr/lib").expect("libraries are in /usr/lib").filter_map(Result::ok).map(|entry| entry.path());
        let plugin = folders.map(|folder| folder.join("mosquitto_dynamic_security.so")).find(|plugin| plugin.is_file());
        let plugin = plugin.expect("mosquitto comes with mosquitto_dynamic_security.so");
        let options = format!("allow_anonymous true\nplugin {}\nplugin_opt_config_file {}\n", plugin.display(), file.display());
        Self::start_with(&options, None)
    }

    /// The same with more lines in its configuration, which come before its listeners and may open others on ports that are free.
    #[must_use]
    pub fn start_with(options: &str, pki: Option<&Pki>) -> Self {
        Self::with_options(options, "", pki)
    }

    /// The same with these lines for its last listener besides: that for mutual TLS if there is a PKI, else the plain one.
    #[must_use]
    pub fn with_options(options: &str, of_listener: &str, pki: Option<&Pki>) -> Self {
        let options = (options, of_listener);
        for _ in 1..PORT_ATTEMPTS {
            if let Some(broker) = Self::attempt(options, pki) {
                return broker;
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    /// None when a port was taken by somebody else in the meantime.
    fn attempt((options, of_listener): (&str, &str), pki: Option<&Pki>) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let (plain, tls) = (free_port(), free_port());
        // As root it would change to a user who cannot read the test's directory.
        let mut text = format!("user root\n{options}listener {plain} 127.0.0.1\n");
        if let Some(pki) = pki {
            text.push_str(&format!(
                "listener {tls} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
                pki.ca_file().display(),
                pki.server().certificate.display(),
                pki.server().key.display()
            ));
        }
        text.push_str(of_listener);
        fs::write(directory.path().join("mosquitto.conf"), text).unwrap();
        let mut broker = Self { child: spawn(&directory), directory, plain, tls };
        broker.is_running(1).then_some(broker)
    }

    /// Whether it listens, for the so manieth time; false when a port was taken by somebody else in the meantime.
    fn is_running(&mut self, times: usize) -> bool {
        let deadline = Instant::now() + PATIENCE;
        // It says so once every listener is open; a port that answers might be another test's.
        while self.log().matches(" running").count() < times {
            if self.child.try_wait().unwrap().is_some() {
                assert!(self.log().contains("Address already in use"), "mosquitto ended:\n{}", self.log());
                return false;
            }
            assert!(Instant::now() < deadline, "mosquitto does not listen:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Ends it at once. What it held is gone.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same ports.
    pub fn start_again(&mut self) {
        let times = self.log().matches(" running").count() + 1;
        self.child = spawn(&self.directory);
        assert!(self.is_running(times), "a port was taken:\n{}", self.log());
    }

    /// Port without TLS.
    #[must_use]
    pub fn plain_port(&self) -> u16 {
        self.plain
    }

    /// Port with mutual TLS.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(directory: &TempDir) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.path().join("log")).unwrap();
    Command::new(program())
        .arg("-v")
        .arg("-c")
        .arg(directory.path().join("mosquitto.conf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("mosquitto is needed for this test (apt-get install mosquitto)")
}

/// Debian puts the daemon where ordinary users have no path to it.
fn program() -> &'static Path {
    let debian = Path::new("/usr/sbin/mosquitto");
    if debian.exists() { debian } else { Path::new("mosquitto") }
}
