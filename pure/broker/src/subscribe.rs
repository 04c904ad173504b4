//! SUBSCRIBE and UNSUBSCRIBE (§3.8, §3.10): a permit for each filter, then the tree, then retained messages.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use signet_mqtt::{
    Packet, QoS, ReasonCode, RetainHandling, Suback, Subscribe, SubscribeFilter, SubscriptionIdentifier, SubscriptionOptions, TopicFilter,
    Unsuback, Unsubscribe, UserProperties,
};
use signet_policy::{
    AccessQuestion, Client, Known, NoPermit, Principal, Published, SubscribePermit, authorize_publish, authorize_subscribe, may_unsubscribe,
};

use crate::asking::Held;
use crate::broker::{Broker, Context};
use crate::connection::Connection;
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, RetainedId, SessionId};
use crate::input::{Recipient, WillRule};
use crate::moment::Moment;
use crate::output::{CloseCause, Event, Output};
use crate::queue::{Pending, Start};
use crate::retained::{RetainedMessage, Search};
use crate::session::{Session, Subscription};
use crate::store::{Change, Starting, Store, Ticket, Urgency};
use crate::subscriptions::Subscriber;
use crate::withhold::receives;

/// Nodes of the tree of retained messages that are looked at before whoever wants to change the tree has a turn.
const SEARCH_STEPS: usize = 1000;

/// A subscription that was allowed.
struct Granted {
    permit: SubscribePermit,
    options: SubscriptionOptions,
}

/// What was granted of one packet so far.
struct List {
    granted: Vec<Granted>,
    /// Those of the first ones that the session did not have, as far as they were counted.
    fresh: BTreeSet<TopicFilter>,
    /// How many were counted.
    counted: usize,
}

/// A subscription that begins with retained messages.
pub(crate) struct Beginning {
    pub(crate) filter: TopicFilter,
    pub(crate) subscription: Subscription,
    /// Which.
    pub(crate) ids: Starting,
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
        // One list of subscriptions under one set of rules.
        if let Some(session) = self.connections.get(&id).map(|connection| connection.session) {
            self.keep_up(session, context);
        }
        let Some(connection) = self.connections.get(&id) else { return };
        if connection.is_asking() {
            // Its older subscriptions wait for an answer, and this list behind them.
            return self.hold_behind(id, Held::Subscribe(subscribe));
        }
        if let Some(question) = self.question_about(connection, &subscribe, context.now) {
            return self.hold(id, Held::Subscribe(subscribe), question, context);
        }
        let Subscribe { packet_id, subscription_identifier: identifier, subscriptions, .. } = subscribe;
        let (session, manners, client) = (connection.session, connection.manners, Arc::clone(&connection.client));
        let mut reason_codes = Vec::with_capacity(subscriptions.len());
        let mut list = List::with_capacity(subscriptions.len());
        let mut reason_string = None;
        let mut views = Vec::new();
        for mut entry in subscriptions {
            if manners.is_bridge {
                // MQTT 3.x has no options: this is what a broker that says so in its CONNECT expects.
                entry.options.no_local = entry.filter.shared().is_none();
                entry.options.retain_as_published = true;
            }
            let view = self.ruleset.asks().then(|| client.ruled(entry.filter.without_share_name()).into_owned());
            match self.grant(id, session, (entry, identifier), &mut list, context) {
                Ok(granted) => {
                    views.extend(view.map(|view| (view, granted)));
                    reason_codes.push(ReasonCode::granted(granted));
                }
                Err((reason_code, words)) => {
                    reason_codes.push(reason_code);
                    reason_string = reason_string.or(Some(words.into()));
                }
            }
        }
        self.rest_on_answers(session, &views, context);
        let is_mqtt5 = manners.version.has_properties();
        let beginnings = self.enter(session, list.granted, (identifier, is_mqtt5), context);
        if !manners.hears_refused_subscription && !pretend_granted(&mut reason_codes) {
            return self.disconnect(id, CloseCause::SubscriptionRefused, WillRule::Publish, context);
        }
        let after = if self.is_persistent(session) { context.store.latest() } else { Ticket::NONE };
        // [MQTT-3.8.4-1], [MQTT-3.8.4-5], [MQTT-3.8.4-6]
        let suback = Suback { packet_id, reason_string, user_properties: UserProperties::default(), reason_codes };
        self.answer(id, Packet::Suback(suback), after, context);
        let starts = self.collect_starts(session, beginnings, context);
        self.start_with(session, starts, context);
    }

    /// What has to be asked about a list of filters before it is granted or refused, filter by filter.
    fn question_about(&self, connection: &Connection, subscribe: &Subscribe, now: Moment) -> Option<AccessQuestion> {
        if !self.ruleset.asks() {
            return None;
        }
        let session = self.sessions.get(connection.session)?;
        // What is asked for beyond that cannot be granted, and nobody is bothered for it: the list is gone through anew with every answer.
        subscribe.subscriptions.iter().take(session.limits.subscriptions_maximum).find_map(|entry| {
            let qos = entry.options.maximum_qos.min(session.limits.maximum_qos);
            let decided = session.with_known(connection.answers(), now, |known| {
                authorize_subscribe(&self.ruleset, &session.client, &entry.filter, qos, known)
            });
            match decided {
                Err(NoPermit::Ask(question)) => Some(*question),
                Ok(_) | Err(NoPermit::Denied(_)) => None,
            }
        })
    }

    /// Limits and rules for one filter, which joins those of its packet that were granted before it.
    fn grant<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        session: SessionId,
        (entry, identifier): (SubscribeFilter, Option<SubscriptionIdentifier>),
        list: &mut List,
        context: &mut Context<'_, D, S>,
    ) -> Result<QoS, (ReasonCode, String)> {
        let SubscribeFilter { filter, mut options } = entry;
        let Some(session) = self.sessions.get_mut(session) else { return Err((ReasonCode::UnspecifiedError, String::new())) };
        let prefix = session.client.levels_before();
        if filter.without_share_name().split('/').count() + prefix > usize::from(session.limits.topic_levels_maximum) {
            return Err((ReasonCode::TopicFilterInvalid, "the topic filter has too many levels".to_owned()));
        }
        // With memory of its own: one that stays must not keep the whole packet alive.
        let filter = filter.detached();
        // [MQTT-3.8.4-7], [MQTT-3.9.3-2]: what is granted may be lower than what was asked for, and is no reason to refuse [MQTT-3.2.2-10].
        options.maximum_qos = options.maximum_qos.min(session.limits.maximum_qos);
        let held = self.connections.get(&id).and_then(Connection::answers);
        let decided = session.with_known(held, context.now, |known| {
            authorize_subscribe(&self.ruleset, &session.client, &filter, options.maximum_qos, known)
        });
        let permit = match decided {
            Ok(permit) => permit,
            // Nobody was asked about it.
            Err(NoPermit::Ask(_)) if !list.leaves_room(session, context.directory) => {
                return Err(no_room(session.limits.subscriptions_maximum));
            }
            Err(no) => {
                let denied = no.or_denied(&session.client);
                self.stats.refused.subscribe_denied += 1;
                let told = (denied.reason_code, denied.reason.to_string());
                let client_identifier = session.client.client_identifier().clone();
                context.output.push(Output::Event(Event::Denied { connection: Some(id), client_identifier, denied }));
                return Err(told);
            }
        };
        session.standing.is_partial |= permit.is_partial();
        let known = || context.directory.read(|directory| directory.subscriptions.find(permit.filter(), session.id));
        if !list.leaves_room(session, context.directory) && !list.fresh.contains(permit.filter()) && known().is_none() {
            return Err(no_room(session.limits.subscriptions_maximum));
        }
        let is_same = || known().is_some_and(|known| (known.options, known.identifier) == (options, identifier));
        if session.is_persistent && context.store.is_full() && !is_same() {
            self.stats.refused.store_full += 1;
            return Err((ReasonCode::QuotaExceeded, "there is no room on the disk".to_owned()));
        }
        list.granted.push(Granted { permit, options });
        Ok(options.maximum_qos)
    }

    /// Redeems the permits. The store hears of a subscription before any shard can route to it: all is done in one step that shuts the
    /// others out. Returns what is to begin with retained messages: those that are there at this moment, while any that is set later is
    /// routed as it comes.
    fn enter<D: SharedDirectory, S: Store>(
        &mut self,
        session: SessionId,
        granted: Vec<Granted>,
        (identifier, is_mqtt5): (Option<SubscriptionIdentifier>, bool),
        context: &mut Context<'_, D, S>,
    ) -> Vec<Beginning> {
        let Some(session) = self.sessions.get_mut(session) else { return Vec::new() };
        if granted.is_empty() {
            return Vec::new();
        }
        let (shard, store) = (self.shard, &mut *context.store);
        context.directory.write(|directory| {
            let mut beginnings = Vec::new();
            let up_to = directory.retained.latest();
            let mut is_told = false;
            for Granted { permit, options } in granted {
                let filter = permit.into_filter();
                let old = directory.subscriptions.find(&filter, session.id);
                let is_new = old.is_none();
                let begins = wants_retained(&filter, &options, is_new) && directory.retained.may_match(filter.as_str());
                let ids = Starting { after: RetainedId(0), up_to };
                // QoS 0 is for those who are there: a restarted broker has nothing to start with.
                let is_remembered = begins && session.is_persistent && options.maximum_qos > QoS::AtMostOnce;
                let key = session.key_instead_of(old.as_ref(), store);
                let subscription = Subscription { key, options, identifier, starting: is_remembered.then_some(ids) };
                let subscriber = Subscriber {
                    session: session.id,
                    shard,
                    key,
                    is_persistent: session.is_persistent,
                    options,
                    identifier,
                    is_connected: true,
                    is_mqtt5,
                };
                let (place, _) = directory.subscriptions.insert(&filter, &subscriber);
                session.subscribed.put(key, place);
                if is_remembered {
                    session.subscribed.begin(&filter, subscription);
                }
                let is_same = old.is_some_and(|old| (old.key, old.options, old.identifier) == (key, options, identifier));
                if session.is_persistent && (is_remembered || !is_same) {
                    store.append(&subscription.added(session.id, &filter), Urgency::Now);
                    is_told = true;
                }
                if begins {
                    beginnings.push(Beginning { filter, subscription, ids });
                }
            }
            if is_told {
                store.post();
            }
            beginnings
        })
    }

    /// Looks up the retained messages that subscriptions begin with [MQTT-3.8.4-4], [MQTT-3.3.1-6] (3.1.1), in steps, so that nobody is
    /// shut out for long.
    pub(crate) fn collect_starts<D: SharedDirectory, S: Store>(
        &self,
        session: SessionId,
        beginnings: Vec<Beginning>,
        context: &Context<'_, D, S>,
    ) -> Vec<(Pending, Start)> {
        let mut starts = Vec::new();
        let Some(session) = self.sessions.get(session) else { return starts };
        let key = session.client.session_key();
        for Beginning { filter, subscription, ids } in beginnings {
            // All filters of the packet together: the same one a thousand times must not collect a thousand times as much.
            let room = self.limits.total.retained_messages_maximum.saturating_sub(starts.len());
            let mut search = Search::new(filter.as_str(), ids);
            let mut found = Vec::new();
            while context.directory.read(|directory| directory.retained.search(&mut search, context.now, (SEARCH_STEPS, room), &mut found))
            {
            }
            drop(search);
            // In the order in which they were set, so that the last one sent says which ones were.
            found.sort_unstable_by_key(|retained| retained.id);
            if session.standing.is_doubtful(self.ruleset_count) {
                let is_here = session.connection.is_some();
                found.retain(|retained| {
                    let asked =
                        (&retained.message.topic, self.limits.messages.delivered(subscription.options.maximum_qos, retained.message.qos));
                    session.with_known(None, context.now, |known| receives(&self.ruleset, &session.client, asked, known, is_here))
                });
            }
            found.retain(|retained| !(subscription.options.no_local && retained.publisher == key));
            if self.limits.messages.is_retained_source_checked {
                found.retain(|retained| self.may_still_retain(retained));
            }
            starts.extend(found.into_iter().map(|retained| {
                let recipient = Recipient {
                    session: session.id,
                    shard: self.shard,
                    qos: self.limits.messages.delivered(subscription.options.maximum_qos, retained.message.qos),
                    // [MQTT-3.3.1-8] (3.1.1)
                    retain: true,
                    identifiers: subscription.identifier.into(),
                    shared: None,
                };
                let start = Start { filter: filter.clone(), key: subscription.key, retained: retained.id, is_stored: retained.is_stored };
                (Pending::new(None, &retained.message, retained.received_at, recipient), start)
            }));
        }
        starts
    }

    /// Whether whoever retained a message may publish it by the rules of now. What the Server says itself it may say.
    fn may_still_retain(&self, retained: &RetainedMessage) -> bool {
        if retained.publisher.is_empty() {
            return true;
        }
        let unknown = || Client::restored(Principal::Anonymous, None, retained.publisher.clone(), None);
        let source = retained.source.as_deref().map_or_else(|| Cow::Owned(unknown()), Cow::Borrowed);
        let message = Published { qos: retained.message.qos, retain: true, will: false };
        let Some(topic) = source.view_topic(&retained.message.topic) else { return false };
        authorize_publish(&self.ruleset, &source, &topic, message, Known::NOTHING).is_ok()
    }

    /// UNSUBSCRIBE: filters are compared as they are [MQTT-3.10.4-1], one after the other [MQTT-3.10.4-6]. What is under way to the client
    /// stays so [MQTT-3.10.4-3].
    pub(crate) fn unsubscribe<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        unsubscribe: &Unsubscribe,
        context: &mut Context<'_, D, S>,
    ) {
        let ruleset = Arc::clone(&self.ruleset);
        let Some(session) = self.session_of(id) else { return };
        let mount = session.client.mount();
        let permitted = |filter| {
            may_unsubscribe(&ruleset, &session.client, filter).then(|| {
                // One that is none with what stands before it was never subscribed to.
                mount.as_ref().and_then(|mount| mount.place_filter(filter).ok()).map_or(Cow::Borrowed(filter), Cow::Owned)
            })
        };
        let filters: Vec<Option<Cow<'_, TopicFilter>>> = unsubscribe.filters.iter().map(permitted).collect();
        let session_id = session.id;
        // [MQTT-3.10.4-2]
        let removed: Vec<Option<Subscriber>> = context
            .directory
            .write(|directory| filters.iter().map(|filter| directory.subscriptions.remove(filter.as_deref()?, session_id)).collect());
        // [MQTT-3.11.3-1], [MQTT-3.11.3-2]: one code for each filter, in order.
        let code = |(filter, removed): (&Option<_>, &Option<_>)| match (filter, removed) {
            (None, _) => ReasonCode::NotAuthorized,
            (Some(_), None) => ReasonCode::NoSubscriptionExisted,
            (Some(_), Some(_)) => ReasonCode::Success,
        };
        let reason_codes = filters.iter().zip(&removed).map(code).collect();
        for removed in removed.into_iter().flatten() {
            session.standing.has_left = true;
            session.subscribed.remove(removed.key, session.queue.is_starting());
            if session.is_persistent {
                context.store.append(&Change::SubscriptionRemoved { session: session_id, key: removed.key }, Urgency::Now);
            }
        }
        let after = if session.is_persistent { context.store.latest() } else { Ticket::NONE };
        self.forget_answers(session_id, context.directory);
        // [MQTT-3.10.4-4]
        let unsuback =
            Unsuback { packet_id: unsubscribe.packet_id, reason_string: None, user_properties: UserProperties::default(), reason_codes };
        self.answer(id, Packet::Unsuback(unsuback), after, context);
    }

    fn is_persistent(&self, session: SessionId) -> bool {
        self.sessions.get(session).is_some_and(|session| session.is_persistent)
    }
}

impl Session {
    /// The key of a subscription that takes the place of another, or of none. One that replaces a subscription which has not started to the end gets
    /// another key, so that the old one's starts are not taken for its own.
    fn key_instead_of<S: Store>(&mut self, old: Option<&Subscriber>, store: &mut S) -> u32 {
        let is_starting = self.queue.is_starting();
        let Some(old) = old else { return self.subscribed.key(is_starting) };
        if self.subscribed.starting(old.key).is_none() {
            return old.key;
        }
        // Before the old one's is free again.
        let key = self.subscribed.key(true);
        self.subscribed.remove(old.key, true);
        store.append(&Change::SubscriptionRemoved { session: self.id, key: old.key }, Urgency::Now);
        key
    }
}

impl List {
    fn with_capacity(capacity: usize) -> Self {
        Self { granted: Vec::with_capacity(capacity), fresh: BTreeSet::new(), counted: 0 }
    }

    /// Whether the session may have one more subscription than it has by now. Which of the packet's are new is looked up only where that matters.
    fn leaves_room<D: SharedDirectory>(&mut self, session: &Session, directory: &D) -> bool {
        let maximum = session.limits.subscriptions_maximum;
        if session.subscribed.len() + self.granted.len() < maximum {
            return true;
        }
        let uncounted = self.granted.get(self.counted..).unwrap_or_default();
        let filters = uncounted.iter().map(|granted| granted.permit.filter());
        directory.read(|directory| {
            self.fresh.extend(filters.filter(|filter| directory.subscriptions.find(filter, session.id).is_none()).cloned());
        });
        self.counted = self.granted.len();
        session.subscribed.len() + self.fresh.len() < maximum
    }
}

fn no_room(maximum: usize) -> (ReasonCode, String) {
    (ReasonCode::QuotaExceeded, format!("the session already has {maximum} subscriptions, as many as it may"))
}

/// MQTT 3.1 §3.8: a SUBACK can grant and nothing else, and what the rules refuse is granted in words. Any other failure concerns messages
/// that the client has a right to: it must not wait for them in vain. Returns false if there is one.
fn pretend_granted(reason_codes: &mut [ReasonCode]) -> bool {
    for code in reason_codes.iter_mut().filter(|code| **code == ReasonCode::NotAuthorized) {
        *code = ReasonCode::Success;
    }
    !reason_codes.iter().any(|code| code.is_error())
}

fn wants_retained(filter: &TopicFilter, options: &SubscriptionOptions, is_new: bool) -> bool {
    let is_wanted = match options.retain_handling {
        // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
        RetainHandling::SendAtSubscribe => true,
        RetainHandling::SendIfNew => is_new,
        RetainHandling::DoNotSend => false,
    };
    // A Shared Subscription starts without retained messages (§4.8.2).
    is_wanted && filter.shared().is_none()
}
