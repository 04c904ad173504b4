//! What a restarted broker is given: the state that its changes ([`crate::Change`]) left in the store.

use std::sync::Arc;

use signet_mqtt::{ClientIdentifier, Message, PacketId, SubscriptionIdentifier, SubscriptionOptions, TopicFilter, Will};
use signet_policy::Client;

use crate::ids::{MessageId, RetainedId, SessionId, owner_shard};
use crate::input::Recipient;
use crate::moment::Moment;
use crate::store::Starting;

/// Everything that was stored.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// All sessions, in any order.
    pub sessions: Vec<SessionImage>,
    /// All retained messages, in any order, for [`crate::Directory::restore`].
    pub retained: Vec<RetainedImage>,
    /// Messages of a Shared Subscription whose chosen session is gone: somebody else is to get them.
    pub orphans: Vec<MessageImage>,
    /// Above the count ([`crate::count_of`]) of every id the store has ever seen.
    pub first_free: u64,
}

/// One shard's part of it, for [`crate::Broker::restore`].
#[derive(Debug, Clone, Default)]
pub struct ShardImage {
    /// The sessions that the shard owns.
    pub sessions: Vec<SessionImage>,
    /// Orphans, each in one shard.
    pub orphans: Vec<MessageImage>,
    /// The same for every shard.
    pub first_free: u64,
}

/// One stored session.
#[derive(Debug, Clone)]
pub struct SessionImage {
    /// Which.
    pub session: SessionId,
    /// Whose ([`Client::restored`]).
    pub client: Client,
    /// Session Expiry Interval in seconds. Zero for a session that ended with the process and is stored for the sake of its Will.
    pub expiry: u32,
    /// Nothing: it had a connection when the process died. Otherwise when it ends, if ever.
    pub left: Option<Option<Moment>>,
    /// Its Will, and when that is due if it waits for its delay.
    pub will: Option<(Will, Option<Moment>)>,
    /// Its subscriptions, in any order.
    pub subscriptions: Vec<SubscriptionImage>,
    /// What waits for it or is on its way to it, by rising id.
    pub messages: Vec<MessageImage>,
    /// Packet Identifiers of QoS 2 messages received from it and not released.
    pub received: Vec<PacketId>,
}

/// One stored subscription.
#[derive(Debug, Clone)]
pub struct SubscriptionImage {
    /// Which one of the session.
    pub key: u32,
    /// To what.
    pub filter: TopicFilter,
    /// How.
    pub options: SubscriptionOptions,
    /// Its identifier.
    pub identifier: Option<SubscriptionIdentifier>,
    /// Which retained messages are to be looked up again.
    pub starting: Option<Starting>,
}

/// One stored message, for one session. All sessions that have the same message should share it.
#[derive(Debug, Clone)]
pub struct MessageImage {
    /// Which.
    pub id: MessageId,
    /// The message.
    pub message: Arc<Message>,
    /// When it was accepted.
    pub received_at: Moment,
    /// For whom and how. The shard in it means nothing any more.
    pub recipient: Recipient,
    /// How far it got.
    pub stage: StageImage,
}

/// How far a stored message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageImage {
    /// It waits in the queue.
    Queued,
    /// PUBLISH went out, or was about to.
    Sent {
        /// Under which Packet Identifier.
        packet_id: PacketId,
        /// Its place in the order of first sending.
        order: u64,
    },
    /// PUBREC came.
    Released {
        /// Under which Packet Identifier.
        packet_id: PacketId,
        /// Its place in the order of first sending.
        order: u64,
    },
}

/// One stored retained message.
#[derive(Debug, Clone)]
pub struct RetainedImage {
    /// Which.
    pub id: RetainedId,
    /// The message.
    pub message: Arc<Message>,
    /// Who published it.
    pub publisher: ClientIdentifier,
    /// When it was accepted.
    pub received_at: Moment,
}

impl Image {
    /// Takes it apart: the retained messages for the directory, and a part for each of `shards` shards.
    #[must_use]
    pub fn split(self, shards: u16) -> (Vec<RetainedImage>, Vec<ShardImage>) {
        let part = || ShardImage { first_free: self.first_free, ..ShardImage::default() };
        let mut parts: Vec<ShardImage> = (0..shards.max(1)).map(|_| part()).collect();
        for session in self.sessions {
            let owner = owner_shard(&session.client.session_key(), shards);
            if let Some(part) = parts.get_mut(usize::from(owner.0)) {
                part.sessions.push(session);
            }
        }
        // Any shard will do.
        if let Some(first) = parts.first_mut() {
            first.orphans = self.orphans;
        }
        (self.retained, parts)
    }
}
