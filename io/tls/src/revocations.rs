//! The revocation index in force, shared by handshakes, the registry of live connections and the administration.
//!
//! Readers take the current index without a lock. Writers go through [`CurrentRevocations::update`], which never loses a concurrent
//! change: revoke first here, then ask the registry to close what is connected, and no connection can slip between the two.

use std::sync::Arc;

use arc_swap::ArcSwap;
use signet_revocation::{Generation, RevocationIndex};

/// A handle on the revocation index in force. Cloning it shares the index.
#[derive(Clone)]
pub struct CurrentRevocations(Arc<ArcSwap<RevocationIndex>>);

impl CurrentRevocations {
    /// Starts with `index`.
    pub fn new(index: RevocationIndex) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(index)))
    }

    /// The index in force now.
    pub fn load(&self) -> Arc<RevocationIndex> {
        self.0.load_full()
    }

    /// The generation of the index in force.
    pub fn generation(&self) -> Generation {
        self.0.load().generation()
    }

    /// Replaces the index by what `change` makes of it and returns the new one. `change` may run more than once when two
    /// writers meet, so it must depend on its argument only.
    pub fn update(&self, mut change: impl FnMut(&RevocationIndex) -> RevocationIndex) -> Arc<RevocationIndex> {
        self.0.rcu(|index| change(index));
        self.0.load_full()
    }
}

impl std::fmt::Debug for CurrentRevocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CurrentRevocations").field("generation", &self.generation()).finish()
    }
}
