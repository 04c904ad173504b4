//! Session State (§4.1): what outlives a connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use signet_mqtt::{ClientIdentifier, PacketId, TopicFilter, Will};
use signet_policy::Client;

use crate::ids::{ConnectionId, SessionId};
use crate::inflight::InFlight;
use crate::moment::Moment;
use crate::queue::Queue;

/// Session Expiry Interval of a session that never ends by time (§3.1.2.11.2).
pub(crate) const NEVER: u32 = u32::MAX;

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// Whose it is, by the latest connection.
    pub(crate) client: Arc<Client>,
    pub(crate) connection: Option<ConnectionId>,
    /// Session Expiry Interval in seconds; [`NEVER`] for no end.
    pub(crate) expiry: u32,
    /// Whether it was ever to outlive a connection: then the store knows of it, and has to hear of every change up to its end.
    pub(crate) is_persistent: bool,
    /// When it ends, while nobody is connected.
    pub(crate) ends_at: Option<Moment>,
    /// To be published if the connection is lost, or already waiting for that after it was.
    pub(crate) will: Option<Will>,
    /// When the waiting Will is due.
    pub(crate) will_at: Option<Moment>,
    /// Each with the number under which the store knows it.
    pub(crate) subscriptions: BTreeMap<TopicFilter, u32>,
    pub(crate) inflight: InFlight,
    pub(crate) queue: Queue,
    /// QoS 2 messages received and not yet released by PUBREL, each with the connection that sent it last: Receive Maximum counts those of
    /// the present one only (§4.9).
    pub(crate) received: BTreeMap<PacketId, ConnectionId>,
}

impl Session {
    /// Sets how long it outlives its connection.
    pub(crate) fn set_expiry(&mut self, seconds: u32) {
        self.expiry = seconds;
        self.is_persistent |= seconds > 0;
    }
}

/// All sessions of a shard.
#[derive(Debug)]
pub(crate) struct Sessions {
    by_id: HashMap<SessionId, Session, FixedState>,
    by_identifier: HashMap<ClientIdentifier, SessionId, FixedState>,
}

impl Sessions {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self { by_id: HashMap::with_hasher(hasher.clone()), by_identifier: HashMap::with_hasher(hasher) }
    }

    pub(crate) fn create(&mut self, id: SessionId, client: &Arc<Client>) -> SessionId {
        let session = Session {
            id,
            client: Arc::clone(client),
            connection: None,
            expiry: 0,
            is_persistent: false,
            ends_at: None,
            will: None,
            will_at: None,
            subscriptions: BTreeMap::new(),
            inflight: InFlight::default(),
            queue: Queue::default(),
            received: BTreeMap::new(),
        };
        self.by_identifier.insert(client.client_identifier().clone(), id);
        self.by_id.insert(id, session);
        id
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        self.by_identifier.remove(session.client.client_identifier());
        Some(session)
    }

    pub(crate) fn find(&self, client_identifier: &ClientIdentifier) -> Option<&Session> {
        self.by_id.get(self.by_identifier.get(client_identifier)?)
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    /// Sessions without a connection whose Will waits for its delay, in the order of their numbers.
    pub(crate) fn waiting_wills(&self) -> Vec<SessionId> {
        let mut waiting: Vec<SessionId> =
            self.by_id.values().filter(|session| session.will_at.is_some()).map(|session| session.id).collect();
        waiting.sort_unstable();
        waiting
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
