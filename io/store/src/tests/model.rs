//! What the store should know, kept the naive way, and random changes to it as a broker might make them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signet_broker::{
    Change, Image, MessageId, MessageImage, Moment, Recipient, RetainedId, SessionId, ShardId, StageImage, Starting,
    SubscriptionIdentifiers, count_of,
};
use signet_mqtt::{ClientIdentifier, Message, PacketId, QoS, SubscriptionOptions, TopicFilter, TopicName, Will, WillProperties};
use signet_policy::{Client, Principal};

use crate::encode;

/// One session in words that can be compared.
#[derive(Debug, Clone, Default, PartialEq)]
struct Session {
    expiry: u32,
    left: Option<Option<u64>>,
    will: Option<(usize, Option<u64>)>,
    subscriptions: BTreeMap<u32, bool>,
    received: BTreeSet<u16>,
}

/// What is true of the broker at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct State {
    sessions: BTreeMap<SessionId, Session>,
    /// For whom, and how far it got.
    messages: BTreeMap<(MessageId, SessionId), StageImage>,
    lengths: BTreeMap<MessageId, usize>,
    shared: BTreeSet<(MessageId, SessionId)>,
    retained: BTreeMap<RetainedId, usize>,
}

/// The state, and where the next id comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) state: State,
    next: u64,
    order: u64,
}

/// A step: what to do, with whom, how large.
pub(super) type Step = (u8, u8, u16);

fn client() -> Client {
    Client::restored(Principal::Anonymous, Some("somebody".into()), ClientIdentifier::new("c"), None)
}

fn message(length: usize) -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::new("a/b").unwrap(),
        payload: vec![7; length].into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Default::default(),
    })
}

fn group() -> Arc<TopicFilter> {
    Arc::new(TopicFilter::new("$share/g/a/#").unwrap())
}

fn recipient(session: SessionId, is_shared: bool) -> Recipient {
    Recipient {
        session,
        shard: ShardId(0),
        qos: QoS::AtLeastOnce,
        retain: false,
        identifiers: SubscriptionIdentifiers::default(),
        shared: is_shared.then(group),
    }
}

fn at<T: Copy>(mut items: impl Iterator<Item = T> + Clone, which: u8) -> Option<T> {
    let count = items.clone().count();
    items.nth(usize::from(which) % count.max(1))
}

impl Model {
    /// Goes on after a crash, with the state that is left.
    pub(super) fn resume(state: State, first_free: u64) -> Self {
        Self { state, next: first_free.saturating_sub(1), order: 1000 }
    }

    fn id(&mut self, which: u8) -> u64 {
        self.next += 1;
        u64::from(which % 3) << 48 | self.next
    }

    /// One transaction: makes it true and gives its records.
    pub(super) fn step(&mut self, (what, which, size): Step) -> Vec<u8> {
        let mut out = Vec::new();
        let session = at(self.state.sessions.keys().copied(), which);
        match (what % 16, session) {
            (0, _) | (_, None) => self.open(which, size, &mut out),
            (1, Some(id)) => self.come_or_go(id, size, &mut out),
            (2, Some(id)) => self.subscribe(id, size, &mut out),
            (3, Some(id)) if which > 150 => self.end(id, &mut out),
            (3..6, Some(_)) => self.retain(which, size, &mut out),
            (6, Some(id)) => self.will(id, size, &mut out),
            (7, Some(id)) => self.receive(id, size, &mut out),
            (8..11, Some(_)) => self.queue(which, size, &mut out),
            (_, Some(_)) => self.deliver(which, size, &mut out),
        }
        out
    }

    fn open(&mut self, which: u8, size: u16, out: &mut Vec<u8>) {
        let session = SessionId(self.id(which));
        self.state.sessions.insert(session, Session { expiry: size.into(), ..Session::default() });
        encode(&Change::SessionOpened { session, client: &client(), expiry: size.into() }, out);
    }

    fn come_or_go(&mut self, session: SessionId, size: u16, out: &mut Vec<u8>) {
        let known = self.state.sessions.get_mut(&session).unwrap();
        match size % 3 {
            0 => {
                known.left = Some((size > 300).then_some(size.into()));
                encode(&Change::SessionLeft { session, ends_at: known.left.flatten().map(Moment::from_millis) }, out);
            }
            1 => {
                known.left = None;
                encode(&Change::SessionReturned { session }, out);
            }
            _ => {
                known.expiry = size.into();
                encode(&Change::SessionOpened { session, client: &client(), expiry: size.into() }, out);
            }
        }
    }

    fn subscribe(&mut self, session: SessionId, size: u16, out: &mut Vec<u8>) {
        let key = u32::from(size % 5);
        let known = self.state.sessions.get_mut(&session).unwrap();
        if size.is_multiple_of(2) && known.subscriptions.remove(&key).is_some() {
            return encode(&Change::SubscriptionRemoved { session, key }, out);
        }
        let is_starting = size.is_multiple_of(3);
        known.subscriptions.insert(key, is_starting);
        let starting = is_starting.then_some(Starting { after: RetainedId(1), up_to: RetainedId(2) });
        let (filter, options) = (TopicFilter::new("a/+").unwrap(), SubscriptionOptions::default());
        encode(&Change::SubscriptionAdded { session, key, filter: &filter, options: &options, identifier: None, starting }, out);
    }

    fn end(&mut self, session: SessionId, out: &mut Vec<u8>) {
        let known = self.state.sessions.remove(&session).unwrap();
        for key in known.subscriptions.into_keys() {
            encode(&Change::SubscriptionRemoved { session, key }, out);
        }
        for packet_id in known.received {
            encode(&Change::ReleasedQos2 { session, packet_id: PacketId::new(packet_id).unwrap() }, out);
        }
        // What belongs to a Shared Subscription waits for somebody else.
        let is_own = |key: &&(MessageId, SessionId)| key.1 == session && !self.state.shared.contains(*key);
        let own: Vec<_> = self.state.messages.keys().filter(is_own).copied().collect();
        for (id, _) in own {
            self.done(id, session, out);
        }
        encode(&Change::SessionRemoved { session }, out);
    }

    fn done(&mut self, id: MessageId, session: SessionId, out: &mut Vec<u8>) {
        self.state.messages.remove(&(id, session));
        self.state.shared.remove(&(id, session));
        if !self.state.messages.keys().any(|(known, _)| *known == id) {
            self.state.lengths.remove(&id);
        }
        encode(&Change::MessageDone { session, id }, out);
    }

    fn retain(&mut self, which: u8, size: u16, out: &mut Vec<u8>) {
        let former = at(self.state.retained.keys().copied(), which);
        if size.is_multiple_of(4)
            && let Some(id) = former
        {
            self.state.retained.remove(&id);
            return encode(&Change::RetainedCleared { id }, out);
        }
        let replaces = former.filter(|_| self.state.retained.len() > 4);
        if let Some(id) = replaces {
            self.state.retained.remove(&id);
        }
        let id = RetainedId(self.id(which));
        let length = usize::from(size % 700);
        self.state.retained.insert(id, length);
        let (message, publisher, received_at) = (message(length), ClientIdentifier::new("p"), Moment::ZERO);
        encode(&Change::RetainedSet { id, replaces, message: &message, publisher: &publisher, received_at }, out);
    }

    fn will(&mut self, session: SessionId, size: u16, out: &mut Vec<u8>) {
        let known = self.state.sessions.get_mut(&session).unwrap();
        if size.is_multiple_of(2) {
            known.will = None;
            return encode(&Change::WillCleared { session }, out);
        }
        let due = (size.is_multiple_of(3)).then_some(u64::from(size));
        known.will = Some((usize::from(size % 100), due));
        let will = Will {
            topic: TopicName::new("w").unwrap(),
            payload: vec![1; usize::from(size % 100)].into(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: WillProperties::default(),
        };
        encode(&Change::WillSet { session, will: &will, due: due.map(Moment::from_millis) }, out);
    }

    fn receive(&mut self, session: SessionId, size: u16, out: &mut Vec<u8>) {
        let packet_id = PacketId::new(size % 4 + 1).unwrap();
        let known = self.state.sessions.get_mut(&session).unwrap();
        if known.received.remove(&packet_id.get()) {
            return encode(&Change::ReleasedQos2 { session, packet_id }, out);
        }
        known.received.insert(packet_id.get());
        encode(&Change::ReceivedQos2 { session, packet_id }, out);
    }

    fn queue(&mut self, which: u8, size: u16, out: &mut Vec<u8>) {
        let id = MessageId(self.id(which));
        let length = usize::from(size % 700);
        let mask = usize::from(which) | 1;
        let chosen: Vec<_> = self.state.sessions.keys().enumerate().filter(|(number, _)| mask >> (number % 8) & 1 == 1).collect();
        let recipients: Vec<_> =
            chosen.into_iter().map(|(number, session)| recipient(*session, (number + usize::from(size)) % 5 == 0)).collect();
        for recipient in &recipients {
            self.state.messages.insert((id, recipient.session), StageImage::Queued);
            if recipient.shared.is_some() {
                self.state.shared.insert((id, recipient.session));
            }
        }
        self.state.lengths.insert(id, length);
        encode(&Change::MessageQueued { id, message: &message(length), recipients: &recipients, received_at: Moment::ZERO }, out);
    }

    /// One delivery goes one step on, or is over.
    fn deliver(&mut self, which: u8, size: u16, out: &mut Vec<u8>) {
        let Some((id, session)) = at(self.state.messages.keys().copied(), which) else { return self.open(which, size, out) };
        let is_there = self.state.sessions.contains_key(&session);
        let stage = self.state.messages.get_mut(&(id, session)).unwrap();
        match *stage {
            StageImage::Queued if size.is_multiple_of(2) && is_there => {
                self.order += 1;
                let packet_id = PacketId::new(size | 1).unwrap();
                *stage = StageImage::Sent { packet_id, order: self.order };
                encode(&Change::MessageSent { session, id, packet_id, order: self.order }, out);
            }
            StageImage::Sent { packet_id, order } if size.is_multiple_of(3) && is_there => {
                *stage = StageImage::Released { packet_id, order };
                encode(&Change::MessageReleased { session, id }, out);
            }
            _ => self.done(id, session, out),
        }
    }

    pub(super) fn retained(&self) -> usize {
        self.state.retained.len()
    }

    /// The largest count of any id that was given out.
    pub(super) fn largest(&self) -> u64 {
        self.next
    }
}

impl State {
    /// The same of what a restarted broker is given.
    pub(super) fn of(image: &Image) -> Self {
        let mut state = Self::default();
        for session in &image.sessions {
            assert!(session.client.is_same(&client()));
            state.sessions.insert(
                session.session,
                Session {
                    expiry: session.expiry,
                    left: session.left.map(|ends_at| ends_at.map(Moment::as_millis)),
                    will: session.will.as_ref().map(|(will, due)| (will.payload.len(), due.map(Moment::as_millis))),
                    subscriptions: session.subscriptions.iter().map(|known| (known.key, known.starting.is_some())).collect(),
                    received: session.received.iter().map(|packet_id| packet_id.get()).collect(),
                },
            );
            assert!(session.messages.is_sorted_by_key(|message| message.id));
            session.messages.iter().for_each(|message| state.take(message, session.session));
        }
        for message in &image.orphans {
            assert!(message.recipient.shared.is_some());
            state.take(message, message.recipient.session);
        }
        for retained in &image.retained {
            state.retained.insert(retained.id, retained.message.payload.len());
            assert!(count_of(retained.id.0) < image.first_free);
        }
        state
    }

    fn take(&mut self, message: &MessageImage, session: SessionId) {
        assert_eq!(message.recipient.session, session);
        self.messages.insert((message.id, session), message.stage);
        self.lengths.insert(message.id, message.message.payload.len());
        if message.recipient.shared.is_some() {
            self.shared.insert((message.id, session));
        }
    }
}
