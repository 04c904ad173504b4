//! A server with one TLS listener, whose trust changes while it runs.

use std::cell::Cell;
use std::sync::Arc;

use rustls::ClientConfig;
use signet_identity::Leaf;
use signet_net::ConnectionInfo;
use signet_revocation::{Reason, RevocationSource, Revoked};
use signet_server::{ListenerConfig, ProfileConfig, ProfileNames, RefusalRecord, Reloaded, ServerConfig, TransportConfig};
use signet_tls::{Refusal, TlsListenerConfig, TrustProfileConfig};
use tempfile::TempDir;

use super::forge::{Ca, Met, Session, Shown, VERSIONS, bundle, meet};
use super::rig::{PATIENCE, Rig, await_that, tls_config};

pub(crate) struct Stage {
    pub(crate) rig: Rig,
    pub(crate) files: TempDir,
    listener: ListenerConfig,
    written: Cell<usize>,
    seen: Cell<u64>,
}

impl Stage {
    pub(crate) fn new(shards: u16, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut listener = None;
        let rig = Rig::with(shards, |config| {
            config.listeners.retain(|listener| listener.name == "mqtts");
            change(config);
            listener = config.listeners.first().cloned();
        });
        Self { rig, files: tempfile::tempdir().unwrap(), listener: listener.unwrap(), written: Cell::new(0), seen: Cell::new(0) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.rig.port("mqtts")
    }

    /// A profile that believes these.
    pub(crate) fn profile(&self, name: &str, authorities: &[&Ca]) -> TrustProfileConfig {
        self.written.set(self.written.get() + 1);
        let path = bundle(self.files.path().join(format!("{}.pem", self.written.get())), authorities);
        TrustProfileConfig::new(name, vec![path])
    }

    /// Puts these profiles, in this order, in force; who is connected is not looked at yet.
    pub(crate) fn trust(&self, profiles: &[TrustProfileConfig]) -> Reloaded {
        self.reload(profiles, |_| {})
    }

    /// The same, with names of their own.
    pub(crate) fn trust_named(&self, profile: &TrustProfileConfig, names: ProfileNames) -> Reloaded {
        let mut profile = ProfileConfig::from(profile.clone());
        profile.settings.names = names;
        self.put(vec![profile], |_| {})
    }

    /// The same, with other changes of the listener's TLS.
    pub(crate) fn reload(&self, profiles: &[TrustProfileConfig], change: impl FnOnce(&mut TlsListenerConfig)) -> Reloaded {
        self.put(profiles.iter().cloned().map(ProfileConfig::from).collect(), change)
    }

    fn put(&self, profiles: Vec<ProfileConfig>, change: impl FnOnce(&mut TlsListenerConfig)) -> Reloaded {
        let mut listener = self.listener.clone();
        let mut tls = tls_config(&self.rig.pki);
        tls.host.profiles = profiles.iter().map(|profile| Arc::clone(&profile.trust.name)).collect();
        change(&mut tls);
        listener.transport = TransportConfig::Tls(tls);
        self.rig.server.reload(&[listener], &profiles).unwrap()
    }

    /// The listener as it was at the start.
    pub(crate) fn listener(&self) -> ListenerConfig {
        self.listener.clone()
    }

    /// Ends the sessions that may not go on; how many.
    pub(crate) fn review(&self) -> usize {
        let report = self.rig.server.review(PATIENCE);
        assert_eq!(report.kicks.found, report.kicks.closed, "{report:?}");
        report.kicks.closed
    }

    /// A client that shows this, with a memory for tickets of its own.
    pub(crate) fn client(&self, shown: &Shown) -> Arc<ClientConfig> {
        shown.client(&self.rig.pki.ca_file(), VERSIONS[1])
    }

    /// Connects with MQTT 5.0; lets nobody in who is not.
    pub(crate) fn enter(&self, shown: &Shown, identifier: &str) -> Session {
        let client = self.client(shown);
        Session::enter(self.port(), &client, identifier).unwrap_or_else(|met| panic!("{met:?}, {:?}", self.refusal().refusal))
    }

    /// The same for whom is not let in: what the operator reads.
    pub(crate) fn refuse(&self, shown: &Shown) -> Refusal {
        let (met, _) = meet(self.port(), &self.client(shown));
        assert!(!matches!(met, Met::In(_)), "let in: {met:?}");
        self.refusal().refusal
    }

    /// Trust profiles of the devices that are connected, in the order of their arrival.
    pub(crate) fn present(&self) -> Vec<String> {
        let of = |info: ConnectionInfo| info.device().map(|device| format!("{} {device}", info.entry.peer.identity().unwrap().profile()));
        self.rig.connections().into_iter().filter_map(of).collect()
    }

    /// The next refusal that the book gets.
    pub(crate) fn refusal(&self) -> RefusalRecord {
        let number = self.seen.get() + 1;
        self.seen.set(number);
        let book = self.rig.server.refusals();
        await_that(|| book.find(number).is_some(), &format!("refusal {number}"));
        book.find(number).unwrap()
    }

    /// Puts a revocation in force without looking at who is connected.
    pub(crate) fn note_revoked(&self, der: &[u8]) {
        let id = Leaf::parse(der).unwrap().id();
        let revoked = Revoked { since: signet_net::unix_seconds(), reason: Reason::KeyCompromise, source: RevocationSource::Authority };
        self.rig.revocations.update(|index| index.with_revocations([(id, revoked)]));
    }
}
