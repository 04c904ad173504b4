//! Waiting, for a bounded time, until every recipient of an order is done with it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct State {
    outstanding: Mutex<usize>,
    changed: Condvar,
}

/// Counts confirmations still to come.
#[derive(Debug, Default)]
pub(crate) struct Latch(Arc<State>);

impl Latch {
    /// One more confirmation to wait for.
    pub(crate) fn confirmation(&self) -> Confirmation {
        *self.0.outstanding.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Confirmation(Arc::clone(&self.0))
    }

    /// Waits until all came or `patience` is over; returns how many are still to come.
    pub(crate) fn wait(&self, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        let mut outstanding = self.0.outstanding.lock().unwrap_or_else(PoisonError::into_inner);
        while *outstanding > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            outstanding = self.0.changed.wait_timeout(outstanding, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *outstanding
    }
}

/// Held by the one who has something to do; dropping it says that it is done.
#[derive(Debug)]
pub struct Confirmation(Arc<State>);

impl Drop for Confirmation {
    fn drop(&mut self) {
        let mut outstanding = self.0.outstanding.lock().unwrap_or_else(PoisonError::into_inner);
        *outstanding = outstanding.saturating_sub(1);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_last_confirmation() {
        let latch = Latch::default();
        let (first, second) = (latch.confirmation(), latch.confirmation());
        drop(first);
        assert_eq!(latch.wait(Duration::ZERO), 1);
        let worker = std::thread::spawn(move || drop(second));
        assert_eq!(latch.wait(Duration::from_secs(60)), 0);
        worker.join().unwrap();
    }

    #[test]
    fn nothing_to_wait_for_is_no_wait() {
        assert_eq!(Latch::default().wait(Duration::from_secs(60)), 0);
    }
}
