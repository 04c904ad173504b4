//! The pause before the next attempt: doubled each time, half of it random.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A number that is another one each time; nobody's safety hangs on it.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[derive(Debug)]
pub(crate) struct Backoff {
    minimum: Duration,
    maximum: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(minimum: Duration, maximum: Duration) -> Self {
        Self { minimum, maximum, next: minimum }
    }

    /// The pause after a connection that lasted so long (zero: none came about). `random`: any number.
    pub(crate) fn pause(&mut self, lasted: Duration, random: u64) -> Duration {
        // One that ends as soon as it stands is no success: two bridges that throw each other out would do so without a pause.
        if lasted > self.next {
            self.next = self.minimum;
        }
        let whole = self.next.min(self.maximum);
        self.next = whole.saturating_mul(2).min(self.maximum);
        let half = whole / 2;
        let milliseconds = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_millis(random % milliseconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_start_again_after_a_good_connection() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(10));
        let mut bounds = Vec::new();
        for _ in 0..6 {
            let pause = backoff.pause(Duration::ZERO, random());
            bounds.push(pause);
        }
        for (pause, whole) in bounds.iter().zip([1, 2, 4, 8, 10, 10]) {
            assert!((seconds(whole) / 2..=seconds(whole)).contains(pause), "{bounds:?}");
        }
        assert!(backoff.pause(seconds(5), 0) >= seconds(5), "too short to count");
        assert!(backoff.pause(seconds(60), 0) <= seconds(1));
    }
}
