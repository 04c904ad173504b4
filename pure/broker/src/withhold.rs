//! Messages that a session may not have: those that wait for it, and those that come.

use std::sync::Arc;

use signet_mqtt::{Message, QoS, TopicFilter, TopicName};
use signet_policy::{Client, Known, NoPermit, Ruleset, may_receive, may_yet_receive};

use crate::asking::with_remembered;
use crate::broker::{Broker, Context};
use crate::deliver::done;
use crate::directory::SharedDirectory;
use crate::ids::{MessageId, SessionId};
use crate::inflight::Stage;
use crate::moment::Moment;
use crate::queue::{Pending, Start};
use crate::review::standing_of;
use crate::session::Session;
use crate::store::{Change, Store, Urgency};

/// How often a message of a Shared Subscription is passed on because the member whose turn it is may not have it, while another may.
const PASSED_ON_MAXIMUM: u8 = 16;

/// A message of a Shared Subscription that its member may not have. It goes to another at the end of the input: at once, one member after the
/// other might have to pass it on.
#[derive(Debug)]
pub(crate) struct Stray {
    session: SessionId,
    id: Option<MessageId>,
    message: Arc<Message>,
    received_at: Moment,
    filter: Arc<TopicFilter>,
    /// How many members had it before.
    passed_on: u8,
}

impl Broker {
    /// Takes out of the queue, and out of what would be sent again, what the client may not read, and what came by a subscription that has just
    /// ended and by no other. What was sent over the present connection was sent.
    pub(crate) fn take_back<D: SharedDirectory, S: Store>(
        &mut self,
        id: SessionId,
        client: &Client,
        ended: &[TopicFilter],
        is_here: bool,
        context: &mut Context<'_, D, S>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let left = if ended.is_empty() { Vec::new() } else { session.subscribed.read(id, context.directory) };
        let before = session.load();
        let remembered = session.standing.remembered.take();
        let was_starting = session.queue.is_starting();
        if session.connection.is_none() {
            // Nothing was sent over a connection that is to come.
            session.inflight.reconnect();
        }
        let Session { queue, inflight, .. } = session;
        let came_by = |filter: &TopicFilter, pending: &Pending| match &pending.shared {
            Some(shared) => **shared == *filter,
            None => filter.shared().is_none() && filter.matches(&pending.message.topic),
        };
        let is_kept = |pending: &Pending| {
            let is_orphaned = ended.iter().any(|filter| came_by(filter, pending));
            let may = with_remembered(remembered.as_deref(), context.now, |known| {
                receives(&self.ruleset, client, (&pending.message.topic, pending.qos), known, is_here)
            });
            may && (!is_orphaned || left.iter().any(|(filter, _)| came_by(filter, pending)))
        };
        let waiting = queue.withdraw(|pending: &Pending, start: Option<&Start>| {
            start.is_none_or(|start| !ended.contains(&start.filter)) && is_kept(pending)
        });
        let under_way = inflight.withdraw(is_kept);
        session.standing.remembered = remembered;
        if was_starting {
            session.note_started(context.store);
        }
        let after = session.load();
        self.held = self.held.minus(before).plus(after);
        self.stats.refused.messages_withheld += u64::try_from(waiting.len() + under_way.len()).unwrap_or(u64::MAX);
        for (stage, message) in under_way {
            match (stage, message) {
                (Stage::Puback(pending), message) => self.give_up(id, Pending { id: message, ..pending }, 0, context.store),
                // PUBREL goes out in its place: a client that has the message is through with it, and one that has not says so.
                (Stage::Pubrec(_) | Stage::Pubcomp, Some(message)) => {
                    context.store.append(&Change::MessageReleased { session: id, id: message }, Urgency::Now);
                }
                (Stage::Pubrec(_) | Stage::Pubcomp, None) => {}
            }
        }
        for pending in waiting {
            self.give_up(id, pending, 0, context.store);
        }
    }

    /// The session does not get the message. Another member may, if a Shared Subscription chose this one.
    fn give_up<S: Store>(&mut self, session: SessionId, pending: Pending, passed_on: u8, store: &mut S) {
        let Pending { id, message, received_at, shared, .. } = pending;
        match shared {
            Some(filter) if passed_on < PASSED_ON_MAXIMUM => {
                self.backlog.strays.push_back(Stray { session, id, message, received_at, filter, passed_on: passed_on + 1 });
            }
            _ => done(session, id, store),
        }
    }

    /// Finds other members for what was given up, until nobody gives anything up.
    pub(crate) fn rehome<D: SharedDirectory, S: Store>(&mut self, context: &mut Context<'_, D, S>) {
        while let Some(stray) = self.backlog.strays.pop_front() {
            let Stray { session, id, message, received_at, filter, passed_on } = stray;
            self.pass_on(&message, received_at, (&filter, passed_on), id.is_some(), context);
            done(session, id, context.store);
        }
    }

    /// A delivery that may not be made.
    pub(crate) fn withhold<D: SharedDirectory, S: Store>(
        &mut self,
        pending: Pending,
        session: SessionId,
        passed_on: u8,
        context: &mut Context<'_, D, S>,
    ) {
        self.stats.refused.messages_withheld += 1;
        if let Some(filter) = pending.shared.as_deref()
            && let Some(state) = self.sessions.get(session)
        {
            let client = Arc::clone(&state.client);
            let subscriber = context.directory.read(|directory| directory.subscriptions.find(filter, session));
            let qos = subscriber.map_or(QoS::AtMostOnce, |subscriber| subscriber.options.maximum_qos);
            let mount = client.mount();
            let decided = state.with_known(None, context.now, |known| {
                standing_of(&self.ruleset, &client, (mount.as_ref(), filter, qos), known, state.connection.is_some())
            });
            if let Err(NoPermit::Denied(denied)) = decided {
                // Else it would be this member's turn again and again.
                self.end_subscriptions(session, std::slice::from_ref(filter), vec![*denied], context);
            }
        }
        self.give_up(session, pending, passed_on, context.store);
    }
}

/// Whether a message may go to a client: now, or, if it is away, as far as that can be known.
pub(crate) fn receives(rules: &Ruleset, client: &Client, (topic, qos): (&TopicName, QoS), known: Known<'_>, is_here: bool) -> bool {
    if is_here { may_receive(rules, client, topic, qos, known) } else { may_yet_receive(rules, client, topic, qos, known) }
}
