//! Crowds and hurry: who is let in when there is no room for everybody, and who has to wait.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use signet_broker::Limits;
use signet_mqtt::{Packet, ProtocolVersion, QoS, ReasonCode};
use signet_server::ServerStats;
use signet_testkit::{Device, connect_packet, publish_packet};

use super::rig::{Rig, await_that};

/// CONNECT of MQTT 3.1.1, clean session, Keep Alive 1 s, no identifier.
const CONNECT: &[u8] = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x01\x00\x00";

/// A socket of the client 127.0.0.`last`.
fn come(rig: &Rig, listener: &str, last: u8) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], rig.port(listener))).into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.into()
}

/// Sends CONNECT and returns the Connect Return Code.
fn connect(socket: &mut TcpStream) -> u8 {
    socket.write_all(CONNECT).unwrap();
    let mut connack = [0; 4];
    socket.read_exact(&mut connack).unwrap();
    assert_eq!(connack[..3], [0x20, 2, 0]);
    connack[3]
}

fn is_closed(socket: &mut TcpStream) -> bool {
    match socket.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn refused(stats: &ServerStats, cause: &str) -> u64 {
    stats.refused_by.iter().find(|(name, _)| *name == cause).unwrap_or_else(|| panic!("no cause `{cause}`")).1
}

#[test]
fn silent_connections_do_not_keep_out_another_address() {
    let rig = Rig::with(2, |config| {
        config.listeners[0].maximum_connections = 20;
        config.listeners[0].connect_timeout = Duration::from_secs(300);
    });
    let mut crowd: Vec<TcpStream> = (0..20).map(|_| come(&rig, "mqtt", 1)).collect();
    await_that(|| rig.server.stats().sockets == 20, "the crowd");
    // One more of the crowd is refused, somebody else takes the place of its oldest.
    assert!(is_closed(&mut come(&rig, "mqtt", 1)));
    let mut other = come(&rig, "mqtt", 2);
    assert_eq!(connect(&mut other), 0);
    assert!(is_closed(&mut crowd[0]));
    let stats = rig.server.stats();
    assert_eq!((refused(&stats, "displaced"), refused(&stats, "listener full")), (1, 1));
    // Who has sent CONNECT stays, also when its address comes with more.
    assert_eq!(connect(&mut crowd[1]), 0);
    let _more: Vec<TcpStream> = (3..9).map(|last| come(&rig, "mqtt", last)).collect();
    await_that(|| refused(&rig.server.stats(), "displaced") == 7, "six more displaced");
    crowd[1].write_all(b"\xc0\x00").unwrap();
    let mut pong = [0; 2];
    crowd[1].read_exact(&mut pong).unwrap();
}

#[test]
fn who_is_refused_and_does_not_leave_makes_room_too() {
    let rig = Rig::with(1, |config| config.listeners[0].maximum_connections = 4);
    let mut crowd: Vec<TcpStream> = (0..4).map(|_| come(&rig, "mqtt", 1)).collect();
    for socket in &mut crowd {
        socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    }
    await_that(|| refused(&rig.server.stats(), "CONNECT") == 4, "the crowd to be refused");
    let mut others: Vec<TcpStream> = (2..5).map(|last| come(&rig, "mqtt", last)).collect();
    assert!(others.iter_mut().all(|socket| connect(socket) == 0));
    let sockets = rig.server.stats().sockets;
    assert!(sockets <= 4, "{sockets} connections");
}

#[test]
fn handshakes_that_never_end_do_not_keep_out_another_address() {
    let rig = Rig::with(1, |config| {
        config.server_limits.handshakes_maximum = 4;
        config.listeners[1].handshake_timeout = Duration::from_secs(300);
    });
    let crowd: Vec<TcpStream> = (0..9).map(|_| come(&rig, "mqtts", 1)).collect();
    await_that(|| rig.server.stats().sockets == 9, "the crowd");
    assert_eq!(rig.server.stats().handshakes.under_way, 4, "the others wait");
    // This is no TLS, and only a handshake that goes on says so.
    let mut other = come(&rig, "mqtts", 2);
    other.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(is_closed(&mut other));
    await_that(|| refused(&rig.server.stats(), "displaced") == 1, "one of the crowd to go");
    // The crowd's own turn comes too.
    drop(crowd);
    let pump = rig.pki.device("pump-7");
    Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "pump-7").leave(ReasonCode::Success);
    assert_eq!(rig.server.stats().handshakes.full, 1);
}

#[test]
fn an_address_and_the_server_may_have_so_many_connections() {
    let rig = Rig::with(1, |config| {
        config.listeners[0].limits.connections_per_address_maximum = 2;
        config.server_limits.connections_maximum = 3;
    });
    let mut sockets: Vec<TcpStream> = (0..2).map(|_| come(&rig, "mqtt", 1)).collect();
    assert!(sockets.iter_mut().all(|socket| connect(socket) == 0));
    assert!(is_closed(&mut come(&rig, "mqtt", 1)));
    let mut third = come(&rig, "mqtt", 2);
    assert_eq!(connect(&mut third), 0);
    assert!(is_closed(&mut come(&rig, "mqtts", 3)));
    let stats = rig.server.stats();
    assert_eq!((refused(&stats, "address full"), refused(&stats, "server full"), stats.refused), (1, 1, 2));
    drop(sockets);
    await_that(|| rig.server.stats().sockets == 1, "the places to be free");
    assert_eq!(connect(&mut come(&rig, "mqtt", 1)), 0);
}

#[test]
fn who_connects_too_fast_waits() {
    let rig = Rig::with(1, |config| config.listeners[0].limits.connect_rate = 2);
    let begin = Instant::now();
    // Two that were saved up, one that overdraws, and one for which there has to be half a second.
    let mut sockets: Vec<TcpStream> = (0..4).map(|_| come(&rig, "mqtt", 1)).collect();
    assert!(sockets.iter_mut().all(|socket| connect(socket) == 0), "nobody is refused");
    assert!(begin.elapsed() >= Duration::from_millis(400), "{:?}", begin.elapsed());
    assert_eq!(rig.server.stats().refused, 0);
}

#[test]
fn too_many_connects_are_answered_so() {
    let rig = Rig::with(2, |config| config.server_limits.connect_rate_total = 2);
    let mut sockets: Vec<TcpStream> = (0..30).map(|_| come(&rig, "mqtt", 1)).collect();
    for socket in &mut sockets {
        socket.write_all(CONNECT).unwrap();
    }
    let codes: Vec<u8> = sockets
        .iter_mut()
        .map(|socket| {
            let mut connack = [0; 4];
            socket.read_exact(&mut connack).unwrap();
            connack[3]
        })
        .collect();
    // MQTT 3.1.1 says `server unavailable`.
    let refusals = codes.iter().filter(|code| **code == 3).count();
    assert!((1..30).contains(&refusals), "{codes:?}");
    assert_eq!(refused(&rig.server.stats(), "connect rate"), u64::try_from(refusals).unwrap());
    // MQTT 5.0 has a code for it. Whoever comes in time is let in.
    let mut seen = Vec::new();
    await_that(
        || {
            seen.push(Device::introduce(&rig.tcp(), connect_packet(ProtocolVersion::V5, "")).1.reason_code);
            seen.contains(&ReasonCode::ConnectionRateExceeded) && seen.contains(&ReasonCode::Success)
        },
        "both answers",
    );
    assert!(seen.iter().all(|code| [ReasonCode::ConnectionRateExceeded, ReasonCode::Success].contains(code)), "{seen:?}");
}

/// More than the rate allows is read later; nothing is dropped and the order stays.
#[test]
fn who_publishes_too_fast_is_read_slowly() {
    let rig = Rig::with(1, |config| config.listeners[0].limits.publish_rate = 20);
    let mut subscriber = Device::connect(&rig.tcp(), ProtocolVersion::V5, "subscriber");
    subscriber.subscribe("t", QoS::AtMostOnce);
    let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "publisher");
    let begin = Instant::now();
    for number in 0..50 {
        publisher.publish("t", &number.to_string(), QoS::AtMostOnce, false);
    }
    for number in 0..50 {
        subscriber.expect_message("t", &number.to_string());
    }
    // Twenty were saved up; the others take 50 ms each.
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    // Others publish undisturbed meanwhile: the rate is of each connection.
    assert_eq!(rig.server.stats().received.publishes, [50, 0, 0]);
}

/// A client that is not read cannot keep its Keep Alive, and is not to blame for it.
#[test]
fn who_is_held_back_is_not_taken_for_dead() {
    let rig = Rig::with(1, |config| config.listeners[0].limits.receive_rate = 1000);
    let mut socket = come(&rig, "mqtt", 1);
    assert_eq!(connect(&mut socket), 0);
    let begin = Instant::now();
    // 4 000 octets: a second is saved up, three are to wait, and the client may be silent for one and a half.
    socket.write_all(b"\x30\x9d\x1f\x00\x01t").unwrap();
    socket.write_all(&[b'x'; 3_994]).unwrap();
    socket.write_all(b"\xc0\x00").unwrap();
    let mut pong = [0; 2];
    socket.read_exact(&mut pong).unwrap();
    assert_eq!(pong, [0xd0, 0]);
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
    assert_eq!(rig.server.stats().broker.keep_alive_timeouts, 0);
}

#[test]
fn each_listener_has_its_own_limits() {
    let rig = Rig::with(2, |config| {
        let listener = &mut config.listeners[0];
        listener.limits.decode.maximum_packet_size = 1000;
        let limits = Limits { maximum_packet_size: 1000, receive_maximum: 3, subscriptions_maximum: 1, ..Limits::default() };
        listener.broker_limits = Some(Arc::new(limits));
    });
    let pump = rig.pki.device("pump-7");
    let (mut wide, connack) = Device::introduce(&rig.tls(&pump), connect_packet(ProtocolVersion::V5, "pump-7"));
    assert_eq!(connack.properties.receive_maximum.map(u16::from), Some(Limits::default().receive_maximum));
    let (mut narrow, connack) = Device::introduce(&rig.tcp(), connect_packet(ProtocolVersion::V5, "narrow"));
    assert_eq!(connack.properties.receive_maximum.map(u16::from), Some(3));
    assert_eq!(connack.properties.maximum_packet_size.map(u32::from), Some(1000));
    for (device, expected) in [(&mut wide, ReasonCode::GrantedQoS1), (&mut narrow, ReasonCode::QuotaExceeded)] {
        assert_eq!(device.subscribe("a", QoS::AtLeastOnce), ReasonCode::GrantedQoS1);
        assert_eq!(device.subscribe("b", QoS::AtLeastOnce), expected);
    }
    let text = "x".repeat(2000);
    wide.publish("c", &text, QoS::AtLeastOnce, false);
    narrow.send(&Packet::Publish(publish_packet("c", &text, QoS::AtMostOnce, false)));
    narrow.expect_ended(ReasonCode::PacketTooLarge);
}

#[test]
fn packets_and_octets_are_counted() {
    let rig = Rig::new(2);
    let mut subscriber = Device::connect(&rig.tcp(), ProtocolVersion::V311, "subscriber");
    subscriber.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V311, "publisher");
    publisher.publish("t", "12345", QoS::AtLeastOnce, false);
    publisher.publish("t", "1", QoS::ExactlyOnce, true);
    subscriber.expect_message("t", "12345");
    subscriber.expect_message("t", "1");
    publisher.leave(ReasonCode::Success);
    await_that(|| matches!(rig.server.stats(), stats if (stats.connections, stats.sockets) == (1, 1)), "the publisher to leave");
    let stats = rig.server.stats();
    assert_eq!((stats.received.publishes, stats.received.payload_octets), ([0, 1, 1], 6));
    assert_eq!((stats.sent.publishes, stats.sent.payload_octets), ([0, 2, 0], 6));
    assert_eq!((stats.connects, stats.accepted, stats.sockets), (2, 2, 1));
    assert_eq!((stats.held.subscriptions, stats.held.retained), (1, 1));
    // CONNECT twice, SUBSCRIBE, PUBLISH twice, PUBREL, DISCONNECT, and perhaps PUBACK of the subscriber.
    assert!((7..=9).contains(&stats.received.packets), "{stats:?}");
    // CONNACK twice, SUBACK, PUBACK, PUBREC, PUBCOMP, PUBLISH twice.
    assert_eq!(stats.sent.packets, 8);
    // 4 octets for each of them but SUBACK, and PUBLISH is 7 with its payload's length.
    assert_eq!(stats.sent.octets, 4 * 5 + 5 + (7 + 5) + (7 + 1));
}
