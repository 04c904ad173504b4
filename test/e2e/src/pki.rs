//! A certificate authority run with the `openssl` command, as a company that has one already would run it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::client::Credentials;
use crate::process::Running;
use crate::tools::openssl;

const CONFIGURATION: &str = "\
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 7
policy = any
x509_extensions = device
unique_subject = no
[any]
commonName = supplied
[device]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid
";

/// When a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Now and for a month.
    Now,
    /// In 2020.
    Past,
    /// From yesterday until so many seconds from now.
    Seconds(u32),
}

/// The authority: `ca.pem`, `ca.key`, `crl.pem` and what it issued, in a directory of its own.
#[derive(Debug)]
pub struct Pki {
    folder: TempDir,
}

impl Pki {
    /// A new self-signed authority.
    #[track_caller]
    pub fn new(name: &str) -> Self {
        let pki = Self::in_new_folder();
        pki.run(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ca.key"]);
        let subject = format!("/CN={name}");
        let extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
        let request = ["req", "-x509", "-new", "-key", "ca.key", "-subj", &subject, "-days", "365", "-out", "ca.pem"];
        pki.run(&[&request[..], &extensions[..]].concat());
        pki
    }

    /// The authority of somebody else's certificate and key: what it issues comes from the same issuer.
    #[track_caller]
    pub fn of(certificate: &Path, key: &Path) -> Self {
        let pki = Self::in_new_folder();
        fs::copy(certificate, pki.path("ca.pem")).expect("the certificate can be copied");
        fs::copy(key, pki.path("ca.key")).expect("the key can be copied");
        pki
    }

    fn in_new_folder() -> Self {
        let pki = Self { folder: tempfile::tempdir().expect("a temporary directory") };
        for (name, content) in [("ca.cnf", CONFIGURATION), ("index.txt", ""), ("serial", "1001\n"), ("crlnumber", "01\n")] {
            fs::write(pki.path(name), content).expect("the file can be written");
        }
        pki
    }

    /// A file of the authority.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Issues a device certificate; `signet_ca` is what its holder trusts the broker by.
    #[track_caller]
    pub fn issue(&self, name: &str, validity: Validity, signet_ca: &Path) -> Credentials {
        self.request(name);
        let (csr, pem) = (format!("{name}.csr"), format!("{name}.pem"));
        let mut arguments = vec!["ca", "-batch", "-notext", "-config", "ca.cnf", "-in", &csr, "-out", &pem];
        let dates = match validity {
            Validity::Now => None,
            Validity::Past => Some(("20200101000000Z".to_owned(), "20201231000000Z".to_owned())),
            Validity::Seconds(left) => Some((date("-1 day"), date(&format!("+{left} seconds")))),
        };
        if let Some((start, end)) = &dates {
            arguments.extend(["-startdate", start, "-enddate", end]);
        }
        self.run(&arguments);
        self.credentials(name, signet_ca)
    }

    /// Issues what plain `openssl x509 -req` issues: an X.509 version 1 certificate.
    #[track_caller]
    pub fn issue_version_1(&self, name: &str, signet_ca: &Path) -> Credentials {
        self.request(name);
        let (csr, pem) = (format!("{name}.csr"), format!("{name}.pem"));
        self.run(&["x509", "-req", "-in", &csr, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3", "-out", &pem]);
        self.credentials(name, signet_ca)
    }

    /// Revokes a certificate of [`Pki::issue`]; the next [`Pki::crl`] says so.
    #[track_caller]
    pub fn revoke(&self, name: &str) {
        self.run(&["ca", "-config", "ca.cnf", "-revoke", &format!("{name}.pem"), "-crl_reason", "keyCompromise"]);
    }

    /// Signs the next CRL and puts it at `to` in one step.
    #[track_caller]
    pub fn crl(&self, to: &Path) {
        self.run(&["ca", "-config", "ca.cnf", "-gencrl", "-crlexts", "crl", "-out", "crl.pem"]);
        let beside = to.with_extension("new");
        fs::copy(self.path("crl.pem"), &beside).expect("the CRL can be copied");
        fs::rename(&beside, to).expect("the CRL can be put in place");
    }

    /// The same with dates of 2020.
    #[track_caller]
    pub fn overdue_crl(&self, to: &Path) {
        let dates = ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200108000000Z"];
        let generate = ["ca", "-config", "ca.cnf", "-gencrl", "-crlexts", "crl", "-out", "crl.pem"];
        self.run(&[&generate[..], &dates[..]].concat());
        fs::copy(self.path("crl.pem"), to).expect("the CRL can be copied");
    }

    fn request(&self, name: &str) {
        let (key, csr, subject) = (format!("{name}.key"), format!("{name}.csr"), format!("/CN={name}"));
        let new_key = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        self.run(&[&new_key[..], &["-keyout", &key, "-subj", &subject, "-out", &csr]].concat());
    }

    fn credentials(&self, name: &str, signet_ca: &Path) -> Credentials {
        Credentials {
            cafile: signet_ca.to_owned(),
            certificate: Some((self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")))),
        }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) {
        openssl(self.folder.path(), arguments).succeeded();
    }
}

/// A date relative to now, as `openssl ca` reads it.
#[track_caller]
fn date(offset: &str) -> String {
    Running::run(Command::new("date").args(["-u", "-d", offset, "+%Y%m%d%H%M%SZ"])).succeeded().output
}
