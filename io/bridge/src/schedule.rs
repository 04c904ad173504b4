//! How long it takes until the next attempt. No clock: whoever asks says how long the last connection stood, and brings a random number.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A number that is another one each time; nobody's safety hangs on it.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// The pauses between two attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Each pause twice the one before, half of it random, so that many bridges do not come back together. A connection that stood longer than the
    /// next pause begins again with the first.
    Doubling {
        /// The first pause.
        minimum: Duration,
        /// The longest pause.
        maximum: Duration,
    },
    /// Always the same.
    Constant(Duration),
    /// Each pause random between `base` and three times the one before, up to `cap`.
    Jitter {
        /// The shortest pause.
        base: Duration,
        /// The longest pause.
        cap: Duration,
        /// After a connection that stood so long the pause is `base` again.
        stable: Duration,
    },
}

/// Where a bridge is on its schedule.
#[derive(Debug)]
pub(crate) struct Pauses {
    schedule: Schedule,
    /// Doubling: the next pause. Jitter: the one before.
    state: Duration,
}

impl Pauses {
    pub(crate) fn new(schedule: Schedule) -> Self {
        let state = match schedule {
            Schedule::Doubling { minimum, .. } => minimum,
            Schedule::Constant(pause) => pause,
            Schedule::Jitter { base, .. } => base,
        };
        Self { schedule, state }
    }

    /// The pause after a connection that lasted so long (zero: none came about). `random`: any number.
    pub(crate) fn pause(&mut self, lasted: Duration, random: u64) -> Duration {
        match self.schedule {
            Schedule::Constant(pause) => pause,
            Schedule::Doubling { minimum, maximum } => {
                // One that ends as soon as it stands is no success: two bridges that throw each other out would do so without a pause.
                if lasted > self.state {
                    self.state = minimum;
                }
                let whole = self.state.min(maximum);
                self.state = whole.saturating_mul(2).min(maximum);
                within(whole / 2, whole, random)
            }
            Schedule::Jitter { base, cap, stable } => {
                let is_stable = !lasted.is_zero() && lasted >= stable;
                self.state = if is_stable { base } else { within(base, self.state.saturating_mul(3), random).min(cap) };
                self.state
            }
        }
    }
}

/// A random time from `low` to `high`, both included, in whole milliseconds from `low` on.
fn within(low: Duration, high: Duration, random: u64) -> Duration {
    let milliseconds = u64::try_from(high.saturating_sub(low).as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    low + Duration::from_millis(random % milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_double_up_to_the_maximum_and_start_again_after_a_good_connection() {
        let mut pauses = Pauses::new(Schedule::Doubling { minimum: seconds(1), maximum: seconds(10) });
        let mut bounds = Vec::new();
        for _ in 0..6 {
            let pause = pauses.pause(Duration::ZERO, random());
            bounds.push(pause);
        }
        for (pause, whole) in bounds.iter().zip([1, 2, 4, 8, 10, 10]) {
            assert!((seconds(whole) / 2..=seconds(whole)).contains(pause), "{bounds:?}");
        }
        assert!(pauses.pause(seconds(5), 0) >= seconds(5), "too short to count");
        assert!(pauses.pause(seconds(60), 0) <= seconds(1));
    }

    #[test]
    fn a_constant_pause_never_changes() {
        let mut pauses = Pauses::new(Schedule::Constant(seconds(7)));
        for lasted in [0, 0, 1, 3600] {
            assert_eq!(pauses.pause(seconds(lasted), random()), seconds(7));
        }
    }

    #[test]
    fn jitter_grows_from_the_base_to_the_cap_and_falls_back_after_a_stable_connection() {
        let schedule = Schedule::Jitter { base: seconds(5), cap: seconds(30), stable: seconds(60) };
        // The largest number that the range allows, each time: 3 times the one before, then the cap.
        let mut pauses = Pauses::new(schedule);
        let largest = |pauses: &mut Pauses| pauses.pause(Duration::ZERO, u64::try_from(pauses.state.as_millis()).unwrap() * 3 - 5000);
        assert_eq!([(); 3].map(|()| largest(&mut pauses)), [15, 30, 30].map(seconds));
        // The smallest one.
        assert_eq!(pauses.pause(Duration::ZERO, 0), seconds(5));
        for _ in 0..1000 {
            let pause = pauses.pause(Duration::ZERO, random());
            assert!((seconds(5)..=seconds(30)).contains(&pause), "{pause:?}");
        }
        largest(&mut pauses);
        let grown = largest(&mut pauses);
        assert!(pauses.pause(seconds(59), 5000) > seconds(5), "too short to be stable, after {grown:?}");
        assert_eq!(pauses.pause(seconds(60), 5000), seconds(5));
        // Without a period every connection is stable, and no connection is not.
        let mut pauses = Pauses::new(Schedule::Jitter { base: seconds(5), cap: seconds(30), stable: Duration::ZERO });
        assert_eq!(pauses.pause(Duration::from_millis(1), 5000), seconds(5));
        assert_eq!(pauses.pause(Duration::ZERO, 5000), seconds(10));
    }
}
