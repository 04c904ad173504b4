//! Live connections by certificate and by device, so that a revocation finds every one of them.
//!
//! Order of the two sides, which together leave no gap:
//! - a connection is entered here first and its path is compared with the revocation index afterwards ([`Registry::register`]);
//! - a revocation enters the index first and looks here afterwards ([`Registry::kick_certificates`]).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use signet_identity::{CertificateId, PathCertificate, Peer};
use signet_revocation::{Reason, Revoked, StalePolicy, Verdict};
use signet_tls::CurrentRevocations;

use crate::PeerAddress;
use crate::confirmation::{Confirmation, Latch};

/// One accepted connection, unique for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(u64);

impl LinkId {
    /// The number, for log lines and the administration.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The connection with this number, as a shard gets it back from its poll and its broker.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// What carries MQTT on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The socket itself, TCP or unix.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    WebSocket,
    /// WebSocket over TLS.
    SecureWebSocket,
}

impl Transport {
    /// Whether TLS ends here.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    /// The name that configuration and log use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
        }
    }
}

/// Why connections are to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KickCause {
    /// A certificate of their path was revoked.
    Revoked(Reason),
    /// An operator asked for it, in these words.
    Administrative(String),
}

/// The order to close one connection.
#[derive(Debug)]
pub struct Kick {
    /// The connection.
    pub link: LinkId,
    /// Why.
    pub cause: KickCause,
    /// Tells the one who ordered it that the connection is closed, when dropped.
    pub done: Confirmation,
}

/// Where the orders for one shard go. Called with the registry unlocked; must not block.
pub trait KickTarget: Send + Sync {
    /// Takes an order. A connection that is not there any more counts as closed: drop the order.
    fn kick(&self, kick: Kick);

    /// Learns that certificates were revoked, for what their devices left behind: wills that wait for their delay. Every shard is told, before
    /// the kicks of the same revocation.
    fn revoked(&self, certificates: &Arc<[CertificateId]>);
}

/// What a kick achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KickReport {
    /// Connections found and told to close.
    pub found: usize,
    /// Of these, the ones confirmed closed within the time allowed.
    pub closed: usize,
    /// How long it took until the last confirmation, or the time allowed.
    pub elapsed: Duration,
}

/// A live connection as it is entered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The connection.
    pub link: LinkId,
    /// The shard that owns it.
    pub shard: u16,
    /// The listener that accepted it.
    pub listener: Arc<str>,
    /// Where the client is; of a connection that a trusted proxy forwards, not the proxy.
    pub address: PeerAddress,
    /// How it came in.
    pub transport: Transport,
    /// Who the peer is.
    pub peer: Peer,
    /// When it was accepted, unix seconds.
    pub since: i64,
}

/// A live connection as an operator sees it.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// What was entered.
    pub entry: Entry,
    /// The Client Identifier, once CONNECT was accepted.
    pub client_identifier: Option<String>,
}

/// A connection that may not stay: it was revoked between its handshake and its entry here.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RegisterError {
    /// A certificate of the path is revoked.
    #[error("certificate `{certificate}` was revoked while the connection was being made: {}", revoked.reason.name())]
    Revoked {
        /// The certificate.
        certificate: CertificateId,
        /// Since when and why.
        revoked: Revoked,
    },
    /// The revocation list of an issuer became too old meanwhile.
    #[error("the revocation list of the issuer is past its next update")]
    Stale,
}

#[derive(Default)]
struct Live {
    links: HashMap<LinkId, ConnectionInfo, RandomState>,
    /// Sets, because all devices of an issuing authority share its certificate in their paths: to search a list of them at every close would cost
    /// a fleet that goes the square of its size, under the lock that every handshake needs.
    by_certificate: HashMap<CertificateId, HashSet<LinkId, RandomState>, RandomState>,
}

impl Live {
    fn enter(&mut self, entry: Entry) {
        for certificate in path_of(&entry.peer) {
            self.by_certificate.entry(certificate.id).or_default().insert(entry.link);
        }
        self.links.insert(entry.link, ConnectionInfo { entry, client_identifier: None });
    }

    fn leave(&mut self, link: LinkId) {
        let Some(info) = self.links.remove(&link) else { return };
        for certificate in path_of(&info.entry.peer) {
            if let Some(links) = self.by_certificate.get_mut(&certificate.id) {
                links.remove(&link);
                if links.is_empty() {
                    self.by_certificate.remove(&certificate.id);
                }
            }
        }
    }
}

/// The live connections of the process.
pub struct Registry {
    revocations: CurrentRevocations,
    next: AtomicU64,
    live: Mutex<Live>,
    shards: RwLock<Vec<Arc<dyn KickTarget>>>,
}

impl Registry {
    /// An empty registry that compares with `revocations`.
    pub fn new(revocations: CurrentRevocations) -> Self {
        Self { revocations, next: AtomicU64::new(1), live: Mutex::default(), shards: RwLock::default() }
    }

    /// Names the recipients of kicks: the target at index `n` is shard `n`.
    pub fn attach(&self, targets: Vec<Arc<dyn KickTarget>>) {
        *self.shards.write().unwrap_or_else(PoisonError::into_inner) = targets;
    }

    /// A name for a connection just accepted.
    pub fn next_link(&self) -> LinkId {
        LinkId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Enters a connection, then compares its path with the revocation index in force. `now` in unix seconds.
    ///
    /// # Errors
    /// The connection must be closed; it is not entered.
    pub fn register(&self, entry: Entry, stale: StalePolicy, now: i64) -> Result<(), RegisterError> {
        let link = entry.link;
        let path: Vec<PathCertificate> = path_of(&entry.peer).to_vec();
        self.live().enter(entry);
        // After the entry, never before: a revocation that the index below does not show yet will find the entry.
        let verdict = self.revocations.load().verdict(&path, now, stale);
        let refused = match verdict {
            Verdict::Good(_) | Verdict::Suspended { .. } | Verdict::Unknown { .. } => return Ok(()),
            Verdict::Revoked { id, revoked } => RegisterError::Revoked { certificate: id, revoked },
            Verdict::Stale { .. } => RegisterError::Stale,
        };
        self.remove(link);
        Err(refused)
    }

    /// Notes the Client Identifier of an accepted CONNECT.
    pub fn identify(&self, link: LinkId, client_identifier: String) {
        if let Some(info) = self.live().links.get_mut(&link) {
            info.client_identifier = Some(client_identifier);
        }
    }

    /// Notes that another shard owns the connection from now on. The new owner must be able to find it before this is called, so that
    /// a kick sent to either shard arrives.
    pub fn relocate(&self, link: LinkId, shard: u16) {
        if let Some(info) = self.live().links.get_mut(&link) {
            info.entry.shard = shard;
        }
    }

    /// The shard that owns the connection.
    pub fn shard_of(&self, link: LinkId) -> Option<u16> {
        self.live().links.get(&link).map(|info| info.entry.shard)
    }

    /// Forgets a closed connection.
    pub fn remove(&self, link: LinkId) {
        self.live().leave(link);
    }

    /// Number of live connections.
    pub fn len(&self) -> usize {
        self.live().links.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every live connection, in the order of acceptance.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        let mut all: Vec<_> = self.live().links.values().cloned().collect();
        all.sort_by_key(|info| info.entry.link);
        all
    }

    /// Closes every connection whose path holds one of `certificates`, and waits up to `patience` until the shards confirm.
    /// The revocation index must hold the certificates already.
    pub fn kick_certificates(&self, certificates: &[CertificateId], cause: &KickCause, patience: Duration) -> KickReport {
        if matches!(cause, KickCause::Revoked(_)) {
            let all: Arc<[CertificateId]> = certificates.into();
            for shard in self.shards.read().unwrap_or_else(PoisonError::into_inner).iter() {
                shard.revoked(&all);
            }
        }
        let mut links: Vec<LinkId> = {
            let live = self.live();
            certificates.iter().filter_map(|certificate| live.by_certificate.get(certificate)).flatten().copied().collect()
        };
        // A path may hold two of the certificates, a device's and its issuer's.
        links.sort_unstable();
        links.dedup();
        self.kick(&links, cause, patience)
    }

    /// Closes the connections of `links`, as [`Self::kick_certificates`]. Unknown ones are not counted.
    pub fn kick(&self, links: &[LinkId], cause: &KickCause, patience: Duration) -> KickReport {
        let start = Instant::now();
        let latch = Latch::default();
        let found = links
            .iter()
            .filter(|link| self.shard_of(**link).is_some())
            .map(|link| self.deliver(Kick { link: *link, cause: cause.clone(), done: latch.confirmation() }))
            .count();
        let outstanding = latch.wait(patience);
        KickReport { found, closed: found.saturating_sub(outstanding), elapsed: start.elapsed() }
    }

    /// Sends an order on to the shard that owns the connection now. One for a connection that is gone is done.
    ///
    /// A shard calls this with an order for a connection that it gave away. The new owner got the connection before [`Self::relocate`] was
    /// called, and mailboxes keep their order, so the order arrives after the connection.
    pub fn deliver(&self, kick: Kick) {
        let Some(shard) = self.shard_of(kick.link) else { return };
        let target = self.shards.read().unwrap_or_else(PoisonError::into_inner).get(usize::from(shard)).cloned();
        if let Some(target) = target {
            target.kick(kick);
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path_of(peer: &Peer) -> &[PathCertificate] {
    peer.identity().map_or(&[], |identity| identity.path())
}

#[cfg(test)]
mod tests;
