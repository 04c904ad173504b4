//! For whom a message is, and how far it got with each: so that compaction can tell everything about a message in one record.

use std::sync::Arc;

use signet_broker::{MessageId, Moment, Recipient, SessionId, ShardId, StageImage};
use signet_mqtt::TopicFilter;

use super::cursor::{Cursor, put_bytes, put_varint};
use super::{RecordError, frame, put_u64, qos, sized, subscription_identifier};

const RETAIN: u8 = 0b0000_0100;
const SHARED: u8 = 0b0000_1000;
const SENT: u8 = 0b0001_0000;
const RELEASED: u8 = 0b0010_0000;
/// What does not tell how far it got.
const CONSTANT: u8 = !(SENT | RELEASED);

/// A new recipient, who has got nothing yet.
pub(crate) fn put_recipient(out: &mut Vec<u8>, recipient: &Recipient) {
    put_u64(out, recipient.session.0);
    let retain = if recipient.retain { RETAIN } else { 0 };
    let shared = if recipient.shared.is_some() { SHARED } else { 0 };
    out.push(u8::from(recipient.qos) | retain | shared);
    put_varint(out, u64::try_from(recipient.identifiers.len()).unwrap_or(u64::MAX));
    for identifier in recipient.identifiers.iter() {
        put_varint(out, identifier.get().into());
    }
    if let Some(filter) = &recipient.shared {
        put_bytes(out, filter.as_str().as_bytes());
    }
}

/// A recipient as it stands in a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StoredRecipient<'a> {
    pub(crate) session: SessionId,
    pub(crate) stage: StageImage,
    flags: u8,
    /// Number of identifiers, identifiers, the filter of a Shared Subscription.
    rest: &'a [u8],
}

impl StoredRecipient<'_> {
    /// All of it. The shard is not known here.
    pub(crate) fn read(&self) -> Result<Recipient, RecordError> {
        let mut cursor = Cursor(self.rest);
        let count = cursor.varint()?;
        let identifiers = (0..count).map(|_| subscription_identifier(cursor.varint()?)).collect::<Result<_, RecordError>>()?;
        let shared = if self.flags & SHARED == 0 {
            None
        } else {
            Some(Arc::new(TopicFilter::new(cursor.text()?).map_err(|_| RecordError::Malformed("Topic Filter"))?))
        };
        cursor.end()?;
        let retain = self.flags & RETAIN != 0;
        Ok(Recipient { session: self.session, shard: ShardId(0), qos: qos(self.flags & 0b11)?, retain, identifiers, shared })
    }

    fn put(&self, out: &mut Vec<u8>, stage: StageImage) {
        put_u64(out, self.session.0);
        let (flags, sent) = match stage {
            StageImage::Queued => (0, None),
            StageImage::Sent { packet_id, order } => (SENT, Some((packet_id, order))),
            StageImage::Released { packet_id, order } => (SENT | RELEASED, Some((packet_id, order))),
        };
        out.push(self.flags & CONSTANT | flags);
        if let Some((packet_id, order)) = sent {
            out.extend_from_slice(&packet_id.get().to_le_bytes());
            put_u64(out, order);
        }
        out.extend_from_slice(self.rest);
    }
}

/// The recipients in a record, one after the other, up to the first that is none.
pub(crate) fn recipients(bytes: &[u8]) -> impl Iterator<Item = Result<StoredRecipient<'_>, RecordError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut cursor = Cursor(rest);
        let recipient = read(&mut cursor);
        rest = if recipient.is_ok() { cursor.0 } else { &[] };
        Some(recipient)
    })
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Result<StoredRecipient<'a>, RecordError> {
    let session = cursor.session()?;
    let flags = cursor.u8()?;
    let stage = match (flags & SENT != 0, flags & RELEASED != 0) {
        (false, false) => StageImage::Queued,
        (true, false) => StageImage::Sent { packet_id: cursor.packet_id()?, order: cursor.u64()? },
        (true, true) => StageImage::Released { packet_id: cursor.packet_id()?, order: cursor.u64()? },
        (false, true) => return Err(RecordError::Malformed("released but not sent")),
    };
    let start = cursor.0;
    for _ in 0..cursor.varint()? {
        cursor.varint()?;
    }
    if flags & SHARED != 0 {
        cursor.bytes()?;
    }
    let rest = start.get(..start.len() - cursor.0.len()).unwrap_or_default();
    Ok(StoredRecipient { session, stage, flags, rest })
}

/// The same message again with what is true of it now: `now` says how far it got with a recipient, nothing if that one is done with it.
pub(crate) fn retell(
    out: &mut Vec<u8>,
    (id, received_at): (MessageId, Moment),
    (told, message): (&[u8], &[u8]),
    mut now: impl FnMut(SessionId) -> Option<StageImage>,
) {
    frame(out, 7, |out| {
        put_u64(out, id.0);
        put_u64(out, received_at.as_millis());
        sized(out, |out| {
            for recipient in recipients(told).flatten() {
                if let Some(stage) = now(recipient.session) {
                    recipient.put(out, stage);
                }
            }
        });
        out.extend_from_slice(message);
    });
}
