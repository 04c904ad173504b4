//! Inbound PUBLISH: alias → limits → duplicate → authorize → route → acknowledge (§3.3).

use signet_mqtt::{Ack, Message, Packet, PacketId, Publish, QoS, ReasonCode, TopicName};
use signet_policy::{Denied, authorize_publish};

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, SessionId};
use crate::input::WillRule;
use crate::limits::Limits;
use crate::memo::Validity;
use crate::output::{CloseCause, Event, Output};
use crate::route::Origin;
use crate::store::{Change, Store, Ticket, Urgency};
use crate::topic_alias::AliasError;

/// What the client is told about its message.
struct Verdict {
    reason_code: ReasonCode,
    reason_string: Option<String>,
    ticket: Ticket,
}

/// What a PUBLISH with QoS 2 is to its session.
enum Arrival {
    New,
    /// It was taken before and not released yet.
    Again,
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
        let session = connection.session;
        let topic = match check(resolved, &publish, &self.limits) {
            Ok(topic) => topic,
            Err(cause) => return self.disconnect(id, cause, WillRule::Publish, context),
        };
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        if let Some(packet_id) = packet_id.filter(|_| qos == QoS::ExactlyOnce) {
            match self.arrival(id, packet_id) {
                Arrival::New => {}
                // [MQTT-4.3.3-10]: the message was taken before; only the answer is repeated.
                Arrival::Again => return self.answer(id, Packet::Pubrec(Ack::success(packet_id)), Ticket::NONE, context),
                Arrival::OneTooMany => return self.disconnect(id, CloseCause::ReceiveMaximumExceeded, WillRule::Publish, context),
            }
        }
        let verdict = self.accept(id, session, topic, publish, context);
        let Some(packet_id) = packet_id else { return };
        self.acknowledge(id, session, (qos, packet_id), verdict, context);
    }

    /// What a PUBLISH with QoS 2 is to the session, and whether Receive Maximum has a place for it. Places belong to the connection, Packet
    /// Identifiers to the session: one that is sent again on a new connection takes a place there too (§4.9).
    fn arrival(&mut self, id: ConnectionId, packet_id: PacketId) -> Arrival {
        let Some(connection) = self.connections.get_mut(&id) else { return Arrival::OneTooMany };
        let known = self.sessions.get_mut(connection.session).and_then(|session| session.received.get_mut(&packet_id));
        if known.as_deref() == Some(&id) {
            return Arrival::Again;
        }
        if connection.receiving >= connection.receive_maximum {
            return Arrival::OneTooMany;
        }
        let Some(known) = known else { return Arrival::New };
        *known = id;
        connection.receiving += 1;
        Arrival::Again
    }

    /// Authorizes and routes.
    fn accept<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        topic: TopicName,
        publish: Publish,
        context: &mut Context<'_, D, S>,
    ) -> Verdict {
        let refused = |reason_code, reason_string| Verdict { reason_code, reason_string, ticket: Ticket::NONE };
        let Some(connection) = self.connections.get_mut(&id) else { return refused(ReasonCode::UnspecifiedError, None) };
        let generation = context.directory.read(|directory| directory.subscriptions.generation());
        let validity = Validity { rulesets: self.ruleset_count, generation };
        let (permit, known) = match connection.memo.find(&topic, validity) {
            Some((permit, routes)) => (permit, Some(routes)),
            // The topic gets memory of its own here, because the permit may be remembered longer than the packet lives.
            None => match authorize_publish(&self.ruleset, &connection.client, &topic.detached(), publish.qos, publish.retain) {
                Ok(permit) => (permit, None),
                Err(denied) => return self.denied_publish(id, denied, context),
            },
        };
        let Some(message) = Message::from_publish(publish, Some(topic)) else { return refused(ReasonCode::TopicNameInvalid, None) };
        let to_remember = (known.is_none() && !message.retain).then(|| permit.clone());
        let routed = self.route(permit, message, Origin { publisher: session, known }, context);
        if let (Some(permit), Some(routes), Some(connection)) = (to_remember, &routed.routes, self.connections.get_mut(&id)) {
            connection.memo.keep(permit, routes, validity);
        }
        match routed.is_matched {
            None => refused(ReasonCode::QuotaExceeded, Some("there is no room for another retained message".to_owned())),
            Some(true) => Verdict { reason_code: ReasonCode::Success, reason_string: None, ticket: routed.ticket },
            Some(false) => Verdict { reason_code: ReasonCode::NoMatchingSubscribers, reason_string: None, ticket: routed.ticket },
        }
    }

    fn denied_publish<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        denied: Denied,
        context: &mut Context<'_, D, S>,
    ) -> Verdict {
        self.stats.denied_publish += 1;
        let verdict = Verdict { reason_code: denied.reason_code, reason_string: Some(denied.reason.to_string()), ticket: Ticket::NONE };
        if let Some(connection) = self.connections.get(&id) {
            let client_identifier = connection.client.client_identifier().clone();
            context.output.push(Output::Event(Event::Denied { connection: Some(id), client_identifier, denied }));
        }
        verdict
    }

    /// PUBACK or PUBREC [MQTT-4.3.2-4], [MQTT-4.3.3-8]. MQTT 3.1.1 has no way to say no here: there the encoder leaves the reason out, and the
    /// client is told nothing but that the server has taken responsibility, which for a refused message means dropping it.
    fn acknowledge<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        (qos, packet_id): (QoS, PacketId),
        verdict: Verdict,
        context: &mut Context<'_, D, S>,
    ) {
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
            session.received.insert(packet_id, id);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.receiving += 1;
            }
            if session.is_persistent {
                after = after.max(context.store.append(&Change::ReceivedQos2 { session: session.id, packet_id }, Urgency::Now));
            }
        }
        self.answer(id, Packet::Pubrec(ack), after, context);
    }
}

fn check(resolved: Result<TopicName, AliasError>, publish: &Publish, limits: &Limits) -> Result<TopicName, CloseCause> {
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
    if topic.levels().count() > usize::from(limits.topic_levels_maximum) {
        return Err(CloseCause::TopicNameInvalid("it has too many levels"));
    }
    Ok(topic)
}
