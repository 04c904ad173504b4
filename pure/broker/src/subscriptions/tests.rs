//! The tree against a list that is searched from end to end.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use signet_mqtt::{Message, QoS};

use super::*;
use crate::input::Recipient;
use crate::rules::MessageRules;

const PUBLISHER: Option<SessionId> = Some(SessionId(99));

fn level() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just("a"), 4 => Just("b"), 1 => Just(""), 1 => Just("$s")]
}

fn topic() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..5).prop_map(|levels| levels.join("/")).prop_filter("not empty", |topic| !topic.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![5 => level(), 2 => Just("+")];
    let inner = (prop::collection::vec(level, 0..4), any::<bool>()).prop_filter_map("not empty", |(mut levels, rest)| {
        levels.extend(rest.then_some("#"));
        Some(levels.join("/")).filter(|filter| !filter.is_empty())
    });
    (prop_oneof![3 => Just(""), 1 => Just("$share/g/"), 1 => Just("$share/h/")], inner).prop_map(|(share, inner)| format!("{share}{inner}"))
}

#[derive(Debug, Clone)]
enum Step {
    Add(u64, String, QoS),
    Remove(u64, String),
}

fn step() -> impl Strategy<Value = Step> {
    let qos = prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)];
    prop_oneof![
        3 => (0..4_u64, filter(), qos).prop_map(|(session, filter, qos)| Step::Add(session, filter, qos)),
        1 => (0..4_u64, filter()).prop_map(|(session, filter)| Step::Remove(session, filter)),
    ]
}

fn subscriber(session: u64, qos: QoS) -> Subscriber {
    let options = SubscriptionOptions { maximum_qos: qos, ..SubscriptionOptions::default() };
    Subscriber {
        session: SessionId(session),
        shard: ShardId(0),
        key: 0,
        is_persistent: false,
        options,
        identifier: None,
        is_connected: true,
        is_mqtt5: false,
    }
}

fn recipients(tree: &Subscriptions, topic: &TopicName) -> Vec<Recipient> {
    let message =
        Message { topic: topic.clone(), payload: "x".into(), qos: QoS::ExactlyOnce, retain: false, properties: Default::default() };
    let batches = tree.routes(topic, PUBLISHER, Overlapping::Once).batches(&message, &MessageRules::default(), Vec::new());
    batches.into_iter().flat_map(|copies| copies.recipients).collect()
}

proptest! {
    #[test]
    fn the_tree_finds_what_a_search_from_end_to_end_finds(steps in prop::collection::vec(step(), 0..40), topics in prop::collection::vec(topic(), 1..6)) {
        let mut tree = Subscriptions::new(1);
        let mut list: BTreeMap<(String, u64), QoS> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Add(session, filter, qos) => {
                    let new = subscriber(session, qos);
                    let filter = TopicFilter::new(filter).unwrap();
                    let (place, old) = tree.insert(&filter, &new);
                    prop_assert_eq!(tree.at(place, SessionId(session)), Some((filter.clone(), new)));
                    prop_assert_eq!(old.map(|old| old.options.maximum_qos), list.insert((filter.to_string(), session), qos));
                }
                Step::Remove(session, filter) => {
                    let old = tree.remove(&TopicFilter::new(filter.clone()).unwrap(), SessionId(session));
                    prop_assert_eq!(old.map(|old| old.options.maximum_qos), list.remove(&(filter, session)));
                }
            }
        }
        prop_assert_eq!(tree.len(), list.len());
        for topic in topics {
            let topic = TopicName::new(topic).unwrap();
            let mut direct: BTreeMap<u64, QoS> = BTreeMap::new();
            let mut groups: BTreeSet<(String, BTreeSet<u64>)> = BTreeSet::new();
            let mut members: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
            for ((filter, session), qos) in &list {
                let filter = TopicFilter::new(filter.clone()).unwrap();
                let inner = filter.shared().map_or(filter.as_str(), |(_, inner)| inner);
                if !TopicFilter::new(inner.to_owned()).unwrap().matches(&topic) {
                    continue;
                }
                if filter.shared().is_some() {
                    members.entry(filter.as_str().to_owned()).or_default().insert(*session);
                } else {
                    let highest = direct.entry(*session).or_insert(*qos);
                    *highest = (*highest).max(*qos);
                }
            }
            groups.extend(members);
            let found = recipients(&tree, &topic);
            let (found_direct, found_shared) = found.split_at(direct.len());
            let found_direct: Vec<(u64, QoS)> = found_direct.iter().map(|recipient| (recipient.session.0, recipient.qos)).collect();
            prop_assert_eq!(found_direct, direct.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(found_shared.len(), groups.len(), "one member of each group");
            for recipient in found_shared {
                prop_assert!(groups.iter().any(|(_, members)| members.contains(&recipient.session.0)));
            }
        }
        for ((filter, session), _) in list {
            tree.remove(&TopicFilter::new(filter).unwrap(), SessionId(session));
        }
        prop_assert_eq!((tree.tree.nodes(), tree.groups.len(), tree.len(), tree.shared()), (1, 0, 0, 0), "nothing but the root is left");
    }
}

#[test]
fn a_filter_as_deep_as_a_packet_allows_neither_recurses_nor_stays() {
    let deep = "/".repeat(65_000);
    let filter = TopicFilter::new(deep.clone()).unwrap();
    let mut tree = Subscriptions::new(1);
    tree.insert(&filter, &subscriber(1, QoS::AtMostOnce));
    assert_eq!(recipients(&tree, &TopicName::new(deep).unwrap()).len(), 1);
    tree.remove(&filter, SessionId(1));
    assert_eq!(tree.tree.nodes(), 1);
}

#[test]
fn every_change_counts_as_one() {
    let filter = TopicFilter::new("$share/g/a").unwrap();
    let mut tree = Subscriptions::new(1);
    let changes = Arc::clone(tree.changes());
    let marks = changes.marks("a");
    let mut seen = vec![changes.until_now(&marks)];
    let (place, _) = tree.insert(&filter, &subscriber(1, QoS::AtMostOnce));
    seen.push(changes.until_now(&marks));
    tree.set_connected(place, SessionId(1), false);
    seen.push(changes.until_now(&marks));
    tree.remove(&filter, SessionId(1));
    seen.push(changes.until_now(&marks));
    assert!(seen.is_sorted_by(|before, after| before < after), "{seen:?}");
    assert_eq!(tree.remove(&filter, SessionId(1)), None);
    assert_eq!(Some(&changes.until_now(&marks)), seen.last());
}
