//! The tree of Topic Filters: which sessions want a Topic Name (§4.7), Shared Subscriptions included (§4.8.2).

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use signet_mqtt::{QoS, SubscriptionIdentifier, SubscriptionOptions, TopicFilter, TopicName};
use smallvec::SmallVec;

use crate::ids::{SessionId, ShardId};
use crate::route::RouteSet;
use crate::rules::Overlapping;
use crate::tree::{LevelTree, ROOT};

/// In place of a depth: the node matches, whatever level it is on.
const FOUND: usize = usize::MAX;

/// All subscriptions of the process.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    tree: LevelTree<Subscribers>,
    count: usize,
    /// Of these, in Shared Subscriptions.
    shared: usize,
    generation: u64,
}

/// Who subscribed to one filter. Both lists are sorted, so that a filter with very many sessions stays cheap to change.
#[derive(Debug, Default)]
struct Subscribers {
    direct: Vec<Subscriber>,
    groups: Vec<Group>,
}

/// One session's subscription to one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subscriber {
    pub(crate) session: SessionId,
    /// The shard that owns it.
    pub(crate) shard: ShardId,
    /// Whether what is queued for it outlives the process. The same for as long as the session lasts.
    pub(crate) is_persistent: bool,
    pub(crate) maximum_qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
    /// Kept up to date for Shared Subscriptions only, where the choice prefers members that are there.
    pub(crate) is_connected: bool,
    /// Whether it was made by MQTT 5.0; of one that was stored nobody knows.
    pub(crate) is_mqtt5: bool,
}

/// The members that share one subscription.
#[derive(Debug)]
struct Group {
    share_name: Box<str>,
    filter: Arc<TopicFilter>,
    members: Vec<Subscriber>,
    /// Whose turn it is. Counted up by readers of the directory, so choosing needs no write access.
    turn: Arc<AtomicUsize>,
}

impl Subscriber {
    pub(crate) fn new(
        (session, shard): (SessionId, ShardId),
        is_persistent: bool,
        options: &SubscriptionOptions,
        identifier: Option<SubscriptionIdentifier>,
    ) -> Self {
        Self {
            session,
            shard,
            is_persistent,
            maximum_qos: options.maximum_qos,
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
            identifier,
            is_connected: true,
            is_mqtt5: false,
        }
    }
}

impl Subscriptions {
    pub(crate) fn new(seed: u64) -> Self {
        Self { tree: LevelTree::new(seed), count: 0, shared: 0, generation: 0 }
    }

    /// Adds or replaces a subscription [MQTT-3.8.4-3]. Returns whether it is new.
    pub(crate) fn insert(&mut self, filter: &TopicFilter, subscriber: Subscriber) -> bool {
        self.generation += 1;
        let (share_name, inner) = split(filter);
        let subscribers = self.tree.entry(inner.split('/')).get_or_insert_with(Subscribers::default);
        let list = match share_name {
            None => &mut subscribers.direct,
            Some(share_name) => &mut subscribers.group(share_name, filter).members,
        };
        let is_new = match list.binary_search_by_key(&subscriber.session, |entry| entry.session) {
            Ok(at) => {
                if let Some(entry) = list.get_mut(at) {
                    *entry = subscriber;
                }
                false
            }
            Err(at) => {
                list.insert(at, subscriber);
                true
            }
        };
        self.count += usize::from(is_new);
        self.shared += usize::from(is_new && share_name.is_some());
        is_new
    }

    /// Ends a subscription. Returns whether there was one.
    pub(crate) fn remove(&mut self, filter: &TopicFilter, session: SessionId) -> bool {
        let (share_name, inner) = split(filter);
        let Some(node) = self.tree.find(inner.split('/')) else { return false };
        let Some(subscribers) = self.tree.value_mut(node) else { return false };
        let was_there = subscribers.remove(share_name, session);
        if subscribers.direct.is_empty() && subscribers.groups.is_empty() {
            self.tree.remove(node);
        }
        if was_there {
            self.generation += 1;
            self.count = self.count.saturating_sub(1);
            self.shared = self.shared.saturating_sub(usize::from(share_name.is_some()));
        }
        was_there
    }

    /// Notes whether a member of a Shared Subscription is connected. Does nothing for other filters.
    pub(crate) fn set_connected(&mut self, filter: &TopicFilter, session: SessionId, is_connected: bool) {
        let (Some(share_name), inner) = split(filter) else { return };
        let Some(node) = self.tree.find(inner.split('/')) else { return };
        let Some(subscribers) = self.tree.value_mut(node) else { return };
        let Some(group) = subscribers.groups.iter_mut().find(|group| &*group.share_name == share_name) else { return };
        if let Ok(at) = group.members.binary_search_by_key(&session, |member| member.session)
            && let Some(member) = group.members.get_mut(at)
        {
            member.is_connected = is_connected;
            self.generation += 1;
        }
    }

    /// Who gets a message with this Topic Name.
    pub(crate) fn routes(&self, topic: &TopicName, publisher: Option<SessionId>, overlapping: Overlapping) -> RouteSet {
        let mut routes = RouteSet::default();
        let levels: SmallVec<[&str; 16]> = topic.as_str().split('/').collect();
        // What is found last stands first, so that the order is that of Mosquitto: what is spelled out, then `+`, then `#`.
        let mut open: SmallVec<[(usize, usize); 16]> = SmallVec::new();
        open.push((ROOT, 0));
        while let Some((node, depth)) = open.pop() {
            if depth == FOUND {
                self.collect(node, publisher, &mut routes);
                continue;
            }
            // A filter that starts with a wildcard does not match a topic that starts with `$` [MQTT-4.7.2-1].
            let are_wildcards_open = depth > 0 || !topic.starts_with_dollar();
            let level = levels.get(depth);
            if level.is_none() {
                open.push((node, FOUND));
            }
            if are_wildcards_open && let Some(rest) = self.tree.child(node, "#") {
                open.push((rest, FOUND));
            }
            let Some(level) = level else { continue };
            if are_wildcards_open && let Some(any) = self.tree.child(node, "+") {
                open.push((any, depth + 1));
            }
            if let Some(same) = self.tree.child(node, level) {
                open.push((same, depth + 1));
            }
        }
        routes.merge(overlapping);
        routes
    }

    /// The members of one Shared Subscription.
    pub(crate) fn group_routes(&self, filter: &TopicFilter) -> RouteSet {
        let mut routes = RouteSet::default();
        let (Some(share_name), inner) = split(filter) else { return routes };
        let subscribers = self.tree.find(inner.split('/')).and_then(|node| self.tree.value(node));
        let group = subscribers.and_then(|subscribers| subscribers.groups.iter().find(|group| &*group.share_name == share_name));
        if let Some(group) = group {
            routes.push_group(&group.filter, &group.members, &group.turn);
        }
        routes
    }

    /// Counts up with every change that can alter a route.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Subscriptions of all sessions.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Of these, in Shared Subscriptions.
    pub(crate) fn shared(&self) -> usize {
        self.shared
    }

    fn collect(&self, node: usize, publisher: Option<SessionId>, routes: &mut RouteSet) {
        let Some(subscribers) = self.tree.value(node) else { return };
        for subscriber in &subscribers.direct {
            // [MQTT-3.8.3-3]
            if !(subscriber.no_local && Some(subscriber.session) == publisher) {
                routes.push(subscriber);
            }
        }
        for group in &subscribers.groups {
            routes.push_group(&group.filter, &group.members, &group.turn);
        }
    }
}

impl Subscribers {
    fn group(&mut self, share_name: &str, filter: &TopicFilter) -> &mut Group {
        let at = match self.groups.binary_search_by(|group| (*group.share_name).cmp(share_name)) {
            Ok(at) => at,
            Err(at) => {
                let turn = Arc::new(AtomicUsize::new(0));
                let group = Group { share_name: share_name.into(), filter: Arc::new(filter.clone()), members: Vec::new(), turn };
                self.groups.insert(at, group);
                at
            }
        };
        #[expect(clippy::indexing_slicing, reason = "the search found or the line above made an entry at `at`")]
        &mut self.groups[at]
    }

    fn remove(&mut self, share_name: Option<&str>, session: SessionId) -> bool {
        let Some(share_name) = share_name else { return take(&mut self.direct, session) };
        let Ok(at) = self.groups.binary_search_by(|group| (*group.share_name).cmp(share_name)) else { return false };
        let Some(group) = self.groups.get_mut(at) else { return false };
        let was_there = take(&mut group.members, session);
        if group.members.is_empty() {
            self.groups.remove(at);
        }
        was_there
    }
}

fn take(list: &mut Vec<Subscriber>, session: SessionId) -> bool {
    let found = list.binary_search_by_key(&session, |entry| entry.session);
    if let Ok(at) = found {
        list.remove(at);
    }
    found.is_ok()
}

fn split(filter: &TopicFilter) -> (Option<&str>, &str) {
    match filter.shared() {
        Some((share_name, inner)) => (Some(share_name), inner),
        None => (None, filter.as_str()),
    }
}

#[cfg(test)]
mod tests;
