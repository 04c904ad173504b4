//! The tree of retained messages against a list, and its accounts.

use std::collections::BTreeMap;

use proptest::prelude::*;
use signet_mqtt::{MessageProperties, QoS, TopicFilter};

use super::*;

fn message(topic: &str, payload: &str, expiry: Option<u32>) -> Arc<Message> {
    Arc::new(Message {
        topic: TopicName::new(topic.to_owned()).unwrap(),
        payload: payload.to_owned().into(),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: MessageProperties { message_expiry_interval: expiry, ..MessageProperties::default() },
    })
}

fn path(levels: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(levels), 1..most)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("not empty", |path| !path.is_empty())
}

proptest! {
    #[test]
    fn the_tree_holds_what_a_list_would(
        steps in prop::collection::vec((path(&["a", "b", "", "$s"], 4), prop::option::weighted(0.7, 1..9_u32), prop::option::of(1..50_u32)), 0..40),
        filters in prop::collection::vec((path(&["a", "b", "", "+", "$s"], 4), any::<bool>()), 1..6),
    ) {
        let mut retained = Retained::new(1);
        let mut list: BTreeMap<String, (String, Option<Moment>)> = BTreeMap::new();
        let mut now = Moment::ZERO;
        for (topic, payload, expiry) in steps {
            now = now.plus_seconds(1);
            let payload = payload.map_or_else(String::new, |number| number.to_string());
            retained.store(&message(&topic, &payload, expiry), &ClientIdentifier::new("p"), now, &Limits::default());
            if payload.is_empty() {
                list.remove(&topic);
            } else {
                list.insert(topic, (payload, expiry.map(|seconds| now.plus_seconds(seconds))));
            }
        }
        list.retain(|_, (_, expires)| expires.is_none_or(|at| at > now));
        for (filter, rest) in filters {
            let filter = TopicFilter::new(if rest { filter + "/#" } else { filter }).unwrap();
            let mut found: Vec<String> =
                retained.matching(filter.as_str(), now, usize::MAX).iter().map(|entry| entry.message.topic.as_str().to_owned()).collect();
            found.sort();
            let expected: Vec<String> = list.keys().filter(|topic| filter.matches(&TopicName::new((*topic).clone()).unwrap())).cloned().collect();
            prop_assert_eq!(found, expected);
        }
        for topic in list.keys() {
            prop_assert_eq!(retained.store(&message(topic, "", None), &ClientIdentifier::new("p"), now, &Limits::default()), RetainOutcome::Cleared);
        }
        prop_assert_eq!((retained.len(), retained.bytes(), retained.expiring.len(), retained.tree.nodes()), (0, 0, 0, 1));
    }
}

#[test]
fn no_more_than_asked_for() {
    let mut retained = Retained::new(1);
    for number in 0..10 {
        retained.store(&message(&number.to_string(), "x", None), &ClientIdentifier::new("p"), Moment::ZERO, &Limits::default());
    }
    assert_eq!(retained.matching("#", Moment::ZERO, 3).len(), 3);
}
