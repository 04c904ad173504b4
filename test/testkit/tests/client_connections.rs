//! How `signet-client` connects, against other people's programs: whom it believes as mosquitto_pub does, what it offers in TLS, and by way of a proxy.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests report by panicking, as the tests do")]

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use signet_client::{
    Client, ClientError, ConnectOptions, DeviceName, Endpoint, MinimumVersion, PeerFault, ProxyFault, Psk, PskOptions, SocketOptions,
    Socks5Proxy, TlsError, TlsOptions, Trace, Transport, Wire,
};
use signet_mqtt::{DecodeLimits, ProtocolVersion};
use signet_testkit::{Mosquitto, Pki, connect_packet, free_port};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(10);

fn options(endpoint: Endpoint, tls: Option<TlsOptions>) -> ConnectOptions {
    ConnectOptions { tls, ..ConnectOptions::new(endpoint, connect_packet(ProtocolVersion::V311, "connections"), PATIENCE) }
}

fn trusting(ca_file: &Path) -> TlsOptions {
    TlsOptions { ca_file: Some(ca_file.to_owned()), ..TlsOptions::default() }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A directory with a CA as mosquitto-tls(7) has it made, and what it issues: version 1, because nobody asks for extensions.
struct Files(TempDir);

impl Files {
    fn create() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.self_signed("ca", "/CN=Old CA", &[]);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        run(Command::new("openssl").args(arguments.split('|')).current_dir(self.0.path()));
    }

    /// As `openssl req -x509` makes it: a CA's by itself.
    fn self_signed(&self, name: &str, subject: &str, extensions: &[&str]) {
        let extensions: String = extensions.iter().map(|extension| format!("|-addext|{extension}")).collect();
        self.openssl(&format!(
            "req|-new|-x509|-newkey|rsa:2048|-nodes|-days|30|-keyout|{name}.key|-out|{name}.pem|-subj|{subject}{extensions}"
        ));
    }

    fn issued(&self, name: &str, subject: &str, extensions: &str, days: i32) {
        self.openssl(&format!("req|-new|-newkey|rsa:2048|-nodes|-keyout|{name}.key|-out|{name}.csr|-subj|{subject}"));
        let extensions = if extensions.is_empty() {
            String::new()
        } else {
            std::fs::write(self.path("extensions"), extensions).unwrap();
            "|-extfile|extensions".to_owned()
        };
        self.openssl(&format!(
            "x509|-req|-in|{name}.csr|-CA|ca.pem|-CAkey|ca.key|-CAcreateserial|-days|{days}|-out|{name}.pem{extensions}"
        ));
    }
}

#[test]
fn servers_are_believed_as_mosquitto_pub_believes_them() {
    let files = Files::create();
    files.self_signed("own", "/CN=localhost", &[]);
    files.self_signed("own-other", "/CN=localhost", &["subjectAltName=DNS:other.example"]);
    files.self_signed("foreign", "/CN=localhost", &[]);
    files.issued("v1", "/CN=localhost", "", 20);
    files.issued("v1-other", "/CN=other.example", "", 20);
    files.issued("v1-expired", "/CN=localhost", "", -1);
    files.issued("address", "/CN=localhost", "subjectAltName=IP:127.0.0.1", 20);
    files.issued("alternative", "/CN=localhost", "subjectAltName=DNS:other.example", 20);
    files.issued("today", "/CN=whoever", "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE", 20);
    // Certificate, whom we trust, whether that is enough, and what is wrong otherwise.
    let cases = [
        ("own", "own", Ok(())),
        ("own-other", "own-other", Err(PeerFault::WrongName)),
        ("foreign", "own", Err(PeerFault::UnknownIssuer)),
        ("v1", "ca", Ok(())),
        ("v1", "own", Err(PeerFault::UnknownIssuer)),
        ("v1-other", "ca", Err(PeerFault::WrongName)),
        ("v1-expired", "ca", Err(PeerFault::Expired)),
        ("address", "ca", Ok(())),
        ("alternative", "ca", Err(PeerFault::WrongName)),
        ("today", "ca", Ok(())),
    ];
    let ports: Vec<u16> = cases.iter().map(|_| free_port()).collect();
    let mut lines = "allow_anonymous true\n".to_owned();
    for ((certificate, ..), port) in cases.iter().zip(&ports) {
        let path = files.path(certificate);
        writeln!(lines, "listener {port} 127.0.0.1\ncertfile {0}.pem\nkeyfile {0}.key", path.display()).unwrap();
    }
    let broker = Mosquitto::start_with(&lines, None);
    for ((certificate, trusted, expected), port) in cases.into_iter().zip(ports) {
        let ca_file = files.path(&format!("{trusted}.pem"));
        let what = format!("{certificate} by {trusted}");
        let theirs = Command::new("mosquitto_pub")
            .args(["-h", "localhost", "-t", "t", "-m", "x", "-p", &port.to_string(), "--cafile"])
            .arg(&ca_file)
            .output()
            .unwrap();
        assert_eq!(theirs.status.success(), expected.is_ok(), "{what}: mosquitto_pub: {}", String::from_utf8_lossy(&theirs.stderr));
        let tls = TlsOptions { old_certificates: true, ..trusting(&ca_file) };
        let ours = Client::connect(&options(Endpoint::tcp("localhost", port), Some(tls.clone())), Trace::off());
        match (ours, expected) {
            (Ok(_), Ok(())) => {}
            (Err(ClientError::Tls(TlsError::Peer { fault, .. })), Err(expected)) => assert_eq!(fault, expected, "{what}"),
            (ours, expected) => panic!("{what}: {ours:?}, expected {expected:?}"),
        }
        // TLS 1.2 has another way to sign.
        let older = TlsOptions { ciphers: Some("ECDHE-RSA-AES128-GCM-SHA256".to_owned()), ..tls.clone() };
        let older = Transport::open(&Endpoint::tcp("localhost", port), Some(&older), PATIENCE);
        assert_eq!(older.is_ok(), expected.is_ok(), "{what}");
        // Without being asked to, nothing old is believed.
        let strict = Transport::open(&Endpoint::tcp("localhost", port), Some(&TlsOptions { old_certificates: false, ..tls }), PATIENCE);
        assert_eq!(strict.is_ok(), certificate == "today", "{what}");
    }
    assert!(broker.log().contains("New client connected"), "{}", broker.log());
}

#[test]
fn an_address_has_to_stand_in_the_alternative_names_and_any_common_name_will_do() {
    // Where Mosquitto 2.1 leaves the comparison to OpenSSL and 2.0 has one of its own.
    let files = Files::create();
    files.issued("v1", "/CN=127.0.0.1", "", 20);
    files.issued("address", "/CN=whoever", "subjectAltName=IP:127.0.0.1", 20);
    files.issued("two", "/CN=other.example/CN=localhost", "", 20);
    for (name, host, expected) in [("v1", "127.0.0.1", false), ("address", "127.0.0.1", true), ("two", "localhost", true)] {
        let server = SServer::start(&files, &format!("-cert|{name}.pem|-key|{name}.key"));
        let tls = TlsOptions { old_certificates: true, ..trusting(&files.path("ca.pem")) };
        let opened = Transport::open(&Endpoint::tcp(host, server.port), Some(&tls), PATIENCE);
        assert_eq!(opened.is_ok(), expected, "{name}: {opened:?}");
    }
}

/// `openssl s_server` for one connection.
struct SServer {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl SServer {
    fn start(files: &Files, arguments: &str) -> Self {
        let port = free_port();
        let log = files.path(&format!("s_server-{port}"));
        let output = std::fs::File::create(&log).unwrap();
        let child = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-naccept", "1"])
            .args(arguments.split('|'))
            .current_dir(files.0.path())
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut server = Self { child, port, log };
        let deadline = Instant::now() + PATIENCE;
        while !server.log().contains("ACCEPT") {
            assert!(Instant::now() < deadline && server.child.try_wait().unwrap().is_none(), "{}", server.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What it wrote until its connection ended.
    fn finish(mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.log()
    }

    /// Connects, ends the connection, and returns what the server wrote of it.
    fn visit(self, tls: &TlsOptions) -> String {
        let transport = Transport::open(&Endpoint::tcp("localhost", self.port), Some(tls), PATIENCE).unwrap();
        Wire::new(transport, ProtocolVersion::V5, DecodeLimits::default()).close();
        self.finish()
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_offered_in_tls_is_what_was_asked_for() {
    let files = Files::create();
    files.issued("today", "/CN=whoever", "subjectAltName=DNS:localhost", 20);
    let base = trusting(&files.path("ca.pem"));
    let cases = [
        (TlsOptions { alpn: vec!["mqtt".to_owned()], ..base.clone() }, "ALPN protocols selected: mqtt"),
        (base.clone(), "CIPHER is TLS_AES_256_GCM_SHA384"),
        (TlsOptions { ciphers: Some("ECDHE-RSA-AES256-GCM-SHA384".to_owned()), ..base.clone() }, "ECDHE-RSA-AES256-GCM-SHA384"),
        (
            TlsOptions { minimum_version: MinimumVersion::Tls13, ciphers: Some("TLS_CHACHA20_POLY1305_SHA256".to_owned()), ..base.clone() },
            "CIPHER is TLS_CHACHA20_POLY1305_SHA256",
        ),
    ];
    for (tls, expected) in cases {
        let server = SServer::start(&files, "-cert|today.pem|-key|today.key|-alpn|other,mqtt");
        let log = server.visit(&tls);
        assert!(log.contains(expected), "{expected}: {log}");
        assert_eq!(log.contains("ALPN protocols selected"), !tls.alpn.is_empty(), "{log}");
    }
    // A server of TLS 1.2 alone is no match for a client of TLS 1.3 alone.
    let server = SServer::start(&files, "-cert|today.pem|-key|today.key|-tls1_2");
    let tls = TlsOptions { minimum_version: MinimumVersion::Tls13, ..base.clone() };
    let refused = Transport::open(&Endpoint::tcp("localhost", server.port), Some(&tls), PATIENCE).unwrap_err();
    assert!(matches!(refused, ClientError::Tls(TlsError::Refused { alert: Some(70), .. })), "{refused:?}");
    let unknown = TlsOptions { ciphers: Some("RC4-SHA".to_owned()), ..base };
    let refused = Transport::open(&Endpoint::tcp("localhost", 1), Some(&unknown), PATIENCE).unwrap_err();
    assert!(matches!(refused, ClientError::Tls(TlsError::Setting(_))), "{refused:?}");
}

#[test]
fn the_key_log_has_the_secrets_that_the_server_has() {
    let files = Files::create();
    files.issued("today", "/CN=whoever", "subjectAltName=DNS:localhost", 20);
    let key_log = Some(files.path("ours.log"));
    let psk = PskOptions { identity: DeviceName::new("pump").unwrap(), key: Psk::from_hex(b"0123456789abcdef0123456789abcdef").unwrap() };
    let certificate = TlsOptions { key_log: key_log.clone(), ..trusting(&files.path("ca.pem")) };
    let cases = [
        ("-cert|today.pem|-key|today.key", certificate.clone()),
        ("-cert|today.pem|-key|today.key|-tls1_2", certificate),
        (
            "-nocert|-psk|0123456789abcdef0123456789abcdef|-psk_identity|pump",
            TlsOptions { psk: Some(psk), key_log, ..TlsOptions::default() },
        ),
    ];
    for (arguments, tls) in cases {
        let _ = std::fs::remove_file(files.path("ours.log"));
        let _ = std::fs::remove_file(files.path("theirs.log"));
        SServer::start(&files, &format!("{arguments}|-keylogfile|theirs.log")).visit(&tls);
        let lines = |name: &str| {
            let text = std::fs::read_to_string(files.path(name)).unwrap();
            let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with('#')).map(str::to_ascii_lowercase).collect();
            lines.sort();
            lines
        };
        let (ours, theirs) = (lines("ours.log"), lines("theirs.log"));
        assert!(!ours.is_empty() && ours.iter().all(|line| theirs.contains(line)), "{arguments}: {ours:?} {theirs:?}");
        assert_eq!(std::fs::metadata(files.path("ours.log")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_pre_shared_key_goes_with_alpn_and_cipher_lists() {
    let files = Files::create();
    let key = "0123456789abcdef0123456789abcdef";
    let psk = PskOptions { identity: DeviceName::new("pump").unwrap(), key: Psk::from_hex(key.as_bytes()).unwrap() };
    let base = TlsOptions { psk: Some(psk), alpn: vec!["mqtt".to_owned()], ..TlsOptions::default() };
    for (arguments, ciphers, expected) in
        [("-tls1_2|-cipher|PSK", "PSK-AES128-GCM-SHA256", "PSK-AES128-GCM-SHA256"), ("-tls1_3", "PSK", "TLS_AES_128_GCM_SHA256")]
    {
        let server = SServer::start(&files, &format!("-nocert|-psk|{key}|-psk_identity|pump|-alpn|mqtt|{arguments}"));
        let log = server.visit(&TlsOptions { ciphers: Some(ciphers.to_owned()), ..base.clone() });
        assert!(log.contains(expected) && log.contains("ALPN protocols selected: mqtt"), "{log}");
    }
    // Mosquitto's own listener, and a key that is not its.
    let port = free_port();
    std::fs::write(files.path("psk"), format!("pump:{key}\n")).unwrap();
    let lines = format!("allow_anonymous true\npsk_file {}\nlistener {port} 127.0.0.1\npsk_hint hint\n", files.path("psk").display());
    let _broker = Mosquitto::start_with(&lines, None);
    Client::connect(&options(Endpoint::tcp("localhost", port), Some(base.clone())), Trace::off()).unwrap();
    let wrong = PskOptions { identity: DeviceName::new("pump").unwrap(), key: Psk::from_hex(b"ff").unwrap() };
    let error = Client::connect(&options(Endpoint::tcp("localhost", port), Some(TlsOptions { psk: Some(wrong), ..base })), Trace::off());
    assert!(matches!(error, Err(ClientError::Tls(TlsError::Refused { .. }))), "{error:?}");
}

#[test]
fn authorities_come_from_a_directory_by_hash_or_by_every_file() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let device = pki.device("pump");
    let broker = Mosquitto::start(Some(&pki));
    let connect = |ca_path: &Path| {
        let tls = TlsOptions {
            ca_path: Some(ca_path.to_owned()),
            certificate: Some(device.certificate.clone()),
            key: Some(device.key.clone()),
            ..TlsOptions::default()
        };
        Client::connect(&options(Endpoint::tcp("localhost", broker.tls_port()), Some(tls)), Trace::off())
    };
    let authorities = directory.path().join("authorities");
    std::fs::create_dir(&authorities).unwrap();
    assert!(matches!(connect(&authorities), Err(ClientError::Tls(TlsError::File { .. }))));
    assert!(matches!(connect(&directory.path().join("nowhere")), Err(ClientError::Tls(TlsError::Read { .. }))));
    std::fs::copy(pki.foreign_ca_file(), authorities.join("foreign.pem")).unwrap();
    std::fs::write(authorities.join("README"), "no certificate").unwrap();
    assert!(matches!(connect(&authorities), Err(ClientError::Tls(TlsError::Peer { fault: PeerFault::UnknownIssuer, .. }))));
    let copy = |name: &str, to: &str| std::fs::copy(directory.path().join(name), authorities.join(to)).unwrap();
    // One certificate a file: `openssl rehash` passes over others.
    copy("root.pem", "root.pem");
    copy("issuing.pem", "issuing.pem");
    connect(&authorities).unwrap();
    // Where there are names by hash, only they count, as for OpenSSL.
    run(Command::new("openssl").arg("rehash").arg(&authorities));
    connect(&authorities).unwrap();
    for name in ["root.pem", "issuing.pem"] {
        std::fs::remove_file(authorities.join(name)).unwrap();
        copy(name, &format!("unhashed-{name}"));
    }
    assert!(matches!(connect(&authorities), Err(ClientError::Tls(TlsError::Peer { fault: PeerFault::UnknownIssuer, .. }))));
}

/// Whom the system trusts is told by an environment variable, which only a process of its own can have.
#[test]
fn the_trust_of_the_system_is_believed_where_it_is_asked_for() {
    const PORT: &str = "SIGNET_TEST_TLS_PORT";
    if let Ok(port) = std::env::var(PORT) {
        let tls = TlsOptions { use_os_trust: true, ..TlsOptions::default() };
        Transport::open(&Endpoint::tcp("localhost", port.parse().unwrap()), Some(&tls), PATIENCE).unwrap();
        return;
    }
    let files = Files::create();
    files.issued("today", "/CN=whoever", "subjectAltName=DNS:localhost", 20);
    files.self_signed("foreign", "/CN=Foreign", &[]);
    for (trusted, expected) in [("ca", true), ("foreign", false)] {
        let server = SServer::start(&files, "-cert|today.pem|-key|today.key");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_trust_of_the_system_is_believed_where_it_is_asked_for"])
            .env(PORT, server.port.to_string())
            .env("SSL_CERT_FILE", files.path(&format!("{trusted}.pem")))
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        assert_eq!(child.status.success(), expected, "{}", String::from_utf8_lossy(&child.stdout));
    }
}

/// A SOCKS 5 proxy of somebody else's.
struct Microsocks {
    child: Child,
    proxy: Socks5Proxy,
}

impl Microsocks {
    fn start(credentials: &[&str]) -> Self {
        let port = free_port();
        let child = Command::new("microsocks")
            .args(["-i", "127.0.0.1", "-p", &port.to_string()])
            .args(credentials)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut started = Self { child, proxy: Socks5Proxy { host: "localhost".to_owned(), port, username: None, password: None } };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline && started.child.try_wait().unwrap().is_none(), "microsocks does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        started
    }
}

impl Drop for Microsocks {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn through(proxy: &Socks5Proxy, endpoint: Endpoint, tls: Option<TlsOptions>) -> Result<Client, ClientError> {
    let socket = SocketOptions { proxy: Some(proxy.clone()), ..SocketOptions::default() };
    Client::connect(&ConnectOptions { socket, ..options(endpoint, tls) }, Trace::off())
}

fn fault(outcome: Result<Client, ClientError>) -> (ProxyFault, u8) {
    match outcome {
        Err(error @ ClientError::Proxy { fault, .. }) => (fault, error.exit_code()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_proxy_connects_by_name_and_by_address_with_tls_inside() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let device = pki.device("pump");
    let broker = Mosquitto::start(Some(&pki));
    let microsocks = Microsocks::start(&[]);
    for host in ["localhost", "127.0.0.1"] {
        through(&microsocks.proxy, Endpoint::tcp(host, broker.plain_port()), None).unwrap();
    }
    let tls = TlsOptions { certificate: Some(device.certificate), key: Some(device.key), ..trusting(&pki.ca_file()) };
    through(&microsocks.proxy, Endpoint::tcp("localhost", broker.tls_port()), Some(tls)).unwrap();
    // IPv6 has a type of address of its own.
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut first = [0; 1];
        socket.read_exact(&mut first).unwrap();
        first[0]
    });
    assert!(through(&microsocks.proxy, Endpoint::tcp("::1", port), None).is_err());
    assert_eq!(accepted.join().unwrap(), 0x10, "CONNECT");
}

#[test]
fn a_proxy_that_does_not_help_is_told_by_what_it_says() {
    let broker = Mosquitto::start(None);
    let endpoint = || Endpoint::tcp("localhost", broker.plain_port());
    let open = Microsocks::start(&[]);
    assert_eq!(fault(through(&open.proxy, Endpoint::tcp("127.0.0.1", free_port()), None)), (ProxyFault::Reply(5), 4));
    let (unknown, _) = fault(through(&open.proxy, Endpoint::tcp("no-such-host.invalid", 1883), None));
    assert!(matches!(unknown, ProxyFault::Reply(_)), "{unknown:?}");
    assert_eq!(fault(through(&open.proxy, Endpoint::tcp("x".repeat(256), 1883), None)), (ProxyFault::TooLong, 3));

    let closed = Microsocks::start(&["-u", "pump", "-P", "secret"]);
    let known =
        |password: &str| Socks5Proxy { username: Some("pump".to_owned()), password: Some(password.to_owned()), ..closed.proxy.clone() };
    through(&known("secret"), endpoint(), None).unwrap();
    assert_eq!(fault(through(&known("wrong"), endpoint(), None)), (ProxyFault::Credentials(2), 11));
    assert_eq!(fault(through(&closed.proxy, endpoint(), None)), (ProxyFault::NoMethod, 11));

    // Something else than a proxy, one that falls silent, and one that is not there.
    let mosquitto = Socks5Proxy { port: broker.plain_port(), ..open.proxy.clone() };
    assert_eq!(fault(through(&mosquitto, endpoint(), None)).0, ProxyFault::Closed);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Socks5Proxy { port: silent.local_addr().unwrap().port(), ..open.proxy.clone() };
    let socket = SocketOptions { proxy: Some(proxy), ..SocketOptions::default() };
    let impatient = ConnectOptions { socket, timeout: Duration::from_millis(200), ..options(endpoint(), None) };
    assert_eq!(fault(Client::connect(&impatient, Trace::off())).0, ProxyFault::TimedOut);
    let nobody = Socks5Proxy { port: free_port(), ..open.proxy.clone() };
    assert!(matches!(through(&nobody, endpoint(), None), Err(ClientError::Unreachable { .. })));
}
