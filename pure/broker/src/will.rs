//! The Will Message (§3.1.2.5) and its delay.

use signet_mqtt::Message;
use signet_policy::{Published, authorize_publish};

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::SessionId;
use crate::input::WillRule;
use crate::moment::Moment;
use crate::output::{Event, Output};
use crate::route::Origin;
use crate::session::HeldWill;
use crate::store::{Change, Store, Urgency};
use crate::timers::Timer;

impl Broker {
    /// The connection is gone: the Will is discarded, published, or begins to wait [MQTT-3.1.2-8], [MQTT-3.1.2-10].
    pub(crate) fn release_will<D: SharedDirectory, S: Store>(&mut self, id: SessionId, rule: WillRule, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(held) = &session.will else { return };
        // If the session ends before the delay does, `end_session` publishes the Will (§3.1.3.2.2).
        let delay = held.will.properties.delay_interval.unwrap_or(0);
        match rule {
            WillRule::Drop => self.discard_will(id, context),
            WillRule::Publish if delay == 0 => self.publish_will(id, context),
            WillRule::Publish => self.delay_will(id, context.now.plus_seconds(delay), context.store),
        }
    }

    /// The Will waits until then.
    pub(crate) fn delay_will<S: Store>(&mut self, id: SessionId, due: Moment, store: &mut S) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(held) = &mut session.will else { return };
        held.due = Some(due);
        if held.is_stored {
            store.append(&Change::WillSet { session: id, will: &held.will, due: Some(due) }, Urgency::Later);
        }
        self.timers.arm(due, Timer::WillDelay(id));
    }

    /// Publishes the Will now. The permit of the CONNECT may be long past, so the question is asked again.
    pub(crate) fn publish_will<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(held) = session.will.take() else { return };
        let HeldWill { will, due, is_stored, answers } = *held;
        self.timers.disarm(due, Timer::WillDelay(id));
        // Rules are asked about the topic as the client wrote it. What is held is the whole one, by the client's own mount: it can be seen.
        let mount = session.client.mount();
        let topic = mount.and_then(|mount| mount.view_topic(&will.topic)).unwrap_or_else(|| will.topic.clone());
        // [MQTT-3.1.2-14], [MQTT-3.1.2-15]
        let message = Published { qos: will.qos, retain: will.retain, will: true };
        let decided = session.with_known(answers.as_deref(), context.now, |known| {
            let decided = authorize_publish(&self.ruleset, &session.client, &topic, message, known);
            decided.map_err(|no| no.or_denied(&session.client))
        });
        match decided {
            Ok(permit) => {
                self.stats.wills_published += 1;
                let durability = session.limits.durability.of(will.topic.as_str());
                let origin = Origin { publisher: Some(id), known: None, durability, is_refusable: false };
                // What cannot be refused finds room: nobody is there to send it again.
                drop(self.route(permit, Message::from_will(will), origin, context));
            }
            Err(denied) => {
                self.stats.refused.publish_denied += 1;
                let client_identifier = session.client.client_identifier().clone();
                context.output.push(Output::Event(Event::Denied { connection: None, client_identifier, denied }));
            }
        }
        // In one transaction with the message: either the Will is still there after a crash, or what it became.
        if is_stored {
            context.store.append(&Change::WillCleared { session: id }, Urgency::Now);
        }
    }

    /// Forgets the Will. Nobody waits for that, but a crash soon after should not publish it.
    pub(crate) fn discard_will<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(held) = session.will.take() else { return };
        self.timers.disarm(held.due, Timer::WillDelay(id));
        if held.is_stored {
            context.store.append(&Change::WillCleared { session: id }, Urgency::Now);
        }
    }
}
