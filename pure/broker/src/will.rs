//! The Will Message (§3.1.2.5) and its delay.

use signet_identity::CertificateId;
use signet_mqtt::Message;
use signet_policy::authorize_publish;

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::SessionId;
use crate::input::WillRule;
use crate::output::{Event, Output};
use crate::route::Origin;
use crate::store::{Change, Store, Urgency};
use crate::timers::Timer;

impl Broker {
    /// The connection is gone: the Will is discarded, published, or begins to wait [MQTT-3.1.2-8], [MQTT-3.1.2-10].
    pub(crate) fn release_will<D: SharedDirectory, S: Store>(&mut self, id: SessionId, rule: WillRule, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(will) = &session.will else { return };
        // If the session ends before the delay does, `end_session` publishes the Will (§3.1.3.2.2).
        let delay = will.properties.delay_interval.unwrap_or(0);
        match rule {
            WillRule::Drop => self.discard_will(id, context),
            WillRule::Publish if delay == 0 => self.publish_will(id, context),
            WillRule::Publish => {
                let due = context.now.plus_seconds(delay);
                session.will_at = Some(due);
                self.timers.arm(due, Timer::WillDelay(id));
            }
        }
    }

    /// Publishes the Will now. The permit of the CONNECT may be long past, so the question is asked again.
    pub(crate) fn publish_will<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        self.timers.disarm(session.will_at.take(), Timer::WillDelay(id));
        let Some(will) = session.will.take() else { return };
        let is_persistent = session.is_persistent;
        match authorize_publish(&self.ruleset, &session.client, &will.topic, will.qos, will.retain) {
            Ok(permit) => {
                self.stats.wills_published += 1;
                self.route(permit, Message::from_will(will), Origin { publisher: id, known: None }, context);
            }
            Err(denied) => {
                self.stats.denied_publish += 1;
                let client_identifier = session.client.client_identifier().clone();
                context.output.push(Output::Event(Event::Denied { connection: None, client_identifier, denied }));
            }
        }
        if is_persistent {
            context.store.append(&Change::WillCleared { session: id }, Urgency::Later);
        }
    }

    /// A Will that waits must not outlast the trust in the device that left it, if the operator says so.
    pub(crate) fn revoke_wills<D: SharedDirectory, S: Store>(
        &mut self,
        certificates: &[CertificateId],
        rule: WillRule,
        context: &mut Context<'_, D, S>,
    ) {
        if rule == WillRule::Publish {
            return;
        }
        let waiting = self.sessions.waiting_wills();
        if waiting.is_empty() {
            return;
        }
        // A CRL may revoke a million at once, and every will asks for each certificate of its path.
        let mut revoked = certificates.to_vec();
        revoked.sort_unstable();
        for id in waiting {
            let identity = self.sessions.get(id).and_then(|session| session.client.identity());
            if identity.is_some_and(|identity| identity.path().iter().any(|on_path| revoked.binary_search(on_path).is_ok())) {
                self.discard_will(id, context);
            }
        }
    }

    /// Forgets the Will.
    pub(crate) fn discard_will<D: SharedDirectory, S: Store>(&mut self, id: SessionId, context: &mut Context<'_, D, S>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        self.timers.disarm(session.will_at.take(), Timer::WillDelay(id));
        if session.will.take().is_some() && session.is_persistent {
            context.store.append(&Change::WillCleared { session: id }, Urgency::Later);
        }
    }
}
