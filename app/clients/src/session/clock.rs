//! When to send PINGREQ, and when a silent broker counts as gone: as Mosquitto's library reckons, silence of either side counts.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Clock {
    interval: Option<Duration>,
    last_sent: Instant,
    last_received: Instant,
    waits_for_pingresp: bool,
}

/// What is to be done at a moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    /// A PINGREQ was not answered for a whole interval.
    Dead,
}

impl Clock {
    /// `seconds` as in CONNECT; 0 turns it off.
    pub(crate) fn new(seconds: u16, now: Instant) -> Self {
        let mut clock = Self { interval: None, last_sent: now, last_received: now, waits_for_pingresp: false };
        clock.set(seconds);
        clock
    }

    /// What the broker wants instead.
    pub(crate) fn set(&mut self, seconds: u16) {
        self.interval = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
    }

    pub(crate) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    pub(crate) fn received(&mut self, now: Instant) {
        self.last_received = now;
    }

    pub(crate) fn pinged(&mut self, now: Instant) {
        (self.last_sent, self.last_received, self.waits_for_pingresp) = (now, now, true);
    }

    pub(crate) fn answered(&mut self) {
        self.waits_for_pingresp = false;
    }

    pub(crate) fn due(&self, now: Instant) -> Due {
        match self.next() {
            Some(next) if now >= next => match self.waits_for_pingresp {
                true => Due::Dead,
                false => Due::Ping,
            },
            _ => Due::Nothing,
        }
    }

    /// The moment at which [`Clock::due`] has something to say.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.interval.map(|interval| self.last_sent.min(self.last_received) + interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_either_side_asks_for_a_ping_and_an_unanswered_one_is_the_end() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock::new(10, start);
        clock.sent(at(5));
        assert_eq!((clock.due(at(9)), clock.due(at(10)), clock.next()), (Due::Nothing, Due::Ping, Some(at(10))));
        clock.pinged(at(10));
        assert_eq!((clock.due(at(19)), clock.due(at(20))), (Due::Nothing, Due::Dead));
        clock.answered();
        clock.received(at(11));
        clock.sent(at(12));
        assert_eq!((clock.due(at(20)), clock.due(at(21))), (Due::Nothing, Due::Ping));
        assert_eq!(Clock::new(0, start).due(at(1_000_000)), Due::Nothing);
    }
}
