//! The broker's changes as bytes. A record is
//!
//! ```text
//! version 1 | kind 1 | length 4 | body
//! ```
//!
//! Numbers are little-endian; lengths inside a body are variable, seven bits an octet. Reading never panics, whatever the bytes are, and never
//! takes more memory than a small multiple of them. A record of a kind or version that is not known is an error: it may hold a promise.

mod client;
mod cursor;
mod message;
mod recipient;

pub(crate) use client::read_client;
use cursor::{Cursor, put_bytes, put_varint};
pub(crate) use message::{read_message, read_will};
pub(crate) use recipient::{StoredRecipient, recipients, retell};
use signet_broker::{Change, MessageId, Moment, RetainedId, SessionId, Starting};
use signet_mqtt::{PacketId, QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions, TopicFilter};

const VERSION: u8 = 1;
/// Version, kind and length.
const HEADER: usize = 6;

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It ends too early, or something in it cannot be.
    #[error("a record of the store is malformed: {0}")]
    Malformed(&'static str),
    /// It was written by another version of this program.
    #[error("a record of the store has version `{0}`: expected 1")]
    Version(u8),
    /// The same.
    #[error("a record of the store has the unknown kind `{0}`")]
    Kind(u8),
}

/// One record, its ids read and the rest left as it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Record<'a> {
    SessionOpened {
        session: SessionId,
        expiry: u32,
        client: &'a [u8],
    },
    SessionLeft {
        session: SessionId,
        ends_at: Option<Moment>,
    },
    SessionReturned {
        session: SessionId,
    },
    SessionRemoved {
        session: SessionId,
    },
    SubscriptionAdded {
        session: SessionId,
        key: u32,
        subscription: &'a [u8],
    },
    SubscriptionRemoved {
        session: SessionId,
        key: u32,
    },
    MessageQueued {
        id: MessageId,
        received_at: Moment,
        recipients: &'a [u8],
        message: &'a [u8],
    },
    MessageSent {
        session: SessionId,
        id: MessageId,
        packet_id: PacketId,
        order: u64,
    },
    MessageReleased {
        session: SessionId,
        id: MessageId,
    },
    MessageDone {
        session: SessionId,
        id: MessageId,
    },
    ReceivedQos2 {
        session: SessionId,
        packet_id: PacketId,
    },
    ReleasedQos2 {
        session: SessionId,
        packet_id: PacketId,
    },
    RetainedSet {
        id: RetainedId,
        replaces: Option<RetainedId>,
        received_at: Moment,
        publisher: &'a str,
        message: &'a [u8],
    },
    RetainedCleared {
        id: RetainedId,
    },
    WillSet {
        session: SessionId,
        due: Option<Moment>,
        will: &'a [u8],
    },
    WillCleared {
        session: SessionId,
    },
    /// No id with a count from here on was ever given out. The store's own: what had the largest ids may be gone.
    FirstFree {
        count: u64,
    },
}

/// Adds a change to `out` as one record.
pub fn encode(change: &Change<'_>, out: &mut Vec<u8>) {
    match change {
        Change::SessionOpened { session, client, expiry } => frame(out, 1, |out| {
            put_u64(out, session.0);
            out.extend_from_slice(&expiry.to_le_bytes());
            client::put_client(out, client);
        }),
        Change::SessionLeft { session, ends_at } => frame(out, 2, |out| {
            put_u64(out, session.0);
            put_moment(out, *ends_at);
        }),
        Change::SessionReturned { session } => frame(out, 3, |out| put_u64(out, session.0)),
        Change::SessionRemoved { session } => frame(out, 4, |out| put_u64(out, session.0)),
        Change::SubscriptionAdded { session, key, filter, options, identifier, starting } => frame(out, 5, |out| {
            put_u64(out, session.0);
            out.extend_from_slice(&key.to_le_bytes());
            put_subscription(out, filter, **options, *identifier, *starting);
        }),
        Change::SubscriptionRemoved { session, key } => frame(out, 6, |out| {
            put_u64(out, session.0);
            out.extend_from_slice(&key.to_le_bytes());
        }),
        Change::MessageQueued { id, message, recipients, received_at } => frame(out, 7, |out| {
            put_u64(out, id.0);
            put_u64(out, received_at.as_millis());
            sized(out, |out| recipients.iter().for_each(|recipient| recipient::put_recipient(out, recipient)));
            message::put_message(out, message);
        }),
        Change::MessageSent { session, id, packet_id, order } => frame(out, 8, |out| {
            put_u64(out, session.0);
            put_u64(out, id.0);
            out.extend_from_slice(&packet_id.get().to_le_bytes());
            put_u64(out, *order);
        }),
        Change::MessageReleased { session, id } => frame(out, 9, |out| put_pair(out, *session, *id)),
        Change::MessageDone { session, id } => frame(out, 10, |out| put_pair(out, *session, *id)),
        Change::ReceivedQos2 { session, packet_id } => frame(out, 11, |out| put_packet(out, *session, *packet_id)),
        Change::ReleasedQos2 { session, packet_id } => frame(out, 12, |out| put_packet(out, *session, *packet_id)),
        Change::RetainedSet { id, replaces, message, publisher, received_at } => frame(out, 13, |out| {
            put_u64(out, id.0);
            put_u64(out, replaces.map_or(u64::MAX, |replaces| replaces.0));
            put_u64(out, received_at.as_millis());
            put_bytes(out, publisher.as_str().as_bytes());
            message::put_message(out, message);
        }),
        Change::RetainedCleared { id } => frame(out, 14, |out| put_u64(out, id.0)),
        Change::WillSet { session, will, due } => frame(out, 15, |out| {
            put_u64(out, session.0);
            put_moment(out, *due);
            message::put_will(out, will);
        }),
        Change::WillCleared { session } => frame(out, 16, |out| put_u64(out, session.0)),
    }
}

/// Adds [`Record::FirstFree`].
pub(crate) fn put_first_free(out: &mut Vec<u8>, count: u64) {
    frame(out, 17, |out| put_u64(out, count));
}

fn frame(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[VERSION, kind]);
    sized(out, body);
}

/// What `body` adds, behind its length in four bytes.
fn sized(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_pair(out: &mut Vec<u8>, session: SessionId, id: MessageId) {
    put_u64(out, session.0);
    put_u64(out, id.0);
}

fn put_packet(out: &mut Vec<u8>, session: SessionId, packet_id: PacketId) {
    put_u64(out, session.0);
    out.extend_from_slice(&packet_id.get().to_le_bytes());
}

/// Nothing is the end of time: a moment so late is never meant.
fn put_moment(out: &mut Vec<u8>, moment: Option<Moment>) {
    put_u64(out, moment.map_or(u64::MAX, Moment::as_millis));
}

const NO_LOCAL: u8 = 0b0000_0100;
const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const IS_STARTING: u8 = 0b0100_0000;

fn put_subscription(
    out: &mut Vec<u8>,
    filter: &TopicFilter,
    options: SubscriptionOptions,
    identifier: Option<SubscriptionIdentifier>,
    starting: Option<Starting>,
) {
    let handling: u8 = match options.retain_handling {
        RetainHandling::SendAtSubscribe => 0,
        RetainHandling::SendIfNew => 0b0001_0000,
        RetainHandling::DoNotSend => 0b0010_0000,
    };
    let mut flags = u8::from(options.maximum_qos) | handling;
    for (is_set, flag) in
        [(options.no_local, NO_LOCAL), (options.retain_as_published, RETAIN_AS_PUBLISHED), (starting.is_some(), IS_STARTING)]
    {
        flags |= if is_set { flag } else { 0 };
    }
    out.push(flags);
    put_varint(out, identifier.map_or(0, |identifier| identifier.get().into()));
    if let Some(starting) = starting {
        put_u64(out, starting.after.0);
        put_u64(out, starting.up_to.0);
    }
    put_bytes(out, filter.as_str().as_bytes());
}

/// A stored subscription.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredSubscription {
    pub(crate) filter: TopicFilter,
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
    pub(crate) starting: Option<Starting>,
}

/// Reads the body of a [`Record::SubscriptionAdded`].
pub(crate) fn read_subscription(bytes: &[u8]) -> Result<StoredSubscription, RecordError> {
    let mut cursor = Cursor(bytes);
    let flags = cursor.u8()?;
    let retain_handling = match flags >> 4 & 0b11 {
        0 => RetainHandling::SendAtSubscribe,
        1 => RetainHandling::SendIfNew,
        2 => RetainHandling::DoNotSend,
        _ => return Err(RecordError::Malformed("retain handling")),
    };
    let options = SubscriptionOptions {
        maximum_qos: qos(flags & 0b11)?,
        no_local: flags & NO_LOCAL != 0,
        retain_as_published: flags & RETAIN_AS_PUBLISHED != 0,
        retain_handling,
    };
    let identifier = match cursor.varint()? {
        0 => None,
        number => Some(subscription_identifier(number)?),
    };
    let starting =
        if flags & IS_STARTING == 0 { None } else { Some(Starting { after: RetainedId(cursor.u64()?), up_to: RetainedId(cursor.u64()?) }) };
    let filter = TopicFilter::new(cursor.text()?).map_err(|_| RecordError::Malformed("Topic Filter"))?;
    cursor.end()?;
    Ok(StoredSubscription { filter, options, identifier, starting })
}

fn qos(value: u8) -> Result<QoS, RecordError> {
    QoS::try_from(value).map_err(|_| RecordError::Malformed("QoS"))
}

fn subscription_identifier(value: u64) -> Result<SubscriptionIdentifier, RecordError> {
    u32::try_from(value).ok().and_then(SubscriptionIdentifier::new).ok_or(RecordError::Malformed("Subscription Identifier"))
}

/// One record among others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Located<'a> {
    /// Where it begins in the bytes given to [`records`].
    pub(crate) offset: usize,
    /// All of it, for copying.
    pub(crate) bytes: &'a [u8],
    pub(crate) record: Record<'a>,
}

/// The records in `bytes`, one after the other, up to the first that is none.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = Result<Located<'_>, RecordError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let offset = bytes.len() - rest.len();
        match read(&mut rest) {
            Ok((bytes, record)) => Some(Ok(Located { offset, bytes, record })),
            Err(error) => {
                rest = &[];
                Some(Err(error))
            }
        }
    })
}

fn read<'a>(rest: &mut &'a [u8]) -> Result<(&'a [u8], Record<'a>), RecordError> {
    let all = *rest;
    let mut cursor = Cursor(all);
    let version = cursor.u8()?;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let kind = cursor.u8()?;
    let body = cursor.sized()?;
    let (bytes, after) = all.split_at_checked(HEADER + body.len()).ok_or(RecordError::Malformed("its end is missing"))?;
    *rest = after;
    Ok((bytes, read_body(kind, Cursor(body))?))
}

fn read_body(kind: u8, mut cursor: Cursor<'_>) -> Result<Record<'_>, RecordError> {
    let record = match kind {
        1 => Record::SessionOpened { session: cursor.session()?, expiry: cursor.u32()?, client: cursor.rest() },
        2 => Record::SessionLeft { session: cursor.session()?, ends_at: cursor.moment()? },
        3 => Record::SessionReturned { session: cursor.session()? },
        4 => Record::SessionRemoved { session: cursor.session()? },
        5 => Record::SubscriptionAdded { session: cursor.session()?, key: cursor.u32()?, subscription: cursor.rest() },
        6 => Record::SubscriptionRemoved { session: cursor.session()?, key: cursor.u32()? },
        7 => Record::MessageQueued {
            id: MessageId(cursor.u64()?),
            received_at: Moment::from_millis(cursor.u64()?),
            recipients: cursor.sized()?,
            message: cursor.rest(),
        },
        8 => Record::MessageSent {
            session: cursor.session()?,
            id: MessageId(cursor.u64()?),
            packet_id: cursor.packet_id()?,
            order: cursor.u64()?,
        },
        9 => Record::MessageReleased { session: cursor.session()?, id: MessageId(cursor.u64()?) },
        10 => Record::MessageDone { session: cursor.session()?, id: MessageId(cursor.u64()?) },
        11 => Record::ReceivedQos2 { session: cursor.session()?, packet_id: cursor.packet_id()? },
        12 => Record::ReleasedQos2 { session: cursor.session()?, packet_id: cursor.packet_id()? },
        13 => Record::RetainedSet {
            id: RetainedId(cursor.u64()?),
            replaces: Some(cursor.u64()?).filter(|id| *id != u64::MAX).map(RetainedId),
            received_at: Moment::from_millis(cursor.u64()?),
            publisher: cursor.text()?,
            message: cursor.rest(),
        },
        14 => Record::RetainedCleared { id: RetainedId(cursor.u64()?) },
        15 => Record::WillSet { session: cursor.session()?, due: cursor.moment()?, will: cursor.rest() },
        16 => Record::WillCleared { session: cursor.session()? },
        17 => Record::FirstFree { count: cursor.u64()? },
        other => return Err(RecordError::Kind(other)),
    };
    cursor.end()?;
    Ok(record)
}

#[cfg(test)]
pub(crate) mod tests;
