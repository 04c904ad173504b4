//! What a change of rules or of trust does to sessions that are there, connected or not.
//!
//! Rules: every subscription is judged again, and what the client may no longer have is taken out of its queue. Trust: an identity that is no
//! longer entitled leaves neither a Will nor, if the operator says so, a session behind.
//!
//! A shard may have very many sessions, so they are gone through some at a time, and others have their turn in between. What happens to a
//! session before its turn has come is judged on the spot: a delivery where it is made ([`Standing::is_doubtful`]), everything else by [`Broker::keep_up`].

use std::collections::VecDeque;
use std::sync::Arc;

use signet_mqtt::{Message, QoS, TopicFilter};
use signet_policy::{Client, DenialReason, Denied, Mount, Ruleset, authorize_subscribe, may_receive};

use crate::broker::{Broker, Context};
use crate::deliver::done;
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, MessageId, SessionId};
use crate::inflight::Stage;
use crate::input::{Judge, Recipient, SessionRule, WillRule};
use crate::memo::Memo;
use crate::moment::Moment;
use crate::output::{CloseCause, Event, Output};
use crate::queue::{Pending, Start};
use crate::session::Session;
use crate::store::{Change, Store, Urgency};
use crate::timers::Timer;

/// Sessions and subscriptions that are judged before others have their turn.
const STEPS: usize = if cfg!(test) { 20 } else { 1_000 };

/// Reviews of trust that wait for one another. They come from the operator's side, one for each change of a source.
const WAITING_MAXIMUM: usize = 8;

/// How a session stands to the rules and the trust of the present.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Under which of the shard's rulesets its subscriptions were judged; zero if it was stored by an earlier run, whose rules nobody knows.
    pub(crate) rulesets: u64,
    /// Whether rules ever took a subscription from it. Then messages that were routed before may still be on their way to it.
    pub(crate) has_lost: bool,
    /// What happens to it when its present connection ends, because the identity behind it is not entitled any more.
    sentence: Option<Sentence>,
}

/// What becomes of a session whose identity is not entitled any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sentence {
    will: WillRule,
    session: SessionRule,
}

/// All reviews that are under way.
#[derive(Debug, Default)]
pub(crate) struct Reviews {
    waiting: VecDeque<Review>,
    /// When they go on.
    at: Option<Moment>,
}

#[derive(Debug)]
struct Review {
    of: Of,
    rest: Vec<SessionId>,
}

#[derive(Debug, Clone)]
enum Of {
    Rules,
    Trust(Arc<dyn Judge>, Sentence),
}

/// A message of a Shared Subscription that its member may not have. It goes to another at the end of the input: at once, one member after the
/// other might have to pass it on.
#[derive(Debug)]
pub(crate) struct Stray {
    session: SessionId,
    id: Option<MessageId>,
    message: Arc<Message>,
    received_at: Moment,
    filter: Arc<TopicFilter>,
}

impl Broker {
    /// Other rules: every session has to be looked at.
    pub(crate) fn change_rules<D: SharedDirectory, S: Store>(&mut self, ruleset: Arc<Ruleset>, context: &mut Context<'_, D, S>) {
        self.ruleset = ruleset;
        self.ruleset_count += 1;
        self.plan_review_of_rules();
        self.go_on_reviewing(context);
    }

    /// One client is granted something else: its session is judged again.
    pub(crate) fn regrant<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, client: Arc<Client>, context: &mut Context<'_, D, S>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.client = Arc::clone(&client);
        connection.memo = Memo::default();
        let session = connection.session;
        let Some(state) = self.sessions.get_mut(session) else { return };
        state.client = client;
        state.standing.rulesets = 0;
        self.keep_up(session, context);
    }

    /// The sessions that were stored may have been left under other rules. Begins with the first tick.
    pub(crate) fn review_restored(&mut self, now: Moment) {
        self.plan_review_of_rules();
        self.review_at(now);
    }

    /// One under older rules has nothing to do any more.
    fn plan_review_of_rules(&mut self) {
        self.backlog.reviews.waiting.retain(|review| !matches!(review.of, Of::Rules));
        self.backlog.reviews.waiting.push_back(Review { of: Of::Rules, rest: self.sessions.ids() });
    }

    /// Identities are judged again.
    pub(crate) fn review_trust<D: SharedDirectory, S: Store>(
        &mut self,
        judge: Arc<dyn Judge>,
        (will, session): (WillRule, SessionRule),
        context: &mut Context<'_, D, S>,
    ) {
        if (will, session) == (WillRule::Publish, SessionRule::Keep) {
            return;
        }
        while self.backlog.reviews.waiting.len() >= WAITING_MAXIMUM {
            // Better a pause than a review that is left out.
            self.review_some(usize::MAX, 1, context);
        }
        self.backlog.reviews.waiting.push_back(Review { of: Of::Trust(judge, Sentence { will, session }), rest: self.sessions.ids() });
        self.go_on_reviewing(context);
    }

    /// Some more sessions; the rest with another tick.
    pub(crate) fn go_on_reviewing<D: SharedDirectory, S: Store>(&mut self, context: &mut Context<'_, D, S>) {
        self.review_some(STEPS, usize::MAX, context);
        if !self.backlog.reviews.waiting.is_empty() {
            self.review_at(context.now.plus_millis(1));
        }
    }

    fn review_at(&mut self, at: Moment) {
        self.timers.disarm(self.backlog.reviews.at.replace(at), Timer::Review);
        self.timers.arm(at, Timer::Review);
    }

    /// Goes on with at most so many reviews.
    fn review_some<D: SharedDirectory, S: Store>(&mut self, mut steps: usize, mut reviews: usize, context: &mut Context<'_, D, S>) {
        while steps > 0 && reviews > 0 {
            let Some(review) = self.backlog.reviews.waiting.front_mut() else { return };
            let Some(id) = review.rest.pop() else {
                self.backlog.reviews.waiting.pop_front();
                reviews -= 1;
                continue;
            };
            let taken = match review.of.clone() {
                Of::Rules => self.keep_up(id, context),
                Of::Trust(judge, sentence) => self.judge(id, &*judge, sentence, context),
            };
            steps = steps.saturating_sub(taken);
        }
    }

    // --- rules

    /// Judges a session's subscriptions, unless that was done under the present rules. Ends its connection if it loses one: MQTT has no other
    /// way to tell the client. Returns how much work it was.
    pub(crate) fn keep_up<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) -> usize {
        let Some(session) = self.sessions.get(id).filter(|session| session.standing.rulesets != self.ruleset_count) else { return 1 };
        let (client, connection, count) = (Arc::clone(&session.client), session.connection, session.subscriptions.len());
        let ended = self.judge_subscriptions(id, &client, context);
        if let (Some(connection), Some(filter)) = (connection, ended.first()) {
            let shown = view(client.mount().as_ref(), filter).map_or_else(String::new, |filter| signet_policy::shown(filter.as_str()));
            self.disconnect(connection, CloseCause::SubscriptionEnded(shown), WillRule::Publish, context);
        }
        count + 1
    }

    /// A client comes back, perhaps with other facts than those by which its subscriptions were allowed.
    pub(crate) fn judge_resumed<D: SharedDirectory, S: Store>(&mut self, id: SessionId, client: &Client, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.standing.sentence = None;
        let is_current = session.standing.rulesets == self.ruleset_count && session.client.is_same(client);
        // What was on its way over the last connection is not sent again if it may not be.
        if !is_current || session.standing.has_lost {
            self.judge_subscriptions(id, client, context);
        }
    }

    /// Ends the subscriptions that the client may not have, and takes back what waits because of them. Returns their filters.
    fn judge_subscriptions<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        client: &Client,
        context: &mut Context<'_, D, S>,
    ) -> Vec<TopicFilter> {
        let Some(session) = self.sessions.get_mut(id) else { return Vec::new() };
        let is_restored = session.standing.rulesets == 0;
        session.standing.rulesets = self.ruleset_count;
        let mount = client.mount();
        let judged = session.subscriptions.keys();
        let ended = judged.filter_map(|filter| Some((filter.clone(), refusal(&self.ruleset, client, mount.as_ref(), filter)?)));
        let (ended, why): (Vec<TopicFilter>, Vec<Denied>) = ended.unzip();
        self.end_subscriptions(id, &ended, why, context);
        if is_restored || self.sessions.get(id).is_some_and(|session| session.standing.has_lost) {
            self.take_back(id, client, &ended, context);
        }
        ended
    }

    fn end_subscriptions<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        filters: &[TopicFilter],
        why: Vec<Denied>,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.get_mut(id).filter(|_| !filters.is_empty()) else { return };
        session.standing.has_lost = true;
        for (filter, denied) in filters.iter().zip(why) {
            let Some(removed) = session.subscriptions.remove(filter) else { continue };
            self.stats.refused.subscriptions_ended += 1;
            if session.is_persistent {
                // Nobody waits for that: after a crash it is judged again.
                context.store.append(&Change::SubscriptionRemoved { session: id, key: removed.key }, Urgency::Later);
            }
            context.output.push(Output::Event(Event::SubscriptionEnded {
                connection: session.connection,
                client_identifier: session.client.client_identifier().clone(),
                filter: filter.clone(),
                denied,
            }));
        }
        context.directory.write(|directory| {
            for filter in filters {
                directory.subscriptions.remove(filter, id);
            }
        });
    }

    /// Takes out of the queue, and out of what would be sent again, what the client may not read, and what came by a subscription that has just
    /// ended and by no other. What was sent over the present connection was sent.
    fn take_back<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        client: &Client,
        ended: &[TopicFilter],
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let before = session.load();
        let was_starting = session.queue.is_starting();
        if session.connection.is_none() {
            // Nothing was sent over a connection that is to come.
            session.inflight.reconnect();
        }
        let Session { subscriptions, queue, inflight, .. } = session;
        let came_by = |filter: &TopicFilter, pending: &Pending| match &pending.shared {
            Some(shared) => **shared == *filter,
            None => filter.shared().is_none() && filter.matches(&pending.message.topic),
        };
        let is_kept = |pending: &Pending| {
            let is_orphaned = ended.iter().any(|filter| came_by(filter, pending));
            may_receive(&self.ruleset, client, &pending.message.topic)
                && (!is_orphaned || subscriptions.keys().any(|filter| came_by(filter, pending)))
        };
        let waiting = queue.withdraw(|pending: &Pending, start: Option<&Start>| {
            start.is_none_or(|start| !ended.contains(&start.filter)) && is_kept(pending)
        });
        let under_way = inflight.withdraw(is_kept);
        if was_starting {
            session.note_started(context.store);
        }
        let after = session.load();
        self.held = self.held.minus(before).plus(after);
        self.stats.refused.messages_withheld += u64::try_from(waiting.len() + under_way.len()).unwrap_or(u64::MAX);
        for (stage, message) in under_way {
            match (stage, message) {
                (Stage::Puback(pending), message) => self.give_up(id, Pending { id: message, ..pending }, context.store),
                // PUBREL goes out in its place: a client that has the message is through with it, and one that has not says so.
                (Stage::Pubrec(_) | Stage::Pubcomp, Some(message)) => {
                    context.store.append(&Change::MessageReleased { session: id, id: message }, Urgency::Now);
                }
                (Stage::Pubrec(_) | Stage::Pubcomp, None) => {}
            }
        }
        for pending in waiting {
            self.give_up(id, pending, context.store);
        }
    }

    /// The session does not get the message. Another member may, if a Shared Subscription chose this one.
    fn give_up<S: Store>(&mut self, session: SessionId, pending: Pending, store: &mut S) {
        let Pending { id, message, received_at, shared, .. } = pending;
        match shared {
            Some(filter) => self.backlog.strays.push_back(Stray { session, id, message, received_at, filter }),
            None => done(session, id, store),
        }
    }

    /// Finds other members for what was given up, until nobody gives anything up.
    pub(crate) fn rehome<D: SharedDirectory, S: Store>(&mut self, context: &mut Context<'_, D, S>) {
        while let Some(Stray { session, id, message, received_at, filter }) = self.backlog.strays.pop_front() {
            self.pass_on(&message, received_at, &filter, id.is_some(), context);
            done(session, id, context.store);
        }
    }

    /// A delivery that may not be made.
    pub(crate) fn withhold<D: SharedDirectory, S: Store>(
        &mut self,
        id: Option<MessageId>,
        message: &Arc<Message>,
        received_at: Moment,
        recipient: Recipient,
        context: &mut Context<'_, D, S>,
    ) {
        self.stats.refused.messages_withheld += 1;
        let session = recipient.session;
        if let Some(filter) = recipient.shared.as_deref()
            && let Some(client) = self.sessions.get(session).map(|session| Arc::clone(&session.client))
            && let Some(denied) = refusal(&self.ruleset, &client, client.mount().as_ref(), filter)
        {
            // Else it would be this member's turn again and again.
            self.end_subscriptions(session, std::slice::from_ref(filter), vec![denied], context);
        }
        self.give_up(session, Pending::new(id, message, received_at, recipient), context.store);
    }

    // --- trust

    /// Judges the identity of a session. One that has a connection keeps everything until that ends: whoever revokes ends it, and should it have
    /// ended by itself a moment before, it comes to the same.
    fn judge<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        judge: &dyn Judge,
        sentence: Sentence,
        context: &mut Context<'_, D, S>,
    ) -> usize {
        let Some(session) = self.sessions.get_mut(id) else { return 1 };
        if session.client.identity().is_none_or(|identity| judge.is_entitled(identity)) {
            return 1;
        }
        if session.connection.is_some() {
            let known = session.standing.sentence.unwrap_or(sentence);
            session.standing.sentence = Some(known.or_harder(sentence));
            return 1;
        }
        if sentence.will == WillRule::Drop {
            self.discard_will(id, context);
        }
        if sentence.session == SessionRule::End {
            self.end_session(id, context);
        }
        1
    }
}

impl Standing {
    /// That of a session which begins under the present rules.
    pub(crate) fn new(rulesets: u64) -> Self {
        Self { rulesets, has_lost: false, sentence: None }
    }

    /// Whether a message that was routed to the session has to be judged before it goes there: its subscriptions were not judged by the present
    /// rules yet, or it has lost one and this may have been on its way.
    pub(crate) fn is_doubtful(&self, rulesets: u64) -> bool {
        self.has_lost || self.rulesets != rulesets
    }

    /// What becomes of Will and session when the connection ends.
    pub(crate) fn sentenced(&mut self, will: WillRule) -> (WillRule, SessionRule) {
        match self.sentence.take() {
            Some(sentence) if sentence.will == WillRule::Drop => (WillRule::Drop, sentence.session),
            Some(sentence) => (will, sentence.session),
            None => (will, SessionRule::Keep),
        }
    }
}

impl Sentence {
    fn or_harder(self, other: Self) -> Self {
        let will = if other.will == WillRule::Drop { WillRule::Drop } else { self.will };
        let session = if other.session == SessionRule::End { SessionRule::End } else { self.session };
        Self { will, session }
    }
}

/// A whole filter as the client wrote it.
fn view(mount: Option<&Mount>, filter: &TopicFilter) -> Option<TopicFilter> {
    match mount {
        None => Some(filter.clone()),
        Some(mount) => mount.view_filter(filter),
    }
}

/// Why a client may not have a subscription that it has, if it may not.
fn refusal(rules: &Ruleset, client: &Client, mount: Option<&Mount>, filter: &TopicFilter) -> Option<Denied> {
    let Some(view) = view(mount, filter) else {
        return Some(Denied {
            rule: "tenant".to_owned(),
            reason: DenialReason::Subscribe { principal: client.principal().to_string(), filter: filter.as_str().to_owned() },
            reason_code: signet_mqtt::ReasonCode::NotAuthorized,
        });
    };
    authorize_subscribe(rules, client, &view, QoS::AtMostOnce).err()
}
