//! A server in this process, its PKI, and its clients.

use std::net::TcpStream;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use signet_broker::{Limits, ShardId, WillRule, owner_shard};
use signet_identity::Leaf;
use signet_mqtt::ClientIdentifier;
use signet_net::{ConnectionInfo, KickCause, KickReport, unix_seconds};
use signet_policy::{AdmissionRules, Ruleset};
use signet_revocation::{Reason, RevocationIndex, RevocationSource, Revoked, StalePolicy};
use signet_server::{ListenerConfig, ServerConfig, ServerHandle, ServerLimits, TransportConfig, start};
use signet_testkit::{Identity, Pki, Target};
use signet_tls::{ClientCertificate, CurrentRevocations, MinimumVersion, TlsListenerConfig};
use tempfile::TempDir;

/// How long closing connections may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Rig {
    pub(crate) pki: Pki,
    pub(crate) server: ServerHandle,
    revocations: CurrentRevocations,
    _directory: TempDir,
}

/// A server with a listener `mqtt` (plain, anonymous) and a listener `mqtts` (mutual TLS).
pub(crate) fn config(pki: &Pki, shards: u16) -> ServerConfig {
    let bind = vec!["127.0.0.1:0".parse().unwrap()];
    let anonymous = AdmissionRules { anonymous: true, ..AdmissionRules::default() };
    let tls = TransportConfig::Tls(tls_config(pki));
    ServerConfig {
        shards: Some(shards),
        listeners: vec![
            ListenerConfig::new("mqtt", bind.clone(), TransportConfig::Tcp, anonymous),
            ListenerConfig::new("mqtts", bind, tls, AdmissionRules::default()),
        ],
        limits: Arc::new(Limits::default()),
        store: None,
        on_store_failure: Arc::new(|| {}),
        server_limits: ServerLimits::default(),
        ruleset: Arc::new(Ruleset::allow_all()),
        will_on_revoke: WillRule::Publish,
        seed: 7,
    }
}

pub(crate) fn tls_config(pki: &Pki) -> TlsListenerConfig {
    TlsListenerConfig {
        certificate: pki.server().certificate.clone(),
        key: pki.server().key.clone(),
        trust: vec![pki.ca_file()],
        client_certificate: ClientCertificate::Required,
        stale: StalePolicy::Deny,
        minimum_version: MinimumVersion::Tls12,
    }
}

impl Rig {
    pub(crate) fn new(shards: u16) -> Self {
        Self::with(shards, |_| {})
    }

    pub(crate) fn with(shards: u16, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::create(directory.path());
        let mut config = config(&pki, shards);
        change(&mut config);
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        let server = start(config, revocations.clone()).unwrap();
        Self { pki, server, revocations, _directory: directory }
    }

    pub(crate) fn port(&self, listener: &str) -> u16 {
        self.server.local_addrs().iter().find(|(name, _)| name == listener).unwrap().1.port().unwrap()
    }

    pub(crate) fn tcp(&self) -> Target {
        Target::tcp(self.port("mqtt"))
    }

    pub(crate) fn tls(&self, identity: &Identity) -> Target {
        Target::tls(self.port("mqtts"), self.pki.ca_file(), Some(identity))
    }

    pub(crate) fn raw(&self, listener: &str) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", self.port(listener))).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    /// As the administration does it: index first, then what is connected.
    pub(crate) fn revoke(&self, identity: &Identity) -> KickReport {
        let id = Leaf::parse(&identity.der).unwrap().id();
        let revoked = Revoked { since: unix_seconds(), reason: Reason::KeyCompromise, source: RevocationSource::Authority };
        self.revocations.update(|index| index.with_revocations([(id, revoked)]));
        self.server.registry().kick_certificates(&[id], &KickCause::Revoked(Reason::KeyCompromise), PATIENCE)
    }

    pub(crate) fn connections(&self) -> Vec<ConnectionInfo> {
        self.server.registry().connections()
    }

    /// Waits until so many connections are live.
    pub(crate) fn await_connections(&self, count: usize) {
        await_that(|| self.connections().len() == count, &format!("{count} live connections"));
    }
}

/// Polls for something that the server does by itself. The bound is only for failing.
pub(crate) fn await_that(mut condition: impl FnMut() -> bool, what: &str) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain for: {what}");
}

/// An identifier whose session lives on that shard.
pub(crate) fn identifier_on(shard: u16, shards: u16, stem: &str) -> String {
    (0..)
        .map(|number| format!("{stem}-{number}"))
        .find(|text| owner_shard(&ClientIdentifier::new(text.clone()), shards) == ShardId(shard))
        .unwrap()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

static LINES: OnceLock<Lines> = OnceLock::new();

/// Keeps the log lines of this process from now on.
pub(crate) fn capture_log() {
    LINES.get_or_init(|| {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).init();
        lines
    });
}

/// Waits for a log line with all of these parts.
pub(crate) fn await_log(parts: &[&str]) -> String {
    let find = || {
        let bytes = LINES.get().expect("capture_log() first").0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
    };
    let mut found = None;
    await_that(
        || {
            found = find();
            found.is_some()
        },
        &format!("a log line with {parts:?}"),
    );
    found.unwrap()
}
