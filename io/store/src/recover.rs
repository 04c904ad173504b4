//! From records back to the state of the broker.
//!
//! Two passes: the first lets the index find out which records are needed ([`Index::apply`]), the second reads those alone in full. So what
//! history left behind costs a glance at its header, and memory is taken for what is live.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use signet_broker::{Image, MessageImage, Moment, RetainedImage, SessionId, SessionImage, SubscriptionImage};
use signet_mqtt::{ClientIdentifier, PacketId, Will};
use signet_policy::Client;

use crate::index::{Index, Key, Location};
use crate::record::{Record, RecordError, read_client, read_message, read_subscription, read_will, recipients, records};

/// The state that these records, one after the other, leave behind. For records that are kept elsewhere than in the journal.
///
/// # Errors
/// The bytes are no records.
pub fn image_of(bytes: &[u8]) -> Result<Image, RecordError> {
    let mut index = Index::default();
    apply(&mut index, 1, 0, bytes)?;
    let mut reader = Reader::default();
    reader.read(&index, 1, 0, bytes)?;
    Ok(reader.finish(&mut index))
}

/// First pass over records of a segment that begin at `offset`.
pub(crate) fn apply(index: &mut Index, segment: u32, offset: u32, bytes: &[u8]) -> Result<(), RecordError> {
    for located in records(bytes) {
        let located = located?;
        index.apply(&located.record, location(segment, offset, located.offset, located.bytes.len()))?;
    }
    Ok(())
}

/// Places in the journal fit: a segment is at most a little over 1 GiB.
pub(crate) fn location(segment: u32, base: u32, offset: usize, length: usize) -> Location {
    let offset = base.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
    Location { segment, offset, length: u32::try_from(length).unwrap_or(u32::MAX) }
}

/// Second pass: gathers what is needed.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    sessions: HashMap<SessionId, Session, RandomState>,
    image: Image,
}

/// What is known of a session; its records come in any order.
#[derive(Debug, Default)]
struct Session {
    opened: Option<(Client, u32)>,
    left: Option<Option<Moment>>,
    will: Option<(Will, Option<Moment>)>,
    subscriptions: Vec<SubscriptionImage>,
    messages: Vec<MessageImage>,
    received: Vec<PacketId>,
}

impl Reader {
    /// Reads what `index` says is needed of records that begin at `offset`.
    pub(crate) fn read(&mut self, index: &Index, segment: u32, offset: u32, bytes: &[u8]) -> Result<(), RecordError> {
        for located in records(bytes) {
            let located = located?;
            if index.is_needed(&located.record, location(segment, offset, located.offset, located.bytes.len())) {
                self.take(index, &located.record)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, index: &Index, record: &Record<'_>) -> Result<(), RecordError> {
        match *record {
            Record::SessionOpened { session, expiry, client } => self.of(session).opened = Some((read_client(client)?, expiry)),
            Record::SessionLeft { session, ends_at } => self.of(session).left = Some(ends_at),
            Record::SubscriptionAdded { session, key, subscription } => {
                let stored = read_subscription(subscription)?;
                self.of(session).subscriptions.push(SubscriptionImage {
                    key,
                    filter: stored.filter,
                    options: stored.options,
                    identifier: stored.identifier,
                    starting: stored.starting,
                });
            }
            Record::MessageQueued { id, received_at, recipients: told, message } => {
                let message = Arc::new(read_message(message)?);
                for recipient in recipients(told) {
                    let recipient = recipient?;
                    if let Some(stage) = index.messages().stage(recipient.session, id) {
                        let recipient = recipient.read()?;
                        let message = Arc::clone(&message);
                        self.of(recipient.session).messages.push(MessageImage { id, message, received_at, recipient, stage });
                    }
                }
            }
            Record::ReceivedQos2 { session, packet_id } => self.of(session).received.push(packet_id),
            Record::RetainedSet { id, received_at, publisher, message, .. } => self.image.retained.push(RetainedImage {
                id,
                message: Arc::new(read_message(message)?),
                publisher: ClientIdentifier::new(publisher),
                received_at,
            }),
            Record::WillSet { session, due, will } => self.of(session).will = Some((read_will(will)?, due)),
            _ => {}
        }
        Ok(())
    }

    fn of(&mut self, session: SessionId) -> &mut Session {
        self.sessions.entry(session).or_default()
    }

    /// Puts it together. What belongs to a session that is gone is nobody's: `index` forgets it, except for messages of a Shared
    /// Subscription, which another member gets.
    pub(crate) fn finish(mut self, index: &mut Index) -> Image {
        for (id, mut session) in self.sessions {
            session.messages.sort_by_key(|message| message.id);
            let Some((client, expiry)) = session.opened else {
                forget(index, id, &session);
                self.image.orphans.extend(session.messages.into_iter().filter(|message| message.recipient.shared.is_some()));
                continue;
            };
            self.image.sessions.push(SessionImage {
                session: id,
                client,
                expiry,
                left: session.left,
                will: session.will,
                subscriptions: session.subscriptions,
                messages: session.messages,
                received: session.received,
            });
        }
        index.forget_unknown();
        // In an order of their own, so that two readings of one journal give the same.
        self.image.sessions.sort_by_key(|session| session.session);
        self.image.retained.sort_by_key(|retained| retained.id);
        self.image.orphans.sort_by_key(|message| (message.id, message.recipient.session));
        self.image.first_free = index.first_free();
        self.image
    }
}

/// A crash of an earlier version, or a repair, may leave something behind of a session that is gone.
fn forget(index: &mut Index, id: SessionId, session: &Session) {
    for key in [Key::Left(id), Key::Will(id)] {
        index.remove(key);
    }
    for subscription in &session.subscriptions {
        index.remove(Key::Subscription(id, subscription.key));
    }
    for packet_id in &session.received {
        index.remove(Key::Received(id, packet_id.get()));
    }
    for message in session.messages.iter().filter(|message| message.recipient.shared.is_none()) {
        index.message_done(id, message.id);
    }
}
