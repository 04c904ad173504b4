//! Where one connection's key waits for the library to ask for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use signet_identity::{DeviceName, KeyMark};

use crate::key::Psk;
use crate::lookup::PskAnswer;

/// Shared by the connection, whoever is asked, and the callback of the library.
#[derive(Default)]
pub(crate) struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    /// The client has named its key; inside `None`: by something that is no name of a device.
    named: Option<Option<DeviceName>>,
    /// What was found out; `None`: nobody has answered.
    finding: Option<Finding>,
    /// What the library gets: the key, or one that nobody has.
    key: Option<Psk>,
    /// The library has got it.
    is_used: bool,
}

/// What was found out about an identity.
#[derive(Clone, Debug)]
pub(crate) enum Finding {
    /// There is a key. The mark is of one that is kept here.
    Known(Option<KeyMark>),
    /// There is none.
    Unknown,
    /// Nobody could say.
    Failed(String),
}

impl Slot {
    /// Says whose key is wanted, once; `None`: nobody's, so nobody has to be asked.
    pub(crate) fn name(&self, identity: Option<DeviceName>) {
        let is_nobody = identity.is_none();
        self.state().named.get_or_insert(identity);
        if is_nobody {
            self.settle(PskAnswer::Unknown, None);
        }
    }

    /// Whose key it is.
    pub(crate) fn identity(&self) -> Option<DeviceName> {
        self.state().named.clone().flatten()
    }

    /// Whether a key was named and nobody has answered yet.
    pub(crate) fn is_waiting(&self) -> bool {
        let state = self.state();
        state.named.is_some() && state.finding.is_none()
    }

    /// Takes the first answer.
    pub(crate) fn settle(&self, answer: PskAnswer, mark: Option<KeyMark>) {
        let mut state = self.state();
        if state.finding.is_some() {
            return;
        }
        let (finding, key) = match answer {
            PskAnswer::Key(key) => (Finding::Known(mark), Some(key)),
            PskAnswer::Unknown => (Finding::Unknown, Psk::of_nobody()),
            PskAnswer::Failed(why) => (Finding::Failed(why), Psk::of_nobody()),
        };
        state.finding = Some(finding);
        state.key = key;
    }

    pub(crate) fn finding(&self) -> Option<Finding> {
        self.state().finding.clone()
    }

    /// Writes the key for the library, which has read `identity`. Returns its length; 0: the library has to do without.
    #[cfg_attr(all(not(feature = "openssl"), not(test)), expect(dead_code, reason = "without the library nobody takes keys"))]
    pub(crate) fn take_for(&self, identity: &[u8], space: &mut [u8]) -> usize {
        let mut state = self.state();
        // Only the identity that was looked up counts. Where that is none, every one gets the key that nobody has.
        if state.named.iter().flatten().any(|looked_up| looked_up.as_str().as_bytes() != identity) {
            return 0;
        }
        let Some(key) = &state.key else { return 0 };
        let Some(space) = space.get_mut(..key.octets().len()) else { return 0 };
        space.copy_from_slice(key.octets());
        state.is_used = true;
        space.len()
    }

    /// Whether the library has got the key.
    pub(crate) fn is_used(&self) -> bool {
        self.state().is_used
    }

    /// The handshake is over: nobody needs the key any more.
    pub(crate) fn forget_key(&self) {
        self.state().key = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(slot: &Slot, identity: &str) -> Vec<u8> {
        let mut space = [0; 64];
        let length = slot.take_for(identity.as_bytes(), &mut space);
        space[..length].to_vec()
    }

    #[test]
    fn only_the_identity_that_was_looked_up_gets_the_key() {
        let slot = Slot::default();
        assert!(taken(&slot, "pump-7").is_empty() && !slot.is_waiting());
        slot.name(Some(DeviceName::new("pump-7").unwrap()));
        assert!(taken(&slot, "pump-7").is_empty() && slot.is_waiting());
        slot.settle(PskAnswer::Key(Psk::new(&[7; 16]).unwrap()), None);
        slot.settle(PskAnswer::Key(Psk::new(&[8; 16]).unwrap()), None);
        assert!(taken(&slot, "pump-8").is_empty() && !slot.is_used());
        assert_eq!(taken(&slot, "pump-7"), [7; 16]);
        assert!(slot.is_used());
        slot.forget_key();
        assert!(taken(&slot, "pump-7").is_empty());
    }

    #[test]
    fn who_is_unknown_gets_a_key_that_nobody_has() {
        let (one, other) = (Slot::default(), Slot::default());
        one.name(None);
        other.name(Some(DeviceName::new("pump-7").unwrap()));
        other.settle(PskAnswer::Failed("gone".to_owned()), None);
        assert_eq!(taken(&one, "whatever").len(), 32);
        assert_eq!(taken(&other, "pump-7").len(), 32);
        assert_ne!(taken(&one, "pump-7"), taken(&other, "pump-7"));
        assert!(matches!(one.finding(), Some(Finding::Unknown)) && matches!(other.finding(), Some(Finding::Failed(_))));
    }
}
