//! Retained Messages (§3.3.1.3) and their expiry.

use std::collections::BTreeSet;
use std::sync::Arc;

use signet_mqtt::{ClientIdentifier, Message, TopicName};

use crate::image::RetainedImage;
use crate::limits::Limits;
use crate::moment::Moment;
use crate::queue::expires_at;
use crate::tree::{LevelTree, ROOT};

/// The last retained message of each topic.
#[derive(Debug)]
pub(crate) struct Retained {
    tree: LevelTree<RetainedMessage>,
    expiring: BTreeSet<(Moment, TopicName)>,
    count: usize,
    bytes: usize,
}

/// One retained message.
#[derive(Debug, Clone)]
pub(crate) struct RetainedMessage {
    pub(crate) message: Arc<Message>,
    pub(crate) received_at: Moment,
    /// Who published it, for No Local, which is about the Client Identifier and outlives the session [MQTT-3.8.3-3].
    pub(crate) publisher: ClientIdentifier,
}

/// What became of a message with RETAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetainOutcome {
    /// It is the retained message of its topic now [MQTT-3.3.1-5].
    Set,
    /// It was empty and took the retained message away [MQTT-3.3.1-6].
    Cleared,
    /// It was empty and there was none.
    NothingToClear,
    /// There is no room for another.
    Full,
}

impl Retained {
    pub(crate) fn new(seed: u64) -> Self {
        Self { tree: LevelTree::new(seed), expiring: BTreeSet::new(), count: 0, bytes: 0 }
    }

    pub(crate) fn restore(&mut self, images: Vec<RetainedImage>, _first_free: u64) {
        for image in images {
            self.count += 1;
            self.bytes += image.message.size();
        }
    }

    /// Takes a message with RETAIN.
    pub(crate) fn store(&mut self, message: &Arc<Message>, publisher: &ClientIdentifier, now: Moment, limits: &Limits) -> RetainOutcome {
        self.drop_expired(now);
        // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
        if message.payload.is_empty() {
            return if self.clear(&message.topic) { RetainOutcome::Cleared } else { RetainOutcome::NothingToClear };
        }
        let replaced = self.find(&message.topic).map_or((0, 0), |known| (1, known.message.size()));
        let bytes = self.bytes - replaced.1 + message.size();
        let is_full = self.count - replaced.0 >= limits.total.retained_messages_maximum || bytes > limits.total.retained_bytes_maximum;
        // What replaces a message and does not grow it always finds room, even after the limit was lowered.
        if is_full && !(replaced.0 == 1 && bytes <= self.bytes) {
            return RetainOutcome::Full;
        }
        self.clear(&message.topic);
        if let Some(at) = expires_at(message, now) {
            self.expiring.insert((at, message.topic.clone()));
        }
        *self.tree.entry(message.topic.levels()) =
            Some(RetainedMessage { message: Arc::clone(message), received_at: now, publisher: publisher.clone() });
        self.count += 1;
        self.bytes = bytes;
        RetainOutcome::Set
    }

    /// The retained messages that match a filter without `$share`, at most `maximum`.
    pub(crate) fn matching(&self, filter: &str, now: Moment, maximum: usize) -> Vec<RetainedMessage> {
        let levels: Vec<&str> = filter.split('/').collect();
        let mut found = Vec::new();
        let mut open = vec![(ROOT, 0)];
        while let Some((node, depth)) = open.pop() {
            if found.len() >= maximum {
                break;
            }
            let is_rest = levels.get(depth) == Some(&"#");
            if is_rest || depth >= levels.len() {
                let fresh =
                    self.tree.value(node).filter(|retained| expires_at(&retained.message, retained.received_at).is_none_or(|at| at > now));
                found.extend(fresh.cloned());
            }
            match levels.get(depth) {
                None => {}
                // `#` stays open for every level below, and matches its parent too [MQTT-4.7.1-2].
                Some(&"#") => open.extend(self.visible(node).map(|child| (child, depth))),
                Some(&"+") => open.extend(self.visible(node).map(|child| (child, depth + 1))),
                Some(level) => open.extend(self.tree.child(node, level).map(|child| (child, depth + 1))),
            }
        }
        found
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The children that a wildcard reaches: not `$…` at the root [MQTT-4.7.2-1].
    fn visible(&self, node: usize) -> impl Iterator<Item = usize> {
        self.tree.children(node).filter(move |(level, _)| node != ROOT || !level.starts_with('$')).map(|(_, child)| child)
    }

    fn find(&self, topic: &TopicName) -> Option<&RetainedMessage> {
        self.tree.value(self.tree.find(topic.levels())?)
    }

    fn clear(&mut self, topic: &TopicName) -> bool {
        let Some(node) = self.tree.find(topic.levels()) else { return false };
        let Some(old) = self.tree.remove(node) else { return false };
        if let Some(at) = expires_at(&old.message, old.received_at) {
            self.expiring.remove(&(at, topic.clone()));
        }
        self.count -= 1;
        self.bytes -= old.message.size();
        true
    }

    fn drop_expired(&mut self, now: Moment) {
        while let Some((at, topic)) = self.expiring.first().cloned() {
            if at > now {
                break;
            }
            self.expiring.pop_first();
            self.clear(&topic);
        }
    }
}

#[cfg(test)]
mod tests;
