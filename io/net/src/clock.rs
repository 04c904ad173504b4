//! The only `now` of the data plane: everything below gets time as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01 UTC that never go back: the wall clock is read once, at the start, and a monotonic clock goes on from there.
/// So a time can be stored and compared with one of the next run, and setting the clock while we run moves no deadline. When the wall clock was
/// set back between two runs, what was to end ends that much later.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    /// What the wall clock said then.
    since_1970: Duration,
}

impl Clock {
    /// Starts at what the wall clock says now.
    pub fn start() -> Self {
        // A clock before 1970 is one that was never set.
        Self { start: Instant::now(), since_1970: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// Milliseconds since 1970.
    pub fn milliseconds(&self) -> u64 {
        u64::try_from((self.since_1970 + self.start.elapsed()).as_millis()).unwrap_or(u64::MAX)
    }

    /// How long it has been running, for what takes less than milliseconds.
    pub fn running(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Seconds since 1970-01-01 UTC by the system's wall clock, for the validity of certificates.
pub fn unix_seconds() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// The same in milliseconds, for records that people compare with other machines' logs.
pub fn unix_milliseconds() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_begins_with_the_wall_clock_and_rises() {
        let wall = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let before = wall();
        let clock = Clock::start();
        let first = clock.milliseconds();
        assert!(before <= first && first <= wall(), "{before} {first}");
        assert!(clock.milliseconds() >= first);
        let later = Clock { start: clock.start, since_1970: clock.since_1970 + Duration::from_millis(7) };
        assert!(later.milliseconds() >= first + 7);
    }
}
