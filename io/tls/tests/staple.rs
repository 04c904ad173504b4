//! A client that wants a stapled OCSP response, and a server that is OpenSSL's.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use signet_tls::{Connector, ConnectorConfig, TlsError};
use tempfile::TempDir;

const KEY: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
const PATIENCE: Duration = Duration::from_secs(20);

fn openssl(directory: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().expect("openssl is needed for this test");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An authority, another one of the same name, and a server's certificate of the first with the serial number 7.
fn files() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for name in ["ca", "impostor"] {
        openssl(
            path,
            &format!(
                "req -x509 -nodes -newkey {KEY} -keyout {name}.key -out {name}.pem -days 30 -subj /CN=ca -addext basicConstraints=critical,CA:TRUE"
            ),
        );
    }
    std::fs::write(path.join("ext"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(path, &format!("req -new -nodes -newkey {KEY} -keyout server.key -out server.csr -subj /CN=server"));
    openssl(path, "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 7 -extfile ext -days 30 -out server.pem");
    directory
}

/// What `signer` says about a serial number, in `response.der`.
fn answer(path: &Path, signer: &str, serial: &str, status: &str) {
    std::fs::write(path.join("index.txt"), format!("{status}\t{serial}\tunknown\t/CN=server\n")).unwrap();
    openssl(
        path,
        &format!(
            "ocsp -index index.txt -CA {signer}.pem -rsigner {signer}.pem -rkey {signer}.key -ndays 1 -issuer {signer}.pem -serial 0x{serial} \
             -no_nonce -respout response.der"
        ),
    );
}

struct Server(Child, u16);

impl Server {
    fn start(path: &Path, has_staple: bool) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-cert", "server.pem", "-key", "server.key", "-quiet"]);
        if has_staple {
            command.args(["-status_file", "response.der"]);
        }
        if path.join("sent.pem").exists() {
            command.args(["-cert_chain", "sent.pem"]);
        }
        let child = command.current_dir(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self(child, port);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "it does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn connect(path: &Path, server: &Server, host: &str, config: ConnectorConfig) -> Result<(), TlsError> {
    let socket = TcpStream::connect(("127.0.0.1", server.1)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let connector = Connector::new(&ConnectorConfig { ca_files: vec![path.join("ca.pem")], ..config })?;
    connector.connect(host, socket).map(drop)
}

#[test]
fn only_the_issuers_word_of_now_that_the_certificate_is_good_counts() {
    let directory = files();
    let path = directory.path();
    let wanted = || ConnectorConfig { staple_required: true, ..ConnectorConfig::default() };
    for (signer, serial, status, expected) in [
        ("ca", "07", "V\t301231235959Z\t", None),
        ("ca", "07", "R\t301231235959Z\t200101000000Z,keyCompromise", Some("evoked")),
        ("ca", "08", "V\t301231235959Z\t", Some("its OCSP response cannot be used")),
        ("impostor", "07", "V\t301231235959Z\t", Some("its OCSP response cannot be used")),
    ] {
        answer(path, signer, serial, status);
        let server = Server::start(path, true);
        let outcome = connect(path, &server, "127.0.0.1", wanted());
        match (expected, outcome) {
            (None, outcome) => outcome.unwrap(),
            (Some(words), outcome) => {
                let error = outcome.expect_err(words).to_string();
                assert!(error.contains(words), "{signer} {serial} {status}: {error}");
            }
        }
    }
    let server = Server::start(path, false);
    let error = connect(path, &server, "127.0.0.1", wanted()).unwrap_err().to_string();
    assert!(error.contains("it brings no OCSP response"), "{error}");
    connect(path, &server, "127.0.0.1", ConnectorConfig::default()).unwrap();
}

#[test]
fn an_issuer_that_the_server_brings_has_to_have_issued_its_certificate() {
    let directory = files();
    let path = directory.path();
    answer(path, "impostor", "07", "V\t301231235959Z\t");
    // Whoever has stolen the key of a revoked certificate sends its own authority along, of the same name.
    std::fs::copy(path.join("impostor.pem"), path.join("sent.pem")).unwrap();
    let server = Server::start(path, true);
    connect(path, &server, "127.0.0.1", ConnectorConfig::default()).unwrap();
    let wanted = ConnectorConfig { staple_required: true, ..ConnectorConfig::default() };
    let error = connect(path, &server, "127.0.0.1", wanted).unwrap_err().to_string();
    assert!(error.contains("its OCSP response cannot be used"), "{error}");
}

#[test]
fn any_name_is_still_a_name_of_a_certificate_that_is_trusted() {
    let directory = files();
    let path = directory.path();
    let server = Server::start(path, false);
    let any = || ConnectorConfig { any_name: true, ..ConnectorConfig::default() };
    assert!(connect(path, &server, "elsewhere.example.com", ConnectorConfig::default()).is_err());
    connect(path, &server, "elsewhere.example.com", any()).unwrap();
    std::fs::copy(path.join("impostor.pem"), path.join("ca.pem")).unwrap();
    assert!(connect(path, &server, "elsewhere.example.com", any()).is_err());
}
