//! Other limits for a running broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use signet_policy::{Client, Principal};

use crate::broker::{Broker, Context};
use crate::directory::SharedDirectory;
use crate::ids::ShardId;
use crate::limits::Limits;
use crate::memo::Memo;
use crate::moment::Moment;
use crate::rules::MessageRules;
use crate::store::{Change, Store, Urgency};
use crate::timers::Timer;

/// What holds from now on.
#[derive(Debug, Clone)]
pub struct ChangedLimits {
    /// The broker's own.
    pub general: Arc<Limits>,
    /// Those of listeners, by name. A session whose client came by none of them has the broker's own.
    pub of_listeners: BTreeMap<Arc<str>, Arc<Limits>>,
}

impl ChangedLimits {
    fn of(&self, client: &Client) -> &Arc<Limits> {
        client.origin().and_then(|origin| self.of_listeners.get(&origin.listener)).unwrap_or(&self.general)
    }
}

impl Limits {
    /// The same for a connection that began under others: what its CONNACK has said stays so.
    fn after(&self, told: &Self) -> Self {
        Self {
            receive_maximum: told.receive_maximum,
            maximum_packet_size: told.maximum_packet_size,
            maximum_qos: told.maximum_qos,
            topic_alias_maximum: told.topic_alias_maximum,
            messages: MessageRules { retained_available: told.messages.retained_available, ..self.messages.clone() },
            ..self.clone()
        }
    }
}

impl Broker {
    /// Other limits, for the sessions and connections that are there too. Nothing that is held is given up for them: a queue that is longer than it may
    /// be takes nothing more. The bridges keep theirs.
    pub(crate) fn change_limits(&mut self, changed: &ChangedLimits, now: Moment) {
        self.limits = Arc::clone(&changed.general);
        // Connections have few sets of limits among them, and go on sharing them.
        let mut known: Vec<(Arc<Limits>, Arc<Limits>, Arc<Limits>)> = Vec::new();
        for session in self.sessions.iter_mut().filter(|session| !matches!(session.client.principal(), Principal::Bridge(_))) {
            let new = changed.of(&session.client);
            let Some(connection) = session.connection.and_then(|id| self.connections.get_mut(&id)) else {
                session.limits = Arc::clone(new);
                continue;
            };
            let before = &connection.limits;
            let shared = known.iter().find(|(old, to, _)| Arc::ptr_eq(old, before) && Arc::ptr_eq(to, new)).map(|(_, _, both)| both);
            let both = match shared {
                Some(both) => Arc::clone(both),
                None => {
                    let both = Arc::new(new.after(before));
                    known.push((Arc::clone(before), Arc::clone(new), Arc::clone(&both)));
                    both
                }
            };
            connection.limits = Arc::clone(&both);
            // Routes are found by what holds for all.
            connection.memo = Memo::default();
            session.limits = both;
            if !session.queue.is_empty() {
                self.timers.arm(now, Timer::Pump(session.id));
            }
        }
        self.look_for_expired(now);
    }

    /// When to look for retained messages that have expired. One shard does that for all.
    pub(crate) fn look_for_expired(&mut self, now: Moment) {
        self.timers.disarm(self.backlog.sweep.take(), Timer::Sweep);
        let interval = self.limits.messages.retained_expiry;
        if interval > 0 && self.shard == ShardId(0) {
            let at = now.plus_seconds(interval);
            self.backlog.sweep = Some(at);
            self.timers.arm(at, Timer::Sweep);
        }
    }

    /// Forgets the retained messages that have expired.
    pub(crate) fn forget_expired<D: SharedDirectory, S: Store>(&mut self, context: &mut Context<'_, D, S>) {
        let (now, store) = (context.now, &mut *context.store);
        context.directory.write(|directory| {
            for id in directory.retained.drop_expired(now) {
                store.append(&Change::RetainedCleared { id }, Urgency::Later);
            }
            store.post();
        });
        self.look_for_expired(now);
    }
}
