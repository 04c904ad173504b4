//! The octets with which a connection begins: those of Mosquitto's bridge and those of ours.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use signet_mqtt::{Connect, ConnectProperties, DecodeLimits, Decoder, Packet, Role};

use crate::rig::{Near, PATIENCE, Whose, await_that, hostname};

/// The first packets that a bridge sends, octet by octet, each answered as a broker does that grants everything.
fn recorded(whose: Whose, lines: &str, count: usize) -> Vec<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let near = Near::start(whose, &format!("connection rec\naddress 127.0.0.1:{port}\n{lines}\n"));
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    await_that(&format!("a connection of {whose:?} with {lines}"), || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (mut socket, _) = accepted.unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut packets = Vec::new();
    let mut is_newest = false;
    while packets.len() < count {
        let packet = next(&mut socket).unwrap_or_else(|| panic!("{whose:?} sent {packets:x?} only\n{}", near.log()));
        if packet[0] == 0x10 {
            is_newest = packet[8] == 5;
        }
        socket.write_all(&answer(&packet, is_newest)).unwrap();
        packets.push(packet);
    }
    packets
}

fn next(socket: &mut TcpStream) -> Option<Vec<u8>> {
    let mut packet = vec![0; 2];
    socket.read_exact(&mut packet).ok()?;
    // Nothing here is longer than what two octets of length say.
    let mut length = usize::from(packet[1] & 0x7f);
    if packet[1] & 0x80 != 0 {
        let mut more = [0];
        socket.read_exact(&mut more).ok()?;
        packet.push(more[0]);
        length += usize::from(more[0]) << 7;
    }
    let start = packet.len();
    packet.resize(start + length, 0);
    socket.read_exact(&mut packet[start..]).ok()?;
    Some(packet)
}

/// The packet without its fixed header.
fn body(packet: &[u8]) -> &[u8] {
    &packet[if packet[1] & 0x80 == 0 { 2 } else { 3 }..]
}

fn answer(packet: &[u8], is_newest: bool) -> Vec<u8> {
    let id = |at: usize| [body(packet)[at], body(packet)[at + 1]];
    let with_properties = |kind: u8, [high, low]: [u8; 2], codes: &[u8]| {
        let properties: &[u8] = if is_newest { &[0] } else { &[] };
        [&[kind, u8::try_from(2 + properties.len() + codes.len()).unwrap(), high, low], properties, codes].concat()
    };
    match packet[0] >> 4 {
        1 if is_newest => vec![0x20, 3, 0, 0, 0],
        1 => vec![0x20, 2, 0, 0],
        3 => {
            let topic = usize::from(u16::from_be_bytes(id(0)));
            let [high, low] = id(2 + topic);
            vec![0x40, 2, high, low]
        }
        8 => with_properties(0x90, id(0), &[0]),
        10 if is_newest => with_properties(0xb0, id(0), &[0]),
        10 => with_properties(0xb0, id(0), &[]),
        kind => panic!("packet of type {kind}: {packet:x?}"),
    }
}

fn connect(packet: &[u8]) -> Connect {
    let decoder = Decoder::new(Role::Client, DecodeLimits::default());
    let mut decoder = decoder;
    match decoder.decode(&bytes::BytesMut::from(packet)).unwrap() {
        Some((Packet::Connect(connect), _)) => *connect,
        other => panic!("{other:?}"),
    }
}

const TOPICS: &str = "topic # both 2 near/ far/\ntopic a/+ in 1\ntopic b out\ntopic \"\" out 0 clock time\n";

/// CONNECT, then the notification, then a packet for each topic: two subscriptions and two ends of one.
const ALL: usize = 6;

#[test]
fn before_mqtt_5_every_octet_is_the_same() {
    for (lines, count) in [
        (String::new(), ALL),
        ("try_private false".to_owned(), ALL),
        ("bridge_protocol_version mqttv31".to_owned(), ALL),
        ("bridge_protocol_version mqttv31\ntry_private false".to_owned(), ALL),
        ("notifications false".to_owned(), ALL - 1),
        ("notifications_local_only true".to_owned(), ALL - 1),
        ("notification_topic bridges/state".to_owned(), ALL),
        ("remote_clientid elsewhere".to_owned(), ALL),
        ("clientid elsewhere".to_owned(), ALL),
        ("remote_username ann\nremote_password s3cret word".to_owned(), ALL),
        ("username ann".to_owned(), ALL),
        ("cleansession true".to_owned(), ALL),
        ("cleansession true\nlocal_cleansession false".to_owned(), ALL),
        ("local_cleansession true".to_owned(), ALL),
        ("keepalive_interval 5".to_owned(), ALL),
        ("keepalive_interval 1000".to_owned(), ALL),
        ("bridge_outgoing_retain false".to_owned(), ALL),
        ("bridge_attempt_unsubscribe false".to_owned(), ALL - 2),
        ("local_clientid here\nlocal_username u\nlocal_password p".to_owned(), ALL),
        ("bridge_bind_address 127.0.0.1".to_owned(), ALL),
        ("round_robin true".to_owned(), ALL),
        ("bridge_max_packet_size 100".to_owned(), ALL),
    ] {
        let lines = format!("{lines}\n{TOPICS}");
        let [theirs, ours] = Whose::BOTH.map(|whose| recorded(whose, &lines, count));
        assert_eq!(ours, theirs, "{lines}");
    }
}

#[test]
fn with_mqtt_5_only_the_properties_of_connect_differ() {
    for (lines, expected) in [
        ("", (None, 20, Some(10))),
        ("cleansession true", (None, 20, Some(10))),
        // The rest is newer than the Mosquitto that is at hand.
        ("bridge_session_expiry_interval 60", (Some(60), 20, Some(10))),
        ("bridge_receive_maximum 7", (None, 7, Some(10))),
        ("bridge_max_topic_alias 0", (None, 20, None)),
        ("max_inflight_messages 5", (None, 5, Some(10))),
    ] {
        let common = format!("bridge_protocol_version mqttv50\n{TOPICS}");
        let ours = recorded(Whose::Ours, &format!("{lines}\n{common}"), ALL);
        let properties = connect(&ours[0]).properties;
        let found = (
            properties.session_expiry_interval,
            properties.receive_maximum.map_or(0, std::num::NonZeroU16::get),
            properties.topic_alias_maximum,
        );
        assert_eq!(found, expected, "{lines}");
        if lines.starts_with("bridge") || lines.starts_with("max") {
            continue;
        }
        let theirs = recorded(Whose::Mosquittos, &format!("{lines}\n{common}"), ALL);
        let without = |packet: &[u8]| Connect { properties: ConnectProperties::default(), ..connect(packet) };
        assert_eq!(without(&ours[0]), without(&theirs[0]), "{lines}");
        assert_eq!(ours[1..], theirs[1..], "{lines}");
    }
}

#[test]
fn the_names_are_mosquittos() {
    let ours = recorded(Whose::Ours, TOPICS, 1);
    let connect = connect(&ours[0]);
    assert_eq!(connect.client_identifier.as_str(), format!("{}.rec", hostname()));
    let will = connect.will.unwrap();
    assert_eq!(will.topic.as_str(), format!("$SYS/broker/connection/{}.rec/state", hostname()));
    assert_eq!((&will.payload[..], will.retain, connect.is_bridge, connect.keep_alive), (&b"0"[..], true, true, 60));
}
