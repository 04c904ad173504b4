//! What the clients of a run are to do at present.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

const LOADING: u8 = 0;
const DRAINING: u8 = 1;
const OVER: u8 = 2;

/// How long a client waits before it tries to connect once more.
const RETRY: Duration = Duration::from_millis(10);

/// Loading → draining → over.
#[derive(Debug, Default)]
pub(crate) struct Phase(AtomicU8);

impl Phase {
    /// Publishers publish, subscribers come and go.
    pub(crate) fn is_loading(&self) -> bool {
        self.0.load(Ordering::SeqCst) == LOADING
    }

    /// Everybody goes home.
    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::SeqCst) == OVER
    }

    /// Publishers finish what they began, subscribers stay and take what is theirs.
    pub(crate) fn drain(&self) {
        self.0.store(DRAINING, Ordering::SeqCst);
    }

    /// The run ends.
    pub(crate) fn end(&self) {
        self.0.store(OVER, Ordering::SeqCst);
    }

    /// Between two attempts to connect: whether anybody listens can only be tried.
    pub(crate) fn pause(&self) {
        std::thread::sleep(RETRY);
    }
}
