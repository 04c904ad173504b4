//! When to send PINGREQ, and when a silent broker counts as gone (MQTT 5.0 §3.1.2.10).

use std::time::{Duration, Instant};

/// The client's half of Keep Alive: never let more than the interval pass between two packets sent.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    interval: Option<Duration>,
    last_sent: Instant,
    ping_sent: Option<Instant>,
}

/// What Keep Alive asks for at this moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    /// A PINGREQ was not answered for a whole interval.
    Dead,
}

impl KeepAlive {
    /// `seconds` as agreed in CONNECT and CONNACK; 0 turns the mechanism off.
    pub(crate) fn new(seconds: u16, now: Instant) -> Self {
        let interval = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        Self { interval, last_sent: now, ping_sent: None }
    }

    pub(crate) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    pub(crate) fn ping_sent(&mut self, now: Instant) {
        self.last_sent = now;
        self.ping_sent = Some(now);
    }

    pub(crate) fn ping_answered(&mut self) {
        self.ping_sent = None;
    }

    pub(crate) fn due(&self, now: Instant) -> Due {
        let Some(interval) = self.interval else { return Due::Nothing };
        match self.ping_sent {
            Some(sent) if now.duration_since(sent) >= interval => Due::Dead,
            Some(_) => Due::Nothing,
            None if now.duration_since(self.last_sent) >= interval => Due::Ping,
            None => Due::Nothing,
        }
    }

    /// The next moment at which [`KeepAlive::due`] changes its answer.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.interval.map(|interval| self.ping_sent.unwrap_or(self.last_sent) + interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_interval_asks_for_a_ping_and_an_unanswered_one_is_death() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut keep_alive = KeepAlive::new(10, start);
        assert_eq!(keep_alive.due(at(9)), Due::Nothing);
        assert_eq!(keep_alive.next(), Some(at(10)));
        assert_eq!(keep_alive.due(at(10)), Due::Ping);
        keep_alive.ping_sent(at(10));
        assert_eq!(keep_alive.due(at(19)), Due::Nothing);
        assert_eq!(keep_alive.due(at(20)), Due::Dead);
        keep_alive.ping_answered();
        keep_alive.sent(at(20));
        assert_eq!(keep_alive.due(at(29)), Due::Nothing);
    }

    #[test]
    fn zero_turns_it_off() {
        let start = Instant::now();
        let keep_alive = KeepAlive::new(0, start);
        assert_eq!(keep_alive.due(start + Duration::from_secs(1_000_000)), Due::Nothing);
        assert_eq!(keep_alive.next(), None);
    }
}
