//! Waiting, for a bounded time, until every recipient of an order is done with it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::unix_milliseconds;

/// Where the orders of one latch stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confirmed {
    /// Confirmations still to come.
    pub(crate) outstanding: usize,
    /// When the first came, unix milliseconds.
    pub(crate) first: Option<i64>,
    /// When the latest came, unix milliseconds.
    pub(crate) last: Option<i64>,
}

#[derive(Debug, Default)]
struct State {
    confirmed: Mutex<Confirmed>,
    changed: Condvar,
}

/// Counts confirmations still to come.
#[derive(Debug, Default)]
pub(crate) struct Latch(Arc<State>);

impl Latch {
    /// One more confirmation to wait for.
    pub(crate) fn confirmation(&self) -> Confirmation {
        self.0.confirmed.lock().unwrap_or_else(PoisonError::into_inner).outstanding += 1;
        Confirmation(Arc::clone(&self.0))
    }

    /// Waits until all came or `patience` is over; says how many are still to come, and when the others came.
    pub(crate) fn wait(&self, patience: Duration) -> Confirmed {
        let start = Instant::now();
        let mut confirmed = self.0.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        while confirmed.outstanding > 0 {
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            confirmed = self.0.changed.wait_timeout(confirmed, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *confirmed
    }
}

/// Held by the one who has something to do; dropping it says that it is done.
#[derive(Debug)]
pub struct Confirmation(Arc<State>);

impl Drop for Confirmation {
    fn drop(&mut self) {
        let now = unix_milliseconds();
        let mut confirmed = self.0.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.outstanding = confirmed.outstanding.saturating_sub(1);
        confirmed.first = confirmed.first.or(Some(now));
        // Two threads may read the clock in another order than they get here.
        confirmed.last = confirmed.last.max(Some(now));
        // Nobody waits for less than all.
        if confirmed.outstanding == 0 {
            self.0.changed.notify_all();
        }
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
        let one = latch.wait(Duration::ZERO);
        assert_eq!((one.outstanding, one.first.is_some()), (1, true));
        let worker = std::thread::spawn(move || drop(second));
        let both = latch.wait(Duration::from_secs(60));
        assert_eq!((both.outstanding, both.first), (0, one.first));
        assert!(both.last >= both.first);
        worker.join().unwrap();
    }

    #[test]
    fn nothing_to_wait_for_is_no_wait() {
        assert_eq!(Latch::default().wait(Duration::from_secs(60)), Confirmed::default());
    }
}
