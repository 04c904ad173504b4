//! A CA that is run with `openssl ca` and answers with `openssl ocsp`: the other implementation that CRLs and OCSP are tested against.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::broker::free_port;

const PATIENCE: Duration = Duration::from_secs(20);
const PORT_ATTEMPTS: u32 = 5;

/// A self-signed CA with its database, in a directory.
#[derive(Debug)]
pub struct OpensslCa {
    directory: PathBuf,
}

/// A certificate that an [`OpensslCa`] issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// The certificate alone.
    pub der: Vec<u8>,
}

/// How a CRL is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct CrlWish<'a> {
    /// Seconds until nextUpdate; an hour if not said.
    pub seconds: Option<u32>,
    /// Lines of the section of CRL extensions, besides crlNumber.
    pub extensions: &'a str,
    /// DER instead of PEM.
    pub der: bool,
}

impl OpensslCa {
    /// Makes a CA (ECDSA P-256) of this name.
    #[must_use]
    pub fn create(directory: &Path, name: &str) -> Self {
        fs::create_dir_all(directory.join("new")).unwrap();
        let ca = Self { directory: directory.to_owned() };
        fs::write(ca.file("index.txt"), "").unwrap();
        fs::write(ca.file("index.txt.attr"), "unique_subject = no\n").unwrap();
        fs::write(ca.file("crlnumber"), "01\n").unwrap();
        ca.configure("", "");
        ca.key("ca.key");
        let subject = format!("/CN={name}");
        ca.openssl(&[
            "req",
            "-new",
            "-x509",
            "-key",
            "ca.key",
            "-days",
            "30",
            "-subj",
            &subject,
            "-extensions",
            "authority",
            "-out",
            "ca.pem",
        ]);
        ca
    }

    /// The CA's certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// The CA's certificate.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        self.to_der("ca.pem")
    }

    /// Issues a certificate; `extensions` are lines of an openssl section.
    #[must_use]
    pub fn issue(&self, name: &str, extensions: &str) -> Issued {
        self.configure(extensions, "");
        let (certificate, key, request) = (format!("{name}.pem"), format!("{name}.key"), format!("{name}.csr"));
        self.key(&key);
        self.openssl(&["req", "-new", "-key", &key, "-subj", &format!("/CN={name}"), "-out", &request]);
        self.openssl(&["ca", "-batch", "-notext", "-days", "20", "-extensions", "leaf", "-in", &request, "-out", &certificate]);
        Issued { certificate: self.file(&certificate), key: self.file(&key), der: self.to_der(&certificate) }
    }

    /// A device's certificate with clientAuth; `points` are more lines of extensions.
    #[must_use]
    pub fn device(&self, name: &str, points: &str) -> Issued {
        self.issue(name, &format!("keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n{points}"))
    }

    /// A certificate that may sign OCSP responses for this CA.
    #[must_use]
    pub fn ocsp_signer(&self, name: &str) -> Issued {
        self.issue(name, "keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,OCSPSigning\nnoCheck=ignored\n")
    }

    /// A CA below this one, in a directory of its own; `points` are more lines of extensions of its certificate.
    #[must_use]
    pub fn below(&self, directory: &Path, name: &str, points: &str) -> Self {
        let issued = self.issue(name, &format!("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n{points}"));
        let ca = Self::create(directory, name);
        fs::copy(&issued.certificate, ca.file("ca.pem")).unwrap();
        fs::copy(&issued.key, ca.file("ca.key")).unwrap();
        ca
    }

    /// Revokes in the database, for a reason such as `keyCompromise`.
    pub fn revoke(&self, issued: &Issued, reason: &str) {
        let certificate = issued.certificate.display().to_string();
        self.openssl(&["ca", "-revoke", &certificate, "-crl_reason", reason]);
    }

    /// Revokes a CA below this one.
    pub fn revoke_authority(&self, below: &Self) {
        self.openssl(&["ca", "-revoke", &below.certificate().display().to_string(), "-crl_reason", "CACompromise"]);
    }

    /// Releases all that was revoked, as after a hold.
    pub fn release_all(&self) {
        let index = fs::read_to_string(self.file("index.txt")).unwrap();
        // Status, end, and when and why it was revoked come first.
        let field = |(place, field): (usize, &str)| match place {
            0 => "V".to_owned(),
            2 => String::new(),
            _ => field.to_owned(),
        };
        let released = index.lines().map(|line| line.split('\t').enumerate().map(field).collect::<Vec<_>>().join("\t") + "\n");
        let text: String = released.collect();
        fs::write(self.file("index.txt"), text).unwrap();
    }

    /// Takes a certificate out of the database: a responder that is started then does not know it.
    pub fn forget(&self, issued: &Issued) {
        let name = issued.certificate.file_stem().unwrap().to_string_lossy().into_owned();
        let index = fs::read_to_string(self.file("index.txt")).unwrap();
        let others = index.lines().filter(|line| !line.ends_with(&format!("/CN={name}"))).map(|line| format!("{line}\n"));
        fs::write(self.file("index.txt"), others.collect::<String>()).unwrap();
    }

    /// Writes a response about a certificate, made in advance and without a nonce, good for five minutes.
    pub fn ocsp_response(&self, issued: &Issued, out: &Path) {
        let (certificate, out) = (issued.certificate.display().to_string(), out.display().to_string());
        self.openssl(&["ocsp", "-issuer", "ca.pem", "-cert", &certificate, "-no_nonce", "-reqout", "ocsp.req"]);
        self.openssl(&[
            "ocsp",
            "-index",
            "index.txt",
            "-CA",
            "ca.pem",
            "-rsigner",
            "ca.pem",
            "-rkey",
            "ca.key",
            "-nmin",
            "5",
            "-reqin",
            "ocsp.req",
            "-respout",
            &out,
        ]);
    }

    /// A CRL of everything revoked, with the next number.
    #[must_use]
    pub fn crl(&self, wish: CrlWish<'_>) -> Vec<u8> {
        self.configure("", wish.extensions);
        let seconds = wish.seconds.unwrap_or(3600).to_string();
        self.openssl(&["ca", "-gencrl", "-crlsec", &seconds, "-crlexts", "crl", "-out", "out.crl"]);
        if wish.der {
            self.openssl(&["crl", "-in", "out.crl", "-outform", "DER", "-out", "out.crl"]);
        }
        fs::read(self.file("out.crl")).unwrap()
    }

    /// The number that the next CRL will have.
    #[must_use]
    pub fn next_crl_number(&self) -> u64 {
        u64::from_str_radix(fs::read_to_string(self.file("crlnumber")).unwrap().trim(), 16).unwrap()
    }

    /// Starts `openssl ocsp` with the CA itself as signer, or a delegate. `flags` are more of its flags, such as `-nmin 1`.
    #[must_use]
    pub fn responder(&self, signer: Option<&Issued>, flags: &[&str]) -> OcspResponder {
        for _ in 0..PORT_ATTEMPTS {
            if let Some(responder) = self.responder_on(free_port(), signer, flags) {
                return responder;
            }
        }
        panic!("no port stayed free in {PORT_ATTEMPTS} attempts");
    }

    /// The same on a port, for a responder that comes back; `None` when somebody else has it.
    #[must_use]
    pub fn responder_on(&self, port: u16, signer: Option<&Issued>, flags: &[&str]) -> Option<OcspResponder> {
        let (certificate, key) = match signer {
            Some(signer) => (signer.certificate.clone(), signer.key.clone()),
            None => (self.certificate(), self.file("ca.key")),
        };
        let mut child = Command::new("openssl")
            .current_dir(&self.directory)
            .args(["ocsp", "-port", &port.to_string(), "-index", "index.txt", "-CA", "ca.pem", "-ignore_err", "-rsigner"])
            .arg(certificate)
            .arg("-rkey")
            .arg(key)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the openssl command is needed (apt-get install openssl)");
        let (said, says) = mpsc::channel();
        let out: [Box<dyn std::io::Read + Send>; 2] = [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in out {
            let said = said.clone();
            // Read to the end, or it would stand still with a full pipe.
            std::thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(said.send(line))));
        }
        drop(said);
        let mut heard = Vec::new();
        while let Ok(line) = says.recv_timeout(PATIENCE) {
            if line.contains("waiting for OCSP client connections") || line.starts_with("ACCEPT") {
                return Some(OcspResponder { child: Some(child), port, index: self.file("index.txt") });
            }
            heard.push(line);
        }
        let _ = child.kill();
        let _ = child.wait();
        let heard = heard.join("\n");
        assert!(heard.contains("in use") || heard.contains("bind"), "openssl ocsp does not listen:\n{heard}");
        None
    }

    fn configure(&self, leaf: &str, crl: &str) {
        let directory = self.directory.display();
        let text = format!(
            "[req]\ndistinguished_name=dn\n[dn]\n[ca]\ndefault_ca=here\n[here]\ndatabase={directory}/index.txt\n\
             new_certs_dir={directory}/new\ncertificate={directory}/ca.pem\nprivate_key={directory}/ca.key\ndefault_md=sha256\n\
             crlnumber={directory}/crlnumber\npolicy=any\ncopy_extensions=none\nrand_serial=yes\n[any]\ncommonName=supplied\n\
             [authority]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\nsubjectKeyIdentifier=hash\n\
             [leaf]\nauthorityKeyIdentifier=keyid\n{leaf}\n\
             [crl]\nauthorityKeyIdentifier=keyid\n{crl}\n"
        );
        fs::write(self.file("ca.cnf"), text).unwrap();
    }

    fn key(&self, file: &str) {
        self.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file]);
    }

    fn to_der(&self, file: &str) -> Vec<u8> {
        self.openssl(&["x509", "-in", file, "-outform", "DER"])
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn openssl(&self, words: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .current_dir(&self.directory)
            .env("OPENSSL_CONF", self.file("ca.cnf"))
            .args(words)
            .output()
            .expect("the openssl command is needed (apt-get install openssl)");
        assert!(output.status.success(), "openssl {words:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

/// A running `openssl ocsp`. Dropping it ends the process.
#[derive(Debug)]
pub struct OcspResponder {
    child: Option<Child>,
    port: u16,
    index: PathBuf,
}

impl OcspResponder {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes it read the database again: it looks whether that changed after each connection, before it waits for the next.
    pub fn reread(&self) {
        use std::io::{Read as _, Write as _};
        // It compares whole seconds and inode numbers, which are soon used again.
        static READ: AtomicU64 = AtomicU64::new(1);
        let different = std::time::UNIX_EPOCH + Duration::from_secs(READ.fetch_add(1, Ordering::Relaxed));
        fs::File::options().append(true).open(&self.index).unwrap().set_modified(different).unwrap();
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        socket.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    }

    /// Ends the process; its port refuses connections.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for OcspResponder {
    fn drop(&mut self) {
        self.stop();
    }
}
