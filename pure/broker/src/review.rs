//! What a change of rules or of trust does to sessions that are there, connected or not.
//!
//! Rules: every subscription is judged again, and what the client may no longer have is taken out of its queue. Trust: an identity that is no
//! longer entitled leaves neither a Will nor, if the operator says so, a session behind.
//!
//! A shard may have very many sessions, so they are gone through some at a time, and others have their turn in between. What happens to a
//! session before its turn has come is judged on the spot: a delivery where it is made ([`Standing::is_doubtful`]), everything else by [`Broker::keep_up`].

use std::collections::VecDeque;
use std::sync::Arc;

use signet_mqtt::{QoS, TopicFilter};
use signet_policy::{
    AccessQuestion, Client, DenialReason, Denied, Known, Mount, NoPermit, Ruleset, authorize_subscribe, may_keep_subscription,
};

use crate::asking::Remembered;
use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, SessionId};
use crate::input::{Judge, SessionRule, WillRule};
use crate::memo::Memo;
use crate::moment::Moment;
use crate::output::{CloseCause, Event, Output};
use crate::store::{Change, Store, Urgency};
use crate::subscriptions::Subscriber;
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
    /// Whether it ever gave up a subscription. What was routed to that before may still be on its way, and is judged if the rules change meanwhile.
    pub(crate) has_left: bool,
    /// Whether rules ever took a subscription from it, or a part of one, or might have, had it not given it up. Then messages that were routed before may
    /// still be on their way to it.
    pub(crate) has_lost: bool,
    /// Whether some of what its filters match may be denied, so that each delivery is judged.
    pub(crate) is_partial: bool,
    /// Whether its subscriptions, and what waits for it, were judged without all that has to be known: because it was stored, is away, or because
    /// somebody is asked.
    pub(crate) is_unsettled: bool,
    /// Whether it is here and nothing may be sent before somebody who is asked has answered.
    pub(crate) is_waiting: bool,
    /// What access sources have said about its client, if they were asked.
    pub(crate) remembered: Option<Box<Remembered>>,
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
        self.forget_all_answers(session);
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

    /// Judges a session's subscriptions, unless that was done under the present rules. Returns how much work it was.
    pub(crate) fn keep_up<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) -> usize {
        match self.sessions.get(id) {
            Some(session) if session.standing.rulesets != self.ruleset_count => self.review_session(id, context),
            _ => 1,
        }
    }

    /// Judges a session's subscriptions. Ends its connection if it loses one: MQTT has no other way to tell the client. Waits if somebody has to be
    /// asked. Returns how much work it was.
    pub(crate) fn review_session<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) -> usize {
        let Some(session) = self.sessions.get(id) else { return 1 };
        let (client, connection, count) = (Arc::clone(&session.client), session.connection, session.subscribed.len());
        let was_waiting = session.standing.is_waiting;
        let Judged { ended, question } = self.judge_subscriptions(id, &client, connection.is_some(), context);
        let Some(connection) = connection else { return count + 1 };
        if let Some(filter) = ended.first() {
            let shown = view(client.mount().as_ref(), filter).map_or_else(String::new, |filter| signet_policy::shown(filter.as_str()));
            self.disconnect(connection, CloseCause::SubscriptionEnded(shown), WillRule::Publish, context);
        } else if let Some(question) = question {
            self.hold_review(connection, Some(question), context);
        } else if was_waiting || self.sessions.get(id).is_some_and(|session| !session.queue.is_empty()) {
            // Not here: who pumps has come here first.
            self.timers.arm(context.now, Timer::Pump(id));
        }
        count + 1
    }

    /// A client comes back, perhaps with other facts than those by which its subscriptions were allowed. What is judged here is judged before anything is
    /// sent to it; if somebody has to be asked for that, it waits ([`Standing::is_waiting`]).
    pub(crate) fn judge_resumed<D: SharedDirectory, S: Store>(&mut self, id: SessionId, client: &Client, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.standing.sentence = None;
        session.standing.is_waiting = false;
        let is_same = session.client.is_same(client);
        if !is_same {
            session.standing.is_unsettled = true;
            self.forget_all_answers(id);
        }
        let Some(session) = self.sessions.get(id) else { return };
        let standing = &session.standing;
        let is_current = standing.rulesets == self.ruleset_count && !standing.is_unsettled;
        // What was on its way over the last connection is not sent again if it may not be.
        if !is_current || standing.has_lost {
            self.judge_subscriptions(id, client, true, context);
        }
    }

    /// Ends the subscriptions that the client may not have, and takes back what waits because of them. `is_here`: whether it is connected, or just about
    /// to be. Of one that is away nothing unknown is held against it.
    fn judge_subscriptions<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        client: &Client,
        is_here: bool,
        context: &mut Context<'_, D, S>,
    ) -> Judged {
        let Some(session) = self.sessions.get(id) else { return Judged::default() };
        let mount = client.mount();
        let held = session.connection.and_then(|id| self.connections.get(&id)).and_then(|connection| connection.answers());
        let mut judged = Judged::default();
        let (mut why, mut is_partial, mut standing_filters) = (Vec::new(), false, Vec::new());
        let asks = self.ruleset.asks();
        let mut subscriptions = session.subscribed.read(id, context.directory);
        // In an order that clients can make out.
        subscriptions.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (filter, subscriber) in subscriptions {
            let qos = subscriber.options.maximum_qos;
            let decided = session
                .with_known(held, context.now, |known| standing_of(&self.ruleset, client, (mount.as_ref(), &filter, qos), known, is_here));
            match decided {
                Ok((partial, seen)) => {
                    is_partial |= partial;
                    if asks && is_here {
                        standing_filters.push((seen, qos));
                    }
                }
                Err(NoPermit::Ask(question)) => judged.question = judged.question.or(Some(*question)),
                Err(NoPermit::Denied(denied)) => {
                    judged.ended.push(filter);
                    why.push(*denied);
                }
            }
        }
        let is_open = judged.question.is_some();
        let is_unknown = !is_here && (client.grant().is_none() || client.origin().is_none() || asks);
        let Some(session) = self.sessions.get_mut(id) else { return judged };
        let standing = &mut session.standing;
        let (was_behind, was_restored, was_unsettled) =
            (standing.rulesets != self.ruleset_count, standing.rulesets == 0, standing.is_unsettled);
        standing.rulesets = self.ruleset_count;
        standing.is_partial = is_partial;
        // What was sent over the present connection would be sent again over the next.
        standing.has_lost |= was_behind && (standing.has_left || is_partial);
        standing.is_waiting = is_open && (was_behind || was_unsettled);
        standing.is_unsettled = standing.is_waiting || is_unknown;
        self.end_subscriptions(id, &judged.ended, why, context);
        if !is_open && is_here {
            self.rest_on_answers(id, &standing_filters, context);
        }
        let may_hold_denied = was_restored || was_unsettled || (was_behind && is_partial);
        if !is_open && (may_hold_denied || self.sessions.get(id).is_some_and(|session| session.standing.has_lost))
            || !judged.ended.is_empty()
        {
            self.take_back(id, client, &judged.ended, is_here && !is_open, context);
        }
        judged
    }

    pub(crate) fn end_subscriptions<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        filters: &[TopicFilter],
        why: Vec<Denied>,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.get_mut(id).filter(|_| !filters.is_empty()) else { return };
        session.standing.has_lost = true;
        let removed: Vec<Option<Subscriber>> =
            context.directory.write(|directory| filters.iter().map(|filter| directory.subscriptions.remove(filter, id)).collect());
        for ((filter, denied), removed) in filters.iter().zip(why).zip(removed) {
            let Some(removed) = removed else { continue };
            session.subscribed.remove(removed.key, session.queue.is_starting());
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
        self.forget_answers(id, context.directory);
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
        Self { rulesets, ..Self::default() }
    }

    /// Whether a message that was routed to the session has to be judged before it goes there: its subscriptions were not judged by the present
    /// rules yet, or not by all that has to be known, or it has lost one and this may have been on its way, or not all that its filters match is allowed.
    pub(crate) fn is_doubtful(&self, rulesets: u64) -> bool {
        self.has_lost || self.is_partial || self.is_unsettled || self.rulesets != rulesets
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
pub(crate) fn view(mount: Option<&Mount>, filter: &TopicFilter) -> Option<TopicFilter> {
    match mount {
        None => Some(filter.clone()),
        Some(mount) => mount.view_filter(filter),
    }
}

/// What comes of judging subscriptions.
#[derive(Debug, Default)]
struct Judged {
    /// Those that are no more.
    ended: Vec<TopicFilter>,
    /// What has to be asked before the rest is judged.
    question: Option<AccessQuestion>,
}

/// Whether a client may have a subscription that it has: then, whether each delivery has to be judged, and the filter as rules see it, without
/// ShareName.
pub(crate) fn standing_of(
    rules: &Ruleset,
    client: &Client,
    (mount, filter, qos): (Option<&Mount>, &TopicFilter, QoS),
    known: Known<'_>,
    is_here: bool,
) -> Result<(bool, String), NoPermit> {
    let Some(view) = view(mount, filter) else {
        return Err(NoPermit::from(Denied {
            rule: "tenant".to_owned(),
            reason: DenialReason::Subscribe { principal: client.principal().to_string(), filter: filter.as_str().to_owned() },
            reason_code: signet_mqtt::ReasonCode::NotAuthorized,
        }));
    };
    let is_partial = if is_here {
        authorize_subscribe(rules, client, &view, qos, known)?.is_partial()
    } else {
        may_keep_subscription(rules, client, &view, qos, known).map_err(NoPermit::Denied)?
    };
    Ok((is_partial, client.ruled(view.without_share_name()).into_owned()))
}
