//! Questions to access sources that are asked about one topic at a time: what waits for the answer, and what is remembered of it.
//!
//! A connection has one question at a time. While it waits, nothing that came behind is looked at: the caller reads no further ([`Output::Ask`]). What
//! waits is one packet, a PUBLISH or a SUBSCRIBE, or the session's subscriptions, which are judged again. An answer lets it be decided once more,
//! from the beginning: now more is known, and the next question may come.

use std::sync::Arc;
use std::time::Duration;

use signet_mqtt::{Publish, QoS, Subscribe, TopicName};
use signet_policy::{AccessAnswer, AccessQuestion, AccessSource, Action, Answers, Known};

use crate::broker::{Broker, Context};
use crate::connection::Connection;
use crate::control::Request;
use crate::directory::SharedDirectory;
use crate::ids::{ConnectionId, SessionId};
use crate::moment::Moment;
use crate::output::Output;
use crate::session::Session;
use crate::store::Store;
use crate::timers::Timer;

/// Live subscriptions are not asked about more often, in seconds, however short the source says that its answers last.
const AGAIN_MINIMUM: u32 = 10;

/// What a connection waits for.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    /// Asked and not answered.
    question: Option<AccessQuestion>,
    /// The answers so far to what is decided now.
    answers: Answers,
    /// Whether the client has changed since it was asked: then the answer is about somebody else.
    is_stale: bool,
    /// A request to the Server that is being carried out.
    pub(crate) control: Option<Request>,
    /// The packet that waits.
    held: Option<Held>,
    /// Whether the session's subscriptions are to be judged before that.
    is_review_due: bool,
}

/// A packet that waits.
#[derive(Debug)]
pub(crate) enum Held {
    /// With its topic, its alias resolved.
    Publish(Box<(Publish, TopicName)>),
    Subscribe(Subscribe),
}

/// What a session remembers of answers.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// Of any kind, up to a number.
    answers: Answers,
    /// Those on which its subscriptions rest.
    subscriptions: Answers,
    /// When the first of these ends.
    armed: Option<Moment>,
}

impl Asking {
    fn is_waiting(&self) -> bool {
        self.question.is_some() || self.control.is_some()
    }
}

impl Session {
    /// What is known of the answers about this session's client.
    pub(crate) fn with_known<T>(&self, held: Option<&Answers>, now: Moment, decide: impl FnOnce(Known<'_>) -> T) -> T {
        with(self.standing.remembered.as_deref(), held, now, decide)
    }

    fn remembered(&mut self) -> &mut Remembered {
        let maximum = self.limits.access_answers_maximum;
        self.standing
            .remembered
            .get_or_insert_with(|| Box::new(Remembered { answers: Answers::new(maximum), subscriptions: Answers::default(), armed: None }))
    }
}

/// What is known by what is remembered alone.
pub(crate) fn with_remembered<T>(remembered: Option<&Remembered>, now: Moment, decide: impl FnOnce(Known<'_>) -> T) -> T {
    with(remembered, None, now, decide)
}

fn with<T>(remembered: Option<&Remembered>, held: Option<&Answers>, now: Moment, decide: impl FnOnce(Known<'_>) -> T) -> T {
    let now = now.as_millis();
    match remembered {
        None => decide(Known { held, answers: &[], now }),
        Some(remembered) => decide(Known { held, answers: &[&remembered.answers, &remembered.subscriptions], now }),
    }
}

impl Connection {
    /// Whether it waits for an answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.asking.as_ref().is_some_and(|asking| asking.is_waiting())
    }

    /// The answers to what is decided now.
    pub(crate) fn answers(&self) -> Option<&Answers> {
        self.asking.as_ref().map(|asking| &asking.answers)
    }
}

impl Broker {
    /// A packet waits until somebody has answered.
    pub(crate) fn hold<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        held: Held,
        question: AccessQuestion,
        context: &mut Context<'_, D, S>,
    ) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.asking.get_or_insert_default().held = Some(held);
            self.ask(id, question, context);
        }
    }

    /// A packet waits for what is asked already.
    pub(crate) fn hold_behind(&mut self, id: ConnectionId, held: Held) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.asking.get_or_insert_default().held = Some(held);
        }
    }

    /// The session's subscriptions wait to be judged: until somebody has answered, or, without a question, until what is asked now is over.
    pub(crate) fn hold_review<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        question: Option<AccessQuestion>,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let is_asking = connection.is_asking();
        connection.asking.get_or_insert_default().is_review_due = true;
        if let Some(question) = question.filter(|_| !is_asking) {
            self.ask(id, question, context);
        }
    }

    fn ask<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, question: AccessQuestion, context: &mut Context<'_, D, S>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let client = Arc::clone(&connection.client);
        let asking = connection.asking.get_or_insert_default();
        asking.question = Some(question.clone());
        asking.is_stale = false;
        context.output.push(Output::Ask { connection: id, client, question });
    }

    /// Somebody has answered: goes on with what waited for it.
    pub(crate) fn answered<D: SharedDirectory, S: Store>(
        &mut self,
        id: ConnectionId,
        (question, answer, lasts): (AccessQuestion, AccessAnswer, Duration),
        context: &mut Context<'_, D, S>,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(asking) = connection.asking.as_mut().filter(|asking| asking.question.as_ref() == Some(&question)) else { return };
        connection.keep_alive.heard(context.now);
        asking.question = None;
        if !asking.is_stale {
            asking.answers.remember(question, answer, lasts, context.now.as_millis());
        }
        self.go_on(id, context);
    }

    /// Decides what waits, as far as nobody has to be asked.
    pub(crate) fn go_on<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, context: &mut Context<'_, D, S>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let session = connection.session;
        let Some(asking) = &mut connection.asking else { return };
        if std::mem::take(&mut asking.is_review_due) {
            self.review_session(session, context);
        }
        let waiting = self.connections.get_mut(&id).and_then(|connection| connection.asking.as_mut());
        let Some(asking) = waiting.filter(|asking| !asking.is_waiting()) else { return };
        match asking.held.take() {
            Some(Held::Publish(held)) => {
                let (publish, topic) = *held;
                self.publish_resolved(id, publish, topic, context);
            }
            Some(Held::Subscribe(subscribe)) => self.subscribe(id, subscribe, context),
            None => {}
        }
        self.note_answers(id, context);
    }

    /// What was asked for is decided: the answers are remembered.
    fn note_answers<D: SharedDirectory, S: Store>(&mut self, id: ConnectionId, context: &Context<'_, D, S>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.asking.as_ref().is_none_or(|asking| asking.is_waiting()) {
            return;
        }
        let Some(asking) = connection.asking.take() else { return };
        if let Some(session) = self.sessions.get_mut(connection.session).filter(|_| !asking.answers.is_empty()) {
            session.remembered().answers.take_over(asking.answers, context.now.as_millis());
        }
    }

    /// The subscriptions to these filters, as the client writes them without ShareName, stand: the answers on which they rest are kept with them, and asked
    /// for again when their time is over.
    pub(crate) fn rest_on_answers<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        filters: &[(String, QoS)],
        context: &Context<'_, D, S>,
    ) {
        if !self.ruleset.asks() {
            return;
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        let connection = session.connection.and_then(|id| self.connections.get(&id));
        let held = connection.and_then(Connection::answers);
        let now = context.now.as_millis();
        let mut found = Vec::new();
        for (filter, qos) in filters {
            for source in self.ruleset.sources().filter(|source| matches!(source, AccessSource::Asked(_))) {
                let action = Action::Subscribe { qos: *qos };
                let question = AccessQuestion { source: Arc::clone(source.name()), topic: filter.as_str().into(), action };
                let known = session.with_known(held, context.now, |known| known.lasting(&question));
                found.extend(known.map(|(said, lasts)| (question, said, lasts)));
            }
        }
        if found.is_empty() {
            return;
        }
        let remembered = session.remembered();
        for (question, said, lasts) in found {
            remembered.subscriptions.remember(question, said, lasts.max(Duration::from_secs(u64::from(AGAIN_MINIMUM))), now);
        }
        self.ask_again_in_time(id);
    }

    /// The answers on which subscriptions rested that are there no more.
    pub(crate) fn forget_answers<D: SharedDirectory>(&mut self, id: SessionId, directory: &D) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let (client, mount) = (Arc::clone(&session.client), session.client.mount());
        let Some(remembered) = &mut session.standing.remembered else { return };
        let live: std::collections::BTreeSet<String> = session
            .subscribed
            .read(id, directory)
            .iter()
            .filter_map(|(filter, _)| crate::review::view(mount.as_ref(), filter))
            .map(|filter| client.ruled(filter.without_share_name()).into_owned())
            .collect();
        remembered.subscriptions.retain(|question| live.contains(&*question.topic));
        self.ask_again_in_time(id);
    }

    /// Nothing is known of this client any more: it is another, or is granted something else.
    pub(crate) fn forget_all_answers(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if let Some(remembered) = session.standing.remembered.take() {
            self.timers.disarm(remembered.armed, Timer::Answers(id));
        }
        if let Some(asking) =
            session.connection.and_then(|id| self.connections.get_mut(&id)).and_then(|connection| connection.asking.as_mut())
        {
            asking.is_stale = true;
            asking.answers = Answers::default();
        }
    }

    /// Nothing is known of any client any more: access sources may say something else from here on.
    pub(crate) fn ask_anew<D: SharedDirectory, S: Store>(&mut self, context: &mut Context<'_, D, S>) {
        if !self.ruleset.asks() {
            return;
        }
        for id in self.sessions.ids() {
            self.forget_all_answers(id);
        }
        // As if the rules were other ones: nothing is delivered on the word of an answer that is gone.
        self.change_rules(Arc::clone(&self.ruleset), context);
    }

    /// The session is gone.
    pub(crate) fn forget_timer_of(&mut self, session: &Session) {
        if let Some(remembered) = &session.standing.remembered {
            self.timers.disarm(remembered.armed, Timer::Answers(session.id));
        }
    }

    fn ask_again_in_time(&mut self, id: SessionId) {
        let Some(remembered) = self.sessions.get_mut(id).and_then(|session| session.standing.remembered.as_mut()) else { return };
        let at = remembered.subscriptions.ends_at().map(|end| Moment::from_millis(end.saturating_add(1)));
        let before = std::mem::replace(&mut remembered.armed, at);
        self.timers.disarm(before, Timer::Answers(id));
        if let Some(at) = at {
            self.timers.arm(at, Timer::Answers(id));
        }
    }

    /// The time of an answer on which a subscription rests is over. A client that is away is judged when it comes back.
    pub(crate) fn ask_again<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let connection = session.connection;
        if let Some(remembered) = &mut session.standing.remembered {
            remembered.armed = None;
        }
        match connection {
            Some(connection) if self.connections.get(&connection).is_some_and(Connection::is_asking) => {
                self.hold_review(connection, None, context);
            }
            Some(connection) => {
                self.review_session(id, context);
                self.note_answers(connection, context);
            }
            None => session.standing.is_unsettled = true,
        }
    }
}
