//! Messages that wait for their turn, in a bounded queue.

use std::collections::VecDeque;
use std::sync::Arc;

use signet_mqtt::{Message, QoS, SubscriptionIdentifier, TopicFilter};
use smallvec::SmallVec;

use crate::ids::MessageId;
use crate::input::Recipient;
use crate::limits::Limits;
use crate::moment::Moment;

/// One message for one session.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// Under which id the store keeps it, if it does.
    pub(crate) id: Option<MessageId>,
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: SmallVec<[SubscriptionIdentifier; 2]>,
    pub(crate) received_at: Moment,
    pub(crate) shared: Option<Arc<TopicFilter>>,
}

impl Pending {
    pub(crate) fn new(id: Option<MessageId>, message: &Arc<Message>, received_at: Moment, recipient: Recipient) -> Self {
        Self {
            id,
            message: Arc::clone(message),
            qos: recipient.qos,
            retain: recipient.retain,
            identifiers: recipient.identifiers,
            received_at,
            shared: recipient.shared,
        }
    }

    /// Whether the Message Expiry Interval has passed [MQTT-3.3.2-5].
    pub(crate) fn is_expired(&self, now: Moment) -> bool {
        expires_at(&self.message, self.received_at).is_some_and(|at| at <= now)
    }

    /// What is left of the Message Expiry Interval in seconds, rounded up [MQTT-3.3.2-6].
    pub(crate) fn remaining(&self, now: Moment) -> Option<u32> {
        expires_at(&self.message, self.received_at).map(|at| u32::try_from(at.millis_since(now).div_ceil(1000)).unwrap_or(u32::MAX))
    }
}

/// When a message expires, if it does.
pub(crate) fn expires_at(message: &Message, received_at: Moment) -> Option<Moment> {
    message.properties.message_expiry_interval.map(|seconds| received_at.plus_seconds(seconds))
}

/// First in, first out. When it is full the newest message is refused: what is already promised to come first stays, and order is kept.
///
/// The retained messages that a new subscription starts with wait here too, so that what is published after them comes after them. They are
/// references to what the broker keeps anyway: not the queue's limits bound them but the number of retained messages.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
    /// How many of them are starts.
    starts: usize,
    /// How many of the others have QoS 0. They wait only because something older has to go first.
    passing: usize,
    /// Bytes of the messages that are no starts.
    bytes: usize,
    /// Nothing here expires earlier; nothing expires at all if there is none.
    first_expiry: Option<Moment>,
}

#[derive(Debug)]
struct Entry {
    pending: Pending,
    is_start: bool,
}

impl Queue {
    /// Adds a message at the end. Returns false if there is no room.
    pub(crate) fn push(&mut self, pending: Pending, limits: &Limits) -> bool {
        let bytes = self.bytes.saturating_add(pending.message.size());
        if self.entries.len() - self.starts >= limits.queued_messages_maximum || bytes > limits.queued_bytes_maximum {
            return false;
        }
        self.add(Entry { pending, is_start: false });
        true
    }

    /// Adds a retained message that a new subscription starts with. Returns false if there is no room.
    pub(crate) fn push_start(&mut self, pending: Pending, limits: &Limits) -> bool {
        let has_room = self.starts < limits.total.retained_messages_maximum;
        if has_room {
            self.add(Entry { pending, is_start: true });
        }
        has_room
    }

    /// Whether a QoS 0 message published now would overtake an older one that waits here.
    pub(crate) fn holds_qos0(&self) -> bool {
        self.starts + self.passing > 0
    }

    /// QoS of the oldest message.
    pub(crate) fn next_qos(&self) -> Option<QoS> {
        self.entries.front().map(|entry| entry.pending.qos)
    }

    /// Takes the oldest message.
    pub(crate) fn pop(&mut self) -> Option<Pending> {
        let entry = self.entries.pop_front()?;
        self.count(&entry, usize::wrapping_sub);
        Some(entry.pending)
    }

    /// Drops what expired, to make room. Returns how many. A full queue asks this with every message, so it must not be walked in vain.
    pub(crate) fn drop_expired(&mut self, now: Moment) -> usize {
        if self.first_expiry.is_none_or(|at| at > now) {
            return 0;
        }
        self.keep(|pending| !pending.is_expired(now))
    }

    /// Drops what has QoS 0: the client is gone, and QoS 0 is for those who are there.
    pub(crate) fn drop_qos0(&mut self) {
        if self.holds_qos0() {
            self.keep(|pending| pending.qos > QoS::AtMostOnce);
        }
    }

    /// What is left when the session ends.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = Pending> {
        self.entries.into_iter().map(|entry| entry.pending)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn keep(&mut self, is_kept: impl Fn(&Pending) -> bool) -> usize {
        let before = self.entries.len();
        let entries = std::mem::take(self).entries;
        entries.into_iter().filter(|entry| is_kept(&entry.pending)).for_each(|entry| self.add(entry));
        before - self.entries.len()
    }

    fn add(&mut self, entry: Entry) {
        self.count(&entry, usize::wrapping_add);
        let expiry = expires_at(&entry.pending.message, entry.pending.received_at);
        self.first_expiry = self.first_expiry.into_iter().chain(expiry).min();
        self.entries.push_back(entry);
    }

    fn count(&mut self, entry: &Entry, change: impl Fn(usize, usize) -> usize) {
        if entry.is_start {
            self.starts = change(self.starts, 1);
            return;
        }
        self.bytes = change(self.bytes, entry.pending.message.size());
        self.passing = change(self.passing, usize::from(entry.pending.qos == QoS::AtMostOnce));
    }
}
