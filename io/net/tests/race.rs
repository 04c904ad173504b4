//! The race between a handshake and a revocation, step by step: whichever comes first, the connection does not survive.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use signet_identity::{CertificateId, Peer};
use signet_net::{ConnectionInfo, Entry, Kick, KickCause, KickTarget, PeerAddress, Registry, Selector, Transport, unix_seconds};
use signet_revocation::{Reason, RevocationIndex, RevocationSource, Revoked, Suspended};
use signet_testkit::{Identity, Pki};
use signet_tls::{
    ClientCertificate, Connector, ConnectorConfig, CredentialFiles, CurrentRevocations, ListenerTls, TlsConnection, TlsHostConfig,
    TlsListenerConfig, TrustProfileConfig, TrustProfiles, Unfit,
};

struct Shard(Mutex<Vec<Kick>>);

impl KickTarget for Shard {
    fn kick(&self, kick: Kick) {
        self.0.lock().unwrap().push(kick);
    }

    fn revoked(&self, _certificates: &Arc<[CertificateId]>) {}
}

struct Rig {
    _directory: tempfile::TempDir,
    pki: Pki,
    revocations: CurrentRevocations,
    tls: Arc<ListenerTls>,
    registry: Registry,
    shard: Arc<Shard>,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::create(directory.path());
        let revocations = CurrentRevocations::new(RevocationIndex::new());
        let registry = Registry::new();
        let shard = Arc::new(Shard(Mutex::default()));
        registry.attach(vec![shard.clone()]);
        let files = CredentialFiles { certificate: pki.server().certificate.clone(), key: pki.server().key.clone() };
        let host = TlsHostConfig::new(files, ClientCertificate::Required, vec!["devices".into()]);
        let profiles = TrustProfiles::load([TrustProfileConfig::new("devices", vec![pki.ca_file()])]).unwrap();
        let tls = ListenerTls::load(&TlsListenerConfig::new(host), &profiles, &revocations, unix_seconds()).unwrap();
        Self { _directory: directory, pki, revocations, tls, registry, shard }
    }

    /// A real handshake: what the acceptor says about the device.
    fn handshake(&self, device: &Identity) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = ConnectorConfig {
            ca_files: vec![self.pki.ca_file()],
            certificate: Some(device.certificate.clone()),
            key: Some(device.key.clone()),
            ..ConnectorConfig::default()
        };
        let address = listener.local_addr().unwrap();
        let connecting =
            std::thread::spawn(move || Connector::new(&client).unwrap().connect("localhost", TcpStream::connect(address).unwrap()));
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = TlsConnection::new(Arc::clone(&self.tls)).unwrap();
        let peer = loop {
            let mut buffer = [0; 4096];
            let count = socket.read(&mut buffer).unwrap();
            let mut out = Vec::new();
            let received = connection.receive(&mut buffer[..count], &mut Vec::new(), &mut out).unwrap();
            socket.write_all(&out).unwrap();
            if let Some(peer) = received.peer {
                break peer;
            }
        };
        connecting.join().unwrap().unwrap();
        peer
    }

    fn register(&self, peer: &Peer) -> Result<(), Unfit> {
        register(&self.registry, &self.tls, peer)
    }

    /// A revocation in the order of the rule: index first, then the live connections.
    fn revoke(&self, certificate: CertificateId) -> usize {
        let revoked = Revoked { since: unix_seconds(), reason: Reason::KeyCompromise, source: RevocationSource::Authority };
        self.revocations.update(|index| index.with_revocations([(certificate, revoked)]));
        self.registry.kick_certificates(&[certificate], &KickCause::Revoked(Reason::KeyCompromise), Duration::ZERO).found
    }
}

fn register(registry: &Registry, tls: &ListenerTls, peer: &Peer) -> Result<(), Unfit> {
    let entry = Entry {
        link: registry.next_link(),
        shard: 0,
        listener: "mqtts".into(),
        address: PeerAddress::Ip("192.0.2.7:40000".parse().unwrap()),
        transport: Transport::Tls,
        peer: peer.clone(),
        since: unix_seconds(),
    };
    registry.register(entry, |peer| tls.check_open(peer.identity().unwrap(), unix_seconds()).map_err(|ending| ending.unfit))
}

/// handshake → revocation → registration: the revocation finds nobody, so the registration has to.
#[test]
fn revoked_between_verification_and_registration() {
    let rig = Rig::new();
    let device = rig.pki.device("pump-7");
    let peer = rig.handshake(&device);
    let certificate = peer.identity().unwrap().certificate();
    assert_eq!(rig.revoke(certificate), 0, "not registered yet");
    let error = rig.register(&peer).unwrap_err();
    assert_eq!(error, Unfit::Revoked(Reason::KeyCompromise));
    assert!(rig.registry.is_empty(), "it is not left behind");
}

/// handshake → registration → revocation: the revocation finds the connection.
#[test]
fn revoked_after_registration() {
    let rig = Rig::new();
    let peer = rig.handshake(&rig.pki.device("pump-7"));
    rig.register(&peer).unwrap();
    rig.register(&peer).unwrap();
    rig.register(&rig.handshake(&rig.pki.device("pump-8"))).unwrap();
    assert_eq!(rig.revoke(peer.identity().unwrap().certificate()), 2, "both of pump-7, not pump-8");
    assert_eq!(rig.shard.0.lock().unwrap().len(), 2);
}

/// The issuing CA is in the path of both devices.
#[test]
fn revoked_intermediate() {
    let rig = Rig::new();
    let peer = rig.handshake(&rig.pki.device("pump-7"));
    rig.register(&peer).unwrap();
    rig.register(&rig.handshake(&rig.pki.device("pump-8"))).unwrap();
    let issuing = peer.identity().unwrap().path()[1].id;
    assert_eq!(rig.revoke(issuing), 2);
}

/// Both sides at once, many times: a connection is refused at registration or found by the revocation, never neither.
#[test]
fn no_connection_slips_between() {
    let rig = Rig::new();
    for round in 0..20 {
        let peer = rig.handshake(&rig.pki.device(&format!("pump-{round}")));
        let certificate = peer.identity().unwrap().certificate();
        let barrier = std::sync::Barrier::new(2);
        let (registered, found) = std::thread::scope(|scope| {
            let (registry, tls, peer, barrier) = (&rig.registry, &rig.tls, &peer, &barrier);
            let registering = scope.spawn(move || {
                barrier.wait();
                register(registry, tls, peer).is_ok()
            });
            barrier.wait();
            let found = rig.revoke(certificate);
            (registering.join().unwrap(), found)
        });
        assert!(!registered || found == 1, "round {round}: registered although revoked, and not found");
    }
}

/// The same for a suspension, and for the walk that follows a change of rules or lists: whoever is not found was judged by what is in force.
#[test]
fn no_connection_slips_past_a_suspension_or_a_review() {
    let rig = Rig::new();
    for round in 0..20 {
        let name = format!("pump-{round}");
        let peer = rig.handshake(&rig.pki.device(&name));
        let barrier = std::sync::Barrier::new(2);
        let (registered, found) = std::thread::scope(|scope| {
            let (registry, tls, peer, barrier) = (&rig.registry, &rig.tls, &peer, &barrier);
            let registering = scope.spawn(move || {
                barrier.wait();
                register(registry, tls, peer).is_ok()
            });
            barrier.wait();
            let suspended = Suspended { since: unix_seconds(), why: "lost".into() };
            rig.revocations.update(|index| index.with_suspensions([(name.as_str().into(), suspended.clone())].into()));
            let cause = KickCause::Suspended(name.as_str().into());
            let found = if round % 2 == 0 {
                registry.kick_selected(&Selector::Device(&name), &cause, Duration::ZERO).found
            } else {
                let is_it = |info: &ConnectionInfo| (info.device().as_deref() == Some(name.as_str())).then(|| cause.clone());
                registry.reconcile(is_it, Duration::ZERO).kicks.found
            };
            (registering.join().unwrap(), found)
        });
        assert!(!registered || found == 1, "round {round}: registered although suspended, and not found");
    }
}
