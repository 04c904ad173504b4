//! The threads that compute password hashes: few, so that many clients that connect at once cost memory and processor time one after the other, and
//! never the threads that serve connections.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::source::Failure;

/// Work that waits beyond this is refused: at 100 ms a hash and two threads it is what twenty seconds can do.
const WAITING_MAXIMUM: usize = 400;

/// As nice as can be (nice(2)).
const NICENESS: i32 = 19;

/// A bounded pool. Clones share it.
#[derive(Clone)]
pub struct HashingPool {
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    waiting_maximum: usize,
}

impl HashingPool {
    /// So many hashes at a time, at least one.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(threads.max(1))),
            waiting: Arc::default(),
            waiting_maximum: WAITING_MAXIMUM * threads.max(1),
        }
    }

    /// Runs a computation when there is a place. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// Too many wait already, or the computation panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let _waiting = Waiting::enter(&self.waiting, self.waiting_maximum)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(Failure::new)?;
        // The place goes along: who gives up waiting does not end the computation.
        let computed = tokio::task::spawn_blocking(move || {
            stand_back();
            let computed = work();
            drop(place);
            computed
        });
        computed.await.map_err(|_| Failure("a password hash could not be computed".to_owned()))
    }
}

/// Devices that connect stand back behind messages (`signet-server`), and must not wait behind passwords that strangers try: this thread stands back as far
/// as they do. It stays so; other work that may block is no more urgent.
fn stand_back() {
    thread_local!(static STANDS_BACK: Cell<bool> = const { Cell::new(false) });
    if !STANDS_BACK.replace(true)
        && let Err(error) = rustix::process::nice(NICENESS)
    {
        tracing::warn!(%error, "a thread that computes password hashes cannot stand back: devices may have to wait for it");
    }
}

/// One that waits or computes.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize, maximum: usize) -> Result<Self, Failure> {
        let entered = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= maximum {
            return Err(Failure(format!("{maximum} password hashes wait to be computed already")));
        }
        Ok(entered)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for HashingPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HashingPool").field("free", &self.places.available_permits()).finish_non_exhaustive()
    }
}
