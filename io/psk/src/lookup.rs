//! Whoever is asked for a key, and the question.

use std::sync::Arc;

use signet_identity::DeviceName;

use crate::key::Psk;
use crate::slot::Slot;

/// What is known of an identity.
#[derive(Clone, Debug)]
pub enum PskAnswer {
    /// Its key.
    Key(Psk),
    /// There is none.
    Unknown,
    /// Nobody can say at the moment, and why, for the operator: no secrets.
    Failed(String),
}

/// Somebody who can be asked for keys.
pub trait PskLookup: Send + Sync {
    /// Looks for the key of `identity` and gives it to `done`, now or later, on whatever thread. Must not block: the thread that asks has other
    /// connections to serve.
    fn find(&self, identity: &DeviceName, done: PskDone);
}

/// Takes one answer. Dropped without one, it says that nobody answered.
pub struct PskDone {
    slot: Arc<Slot>,
    wake: Option<Box<dyn FnOnce() + Send>>,
}

impl PskDone {
    /// The answer.
    pub fn answer(mut self, answer: PskAnswer) {
        self.give(answer);
    }

    fn give(&mut self, answer: PskAnswer) {
        if let Some(wake) = self.wake.take() {
            self.slot.settle(answer, None);
            wake();
        }
    }
}

impl Drop for PskDone {
    fn drop(&mut self) {
        self.give(PskAnswer::Failed("whoever was asked gave no answer".to_owned()));
    }
}

/// One look-up that a connection waits for.
pub struct PskQuestion {
    identity: DeviceName,
    lookup: Arc<dyn PskLookup>,
    slot: Arc<Slot>,
}

impl PskQuestion {
    pub(crate) fn new(identity: DeviceName, lookup: Arc<dyn PskLookup>, slot: Arc<Slot>) -> Self {
        Self { identity, lookup, slot }
    }

    /// Asks. `wake` is called once, on whatever thread, perhaps before this returns: then [`crate::PskConnection::receive`] goes on, with no new
    /// octets if there are none.
    pub fn ask(self, wake: impl FnOnce() + Send + 'static) {
        self.lookup.find(&self.identity, PskDone { slot: self.slot, wake: Some(Box::new(wake)) });
    }
}

impl std::fmt::Debug for PskQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PskQuestion({})", self.identity)
    }
}
