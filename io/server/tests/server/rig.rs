//! A server in this process, its PKI, and its clients.

use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use signet_broker::{ShardId, owner_shard};
use signet_identity::{CertificateId, Leaf};
use signet_mqtt::ClientIdentifier;
use signet_net::websocket::{Origins, UpgradeRules};
use signet_net::{ConnectionInfo, KickCause, KickReport, ListenAddress, unix_seconds};
use signet_policy::AdmissionRules;
use signet_revocation::{Reason, RevocationIndex, RevocationSource, Revoked};
use signet_server::{ListenerConfig, ProfileConfig, ServerConfig, ServerHandle, StoreConfig, TransportConfig, start};
use signet_testkit::{Identity, Pki, Target};
use signet_tls::{ClientCertificate, CredentialFiles, CurrentRevocations, TlsHostConfig, TlsListenerConfig, TrustProfileConfig};
use tempfile::TempDir;

/// How long closing connections may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Rig {
    pub(crate) pki: Pki,
    pub(crate) server: ServerHandle,
    pub(crate) revocations: CurrentRevocations,
    _directory: TempDir,
    /// Where a store is, if there is one.
    store: Option<TempDir>,
}

/// A server with the listeners `mqtt` (plain, anonymous) and `mqtts` (mutual TLS), the same in WebSocket (`ws`, `wss`), and a unix socket.
pub(crate) fn config(pki: &Pki, shards: u16) -> ServerConfig {
    let bind = vec!["127.0.0.1:0".parse().unwrap()];
    let anonymous = AdmissionRules { anonymous: true, ..AdmissionRules::default() };
    let tls = TransportConfig::Tls(tls_config(pki));
    ServerConfig {
        shards: Some(shards),
        profiles: vec![profile(pki)],
        seed: 7,
        ..ServerConfig::new(vec![
            ListenerConfig::new("mqtt", bind.clone(), TransportConfig::Tcp, anonymous.clone()),
            ListenerConfig::new("mqtts", bind.clone(), tls.clone(), AdmissionRules::default()),
            websocket(ListenerConfig::new("ws", bind.clone(), TransportConfig::Tcp, anonymous.clone())),
            websocket(ListenerConfig::new("wss", bind, tls, AdmissionRules::default())),
            ListenerConfig::new("unix", vec![ListenAddress::Unix(unix_path(pki))], TransportConfig::Tcp, anonymous),
        ])
    }
}

/// The only trust profile: the devices of the PKI.
pub(crate) fn profile(pki: &Pki) -> ProfileConfig {
    TrustProfileConfig::new("devices", vec![pki.ca_file()]).into()
}

fn websocket(mut listener: ListenerConfig) -> ListenerConfig {
    listener.websocket = Some(UpgradeRules { path: Some("/mqtt".to_owned()), origins: Origins::SameHost(Vec::new()) });
    listener
}

fn unix_path(pki: &Pki) -> PathBuf {
    pki.ca_file().with_file_name("mqtt.sock")
}

pub(crate) fn tls_config(pki: &Pki) -> TlsListenerConfig {
    let files = CredentialFiles { certificate: pki.server().certificate.clone(), key: pki.server().key.clone() };
    TlsListenerConfig::new(TlsHostConfig::new(files, ClientCertificate::Required, vec!["devices".into()]))
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
        Self { pki, server, revocations, _directory: directory, store: None }
    }

    /// A server with a store.
    pub(crate) fn durable(shards: u16, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = StoreConfig::new(directory.path().join("store"));
        let rig = Self::with(shards, |config| {
            config.store = Some(store);
            change(config);
        });
        Self { store: Some(directory), ..rig }
    }

    /// Stops the server of [`Self::durable`], and starts one with the same store and PKI, and what was revoked `between`.
    pub(crate) fn restarted(self, shards: u16, between: &[&Identity], change: impl FnOnce(&mut ServerConfig)) -> Self {
        let Self { pki, server, revocations, _directory, store } = self;
        // Nobody is waited for: delays that begin now are to end in the next one.
        server.shutdown(Duration::ZERO).unwrap();
        let mut config = config(&pki, shards);
        config.store = store.as_ref().map(|directory| StoreConfig::new(directory.path().join("store")));
        change(&mut config);
        revocations.update(|index| index.with_revocations(between.iter().map(|identity| revoked(identity))));
        let server = start(config, revocations.clone()).unwrap();
        Self { pki, server, revocations, _directory, store }
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

    pub(crate) fn ws(&self) -> Target {
        Target::tcp(self.port("ws")).over_websocket()
    }

    pub(crate) fn wss(&self, identity: &Identity) -> Target {
        Target::tls(self.port("wss"), self.pki.ca_file(), Some(identity)).over_websocket()
    }

    pub(crate) fn unix(&self) -> Target {
        Target::unix(unix_path(&self.pki))
    }

    pub(crate) fn raw(&self, listener: &str) -> TcpStream {
        let socket = TcpStream::connect(("127.0.0.1", self.port(listener))).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    }

    /// As the administration does it: index first, then what is connected.
    pub(crate) fn revoke(&self, identity: &Identity) -> KickReport {
        let (id, revoked) = revoked(identity);
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

fn revoked(identity: &Identity) -> (CertificateId, Revoked) {
    let id = Leaf::parse(&identity.der).unwrap().id();
    (id, Revoked { since: unix_seconds(), reason: Reason::KeyCompromise, source: RevocationSource::Authority })
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
