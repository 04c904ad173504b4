//! The tree of Topic Filters: which sessions want a Topic Name (§4.7), Shared Subscriptions included (§4.8.2).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use signet_mqtt::{SubscriptionIdentifier, SubscriptionOptions, TopicFilter, TopicName};
use slab::Slab;
use smallvec::SmallVec;

use crate::changes::Changes;
use crate::ids::{SessionId, ShardId};
use crate::route::RouteSet;
use crate::rules::Overlapping;
use crate::tree::{LevelTree, NodeId, ROOT};
use entry::{Crowd, Entry, Subscribers};

mod entry;

/// In place of a depth: the node matches, whatever level it is on.
const FOUND: usize = usize::MAX;

/// All subscriptions of the process.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    tree: LevelTree<Subscribers>,
    groups: Slab<Group>,
    count: usize,
    /// Of these, in Shared Subscriptions.
    shared: usize,
    changes: Arc<Changes>,
}

/// Where the subscriptions to one filter stand. The same for as long as there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A node of the tree.
    Node(NodeId),
    /// The members that share one.
    Group(u32),
}

/// One session's subscription to one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subscriber {
    pub(crate) session: SessionId,
    /// The shard that owns it.
    pub(crate) shard: ShardId,
    /// The subscription's number among those of the session.
    pub(crate) key: u32,
    /// Whether what is queued for it outlives the process. The same for as long as the session lasts.
    pub(crate) is_persistent: bool,
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
    /// Kept up to date for Shared Subscriptions only, where the choice prefers members that are there.
    pub(crate) is_connected: bool,
    /// Whether it was made by MQTT 5.0; of one that was stored nobody knows.
    pub(crate) is_mqtt5: bool,
}

/// The members that share one subscription.
#[derive(Debug)]
struct Group {
    node: NodeId,
    filter: Arc<TopicFilter>,
    members: BTreeMap<SessionId, Entry>,
    /// Whose turn it is. Counted up by readers of the directory, so choosing needs no write access.
    turn: Arc<AtomicUsize>,
}

impl Subscriptions {
    pub(crate) fn new(seed: u64) -> Self {
        Self { tree: LevelTree::new(seed), groups: Slab::new(), count: 0, shared: 0, changes: Arc::new(Changes::new(seed)) }
    }

    /// Adds or replaces a subscription [MQTT-3.8.4-3]. Returns where it stands, and the one that it replaces.
    pub(crate) fn insert(&mut self, filter: &TopicFilter, subscriber: &Subscriber) -> (Place, Option<Subscriber>) {
        let (share_name, inner) = split(filter);
        let mark = self.changes.mark(inner);
        self.changes.count(mark);
        let (node, subscribers) = self.tree.entry(inner);
        let entry = Entry::new(subscriber, mark);
        let (place, old) = match share_name {
            None => (Place::Node(node), Subscribers::put(subscribers, entry)),
            Some(share_name) => {
                let groups = &mut self.groups;
                let id = Subscribers::change(subscribers, |crowd| match crowd.groups.get(share_name) {
                    Some(known) => *known,
                    None => {
                        let (filter, turn) = (Arc::new(filter.clone()), Arc::new(AtomicUsize::new(0)));
                        let id = number(groups.insert(Group { node, filter, members: BTreeMap::new(), turn }));
                        crowd.groups.insert(share_name.into(), id);
                        id
                    }
                });
                let group = self.groups.get_mut(index(id));
                (Place::Group(id), group.and_then(|group| group.members.insert(entry.session, entry)))
            }
        };
        self.count += usize::from(old.is_none());
        self.shared += usize::from(old.is_none() && share_name.is_some());
        (place, old.map(Subscriber::from))
    }

    /// Ends a subscription, and says what it was if there was one.
    pub(crate) fn remove(&mut self, filter: &TopicFilter, session: SessionId) -> Option<Subscriber> {
        self.remove_at(self.place(filter)?, session)
    }

    /// The same where it stands.
    pub(crate) fn remove_at(&mut self, place: Place, session: SessionId) -> Option<Subscriber> {
        let (node, old) = match place {
            Place::Node(node) => (node, Subscribers::take(self.tree.place_mut(node)?, session)?),
            Place::Group(id) => {
                let group = self.groups.get_mut(index(id))?;
                let (node, old) = (group.node, group.members.remove(&session)?);
                if group.members.is_empty() {
                    let group = self.groups.remove(index(id));
                    let (share_name, _) = split(&group.filter);
                    Subscribers::change(self.tree.place_mut(node)?, |crowd| share_name.map(|share_name| crowd.groups.remove(share_name)));
                }
                self.shared = self.shared.saturating_sub(1);
                (node, old)
            }
        };
        self.tree.prune(node);
        self.changes.count(old.mark);
        self.count = self.count.saturating_sub(1);
        Some(Subscriber::from(old))
    }

    /// A session's subscription to a filter.
    pub(crate) fn find(&self, filter: &TopicFilter, session: SessionId) -> Option<Subscriber> {
        self.entry_at(self.place(filter)?, session).map(Subscriber::from)
    }

    /// A session's subscription, with the filter that it is to.
    pub(crate) fn at(&self, place: Place, session: SessionId) -> Option<(TopicFilter, Subscriber)> {
        let subscriber = self.entry_at(place, session).map(Subscriber::from)?;
        let filter = match place {
            Place::Node(node) => TopicFilter::new(self.tree.path(node)).ok()?,
            Place::Group(id) => TopicFilter::clone(&self.groups.get(index(id))?.filter),
        };
        Some((filter, subscriber))
    }

    /// Notes whether a member of a Shared Subscription is connected. Does nothing for other places.
    pub(crate) fn set_connected(&mut self, place: Place, session: SessionId, is_connected: bool) {
        let Place::Group(id) = place else { return };
        if let Some(member) = self.groups.get_mut(index(id)).and_then(|group| group.members.get_mut(&session)) {
            member.set_connected(is_connected);
            self.changes.count(member.mark);
        }
    }

    /// Who gets a message with this Topic Name.
    pub(crate) fn routes(&self, topic: &TopicName, publisher: Option<SessionId>, overlapping: Overlapping) -> RouteSet {
        let mut routes = RouteSet::default();
        let levels: SmallVec<[&[u8]; 16]> = topic.as_str().as_bytes().split(|octet| *octet == b'/').collect();
        // What is found last stands first, so that the order is that of Mosquitto: what is spelled out, then `+`, then `#`.
        let mut open: SmallVec<[(NodeId, usize); 16]> = SmallVec::new();
        open.push((ROOT, 0));
        while let Some((node, depth)) = open.pop() {
            if depth == FOUND {
                self.collect(node, publisher, &mut routes);
                continue;
            }
            let level = levels.get(depth);
            if level.is_none() {
                open.push((node, FOUND));
            }
            // A filter that starts with a wildcard does not match a topic that starts with `$` [MQTT-4.7.2-1].
            if depth > 0 || !topic.starts_with_dollar() {
                // Wildcards stand first among the children.
                let (mut any, mut rest) = (None, None);
                for child in self.tree.children(node) {
                    match self.tree.label(child).first() {
                        Some(b'#') => rest = Some(child),
                        Some(b'+') => any = Some(child),
                        _ => break,
                    }
                }
                open.extend(rest.map(|rest| (rest, FOUND)));
                open.extend(any.and_then(|any| Some((any, follow(self.tree.label(any), &levels, depth)?))));
            }
            if let Some(level) = level
                && let Some(same) = self.tree.child(node, level)
                && let Some(depth) = follow(self.tree.label(same), &levels, depth)
            {
                open.push((same, depth));
            }
        }
        routes.merge(overlapping);
        routes
    }

    /// The members of one Shared Subscription.
    pub(crate) fn group_routes(&self, filter: &TopicFilter) -> RouteSet {
        let mut routes = RouteSet::default();
        if let Some(Place::Group(id)) = self.place(filter) {
            self.collect_group(id, &mut routes);
        }
        routes
    }

    /// Counts every change that can alter a route.
    pub(crate) fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    /// Subscriptions of all sessions.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Of these, in Shared Subscriptions.
    pub(crate) fn shared(&self) -> usize {
        self.shared
    }

    fn place(&self, filter: &TopicFilter) -> Option<Place> {
        let (share_name, inner) = split(filter);
        let node = self.tree.find(inner)?;
        match (share_name, self.tree.value(node)?) {
            (None, _) => Some(Place::Node(node)),
            (Some(share_name), Subscribers::Many(crowd)) => crowd.groups.get(share_name).map(|id| Place::Group(*id)),
            (Some(_), Subscribers::One(_)) => None,
        }
    }

    fn entry_at(&self, place: Place, session: SessionId) -> Option<Entry> {
        match place {
            Place::Node(node) => match self.tree.value(node)? {
                Subscribers::One(entry) => Some(*entry).filter(|entry| entry.session == session),
                Subscribers::Many(crowd) => crowd.direct.get(&session).copied(),
            },
            Place::Group(id) => self.groups.get(index(id))?.members.get(&session).copied(),
        }
    }

    fn collect(&self, node: NodeId, publisher: Option<SessionId>, routes: &mut RouteSet) {
        // [MQTT-3.8.3-3]
        let is_wanted = |subscriber: &Subscriber| !(subscriber.options.no_local && Some(subscriber.session) == publisher);
        match self.tree.value(node) {
            None => {}
            Some(Subscribers::One(entry)) => routes.extend(Some(Subscriber::from(*entry)).filter(is_wanted)),
            Some(Subscribers::Many(crowd)) => {
                let Crowd { direct, groups } = &**crowd;
                routes.extend(direct.values().map(|entry| Subscriber::from(*entry)).filter(is_wanted));
                groups.values().for_each(|id| self.collect_group(*id, routes));
            }
        }
    }

    fn collect_group(&self, id: u32, routes: &mut RouteSet) {
        if let Some(group) = self.groups.get(index(id)) {
            routes.push_group(&group.filter, group.members.values().map(|entry| Subscriber::from(*entry)), &group.turn);
        }
    }
}

/// How far a topic gets along the levels of a filter, of which the first one is known to match: the level that comes next, or [`FOUND`]; nothing
/// if it does not match.
fn follow(label: &[u8], levels: &[&[u8]], depth: usize) -> Option<usize> {
    let mut depth = depth;
    for (at, wanted) in label.split(|octet| *octet == b'/').enumerate() {
        // Also the parent: `sport/#` matches `sport` (§4.7.1.2).
        if wanted == b"#" {
            return Some(FOUND);
        }
        let level = levels.get(depth)?;
        if at > 0 && wanted != b"+" && wanted != *level {
            return None;
        }
        depth += 1;
    }
    Some(depth)
}

fn index(id: u32) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// There is no memory for as many groups as would not fit.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn split(filter: &TopicFilter) -> (Option<&str>, &str) {
    match filter.shared() {
        Some((share_name, inner)) => (Some(share_name), inner),
        None => (None, filter.as_str()),
    }
}

#[cfg(test)]
mod tests;
