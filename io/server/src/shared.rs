//! What all shards of a server look at.

use std::sync::{Arc, PoisonError, RwLock};

use signet_broker::{Directory, Limits, SharedDirectory, Totals, WillRule};
use signet_net::{Clock, Registry};
use signet_tls::CurrentRevocations;

use crate::counters::Counters;
use crate::gate::Total;
use crate::listener::Listener;
use crate::mailbox::Mailbox;
use crate::rate::SharedBucket;

/// Immutable, or with locks of its own.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) registry: Arc<Registry>,
    pub(crate) revocations: CurrentRevocations,
    pub(crate) directory: LockedDirectory,
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) totals: Arc<Totals>,
    pub(crate) will_on_revoke: WillRule,
    pub(crate) admissions: Admissions,
    pub(crate) counters: Counters,
    /// [`crate::ServerConfig::on_store_failure`]
    pub(crate) on_store_failure: Arc<dyn Fn() + Send + Sync>,
}

/// How much may come in at a time, over all shards.
pub(crate) struct Admissions {
    /// Connections now.
    pub(crate) total: Arc<Total>,
    /// CONNECT packets.
    pub(crate) connects: SharedBucket,
    /// TLS handshakes going on in each shard.
    pub(crate) handshakes_per_shard: usize,
}

/// Subscriptions and retained messages behind a reader-writer lock: publishing reads, subscribing writes.
pub(crate) struct LockedDirectory(RwLock<Directory>);

impl LockedDirectory {
    pub(crate) fn new(seed: u64) -> Self {
        Self(RwLock::new(Directory::new(seed)))
    }
}

impl SharedDirectory for LockedDirectory {
    fn read<R>(&self, look: impl FnOnce(&Directory) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, change: impl FnOnce(&mut Directory) -> R) -> R {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for LockedDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockedDirectory")
    }
}
