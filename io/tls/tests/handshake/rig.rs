//! Both ends of a connection, the PKI behind them, and the bytes between.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::Resumption;
use rustls::{AlertDescription, ClientConfig, ClientConnection, Error, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use signet_identity::{Leaf, Peer};
use signet_revocation::{Reason, RevocationIndex, RevocationSource, Revoked};
use signet_testkit::{Identity, Pki};
use signet_tls::{
    ClientCertificate, CredentialFiles, CurrentRevocations, ListenerTls, MinimumVersion, Refusal, TlsConnection, TlsError, TlsHostConfig,
    TlsListenerConfig, TrustProfileConfig, TrustProfiles,
};
use tempfile::TempDir;

pub(crate) static VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A listener as the tests change it.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_certificate: ClientCertificate,
    pub(crate) minimum_version: MinimumVersion,
    pub(crate) profiles: Vec<TrustProfileConfig>,
    pub(crate) hosts: Vec<TlsHostConfig>,
    /// For settings that few tests touch.
    pub(crate) change: fn(&mut TlsListenerConfig),
}

impl Settings {
    /// The only trust profile.
    pub(crate) fn profile(&mut self) -> &mut TrustProfileConfig {
        self.profiles.first_mut().unwrap()
    }
}

/// A PKI, a revocation index and the files of a listener.
pub(crate) struct Rig {
    pub(crate) pki: Pki,
    pub(crate) revocations: CurrentRevocations,
    pub(crate) directory: TempDir,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::create(directory.path());
        Self { pki, revocations: CurrentRevocations::new(RevocationIndex::new()), directory }
    }

    pub(crate) fn config(&self) -> Settings {
        Settings {
            certificate: self.pki.server().certificate.clone(),
            key: self.pki.server().key.clone(),
            client_certificate: ClientCertificate::Required,
            minimum_version: MinimumVersion::Tls12,
            profiles: vec![TrustProfileConfig::new("devices", vec![self.pki.ca_file()])],
            hosts: Vec::new(),
            change: |_| {},
        }
    }

    pub(crate) fn listener(&self) -> Arc<ListenerTls> {
        self.listener_with(&self.config())
    }

    pub(crate) fn listener_with(&self, config: &Settings) -> Arc<ListenerTls> {
        self.load(config).unwrap()
    }

    pub(crate) fn load(&self, config: &Settings) -> Result<Arc<ListenerTls>, TlsError> {
        let profiles = TrustProfiles::load(config.profiles.clone())?;
        let names = config.profiles.iter().map(|profile| Arc::clone(&profile.name)).collect();
        let files = CredentialFiles { certificate: config.certificate.clone(), key: config.key.clone() };
        let mut listener = TlsListenerConfig::new(TlsHostConfig::new(files, config.client_certificate, names));
        listener.hosts.clone_from(&config.hosts);
        listener.minimum_version = config.minimum_version;
        (config.change)(&mut listener);
        ListenerTls::load(&listener, &profiles, &self.revocations, now())
    }

    pub(crate) fn revoke(&self, der: &[u8]) {
        let id = Leaf::parse(der).unwrap().id();
        let revoked = Revoked { since: now(), reason: Reason::KeyCompromise, source: RevocationSource::Authority };
        self.revocations.update(|index| index.with_revocations([(id, revoked)]));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn client_config(&self, version: &'static SupportedProtocolVersion, identity: Option<&Identity>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.pki.ca_file()) {
            roots.add(certificate).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
                // Not `with_client_auth_cert`: that refuses a version 1 certificate on the client's side already.
                let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
                let certified = rustls::sign::CertifiedKey::new(certificates(&identity.certificate), signing);
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
            }
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(8);
        config
    }

    /// A handshake of `identity` on `listener`, then "ping" and "pong".
    pub(crate) fn meet(
        &self,
        listener: &Arc<ListenerTls>,
        version: &'static SupportedProtocolVersion,
        identity: Option<&Identity>,
    ) -> Pair {
        let mut pair = Pair::new(listener, self.client_config(version, identity));
        pair.run();
        pair
    }
}

pub(crate) fn certificates(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

/// Both ends.
pub(crate) struct Pair {
    pub(crate) client: ClientConnection,
    pub(crate) server: TlsConnection,
    pub(crate) peer: Option<Peer>,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) client_error: Option<Error>,
    pub(crate) closed: bool,
    /// Plaintext that the server received.
    pub(crate) received: Vec<u8>,
    /// Largest portion the server gets at a time.
    pub(crate) portion: usize,
}

impl Pair {
    pub(crate) fn new(listener: &Arc<ListenerTls>, config: ClientConfig) -> Self {
        let name = "localhost".try_into().unwrap();
        Self {
            client: ClientConnection::new(Arc::new(config), name).unwrap(),
            server: TlsConnection::new(Arc::clone(listener)).unwrap(),
            peer: None,
            refusal: None,
            client_error: None,
            closed: false,
            received: Vec::new(),
            portion: usize::MAX,
        }
    }

    /// What the client has to say now.
    pub(crate) fn client_says(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).unwrap();
        }
        wire
    }

    /// Gives the server bytes, and the client what the server answers.
    pub(crate) fn server_hears(&mut self, wire: &[u8]) {
        for portion in wire.chunks(self.portion.min(wire.len().max(1))) {
            let mut answer = Vec::new();
            match self.server.receive(&mut portion.to_vec(), &mut self.received, &mut answer) {
                Ok(received) => {
                    assert!(self.peer.is_none() || received.peer.is_none(), "the peer is reported once");
                    self.peer = self.peer.take().or(received.peer);
                    self.closed |= received.closed;
                }
                Err(failure) => {
                    self.refusal.get_or_insert(*failure.0);
                }
            }
            self.client_hears(&answer);
        }
    }

    pub(crate) fn client_hears(&mut self, mut wire: &[u8]) {
        while !wire.is_empty() {
            self.client.read_tls(&mut wire).unwrap();
            if let Err(error) = self.client.process_new_packets() {
                self.client_error.get_or_insert(error);
                return;
            }
        }
    }

    /// Passes bytes until nobody has anything to say.
    pub(crate) fn run(&mut self) {
        loop {
            let wire = self.client_says();
            if wire.is_empty() {
                return;
            }
            self.server_hears(&wire);
        }
    }

    pub(crate) fn alert(&self) -> Option<AlertDescription> {
        match self.client_error {
            Some(Error::AlertReceived(alert)) => Some(alert),
            _ => None,
        }
    }

    /// Sends from the client.
    pub(crate) fn say(&mut self, text: &[u8]) {
        use std::io::Write;
        self.client.writer().write_all(text).unwrap();
        self.run();
    }

    /// Sends from the server and returns what the client gets.
    pub(crate) fn answer(&mut self, text: &[u8]) -> Vec<u8> {
        use std::io::Read;
        let mut wire = Vec::new();
        self.server.send(text, &mut wire).unwrap();
        self.client_hears(&wire);
        let mut got = vec![0; text.len() + 1];
        let count = self.client.reader().read(&mut got).unwrap_or(0);
        got.truncate(count);
        got
    }

    pub(crate) fn device(&self) -> &str {
        match &self.peer {
            Some(Peer::Device(peer)) => peer.identity().name().as_str(),
            other => panic!("no device: {other:?}, refusal {:?}, client {:?}", self.refusal, self.client_error),
        }
    }

    pub(crate) fn resumed(&self) -> bool {
        matches!(&self.peer, Some(Peer::Device(peer)) if peer.resumed())
    }
}
