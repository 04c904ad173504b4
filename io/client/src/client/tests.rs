//! The client against a scripted broker: what it answers, and how it ends.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use bytes::BytesMut;
use signet_mqtt::{ClientIdentifier, ConnectProperties, Decoder, ProtocolVersion, Role};

use super::*;

/// The broker's end of one connection.
struct Scripted {
    socket: TcpStream,
    decoder: Decoder,
    inbound: Vec<u8>,
    version: ProtocolVersion,
}

impl Scripted {
    fn receive(&mut self) -> Option<Packet> {
        loop {
            if let Some((packet, consumed)) = self.decoder.decode(&self.inbound).unwrap() {
                self.inbound.drain(..consumed);
                return Some(packet);
            }
            let mut chunk = [0; 4096];
            match self.socket.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.inbound.extend_from_slice(&chunk[..read]),
            }
        }
    }

    fn send(&mut self, packet: &Packet) {
        let mut out = BytesMut::new();
        signet_mqtt::encode(packet, self.version, &mut out);
        self.socket.write_all(&out).unwrap();
    }
}

fn broker(
    version: ProtocolVersion,
    connack: Connack,
    script: impl FnOnce(&mut Scripted) + Send + 'static,
) -> (ConnectOptions, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let decoder = Decoder::new(Role::Client, DecodeLimits::default());
        let mut scripted = Scripted { socket, decoder, inbound: Vec::new(), version };
        assert!(matches!(scripted.receive(), Some(Packet::Connect(_))));
        scripted.send(&Packet::Connack(Box::new(connack)));
        script(&mut scripted);
    });
    let connect = Connect {
        version,
        is_bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_identifier: ClientIdentifier::new("test"),
        will: None,
        username: None,
        password: None,
        properties: ConnectProperties::default(),
    };
    let endpoint = Endpoint::tcp("127.0.0.1", port);
    (ConnectOptions::new(endpoint, connect, Duration::from_secs(10)), thread)
}

/// What a broker does after CONNACK.
type Script = fn(&mut Scripted);

/// A broker that accepts one connection after another, each by its own script.
fn broker_of_many(version: ProtocolVersion, scripts: Vec<(bool, Script)>) -> (ConnectOptions, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut options, first) = broker(version, Connack::default(), |_| {});
    drop(Client::connect(&options, Trace::off()).unwrap());
    first.join().unwrap();
    options.endpoint = Endpoint::tcp("127.0.0.1", listener.local_addr().unwrap().port());
    let thread = std::thread::spawn(move || {
        for (session_present, script) in scripts {
            let (socket, _) = listener.accept().unwrap();
            let decoder = Decoder::new(Role::Client, DecodeLimits::default());
            let mut scripted = Scripted { socket, decoder, inbound: Vec::new(), version };
            assert!(matches!(scripted.receive(), Some(Packet::Connect(_))));
            scripted.send(&Packet::Connack(Box::new(Connack { session_present, ..Connack::default() })));
            script(&mut scripted);
        }
    });
    (options, thread)
}

fn message(qos: QoS) -> OutgoingMessage {
    let topic = TopicName::new("t").unwrap();
    OutgoingMessage { topic, payload: Bytes::from_static(b"x"), qos, retain: false, properties: Default::default() }
}

fn soon() -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(10))
}

#[test]
fn a_tls_port_is_recognized_by_its_alert() {
    let (mut options, broker_of_others) = broker(ProtocolVersion::V5, Connack::default(), |_| {});
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = std::mem::replace(&mut options.endpoint, Endpoint::tcp("127.0.0.1", listener.local_addr().unwrap().port()));
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        // internal_error, fatal
        socket.write_all(&[21, 3, 3, 0, 2, 2, 80]).unwrap();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
    });
    let error = Client::connect(&options, Trace::off()).unwrap_err();
    assert_eq!(error.to_string(), "this port speaks TLS, and we did not");
    assert!(error.hint().unwrap().contains("--cafile"));
    assert_eq!(error.exit_code(), 8);
    thread.join().unwrap();
    options.endpoint = other;
    drop(Client::connect(&options, Trace::off()).unwrap());
    broker_of_others.join().unwrap();
}

#[test]
fn a_refused_connection_is_told_with_the_brokers_reason() {
    let mut connack = Connack { reason_code: ReasonCode::ClientIdentifierNotValid, ..Connack::default() };
    connack.properties.reason_string = Some("identifier belongs to pump-8".into());
    let (options, thread) = broker(ProtocolVersion::V5, connack, |_| {});
    let error = Client::connect(&options, Trace::off()).unwrap_err();
    assert_eq!(error.to_string(), "the broker refused the connection: client Identifier not valid (0x85): identifier belongs to pump-8");
    thread.join().unwrap();
}

#[test]
fn a_disconnect_arrives_with_code_and_words_even_when_we_were_about_to_write() {
    let (options, thread) = broker(ProtocolVersion::V5, Connack::default(), |broker| {
        let mut disconnect = Disconnect::new(ReasonCode::AdministrativeAction);
        disconnect.reason_string = Some("certificate revoked: keyCompromise".into());
        broker.send(&Packet::Disconnect(Box::new(disconnect)));
        let _ = broker.socket.shutdown(std::net::Shutdown::Both);
    });
    let mut client = Client::connect(&options, Trace::off()).unwrap();
    thread.join().unwrap();
    // The socket is gone by now; every write may fail, and still the reason has to come out.
    let error = loop {
        if let Err(error) = client.publish(message(QoS::AtMostOnce)) {
            break error;
        }
        if let Err(error) = client.poll(soon()) {
            break error;
        }
    };
    assert_eq!(error.to_string(), "disconnected by the broker: administrative action (0x98): certificate revoked: keyCompromise");
}

#[test]
fn never_more_in_flight_than_the_receive_maximum() {
    let mut connack = Connack::default();
    connack.properties.receive_maximum = NonZeroU16::new(2);
    let (options, thread) = broker(ProtocolVersion::V5, connack, |broker| {
        let mut waiting = VecDeque::new();
        let mut seen = 0;
        while seen < 5 || !waiting.is_empty() {
            // Only when two wait, or the rest has come, is one acknowledged: a third would be the client's mistake.
            if waiting.len() == 2 || seen == 5 {
                let id = waiting.pop_front().unwrap();
                broker.socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                if waiting.len() == 1 && seen < 5 {
                    assert!(broker.receive().is_none(), "a third message was sent");
                }
                broker.socket.set_read_timeout(None).unwrap();
                broker.send(&Packet::Puback(Ack::success(id)));
                continue;
            }
            match broker.receive() {
                Some(Packet::Publish(publish)) => {
                    waiting.push_back(publish.packet_id.unwrap());
                    seen += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    });
    let mut client = Client::connect(&options, Trace::off()).unwrap();
    for _ in 0..5 {
        client.publish(message(QoS::AtLeastOnce)).unwrap();
    }
    client.flush().unwrap();
    thread.join().unwrap();
}

#[test]
fn a_repeated_qos_2_message_is_acknowledged_twice_and_shown_once() {
    let (options, thread) = broker(ProtocolVersion::V311, Connack::default(), |broker| {
        let id = PacketId::new(9).unwrap();
        let publish = |dup| {
            Packet::Publish(Publish {
                dup,
                qos: QoS::ExactlyOnce,
                retain: false,
                topic: Some(TopicName::new("t").unwrap()),
                packet_id: Some(id),
                properties: Default::default(),
                payload: Bytes::from_static(b"once"),
            })
        };
        for dup in [false, true] {
            broker.send(&publish(dup));
            assert!(matches!(broker.receive(), Some(Packet::Pubrec(ack)) if ack.packet_id == id));
        }
        broker.send(&Packet::Pubrel(Ack::success(id)));
        assert!(matches!(broker.receive(), Some(Packet::Pubcomp(ack)) if ack.packet_id == id));
        broker.send(&publish(false));
        assert!(matches!(broker.receive(), Some(Packet::Pubrec(_))));
    });
    let mut client = Client::connect(&options, Trace::off()).unwrap();
    for _ in 0..2 {
        assert!(matches!(client.poll(soon()).unwrap(), Some(Event::Message(publish)) if publish.payload == "once"));
    }
    assert!(matches!(client.poll(soon()), Err(ClientError::Closed { .. })));
    thread.join().unwrap();
}

#[test]
fn a_refused_message_is_an_event_and_not_the_end() {
    let (options, thread) = broker(ProtocolVersion::V5, Connack::default(), |broker| {
        let Some(Packet::Publish(publish)) = broker.receive() else { panic!() };
        broker.send(&Packet::Pubrec(Ack::new(publish.packet_id.unwrap(), ReasonCode::NotAuthorized)));
        assert!(matches!(broker.receive(), Some(Packet::Disconnect(_))));
    });
    let mut client = Client::connect(&options, Trace::off()).unwrap();
    client.publish(message(QoS::ExactlyOnce)).unwrap();
    client.flush().unwrap();
    assert!(matches!(client.poll(soon()).unwrap(), Some(Event::Published(ack)) if ack.reason_code == ReasonCode::NotAuthorized));
    client.disconnect(ReasonCode::Success).unwrap();
    thread.join().unwrap();
}

#[test]
fn an_acknowledgement_nobody_asked_for_and_bytes_that_are_no_packet_end_the_connection() {
    let (options, thread) = broker(ProtocolVersion::V5, Connack::default(), |broker| {
        broker.send(&Packet::Puback(Ack::success(PacketId::new(7).unwrap())));
    });
    let mut client = Client::connect(&options, Trace::off()).unwrap();
    assert!(matches!(client.poll(soon()), Err(ClientError::Unexpected { packet: "PUBACK" })));
    thread.join().unwrap();

    let (options, thread) = broker(ProtocolVersion::V5, Connack::default(), |broker| broker.socket.write_all(&[0xFF; 8]).unwrap());
    let mut client = Client::connect(&options, Trace::off()).unwrap();
    let error = client.poll(soon()).unwrap_err();
    assert!(matches!(error, ClientError::Malformed(_)), "{error:?}");
    assert_eq!(error.exit_code(), 21);
    thread.join().unwrap();
}

#[test]
fn debug_lines_read_like_those_people_know() {
    let (options, thread) = broker(ProtocolVersion::V311, Connack::default(), |broker| {
        let Some(Packet::Publish(publish)) = broker.receive() else { panic!() };
        broker.send(&Packet::Puback(Ack::success(publish.packet_id.unwrap())));
        assert!(matches!(broker.receive(), Some(Packet::Disconnect(_))));
    });
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = std::sync::Arc::clone(&lines);
    let mut client = Client::connect(&options, Trace::to(move |line| sink.lock().unwrap().push(line.to_owned()))).unwrap();
    client.publish(message(QoS::AtLeastOnce)).unwrap();
    client.flush().unwrap();
    client.disconnect(ReasonCode::Success).unwrap();
    thread.join().unwrap();
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "Client test sending CONNECT",
            "Client test received CONNACK (0)",
            "Client test sending PUBLISH (d0, q1, r0, m1, 't', ... (1 bytes))",
            "Client test received PUBACK (Mid: 1, RC:0)",
            "Client test sending DISCONNECT",
        ]
    );
}

/// Receives two messages, takes over the second, and is gone.
fn leave_in_the_middle(broker: &mut Scripted) {
    assert!(matches!(broker.receive(), Some(Packet::Publish(publish)) if publish.qos == QoS::AtLeastOnce));
    let Some(Packet::Publish(second)) = broker.receive() else { panic!() };
    broker.send(&Packet::Pubrec(Ack::success(second.packet_id.unwrap())));
    assert!(matches!(broker.receive(), Some(Packet::Pubrel(_))));
}

/// A client that has sent two messages to [`leave_in_the_middle`].
fn interrupted_client(options: &ConnectOptions) -> Client {
    let mut client = Client::connect(options, Trace::off()).unwrap();
    client.publish(message(QoS::AtLeastOnce)).unwrap();
    client.publish(message(QoS::ExactlyOnce)).unwrap();
    assert!(matches!(client.flush(), Err(ClientError::Closed { .. } | ClientError::Lost(_))));
    client
}

#[test]
fn what_was_not_acknowledged_is_sent_again_over_a_new_connection() {
    let go_on: Script = |broker| {
        let Some(Packet::Publish(first)) = broker.receive() else { panic!() };
        assert!(first.dup && first.qos == QoS::AtLeastOnce && first.payload == "x", "{first:?}");
        let Some(Packet::Pubrel(second)) = broker.receive() else { panic!() };
        broker.send(&Packet::Puback(Ack::success(first.packet_id.unwrap())));
        broker.send(&Packet::Pubcomp(Ack::success(second.packet_id)));
        assert!(matches!(broker.receive(), Some(Packet::Disconnect(_))));
    };
    let (options, thread) = broker_of_many(ProtocolVersion::V5, vec![(false, leave_in_the_middle), (true, go_on)]);
    let mut client = interrupted_client(&options);
    client.reconnect(&options).unwrap();
    client.flush().unwrap();
    for _ in 0..2 {
        assert!(matches!(client.poll(soon()).unwrap(), Some(Event::Published(ack)) if !ack.reason_code.is_error()));
    }
    client.disconnect(ReasonCode::Success).unwrap();
    thread.join().unwrap();
}

#[test]
fn without_a_session_nothing_is_a_repetition_and_what_the_broker_has_is_done() {
    let go_on: Script = |broker| {
        let Some(Packet::Publish(first)) = broker.receive() else { panic!() };
        assert!(!first.dup && first.qos == QoS::AtLeastOnce, "{first:?}");
        broker.send(&Packet::Puback(Ack::success(first.packet_id.unwrap())));
        assert!(matches!(broker.receive(), Some(Packet::Disconnect(_))));
    };
    let (options, thread) = broker_of_many(ProtocolVersion::V311, vec![(false, leave_in_the_middle), (false, go_on)]);
    let mut client = interrupted_client(&options);
    client.reconnect(&options).unwrap();
    client.flush().unwrap();
    for _ in 0..2 {
        assert!(matches!(client.poll(soon()).unwrap(), Some(Event::Published(_))));
    }
    client.disconnect(ReasonCode::Success).unwrap();
    thread.join().unwrap();
}

#[test]
fn whoever_may_end_the_waits_of_a_connection_may_end_those_of_the_next() {
    let wait: Script = |broker| assert!(broker.receive().is_none());
    let (options, thread) = broker_of_many(ProtocolVersion::V5, vec![(false, |_| {}), (false, wait)]);
    let mut client = Client::connect(&options, Trace::off()).unwrap();
    let interrupter = client.interrupter().unwrap();
    assert!(matches!(client.poll(soon()), Err(ClientError::Closed { .. } | ClientError::Lost(_))));
    client.reconnect(&options).unwrap();
    let other = std::thread::spawn(move || interrupter.interrupt());
    assert!(matches!(client.poll(soon()).unwrap(), Some(Event::Interrupted)));
    other.join().unwrap();
    drop(client);
    thread.join().unwrap();
}
