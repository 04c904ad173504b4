//! The seam to durable storage. The broker appends what changed and promises nothing to a client before that is durable.

use std::sync::Arc;

use signet_mqtt::{ClientIdentifier, Message, PacketId, SubscriptionIdentifier, SubscriptionOptions, TopicFilter, TopicName, Will};

use crate::ids::SessionId;
use crate::input::Recipient;
use crate::moment::Moment;

/// A place in the order of changes of one store. A ticket is durable when every change up to it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Nothing to wait for.
    pub const NONE: Self = Self(0);
}

/// Where changes go. A call must not block: it queues the change and says which ticket covers it.
pub trait Store {
    /// Takes a change in order. Returns [`Ticket::NONE`] if it is durable at once, or never will be (memory).
    fn append(&mut self, change: &Change<'_>) -> Ticket;
}

/// One thing that a restarted broker has to know.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// A session was created or resumed. A Will it had before is void.
    SessionOpened {
        /// Which.
        session: SessionId,
        /// Under which name it can be resumed.
        client_identifier: &'a ClientIdentifier,
        /// How long it outlives its connection, in seconds; `u32::MAX` for ever.
        expiry: u32,
    },
    /// The session has no connection any more and ends then, unless it is resumed before.
    SessionExpires {
        /// Which.
        session: SessionId,
        /// When; nothing for never.
        at: Option<Moment>,
    },
    /// The session ended: everything it held is gone.
    SessionRemoved {
        /// Which.
        session: SessionId,
    },
    /// A subscription was made or replaced.
    SubscriptionAdded {
        /// Whose.
        session: SessionId,
        /// To what.
        filter: &'a TopicFilter,
        /// How.
        options: &'a SubscriptionOptions,
        /// Its identifier.
        identifier: Option<SubscriptionIdentifier>,
    },
    /// A subscription ended.
    SubscriptionRemoved {
        /// Whose.
        session: SessionId,
        /// To what.
        filter: &'a TopicFilter,
    },
    /// A message was accepted for these sessions, possibly of several shards. The body once, a reference for each.
    MessageQueued {
        /// The message.
        message: &'a Arc<Message>,
        /// Who is to get it with QoS 1 or 2.
        recipients: &'a [Recipient],
        /// When it was accepted; its expiry counts from here.
        received_at: Moment,
    },
    /// A queued message got its Packet Identifier and went out.
    MessageSent {
        /// To whom.
        session: SessionId,
        /// Under which Packet Identifier.
        packet_id: PacketId,
    },
    /// PUBREC: the message itself need not be kept any more.
    MessageReleased {
        /// By whom.
        session: SessionId,
        /// Which.
        packet_id: PacketId,
    },
    /// PUBACK or PUBCOMP: the exchange is over.
    MessageAcknowledged {
        /// By whom.
        session: SessionId,
        /// Which.
        packet_id: PacketId,
    },
    /// A QoS 2 message arrived under this Packet Identifier and must not be taken a second time.
    ReceivedQos2 {
        /// From whom.
        session: SessionId,
        /// Which.
        packet_id: PacketId,
    },
    /// PUBREL: the Packet Identifier is free again.
    ReleasedQos2 {
        /// From whom.
        session: SessionId,
        /// Which.
        packet_id: PacketId,
    },
    /// A retained message was set or replaced.
    RetainedSet {
        /// The message.
        message: &'a Arc<Message>,
        /// When it was accepted.
        received_at: Moment,
    },
    /// A retained message was cleared.
    RetainedCleared {
        /// Which.
        topic: &'a TopicName,
    },
    /// A session has a Will to be published if its connection is lost.
    WillSet {
        /// Whose.
        session: SessionId,
        /// What.
        will: &'a Will,
    },
    /// The Will was published or discarded.
    WillCleared {
        /// Whose.
        session: SessionId,
    },
}
