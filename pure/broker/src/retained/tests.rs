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
        properties: MessageProperties { message_expiry_interval: expiry, ..MessageProperties::default() }.into(),
    })
}

fn store(retained: &mut Retained, topic: &str, payload: &str, expiry: Option<u32>, now: Moment) -> RetainOutcome {
    retained.drop_expired(now);
    retained.store(&message(topic, payload, expiry), (&ClientIdentifier::new("p"), None), now, &TotalLimits::default(), true)
}

const ALL: Starting = Starting { after: RetainedId(0), up_to: RetainedId(u64::MAX) };

/// Looks up in steps of so many nodes.
fn matching(retained: &Retained, filter: &str, now: Moment, steps: usize, maximum: usize) -> Vec<RetainedMessage> {
    let (mut search, mut found) = (Search::new(filter, ALL), Vec::new());
    while retained.search(&mut search, now, (steps, maximum), &mut found) {}
    found
}

fn topics(found: &[RetainedMessage]) -> Vec<&str> {
    let mut topics: Vec<&str> = found.iter().map(|retained| retained.message.topic.as_str()).collect();
    topics.sort_unstable();
    topics
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
            store(&mut retained, &topic, &payload, expiry, now);
            if payload.is_empty() {
                list.remove(&topic);
            } else {
                list.insert(topic, (payload, expiry.map(|seconds| now.plus_seconds(seconds))));
            }
        }
        list.retain(|_, (_, expires)| expires.is_none_or(|at| at > now));
        for (filter, rest) in filters {
            let filter = TopicFilter::new(if rest { filter + "/#" } else { filter }).unwrap();
            let expected: Vec<&str> =
                list.keys().filter(|topic| filter.matches(&TopicName::new((*topic).clone()).unwrap())).map(String::as_str).collect();
            for steps in [1, 3, 1000] {
                let found = matching(&retained, filter.as_str(), now, steps, usize::MAX);
                prop_assert_eq!(topics(&found), expected.clone());
            }
            prop_assert!(expected.is_empty() || retained.may_match(filter.as_str()));
        }
        for topic in list.keys() {
            prop_assert!(matches!(store(&mut retained, topic, "", None, now), RetainOutcome::Cleared(Some(_))));
        }
        prop_assert_eq!((retained.len(), retained.bytes(), retained.expiring.len(), retained.tree.nodes()), (0, 0, 0, 1));
    }
}

#[test]
fn no_more_than_asked_for() {
    let mut retained = Retained::new(1);
    for number in 0..10 {
        store(&mut retained, &number.to_string(), "x", None, Moment::ZERO);
    }
    assert_eq!(matching(&retained, "#", Moment::ZERO, 1000, 3).len(), 3);
}

/// What is set, cleared or replaced while a search goes on is not found; everything else is, once.
#[test]
fn a_search_in_steps_finds_what_was_there_when_it_began_and_still_is() {
    for change_at in 0..30 {
        let mut retained = Retained::new(1);
        for topic in ["a/1", "a/2", "a/3", "b", "c/x/y", "c/x/z", "d"] {
            store(&mut retained, topic, "old", None, Moment::ZERO);
        }
        let ids = Starting { after: RetainedId(0), up_to: retained.latest() };
        let (mut search, mut found, mut steps) = (Search::new("#", ids), Vec::new(), 0);
        loop {
            if steps == change_at {
                for topic in ["a/1", "c/x/y", "c/x/z"] {
                    store(&mut retained, topic, "", None, Moment::ZERO);
                }
                // Takes over the numbers of nodes that are gone, and one topic that was there before.
                for topic in ["n/1", "n/2", "n/3", "c/x/z", "b"] {
                    store(&mut retained, topic, "new", None, Moment::ZERO);
                }
            }
            steps += 1;
            if !retained.search(&mut search, Moment::ZERO, (1, usize::MAX), &mut found) {
                break;
            }
        }
        assert!(found.iter().all(|entry| entry.message.payload == "old"), "after {change_at} steps");
        let found = topics(&found);
        let mut once = found.clone();
        once.dedup();
        assert_eq!(found, once, "after {change_at} steps");
        for topic in ["a/2", "a/3", "d"] {
            assert!(found.contains(&topic), "`{topic}` after {change_at} steps");
        }
    }
}

#[test]
fn what_was_stored_is_there_again_and_ids_go_on() {
    let mut retained = Retained::new(1);
    let image = |id, topic: &str, expiry| RetainedImage {
        id: RetainedId(id),
        message: message(topic, "x", expiry),
        publisher: ClientIdentifier::new("p"),
        received_at: Moment::ZERO,
    };
    retained.restore(vec![image(7, "a", None), image(3, "b", Some(5))], 9);
    assert_eq!(topics(&matching(&retained, "#", Moment::ZERO, 9, 9)), ["a", "b"]);
    assert_eq!((retained.len(), retained.bytes()), (2, 4));
    assert_eq!(retained.drop_expired(Moment::ZERO.plus_seconds(5)), [RetainedId(3)]);
    let outcome = store(&mut retained, "a", "y", None, Moment::ZERO);
    assert_eq!(
        outcome,
        RetainOutcome::Set(RetainedId(10), Some(RetainedId(7))),
        "replaces what is stored, under an id that was never used"
    );
}
