//! When to send a PINGREQ, and when the other side has been silent for too long.

use std::time::{Duration, Instant};

/// Of one side; nothing happens with an interval of zero.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    interval: Option<Duration>,
    sent: Instant,
    /// When the PINGREQ was sent that nothing has come after.
    unanswered: Option<Instant>,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    Dead,
}

impl KeepAlive {
    pub(crate) fn new(seconds: u16, now: Instant) -> Self {
        let interval = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
        Self { interval, sent: now, unanswered: None }
    }

    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    pub(crate) fn received(&mut self) {
        self.unanswered = None;
    }

    /// A PINGREQ was sent.
    pub(crate) fn pinged(&mut self, now: Instant) {
        self.sent = now;
        self.unanswered.get_or_insert(now);
    }

    /// We do not read at the moment, so that nothing follows from hearing nothing.
    pub(crate) fn not_listening(&mut self, now: Instant) {
        if let Some(since) = &mut self.unanswered {
            *since = now;
        }
    }

    pub(crate) fn due(&self, now: Instant) -> Due {
        match self.next() {
            Some(at) if at <= now => {
                if self.unanswered.is_some() {
                    Due::Dead
                } else {
                    Due::Ping
                }
            }
            _ => Due::Nothing,
        }
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Option<Instant> {
        let interval = self.interval?;
        Some(match self.unanswered {
            // Half an interval is enough for an answer and leaves the server's one and a half [MQTT-3.1.2-22].
            Some(since) => since + interval / 2,
            // Early, so that the server never counts us as late [MQTT-3.1.2-20].
            None => self.sent + interval * 3 / 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_brings_a_ping_and_no_answer_the_end() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut keep_alive = KeepAlive::new(60, start);
        assert_eq!(keep_alive.due(after(44)), Due::Nothing);
        assert_eq!(keep_alive.due(after(45)), Due::Ping);
        keep_alive.pinged(after(45));
        assert_eq!(keep_alive.due(after(74)), Due::Nothing);
        assert_eq!(keep_alive.due(after(75)), Due::Dead);
        keep_alive.not_listening(after(75));
        assert_eq!(keep_alive.due(after(75)), Due::Nothing);
        keep_alive.received();
        assert_eq!(keep_alive.due(after(75)), Due::Nothing);
        assert_eq!(KeepAlive::new(0, start).next(), None);
    }
}
