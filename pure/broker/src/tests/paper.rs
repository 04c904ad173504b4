//! A store on paper: keeps every change in the order in which a writer would get it, and reads them again the plainest way there is. It is
//! strict: a change about something it does not know is a mistake of the broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signet_mqtt::{Message, PacketId, QoS, Will};
use signet_policy::Client;

use crate::{
    Change, Image, MessageId, MessageImage, Moment, Recipient, RetainedId, RetainedImage, SessionId, SessionImage, StageImage, Store,
    SubscriptionImage, Ticket, Urgency, count_of,
};

/// A change that owns what it is about.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Opened(SessionId, Client, u32),
    Left(SessionId, Option<Moment>),
    Returned(SessionId),
    Removed(SessionId),
    Subscribed(SessionId, SubscriptionImage),
    Unsubscribed(SessionId, u32),
    Queued(MessageId, Arc<Message>, Vec<Recipient>, Moment),
    Sent(SessionId, MessageId, PacketId, u64),
    Released(SessionId, MessageId),
    Done(SessionId, MessageId),
    Received(SessionId, PacketId),
    Freed(SessionId, PacketId),
    Retained(RetainedImage, Option<RetainedId>),
    Cleared(RetainedId),
    Will(SessionId, Will, Option<Moment>),
    NoWill(SessionId),
}

/// What a disk keeps of a client: not where it came from and what it was granted.
fn written(client: &Client) -> Client {
    let username = client.username().map(|username| username.to_owned().into());
    Client::restored(client.principal().clone(), username, client.client_identifier().clone(), client.identity().cloned())
}

impl Kept {
    fn new(change: &Change<'_>) -> Self {
        match change.clone() {
            Change::SessionOpened { session, client, expiry } => Self::Opened(session, written(client), expiry),
            Change::SessionLeft { session, ends_at } => Self::Left(session, ends_at),
            Change::SessionReturned { session } => Self::Returned(session),
            Change::SessionRemoved { session } => Self::Removed(session),
            Change::SubscriptionAdded { session, key, filter, options, identifier, starting } => {
                Self::Subscribed(session, SubscriptionImage { key, filter: filter.clone(), options: *options, identifier, starting })
            }
            Change::SubscriptionRemoved { session, key } => Self::Unsubscribed(session, key),
            Change::MessageQueued { id, message, recipients, received_at } => {
                Self::Queued(id, Arc::clone(message), recipients.to_vec(), received_at)
            }
            Change::MessageSent { session, id, packet_id, order } => Self::Sent(session, id, packet_id, order),
            Change::MessageReleased { session, id } => Self::Released(session, id),
            Change::MessageDone { session, id } => Self::Done(session, id),
            Change::ReceivedQos2 { session, packet_id } => Self::Received(session, packet_id),
            Change::ReleasedQos2 { session, packet_id } => Self::Freed(session, packet_id),
            Change::RetainedSet { id, replaces, message, publisher, received_at } => {
                Self::Retained(RetainedImage { id, message: Arc::clone(message), publisher: publisher.clone(), received_at }, replaces)
            }
            Change::RetainedCleared { id } => Self::Cleared(id),
            Change::WillSet { session, will, due } => Self::Will(session, will.clone(), due),
            Change::WillCleared { session } => Self::NoWill(session),
        }
    }
}

fn name(change: &Change<'_>) -> &'static str {
    match change {
        Change::SessionOpened { .. } => "SessionOpened",
        Change::SessionLeft { .. } => "SessionLeft",
        Change::SessionReturned { .. } => "SessionReturned",
        Change::SessionRemoved { .. } => "SessionRemoved",
        Change::SubscriptionAdded { .. } => "SubscriptionAdded",
        Change::SubscriptionRemoved { .. } => "SubscriptionRemoved",
        Change::MessageQueued { .. } => "MessageQueued",
        Change::MessageSent { .. } => "MessageSent",
        Change::MessageReleased { .. } => "MessageReleased",
        Change::MessageDone { .. } => "MessageDone",
        Change::ReceivedQos2 { .. } => "ReceivedQos2",
        Change::ReleasedQos2 { .. } => "ReleasedQos2",
        Change::RetainedSet { .. } => "RetainedSet",
        Change::RetainedCleared { .. } => "RetainedCleared",
        Change::WillSet { .. } => "WillSet",
        Change::WillCleared { .. } => "WillCleared",
    }
}

/// One transaction: whose, and what.
type Transaction = (usize, Vec<Kept>);

/// The store of all shards.
#[derive(Default)]
pub(super) struct Paper {
    /// The names of all changes, in the order in which they were appended by whatever shard.
    pub(super) changes: Vec<&'static str>,
    /// The urgency of each.
    pub(super) urgencies: Vec<Urgency>,
    pub(super) is_full: bool,
    /// What the writer got, in its order.
    pub(super) journal: Vec<Transaction>,
    /// How many transactions of it are durable.
    pub(super) synced: usize,
    hands: BTreeMap<usize, Hand>,
}

/// What one shard has not given to the writer yet.
#[derive(Default)]
struct Hand {
    open: Vec<Kept>,
    sealed: Vec<Vec<Kept>>,
    appended: u64,
    /// The last one that is urgent.
    urgent: u64,
}

/// One shard's access.
pub(super) struct Pen<'a> {
    pub(super) paper: &'a mut Paper,
    pub(super) shard: usize,
}

impl Pen<'_> {
    fn hand(&mut self) -> &mut Hand {
        self.paper.hands.entry(self.shard).or_default()
    }
}

impl Store for Pen<'_> {
    fn append(&mut self, change: &Change<'_>, urgency: Urgency) -> Ticket {
        self.paper.changes.push(name(change));
        self.paper.urgencies.push(urgency);
        let hand = self.hand();
        hand.open.push(Kept::new(change));
        hand.appended += 1;
        if urgency == Urgency::Now {
            hand.urgent = hand.appended;
        }
        Ticket(hand.appended)
    }

    fn seal(&mut self) {
        let hand = self.hand();
        if !hand.open.is_empty() {
            let transaction = std::mem::take(&mut hand.open);
            hand.sealed.push(transaction);
        }
    }

    fn post(&mut self) {
        self.seal();
        let sealed = std::mem::take(&mut self.hand().sealed);
        let shard = self.shard;
        self.paper.journal.extend(sealed.into_iter().map(|transaction| (shard, transaction)));
    }

    fn latest(&self) -> Ticket {
        Ticket(self.paper.hands.get(&self.shard).map_or(0, |hand| hand.urgent))
    }

    fn is_full(&self) -> bool {
        self.paper.is_full
    }
}

impl Paper {
    pub(super) fn pen(&mut self, shard: usize) -> Pen<'_> {
        Pen { paper: self, shard }
    }

    /// The writer gets everything.
    pub(super) fn post_all(&mut self) {
        let shards: Vec<usize> = self.hands.keys().copied().collect();
        shards.into_iter().for_each(|shard| self.pen(shard).post());
    }

    /// What covers everything urgent that a shard appended.
    pub(super) fn latest(&mut self, shard: usize) -> Ticket {
        self.pen(shard).latest()
    }

    /// What of one shard's is durable.
    pub(super) fn durable(&self, shard: usize) -> Ticket {
        let durable = self.journal.iter().take(self.synced).filter(|(whose, _)| *whose == shard).map(|(_, changes)| changes.len());
        Ticket(u64::try_from(durable.sum::<usize>()).unwrap())
    }

    /// The ticket that covers the latest change of this name, if there is one shard.
    pub(super) fn ticket_of(&self, name: &str) -> Ticket {
        let at = self.changes.iter().rposition(|change| *change == name).unwrap_or_else(|| panic!("no {name}: {:?}", self.changes));
        Ticket(u64::try_from(at + 1).unwrap())
    }

    /// The process dies: so many transactions are left.
    pub(super) fn crash(&mut self, left: usize) {
        assert!(left >= self.synced, "what is durable is not lost");
        self.journal.truncate(left);
        // A new process counts from the beginning.
        for (whose, _) in &mut self.journal {
            *whose = usize::MAX;
        }
        self.synced = left;
        self.hands.clear();
        self.changes.clear();
        self.urgencies.clear();
    }

    /// The state that the journal leaves.
    pub(super) fn read(&self) -> State {
        let mut state = State::default();
        for (_, transaction) in &self.journal {
            transaction.iter().for_each(|change| state.take(change.clone()));
        }
        state
    }
}

/// What a store knows.
#[derive(Default)]
pub(super) struct State {
    pub(super) sessions: BTreeMap<SessionId, Known>,
    pub(super) messages: BTreeMap<MessageId, Body>,
    pub(super) retained: BTreeMap<RetainedId, RetainedImage>,
    /// Sessions, messages and retained messages that are gone: their ids must not come back.
    gone: (BTreeSet<SessionId>, BTreeSet<MessageId>, BTreeSet<RetainedId>),
    largest: u64,
}

pub(super) struct Known {
    client: Client,
    expiry: u32,
    left: Option<Option<Moment>>,
    will: Option<(Will, Option<Moment>)>,
    pub(super) subscriptions: BTreeMap<u32, SubscriptionImage>,
    received: BTreeSet<PacketId>,
}

pub(super) struct Body {
    message: Arc<Message>,
    received_at: Moment,
    pub(super) recipients: BTreeMap<SessionId, (Recipient, StageImage)>,
}

impl Known {
    fn new(client: Client) -> Self {
        Self { client, expiry: 0, left: None, will: None, subscriptions: BTreeMap::new(), received: BTreeSet::new() }
    }
}

impl State {
    fn session(&mut self, id: SessionId) -> &mut Known {
        self.sessions.get_mut(&id).unwrap_or_else(|| panic!("{id:?} is not known"))
    }

    fn stage(&mut self, session: SessionId, id: MessageId) -> &mut StageImage {
        let body = self.messages.get_mut(&id).unwrap_or_else(|| panic!("{id:?} is not known"));
        &mut body.recipients.get_mut(&session).unwrap_or_else(|| panic!("{id:?} is not kept for {session:?}")).1
    }

    fn done(&mut self, session: SessionId, id: MessageId) {
        self.stage(session, id);
        let body = self.messages.get_mut(&id).unwrap();
        body.recipients.remove(&session);
        if body.recipients.is_empty() {
            self.messages.remove(&id);
            self.gone.1.insert(id);
        }
    }

    fn take(&mut self, change: Kept) {
        match change {
            Kept::Opened(id, client, expiry) => {
                self.note(id.0);
                assert!(!self.gone.0.contains(&id), "an id is used once");
                let known = self.sessions.entry(id).or_insert_with(|| Known::new(client.clone()));
                (known.client, known.expiry) = (client, expiry);
            }
            Kept::Left(id, ends_at) => self.session(id).left = Some(ends_at),
            Kept::Returned(id) => self.session(id).left = None,
            Kept::Removed(id) => {
                self.gone.0.insert(id);
                let gone = self.sessions.remove(&id).expect("a session that is removed was there");
                assert!(
                    gone.will.is_none() && gone.subscriptions.is_empty() && gone.received.is_empty(),
                    "everything was taken away before"
                );
                let of_it = self.messages.values().filter_map(|body| body.recipients.get(&id));
                assert!(of_it.clone().all(|(_, stage)| *stage == StageImage::Queued), "what was under way was taken away before");
            }
            Kept::Subscribed(id, subscription) => {
                let session = self.session(id);
                let twice =
                    session.subscriptions.values().any(|other| other.filter == subscription.filter && other.key != subscription.key);
                assert!(!twice, "a filter has one number");
                session.subscriptions.insert(subscription.key, subscription);
            }
            Kept::Unsubscribed(id, key) => assert!(self.session(id).subscriptions.remove(&key).is_some()),
            Kept::Queued(id, message, recipients, received_at) => {
                self.note(id.0);
                let count = recipients.len();
                assert!(!self.gone.1.contains(&id), "an id is used once");
                assert!(count > 0 && recipients.iter().all(|recipient| recipient.qos > QoS::AtMostOnce));
                let recipients: BTreeMap<_, _> =
                    recipients.into_iter().map(|recipient| (recipient.session, (recipient, StageImage::Queued))).collect();
                assert_eq!(recipients.len(), count, "each session once");
                assert!(self.messages.insert(id, Body { message, received_at, recipients }).is_none(), "an id is used once");
            }
            Kept::Sent(session, id, packet_id, order) => {
                let stage = self.stage(session, id);
                assert_eq!(std::mem::replace(stage, StageImage::Sent { packet_id, order }), StageImage::Queued);
            }
            Kept::Released(session, id) => {
                let stage = self.stage(session, id);
                let StageImage::Sent { packet_id, order } = *stage else { panic!("{stage:?} is released") };
                *stage = StageImage::Released { packet_id, order };
            }
            Kept::Done(session, id) => self.done(session, id),
            Kept::Received(id, packet_id) => assert!(self.session(id).received.insert(packet_id)),
            Kept::Freed(id, packet_id) => assert!(self.session(id).received.remove(&packet_id)),
            Kept::Retained(retained, replaces) => {
                self.note(retained.id.0);
                assert!(!self.gone.2.contains(&retained.id), "an id is used once");
                self.gone.2.extend(replaces);
                if let Some(old) = replaces {
                    let old = self.retained.remove(&old).expect("what is replaced was there");
                    assert_eq!(old.message.topic, retained.message.topic);
                }
                let twice = self.retained.values().any(|other| other.message.topic == retained.message.topic);
                assert!(!twice, "a topic has one retained message");
                self.retained.insert(retained.id, retained);
            }
            // One that is not there marks the place of a change by somebody else.
            Kept::Cleared(id) => {
                self.note(id.0);
                self.gone.2.insert(id);
                self.retained.remove(&id);
            }
            Kept::Will(id, will, due) => self.session(id).will = Some((will, due)),
            Kept::NoWill(id) => assert!(self.session(id).will.take().is_some(), "a will that is cleared was there"),
        }
    }

    fn note(&mut self, id: u64) {
        self.largest = self.largest.max(count_of(id));
    }

    /// All retained messages, by topic.
    pub(super) fn retained_by_topic(&self) -> BTreeMap<String, String> {
        let text = |retained: &RetainedImage| String::from_utf8(retained.message.payload.to_vec()).unwrap();
        self.retained.values().map(|retained| (retained.message.topic.as_str().to_owned(), text(retained))).collect()
    }

    /// What a restarted broker gets.
    pub(super) fn into_image(self) -> Image {
        let mut messages: BTreeMap<SessionId, Vec<MessageImage>> = BTreeMap::new();
        let mut orphans = Vec::new();
        for (id, Body { message, received_at, recipients }) in self.messages {
            for (session, (recipient, stage)) in recipients {
                let is_shared = recipient.shared.is_some();
                let image = MessageImage { id, message: Arc::clone(&message), received_at, recipient, stage };
                if self.sessions.contains_key(&session) {
                    messages.entry(session).or_default().push(image);
                } else if is_shared {
                    orphans.push(image);
                }
            }
        }
        let sessions = self.sessions.into_iter().map(|(session, known)| SessionImage {
            session,
            client: known.client,
            expiry: known.expiry,
            left: known.left,
            will: known.will,
            subscriptions: known.subscriptions.into_values().collect(),
            messages: messages.remove(&session).unwrap_or_default(),
            received: known.received.into_iter().collect(),
        });
        let sessions = sessions.collect();
        Image { sessions, retained: self.retained.into_values().collect(), orphans, first_free: self.largest + 1 }
    }
}
