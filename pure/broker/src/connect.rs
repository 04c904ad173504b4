//! CONNECT on the shard that owns the Client Identifier: take over → resume or create → CONNACK → send what waited (§3.1.4).

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

use signet_mqtt::{Connack, ConnackProperties, Connect, Packet, ProtocolVersion, QoS, ReasonCode, ServerFeatures};
use signet_policy::{Client, Principal};

use crate::admission::{Admission, refusing};
use crate::broker::{Broker, Context};
use crate::connection::Connection;
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, SessionId};
use crate::input::WillRule;
use crate::keep_alive::{KeepAlive, server_keep_alive};
use crate::limits::Limits;
use crate::memo::Memo;
use crate::output::{CloseCause, Event, Output};
use crate::store::{Change, Store, Ticket, Urgency};
use crate::timers::Timer;
use crate::topic_alias::{InboundAliases, OutboundAliases};

impl Broker {
    pub(crate) fn connect<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        admission: Admission,
        context: &mut Context<'_, D, S>,
    ) {
        let Admission { permit, mut connect, .. } = admission;
        let client = Arc::clone(permit.client());
        if let Some(owner) = self.other_device(&client) {
            return refuse_identifier(id, &connect, &client, owner, context);
        }
        self.take_over(&client, context);
        self.end_what_is_not_resumed(&client, connect.clean_start, context);
        let Some((session, session_present)) = self.resume_or_create(&client) else {
            return refuse_for_quota(id, context);
        };
        let expiry = session_expiry(&connect, &self.limits);
        let connack = connack(&connect, &self.limits, expiry, permit.is_assigned().then_some(&*client), session_present);
        let keep_alive = connack.properties.server_keep_alive.unwrap_or(connect.keep_alive);
        let will = connect.will.take();
        let mut connection = connection(id, session, &connect, &client, &self.limits);
        connection.keep_alive = KeepAlive::new(keep_alive, context.now);
        if let Some(at) = connection.keep_alive.armed {
            self.timers.arm(at, Timer::KeepAlive(id));
        }
        self.connections.insert(id, connection);
        let Some(state) = self.sessions.get_mut(session) else { return };
        state.client = Arc::clone(&client);
        state.connection = Some(id);
        state.set_expiry(expiry);
        state.will = will;
        state.inflight.reconnect();
        let mut after = Ticket::NONE;
        if state.is_persistent {
            after = context.store.append(&Change::SessionOpened { session, client: &client, expiry }, Urgency::Now);
            if let Some(will) = &state.will {
                after = after.max(context.store.append(&Change::WillSet { session, will, due: None }, Urgency::Now));
            }
        }
        if session_present {
            self.note_connected(session, true, context);
        }
        if !self.welcome(id, connack, after, context) {
            return;
        }
        context.output.push(Output::Event(Event::Connected {
            connection: id,
            client_identifier: client.client_identifier().clone(),
            principal: client.principal().clone(),
            session_present,
        }));
        self.pump(session, context);
    }

    /// Sends the CONNACK. If it is larger than the client takes the connection ends without a word: a DISCONNECT would come before any
    /// CONNACK [MQTT-3.2.0-1].
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

    /// The device, another than the client's, to which the session of this Client Identifier belongs. Its connection and its messages are not
    /// given up to whoever claims the same identifier; a session that nobody proved to be theirs is.
    fn other_device(&self, client: &Client) -> Option<Principal> {
        let owner = self.sessions.find(client.client_identifier())?.client.principal();
        (matches!(owner, Principal::Device(_)) && owner != client.principal()).then(|| owner.clone())
    }

    /// The older connection with this Client Identifier ends [MQTT-3.1.4-3].
    fn take_over<D: SharedDirectory, S: Store>(&mut self, client: &Client, context: &mut Context<'_, D, S>) {
        let older = self.sessions.find(client.client_identifier()).and_then(|session| session.connection);
        if let Some(older) = older {
            self.stats.taken_over += 1;
            self.disconnect(older, CloseCause::TakenOver, WillRule::Publish, context);
        }
    }

    /// A session ends here if the client starts clean [MQTT-3.1.2-4], or if it was left by an anonymous client and a device comes: whatever a
    /// Client Identifier is called, messages queued for one principal are never handed to another.
    fn end_what_is_not_resumed<D: SharedDirectory, S: Store>(
        &mut self,
        client: &Client,
        clean_start: bool,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.find(client.client_identifier()) else { return };
        let is_foreign = session.client.principal() != client.principal();
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

    /// The session and whether it was there [MQTT-3.1.2-5], [MQTT-3.1.2-6]; nothing if there is no room for another.
    fn resume_or_create(&mut self, client: &Arc<Client>) -> Option<(SessionId, bool)> {
        if let Some(id) = self.sessions.find(client.client_identifier()).map(|session| session.id) {
            let session = self.sessions.get_mut(id)?;
            self.timers.disarm(session.ends_at.take(), Timer::SessionExpiry(id));
            // The client is back before its Will was due [MQTT-3.1.3-9].
            self.timers.disarm(session.will_at.take(), Timer::WillDelay(id));
            return Some((id, true));
        }
        if self.sessions.len() >= self.limits.total.sessions_maximum {
            return None;
        }
        Some((self.sessions.create(self.ids.session(), client), false))
    }
}

/// [MQTT-3.2.2-8]: a Server may refuse an identifier; the words say why, the event says whose it is.
fn refuse_identifier<D: SharedDirectory, S: Store>(
    id: ConnectionId,
    connect: &Connect,
    client: &Client,
    owner: Principal,
    context: &mut Context<'_, D, S>,
) {
    let words = "the client identifier belongs to the session of another device";
    let packet = Packet::Connack(refusing(connect, ReasonCode::ClientIdentifierNotValid, words));
    context.output.push(Output::Send { connection: id, packet, after: Ticket::NONE });
    context.output.push(Output::Event(Event::IdentifierRefused {
        connection: id,
        client_identifier: client.client_identifier().clone(),
        owner,
        claimant: client.principal().clone(),
    }));
    context.output.push(Output::Close { connection: id, cause: CloseCause::IdentifierInUse });
}

fn refuse_for_quota<D: SharedDirectory, S: Store>(id: ConnectionId, context: &mut Context<'_, D, S>) {
    let connack = Connack { reason_code: ReasonCode::QuotaExceeded, ..Connack::default() };
    context.output.push(Output::Send { connection: id, packet: Packet::Connack(Box::new(connack)), after: Ticket::NONE });
    context.output.push(Output::Close { connection: id, cause: CloseCause::QuotaExceeded("no room for another session") });
}

/// The Session Expiry Interval in force. What MQTT 3.1.1 calls a clean session ends with its connection, any other is kept as long as allowed.
fn session_expiry(connect: &Connect, limits: &Limits) -> u32 {
    let asked = match connect.version {
        ProtocolVersion::V31 | ProtocolVersion::V311 if connect.clean_start => 0,
        ProtocolVersion::V31 | ProtocolVersion::V311 => u32::MAX,
        ProtocolVersion::V5 => connect.properties.session_expiry_interval.unwrap_or(0),
    };
    asked.min(limits.session_expiry_maximum)
}

/// What the client is told about the Server. MQTT 3.1.1 has none of the properties: the encoder leaves them out.
fn connack(connect: &Connect, limits: &Limits, expiry: u32, assigned: Option<&Client>, session_present: bool) -> Connack {
    let is_cut = connect.properties.session_expiry_interval.is_some_and(|asked| asked != expiry);
    let properties = ConnackProperties {
        // §3.2.2.3.2: told only if it differs from what was asked for.
        session_expiry_interval: is_cut.then_some(expiry),
        receive_maximum: NonZeroU16::new(limits.receive_maximum.max(1)).filter(|maximum| maximum.get() < u16::MAX),
        maximum_packet_size: NonZeroU32::new(limits.maximum_packet_size),
        // [MQTT-3.2.2-16]
        assigned_client_identifier: assigned.map(|client| client.client_identifier().clone()),
        topic_alias_maximum: Some(limits.topic_alias_maximum).filter(|maximum| *maximum > 0),
        // [MQTT-3.2.2-9]: left out when 2.
        features: ServerFeatures {
            maximum_qos: Some(limits.maximum_qos).filter(|maximum| *maximum < QoS::ExactlyOnce),
            ..ServerFeatures::default()
        },
        // [MQTT-3.2.2-21]
        server_keep_alive: server_keep_alive(connect, limits),
        ..ConnackProperties::default()
    };
    Connack { session_present, reason_code: ReasonCode::Success, properties }
}

fn connection(id: ConnectionId, session: SessionId, connect: &Connect, client: &Arc<Client>, limits: &Limits) -> Connection {
    let asked = &connect.properties;
    let has_properties = connect.version.has_properties();
    let window = asked.receive_maximum.map_or(u16::MAX, NonZeroU16::get);
    Connection {
        id,
        session,
        client: Arc::clone(client),
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
        window: window.min(limits.maximum_inflight).max(1),
        // MQTT 3.1.1 has no Receive Maximum: its clients cannot know a bound below the number of Packet Identifiers.
        receive_maximum: if has_properties { limits.receive_maximum.max(1) } else { u16::MAX },
        receiving: 0,
        maximum_packet_size: asked.maximum_packet_size.map_or(usize::MAX, |size| usize::try_from(size.get()).unwrap_or(usize::MAX)),
        keep_alive: KeepAlive::new(0, crate::Moment::ZERO),
        inbound: InboundAliases::new(limits.topic_alias_maximum),
        outbound: OutboundAliases::new(asked.topic_alias_maximum.unwrap_or(0).min(limits.topic_alias_maximum)),
        is_writable: true,
        memo: Memo::default(),
    }
}
