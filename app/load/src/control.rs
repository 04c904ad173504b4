//! What a load hears from outside while it runs, and what it says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often progress is told.
const EVERY: Duration = Duration::from_secs(1);

/// Where a load stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What goes on: `connecting`, `subscribing`, `warming up`, `measuring`, `waiting for the rest`.
    pub phase: &'static str,
    /// Connections or messages so far.
    pub done: u64,
    /// How many there will be, where that is known.
    pub of: Option<u64>,
    /// How many came in a second, lately.
    pub per_second: f64,
}

/// The wish to stop, and somebody to tell how it goes.
pub struct Control<'a> {
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(&Progress),
    last: Instant,
    last_done: u64,
}

impl<'a> Control<'a> {
    /// `stop` ends the load soon after it is set; what was measured until then is the result. `tell` is called about once a second.
    pub fn new(stop: &'a AtomicBool, tell: &'a mut dyn FnMut(&Progress)) -> Self {
        Self { stop, tell, last: Instant::now(), last_done: 0 }
    }

    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Tells where the load stands if it is time to.
    pub(crate) fn say(&mut self, phase: &'static str, done: u64, of: Option<u64>) {
        let passed = self.last.elapsed();
        if passed < EVERY {
            return;
        }
        let per_second = crate::number::float(done.saturating_sub(self.last_done)) / passed.as_secs_f64();
        self.last = Instant::now();
        self.last_done = done;
        (self.tell)(&Progress { phase, done, of, per_second });
    }

    /// Waits, or until it is asked to stop.
    pub(crate) fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is_asked_to_stop() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

impl std::fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Control")
    }
}
