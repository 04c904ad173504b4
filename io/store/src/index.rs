//! What is still needed of the journal, and where it stands. In memory, for the writer only.
//!
//! Cost, without the spare room of hash maps (up to half of it): a stored session, retained message, Will or received Packet Identifier, and the
//! first subscription of a session, 24 bytes; a further one 15 bytes; a message with up to two recipients 56 bytes, with more 8 bytes and a bit for
//! each beyond; a delivery that is on its way 32 bytes. Bodies are on disk only.
//!
//! Only "put" records and messages are ever needed again. What takes something back, or says how far a message got, stands behind what it is
//! about wherever compaction has moved that, because compaction moves the oldest first and tells all it knows. So it dies with its segment. The
//! other way round, whoever reads the journal from its present start may hear of things that come only later, in full, and must not mind.

mod messages;
mod parts;
mod puts;
mod segments;

pub(crate) use messages::Messages;
use puts::Puts;
use segments::Segments;
use signet_broker::{MessageId, RetainedId, SessionId, StageImage, count_of};

use crate::record::{Record, RecordError, recipients};

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) segment: u32,
    /// In the segment's file.
    pub(crate) offset: u32,
    /// Of the whole record.
    pub(crate) length: u32,
}

/// What a put record replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Session(SessionId),
    Left(SessionId),
    Will(SessionId),
    Subscription(SessionId, u32),
    Received(SessionId, u16),
    Retained(RetainedId),
    FirstFree,
}

impl Key {
    /// What the record puts, if it is one that puts.
    pub(crate) fn of(record: &Record<'_>) -> Option<Self> {
        match *record {
            Record::SessionOpened { session, .. } => Some(Self::Session(session)),
            Record::SessionLeft { session, .. } => Some(Self::Left(session)),
            Record::SubscriptionAdded { session, key, .. } => Some(Self::Subscription(session, key)),
            Record::ReceivedQos2 { session, packet_id } => Some(Self::Received(session, packet_id.get())),
            Record::RetainedSet { id, .. } => Some(Self::Retained(id)),
            Record::WillSet { session, .. } => Some(Self::Will(session)),
            Record::FirstFree { .. } => Some(Self::FirstFree),
            _ => None,
        }
    }
}

/// See the file's documentation.
#[derive(Debug, Default)]
pub(crate) struct Index {
    puts: Puts,
    messages: Messages,
    segments: Segments,
    sessions: u64,
    retained: u64,
    first_free: u64,
}

impl Index {
    /// Takes a record that stands at `location`, in the order of the journal.
    pub(crate) fn apply(&mut self, record: &Record<'_>, location: Location) -> Result<(), RecordError> {
        self.see(record);
        if let Some(key) = Key::of(record) {
            self.put(key, location);
        }
        match *record {
            Record::SessionReturned { session } => self.remove(Key::Left(session)),
            Record::SessionRemoved { session } => {
                for key in [Key::Session(session), Key::Left(session), Key::Will(session)] {
                    self.remove(key);
                }
            }
            Record::SubscriptionRemoved { session, key } => self.remove(Key::Subscription(session, key)),
            Record::ReleasedQos2 { session, packet_id } => self.remove(Key::Received(session, packet_id.get())),
            Record::RetainedSet { id, replaces: Some(replaces), .. } if replaces != id => self.remove(Key::Retained(replaces)),
            Record::RetainedCleared { id } => self.remove(Key::Retained(id)),
            Record::WillCleared { session } => self.remove(Key::Will(session)),
            Record::MessageQueued { id, recipients: told, .. } if !told.is_empty() => {
                self.segments.add(location);
                if let Some(former) = self.messages.put(id, location, recipients(told))? {
                    self.segments.subtract(former);
                }
            }
            Record::MessageSent { session, id, packet_id, order } => {
                self.messages.set_stage(session, id, StageImage::Sent { packet_id, order });
            }
            Record::MessageReleased { session, id } => self.messages.release(session, id),
            Record::MessageDone { session, id } => self.message_done(session, id),
            _ => {}
        }
        Ok(())
    }

    /// The session does not need the message any more.
    pub(crate) fn message_done(&mut self, session: SessionId, id: MessageId) {
        if let Some(former) = self.messages.done(session, id) {
            self.segments.subtract(former);
        }
    }

    fn put(&mut self, key: Key, location: Location) {
        self.segments.add(location);
        match self.puts.insert(key, location) {
            Some(former) => self.segments.subtract(former),
            None => self.count(key, true),
        }
    }

    pub(crate) fn remove(&mut self, key: Key) {
        if let Some(former) = self.puts.remove(key) {
            self.segments.subtract(former);
            self.count(key, false);
        }
    }

    fn count(&mut self, key: Key, more: bool) {
        let count = match key {
            Key::Session(_) => &mut self.sessions,
            Key::Retained(_) => &mut self.retained,
            _ => return,
        };
        *count = if more { *count + 1 } else { count.saturating_sub(1) };
    }

    /// Remembers the largest id.
    fn see(&mut self, record: &Record<'_>) {
        let count = match *record {
            Record::MessageQueued { id, .. } | Record::MessageSent { id, .. } | Record::MessageDone { id, .. } => count_of(id.0) + 1,
            Record::SessionOpened { session, .. } | Record::SessionRemoved { session } => count_of(session.0) + 1,
            Record::RetainedSet { id, .. } | Record::RetainedCleared { id } => count_of(id.0) + 1,
            Record::FirstFree { count } => count,
            _ => 0,
        };
        self.first_free = self.first_free.max(count);
    }

    /// Whether the record at this place is the one that counts for its key or message.
    pub(crate) fn is_needed(&self, record: &Record<'_>, location: Location) -> bool {
        match record {
            Record::MessageQueued { id, .. } => self.messages.location(*id) == Some(location),
            _ => Key::of(record).is_some_and(|key| self.puts.get(key) == Some(location)),
        }
    }

    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Forgets what is known only of messages that are not stored. After reading the whole journal there is nothing more to come.
    pub(crate) fn forget_unknown(&mut self) {
        self.messages.forget_unknown();
    }

    /// Every id ever given out has a lower count.
    pub(crate) fn first_free(&self) -> u64 {
        self.first_free
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.sessions
    }

    pub(crate) fn retained(&self) -> u64 {
        self.retained
    }

    /// Bytes of the records that are needed.
    pub(crate) fn live(&self) -> u64 {
        self.segments.total()
    }

    /// The same of one segment.
    pub(crate) fn live_in(&self, segment: u32) -> u64 {
        self.segments.of(segment)
    }

    /// The segments below are gone. Also a time to give memory back.
    pub(crate) fn forget_segments_before(&mut self, segment: u32) {
        if !self.segments.forget_before(segment) {
            return;
        }
        self.puts.shrink();
        self.messages.shrink();
    }
}

#[cfg(test)]
mod tests;
