//! What all shards of a server look at.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use arc_swap::ArcSwap;
use signet_broker::{Changes, Directory, Limits, SessionRule, SharedDirectory, Totals, WillRule};
use signet_net::{Clock, Registry, StatusInquiry};
use signet_policy::Ruleset;

use crate::abuse::Abuse;
use crate::authentication::Authentication;
use crate::config::CloneAlarm;
use crate::control::ControlTopics;
use crate::counters::Counters;
use crate::gate::Total;
use crate::listener::Listener;
use crate::lobby::Lobby;
use crate::mailbox::Mailbox;
use crate::rate::SharedBucket;
use crate::refusals::RefusalBook;

/// Immutable, or with locks of its own.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) registry: Arc<Registry>,
    pub(crate) directory: LockedDirectory,
    /// First those of the shards that own sessions, then those of the lobbies.
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) listeners: ArcSwap<Vec<Arc<Listener>>>,
    /// In force; each shard has its own reference and is told of another.
    pub(crate) ruleset: ArcSwap<Ruleset>,
    /// In force; each shard has its own reference and is told of others.
    pub(crate) limits: ArcSwap<Limits>,
    pub(crate) totals: Arc<Totals>,
    /// What becomes of Will and session of a device that is not believed any more.
    pub(crate) on_distrust: (WillRule, SessionRule),
    /// [`crate::ServerConfig::on_clone`]
    pub(crate) on_clone: Arc<dyn Fn(CloneAlarm) + Send + Sync>,
    pub(crate) admissions: Admissions,
    pub(crate) counters: Counters,
    pub(crate) refusals: Arc<RefusalBook>,
    pub(crate) asked: Asked,
    /// [`crate::ServerConfig::on_store_failure`]
    pub(crate) on_store_failure: Arc<dyn Fn() + Send + Sync>,
}

impl Shared {
    /// Number of shards that own sessions, and of lobbies.
    pub(crate) fn shards(&self) -> u16 {
        u16::try_from(self.admissions.lobbies.len()).unwrap_or(u16::MAX)
    }

    /// The lobby that gets the connection with this number, as an index of its mailbox.
    pub(crate) fn lobby_for(&self, number: u64) -> u16 {
        let shards = self.shards().max(1);
        shards.saturating_add(u16::try_from(number % u64::from(shards)).unwrap_or(0))
    }
}

/// Who is asked about clients.
pub(crate) struct Asked {
    /// About certificates whose revocation status is not known; nobody at first.
    pub(crate) inquiry: OnceLock<Arc<dyn StatusInquiry>>,
    /// To carry out requests below `$CONTROL/`; nobody at first.
    pub(crate) control: OnceLock<Arc<dyn ControlTopics>>,
    /// Those who vouch for clients and have rules about them.
    pub(crate) authentication: Option<Arc<dyn Authentication>>,
}

/// How much may come in at a time, over all shards, and who may not.
pub(crate) struct Admissions {
    /// One for each shard that owns sessions, of which there is one at least.
    pub(crate) lobbies: Vec<Lobby>,
    /// Connections now.
    pub(crate) total: Arc<Total>,
    /// CONNECT packets.
    pub(crate) connects: ArcSwap<SharedBucket>,
    /// TLS handshakes going on in each lobby.
    pub(crate) handshakes_per_lobby: AtomicUsize,
    /// What is written down against whom.
    pub(crate) abuse: Abuse,
}

/// Subscriptions and retained messages behind a reader-writer lock: publishing reads, subscribing writes.
pub(crate) struct LockedDirectory {
    directory: RwLock<Directory>,
    /// Those of the directory, read without the lock: shards that publish what they remember the routes of do not take cache lines from each
    /// other.
    changes: Arc<Changes>,
}

impl LockedDirectory {
    pub(crate) fn new(seed: u64) -> Self {
        let directory = Directory::new(seed);
        Self { changes: Arc::clone(directory.changes()), directory: RwLock::new(directory) }
    }
}

impl SharedDirectory for LockedDirectory {
    fn read<R>(&self, look: impl FnOnce(&Directory) -> R) -> R {
        look(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, change: impl FnOnce(&mut Directory) -> R) -> R {
        change(&mut self.directory.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn changes<R>(&self, look: impl FnOnce(&Changes) -> R) -> R {
        look(&self.changes)
    }
}

impl std::fmt::Debug for LockedDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockedDirectory")
    }
}
