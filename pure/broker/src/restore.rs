//! Taking up what was stored when the process starts.
//!
//! Who was connected is not any more: those connections were lost with the process, and their Wills are treated as after any other loss.
//! All that makes messages of it waits for the first tick, when every shard has entered its subscriptions.

use std::collections::VecDeque;
use std::sync::Arc;

use signet_mqtt::QoS;

use crate::broker::{Broker, Context};
use crate::deliver::done;
use crate::directory::SharedDirectory;
use crate::durability::Durability;
use crate::ids::{SessionId, count_of};
use crate::image::{MessageImage, SessionImage, ShardImage, StageImage, SubscriptionImage};
use crate::inflight::{Exchange, InFlight, Stage};
use crate::moment::Moment;
use crate::queue::Pending;
use crate::session::{HeldWill, NEVER, Received, Session, Subscription};
use crate::store::{Change, Store, Urgency};
use crate::subscribe::Beginning;
use crate::subscriptions::Subscriber;
use crate::timers::Timer;

impl Broker {
    pub(crate) fn take_up<D: SharedDirectory, S: Store>(&mut self, image: ShardImage, context: &mut Context<'_, D, S>) {
        self.ids.start_at(image.first_free);
        for session in image.sessions {
            self.take_up_session(session, context);
        }
        if self.sessions.len() > 0 {
            self.review_restored(context.now);
        }
        if !image.orphans.is_empty() {
            self.backlog.orphans = image.orphans;
            self.timers.arm(context.now, Timer::Orphans);
        }
    }

    fn take_up_session<D: SharedDirectory, S: Store>(&mut self, image: SessionImage, context: &mut Context<'_, D, S>) {
        let SessionImage { session: id, client, expiry, left, will, subscriptions, messages, received } = image;
        let mut session = Session::new(id, Arc::new(client), Arc::clone(&self.limits), expiry);
        // It was kept for something: a session without anything to keep has nothing to take away either.
        session.is_persistent = true;
        session.is_stored = true;
        let was_connected = left.is_none();
        let ends_at = left.unwrap_or_else(|| (expiry != NEVER).then(|| context.now.plus_seconds(expiry)));
        session.ends_at = ends_at;
        if was_connected {
            context.store.append(&Change::SessionLeft { session: id, ends_at }, Urgency::Later);
        }
        if let Some(at) = ends_at {
            self.timers.arm(at, Timer::SessionExpiry(id));
        }
        let held = |packet_id| (packet_id, Received { connection: None, durability: Durability::Always });
        session.received = received.into_iter().map(held).collect();
        take_up_messages(&mut session, messages);
        let beginnings = self.take_up_subscriptions(&mut session, subscriptions, context);
        let due = will.as_ref().and_then(|(_, due)| *due);
        let delay = will.as_ref().map(|(will, _)| will.properties.delay_interval.unwrap_or(0));
        session.will = will.map(|(will, _)| Box::new(HeldWill { will, due: None, is_stored: true, answers: None }));
        self.held = self.held.plus(session.load());
        self.sessions.insert(session);
        self.totals.session_begins();
        self.wait_with_will(id, due, delay, context);
        let mut starts = self.collect_starts(id, beginnings, context);
        // QoS 0 was for the connection that is lost.
        starts.retain(|(pending, _)| pending.qos > QoS::AtMostOnce);
        self.start_with(id, starts, context);
    }

    /// A Will that waited goes on waiting; that of a connection which was lost with the process begins to, even if it has no delay.
    fn wait_with_will<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        due: Option<Moment>,
        delay: Option<u32>,
        context: &mut Context<'_, D, S>,
    ) {
        match (due, delay) {
            (Some(due), _) => {
                if let Some(held) = self.sessions.get_mut(id).and_then(|session| session.will.as_mut()) {
                    held.due = Some(due);
                    self.timers.arm(due, Timer::WillDelay(id));
                }
            }
            (None, Some(delay)) => self.delay_will(id, context.now.plus_seconds(delay), context.store),
            (None, None) => {}
        }
    }

    fn take_up_subscriptions<D: SharedDirectory, S: Store>(
        &self,
        session: &mut Session,
        subscriptions: Vec<SubscriptionImage>,
        context: &mut Context<'_, D, S>,
    ) -> Vec<Beginning> {
        if subscriptions.is_empty() {
            return Vec::new();
        }
        let count = subscriptions.len();
        let mut beginnings = Vec::new();
        let (shard, store) = (self.shard, &mut *context.store);
        context.directory.write(|directory| {
            let mut take_up = |session: &mut Session, image: SubscriptionImage, former: Option<u32>| {
                let SubscriptionImage { key, filter, options, identifier, starting } = image;
                let subscription = Subscription { key, options, identifier, starting };
                if let Some(former) = former {
                    store.append(&Change::SubscriptionRemoved { session: session.id, key: former }, Urgency::Later);
                    store.append(&subscription.added(session.id, &filter), Urgency::Later);
                }
                let subscriber = Subscriber {
                    session: session.id,
                    shard,
                    key,
                    is_persistent: true,
                    options,
                    identifier,
                    is_connected: false,
                    is_mqtt5: false,
                };
                let (place, other) = directory.subscriptions.insert(&filter, &subscriber);
                session.subscribed.put(key, place);
                if let Some(other) = other {
                    // No broker writes that down. Should a journal say it all the same, one of them counts.
                    session.subscribed.remove(other.key, false);
                    store.append(&Change::SubscriptionRemoved { session: session.id, key: other.key }, Urgency::Later);
                }
                if let Some(ids) = starting {
                    // What is set from here on must not look like a start at the next restart.
                    directory.retained.go_on_after(ids.up_to);
                    session.subscribed.begin(&filter, subscription);
                    beginnings.push(Beginning { filter, subscription, ids });
                }
            };
            let mut others = Vec::new();
            for image in subscriptions {
                if session.subscribed.suits(image.key, count) {
                    take_up(session, image, None);
                } else {
                    others.push(image);
                }
            }
            for image in others {
                let former = image.key;
                let key = session.subscribed.key(false);
                take_up(session, SubscriptionImage { key, ..image }, Some(former));
            }
        });
        beginnings
    }

    /// Messages of Shared Subscriptions whose chosen session is gone.
    pub(crate) fn give_orphans_away<D: SharedDirectory, S: Store>(&mut self, context: &mut Context<'_, D, S>) {
        for image in std::mem::take(&mut self.backlog.orphans) {
            let MessageImage { id, message, received_at, recipient, stage } = image;
            let session = recipient.session;
            let is_started_qos2 = stage != StageImage::Queued && recipient.qos == QoS::ExactlyOnce;
            // [MQTT-4.8.2-5]
            if !is_started_qos2 {
                self.give_away(&Pending::new(Some(id), &message, received_at, recipient), context);
            }
            done(session, Some(id), context.store);
        }
    }
}

/// Sorts messages into what was under way, in the order of first sending, and what waits.
fn take_up_messages(session: &mut Session, mut messages: Vec<MessageImage>) {
    // The order in which each shard accepted them: the shards of one client's messages may have had different numbers over the years.
    messages.sort_by_key(|image| (count_of(image.id.0), image.id));
    let mut under_way = Vec::new();
    for image in messages {
        let MessageImage { id, message, received_at, recipient, stage } = image;
        let is_exact = recipient.qos == QoS::ExactlyOnce;
        let pending = Pending::new(Some(id), &message, received_at, recipient);
        match stage {
            StageImage::Queued => session.queue.push_restored(pending),
            StageImage::Sent { packet_id, order } => {
                let stage = if is_exact { Stage::Pubrec(pending) } else { Stage::Puback(pending) };
                under_way.push((order, Exchange { packet_id, id: Some(id), stage }));
            }
            StageImage::Released { packet_id, order } => {
                under_way.push((order, Exchange { packet_id, id: Some(id), stage: Stage::Pubcomp }))
            }
        }
    }
    under_way.sort_by_key(|(order, _)| *order);
    let last = under_way.last().map_or(0, |(order, _)| *order);
    let exchanges: VecDeque<Exchange> = under_way.into_iter().map(|(_, exchange)| exchange).collect();
    session.inflight = InFlight::restored(exchanges, last);
}
