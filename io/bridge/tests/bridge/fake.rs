//! Brokers that do what is hard to bring about with a real one: lose a session, refuse for now, know no bridges, take one message at a time.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU16;

use bytes::{Buf as _, BytesMut};
use signet_bridge::Direction;
use signet_mqtt::{Ack, Connack, Connect, DecodeLimits, Decoder, Packet, ProtocolVersion, Publish, QoS, ReasonCode, Role, Suback, encode};
use signet_testkit::{packet_id, publish_packet};

use crate::rig::{Here, PATIENCE, bridge, rule};

pub(crate) struct Broker {
    pub(crate) listener: TcpListener,
}

pub(crate) struct Connection {
    socket: TcpStream,
    decoder: Decoder,
    inbound: BytesMut,
    version: ProtocolVersion,
}

impl Broker {
    pub(crate) fn new() -> Self {
        Self::at(0)
    }

    pub(crate) fn at(port: u16) -> Self {
        Self { listener: TcpListener::bind(("127.0.0.1", port)).unwrap() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next connection, with its CONNECT.
    pub(crate) fn accept(&self) -> (Connection, Connect) {
        let (socket, _) = self.listener.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let decoder = Decoder::new(Role::Client, DecodeLimits::default());
        let mut connection = Connection { socket, decoder, inbound: BytesMut::new(), version: ProtocolVersion::V5 };
        match connection.expect() {
            Packet::Connect(connect) => {
                connection.version = connect.version;
                (connection, *connect)
            }
            other => panic!("expected CONNECT, got {other:?}"),
        }
    }

    /// The same, accepted, with its subscriptions granted.
    pub(crate) fn welcome(&self, connack: Connack) -> Connection {
        let (mut connection, _) = self.accept();
        connection.send(Packet::Connack(Box::new(connack)));
        connection
    }
}

impl Connection {
    pub(crate) fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        encode(&packet, self.version, &mut bytes);
        self.socket.write_all(&bytes).unwrap();
    }

    pub(crate) fn expect(&mut self) -> Packet {
        loop {
            if let Some((packet, consumed)) = self.decoder.decode(&self.inbound).unwrap() {
                self.inbound.advance(consumed);
                return packet;
            }
            let mut chunk = [0; 4096];
            let count = self.socket.read(&mut chunk).unwrap();
            assert!(count > 0, "the bridge closed the connection");
            self.inbound.extend_from_slice(&chunk[..count]);
        }
    }

    pub(crate) fn grant(&mut self) {
        let Packet::Subscribe(subscribe) = self.expect() else { panic!("expected SUBSCRIBE") };
        let reason_codes = subscribe.subscriptions.iter().map(|entry| ReasonCode::granted(entry.options.maximum_qos)).collect();
        self.send(Packet::Suback(Suback {
            packet_id: subscribe.packet_id,
            reason_string: None,
            user_properties: signet_mqtt::UserProperties::default(),
            reason_codes,
        }));
    }

    pub(crate) fn expect_publish(&mut self) -> Publish {
        match self.expect() {
            Packet::Publish(publish) => publish,
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }
}

pub(crate) fn message(payload: &str, qos: QoS, id: u16, dup: bool) -> Packet {
    Packet::Publish(Publish { dup, packet_id: Some(packet_id(id)), ..publish_packet("t", payload, qos, false) })
}

pub(crate) fn resumed() -> Connack {
    Connack { session_present: true, ..Connack::default() }
}

#[test]
fn an_identifier_of_a_lost_session_is_not_mistaken_for_a_repetition() {
    let there = Broker::new();
    let here = Here::starting(bridge(there.port(), ProtocolVersion::V5, vec![rule("t", Direction::In, QoS::ExactlyOnce, "", "")]));
    let mut local = here.client("local");
    local.subscribe("t", QoS::ExactlyOnce);

    let mut connection = there.welcome(Connack::default());
    connection.grant();
    connection.send(message("one", QoS::ExactlyOnce, 1, false));
    assert_eq!(connection.expect(), Packet::Pubrec(Ack::success(packet_id(1))));
    drop(connection);
    local.expect_message("t", "one");

    // The session is there: this is the same message, and comes to nobody again.
    let mut connection = there.welcome(resumed());
    connection.grant();
    connection.send(message("one", QoS::ExactlyOnce, 1, true));
    assert_eq!(connection.expect(), Packet::Pubrec(Ack::success(packet_id(1))));
    drop(connection);

    // The session was lost: this is another message.
    let mut connection = there.welcome(Connack::default());
    connection.grant();
    connection.send(message("two", QoS::ExactlyOnce, 1, false));
    assert_eq!(connection.expect(), Packet::Pubrec(Ack::success(packet_id(1))));
    connection.send(Packet::Pubrel(Ack::success(packet_id(1))));
    assert_eq!(connection.expect(), Packet::Pubcomp(Ack::success(packet_id(1))));
    local.expect_message("t", "two");
}

#[test]
fn an_exchange_goes_on_where_it_was_after_a_lost_connection() {
    let there = Broker::new();
    let here = Here::starting(bridge(there.port(), ProtocolVersion::V5, vec![rule("t", Direction::Out, QoS::ExactlyOnce, "", "")]));
    let mut connection = there.welcome(Connack::default());
    here.await_connected();
    here.client("p").publish("t", "x", QoS::ExactlyOnce, false);
    let first = connection.expect_publish();
    drop(connection);

    let mut connection = there.welcome(resumed());
    let again = connection.expect_publish();
    assert_eq!((again.packet_id, again.dup), (first.packet_id, true));
    let id = first.packet_id.unwrap();
    connection.send(Packet::Pubrec(Ack::success(id)));
    assert_eq!(connection.expect(), Packet::Pubrel(Ack::success(id)));
    drop(connection);

    let mut connection = there.welcome(resumed());
    assert_eq!(connection.expect(), Packet::Pubrel(Ack::success(id)));
    connection.send(Packet::Pubcomp(Ack::success(id)));
    here.client("p").publish("t", "next", QoS::AtLeastOnce, false);
    assert_eq!(connection.expect_publish().payload, "next");
}

#[test]
fn what_is_refused_for_now_is_sent_again_on_the_next_connection() {
    let there = Broker::new();
    let here = Here::starting(bridge(there.port(), ProtocolVersion::V5, vec![rule("t", Direction::Out, QoS::ExactlyOnce, "", "")]));
    let mut connection = there.welcome(Connack::default());
    here.await_connected();
    here.client("p").publish("t", "x", QoS::AtLeastOnce, false);
    let id = connection.expect_publish().packet_id.unwrap();
    connection.send(Packet::Puback(Ack::new(id, ReasonCode::QuotaExceeded)));

    let mut connection = there.welcome(resumed());
    assert_eq!(connection.expect_publish().payload, "x");
    connection.send(Packet::Puback(Ack::new(id, ReasonCode::NotAuthorized)));
    here.client("p").publish("t", "y", QoS::AtLeastOnce, false);
    assert_eq!(connection.expect_publish().payload, "y", "a refusal for good is one");
    assert_eq!(here.status().dropped.refused, 1);
    assert!(here.status().last_error.unwrap().contains("cannot take a message now"));
}

#[test]
fn a_server_that_does_not_know_bridges_is_told_nothing_of_one() {
    let there = Broker::new();
    let here = Here::starting(bridge(there.port(), ProtocolVersion::V311, vec![rule("t", Direction::Out, QoS::AtLeastOnce, "", "")]));
    let (mut connection, connect) = there.accept();
    assert!(connect.is_bridge);
    connection.send(Packet::Connack(Box::new(Connack { reason_code: ReasonCode::UnsupportedProtocolVersion, ..Connack::default() })));
    let (mut connection, connect) = there.accept();
    assert!(!connect.is_bridge);
    connection.send(Packet::Connack(Box::default()));
    here.await_connected();
    drop(connection);
    let (_connection, connect) = there.accept();
    assert!(!connect.is_bridge, "it is remembered");
}

#[test]
fn no_more_is_under_way_than_the_other_broker_takes() {
    let there = Broker::new();
    let here = Here::starting(bridge(there.port(), ProtocolVersion::V5, vec![rule("t", Direction::Out, QoS::AtLeastOnce, "", "")]));
    let mut connack = Connack::default();
    connack.properties.receive_maximum = NonZeroU16::new(1);
    let mut connection = there.welcome(connack);
    here.await_connected();
    let mut publisher = here.client("p");
    for payload in ["1", "2", "3"] {
        publisher.publish("t", payload, QoS::AtLeastOnce, false);
    }
    // A message without acknowledgement has no place to wait for.
    publisher.publish("t", "passes", QoS::AtMostOnce, false);
    let first = connection.expect_publish();
    assert_eq!(first.payload, "1");
    let mut seen = Vec::new();
    let mut waiting = first.packet_id;
    while seen.len() < 3 {
        if let Some(id) = waiting.take() {
            connection.send(Packet::Puback(Ack::success(id)));
        }
        let publish = connection.expect_publish();
        waiting = publish.packet_id;
        seen.push(publish.payload);
    }
    seen.sort();
    assert_eq!(seen, ["2", "3", "passes"]);
}

#[test]
fn a_broker_that_falls_silent_is_given_up() {
    let there = Broker::new();
    let mut config = bridge(there.port(), ProtocolVersion::V5, vec![rule("t", Direction::Out, QoS::AtLeastOnce, "", "")]);
    config.session.keep_alive = 1;
    let here = Here::starting(config);
    let mut silent = there.welcome(Connack::default());
    assert_eq!(silent.expect(), Packet::Pingreq);
    let mut connection = there.welcome(resumed());
    for _ in 0..2 {
        assert_eq!(connection.expect(), Packet::Pingreq);
        connection.send(Packet::Pingresp);
    }
    assert!(here.status().last_error.unwrap().contains("did not answer a PINGREQ"));
    assert_eq!(here.status().connections, 2, "one that answers is not");
}

#[test]
fn a_broker_that_writes_and_does_not_read_blocks_nobody_for_ever() {
    let there = Broker::new();
    let topics = vec![rule("in/#", Direction::In, QoS::AtMostOnce, "", ""), rule("out/#", Direction::Out, QoS::AtLeastOnce, "", "")];
    let here = Here::starting(bridge(there.port(), ProtocolVersion::V5, topics));
    let mut connection = there.welcome(Connack::default());
    connection.grant();
    connection.socket.set_write_timeout(Some(PATIENCE)).unwrap();
    here.await_connected();
    let payload = "x".repeat(10_000);
    let (flood, target) = (payload.clone(), here.target());
    let publisher = std::thread::spawn(move || {
        let mut client = signet_testkit::Device::connect(&target, ProtocolVersion::V5, "p");
        for _ in 0..3000 {
            client.publish("out/flood", &flood, QoS::AtMostOnce, false);
        }
        client.publish("out/end", "x", QoS::AtLeastOnce, false);
    });
    for _ in 0..3000 {
        connection.send(Packet::Publish(publish_packet("in/flood", &payload, QoS::AtMostOnce, false)));
    }
    // Now it reads: what has to arrive does.
    while connection.expect_publish().topic != Some(signet_testkit::topic("out/end")) {}
    publisher.join().unwrap();
    assert_eq!(here.status().connections, 1);
}

#[test]
fn a_broker_that_sends_messages_instead_of_its_suback_is_given_up() {
    let there = Broker::new();
    let topics = vec![rule("in/#", Direction::In, QoS::AtMostOnce, "", "")];
    let here = Here::starting(bridge(there.port(), ProtocolVersion::V311, topics));
    let mut hostile = there.welcome(Connack::default());
    let Packet::Subscribe(_) = hostile.expect() else { panic!("expected SUBSCRIBE") };
    let mut message = BytesMut::new();
    encode(&Packet::Publish(publish_packet("in/flood", &"x".repeat(4 << 20), QoS::AtMostOnce, false)), hostile.version, &mut message);
    // What a bridge may hold, and as much again for what is on its way.
    let is_given_up = (0..128).any(|_| hostile.socket.write_all(&message).is_err());
    assert!(is_given_up, "it holds all of it");
    drop(there.accept());
    assert!(here.status().last_error.unwrap().contains("more messages wait"));
}
