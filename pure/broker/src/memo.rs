//! What a connection remembers about the topics it publishes to: the permit and the routes, so that the tree is not walked for each
//! message.

use std::sync::Arc;

use signet_mqtt::TopicName;
use signet_policy::PublishPermit;

use crate::route::RouteSet;

/// Topics remembered per connection: devices publish to few.
const ENTRIES_MAXIMUM: usize = 8;

/// Larger route sets are not kept, so that many publishers cannot make many copies of a large one.
const ROUTES_MAXIMUM: usize = 64;

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
    routes: Arc<RouteSet>,
}

/// The state of the world that a remembered decision belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) rulesets: u64,
    pub(crate) generation: u64,
}

impl Memo {
    pub(crate) fn find(&self, topic: &TopicName, validity: Validity) -> Option<(PublishPermit, Arc<RouteSet>)> {
        let entry = self.entries.iter().find(|entry| entry.topic == *topic)?;
        (entry.validity == validity).then(|| (entry.permit.clone(), Arc::clone(&entry.routes)))
    }

    /// Both topics must have memory of their own: a packet's buffer must not live as long as this.
    pub(crate) fn keep(&mut self, topic: TopicName, permit: PublishPermit, routes: &Arc<RouteSet>, validity: Validity) {
        if routes.len() > ROUTES_MAXIMUM {
            return;
        }
        let entry = Entry { topic, validity, permit, routes: Arc::clone(routes) };
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
