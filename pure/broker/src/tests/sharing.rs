//! Shared Subscriptions (§4.8.2) over shards.

use signet_mqtt::{Packet, ReasonCode};

use super::rig::*;
use crate::SharedDirectory;

fn group(rig: &mut Rig, filter: &str, names: &[&str]) -> Vec<crate::ConnectionId> {
    let ids: Vec<_> = names.iter().map(|name| rig.connect(v5(name).expiry(100))).collect();
    for id in &ids {
        assert_eq!(rig.subscribe(*id, filter, QOS1), ReasonCode::GrantedQoS1);
    }
    ids
}

#[test]
fn each_message_goes_to_one_member_in_turn_whatever_its_shard() {
    let mut rig = Rig::new();
    let members = group(&mut rig, "$share/g/t/#", &["a", "b", "c", "d"]);
    let shards: std::collections::BTreeSet<usize> = members.iter().map(|id| rig.shard_of(*id)).collect();
    assert!(shards.len() > 1, "otherwise no handover is tested");
    let publisher = rig.connect(v5("publisher"));
    for number in 0..12 {
        assert_eq!(rig.publish1(publisher, "t/x", &number.to_string()), ReasonCode::Success);
    }
    let mut seen = Vec::new();
    for id in members {
        let received = rig.payloads(id);
        assert_eq!(received.len(), 3);
        seen.extend(received.iter().map(|payload| payload.parse::<u32>().unwrap()));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..12).collect::<Vec<_>>(), "every message once");
}

#[test]
fn groups_and_ordinary_subscriptions_do_not_touch_each_other() {
    let mut rig = Rig::new();
    let one = group(&mut rig, "$share/one/t", &["a", "b"]);
    let two = group(&mut rig, "$share/two/t", &["c"]);
    rig.subscribe(one[0], "t", QOS1);
    let publisher = rig.connect(v5("publisher"));
    for payload in ["1", "2"] {
        rig.publish1(publisher, "t", payload);
    }
    assert_eq!(rig.payloads(two[0]), ["1", "2"]);
    let (first, second) = (rig.payloads(one[0]), rig.payloads(one[1]));
    assert_eq!((first.len(), second.len()), (3, 1), "its own subscription's two and its share of the group's two");
}

#[test]
fn members_that_are_there_come_first_and_the_absent_queue_when_nobody_is() {
    let mut rig = Rig::new();
    let members = group(&mut rig, "$share/g/t", &["a", "b", "c"]);
    rig.lose(members[0]);
    rig.lose(members[1]);
    let publisher = rig.connect(v5("publisher"));
    for payload in ["1", "2", "3"] {
        rig.publish1(publisher, "t", payload);
    }
    assert_eq!(rig.payloads(members[2]), ["1", "2", "3"]);
    rig.leave(members[2]);
    assert_eq!(rig.publish1(publisher, "t", "4"), ReasonCode::Success, "it waits in a session");
    let mut late = Vec::new();
    for name in ["a", "b", "c"] {
        let id = rig.connect(v5(name).expiry(100).resume());
        late.extend(rig.payloads(id));
    }
    assert_eq!(late.iter().filter(|payload| *payload == "4").count(), 1);
    for payload in ["5", "6", "7"] {
        rig.publish1(publisher, "t", payload);
    }
    assert_eq!(rig.stats().messages_unmatched, 0);
}

#[test]
fn a_shared_subscription_starts_without_retained_messages() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    rig.send(publisher, retained("t", "m"));
    let members = group(&mut rig, "$share/g/t", &["a"]);
    assert_eq!(rig.payloads(members[0]), Vec::<String>::new());
}

#[test]
fn the_group_ends_with_its_last_member() {
    let mut rig = Rig::new();
    let members = group(&mut rig, "$share/g/t", &["a", "b"]);
    for id in members {
        assert_eq!(rig.unsubscribe(id, "$share/g/t"), ReasonCode::Success);
    }
    assert_eq!(rig.directory.read(crate::Directory::subscriptions), 0);
    let publisher = rig.connect(v5("publisher"));
    rig.send(publisher, Packet::Publish(publish("t", "m", QOS1, Some(1))));
    assert!(matches!(rig.next(publisher), Some(Packet::Puback(ack)) if ack.reason_code == ReasonCode::NoMatchingSubscribers));
}

#[test]
fn what_a_member_leaves_behind_goes_to_the_others() {
    let mut rig = Rig::new();
    let worker = rig.connect(v5("worker").properties(|properties| properties.receive_maximum = std::num::NonZeroU16::new(2)));
    rig.subscribe(worker, "$share/g/t", QOS2);
    let publisher = rig.connect(v5("publisher"));
    rig.send(publisher, Packet::Publish(publish("t", "QoS 2 under way", QOS2, Some(1))));
    for payload in ["under way", "queued", "also queued"] {
        rig.publish1(publisher, "t", payload);
    }
    let others = group(&mut rig, "$share/g/t", &["a", "b"]);
    rig.lose(worker);
    let mut left: Vec<String> = others.iter().flat_map(|id| rig.payloads(*id)).collect();
    left.sort();
    assert_eq!(left, ["also queued", "queued", "under way"], "[MQTT-4.8.2-5]: what is under way with QoS 2 goes to nobody else");
}

#[test]
fn a_member_that_ends_while_its_message_is_between_shards_passes_it_on() {
    let mut rig = Rig::new();
    let publisher = rig.connect(v5("publisher"));
    let candidates: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| rig.connect(v5(name))).collect();
    let far = candidates.into_iter().find(|id| rig.shard_of(*id) != rig.shard_of(publisher)).unwrap();
    rig.subscribe(far, "$share/g/t", QOS1);
    rig.holds_handovers = true;
    rig.publish1(publisher, "t", "m");
    let other = rig.connect(v5("other"));
    rig.subscribe(other, "$share/g/t", QOS1);
    rig.lose(far);
    while rig.release(0) {}
    assert_eq!(rig.payloads(other), ["m"]);
}
