//! Retained Messages (§3.3.1.3) and their expiry.

use std::collections::BTreeSet;
use std::sync::Arc;

use signet_mqtt::{ClientIdentifier, Message, TopicName};
use signet_policy::Client;

use crate::ids::RetainedId;
use crate::image::RetainedImage;
use crate::moment::Moment;
use crate::queue::expires_at;
use crate::store::Starting;
use crate::totals::TotalLimits;
use crate::tree::{LevelTree, NodeId, ROOT};

/// In place of a level: everything here and below matches.
const ALL: usize = usize::MAX;

/// The last retained message of each topic, of whatever QoS [MQTT-3.3.1-7] (3.1.1). No session owns any of it [MQTT-3.1.2-7] (3.1.1).
#[derive(Debug)]
pub(crate) struct Retained {
    tree: LevelTree<RetainedMessage>,
    expiring: BTreeSet<(Moment, TopicName)>,
    count: usize,
    bytes: usize,
    /// The last id given.
    latest: RetainedId,
}

/// One retained message.
#[derive(Debug, Clone)]
pub(crate) struct RetainedMessage {
    pub(crate) id: RetainedId,
    /// Whether the store has it.
    pub(crate) is_stored: bool,
    pub(crate) message: Arc<Message>,
    pub(crate) received_at: Moment,
    /// Who published it, for No Local, which is about the Client Identifier and outlives the session [MQTT-3.8.3-3].
    pub(crate) publisher: ClientIdentifier,
    /// The same with all that rules look at, if that is kept.
    pub(crate) source: Option<Arc<Client>>,
}

/// What became of a message with RETAIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetainOutcome {
    /// It is the retained message of its topic now [MQTT-3.3.1-5], with the id in the store of the one whose place it takes.
    Set(RetainedId, Option<RetainedId>),
    /// It was empty and took the retained message away, if there was one [MQTT-3.3.1-6]; the id of that in the store.
    Cleared(Option<RetainedId>),
    /// There is no room for another.
    Full,
}

/// Where a look-up has got to, which takes several steps so that nobody has to wait for all of it. What is set in between is not found, and
/// what is cleared or replaced before its turn has come is not found either. A node whose turn comes late may be another by then, or none:
/// what is there then was set later, and its id says so.
///
/// A node keeps its number when another branches off above it, and its path ends where it did: so does what was open there.
#[derive(Debug)]
pub(crate) struct Search<'f> {
    levels: Vec<&'f str>,
    /// Nodes, with the level of the filter that comes behind their paths, or [`ALL`].
    open: Vec<(NodeId, usize)>,
    /// Retained messages with these ids only.
    ids: Starting,
}

impl<'f> Search<'f> {
    /// A look-up for a filter without `$share`.
    pub(crate) fn new(filter: &'f str, ids: Starting) -> Self {
        Self { levels: filter.split('/').collect(), open: vec![(ROOT, 0)], ids }
    }
}

impl Retained {
    pub(crate) fn new(seed: u64) -> Self {
        Self { tree: LevelTree::new(seed), expiring: BTreeSet::new(), count: 0, bytes: 0, latest: RetainedId(0) }
    }

    /// Takes up what was stored.
    pub(crate) fn restore(&mut self, images: Vec<RetainedImage>, first_free: u64) {
        for image in images {
            let RetainedImage { id, message, publisher, received_at } = image;
            self.clear(&message.topic);
            self.latest = self.latest.max(id);
            self.insert(RetainedMessage { id, is_stored: true, message, received_at, publisher, source: None });
        }
        self.go_on_after(RetainedId(first_free));
    }

    /// The id of the message that was retained last.
    pub(crate) fn latest(&self) -> RetainedId {
        self.latest
    }

    /// Gives out greater ids only. The largest ones ever given need not be in the store: not every message is.
    pub(crate) fn go_on_after(&mut self, id: RetainedId) {
        self.latest = self.latest.max(id);
    }

    /// An id that no message has or gets.
    pub(crate) fn skip_id(&mut self) -> RetainedId {
        self.latest = RetainedId(self.latest.0 + 1);
        self.latest
    }

    /// Takes a message with RETAIN. `is_stored`: whether the store gets it too.
    pub(crate) fn store(
        &mut self,
        message: &Arc<Message>,
        (publisher, source): (&ClientIdentifier, Option<Arc<Client>>),
        now: Moment,
        limits: &TotalLimits,
        is_stored: bool,
    ) -> RetainOutcome {
        // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
        if message.payload.is_empty() {
            return RetainOutcome::Cleared(self.clear(&message.topic).and_then(|old| old.stored()));
        }
        let replaced = self.find(&message.topic).map_or((0, 0), |known| (1, known.message.size()));
        let bytes = self.bytes - replaced.1 + message.size();
        let is_full = self.count - replaced.0 >= limits.retained_messages_maximum || bytes > limits.retained_bytes_maximum;
        // What replaces a message and does not grow it always finds room, even after the limit was lowered.
        if is_full && !(replaced.0 == 1 && bytes <= self.bytes) {
            return RetainOutcome::Full;
        }
        let old = self.clear(&message.topic);
        let id = self.skip_id();
        let message = Arc::clone(message);
        self.insert(RetainedMessage { id, is_stored, message, received_at: now, publisher: publisher.clone(), source });
        RetainOutcome::Set(id, old.and_then(|old| old.stored()))
    }

    /// Whether there may be one that matches a filter without `$share`: certain only where the filter has no wildcard.
    pub(crate) fn may_match(&self, filter: &str) -> bool {
        self.count > 0 && (filter.contains(['+', '#']) || self.tree.find(filter).is_some_and(|node| self.tree.value(node).is_some()))
    }

    /// Takes a look-up some steps further: to at most `steps` nodes, and until `found` has `maximum` messages. Returns whether there is
    /// more to look at.
    pub(crate) fn search(
        &self,
        search: &mut Search<'_>,
        now: Moment,
        (steps, maximum): (usize, usize),
        found: &mut Vec<RetainedMessage>,
    ) -> bool {
        for _ in 0..steps {
            if found.len() >= maximum {
                return false;
            }
            let Some((node, depth)) = search.open.pop() else { return false };
            let levels = search.levels.as_slice();
            let level = if depth == ALL { Some("#") } else { levels.get(depth).copied() };
            if level.is_none_or(|level| level == "#") {
                let ids = search.ids;
                let is_wanted =
                    |retained: &&RetainedMessage| retained.id > ids.after && retained.id <= ids.up_to && !retained.is_expired(now);
                found.extend(self.tree.value(node).filter(is_wanted).cloned());
            }
            match level {
                None => {}
                // `#` stays open for every level below, and matches its parent too [MQTT-4.7.1-2].
                Some("#") => search.open.extend(self.visible(node).map(|child| (child, ALL))),
                Some("+") => {
                    let some = |child| Some((child, follow(self.tree.label(child), levels, depth)?));
                    search.open.extend(self.visible(node).filter_map(some));
                }
                Some(level) => {
                    let some = |child| Some((child, follow(self.tree.label(child), levels, depth)?));
                    search.open.extend(self.tree.child(node, level.as_bytes()).and_then(some));
                }
            }
        }
        !search.open.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops what expired. Returns the ids of what the store had.
    pub(crate) fn drop_expired(&mut self, now: Moment) -> Vec<RetainedId> {
        let mut stored = Vec::new();
        while let Some((at, topic)) = self.expiring.first().cloned() {
            if at > now {
                break;
            }
            self.expiring.pop_first();
            stored.extend(self.clear(&topic).and_then(|old| old.stored()));
        }
        stored
    }

    /// The children that a wildcard reaches: not `$…` at the root [MQTT-4.7.2-1].
    fn visible(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.tree.children(node).filter(move |child| node != ROOT || !self.tree.label(*child).starts_with(b"$"))
    }

    fn find(&self, topic: &TopicName) -> Option<&RetainedMessage> {
        self.tree.value(self.tree.find(topic.as_str())?)
    }

    fn insert(&mut self, retained: RetainedMessage) {
        let topic = retained.message.topic.clone();
        if let Some(at) = expires_at(&retained.message, retained.received_at) {
            self.expiring.insert((at, topic.clone()));
        }
        self.count += 1;
        self.bytes += retained.message.size();
        *self.tree.entry(topic.as_str()).1 = Some(retained);
    }

    fn clear(&mut self, topic: &TopicName) -> Option<RetainedMessage> {
        let old = self.tree.remove(self.tree.find(topic.as_str())?)?;
        if let Some(at) = expires_at(&old.message, old.received_at) {
            self.expiring.remove(&(at, topic.clone()));
        }
        self.count -= 1;
        self.bytes -= old.message.size();
        Some(old)
    }
}

impl RetainedMessage {
    fn is_expired(&self, now: Moment) -> bool {
        expires_at(&self.message, self.received_at).is_some_and(|at| at <= now)
    }

    /// Its id, if the store has it.
    fn stored(&self) -> Option<RetainedId> {
        self.is_stored.then_some(self.id)
    }
}

/// How far a filter gets along the levels of a topic: its level that comes next, or [`ALL`]; nothing if they do not match.
fn follow(label: &[u8], levels: &[&str], depth: usize) -> Option<usize> {
    let mut depth = depth;
    for level in label.split(|octet| *octet == b'/') {
        match *levels.get(depth)? {
            "#" => return Some(ALL),
            "+" => {}
            wanted if wanted.as_bytes() == level => {}
            _ => return None,
        }
        depth += 1;
    }
    Some(depth)
}

#[cfg(test)]
mod tests;
