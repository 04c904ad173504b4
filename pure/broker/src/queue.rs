//! Messages that wait for their turn, in a bounded queue.

use std::collections::VecDeque;
use std::sync::Arc;

use signet_mqtt::{Message, QoS, TopicFilter};

use crate::identifiers::SubscriptionIdentifiers;
use crate::ids::{MessageId, RetainedId, SessionId, ShardId};
use crate::input::Recipient;
use crate::limits::Limits;
use crate::moment::Moment;
use crate::totals::Load;

/// One message for one session.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// Under which id the store keeps it, if it does.
    pub(crate) id: Option<MessageId>,
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: SubscriptionIdentifiers,
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

    /// The same as the store is told of it.
    pub(crate) fn recipient(&self, session: SessionId, shard: ShardId) -> Recipient {
        Recipient { session, shard, qos: self.qos, retain: self.retain, identifiers: self.identifiers.clone(), shared: self.shared.clone() }
    }

    /// Whether the Message Expiry Interval has passed [MQTT-3.3.2-5].
    pub(crate) fn is_expired(&self, now: Moment) -> bool {
        expires_at(&self.message, self.received_at).is_some_and(|at| at <= now)
    }

    /// What is left of the Message Expiry Interval in seconds, rounded up [MQTT-3.3.2-6]. Never more than there was, even if the clock of an
    /// earlier run of the process was ahead.
    pub(crate) fn remaining(&self, now: Moment) -> Option<u32> {
        let interval = self.message.properties.message_expiry_interval?;
        let left = expires_at(&self.message, self.received_at)?.millis_since(now).div_ceil(1000);
        Some(u32::try_from(left).unwrap_or(u32::MAX).min(interval))
    }
}

/// When a message expires, if it does.
pub(crate) fn expires_at(message: &Message, received_at: Moment) -> Option<Moment> {
    message.properties.message_expiry_interval.map(|seconds| received_at.plus_seconds(seconds))
}

/// What makes a waiting message the start of a subscription.
#[derive(Debug)]
pub(crate) struct Start {
    /// The subscription: its filter, and its number, which another one to the same filter does not have.
    pub(crate) filter: TopicFilter,
    pub(crate) key: u32,
    /// The retained message.
    pub(crate) retained: RetainedId,
    /// Whether it is kept in the store once it is on its way.
    pub(crate) is_stored: bool,
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
    start: Option<Box<Start>>,
}

impl Queue {
    /// Adds a message at the end, or gives it back if there is no room.
    pub(crate) fn push(&mut self, pending: Pending, limits: &Limits) -> Result<(), Pending> {
        let bytes = self.bytes.saturating_add(pending.message.size());
        if self.entries.len() - self.starts >= limits.queued_messages_maximum || bytes > limits.queued_bytes_maximum {
            return Err(pending);
        }
        self.push_restored(pending);
        Ok(())
    }

    /// Adds a message that was accepted once, whatever the limits are now.
    pub(crate) fn push_restored(&mut self, pending: Pending) {
        self.add(Entry { pending, start: None });
    }

    /// Adds a retained message that a new subscription starts with. Returns false if there is no room.
    pub(crate) fn push_start(&mut self, pending: Pending, start: Start, maximum: usize) -> bool {
        let has_room = self.starts < maximum;
        if has_room {
            self.add(Entry { pending, start: Some(Box::new(start)) });
        }
        has_room
    }

    /// Whether a subscription has still to start.
    pub(crate) fn is_starting(&self) -> bool {
        self.starts > 0
    }

    /// Whether a QoS 0 message published now would overtake an older one that waits here.
    pub(crate) fn holds_qos0(&self) -> bool {
        self.starts + self.passing > 0
    }

    /// QoS of the oldest message.
    pub(crate) fn next_qos(&self) -> Option<QoS> {
        self.entries.front().map(|entry| entry.pending.qos)
    }

    /// Takes the oldest message, and says what it starts if it is a start.
    pub(crate) fn pop(&mut self) -> Option<(Pending, Option<Box<Start>>)> {
        let entry = self.entries.pop_front()?;
        self.count(&entry, usize::wrapping_sub);
        Some((entry.pending, entry.start))
    }

    /// Takes out what expired, to make room. A full queue asks this with every message, so it must not be walked in vain.
    pub(crate) fn take_expired(&mut self, now: Moment) -> Vec<Pending> {
        if self.first_expiry.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.withdraw(|pending, _| !pending.is_expired(now))
    }

    /// Drops what has QoS 0: the client is gone, and QoS 0 is for those who are there.
    pub(crate) fn drop_qos0(&mut self) {
        if self.holds_qos0() {
            self.withdraw(|pending, _| pending.qos != QoS::AtMostOnce);
        }
    }

    /// What is left when the session ends.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = Pending> {
        self.entries.into_iter().map(|entry| entry.pending)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What waits here, without starts.
    pub(crate) fn load(&self) -> Load {
        Load { messages: self.entries.len() - self.starts, bytes: self.bytes }
    }

    /// Takes out what is not kept. Walks the whole queue.
    pub(crate) fn withdraw(&mut self, is_kept: impl Fn(&Pending, Option<&Start>) -> bool) -> Vec<Pending> {
        let mut taken = Vec::new();
        for entry in std::mem::take(self).entries {
            if is_kept(&entry.pending, entry.start.as_deref()) {
                self.add(entry);
            } else {
                taken.push(entry.pending);
            }
        }
        taken
    }

    fn add(&mut self, entry: Entry) {
        self.count(&entry, usize::wrapping_add);
        let expiry = expires_at(&entry.pending.message, entry.pending.received_at);
        self.first_expiry = self.first_expiry.into_iter().chain(expiry).min();
        self.entries.push_back(entry);
    }

    fn count(&mut self, entry: &Entry, change: impl Fn(usize, usize) -> usize) {
        if entry.start.is_some() {
            self.starts = change(self.starts, 1);
            return;
        }
        self.bytes = change(self.bytes, entry.pending.message.size());
        self.passing = change(self.passing, usize::from(entry.pending.qos == QoS::AtMostOnce));
    }
}
