//! What a bridge does otherwise when it is told so.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use signet_bridge::{Direction, Notification, Outgoing, Schedule, Start};
use signet_mqtt::{Ack, Connack, Packet, ProtocolVersion, PublishProperties, QoS, ReasonCode, RetainHandling};
use signet_testkit::{free_port, packet_id, publish_packet, topic};

use crate::fake::{Broker, Connection, resumed};
use crate::rig::{Here, Link, await_that, bridge, rule};

fn outward(port: u16, version: ProtocolVersion) -> signet_bridge::BridgeConfig {
    bridge(port, version, vec![rule("t/#", Direction::Out, QoS::AtLeastOnce, "", "")])
}

/// The next packet, which is acknowledged if it wants to be.
fn taken(connection: &mut Connection) -> Packet {
    let packet = connection.expect();
    if let Packet::Publish(publish) = &packet
        && let Some(id) = publish.packet_id
    {
        connection.send(Packet::Puback(Ack::success(id)));
    }
    packet
}

#[test]
fn the_first_questions_come_in_the_order_of_the_list_and_count_from_one() {
    let there = Broker::new();
    let topics = vec![
        rule("a", Direction::Out, QoS::AtLeastOnce, "", "far/"),
        rule("b", Direction::Both, QoS::ExactlyOnce, "", ""),
        rule("c", Direction::In, QoS::AtMostOnce, "", ""),
    ];
    let mut config = bridge(there.port(), ProtocolVersion::V311, topics);
    config.outgoing.unsubscribe = true;
    config.notification = Some(Notification { topic: topic("state"), is_local: false, is_remote: true });
    let _here = Here::starting(config);
    let mut connection = there.welcome(Connack::default());
    let state = connection.expect_publish();
    assert_eq!((state.packet_id, state.qos, state.retain), (Some(packet_id(1)), QoS::AtLeastOnce, true));
    assert_eq!((state.topic, &state.payload[..]), (Some(topic("state")), &b"1"[..]));
    let Packet::Unsubscribe(unsubscribe) = connection.expect() else { panic!("expected UNSUBSCRIBE") };
    assert_eq!((unsubscribe.packet_id.get(), unsubscribe.filters[0].as_str()), (2, "far/a"));
    for (id, filter, qos) in [(3, "b", QoS::ExactlyOnce), (4, "c", QoS::AtMostOnce)] {
        let Packet::Subscribe(subscribe) = connection.expect() else { panic!("expected SUBSCRIBE") };
        let [entry] = &*subscribe.subscriptions else { panic!("expected one filter") };
        assert_eq!((subscribe.packet_id.get(), entry.filter.as_str(), entry.options.maximum_qos), (id, filter, qos));
    }
}

#[test]
fn retained_messages_are_asked_for_each_time_if_they_should() {
    for (each_time, expected) in [(false, RetainHandling::SendIfNew), (true, RetainHandling::SendAtSubscribe)] {
        let there = Broker::new();
        let mut config = bridge(there.port(), ProtocolVersion::V5, vec![rule("t", Direction::In, QoS::AtMostOnce, "", "")]);
        config.retained_each_time = each_time;
        let here = Here::starting(config);
        let mut first = there.welcome(Connack::default());
        first.grant();
        here.await_connected();
        drop(first);
        let mut second = there.welcome(resumed());
        let Packet::Subscribe(subscribe) = second.expect() else { panic!("expected SUBSCRIBE") };
        assert_eq!(subscribe.subscriptions[0].options.retain_handling, expected);
    }
}

#[test]
fn nothing_is_retained_over_there_if_it_should_not_be() {
    let there = Broker::new();
    let mut config = outward(there.port(), ProtocolVersion::V311);
    config.outgoing = Outgoing { retain: false, ..Outgoing::default() };
    config.notification = Some(Notification { topic: topic("state"), is_local: false, is_remote: true });
    let here = Here::starting(config);
    let (mut connection, connect) = there.accept();
    assert!(!connect.will.unwrap().retain);
    connection.send(Packet::Connack(Box::default()));
    let Packet::Publish(state) = taken(&mut connection) else { panic!("expected PUBLISH") };
    assert!(!state.retain);
    here.await_connected();
    here.client("p").publish("t/a", "x", QoS::AtLeastOnce, true);
    assert!(!connection.expect_publish().retain);
}

#[test]
fn a_larger_packet_than_may_be_sent_stays_here() {
    for (own, theirs) in [(Some(60), None), (Some(60), Some(1000)), (Some(1000), Some(60))] {
        let there = Broker::new();
        let mut config = outward(there.port(), ProtocolVersion::V5);
        config.outgoing.maximum_packet_size = own.and_then(NonZeroU32::new);
        let here = Here::starting(config);
        let mut connack = Connack::default();
        connack.properties.maximum_packet_size = theirs.and_then(NonZeroU32::new);
        let mut connection = there.welcome(connack);
        here.await_connected();
        let mut publisher = here.client("p");
        publisher.publish("t/large", &"x".repeat(61), QoS::AtLeastOnce, false);
        publisher.publish("t/small", "x", QoS::AtLeastOnce, false);
        assert_eq!(connection.expect_publish().topic, Some(topic("t/small")));
        assert_eq!(here.status().dropped.too_large, 1);
    }
}

#[test]
fn a_will_that_is_refused_is_offered_without_what_was_refused() {
    let there = Broker::new();
    let mut config = outward(there.port(), ProtocolVersion::V5);
    config.notification = Some(Notification { topic: topic("state"), is_local: false, is_remote: true });
    let _here = Here::starting(config);
    for (refusal, expected) in [
        (Some(ReasonCode::RetainNotSupported), (true, QoS::AtLeastOnce)),
        (Some(ReasonCode::QosNotSupported), (false, QoS::AtLeastOnce)),
        (None, (false, QoS::AtMostOnce)),
    ] {
        let (mut connection, connect) = there.accept();
        let will = connect.will.unwrap();
        assert_eq!((will.retain, will.qos), expected);
        let reason_code = refusal.unwrap_or(ReasonCode::Success);
        connection.send(Packet::Connack(Box::new(Connack { reason_code, ..Connack::default() })));
    }
}

#[test]
fn a_topic_is_written_once_and_then_its_alias_in_each_direction() {
    let there = Broker::new();
    let topics = vec![rule("#", Direction::Both, QoS::AtMostOnce, "near/", "")];
    let mut config = bridge(there.port(), ProtocolVersion::V5, topics);
    config.session.topic_alias_maximum = 2;
    let here = Here::starting(config);
    let (mut connection, connect) = there.accept();
    assert_eq!(connect.properties.topic_alias_maximum, Some(2));
    let mut connack = Connack::default();
    connack.properties.topic_alias_maximum = Some(1);
    connection.send(Packet::Connack(Box::new(connack)));
    connection.grant();
    here.await_connected();
    let mut publisher = here.client("p");
    for name in ["near/a", "near/a", "near/b"] {
        publisher.publish(name, "x", QoS::AtMostOnce, false);
    }
    let seen = [(); 3].map(|()| connection.expect_publish()).map(|publish| (publish.topic, publish.properties.topic_alias));
    let one = NonZeroU16::new(1);
    assert_eq!(seen, [(Some(topic("a")), one), (None, one), (Some(topic("b")), None)], "the other broker takes one alias");

    let mut reader = here.client("r");
    reader.subscribe("near/#", QoS::AtMostOnce);
    let properties = PublishProperties { topic_alias: NonZeroU16::new(2), ..PublishProperties::default() }.into();
    let named = signet_mqtt::Publish { properties, ..publish_packet("c", "1", QoS::AtMostOnce, false) };
    let bare = signet_mqtt::Publish { topic: None, payload: "2".into(), ..named.clone() };
    connection.send(Packet::Publish(named));
    connection.send(Packet::Publish(bare));
    reader.expect_message("near/c", "1");
    reader.expect_message("near/c", "2");
    // One that was never set ends the connection.
    let properties = PublishProperties { topic_alias: NonZeroU16::new(1), ..PublishProperties::default() }.into();
    connection.send(Packet::Publish(signet_mqtt::Publish { topic: None, properties, ..publish_packet("c", "3", QoS::AtMostOnce, false) }));
    await_that("the reason", || here.status().last_error.is_some_and(|error| error.contains("without a topic")));
}

#[test]
fn a_bridge_that_connects_once_does_not_come_back() {
    let there = Broker::new();
    let mut config = outward(there.port(), ProtocolVersion::V5);
    config.start = Start::Once;
    let mut here = Here::starting(config.clone());
    let connection = there.welcome(Connack::default());
    here.await_connected();
    drop(connection);
    here.await_down();
    // The next one who connects is the one that it becomes, not the one that it was.
    config.remote.client_identifier = signet_mqtt::ClientIdentifier::new("other");
    config.reload = signet_bridge::ReloadRule::Lazy;
    let planned = here.planned(config);
    here.bridges.adopt(vec![planned]).unwrap();
    let (_connection, connect) = there.accept();
    assert_eq!(connect.client_identifier.as_str(), "other");
}

#[test]
fn a_lazy_bridge_ends_when_nothing_is_to_do_and_comes_when_enough_waits() {
    let there = Broker::new();
    let mut config = outward(there.port(), ProtocolVersion::V5);
    config.start = Start::Lazy { threshold: NonZeroU16::new(3).unwrap(), idle: Duration::from_millis(200) };
    let here = Here::starting(config);
    here.await_prepared();
    let mut publisher = here.client("p");
    publisher.publish("t/1", "x", QoS::AtMostOnce, false);
    publisher.publish("t/2", "x", QoS::AtLeastOnce, false);
    assert!(!here.status().connected);
    publisher.publish("t/3", "x", QoS::AtLeastOnce, false);
    let mut connection = there.welcome(Connack::default());
    let mut seen: Vec<_> = (0..3).map(|_| taken(&mut connection)).collect();
    seen.sort_by_key(|packet| {
        if let Packet::Publish(publish) = packet { publish.topic.clone().map(|topic| topic.as_str().to_owned()) } else { None }
    });
    for (packet, name) in seen.iter().zip(["t/1", "t/2", "t/3"]) {
        assert!(matches!(packet, Packet::Publish(publish) if publish.topic == Some(topic(name))), "{seen:?}");
    }
    assert!(matches!(connection.expect(), Packet::Disconnect(_)), "idle: it says so");
    here.await_down();
    for number in 4..7 {
        publisher.publish(&format!("t/{number}"), "x", QoS::AtLeastOnce, false);
    }
    let mut connection = there.welcome(resumed());
    assert!(matches!(taken(&mut connection), Packet::Publish(publish) if publish.topic == Some(topic("t/4"))));
    assert_eq!(here.status().last_error, None, "none of that is a failure");
}

#[test]
fn what_waits_for_a_lazy_bridge_survives_an_attempt_that_fails() {
    let there = Broker::new();
    let link = Link::to(there.port());
    let mut config = outward(link.port, ProtocolVersion::V5);
    config.start = Start::Lazy { threshold: NonZeroU16::new(2).unwrap(), idle: Duration::from_millis(100) };
    config.reconnect.timeout = Duration::from_millis(500);
    link.cut();
    let here = Here::starting(config);
    here.await_prepared();
    let mut publisher = here.client("p");
    publisher.publish("t/0", "x", QoS::AtMostOnce, false);
    publisher.publish("t/1", "x", QoS::AtLeastOnce, false);
    await_that("a failed attempt", || here.status().last_error.is_some());
    link.restore();
    let mut connection = there.welcome(Connack::default());
    let mut seen: Vec<String> = (0..2)
        .map(|_| match taken(&mut connection) {
            Packet::Publish(publish) => publish.topic.unwrap().as_str().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    seen.sort();
    assert_eq!(seen, ["t/0", "t/1"]);
}

#[test]
fn a_bridge_goes_back_to_its_first_address() {
    let second = Broker::new();
    let mut config = outward(second.port(), ProtocolVersion::V5);
    let address = |port| signet_bridge::RemoteAddress { host: "127.0.0.1".to_owned(), port };
    // Nobody listens there for now.
    let port = free_port();
    config.remote.addresses.insert(0, address(port));
    config.remote.return_to_first = Some(Duration::from_millis(50));
    let here = Here::starting(config);
    let mut connection = second.welcome(Connack::default());
    here.await_connected();
    let back = Broker::at(port);
    assert!(matches!(connection.expect(), Packet::Disconnect(_)), "it leaves in good order");
    // The connection that found out is closed again; the next one is meant.
    drop(back.listener.accept().unwrap());
    let _connection = back.welcome(Connack::default());
    await_that("the first address", || here.status().connected && here.status().remote == Some(format!("127.0.0.1:{port}")));
}

#[test]
fn a_constant_pause_is_kept_between_attempts_that_fail() {
    let mut config = outward(free_port(), ProtocolVersion::V5);
    config.reconnect.schedule = Schedule::Constant(Duration::from_secs(3600));
    let here = Here::starting(config.clone());
    await_that("the first attempt", || here.status().last_error.is_some());
    // Only another configuration ends such a pause early.
    let there = Broker::new();
    config.remote.addresses[0].port = there.port();
    config.reload = signet_bridge::ReloadRule::Lazy;
    let planned = here.planned(config);
    let mut here = here;
    here.bridges.adopt(vec![planned]).unwrap();
    let _connection = there.welcome(Connack::default());
    here.await_connected();
}
