//! The seam to durable storage. The broker says what changed and promises nothing to a client before that is durable.
//!
//! Changes are grouped: everything between two calls of [`Store::seal`] stands or falls together, whatever happens to the machine. "Put"
//! changes replace what had the same key, so that telling one twice does no harm.

use std::sync::Arc;

use signet_mqtt::{ClientIdentifier, Message, PacketId, SubscriptionIdentifier, SubscriptionOptions, TopicFilter, Will};
use signet_policy::Client;

use crate::ids::{MessageId, RetainedId, SessionId};
use crate::input::Recipient;
use crate::moment::Moment;

/// A place in the order of changes of one shard's store. A ticket is durable when every change up to it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Nothing to wait for.
    pub const NONE: Self = Self(0);
}

/// How soon a change has to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Somebody waits for it.
    Now,
    /// Nobody waits: with the next batch, or when the flush interval is over.
    Later,
}

/// The retained messages that a subscription has still to start with, which are sent in the order of their ids: those after one and up to
/// another. What is set later is no start but comes like any other message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Starting {
    /// The last one that was sent; zero if none was.
    pub after: RetainedId,
    /// The last one that was there when the subscription was made.
    pub up_to: RetainedId,
}

/// Where the changes of one shard go. No call may block.
pub trait Store {
    /// Takes a change into the transaction under way and says which ticket covers it; [`Ticket::NONE`] if it will never be durable
    /// (memory).
    fn append(&mut self, change: &Change<'_>, urgency: Urgency) -> Ticket;

    /// Ends the transaction: what was appended since the last call stands or falls together. [`crate::Broker::apply`] and
    /// [`crate::Broker::restore`] call it at their end.
    fn seal(&mut self);

    /// Seals, and hands everything to the writer ahead of whatever another shard posts later. The broker calls it while it holds the
    /// directory for writing, so that the order of the store is the order of the directory. Its driver calls it before it gives mail to
    /// other shards, so that no shard tells of a message that the store has not got.
    fn post(&mut self);

    /// The ticket that covers everything appended so far with [`Urgency::Now`]: what a client may have been promised. Whoever waits for it does
    /// not wait for what was to be durable later.
    fn latest(&self) -> Ticket;

    /// Whether there is no room. What would need room that lasts is refused then (0x97); what gives room back is appended all the same.
    fn is_full(&self) -> bool;
}

/// One thing that a restarted broker has to know.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// Put: a session was created, or resumed by a client of which other facts hold. A resumed session of which nothing differs is left
    /// out.
    SessionOpened {
        /// Which.
        session: SessionId,
        /// Whose.
        client: &'a Client,
        /// How long it outlives its connection, in seconds; `u32::MAX` for ever.
        expiry: u32,
    },
    /// Put: the session has no connection any more.
    SessionLeft {
        /// Which.
        session: SessionId,
        /// When it ends, unless it is resumed before; nothing for never.
        ends_at: Option<Moment>,
    },
    /// It has one again: takes [`Self::SessionLeft`] back.
    SessionReturned {
        /// Which.
        session: SessionId,
    },
    /// The session ended, and with it whether it was left. Everything else it held was taken away by changes of its own before, in the same
    /// transaction; what is on its way to it from another shard follows when it arrives.
    SessionRemoved {
        /// Which.
        session: SessionId,
    },
    /// Put: a subscription was made or replaced.
    SubscriptionAdded {
        /// Whose.
        session: SessionId,
        /// Which one of the session, for as long as the session lasts.
        key: u32,
        /// To what.
        filter: &'a TopicFilter,
        /// How.
        options: &'a SubscriptionOptions,
        /// Its identifier.
        identifier: Option<SubscriptionIdentifier>,
        /// Which of the retained messages it starts with were not sent yet; nothing if all were.
        starting: Option<Starting>,
    },
    /// A subscription ended.
    SubscriptionRemoved {
        /// Whose.
        session: SessionId,
        /// Which.
        key: u32,
    },
    /// Put: a message was accepted for sessions, possibly of several shards: the body once, and a reference for each.
    MessageQueued {
        /// Which.
        id: MessageId,
        /// The message.
        message: &'a Arc<Message>,
        /// Who is to get it: with QoS 1 or 2, persistent, and each session once.
        recipients: &'a [Recipient],
        /// When it was accepted; its expiry counts from here.
        received_at: Moment,
    },
    /// It got its Packet Identifier and goes out.
    MessageSent {
        /// To whom.
        session: SessionId,
        /// What.
        id: MessageId,
        /// Under which Packet Identifier.
        packet_id: PacketId,
        /// Rises with every message first sent to the session.
        order: u64,
    },
    /// PUBREC: the client has it, PUBREL follows.
    MessageReleased {
        /// By whom.
        session: SessionId,
        /// What.
        id: MessageId,
    },
    /// It is no longer kept for the session: acknowledged, expired, dropped, or passed on to another.
    MessageDone {
        /// By whom.
        session: SessionId,
        /// What.
        id: MessageId,
    },
    /// Put: a QoS 2 message arrived under this Packet Identifier and must not be taken a second time.
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
    /// Put: a retained message was set.
    RetainedSet {
        /// Which.
        id: RetainedId,
        /// The one it takes the place of.
        replaces: Option<RetainedId>,
        /// The message.
        message: &'a Arc<Message>,
        /// Who published it, for No Local.
        publisher: &'a ClientIdentifier,
        /// When it was accepted.
        received_at: Moment,
    },
    /// A retained message was cleared, or expired.
    RetainedCleared {
        /// Which.
        id: RetainedId,
    },
    /// Put: a session has a Will.
    WillSet {
        /// Whose.
        session: SessionId,
        /// What.
        will: &'a Will,
        /// When it is due, if the connection is gone and it waits for its delay.
        due: Option<Moment>,
    },
    /// The Will was published or discarded.
    WillCleared {
        /// Whose.
        session: SessionId,
    },
}
