//! SUBSCRIBE and UNSUBSCRIBE (§3.8, §3.10): a permit for each filter, then the tree, then retained messages.

use signet_mqtt::{
    ClientIdentifier, Packet, ReasonCode, RetainHandling, Suback, Subscribe, SubscribeFilter, SubscriptionIdentifier, SubscriptionOptions,
    TopicFilter, Unsuback, Unsubscribe, UserProperties,
};
use signet_policy::{SubscribePermit, authorize_subscribe};

use crate::broker::{Broker, Context};
use crate::directory::{Directory, SharedDirectory};
use crate::ids::{ConnectionId, SessionId, ShardId};
use crate::input::Recipient;
use crate::moment::Moment;
use crate::output::{Event, Output};
use crate::retained::RetainedMessage;
use crate::store::{Change, Store, Ticket, Urgency};
use crate::subscriptions::Subscriber;

/// A subscription that was allowed.
struct Granted {
    permit: SubscribePermit,
    options: SubscriptionOptions,
}

/// What entering subscriptions needs to know.
struct Entering {
    session: SessionId,
    shard: ShardId,
    is_persistent: bool,
    /// For No Local.
    client_identifier: ClientIdentifier,
    identifier: Option<SubscriptionIdentifier>,
    now: Moment,
    retained_maximum: usize,
}

impl Broker {
    pub(crate) fn subscribe<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        subscribe: Subscribe,
        context: &mut Context<'_, D, S>,
    ) {
        let is_shared_no_local = |entry: &SubscribeFilter| entry.options.no_local && entry.filter.shared().is_some();
        if subscribe.subscriptions.iter().any(is_shared_no_local) {
            return self.violated(id, "No Local on a Shared Subscription [MQTT-3.8.3-4]", context);
        }
        let Subscribe { packet_id, subscription_identifier: identifier, subscriptions, .. } = subscribe;
        let Some(session) = self.session_of(id) else { return };
        let client_identifier = session.client.client_identifier().clone();
        let is_persistent = session.is_persistent;
        let session = session.id;
        let mut reason_codes = Vec::with_capacity(subscriptions.len());
        let mut granted = Vec::with_capacity(subscriptions.len());
        let mut reason_string = None;
        for entry in subscriptions {
            match self.grant(id, session, entry, context) {
                Ok(grant) => {
                    reason_codes.push(ReasonCode::granted(grant.options.maximum_qos));
                    granted.push(grant);
                }
                Err((reason_code, words)) => {
                    reason_codes.push(reason_code);
                    reason_string = reason_string.or(Some(words.into()));
                }
            }
        }
        let entering = Entering {
            session,
            shard: self.shard,
            is_persistent,
            client_identifier,
            identifier,
            now: context.now,
            retained_maximum: self.limits.total.retained_messages_maximum,
        };
        let after = self.append_subscriptions(&entering, &granted, context);
        // One step under the lock: no message falls between the new subscription and the retained messages it starts with.
        let retained = context.directory.write(|directory| enter(directory, granted, &entering));
        let suback = Suback { packet_id, reason_string, user_properties: UserProperties::default(), reason_codes };
        self.answer(id, Packet::Suback(suback), after, context);
        self.start_with(session, retained, context);
    }

    /// Limits and rules for one filter.
    fn grant<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        entry: SubscribeFilter,
        context: &mut Context<'_, D, S>,
    ) -> Result<Granted, (ReasonCode, String)> {
        let SubscribeFilter { filter, mut options } = entry;
        let Some(session) = self.sessions.get_mut(session) else { return Err((ReasonCode::UnspecifiedError, String::new())) };
        if filter.without_share_name().split('/').count() > usize::from(self.limits.topic_levels_maximum) {
            return Err((ReasonCode::TopicFilterInvalid, "the topic filter has too many levels".to_owned()));
        }
        let permit = match authorize_subscribe(&self.ruleset, &session.client, &filter, options.maximum_qos) {
            Ok(permit) => permit,
            Err(denied) => {
                self.stats.denied_subscribe += 1;
                let told = (denied.reason_code, denied.reason.to_string());
                let client_identifier = session.client.client_identifier().clone();
                context.output.push(Output::Event(Event::Denied { connection: Some(id), client_identifier, denied }));
                return Err(told);
            }
        };
        if session.subscriptions.len() >= self.limits.subscriptions_maximum && !session.subscriptions.contains_key(&filter) {
            let words = format!("the session already has {} subscriptions, as many as it may", self.limits.subscriptions_maximum);
            return Err((ReasonCode::QuotaExceeded, words));
        }
        // [MQTT-3.9.3-2]: what is granted may be lower than what was asked for.
        options.maximum_qos = options.maximum_qos.min(self.limits.maximum_qos);
        session.subscriptions.insert(filter, 0);
        Ok(Granted { permit, options })
    }

    fn append_subscriptions<D: SharedDirectory, S: Store>(
        &self,
        entering: &Entering,
        granted: &[Granted],
        context: &mut Context<'_, D, S>,
    ) -> Ticket {
        let is_persistent = self.sessions.get(entering.session).is_some_and(|session| session.is_persistent);
        if !is_persistent {
            return Ticket::NONE;
        }
        let changes = granted.iter().map(|grant| {
            context.store.append(
                &Change::SubscriptionAdded {
                    session: entering.session,
                    key: 0,
                    filter: grant.permit.filter(),
                    options: &grant.options,
                    identifier: entering.identifier,
                    starting: None,
                },
                Urgency::Now,
            )
        });
        changes.max().unwrap_or_default()
    }

    pub(crate) fn unsubscribe<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        unsubscribe: &Unsubscribe,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.session_of(id) else { return };
        let known: Vec<&TopicFilter> =
            unsubscribe.filters.iter().filter(|filter| session.subscriptions.remove(*filter).is_some()).collect();
        let session_id = session.id;
        let mut after = Ticket::NONE;
        if session.is_persistent {
            let removed =
                known.iter().map(|_| context.store.append(&Change::SubscriptionRemoved { session: session_id, key: 0 }, Urgency::Now));
            after = removed.max().unwrap_or_default();
        }
        context.directory.write(|directory| {
            for filter in &known {
                directory.subscriptions.remove(filter, session_id);
            }
        });
        let mut known = known.into_iter().peekable();
        let reason_code = |filter: &TopicFilter| match known.next_if(|next| *next == filter) {
            Some(_) => ReasonCode::Success,
            None => ReasonCode::NoSubscriptionExisted,
        };
        // [MQTT-3.11.3-1], [MQTT-3.11.3-2]: one code for each filter, in order.
        let reason_codes = unsubscribe.filters.iter().map(reason_code).collect();
        let unsuback =
            Unsuback { packet_id: unsubscribe.packet_id, reason_string: None, user_properties: UserProperties::default(), reason_codes };
        self.answer(id, Packet::Unsuback(unsuback), after, context);
    }
}

/// Redeems the permits and collects the retained messages the new subscriptions start with.
fn enter(directory: &mut Directory, granted: Vec<Granted>, entering: &Entering) -> Vec<(RetainedMessage, Recipient)> {
    let mut starts = Vec::new();
    for Granted { permit, options } in granted {
        let filter = permit.into_filter();
        let subscriber = Subscriber::new((entering.session, entering.shard), entering.is_persistent, &options, entering.identifier);
        let is_new = directory.subscriptions.insert(&filter, subscriber);
        let is_wanted = match options.retain_handling {
            // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
            RetainHandling::SendAtSubscribe => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        // A Shared Subscription starts without retained messages (§4.8.2).
        if !is_wanted || filter.shared().is_some() {
            continue;
        }
        // All filters of the packet together: the same one a thousand times must not collect a thousand times as much.
        let room = entering.retained_maximum.saturating_sub(starts.len());
        let found = directory.retained.matching(filter.as_str(), entering.now, room);
        let found = found.into_iter().filter(|retained| !(options.no_local && retained.publisher == entering.client_identifier));
        starts.extend(found.map(|retained| {
            let recipient = Recipient {
                session: entering.session,
                shard: entering.shard,
                qos: options.maximum_qos.min(retained.message.qos),
                // [MQTT-3.3.1-8]
                retain: true,
                identifiers: entering.identifier.into_iter().collect(),
                shared: None,
            };
            (retained, recipient)
        }));
    }
    starts
}
