//! The threads that compute password hashes: few, so that many clients that connect at once cost memory and processor time one after the other, and
//! never the threads that serve connections.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::source::Failure;

/// Work that waits beyond this is refused: at 100 ms a hash and two threads it is what twenty seconds can do.
const WAITING_MAXIMUM: usize = 400;

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
            let computed = work();
            drop(place);
            computed
        });
        computed.await.map_err(|_| Failure("a password hash could not be computed".to_owned()))
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
