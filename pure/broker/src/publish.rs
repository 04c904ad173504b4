//! Inbound PUBLISH: alias → limits → duplicate → authorize → route → acknowledge (§3.3).

use std::sync::Arc;

use signet_mqtt::{Ack, AliasError, Message, Packet, PacketId, Publish, QoS, ReasonCode, TopicName};
use signet_policy::{Denied, NoPermit, PublishPermit, Published, authorize_publish, authorize_server_publish};

use crate::admission::place_response;
use crate::asking::Held;
use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::durability::Durability;
use crate::ids::{ConnectionId, SessionId};
use crate::input::WillRule;
use crate::limits::Limits;
use crate::memo::Validity;
use crate::output::{CloseCause, Event, Output};
use crate::route::{NoRoom, Origin, RouteSet, append_as};
use crate::session::Received;
use crate::store::{Change, Store, Ticket};

/// What the client is told about its message.
struct Verdict {
    reason_code: ReasonCode,
    reason_string: Option<String>,
    ticket: Ticket,
    durability: Durability,
    /// Where there was no room for it: it went nowhere, and may find some when it is sent again.
    no_room: Option<NoRoom>,
}

impl Verdict {
    /// About a message that goes to nobody.
    fn of(reason_code: ReasonCode, reason_string: Option<String>) -> Self {
        Self { reason_code, reason_string, ticket: Ticket::NONE, durability: Durability::Off, no_room: None }
    }

    fn no_room(why: NoRoom) -> Self {
        Self { no_room: Some(why), ..Self::of(ReasonCode::QuotaExceeded, Some(why.words().to_owned())) }
    }
}

/// A permit, and the routes if they are known.
type Permitted = (PublishPermit, Option<Arc<RouteSet>>);

/// What a PUBLISH with QoS 2 is to its session.
enum Arrival {
    New,
    /// It was taken before and not released yet.
    Again(Durability),
    /// More than Receive Maximum allows [MQTT-3.3.4-7].
    OneTooMany,
}

impl Broker {
    pub(crate) fn publish<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        mut publish: Publish,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let resolved = connection.inbound.resolve(publish.topic.take(), publish.properties.topic_alias);
        let prefix = connection.client.levels_before();
        let topic = match check(resolved, &publish, prefix, &connection.limits) {
            Ok(topic) => topic,
            Err(cause) => return self.disconnect(id, cause, WillRule::Publish, context),
        };
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        if let Some(packet_id) = packet_id.filter(|_| qos == QoS::ExactlyOnce) {
            match self.arrival(id, packet_id) {
                Arrival::New => {}
                Arrival::Again(durability) => {
                    // [MQTT-4.3.3-10]: the message was taken before; only the answer is repeated, and it promises the same.
                    let after = if durability == Durability::Always { context.store.latest() } else { Ticket::NONE };
                    return self.answer(id, Packet::Pubrec(Ack::success(packet_id)), after, context);
                }
                Arrival::OneTooMany => return self.disconnect(id, CloseCause::ReceiveMaximumExceeded, WillRule::Publish, context),
            }
        }
        if packet_id.is_some() && self.connections.get(&id).is_some_and(|connection| connection.incoming.owes) {
            return;
        }
        self.publish_resolved(id, publish, topic, context);
    }

    /// The rest of it, which may have to wait for somebody who is asked.
    pub(crate) fn publish_resolved<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        publish: Publish,
        topic: TopicName,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (session, payload_maximum) = (connection.session, connection.limits.messages.payload_maximum);
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        if payload_maximum > 0 && publish.payload.len() > payload_maximum {
            self.stats.refused.payload_too_large += 1;
            let words = format!("the payload has {} bytes, more than {payload_maximum}", publish.payload.len());
            let Some(packet_id) = packet_id else { return };
            let verdict = Verdict::of(ReasonCode::ImplementationSpecificError, Some(words));
            return self.acknowledge(id, session, (qos, packet_id), verdict, context);
        }
        let Some(permitted) = self.permit(id, session, &topic, &publish, context) else { return };
        let verdict = match permitted {
            Ok((permit, ..)) if self.is_control(permit.topic()) => return self.control(id, permit, &publish, context),
            Ok(permitted) => self.accept(id, session, (topic, permitted), publish, context),
            Err(NoPermit::Denied(denied)) => self.denied_publish(id, *denied, context),
            Err(NoPermit::Ask(question)) => return self.hold(id, Held::Publish(Box::new((publish, topic))), *question, context),
        };
        let Some(packet_id) = packet_id else { return };
        self.acknowledge(id, session, (qos, packet_id), verdict, context);
    }

    /// The Server says something itself, under `$SYS/`.
    pub(crate) fn publish_own<D: SharedDirectory, S: Store>(&mut self, mut message: Message, context: &mut Context<'_, D, S>) {
        message.retain &= self.limits.messages.retained_available;
        let origin = Origin { publisher: None, known: None, durability: Durability::Off, is_refusable: false };
        match authorize_server_publish(&message.topic) {
            // What cannot be refused finds room.
            Ok(permit) => drop(self.route(permit, message, origin, context)),
            Err(_) => self.stats.refused.publish_denied += 1,
        }
    }

    /// What a PUBLISH with QoS 2 is to the session, and whether Receive Maximum has a place for it. Places belong to the connection, Packet
    /// Identifiers to the session: one that is sent again on a new connection takes a place there too (§4.9).
    fn arrival(&mut self, id: ConnectionId, packet_id: PacketId) -> Arrival {
        let Some(connection) = self.connections.get_mut(&id) else { return Arrival::OneTooMany };
        let session = self.sessions.get_mut(connection.session);
        let is_persistent = session.as_ref().is_some_and(|session| session.is_persistent);
        let known = session.and_then(|session| session.received.get_mut(&packet_id));
        let again = |known: &Received| Arrival::Again(if is_persistent { known.durability } else { Durability::Off });
        if let Some(known) = known.as_deref().filter(|known| known.connection == Some(id)) {
            return again(known);
        }
        if connection.incoming.open >= connection.incoming.maximum {
            return Arrival::OneTooMany;
        }
        let Some(known) = known else { return Arrival::New };
        known.connection = Some(id);
        connection.incoming.open += 1;
        again(known)
    }

    /// Whether it may be published, and where it goes if that is known from the last message to its topic.
    fn permit<D: SharedDirectory, S: Store>(
        &self,
        id: ConnectionId,
        session: SessionId,
        topic: &TopicName,
        publish: &Publish,
        context: &Context<'_, D, S>,
    ) -> Option<Result<Permitted, NoPermit>> {
        let (connection, session) = self.connections.get(&id).zip(self.sessions.get(session))?;
        let known = context.directory.changes(|changes| connection.memo.find(topic, self.ruleset_count, changes));
        if let Some((permit, routes)) = known {
            return Some(Ok((permit, Some(routes))));
        }
        let message = Published { qos: publish.qos, retain: publish.retain, will: false };
        let permit = session.with_known(connection.answers(), context.now, |known| {
            authorize_publish(&self.ruleset, &connection.client, topic, message, known)
        });
        Some(permit.map(|permit| (permit, None)))
    }

    /// Routes what is permitted.
    fn accept<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        (topic, (permit, known)): (TopicName, Permitted),
        mut publish: Publish,
        context: &mut Context<'_, D, S>,
    ) -> Verdict {
        let Some(connection) = self.connections.get_mut(&id) else { return Verdict::of(ReasonCode::UnspecifiedError, None) };
        if connection.mount.is_some() && publish.properties.response_topic.is_some() {
            publish.properties.response_topic = place_response(&connection.client, publish.properties.response_topic.take());
        }
        let durability = connection.limits.durability.of(permit.topic().as_str());
        if publish.qos == QoS::ExactlyOnce && self.would_store_identifier(session, durability) && context.store.is_full() {
            return self.no_room(NoRoom::Store);
        }
        let birth = self.is_birth_certificate(permit.topic());
        let to_remember = (known.is_none() && !publish.retain && permit.is_general()).then(|| {
            let validity = context.directory.changes(|changes| Validity::now(permit.topic(), self.ruleset_count, changes));
            (topic.clone(), permit.clone(), validity)
        });
        let message = Message::from_publish(publish, topic);
        let birth = birth.then(|| Message { topic: permit.topic().clone(), ..message.clone() });
        let origin = Origin { publisher: Some(session), known, durability, is_refusable: true };
        let routed = match self.route(permit, message, origin, context) {
            Ok(routed) => routed,
            Err(why) => return self.no_room(why),
        };
        if let Some(birth) = birth {
            self.keep_birth_certificate(birth, durability, context);
        }
        if let (Some((topic, permit, validity)), Some(connection)) = (to_remember, self.connections.get_mut(&id)) {
            connection.memo.keep(topic, permit, (&routed.routes, validity), &mut self.routing.large);
        }
        let reason_code = if routed.is_matched { ReasonCode::Success } else { ReasonCode::NoMatchingSubscribers };
        Verdict { reason_code, reason_string: None, ticket: routed.ticket, durability, no_room: None }
    }

    /// Whether the store hears of the Packet Identifier of a message with QoS 2.
    fn would_store_identifier(&self, session: SessionId, durability: Durability) -> bool {
        durability != Durability::Off && self.sessions.get(session).is_some_and(|session| session.is_persistent)
    }

    fn no_room(&mut self, why: NoRoom) -> Verdict {
        let refused = &mut self.stats.refused;
        let count = match why {
            NoRoom::Retained => &mut refused.retained_full,
            NoRoom::Queues(_) => &mut refused.queues_full,
            NoRoom::Store => &mut refused.store_full,
        };
        *count += 1;
        Verdict::no_room(why)
    }

    fn denied_publish<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        denied: Denied,
        context: &mut Context<'_, D, S>,
    ) -> Verdict {
        self.stats.refused.publish_denied += 1;
        let verdict = Verdict::of(denied.reason_code, Some(denied.reason.to_string()));
        if let Some(connection) = self.connections.get(&id) {
            let client_identifier = connection.client.client_identifier().clone();
            context.output.push(Output::Event(Event::Denied { connection: Some(id), client_identifier, denied }));
        }
        verdict
    }

    /// A request to the Server was carried out.
    pub(crate) fn acknowledge_control<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        of: (QoS, PacketId),
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.connections.get(&id).map(|connection| connection.session) else { return };
        self.acknowledge(id, session, of, Verdict::of(ReasonCode::Success, None), context);
    }

    /// PUBACK or PUBREC [MQTT-3.3.4-1], [MQTT-4.3.2-4], [MQTT-4.3.3-8], [MQTT-3.3.5-2] (3.1.1). Before MQTT 5.0 there is no way to say no.
    /// For a message that the rules refuse the encoder leaves the reason out, and the client is told nothing but that the Server has taken
    /// responsibility, which here means dropping it: sending it again would not help. A message without room is not acknowledged, because
    /// then it would be lost.
    fn acknowledge<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        (qos, packet_id): (QoS, PacketId),
        verdict: Verdict,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Some(why) = verdict.no_room.filter(|_| !connection.manners.hears_refused_publish) {
            connection.incoming.owes = true;
            let client_identifier = connection.client.client_identifier().clone();
            context.output.push(Output::Event(Event::HeldBack { connection: id, client_identifier, why: why.words() }));
            return self.note_debt(why, context.now);
        }
        let mut ack = Ack::new(packet_id, verdict.reason_code);
        ack.reason_string = verdict.reason_string.map(Into::into);
        if qos == QoS::AtLeastOnce {
            return self.answer(id, Packet::Puback(ack), verdict.ticket, context);
        }
        let mut after = verdict.ticket;
        // A refusal ends the exchange [MQTT-4.3.3-9]: the identifier is free at once.
        if !verdict.reason_code.is_error()
            && let Some(session) = self.sessions.get_mut(session)
        {
            let durability = verdict.durability;
            session.received.insert(packet_id, Received { connection: Some(id), durability });
            connection.incoming.open += 1;
            if session.is_persistent && durability != Durability::Off {
                after = after.max(append_as(&Change::ReceivedQos2 { session: session.id, packet_id }, durability, context.store));
            }
        }
        self.answer(id, Packet::Pubrec(ack), after, context);
    }
}

/// `prefix`: how many levels stand before the topic.
fn check(resolved: Result<TopicName, AliasError>, publish: &Publish, prefix: usize, limits: &Limits) -> Result<TopicName, CloseCause> {
    let topic = resolved.map_err(|error| match error {
        AliasError::Invalid => CloseCause::TopicAliasInvalid,
        AliasError::Unknown => CloseCause::ProtocolError("a PUBLISH without a topic and without an alias that was set before"),
    })?;
    if publish.qos > limits.maximum_qos {
        // [MQTT-3.2.2-11]
        return Err(CloseCause::QosNotSupported);
    }
    if !publish.properties.subscription_identifiers.is_empty() {
        return Err(CloseCause::ProtocolError("a Subscription Identifier in a PUBLISH to the Server [MQTT-3.3.4-6]"));
    }
    if publish.retain && !limits.messages.retained_available {
        // [MQTT-3.2.2-14]
        return Err(CloseCause::RetainNotSupported);
    }
    // A short topic cannot have many levels.
    let levels = usize::from(limits.topic_levels_maximum).saturating_sub(prefix);
    if topic.as_str().len() >= levels && topic.levels().count() > levels {
        return Err(CloseCause::TopicNameInvalid("it has too many levels"));
    }
    Ok(topic)
}
