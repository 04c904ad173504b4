//! What a connection remembers about the topics it publishes to: the permit and the routes, so that the tree is not walked for each
//! message.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use signet_mqtt::TopicName;
use signet_policy::PublishPermit;

use crate::changes::{Changes, Marks};
use crate::route::RouteSet;

/// Topics remembered per connection: devices publish to few.
const ENTRIES_MAXIMUM: usize = 8;

/// Larger route sets are kept by the shard, so that many publishers cannot make many copies of a large one.
const ROUTES_MAXIMUM: usize = 64;

/// Routes that a shard keeps in larger sets, of about 40 octets each.
const LARGE_MAXIMUM: usize = 65_536;

/// The memory of one connection. An entry counts only under the ruleset and the subscriptions it was made with.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    entries: Vec<Entry>,
    next: usize,
}

#[derive(Debug)]
struct Entry {
    /// The topic as the client wrote it; the permit's is the whole one.
    topic: TopicName,
    validity: Validity,
    permit: PublishPermit,
    routes: Kept,
}

#[derive(Debug)]
enum Kept {
    Here(Arc<RouteSet>),
    /// As long as they are among the [`LargeRoutes`].
    Elsewhere(Weak<RouteSet>),
}

/// The state of the world that a remembered decision belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    rulesets: u64,
    marks: Marks,
    changes: u64,
}

/// The large route sets that connections of a shard remember, the newest ones.
#[derive(Debug, Default)]
pub(crate) struct LargeRoutes {
    sets: VecDeque<Arc<RouteSet>>,
    /// Routes in all of them.
    count: usize,
}

impl Validity {
    /// As of now, for the whole topic, under so many rulesets. To be asked before routes are looked up.
    pub(crate) fn now(topic: &TopicName, rulesets: u64, changes: &Changes) -> Self {
        let marks = changes.marks(topic.as_str());
        Self { rulesets, marks, changes: changes.until_now(&marks) }
    }

    fn holds(&self, rulesets: u64, changes: &Changes) -> bool {
        self.rulesets == rulesets && self.changes == changes.until_now(&self.marks)
    }
}

impl Memo {
    /// What is known of a topic, if it still holds.
    pub(crate) fn find(&self, topic: &TopicName, rulesets: u64, changes: &Changes) -> Option<(PublishPermit, Arc<RouteSet>)> {
        let entry = self.entries.iter().find(|entry| entry.topic == *topic)?;
        if !entry.validity.holds(rulesets, changes) {
            return None;
        }
        let routes = match &entry.routes {
            Kept::Here(routes) => Arc::clone(routes),
            Kept::Elsewhere(routes) => routes.upgrade()?,
        };
        Some((entry.permit.clone(), routes))
    }

    /// Both topics must have memory of their own: a packet's buffer must not live as long as this.
    pub(crate) fn keep(
        &mut self,
        topic: TopicName,
        permit: PublishPermit,
        (routes, validity): (&Arc<RouteSet>, Validity),
        large: &mut LargeRoutes,
    ) {
        let routes = if routes.len() > ROUTES_MAXIMUM { Kept::Elsewhere(large.keep(routes)) } else { Kept::Here(Arc::clone(routes)) };
        let entry = Entry { topic, validity, permit, routes };
        let same = self.entries.iter().position(|known| known.topic == entry.topic);
        let at = same.unwrap_or(self.next);
        match self.entries.get_mut(at) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        if same.is_none() {
            self.next = (self.next + 1) % ENTRIES_MAXIMUM;
        }
    }
}

impl LargeRoutes {
    fn keep(&mut self, routes: &Arc<RouteSet>) -> Weak<RouteSet> {
        if routes.len() > LARGE_MAXIMUM {
            return Weak::new();
        }
        self.sets.push_back(Arc::clone(routes));
        self.count += routes.len();
        let kept = Arc::downgrade(routes);
        // What no connection remembers goes as soon as it is the oldest.
        while self.count > LARGE_MAXIMUM || self.sets.front().is_some_and(|oldest| Arc::weak_count(oldest) == 0) {
            let Some(oldest) = self.sets.pop_front() else { break };
            self.count = self.count.saturating_sub(oldest.len());
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use signet_mqtt::{QoS, RetainHandling, SubscriptionOptions};

    use super::*;
    use crate::ids::{SessionId, ShardId};
    use crate::subscriptions::Subscriber;

    fn routes(count: u64) -> Arc<RouteSet> {
        let mut routes = RouteSet::default();
        routes.extend((0..count).map(|session| Subscriber {
            session: SessionId(session),
            shard: ShardId(0),
            key: 1,
            is_persistent: false,
            options: SubscriptionOptions {
                maximum_qos: QoS::AtMostOnce,
                no_local: false,
                retain_as_published: false,
                retain_handling: RetainHandling::SendAtSubscribe,
            },
            identifier: None,
            is_connected: true,
            is_mqtt5: true,
        }));
        Arc::new(routes)
    }

    #[test]
    fn of_large_sets_the_newest_are_kept_within_a_bound() {
        let mut large = LargeRoutes::default();
        let kept: Vec<Weak<RouteSet>> = (0..5).map(|_| large.keep(&routes(20_000))).collect();
        assert_eq!(kept.iter().map(|set| set.strong_count()).collect::<Vec<_>>(), [0, 0, 1, 1, 1]);
        assert_eq!(large.count, 60_000);
        let alone = large.keep(&routes(70_000));
        assert_eq!((alone.strong_count(), large.count), (0, 60_000), "one that is larger than all may be takes nothing from others");
        drop(kept);
        let next = large.keep(&routes(100));
        assert_eq!((next.strong_count(), large.count, large.sets.len()), (1, 100, 1), "nobody remembers the others");
    }
}
