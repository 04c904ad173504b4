//! The disk and what the store makes of it, on the level of changes: transactions are posted, written in batches, synced. A crash keeps what was
//! synced and, of what was written after that, as many batches as chance says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use signet_broker::{
    Change, Image, MessageId, MessageImage, Moment, Recipient, RetainedId, RetainedImage, SessionId, SessionImage, StageImage, Store,
    SubscriptionImage, Ticket, Urgency, count_of,
};
use signet_mqtt::{Message, PacketId, Will};
use signet_policy::Client;

use crate::dice::Dice;

/// A change with everything it says.
#[derive(Debug, Clone)]
enum Record {
    Opened(SessionId, Box<Client>, u32),
    Left(SessionId, Option<Moment>),
    Returned(SessionId),
    Removed(SessionId),
    Subscription(SessionId, Box<SubscriptionImage>),
    SubscriptionRemoved(SessionId, u32),
    Queued(MessageId, Arc<Message>, Vec<Recipient>, Moment),
    Sent(SessionId, MessageId, PacketId, u64),
    Released(SessionId, MessageId),
    Done(SessionId, MessageId),
    Received(SessionId, PacketId),
    ReceivedReleased(SessionId, PacketId),
    Retained(Box<RetainedImage>, Option<RetainedId>),
    RetainedCleared(RetainedId),
    Will(SessionId, Box<Will>, Option<Moment>),
    WillCleared(SessionId),
}

/// What one shard posted at once.
#[derive(Debug, Clone)]
struct Posted {
    shard: usize,
    through: Ticket,
    transactions: Vec<Vec<Record>>,
}

#[derive(Debug, Default)]
struct State {
    posted: Vec<Posted>,
    /// Batches, the first of them synced.
    batches: Vec<Vec<Posted>>,
    synced: usize,
    /// By shard.
    durable: Vec<Ticket>,
    is_full: bool,
}

/// The disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    state: Rc<RefCell<State>>,
}

/// A shard's end of it.
#[derive(Debug)]
pub(crate) struct Handle {
    shard: usize,
    state: Rc<RefCell<State>>,
    open: Vec<Record>,
    sealed: Vec<Vec<Record>>,
    latest: Ticket,
}

impl Disk {
    /// Reads everything back, for a process with so many shards.
    pub(crate) fn open(&mut self, shards: u16, _now: Moment) -> (Image, Vec<Handle>) {
        let mut state = self.state.borrow_mut();
        state.durable = vec![Ticket::NONE; usize::from(shards)];
        let mut replayed = Replayed::default();
        for record in state.batches.iter().flatten().flat_map(|posted| &posted.transactions).flatten() {
            replayed.apply(record);
        }
        let handle = |shard| Handle {
            shard,
            state: Rc::clone(&self.state),
            open: Vec::new(),
            sealed: Vec::new(),
            latest: Ticket::NONE,
        };
        (replayed.image(), (0..usize::from(shards)).map(handle).collect())
    }

    /// The writer takes what was posted.
    pub(crate) fn write(&mut self) {
        let mut state = self.state.borrow_mut();
        if !state.posted.is_empty() {
            let batch = std::mem::take(&mut state.posted);
            state.batches.push(batch);
        }
    }

    /// What was written is on disk.
    pub(crate) fn sync(&mut self) {
        let mut state = self.state.borrow_mut();
        let State { batches, synced, durable, .. } = &mut *state;
        for posted in batches.iter().skip(*synced).flatten() {
            durable[posted.shard] = durable[posted.shard].max(posted.through);
        }
        *synced = batches.len();
    }

    /// The process dies; with the power, what was written and not synced is at the mercy of chance.
    pub(crate) fn crash(&mut self, dice: &mut Dice) {
        let mut state = self.state.borrow_mut();
        state.posted.clear();
        if dice.percent(70) {
            let kept = dice.between(state.synced, state.batches.len());
            state.batches.truncate(kept);
        }
        state.synced = state.batches.len();
        state.is_full = false;
    }

    /// Whether there is no room.
    pub(crate) fn set_full(&mut self, is_full: bool) {
        self.state.borrow_mut().is_full = is_full;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.state.borrow().is_full
    }
}

impl Handle {
    pub(crate) fn durable(&self) -> Ticket {
        self.state.borrow().durable[self.shard]
    }
}

impl Store for Handle {
    fn append(&mut self, change: &Change<'_>, _urgency: Urgency) -> Ticket {
        self.open.push(Record::from(change));
        self.latest = Ticket(self.latest.0 + 1);
        self.latest
    }

    fn seal(&mut self) {
        if !self.open.is_empty() {
            self.sealed.push(std::mem::take(&mut self.open));
        }
    }

    fn post(&mut self) {
        self.seal();
        if !self.sealed.is_empty() {
            let posted = Posted { shard: self.shard, through: self.latest, transactions: std::mem::take(&mut self.sealed) };
            self.state.borrow_mut().posted.push(posted);
        }
    }

    fn latest(&self) -> Ticket {
        self.latest
    }

    fn is_full(&self) -> bool {
        self.state.borrow().is_full
    }
}

impl From<&Change<'_>> for Record {
    fn from(change: &Change<'_>) -> Self {
        match change {
            Change::SessionOpened { session, client, expiry } => Self::Opened(*session, Box::new((*client).clone()), *expiry),
            Change::SessionLeft { session, ends_at } => Self::Left(*session, *ends_at),
            Change::SessionReturned { session } => Self::Returned(*session),
            Change::SessionRemoved { session } => Self::Removed(*session),
            Change::SubscriptionAdded { session, key, filter, options, identifier, starting } => {
                let image = SubscriptionImage {
                    key: *key,
                    filter: (*filter).clone(),
                    options: **options,
                    identifier: *identifier,
                    starting: *starting,
                };
                Self::Subscription(*session, Box::new(image))
            }
            Change::SubscriptionRemoved { session, key } => Self::SubscriptionRemoved(*session, *key),
            Change::MessageQueued { id, message, recipients, received_at } => {
                Self::Queued(*id, Arc::clone(message), recipients.to_vec(), *received_at)
            }
            Change::MessageSent { session, id, packet_id, order } => Self::Sent(*session, *id, *packet_id, *order),
            Change::MessageReleased { session, id } => Self::Released(*session, *id),
            Change::MessageDone { session, id } => Self::Done(*session, *id),
            Change::ReceivedQos2 { session, packet_id } => Self::Received(*session, *packet_id),
            Change::ReleasedQos2 { session, packet_id } => Self::ReceivedReleased(*session, *packet_id),
            Change::RetainedSet { id, replaces, message, publisher, received_at } => {
                let image = RetainedImage {
                    id: *id,
                    message: Arc::clone(message),
                    publisher: (*publisher).clone(),
                    received_at: *received_at,
                };
                Self::Retained(Box::new(image), *replaces)
            }
            Change::RetainedCleared { id } => Self::RetainedCleared(*id),
            Change::WillSet { session, will, due } => Self::Will(*session, Box::new((*will).clone()), *due),
            Change::WillCleared { session } => Self::WillCleared(*session),
        }
    }
}

/// What the records come to.
#[derive(Debug, Default)]
struct Replayed {
    sessions: BTreeMap<SessionId, SessionImage>,
    messages: BTreeMap<MessageId, Stored>,
    retained: BTreeMap<RetainedId, RetainedImage>,
    received: BTreeMap<SessionId, Vec<PacketId>>,
    first_free: u64,
}

#[derive(Debug)]
struct Stored {
    message: Arc<Message>,
    received_at: Moment,
    recipients: BTreeMap<SessionId, (Recipient, StageImage)>,
}

impl Replayed {
    fn saw(&mut self, id: u64) {
        self.first_free = self.first_free.max(count_of(id) + 1);
    }

    fn apply(&mut self, record: &Record) {
        match record {
            Record::Opened(session, client, expiry) => {
                self.saw(session.0);
                let fresh = || SessionImage {
                    session: *session,
                    client: (**client).clone(),
                    expiry: *expiry,
                    left: None,
                    will: None,
                    subscriptions: Vec::new(),
                    messages: Vec::new(),
                    received: Vec::new(),
                };
                let image = self.sessions.entry(*session).or_insert_with(fresh);
                image.client = (**client).clone();
                image.expiry = *expiry;
            }
            Record::Removed(session) => {
                self.sessions.remove(session);
                self.received.remove(session);
            }
            Record::Queued(id, message, recipients, received_at) => {
                self.saw(id.0);
                let recipients = recipients.iter().map(|recipient| (recipient.session, (recipient.clone(), StageImage::Queued))).collect();
                self.messages.insert(*id, Stored { message: Arc::clone(message), received_at: *received_at, recipients });
            }
            Record::Sent(session, id, packet_id, order) => {
                self.stage(*session, *id, |stage| *stage = StageImage::Sent { packet_id: *packet_id, order: *order });
            }
            Record::Released(session, id) => self.stage(*session, *id, |stage| {
                if let StageImage::Sent { packet_id, order } = *stage {
                    *stage = StageImage::Released { packet_id, order };
                }
            }),
            Record::Done(session, id) => {
                if let Some(stored) = self.messages.get_mut(id) {
                    stored.recipients.remove(session);
                    if stored.recipients.is_empty() {
                        self.messages.remove(id);
                    }
                }
            }
            Record::Received(session, packet_id) => self.received.entry(*session).or_default().push(*packet_id),
            Record::ReceivedReleased(session, packet_id) => {
                self.received.entry(*session).or_default().retain(|received| received != packet_id);
            }
            Record::Retained(image, replaces) => {
                self.saw(image.id.0);
                if let Some(replaced) = replaces {
                    self.retained.remove(replaced);
                }
                self.retained.insert(image.id, (**image).clone());
            }
            Record::RetainedCleared(id) => {
                self.retained.remove(id);
            }
            of_session => self.apply_to_session(of_session),
        }
    }

    fn apply_to_session(&mut self, record: &Record) {
        let (Record::Left(session, _)
        | Record::Returned(session)
        | Record::Subscription(session, _)
        | Record::SubscriptionRemoved(session, _)
        | Record::Will(session, _, _)
        | Record::WillCleared(session)) = record
        else {
            return;
        };
        let Some(image) = self.sessions.get_mut(session) else { return };
        match record {
            Record::Left(_, ends_at) => image.left = Some(*ends_at),
            Record::Returned(_) => image.left = None,
            Record::Subscription(_, added) => {
                image.subscriptions.retain(|subscription| subscription.key != added.key);
                image.subscriptions.push((**added).clone());
            }
            Record::SubscriptionRemoved(_, key) => image.subscriptions.retain(|subscription| subscription.key != *key),
            Record::Will(_, will, due) => image.will = Some(((**will).clone(), *due)),
            _ => image.will = None,
        }
    }

    fn stage(&mut self, session: SessionId, id: MessageId, change: impl FnOnce(&mut StageImage)) {
        if let Some((_, stage)) = self.messages.get_mut(&id).and_then(|stored| stored.recipients.get_mut(&session)) {
            change(stage);
        }
    }

    fn image(mut self) -> Image {
        let mut orphans = Vec::new();
        for (id, stored) in self.messages {
            for (session, (recipient, stage)) in stored.recipients {
                let is_shared = recipient.shared.is_some();
                let image = MessageImage { id, message: Arc::clone(&stored.message), received_at: stored.received_at, recipient, stage };
                match self.sessions.get_mut(&session) {
                    Some(owner) => owner.messages.push(image),
                    None if is_shared => orphans.push(image),
                    None => {}
                }
            }
        }
        for (session, received) in self.received {
            if let Some(owner) = self.sessions.get_mut(&session) {
                owner.received = received;
            }
        }
        Image {
            sessions: self.sessions.into_values().collect(),
            retained: self.retained.into_values().collect(),
            orphans,
            first_free: self.first_free.max(1),
        }
    }
}
