//! An OpenLDAP server of its own, in a temporary directory.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::broker::free_port;
use crate::daemon::{Daemon, PORT_ATTEMPTS, directory, give_away, run, unprivileged};
use crate::openssl_ca::{Issued, OpensslCa};

/// The attributes of MQTT clients, under the names that other brokers use.
const SCHEMA: &str = "\
attributetype ( 1.3.6.1.4.1.55555.1.1 NAME 'isSuperuser' EQUALITY booleanMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.7 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.55555.1.2 NAME ( 'mqttPublishTopic' 'mpt' ) EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.55555.1.3 NAME ( 'mqttSubscriptionTopic' 'mst' ) EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.55555.1.4 NAME ( 'mqttPubSubTopic' 'mpst' ) EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.55555.1.5 NAME ( 'mqttAclRule' 'mar' ) EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.4.1.55555.2.1 NAME 'mqttUser' SUP top AUXILIARY
  MAY ( isSuperuser $ mqttPublishTopic $ mqttSubscriptionTopic $ mqttPubSubTopic $ mqttAclRule ) )
";

/// A running slapd with the tree `dc=example,dc=org`, in which `ou=devices` is. The administrator is `cn=admin,dc=example,dc=org` with the password
/// [`Self::PASSWORD`]; nobody else reads passwords, everybody reads the rest. Dropping it ends the process.
#[derive(Debug)]
pub struct LdapServer {
    daemon: Option<Daemon>,
    directory: TempDir,
    port: u16,
    tls_port: u16,
    tls: bool,
}

impl LdapServer {
    /// The tree.
    pub const BASE: &'static str = "dc=example,dc=org";
    /// The administrator.
    pub const ADMIN: &'static str = "cn=admin,dc=example,dc=org";
    /// His password.
    pub const PASSWORD: &'static str = "admin-secret";

    /// Starts one. Needs the packages `slapd` and `ldap-utils` of the system.
    #[must_use]
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Starts one that can do TLS, at [`Self::tls_port`] and by StartTLS, with a certificate of `ca`.
    #[must_use]
    pub fn start_tls(ca: &OpensslCa, server: &Issued) -> Self {
        Self::with(Some((ca, server)))
    }

    fn with(tls: Option<(&OpensslCa, &Issued)>) -> Self {
        let directory = directory();
        let path = directory.path();
        fs::create_dir(path.join("data")).unwrap();
        fs::write(path.join("mqtt.schema"), SCHEMA).unwrap();
        let mut text = String::new();
        for name in ["core", "cosine", "inetorgperson"] {
            text.push_str(&format!("include /etc/ldap/schema/{name}.schema\n"));
        }
        text.push_str(&format!("include {}\n", path.join("mqtt.schema").display()));
        text.push_str("modulepath /usr/lib/ldap\nmoduleload back_mdb\nallow bind_v2 bind_anon_cred bind_anon_dn\n");
        text.push_str(&format!("pidfile {}\n", path.join("pid").display()));
        if let Some((ca, issued)) = tls {
            for (word, from, name) in [
                ("TLSCACertificateFile", &ca.certificate(), "ca.pem"),
                ("TLSCertificateFile", &issued.certificate, "server.pem"),
                ("TLSCertificateKeyFile", &issued.key, "server.key"),
            ] {
                let to = path.join(name);
                fs::copy(from, &to).unwrap();
                text.push_str(&format!("{word} {}\n", to.display()));
            }
        }
        text.push_str(&format!("database mdb\nsuffix \"{}\"\nrootdn \"{}\"\nrootpw {}\n", Self::BASE, Self::ADMIN, Self::PASSWORD));
        text.push_str(&format!("directory {}\ndbnosync\nmaxsize 33554432\nindex uid eq\n", path.join("data").display()));
        text.push_str("access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n");
        fs::write(path.join("slapd.conf"), text).unwrap();
        give_away(path);
        let mut server = Self { daemon: None, directory, port: 0, tls_port: 0, tls: tls.is_some() };
        for _ in 0..PORT_ATTEMPTS {
            (server.port, server.tls_port) = (free_port(), free_port());
            if server.attempt() {
                server.add(&format!("dn: {}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n", Self::BASE));
                server.add(&format!("dn: ou=devices,{}\nobjectClass: organizationalUnit\nou: devices\n", Self::BASE));
                return server;
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    /// False when its port was taken by somebody else in the meantime.
    fn attempt(&mut self) -> bool {
        let path = self.directory.path();
        let mut addresses = format!("ldap://127.0.0.1:{}", self.port);
        if self.tls {
            addresses.push_str(&format!(" ldaps://127.0.0.1:{}", self.tls_port));
        }
        let mut command = unprivileged(&program("slapd"));
        // With a level it stays in the foreground.
        command.args(["-d", "config,stats", "-h", &addresses, "-f"]).arg(path.join("slapd.conf")).current_dir(path);
        // It says so when it has its ports, a little before it listens there.
        let (port, tls_port) = (self.port, self.tls.then_some(self.tls_port));
        let is_open = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
        let is_up = |log: &str| log.contains("slapd starting") && is_open(port) && tls_port.is_none_or(is_open);
        self.daemon = Daemon::start(&mut command, &path.join("log"), is_up);
        self.daemon.is_some()
    }

    /// Its port on 127.0.0.1, without TLS unless the client begins it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port for `ldaps`.
    #[must_use]
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Adds an entry in LDIF.
    pub fn add(&self, ldif: &str) {
        self.feed("ldapadd", ldif);
    }

    /// Changes entries in LDIF.
    pub fn modify(&self, ldif: &str) {
        self.feed("ldapmodify", ldif);
    }

    fn feed(&self, program: &str, ldif: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), ldif).unwrap();
        let mut command = Command::new(program);
        command.args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.port), "-D", Self::ADMIN, "-w", Self::PASSWORD, "-f"]);
        run(command.arg(file.path()).env("LDAPNOINIT", "1").stdin(Stdio::null()));
    }

    /// What it logged since it was started: every operation.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.as_ref().map(Daemon::log).unwrap_or_default()
    }

    /// Ends it.
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
fn program(name: &str) -> PathBuf {
    let debian = Path::new("/usr/sbin").join(name);
    if debian.exists() { debian } else { name.into() }
}
