//! CONNECT on the shard that owns the Client Identifier: take over → resume or create → CONNACK → send what waited (§3.1.4).

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

use signet_mqtt::{
    Connack, ConnackProperties, Connect, InboundAliases, OutboundAliases, Packet, ProtocolVersion, QoS, ReasonCode, ServerFeatures, Will,
};
use signet_policy::{Answers, Client, Principal};

use crate::admission::{Admission, refusing};
use crate::broker::{Broker, Context};
use crate::connection::{Connection, Incoming, Manners};
use crate::directory::SharedDirectory;
use crate::durability::Durability;
use crate::ids::{ConnectionId, SessionId};
use crate::input::WillRule;
use crate::keep_alive::{KeepAlive, server_keep_alive};
use crate::limits::Limits;
use crate::memo::Memo;
use crate::output::{CloseCause, Event, Output};
use crate::review::Standing;
use crate::rules::ForeignSession;
use crate::session::{HeldWill, Session};
use crate::store::{Change, Store, Ticket, Urgency};
use crate::timers::Timer;

impl Broker {
    pub(crate) fn connect<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        admission: Admission,
        context: &mut Context<'_, D, S>,
    ) {
        let Admission { permit, mut connect, limits, authentication, will_answers } = admission;
        let client = Arc::clone(permit.client());
        if let Some(owner) = self.other_device(&client, &limits) {
            return refuse_identifier(id, (&connect, &limits), &client, owner, context);
        }
        let expiry = session_expiry(&connect, &limits);
        if let Err(why) = self.check_room(&client, &connect, &limits, expiry, context.store) {
            return refuse_for_quota(id, (&connect, &limits), &client, why, context);
        }
        self.take_over(&client, context);
        // [MQTT-3.1.4-4]
        self.end_what_is_not_resumed(&client, (connect.clean_start, &limits), context);
        let (session, session_present) = self.resume_or_create(&client, &limits, expiry);
        if session_present {
            self.judge_resumed(session, &client, context);
        }
        let mut connack = connack(&connect, &limits, expiry, permit.is_assigned().then_some(&*client), session_present);
        if let Some((method, data)) = authentication {
            // [MQTT-4.12.0-5]
            connack.properties.authentication_method = Some(method);
            connack.properties.authentication_data = Some(data).filter(|data| !data.is_empty());
        }
        // [MQTT-3.2.2-22]
        let keep_alive = connack.properties.server_keep_alive.unwrap_or(connect.keep_alive);
        let will = connect.will.take();
        let mut connection = connection(id, session, &connect, &client, &limits);
        connection.keep_alive = KeepAlive::new(keep_alive, context.now);
        if let Some(at) = connection.keep_alive.armed {
            self.timers.arm(at, Timer::KeepAlive(id));
        }
        self.connections.insert(id, connection);
        let Some(state) = self.sessions.get_mut(session) else { return };
        state.connection = Some(id);
        state.limits = limits;
        state.inflight.reconnect();
        let mut after = state.opened(client, expiry, will.map(|will| (will, will_answers)), session_present, context.store);
        if !session_present {
            // No crash may bring back what the client is told is not there, be it that this connection ended it or one before.
            after = after.max(self.last_removal);
        }
        let (client_identifier, principal) = (state.client.client_identifier().clone(), state.client.principal().clone());
        if session_present {
            self.note_connected(session, true, context);
        }
        if !self.welcome(id, connack, after, context) {
            return;
        }
        context.output.push(Output::Event(Event::Connected { connection: id, client_identifier, principal, session_present }));
        if self.sessions.get(session).is_some_and(|session| session.standing.is_waiting) {
            // Now that there is a connection, whoever has to be asked about its subscriptions is asked.
            self.review_session(session, context);
        }
        self.pump(session, context);
    }

    /// Whether there is room for a session that is not there yet. One that is there is resumed in any case: only so can it empty its queue.
    fn check_room<S: Store>(
        &mut self,
        client: &Client,
        connect: &Connect,
        limits: &Limits,
        expiry: u32,
        store: &S,
    ) -> Result<(), &'static str> {
        let known = self.sessions.find(client);
        let is_own = |session: &Session| {
            limits.connect.foreign_session == ForeignSession::Resume || session.client.principal() == client.principal()
        };
        let is_resumed = !connect.clean_start && known.is_some_and(is_own);
        if known.is_none() && self.totals.sessions() >= self.limits.total.sessions_maximum {
            self.stats.refused.sessions_full += 1;
            return Err("no room for another session");
        }
        let has_durable_will = connect.will.as_ref().is_some_and(|will| limits.durability.of(will.topic.as_str()) != Durability::Off);
        if !is_resumed && (expiry > 0 || has_durable_will) && store.is_full() {
            self.stats.refused.store_full += 1;
            return Err("no room on the disk for another session");
        }
        Ok(())
    }

    /// Sends the CONNACK, the only one of the connection [MQTT-3.1.4-5], [MQTT-3.2.0-2]. If it is larger than the client takes the
    /// connection ends without a word: a DISCONNECT would come before any CONNACK [MQTT-3.2.0-1].
    fn welcome<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        connack: Connack,
        after: Ticket,
        context: &mut Context<'_, D, S>,
    ) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        if connection.answer(Packet::Connack(Box::new(connack)), after, context.output) {
            return true;
        }
        connection.manners.hears_disconnect = false;
        self.disconnect(id, CloseCause::PacketTooLarge, WillRule::Publish, context);
        false
    }

    /// The device, user or bridge, another than the client, to whom the session of this Client Identifier belongs. Its connection and its messages
    /// are not given up to whoever claims the same identifier; a session that nobody proved to be theirs is.
    fn other_device(&self, client: &Client, limits: &Limits) -> Option<Principal> {
        if limits.connect.foreign_session == ForeignSession::Resume {
            return None;
        }
        let owner = self.sessions.find(client)?.client.principal();
        (!matches!(owner, Principal::Anonymous) && owner != client.principal()).then(|| owner.clone())
    }

    /// The older connection with this Client Identifier ends [MQTT-3.1.4-3].
    fn take_over<D: SharedDirectory, S: Store>(&mut self, client: &Client, context: &mut Context<'_, D, S>) {
        let older = self.sessions.find(client).and_then(|session| session.connection);
        if let Some(older) = older {
            self.stats.taken_over += 1;
            self.disconnect(older, CloseCause::TakenOver, WillRule::Publish, context);
        }
    }

    /// A session ends here if the client starts clean [MQTT-3.1.2-4], or if it was left by an anonymous client and a device comes: whatever
    /// a Client Identifier is called, messages queued for one principal are never handed to another.
    fn end_what_is_not_resumed<D: SharedDirectory, S: Store>(
        &mut self,
        client: &Client,
        (clean_start, limits): (bool, &Limits),
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.find(client) else { return };
        let is_foreign = limits.connect.foreign_session == ForeignSession::Refuse && session.client.principal() != client.principal();
        if is_foreign {
            context.output.push(Output::Event(Event::SessionNotShared {
                client_identifier: client.client_identifier().clone(),
                owner: session.client.principal().clone(),
                claimant: client.principal().clone(),
            }));
        }
        if clean_start || is_foreign {
            self.end_session(session.id, context);
        }
    }

    /// The session and whether it was there [MQTT-3.1.2-5], [MQTT-3.1.2-6].
    fn resume_or_create(&mut self, client: &Arc<Client>, limits: &Arc<Limits>, expiry: u32) -> (SessionId, bool) {
        let known = self.sessions.find(client).map(|session| session.id);
        if let Some(session) = known.and_then(|id| self.sessions.get_mut(id)) {
            self.timers.disarm(session.ends_at.take(), Timer::SessionExpiry(session.id));
            // The client is back before its Will was due [MQTT-3.1.3-9].
            self.timers.disarm(session.will_due(), Timer::WillDelay(session.id));
            return (session.id, true);
        }
        let mut session = Session::new(self.ids.session(), Arc::clone(client), Arc::clone(limits), expiry);
        session.standing = Standing::new(self.ruleset_count);
        let id = session.id;
        self.sessions.insert(session);
        self.totals.session_begins();
        (id, false)
    }
}

impl Session {
    /// Takes what the CONNECT says and tells the store what it does not know. Returns what the CONNACK waits for: the promise to keep the
    /// session, and to publish its Will.
    fn opened<S: Store>(
        &mut self,
        client: Arc<Client>,
        expiry: u32,
        will: Option<(Will, Option<Box<Answers>>)>,
        is_resumed: bool,
        store: &mut S,
    ) -> Ticket {
        let id = self.id;
        let of_will = will.as_ref().map(|(will, _)| self.limits.durability.of(will.topic.as_str()));
        let keeps_will = of_will.is_some_and(|durability| durability != Durability::Off);
        let is_same = self.is_stored && self.expiry == expiry && self.client.has_same_names(&client);
        if !is_same && (self.is_persistent || keeps_will || self.is_stored) {
            store.append(&Change::SessionOpened { session: id, client: &client, expiry }, Urgency::Now);
            self.is_stored = true;
        }
        if self.is_stored && is_resumed {
            store.append(&Change::SessionReturned { session: id }, Urgency::Now);
        }
        let had_will = self.will.take().is_some_and(|held| held.is_stored);
        match &will {
            Some((will, _)) if keeps_will => {
                store.append(&Change::WillSet { session: id, will, due: None }, Urgency::Now);
            }
            _ if had_will => {
                store.append(&Change::WillCleared { session: id }, Urgency::Now);
            }
            _ => {}
        }
        self.will = will.map(|(will, answers)| Box::new(HeldWill { will, due: None, is_stored: keeps_will, answers }));
        self.client = client;
        self.expiry = expiry;
        let is_promised = self.is_persistent || of_will == Some(Durability::Always);
        if is_promised { store.latest() } else { Ticket::NONE }
    }
}

/// No packet is longer: what a Remaining Length can say, and five octets of fixed header (§2.1.4).
const PACKET_BYTES_MAX: u32 = 268_435_460;

/// [MQTT-3.1.3-8], [MQTT-3.1.3-9] (3.1.1): a Server may refuse an identifier, and then closes [MQTT-3.2.2-7]; the words say why, the event
/// says whose it is.
fn refuse_identifier<D: SharedDirectory, S: Store>(
    id: ConnectionId,
    (connect, limits): (&Connect, &Limits),
    client: &Client,
    owner: Principal,
    context: &mut Context<'_, D, S>,
) {
    let words = "the client identifier belongs to the session of another device";
    let packet = Packet::Connack(refusing(connect, limits, ReasonCode::ClientIdentifierNotValid, words));
    context.output.push(Output::Send { connection: id, packet, after: Ticket::NONE });
    context.output.push(Output::Event(Event::IdentifierRefused {
        connection: id,
        client_identifier: client.client_identifier().clone(),
        owner,
        claimant: client.principal().clone(),
    }));
    context.output.push(Output::Close { connection: id, cause: CloseCause::IdentifierInUse });
}

fn refuse_for_quota<D: SharedDirectory, S: Store>(
    id: ConnectionId,
    (connect, limits): (&Connect, &Limits),
    client: &Client,
    why: &'static str,
    context: &mut Context<'_, D, S>,
) {
    // Before MQTT 5.0 there is no quota, only a Server that is not available.
    let reason_code = if connect.version.has_properties() { ReasonCode::QuotaExceeded } else { ReasonCode::ServerUnavailable };
    let packet = Packet::Connack(refusing(connect, limits, reason_code, why));
    context.output.push(Output::Send { connection: id, packet, after: Ticket::NONE });
    let client_identifier = client.client_identifier().clone();
    context.output.push(Output::Event(Event::SessionRefused { connection: id, client_identifier, why }));
    context.output.push(Output::Close { connection: id, cause: CloseCause::QuotaExceeded(why) });
}

/// The Session Expiry Interval in force [MQTT-3.1.2-23], [MQTT-3.1.2-6] (3.1.1). What MQTT 3.1.1 calls a clean session ends with its
/// connection, any other is kept as long as allowed.
fn session_expiry(connect: &Connect, limits: &Limits) -> u32 {
    let asked = match connect.version {
        ProtocolVersion::V31 | ProtocolVersion::V311 if connect.clean_start => 0,
        ProtocolVersion::V31 | ProtocolVersion::V311 => u32::MAX,
        ProtocolVersion::V5 => connect.properties.session_expiry_interval.unwrap_or(0),
    };
    asked.min(limits.session_expiry_maximum)
}

/// What the client is told about the Server, above all whether a session is resumed [MQTT-3.2.2-2], [MQTT-3.2.2-3]. Nothing is said of what
/// Signet does not have: Response Information [MQTT-3.1.2-28], authentication methods [MQTT-4.12.0-6]. MQTT 3.1.1 has none of the
/// properties: the encoder leaves them out.
fn connack(connect: &Connect, limits: &Limits, expiry: u32, assigned: Option<&Client>, session_present: bool) -> Connack {
    let is_cut = connect.properties.session_expiry_interval.is_some_and(|asked| asked != expiry);
    let properties = ConnackProperties {
        // §3.2.2.3.2: told only if it differs from what was asked for.
        session_expiry_interval: is_cut.then_some(expiry),
        receive_maximum: NonZeroU16::new(limits.receive_maximum.max(1)).filter(|maximum| maximum.get() < u16::MAX),
        maximum_packet_size: NonZeroU32::new(limits.maximum_packet_size).filter(|maximum| maximum.get() < PACKET_BYTES_MAX),
        // [MQTT-3.2.2-16]
        assigned_client_identifier: assigned.map(|client| client.client_identifier().clone()),
        topic_alias_maximum: Some(limits.topic_alias_maximum).filter(|maximum| *maximum > 0),
        // [MQTT-3.2.2-9]: left out when 2.
        features: ServerFeatures {
            maximum_qos: Some(limits.maximum_qos).filter(|maximum| *maximum < QoS::ExactlyOnce),
            // [MQTT-3.2.2-13]: left out when true.
            retain_available: (!limits.messages.retained_available).then_some(false),
            ..ServerFeatures::default()
        },
        // [MQTT-3.2.2-21]
        server_keep_alive: server_keep_alive(connect, limits),
        ..ConnackProperties::default()
    };
    Connack { session_present, reason_code: ReasonCode::Success, properties }
}

fn connection(id: ConnectionId, session: SessionId, connect: &Connect, client: &Arc<Client>, limits: &Arc<Limits>) -> Connection {
    let asked = &connect.properties;
    let has_properties = connect.version.has_properties();
    let outgoing = limits.messages.topic_alias_outgoing_maximum;
    Connection {
        id,
        session,
        client: Arc::clone(client),
        limits: Arc::clone(limits),
        manners: Manners {
            version: connect.version,
            // A Server sends no DISCONNECT before MQTT 5.0.
            hears_disconnect: has_properties,
            hears_problems: asked.request_problem_information.unwrap_or(true),
            hears_refused_publish: has_properties,
            // MQTT 3.1 has the three grants only.
            hears_refused_subscription: connect.version != ProtocolVersion::V31,
            is_bridge: connect.is_bridge,
        },
        // [MQTT-4.9.0-1]
        receive_maximum: asked.receive_maximum.map_or(u16::MAX, NonZeroU16::get),
        incoming: Incoming {
            // Before MQTT 5.0 there is no Receive Maximum: clients cannot know a bound below the number of Packet Identifiers.
            maximum: if has_properties { limits.receive_maximum.max(1) } else { u16::MAX },
            open: 0,
            owes: false,
        },
        maximum_packet_size: asked.maximum_packet_size.map_or(usize::MAX, |size| usize::try_from(size.get()).unwrap_or(usize::MAX)),
        keep_alive: KeepAlive::new(0, crate::Moment::ZERO),
        inbound: InboundAliases::new(limits.topic_alias_maximum),
        outbound: OutboundAliases::new(asked.topic_alias_maximum.unwrap_or(0).min(outgoing)),
        is_writable: true,
        memo: Memo::default(),
        asking: None,
        mount: client.mount().map(Box::new),
    }
}
