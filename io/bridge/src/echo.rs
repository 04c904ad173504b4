//! Before MQTT 5.0 a server sends a client what the client itself published, if the client has subscribed to it. A server that knows the mark
//! of a bridge does not; for every other one this is the memory of what has to come back once, and is not news.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use signet_mqtt::TopicName;

/// A message that has not come back after so long was lost, or not sent to us. To wait longer could swallow another one that is the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages to remember; with more under way an echo may get through.
const MAXIMUM: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Echoes {
    hasher: RandomState,
    /// Hash of topic and payload, and until when it is expected.
    expected: VecDeque<(u64, Instant)>,
}

impl Echoes {
    /// A message was sent to a topic that we have subscribed to.
    pub(crate) fn sent(&mut self, topic: &TopicName, payload: &[u8], now: Instant) {
        self.forget(now);
        if self.expected.len() < MAXIMUM {
            self.expected.push_back((self.hash(topic, payload), now + PATIENCE));
        }
    }

    /// Whether this is one of them. Each comes back once.
    pub(crate) fn is_echo(&mut self, topic: &TopicName, payload: &[u8], now: Instant) -> bool {
        self.forget(now);
        let hash = self.hash(topic, payload);
        let found = self.expected.iter().position(|(expected, _)| *expected == hash);
        found.and_then(|at| self.expected.remove(at)).is_some()
    }

    fn forget(&mut self, now: Instant) {
        while self.expected.front().is_some_and(|(_, until)| *until < now) {
            self.expected.pop_front();
        }
    }

    fn hash(&self, topic: &TopicName, payload: &[u8]) -> u64 {
        self.hasher.hash_one((topic.as_str(), payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_comes_back_once_and_not_for_ever() {
        let (topic, start) = (TopicName::new("a").unwrap(), Instant::now());
        let mut echoes = Echoes::default();
        echoes.sent(&topic, b"1", start);
        echoes.sent(&topic, b"1", start);
        assert!(!echoes.is_echo(&topic, b"2", start));
        assert!(echoes.is_echo(&topic, b"1", start));
        assert!(echoes.is_echo(&topic, b"1", start));
        assert!(!echoes.is_echo(&topic, b"1", start), "a third one is somebody else's");
        echoes.sent(&topic, b"1", start);
        assert!(!echoes.is_echo(&topic, b"1", start + PATIENCE * 2));
    }
}
