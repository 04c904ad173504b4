//! Messages that wait for their turn, in a bounded queue.

use std::collections::VecDeque;
use std::sync::Arc;

use signet_mqtt::{Message, QoS, SubscriptionIdentifier, TopicFilter};
use smallvec::SmallVec;

use crate::input::Recipient;
use crate::limits::Limits;
use crate::moment::Moment;

/// One message for one session.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: SmallVec<[SubscriptionIdentifier; 2]>,
    pub(crate) received_at: Moment,
    pub(crate) shared: Option<Arc<TopicFilter>>,
}

impl Pending {
    pub(crate) fn new(message: &Arc<Message>, received_at: Moment, recipient: Recipient) -> Self {
        Self {
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

/// Bytes of what a client sent, properties included: what the byte limits count.
pub(crate) fn message_bytes(message: &Message) -> usize {
    let properties = &message.properties;
    let texts: usize = properties.user_properties.iter().map(|(name, value)| name.len() + value.len()).sum();
    let optional = properties.response_topic.as_ref().map_or(0, |topic| topic.as_str().len())
        + properties.correlation_data.as_ref().map_or(0, bytes::Bytes::len)
        + properties.content_type.as_ref().map_or(0, |text| text.len());
    message.topic.as_str().len() + message.payload.len() + texts + optional
}

/// First in, first out. When it is full the newest message is refused: what is already promised to come first stays, and order is kept.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    messages: VecDeque<Pending>,
    bytes: usize,
}

impl Queue {
    /// Adds a message at the end. Returns false if there is no room.
    pub(crate) fn push(&mut self, pending: Pending, limits: &Limits) -> bool {
        let bytes = self.bytes.saturating_add(message_bytes(&pending.message));
        if self.messages.len() >= limits.queued_messages_maximum || bytes > limits.queued_bytes_maximum {
            return false;
        }
        self.bytes = bytes;
        self.messages.push_back(pending);
        true
    }

    /// Takes the oldest message.
    pub(crate) fn pop(&mut self) -> Option<Pending> {
        let pending = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(message_bytes(&pending.message));
        Some(pending)
    }

    /// Drops what expired, to make room. Returns how many.
    pub(crate) fn drop_expired(&mut self, now: Moment) -> usize {
        let before = self.messages.len();
        self.messages.retain(|pending| !pending.is_expired(now));
        self.bytes = self.messages.iter().map(|pending| message_bytes(&pending.message)).sum();
        before - self.messages.len()
    }

    /// What is left when the session ends.
    pub(crate) fn into_messages(self) -> impl Iterator<Item = Pending> {
        self.messages.into_iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
