//! Session State (§4.1): what outlives a connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use signet_mqtt::{ClientIdentifier, PacketId, SubscriptionIdentifier, SubscriptionOptions, TopicFilter, Will};
use signet_policy::{Answers, Client};

use crate::durability::Durability;
use crate::ids::{ConnectionId, SessionId};
use crate::inflight::InFlight;
use crate::limits::Limits;
use crate::moment::Moment;
use crate::queue::Queue;
use crate::review::Standing;
use crate::store::{Change, Starting, Store, Urgency};
use crate::subscribed::Subscribed;
use crate::totals::Load;

/// Session Expiry Interval of a session that never ends by time (§3.1.2.11.2).
pub(crate) const NEVER: u32 = u32::MAX;

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Whose it is, by the latest connection.
    pub(crate) client: Arc<Client>,
    pub(crate) connection: Option<ConnectionId>,
    /// Those of the listener by which its client came last.
    pub(crate) limits: Arc<Limits>,
    /// Session Expiry Interval in seconds; [`NEVER`] for no end.
    pub(crate) expiry: u32,
    /// Whether it was to outlive its first connection: what is queued for it then outlives the process too. Never changes.
    pub(crate) is_persistent: bool,
    /// Whether the store knows of it: every persistent one, and any other that ever had a Will.
    pub(crate) is_stored: bool,
    /// When it ends, while nobody is connected.
    pub(crate) ends_at: Option<Moment>,
    /// To be published if the connection is lost [MQTT-3.1.2-7], [MQTT-3.1.2-12] (3.1.1), or already waiting for that after it was.
    pub(crate) will: Option<Box<HeldWill>>,
    pub(crate) subscribed: Subscribed,
    pub(crate) inflight: InFlight,
    pub(crate) queue: Queue,
    /// QoS 2 messages received and not yet released by PUBREL: an identifier that is not here is a new message's [MQTT-4.3.3-12]. Messages
    /// of QoS 1 leave nothing behind [MQTT-4.3.2-5].
    pub(crate) received: BTreeMap<PacketId, Received>,
    pub(crate) standing: Standing,
}

/// A Will and what became of it.
#[derive(Debug)]
pub(crate) struct HeldWill {
    pub(crate) will: Will,
    /// When it is due, if the connection is gone and it waits.
    pub(crate) due: Option<Moment>,
    /// Whether the store has it.
    pub(crate) is_stored: bool,
    /// What access sources have said about it when it was set. That counts when it is published: nobody can be asked then.
    pub(crate) answers: Option<Box<Answers>>,
}

/// One subscription, as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Its number in the store.
    pub(crate) key: u32,
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
    /// What it has still to start with; for persistent sessions only.
    pub(crate) starting: Option<Starting>,
}

/// A QoS 2 message that was received and not released.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// The connection that sent it last, if that was in this process: Receive Maximum counts those of the present one only (§4.9).
    pub(crate) connection: Option<ConnectionId>,
    /// Whether the store knows of it, and who waits for that.
    pub(crate) durability: Durability,
}

impl Session {
    pub(crate) fn new(id: SessionId, client: Arc<Client>, limits: Arc<Limits>, expiry: u32) -> Self {
        Self {
            id,
            client,
            connection: None,
            limits,
            expiry,
            is_persistent: expiry > 0,
            is_stored: false,
            ends_at: None,
            will: None,
            subscribed: Subscribed::default(),
            inflight: InFlight::default(),
            queue: Queue::default(),
            received: BTreeMap::new(),
            standing: Standing::default(),
        }
    }

    /// When the waiting Will is due.
    pub(crate) fn will_due(&self) -> Option<Moment> {
        self.will.as_ref().and_then(|held| held.due)
    }

    /// What it holds.
    pub(crate) fn load(&self) -> Load {
        self.queue.load().plus(self.inflight.load())
    }

    /// Takes the store's word back that some subscription has still to start, once nothing waits for that.
    pub(crate) fn note_started<S: Store>(&mut self, store: &mut S) {
        if !self.queue.is_starting() {
            for (filter, subscription) in self.subscribed.take_starting().into_values() {
                let started = Subscription { starting: None, ..subscription };
                store.append(&started.added(self.id, &filter), Urgency::Later);
            }
        }
    }
}

impl Subscription {
    /// What the store is told of it.
    pub(crate) fn added<'a>(&'a self, session: SessionId, filter: &'a TopicFilter) -> Change<'a> {
        Change::SubscriptionAdded {
            session,
            key: self.key,
            filter,
            options: &self.options,
            identifier: self.identifier,
            starting: self.starting,
        }
    }
}

/// All sessions of a shard.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// Boxed, so that the spare room of the table is cheap, and so is moving to a larger one.
    by_id: HashMap<SessionId, Box<Session>, FixedState>,
    /// By [`Client::session_key`].
    by_key: HashMap<ClientIdentifier, SessionId, FixedState>,
}

impl Sessions {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self { by_id: HashMap::with_hasher(hasher.clone()), by_key: HashMap::with_hasher(hasher) }
    }

    pub(crate) fn insert(&mut self, session: Session) {
        self.by_key.insert(session.client.session_key(), session.id);
        self.by_id.insert(session.id, Box::new(session));
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        let key = session.client.session_key();
        if self.by_key.get(&key) == Some(&id) {
            self.by_key.remove(&key);
        }
        Some(*session)
    }

    /// The session of this client's Client Identifier, whoever left it [MQTT-3.1.3-2].
    pub(crate) fn find(&self, client: &Client) -> Option<&Session> {
        self.by_id.get(self.by_key.get(&client.session_key())?).map(|session| &**session)
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id).map(|session| &**session)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id).map(|session| &mut **session)
    }

    /// All of them, in no order but always the same one.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.by_id.values_mut().map(|session| &mut **session)
    }

    /// The same by their ids.
    pub(crate) fn ids(&self) -> Vec<SessionId> {
        self.by_key.values().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// What all of them hold, counted one by one.
    #[cfg(test)]
    pub(crate) fn load(&self) -> Load {
        self.by_id.values().fold(Load::default(), |sum, session| sum.plus(session.load()))
    }
}
