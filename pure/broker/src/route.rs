//! One Application Message → the sessions that get it. Takes a [`PublishPermit`] by value: nothing is routed that was not allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signet_mqtt::{ClientIdentifier, Message, QoS, SubscriptionIdentifier, TopicFilter};
use signet_policy::PublishPermit;
use smallvec::SmallVec;

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::{SessionId, ShardId};
use crate::input::{Delivery, Recipient};
use crate::limits::Limits;
use crate::moment::Moment;
use crate::output::Output;
use crate::retained::RetainOutcome;
use crate::store::{Change, Store, Ticket, Urgency};
use crate::subscriptions::Subscriber;

/// What became of a routed message.
#[derive(Debug)]
pub(crate) struct Routed {
    /// When durable, the message may be acknowledged.
    pub(crate) ticket: Ticket,
    /// Whether any session gets it. Nothing if the message was to be retained and there was no room: then it went nowhere.
    pub(crate) is_matched: Option<bool>,
    /// The routes that were used, to be remembered.
    pub(crate) routes: Option<Arc<RouteSet>>,
}

/// Where a message comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The publishing session, for No Local.
    pub(crate) publisher: SessionId,
    /// The routes, if they are known to be right.
    pub(crate) known: Option<Arc<RouteSet>>,
}

/// Who gets the messages of one topic from one publisher. Valid as long as the subscriptions' generation stays the same.
#[derive(Debug, Default)]
pub(crate) struct RouteSet {
    direct: Vec<Route>,
    groups: Vec<SharedRoute>,
}

#[derive(Debug, Clone)]
struct Route {
    session: SessionId,
    shard: ShardId,
    is_persistent: bool,
    maximum_qos: QoS,
    retain_as_published: bool,
    identifiers: SmallVec<[SubscriptionIdentifier; 2]>,
}

#[derive(Debug)]
struct SharedRoute {
    filter: Arc<TopicFilter>,
    candidates: Vec<Route>,
    turn: Arc<AtomicUsize>,
}

impl Broker {
    /// Routes a message to every session that subscribed, and retains it if it asks for that.
    pub(crate) fn route<D: SharedDirectory, S: Store>(
        &mut self,
        permit: PublishPermit,
        message: Message,
        origin: Origin,
        context: &mut Context<'_, D, S>,
    ) -> Routed {
        debug_assert_eq!(permit.topic(), &message.topic, "a permit for one topic routes no other");
        let message = Arc::new(Message { topic: permit.into_topic(), ..message });
        self.stats.messages_received += 1;
        let retaining = self.sessions.get(origin.publisher).filter(|_| message.retain);
        let publisher = retaining.map(|session| session.client.client_identifier());
        let Some((routes, retained)) = look_up(&message, origin, publisher, &self.limits, context) else {
            return Routed { ticket: Ticket::NONE, is_matched: None, routes: None };
        };
        let recipients = routes.recipients(&message);
        if recipients.is_empty() {
            self.stats.messages_unmatched += 1;
            return Routed { ticket: retained, is_matched: Some(false), routes: Some(routes) };
        }
        let received_at = context.now;
        let ticket = if message.qos == QoS::AtMostOnce {
            retained
        } else {
            retained.max(context.store.append(
                &Change::MessageQueued { id: self.ids.message(), message: &message, recipients: &recipients, received_at },
                Urgency::Now,
            ))
        };
        self.hand_over(&message, received_at, recipients, context);
        Routed { ticket, is_matched: Some(true), routes: Some(routes) }
    }

    /// The chosen member of a Shared Subscription is gone before it got the message: the next one gets it (§4.8.2).
    pub(crate) fn pass_on<D: SharedDirectory, S: Store>(
        &mut self,
        message: &Arc<Message>,
        received_at: Moment,
        filter: &TopicFilter,
        context: &mut Context<'_, D, S>,
    ) {
        let recipients = context.directory.read(|directory| directory.subscriptions.group_routes(filter)).recipients(message);
        if message.qos > QoS::AtMostOnce && !recipients.is_empty() {
            context
                .store
                .append(&Change::MessageQueued { id: self.ids.message(), message, recipients: &recipients, received_at }, Urgency::Now);
        }
        self.hand_over(message, received_at, recipients, context);
    }

    /// Recipients of this shard get the message now, the others in one batch for each shard.
    fn hand_over<D: SharedDirectory, S: Store>(
        &mut self,
        message: &Arc<Message>,
        received_at: Moment,
        recipients: Vec<Recipient>,
        context: &mut Context<'_, D, S>,
    ) {
        let mut elsewhere: SmallVec<[(ShardId, Vec<Recipient>); 4]> = SmallVec::new();
        for recipient in recipients {
            let shard = recipient.shard;
            if shard == self.shard {
                self.deliver(None, message, received_at, recipient, context);
                continue;
            }
            match elsewhere.iter_mut().find(|(there, _)| *there == shard) {
                Some((_, batch)) => batch.push(recipient),
                None => elsewhere.push((shard, vec![recipient])),
            }
        }
        for (shard, recipients) in elsewhere {
            let delivery = Delivery { message: Arc::clone(message), received_at, id: None, recipients };
            context.output.push(Output::Handover { shard, delivery });
        }
    }

    /// A message from another shard.
    pub(crate) fn deliver_all<D: SharedDirectory, S: Store>(&mut self, delivery: Delivery, context: &mut Context<'_, D, S>) {
        for recipient in delivery.recipients {
            self.deliver(delivery.id, &delivery.message, delivery.received_at, recipient, context);
        }
    }
}

/// Finds the routes and retains the message in one step, so that a subscription made at the same time sees the message exactly once: live or
/// as retained. Nothing if there is no room to retain it. `retaining` names the publisher of a message to be retained.
fn look_up<D: SharedDirectory, S: Store>(
    message: &Arc<Message>,
    origin: Origin,
    retaining: Option<&ClientIdentifier>,
    limits: &Limits,
    context: &mut Context<'_, D, S>,
) -> Option<(Arc<RouteSet>, Ticket)> {
    let publisher = origin.publisher;
    let Some(retaining) = retaining else {
        let look = || Arc::new(context.directory.read(|directory| directory.subscriptions.routes(&message.topic, publisher)));
        return Some((origin.known.unwrap_or_else(look), Ticket::NONE));
    };
    let now = context.now;
    let (outcome, routes) = context.directory.write(|directory| {
        let outcome = directory.retained.store(message, retaining, now, limits);
        let is_refused = outcome == RetainOutcome::Full;
        (outcome, (!is_refused).then(|| directory.subscriptions.routes(&message.topic, publisher)))
    });
    let ticket = match outcome {
        RetainOutcome::Set | RetainOutcome::Cleared | RetainOutcome::NothingToClear | RetainOutcome::Full => Ticket::NONE,
    };
    routes.map(|routes| (Arc::new(routes), ticket))
}

impl RouteSet {
    /// Sessions and groups, an estimate of what keeping it costs.
    pub(crate) fn len(&self) -> usize {
        self.direct.len() + self.groups.iter().map(|group| group.candidates.len() + 1).sum::<usize>()
    }

    pub(crate) fn push(&mut self, subscriber: &Subscriber) {
        self.direct.push(Route::new(subscriber));
    }

    /// A message goes to one member. Those that are connected are asked before those that would only queue it.
    pub(crate) fn push_group(&mut self, filter: &Arc<TopicFilter>, members: &[Subscriber], turn: &Arc<AtomicUsize>) {
        let mut candidates: Vec<Route> = members.iter().filter(|member| member.is_connected).map(Route::new).collect();
        if candidates.is_empty() {
            candidates = members.iter().map(Route::new).collect();
        }
        self.groups.push(SharedRoute { filter: Arc::clone(filter), candidates, turn: Arc::clone(turn) });
    }

    /// One delivery per session however many of its subscriptions match: the highest QoS [MQTT-3.3.4-2], all identifiers [MQTT-3.3.4-4].
    pub(crate) fn merge(&mut self) {
        if self.direct.len() < 2 {
            return;
        }
        self.direct.sort_by_key(|route| route.session);
        self.direct.dedup_by(|later, kept| {
            let is_same = later.session == kept.session;
            if is_same {
                kept.maximum_qos = kept.maximum_qos.max(later.maximum_qos);
                kept.retain_as_published |= later.retain_as_published;
                kept.identifiers.extend_from_slice(&later.identifiers);
            }
            is_same
        });
    }

    pub(crate) fn recipients(&self, message: &Message) -> Vec<Recipient> {
        let mut recipients = Vec::with_capacity(self.direct.len() + self.groups.len());
        recipients.extend(self.direct.iter().map(|route| route.recipient(message, None)));
        for group in &self.groups {
            let turn = group.turn.fetch_add(1, Ordering::Relaxed);
            let chosen = turn.checked_rem(group.candidates.len()).and_then(|at| group.candidates.get(at));
            recipients.extend(chosen.map(|route| route.recipient(message, Some(Arc::clone(&group.filter)))));
        }
        recipients
    }
}

impl Route {
    fn new(subscriber: &Subscriber) -> Self {
        Self {
            session: subscriber.session,
            shard: subscriber.shard,
            is_persistent: subscriber.is_persistent,
            maximum_qos: subscriber.maximum_qos,
            retain_as_published: subscriber.retain_as_published,
            identifiers: subscriber.identifier.into_iter().collect(),
        }
    }

    fn recipient(&self, message: &Message, shared: Option<Arc<TopicFilter>>) -> Recipient {
        Recipient {
            session: self.session,
            shard: self.shard,
            // [MQTT-3.8.4-8]
            qos: self.maximum_qos.min(message.qos),
            // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
            retain: self.retain_as_published && message.retain,
            identifiers: self.identifiers.clone(),
            shared,
        }
    }
}
