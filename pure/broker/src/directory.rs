//! What all shards share: who subscribed to what, and the retained messages.

use std::sync::Arc;

use crate::changes::Changes;
use crate::image::RetainedImage;
use crate::retained::Retained;
use crate::subscriptions::Subscriptions;

/// Subscriptions and retained messages of the whole process. One value behind one [`SharedDirectory`].
#[derive(Debug)]
pub struct Directory {
    pub(crate) subscriptions: Subscriptions,
    pub(crate) retained: Retained,
}

impl Directory {
    /// An empty directory. `seed` makes its hash maps unpredictable for clients.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { subscriptions: Subscriptions::new(seed), retained: Retained::new(seed) }
    }

    /// Takes up the retained messages that were stored, before any shard takes up its sessions. `first_free`: see
    /// [`crate::Image::first_free`].
    pub fn restore(&mut self, retained: Vec<RetainedImage>, first_free: u64) {
        self.retained.restore(retained, first_free);
    }

    /// Counts whatever may make a message go to somebody else than before. The same for as long as the directory lives.
    #[must_use]
    pub fn changes(&self) -> &Arc<Changes> {
        self.subscriptions.changes()
    }

    /// Retained messages and their bytes.
    #[must_use]
    pub fn retained(&self) -> (usize, usize) {
        (self.retained.len(), self.retained.bytes())
    }

    /// Subscriptions of all sessions.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }

    /// Of these, in Shared Subscriptions.
    #[must_use]
    pub fn shared_subscriptions(&self) -> usize {
        self.subscriptions.shared()
    }
}

/// Access to the one [`Directory`]. The broker keeps the closures short and never nests them, so an ordinary reader-writer lock serves
/// (`RefCell` where there is one thread). From within a change it calls its [`crate::Store`], and nothing else outside.
pub trait SharedDirectory {
    /// Runs a closure that only looks.
    fn read<R>(&self, look: impl FnOnce(&Directory) -> R) -> R;
    /// Runs a closure that changes something.
    fn write<R>(&self, change: impl FnOnce(&mut Directory) -> R) -> R;
    /// Looks at [`Directory::changes`]. Asked for every message, so it is worth knowing without the lock.
    fn changes<R>(&self, look: impl FnOnce(&Changes) -> R) -> R {
        self.read(|directory| look(directory.changes()))
    }
}
