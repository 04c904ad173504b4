//! What a restarted broker does with what it is given.

use signet_mqtt::{Ack, Message, Packet, Publish, ReasonCode, RetainHandling, SubscriptionOptions, TopicName};
use signet_policy::Ruleset;

use super::rig::*;
use crate::{ConnectionId, Event, Input, Limits, SharedDirectory, WillRule};

fn rig(shards: u16) -> Rig {
    Rig::with(shards, Limits::default(), Ruleset::allow_all())
}

impl Rig {
    /// The process dies with everything on disk.
    fn die(&mut self) {
        self.crash(self.store.journal.len());
    }
}

fn watcher(rig: &mut Rig) -> ConnectionId {
    let (watcher, connack) = rig.connected(v5("watcher").expiry(u32::MAX).resume());
    if !connack.session_present {
        rig.subscribe(watcher, "will/#", QOS2);
    }
    watcher
}

#[test]
fn everything_of_a_session_is_there_again() {
    let mut rig = rig(3);
    let publisher = rig.connect(v5("publisher").expiry(100));
    let a = rig.connect(v5("a").device("pump-7").expiry(100));
    rig.subscribe_with(a, "t/+", SubscriptionOptions { maximum_qos: QOS2, ..SubscriptionOptions::default() }, Some(5));
    rig.subscribe(a, "gone", QOS1);
    rig.unsubscribe(a, "gone");
    for (packet_id, qos) in [(1, QOS1), (2, QOS2), (3, QOS2), (4, QOS1)] {
        rig.send(publisher, Packet::Publish(publish("t/x", &packet_id.to_string(), qos, Some(packet_id))));
    }
    let sent: Vec<_> = (0..4).map(|_| rig.take(a).packet_id.unwrap()).collect();
    rig.puback(a, Some(sent[0]));
    rig.send(a, Packet::Pubrec(Ack::success(sent[1])));
    rig.lose(a);
    rig.send(publisher, Packet::Publish(publish("t/x", "5", QOS1, Some(5))));
    rig.die();
    let thief = rig.dial(v5("a").device("pump-8").expiry(100).resume()).unwrap();
    assert!(matches!(rig.next(thief), Some(Packet::Connack(connack)) if connack.reason_code == ReasonCode::ClientIdentifierNotValid));
    let (a, connack) = rig.connected(v5("a").device("pump-7").expiry(100).resume());
    assert!(connack.session_present);
    assert_eq!(rig.next(a), Some(Packet::Pubrel(Ack::success(sent[1]))), "in the order of first sending [MQTT-4.6.0-1]");
    for (packet_id, payload, dup) in [(Some(sent[2]), "3", true), (Some(sent[3]), "4", true), (None, "5", false)] {
        let received = rig.take(a);
        assert_eq!((text(&received).as_str(), received.dup), (payload, dup));
        assert!(packet_id.is_none_or(|packet_id| received.packet_id == Some(packet_id)));
        assert_eq!(received.properties.subscription_identifiers[0].get(), 5);
        assert!(!sent.contains(&received.packet_id.unwrap()) || dup, "a Packet Identifier in use is not given again");
    }
    // What was taken once is not taken again, whoever repeats it.
    let publisher = rig.connect(v5("publisher").expiry(100).resume());
    rig.send(publisher, Packet::Publish(Publish { dup: true, ..publish("t/x", "2", QOS2, Some(2)) }));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubrec(_))));
    rig.send(publisher, Packet::Pubrel(Ack::success(pid(2))));
    assert!(matches!(rig.next(publisher), Some(Packet::Pubcomp(ack)) if ack.reason_code == ReasonCode::Success));
    rig.publish1(publisher, "t/x", "6");
    assert_eq!(rig.payloads(a), ["6"]);
    rig.publish1(publisher, "gone", "m");
    assert_eq!(rig.payloads(a), Vec::<String>::new());
}

#[test]
fn a_will_of_a_connection_that_died_with_the_process_is_published_once_after_its_delay() {
    let mut rig = rig(3);
    watcher(&mut rig);
    rig.connect(v5("now").will("will/now", "now", 0));
    rig.connect(v5("clean").will("will/clean", "clean", 500));
    rig.connect(v5("later").expiry(100).will("will/later", "later", 10));
    let waiting = rig.connect(v5("waiting").expiry(100).will("will/waiting", "waiting", 10));
    rig.lose(waiting);
    let left = rig.connect(v5("left").expiry(100).will("will/left", "left", 0));
    rig.leave(left);
    rig.pass(4_000);
    rig.die();
    let watcher = watcher(&mut rig);
    let seen = |rig: &mut Rig| {
        let mut seen = rig.payloads(watcher);
        seen.sort();
        seen
    };
    assert_eq!(seen(&mut rig), ["clean", "now"], "a session without expiry ended with the process, and with it the delay");
    rig.pass(5_999);
    assert_eq!(seen(&mut rig), Vec::<String>::new());
    rig.pass(1);
    assert_eq!(seen(&mut rig), ["waiting"], "its delay began when the connection was lost");
    rig.pass(4_000);
    assert_eq!(seen(&mut rig), ["later"], "the process was lost then");
    rig.lose(watcher);
    rig.die();
    let watcher = rig.connect(v5("watcher").expiry(u32::MAX).resume());
    rig.pass(100_000);
    let again = rig.payloads(watcher);
    assert!(
        again.iter().all(|payload| ["clean", "now", "waiting", "later"].contains(&payload.as_str())) && again.len() == 4,
        "sent again, not published again: {again:?}"
    );
}

#[test]
fn a_will_reaches_subscribers_whose_shard_takes_up_its_sessions_later() {
    let mut rig = rig(5);
    for name in ["one", "two", "three", "four", "five", "six"] {
        let id = rig.connect(v5(name).expiry(100).resume());
        rig.subscribe(id, "will", QOS1);
        rig.lose(id);
    }
    for name in ["a", "b", "c", "d", "e", "f"] {
        rig.connect(v5(name).will("will", name, 0));
    }
    rig.die();
    for name in ["one", "two", "three", "four", "five", "six"] {
        let id = rig.connect(v5(name).expiry(100).resume());
        assert_eq!(rig.payloads(id).len(), 6, "{name}");
    }
}

#[test]
fn the_will_of_a_revoked_device_is_dropped_before_it_is_published() {
    let mut rig = rig(1);
    watcher(&mut rig);
    rig.connect(v5("a").device("pump-7").will("will/a", "now", 0));
    rig.connect(v5("b").device("pump-8").expiry(100).will("will/b", "later", 10));
    rig.revive_with(|rig| rig.revoke(WillRule::Drop));
    let watcher = watcher(&mut rig);
    rig.pass(20_000);
    assert_eq!(rig.payloads(watcher), Vec::<String>::new());
    rig.die();
    rig.pass(20_000);
    assert_eq!(rig.stats().wills_published, 0);
}

#[test]
fn a_session_whose_time_came_while_nobody_ran_ends_at_once_and_one_that_was_connected_gets_all_its_time() {
    let mut rig = rig(2);
    let a = rig.connect(v5("a").expiry(10).will("will/a", "gone", 1000));
    rig.subscribe(a, "t", QOS1);
    rig.lose(a);
    let b = rig.connect(v5("b").expiry(10));
    rig.subscribe(b, "t", QOS1);
    let c = rig.connect(v5("c").expiry(u32::MAX));
    rig.subscribe(c, "t", QOS1);
    watcher(&mut rig);
    rig.now = rig.now.plus_seconds(60);
    rig.die();
    let watcher = watcher(&mut rig);
    assert_eq!(rig.payloads(watcher), ["gone"], "the end of the session does not wait for the delay");
    assert_eq!(rig.stats().sessions, 3);
    rig.pass(9_999);
    assert_eq!(rig.stats().sessions, 3);
    rig.pass(1);
    assert_eq!(rig.stats().sessions, 2, "it ended ten seconds after the process that lost its connection");
    rig.pass(100_000_000);
    assert_eq!(rig.stats().sessions, 2);
    assert_eq!(rig.directory.read(crate::Directory::subscriptions), 2);
    assert_eq!(rig.store.read().sessions.len(), 2);
}

#[test]
fn retained_messages_are_there_again_with_publisher_and_age() {
    let mut rig = rig(2);
    let a = rig.connect(v5("a"));
    rig.send(a, retained("t/1", "old"));
    rig.send(a, retained("t/1", "new"));
    rig.send(a, retained("t/2", "cleared"));
    rig.send(a, retained("t/2", ""));
    let mut short = publish("t/3", "short", QOS0, None);
    short.properties.message_expiry_interval = Some(10);
    rig.send(a, Packet::Publish(Publish { retain: true, ..short }));
    rig.pass(4_000);
    rig.die();
    let b = rig.connect(v5("b"));
    rig.subscribe(b, "#", QOS1);
    let mut seen: Vec<_> =
        (0..2).map(|_| rig.take(b)).map(|publish| (text(&publish), publish.properties.message_expiry_interval)).collect();
    seen.sort();
    assert_eq!(seen, [("new".to_owned(), None), ("short".to_owned(), Some(6))]);
    assert_eq!(rig.next(b), None);
    let a = rig.connect(v5("a"));
    let options = SubscriptionOptions { no_local: true, ..SubscriptionOptions::default() };
    rig.subscribe_with(a, "#", options, None);
    assert_eq!(rig.payloads(a), Vec::<String>::new(), "[MQTT-3.8.3-3]");
    rig.pass(6_000);
    rig.send(b, retained("t/4", "m"));
    assert_eq!(rig.store.read().retained_by_topic().into_keys().collect::<Vec<_>>(), ["t/1", "t/4"], "what expired is cleared");
}

#[test]
fn a_clock_that_was_ahead_leaves_no_message_more_time_than_it_had() {
    let mut rig = rig(1);
    rig.pass(60_000);
    let a = rig.connect(v5("a"));
    let mut short = publish("t", "short", QOS0, None);
    short.properties.message_expiry_interval = Some(10);
    rig.send(a, Packet::Publish(Publish { retain: true, ..short }));
    rig.now = crate::Moment::ZERO;
    rig.die();
    let b = rig.connect(v5("b"));
    rig.subscribe(b, "#", QOS1);
    assert_eq!(rig.take(b).properties.message_expiry_interval, Some(10), "[MQTT-3.3.2-6]");
}

/// The client has seen some of the retained messages its subscription starts with: it sees the others, and none twice.
#[test]
fn a_subscription_goes_on_starting_where_it_was() {
    let mut rig = Rig::with(2, Limits { maximum_inflight: 2, ..Limits::default() }, Ruleset::allow_all());
    let publisher = rig.connect(v5("publisher"));
    for number in 0..9 {
        let topic = format!("t/{}", (number * 5) % 9);
        let packet = Publish { retain: true, ..publish(&topic, &topic, [QOS2, QOS1, QOS0][number % 3], None) };
        let packet_id = (packet.qos > QOS0).then(|| pid(1));
        rig.send(publisher, Packet::Publish(Publish { packet_id, ..packet }));
        rig.send(publisher, Packet::Pubrel(Ack::success(pid(1))));
    }
    let a = rig.connect(v5("a").expiry(1000));
    rig.send(a, Packet::Subscribe(subscribe("t/#", SubscriptionOptions { maximum_qos: QOS2, ..SubscriptionOptions::default() }, None)));
    let mut seen = Vec::new();
    let mut holds = std::collections::BTreeSet::new();
    let mut id = a;
    for round in 0..30 {
        for packet in rig.drain(id) {
            match packet {
                Packet::Publish(publish) => match publish.qos {
                    QOS2 => {
                        if holds.insert(publish.packet_id) {
                            seen.push(text(&publish));
                        }
                        rig.send(id, Packet::Pubrec(Ack::success(publish.packet_id.unwrap())));
                    }
                    QOS1 => {
                        seen.push(text(&publish));
                        rig.puback(id, publish.packet_id);
                    }
                    _ => assert!(round < 2, "QoS 0 was for the connection that is lost"),
                },
                Packet::Pubrel(ack) => {
                    holds.remove(&Some(ack.packet_id));
                    rig.send(id, Packet::Pubcomp(Ack::success(ack.packet_id)));
                }
                _ => {}
            }
        }
        if round % 2 == 1 {
            // What is set now is no start: it comes once, as any other message.
            if round == 3 {
                let publisher = rig.connect(v5("publisher"));
                rig.publish_acknowledged(publisher, Publish { retain: true, ..publish("t/late", "late", QOS1, Some(1)) });
            }
            rig.die();
            id = rig.connect(v5("a").expiry(1000).resume());
        }
    }
    let (late, mut started): (Vec<_>, Vec<_>) = seen.into_iter().partition(|payload| payload == "late");
    assert_eq!(late.len(), 1);
    started.sort();
    let expected: Vec<String> = (0..9).filter(|number| number % 3 != 2).map(|number| format!("t/{}", (number * 5) % 9)).collect();
    let mut expected = expected;
    expected.sort();
    assert_eq!(started, expected);
    let state = rig.store.read();
    assert!(state.messages.is_empty());
    assert!(state.sessions.values().flat_map(|session| session.subscriptions.values()).all(|subscription| subscription.starting.is_none()));
}

/// Ids of retained messages that were kept in memory only are given again: what is set under one of them after the crash is no start.
#[test]
fn what_is_retained_after_a_crash_is_no_start_of_an_older_subscription() {
    let mut rig = rig(2);
    let publisher = rig.connect(v5("publisher"));
    rig.publish_acknowledged(publisher, Publish { retain: true, ..publish("t/old", "old", QOS1, Some(1)) });
    // What the store never hears of.
    for _ in 0..9 {
        let own = publish("$SYS/uptime", "1", QOS0, None);
        let message = Message::from_publish(Publish { retain: true, ..own }, TopicName::new("$SYS/uptime").unwrap());
        rig.input(publisher, Input::Publish { message });
    }
    let a = rig.connect(v5("a").expiry(1000).properties(|properties| properties.receive_maximum = std::num::NonZeroU16::new(1)));
    rig.subscribe(a, "other", QOS1);
    rig.publish1(publisher, "other", "fills the window");
    rig.take(a);
    rig.subscribe(a, "t/#", QOS1);
    rig.die();
    let publisher = rig.connect(v5("publisher"));
    rig.publish_acknowledged(publisher, Publish { retain: true, ..publish("t/new", "new", QOS1, Some(1)) });
    rig.die();
    let a = rig.connect(v5("a").expiry(1000).resume());
    let mut payloads = rig.payloads(a);
    payloads.sort();
    assert_eq!(payloads, ["fills the window", "new", "old"]);
}

#[test]
fn a_shared_message_whose_member_is_gone_finds_another_after_the_crash() {
    let mut rig = rig(4);
    let members = ["member-1", "member-2", "member-3", "member-4"];
    let mut ids: Vec<ConnectionId> = Vec::new();
    for name in members {
        let id = rig.connect(v5(name).expiry(1000));
        rig.subscribe(id, "$share/g/t", QOS2);
        ids.push(id);
    }
    let publisher = rig.connect(v5("publisher"));
    rig.holds_handovers = true;
    for payload in ["1", "2", "3", "4"] {
        rig.publish1(publisher, "t", payload);
    }
    // Three members go while messages are on their way to them.
    for id in &ids[..3] {
        let mut disconnect = signet_mqtt::Disconnect::new(ReasonCode::Success);
        disconnect.session_expiry_interval = Some(0);
        rig.send(*id, Packet::Disconnect(Box::new(disconnect)));
    }
    rig.holds_handovers = false;
    rig.die();
    let last = rig.connect(v5(members[3]).expiry(1000).resume());
    let mut seen = rig.payloads(last);
    seen.sort();
    assert_eq!(seen, ["1", "2", "3", "4"]);
    let kept = rig.store.read().messages.len();
    assert_eq!(kept, 4, "each is kept once, for the one who has it now");
}

#[test]
fn a_shared_message_goes_to_members_that_are_back_before_those_that_are_not() {
    let mut rig = rig(3);
    for name in ["absent-1", "absent-2", "back"] {
        let id = rig.connect(v5(name).expiry(1000));
        rig.subscribe(id, "$share/g/t", QOS1);
    }
    rig.die();
    let back = rig.connect(v5("back").expiry(1000).resume());
    let publisher = rig.connect(v5("publisher"));
    for payload in ["1", "2", "3", "4"] {
        rig.publish1(publisher, "t", payload);
    }
    assert_eq!(rig.payloads(back), ["1", "2", "3", "4"]);
}

/// A client's messages were accepted by one shard in one run and by another in the next: their order is that of the runs.
#[test]
fn the_number_of_shards_may_change() {
    let mut rig = rig(5);
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        let id = rig.connect(v5(name).expiry(1000));
        rig.subscribe(id, "t/#", QOS1);
        rig.lose(id);
    }
    let mut count = 0;
    for shards in [2, 7, 1, 3] {
        for name in names {
            let publisher = rig.connect(v5(&format!("publisher-{name}")));
            count += 1;
            rig.publish1(publisher, &format!("t/{name}"), &format!("{count:03}"));
            rig.lose(publisher);
        }
        rig.restart(rig.store.journal.len(), shards);
    }
    for name in names {
        let id = rig.connect(v5(name).expiry(1000).resume());
        let packets = rig.drain(id);
        let mut by_topic: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
        for packet in packets {
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            by_topic.entry(publish.topic.as_ref().unwrap().as_str().to_owned()).or_default().push(text(&publish));
        }
        assert!(
            by_topic.len() == 6 && by_topic.values().all(|payloads| payloads.len() == 4 && payloads.is_sorted()),
            "{name}: {by_topic:?}"
        );
    }
}

/// Ids begin above all that the store has seen, also of what is gone: the strict reader objects to one that is used twice.
#[test]
fn ids_are_never_used_again() {
    let mut rig = rig(2);
    for _ in 0..5 {
        let a = rig.connect(v5("a").expiry(100));
        rig.subscribe(a, "t", QOS1);
        rig.lose(a);
        let publisher = rig.connect(v5("publisher"));
        rig.publish_acknowledged(publisher, Publish { retain: true, ..publish("t", "m", QOS1, Some(1)) });
        rig.die();
    }
    let state = rig.store.read();
    assert_eq!(
        (state.sessions.len(), state.messages.len(), state.retained.len()),
        (1, 2, 1),
        "a retained message that went out and the one that came after"
    );
}

#[test]
fn what_a_restart_makes_known_is_told_like_anything_else() {
    let mut rig = rig(1);
    rig.connect(v5("a").will("will", "gone", 0));
    let b = rig.connect(v5("b").expiry(10));
    rig.subscribe_with(b, "t", SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..SubscriptionOptions::default() }, None);
    rig.events.clear();
    rig.die();
    assert!(rig.events.iter().any(|event| matches!(event, Event::SessionEnded { client_identifier } if client_identifier.as_str() == "a")));
    assert_eq!(rig.stats().wills_published, 1);
    let publisher = rig.connect(v5("publisher"));
    rig.send(publisher, retained("t", "m"));
    let b = rig.connect(v5("b").expiry(10).resume());
    rig.subscribe_with(b, "t", SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..SubscriptionOptions::default() }, None);
    assert_eq!(rig.payloads(b), Vec::<String>::new(), "the subscription is not new [MQTT-3.3.1-10]");
    rig.input(b, Input::Tick);
}
