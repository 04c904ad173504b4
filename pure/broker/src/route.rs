//! One Application Message → the sessions that get it. Takes a [`PublishPermit`] by value: nothing is routed that was not allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signet_mqtt::{ClientIdentifier, Message, QoS, TopicFilter};
use signet_policy::PublishPermit;
use smallvec::{SmallVec, smallvec};

use crate::broker::{Broker, Context};
use crate::directory::{Directory, SharedDirectory};
use crate::durability::Durability;
use crate::identifiers::SubscriptionIdentifiers;
use crate::ids::{MessageId, SessionId, ShardId};
use crate::input::{Delivery, Recipient};
use crate::moment::Moment;
use crate::output::Output;
use crate::retained::RetainOutcome;
use crate::rules::{MessageRules, Overlapping};
use crate::store::{Change, Store, Ticket, Urgency};
use crate::subscriptions::Subscriber;
use crate::totals::Load;

/// What became of a routed message.
#[derive(Debug)]
pub(crate) struct Routed {
    /// When durable, the message may be acknowledged.
    pub(crate) ticket: Ticket,
    /// Whether any session gets it.
    pub(crate) is_matched: bool,
    /// The routes that were used, to be remembered.
    pub(crate) routes: Arc<RouteSet>,
}

/// Why a message went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// It was to be retained, and there are as many as there may be.
    Retained,
    /// All queues together hold so much that this would be too much.
    Queues(Load),
    /// The store has no room.
    Store,
}

/// Recipients whose memory is kept for the next message.
const RECIPIENTS_KEPT: usize = 4096;

/// What goes to one shard under one id, if it has one.
type Parcel = (ShardId, Option<MessageId>, Vec<Recipient>);

impl NoRoom {
    /// The same for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Retained => "there is no room for another retained message",
            Self::Queues(_) => "there is no room in the queues",
            Self::Store => "there is no room on the disk",
        }
    }
}

/// Where a message comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The publishing session, for No Local; nothing for the Server itself.
    pub(crate) publisher: Option<SessionId>,
    /// The routes, if they are known to be right.
    pub(crate) known: Option<Arc<RouteSet>>,
    /// What its acknowledgement says about the disk.
    pub(crate) durability: Durability,
    /// Whether somebody is there who can be told that it was not taken.
    pub(crate) is_refusable: bool,
}

/// Who gets the messages of one topic from one publisher. Valid as long as there are no changes that concern the topic.
#[derive(Debug, Default)]
pub(crate) struct RouteSet {
    /// By session, once it is merged.
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
    is_mqtt5: bool,
    identifiers: SubscriptionIdentifiers,
}

#[derive(Debug)]
struct SharedRoute {
    filter: Arc<TopicFilter>,
    candidates: Vec<Route>,
    turn: Arc<AtomicUsize>,
}

/// Recipients of one message, each session at most once. First stand those for whom the store keeps it, if it keeps messages of its kind.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    pub(crate) recipients: Vec<Recipient>,
    durable: usize,
}

/// One for nearly every message; more where a session gets the message by several subscriptions, one of them shared or each for itself: a message
/// under one id is for each session once.
pub(crate) type Batches = SmallVec<[Copies; 1]>;

impl Broker {
    /// Routes a message to every session that subscribed [MQTT-3.3.2-3], [MQTT-4.5.0-1], in the order in which messages come
    /// [MQTT-4.6.0-5], and retains it if it asks for that.
    ///
    /// # Errors
    /// There is no room, and the message went nowhere.
    pub(crate) fn route<D: SharedDirectory, S: Store>(
        &mut self,
        permit: PublishPermit,
        message: Message,
        origin: Origin,
        context: &mut Context<'_, D, S>,
    ) -> Result<Routed, NoRoom> {
        // The permit's: a permit for one topic routes no other, and the client may know it by a shorter name.
        let message = Arc::new(Message { topic: permit.into_topic(), ..message });
        let terms = self.terms(&message, &origin);
        // [MQTT-3.3.1-8]
        let (routes, batches, retained) = if message.retain {
            self.look_up_and_retain(&message, &origin, &terms, context)?
        } else {
            let overlapping = self.limits.messages.overlapping_subscriptions;
            let find = |directory: &Directory| directory.subscriptions.routes(&message.topic, origin.publisher, overlapping);
            let routes = origin.known.unwrap_or_else(|| Arc::new(context.directory.read(find)));
            let batches = routes.batches(&message, &self.limits.messages, std::mem::take(&mut self.routing.recipients));
            terms.check(&message, &batches, context.store)?;
            (routes, batches, Ticket::NONE)
        };
        self.stats.messages_received += u64::from(origin.publisher.is_some());
        let is_matched = batches.iter().any(|copies| !copies.recipients.is_empty());
        self.stats.messages_unmatched += u64::from(!is_matched && origin.publisher.is_some());
        let mut ticket = retained;
        for copies in batches {
            ticket = ticket.max(self.queue_up(&message, (context.now, 0), copies, origin.durability, context));
        }
        Ok(Routed { ticket, is_matched, routes })
    }

    /// What was begun is finished with the member it was begun with [MQTT-4.8.2-4]; the message of a session that cannot have it any more
    /// goes to another member of the Shared Subscription that chose the session (§4.8.2). The store still has it for the session until the
    /// caller takes that back, in the same transaction.
    pub(crate) fn pass_on<D: SharedDirectory, S: Store>(
        &mut self,
        message: &Arc<Message>,
        received_at: Moment,
        (filter, passed_on): (&TopicFilter, u8),
        was_stored: bool,
        context: &mut Context<'_, D, S>,
    ) {
        // What was not stored may have had a member before that nothing is stored for.
        let durability = if was_stored { Durability::Interval } else { self.limits.durability.of(message.topic.as_str()) };
        // Nobody waits for it: its publisher has its acknowledgement.
        let durability = if durability == Durability::Always { Durability::Interval } else { durability };
        let routes = context.directory.read(|directory| directory.subscriptions.group_routes(filter));
        let batches = routes.batches(message, &self.limits.messages, Vec::new());
        for copies in batches {
            self.queue_up(message, (received_at, passed_on), copies, durability, context);
        }
    }

    /// Stores the message for those who want that and hands it over to all. Returns the ticket to wait for.
    fn queue_up<D: SharedDirectory, S: Store>(
        &mut self,
        message: &Arc<Message>,
        (received_at, passed_on): (Moment, u8),
        copies: Copies,
        durability: Durability,
        context: &mut Context<'_, D, S>,
    ) -> Ticket {
        let durable = copies.durable(durability);
        let mut ticket = Ticket::NONE;
        let mut id = None;
        if !durable.is_empty() {
            let new = self.ids.message();
            id = Some(new);
            let change = Change::MessageQueued { id: new, message, recipients: durable, received_at };
            ticket = append_as(&change, durability, context.store);
        }
        let durable = durable.len();
        self.hand_over(message, (received_at, passed_on), id.map(|id| (id, durable)), copies.recipients, context);
        ticket
    }

    /// Recipients of this shard get the message now, the others in one batch for each shard, or two: one of what the store keeps and one of
    /// the rest. The first ones of the recipients, so many, have the id.
    fn hand_over<D: SharedDirectory, S: Store>(
        &mut self,
        message: &Arc<Message>,
        (received_at, passed_on): (Moment, u8),
        stored: Option<(MessageId, usize)>,
        mut recipients: Vec<Recipient>,
        context: &mut Context<'_, D, S>,
    ) {
        let mut elsewhere: SmallVec<[Parcel; 4]> = SmallVec::new();
        for (at, recipient) in recipients.drain(..).enumerate() {
            let id = stored.filter(|(_, count)| at < *count).map(|(id, _)| id);
            let shard = recipient.shard;
            if shard == self.shard {
                self.deliver(id, message, received_at, (recipient, passed_on), context);
                continue;
            }
            match elsewhere.iter_mut().find(|(there, other, _)| *there == shard && *other == id) {
                Some((_, _, batch)) => batch.push(recipient),
                None => elsewhere.push((shard, id, vec![recipient])),
            }
        }
        if recipients.capacity() <= RECIPIENTS_KEPT {
            self.routing.recipients = recipients;
        }
        for (shard, id, recipients) in elsewhere {
            let delivery = Delivery { message: Arc::clone(message), received_at, id, recipients, passed_on };
            context.output.push(Output::Handover { shard, delivery });
        }
    }

    /// A message from another shard.
    pub(crate) fn deliver_all<D: SharedDirectory, S: Store>(&mut self, delivery: Delivery, context: &mut Context<'_, D, S>) {
        for recipient in delivery.recipients {
            self.deliver(delivery.id, &delivery.message, delivery.received_at, (recipient, delivery.passed_on), context);
        }
    }

    /// Finds the routes and retains the message in one step, so that a subscription made at the same time sees the message exactly once:
    /// live or as retained. The store hears of it within that step, so that its order of retained messages is the directory's.
    fn look_up_and_retain<D: SharedDirectory, S: Store>(
        &self,
        message: &Arc<Message>,
        origin: &Origin,
        terms: &Terms,
        context: &mut Context<'_, D, S>,
    ) -> Result<(Arc<RouteSet>, Batches, Ticket), NoRoom> {
        let publisher = origin.publisher.and_then(|publisher| self.sessions.get(publisher)).map(|session| &session.client);
        let rules = &self.limits.messages;
        let source = publisher.filter(|_| rules.is_retained_source_checked).map(Arc::clone);
        let publisher = publisher.map_or_else(|| ClientIdentifier::new(""), |client| client.session_key());
        let (now, total, store) = (context.now, &self.limits.total, &mut *context.store);
        context.directory.write(|directory| {
            let routes = directory.subscriptions.routes(&message.topic, origin.publisher, rules.overlapping_subscriptions);
            let batches = routes.batches(message, rules, Vec::new());
            terms.check(message, &batches, store)?;
            for id in directory.retained.drop_expired(now) {
                store.append(&Change::RetainedCleared { id }, Urgency::Later);
            }
            // Without room in the store it is kept in memory, if nobody can be told.
            let is_stored = origin.durability != Durability::Off && !store.is_full();
            let outcome = directory.retained.store(message, (&publisher, source), now, total, is_stored);
            let change = match outcome {
                RetainOutcome::Full if origin.is_refusable => return Err(NoRoom::Retained),
                RetainOutcome::Full => None,
                RetainOutcome::Set(id, replaces) if is_stored => {
                    Some(Change::RetainedSet { id, replaces, message, publisher: &publisher, received_at: now })
                }
                RetainOutcome::Set(_, old) => old.map(|id| Change::RetainedCleared { id }),
                RetainOutcome::Cleared(Some(id)) => Some(Change::RetainedCleared { id }),
                // Somebody else may have cleared it, and that need not be durable yet. The id of no message marks the place in the store.
                RetainOutcome::Cleared(None) if message.qos > QoS::AtMostOnce && origin.durability == Durability::Always => {
                    Some(Change::RetainedCleared { id: directory.retained.skip_id() })
                }
                RetainOutcome::Cleared(None) => None,
            };
            let Some(change) = change else { return Ok((Arc::new(routes), batches, Ticket::NONE)) };
            let waits = if message.qos == QoS::AtMostOnce { Durability::Interval } else { origin.durability };
            let ticket = append_as(&change, waits, store);
            store.post();
            Ok((Arc::new(routes), batches, ticket))
        })
    }

    /// Under which terms a message is taken.
    fn terms(&self, message: &Message, origin: &Origin) -> Terms {
        // One with QoS 0 that is delivered with more goes nowhere if there is no room, and nobody is told.
        let is_refusable = origin.is_refusable && (message.qos > QoS::AtMostOnce || self.limits.messages.raises_qos);
        Terms {
            room: is_refusable.then(|| self.room()),
            durability: origin.durability,
            is_kept: message.retain && !message.payload.is_empty(),
        }
    }
}

/// Under which terms a message is taken.
struct Terms {
    /// What may still be queued, if the message can be refused.
    room: Option<Load>,
    durability: Durability,
    /// Whether it becomes a retained message. One that takes it away gives room back.
    is_kept: bool,
}

impl Terms {
    /// Whether there is room for a message, in all queues and in the store.
    fn check<S: Store>(&self, message: &Message, batches: &Batches, store: &S) -> Result<(), NoRoom> {
        let Some(room) = self.room else { return Ok(()) };
        let wanted = |copies: &Copies| copies.recipients.iter().filter(|recipient| recipient.qos > QoS::AtMostOnce).count();
        let messages: usize = batches.iter().map(wanted).sum();
        let wanted = Load { messages, bytes: messages.saturating_mul(message.size()) };
        if messages > 0 && (wanted.messages > room.messages || wanted.bytes > room.bytes) {
            return Err(NoRoom::Queues(wanted));
        }
        let is_kept = self.is_kept && self.durability != Durability::Off;
        let is_stored = is_kept || batches.iter().any(|copies| !copies.durable(self.durability).is_empty());
        if is_stored && store.is_full() { Err(NoRoom::Store) } else { Ok(()) }
    }
}

/// Appends what a message of this durability makes. Returns the ticket that its publisher waits for.
pub(crate) fn append_as<S: Store>(change: &Change<'_>, durability: Durability, store: &mut S) -> Ticket {
    match durability {
        Durability::Always => store.append(change, Urgency::Now),
        Durability::Interval | Durability::Off => {
            store.append(change, Urgency::Later);
            Ticket::NONE
        }
    }
}

impl Copies {
    /// Those for whom a message of this durability is stored.
    fn durable(&self, durability: Durability) -> &[Recipient] {
        let count = if durability == Durability::Off { 0 } else { self.durable };
        self.recipients.get(..count).unwrap_or_default()
    }

    fn push(&mut self, recipient: Recipient, is_durable: bool) {
        self.recipients.push(recipient);
        if is_durable {
            let last = self.recipients.len() - 1;
            self.recipients.swap(self.durable, last);
            self.durable += 1;
        }
    }
}

impl RouteSet {
    /// Sessions, groups and Subscription Identifiers, an estimate of what keeping it costs.
    pub(crate) fn len(&self) -> usize {
        let identifiers: usize = self.direct.iter().map(|route| route.identifiers.len().saturating_sub(1)).sum();
        self.direct.len() + identifiers + self.groups.iter().map(|group| group.candidates.len() + 1).sum::<usize>()
    }

    pub(crate) fn extend(&mut self, subscribers: impl IntoIterator<Item = Subscriber>) {
        self.direct.extend(subscribers.into_iter().map(|subscriber| Route::new(&subscriber)));
    }

    /// A message goes to one member. Those that are connected are asked before those that would only queue it.
    pub(crate) fn push_group(
        &mut self,
        filter: &Arc<TopicFilter>,
        members: impl Iterator<Item = Subscriber> + Clone,
        turn: &Arc<AtomicUsize>,
    ) {
        let connected = members.clone().filter(|member| member.is_connected);
        let mut candidates: Vec<Route> = connected.map(|member| Route::new(&member)).collect();
        if candidates.is_empty() {
            candidates = members.map(|member| Route::new(&member)).collect();
        }
        self.groups.push(SharedRoute { filter: Arc::clone(filter), candidates, turn: Arc::clone(turn) });
    }

    /// One delivery per session however many of its subscriptions match, unless each is to have its own: the highest QoS [MQTT-3.3.4-2], all
    /// identifiers [MQTT-3.3.4-4].
    pub(crate) fn merge(&mut self, overlapping: Overlapping) {
        if self.direct.len() < 2 {
            return;
        }
        self.direct.sort_by_key(|route| route.session);
        self.direct.dedup_by(|later, kept| {
            let is_same = later.session == kept.session && !overlapping.is_each(later.is_mqtt5 && kept.is_mqtt5);
            if is_same {
                kept.maximum_qos = kept.maximum_qos.max(later.maximum_qos);
                kept.retain_as_published |= later.retain_as_published;
                kept.identifiers.append(&later.identifiers);
            }
            is_same
        });
    }

    /// Who gets a message, with the next in turn of each Shared Subscription. `recipients` is empty memory to be used for them.
    pub(crate) fn batches(&self, message: &Message, rules: &MessageRules, mut recipients: Vec<Recipient>) -> Batches {
        recipients.reserve(self.direct.len() + self.groups.len());
        let mut batches: Batches = smallvec![Copies { recipients, durable: 0 }];
        let (mut last, mut times) = (None, 0);
        for route in &self.direct {
            times = if last == Some(route.session) { times + 1 } else { 0 };
            last = Some(route.session);
            copies(&mut batches, times).push(route.recipient(message, rules, None), route.is_durable(message, rules));
        }
        let mut in_turn: SmallVec<[SessionId; 4]> = SmallVec::new();
        for group in &self.groups {
            let turn = group.turn.fetch_add(1, Ordering::Relaxed);
            let Some(chosen) = turn.checked_rem(group.candidates.len()).and_then(|at| group.candidates.get(at)) else { continue };
            let session = chosen.session;
            let before = self.direct.partition_point(|route| route.session < session);
            let direct = self.direct.iter().skip(before).take_while(|route| route.session == session).count();
            let times = direct + in_turn.iter().filter(|other| **other == session).count();
            in_turn.push(session);
            let recipient = chosen.recipient(message, rules, Some(Arc::clone(&group.filter)));
            copies(&mut batches, times).push(recipient, chosen.is_durable(message, rules));
        }
        batches
    }
}

/// The copies for those who have had so many before.
fn copies(batches: &mut Batches, times: usize) -> &mut Copies {
    while batches.len() <= times {
        batches.push(Copies::default());
    }
    #[expect(clippy::indexing_slicing, reason = "the lines above made it as long")]
    &mut batches[times]
}

impl Route {
    fn new(subscriber: &Subscriber) -> Self {
        Self {
            session: subscriber.session,
            shard: subscriber.shard,
            is_persistent: subscriber.is_persistent,
            maximum_qos: subscriber.options.maximum_qos,
            retain_as_published: subscriber.options.retain_as_published,
            is_mqtt5: subscriber.is_mqtt5,
            identifiers: subscriber.identifier.into(),
        }
    }

    /// Whether a message is to outlive the process for this session.
    fn is_durable(&self, message: &Message, rules: &MessageRules) -> bool {
        self.is_persistent && rules.delivered(self.maximum_qos, message.qos) > QoS::AtMostOnce
    }

    /// The granted QoS counts for members of a group like for others [MQTT-4.8.2-3].
    fn recipient(&self, message: &Message, rules: &MessageRules, shared: Option<Arc<TopicFilter>>) -> Recipient {
        Recipient {
            session: self.session,
            shard: self.shard,
            // [MQTT-3.8.4-8]
            qos: rules.delivered(self.maximum_qos, message.qos),
            // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
            retain: self.retain_as_published && message.retain,
            identifiers: self.identifiers.clone(),
            shared,
        }
    }
}
