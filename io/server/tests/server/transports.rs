//! WebSocket and unix sockets: what is the same as over TCP and TLS, and what only they have.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use signet_mqtt::{ProtocolVersion, QoS, ReasonCode};
use signet_net::{PeerAddress, Transport};
use signet_testkit::{Device, connect_packet};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::{Message, WebSocket};

use super::rig::{Rig, await_log, capture_log};

/// CONNECT of MQTT 5.0 with the identifier `a`.
const CONNECT: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01a";
const PINGREQ: &[u8] = b"\xc0\0";
const PINGRESP: &[u8] = b"\xd0\0";

/// Somebody else's WebSocket client.
fn websocket(rig: &Rig) -> WebSocket<TcpStream> {
    let mut request = format!("ws://127.0.0.1:{}/mqtt", rig.port("ws")).into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
    let (socket, response) = tungstenite::client(request, rig.raw("ws")).unwrap();
    assert_eq!(response.headers().get("sec-websocket-protocol").unwrap(), "mqtt");
    socket
}

fn binary(socket: &mut WebSocket<TcpStream>) -> Vec<u8> {
    match socket.read().unwrap() {
        Message::Binary(bytes) => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn fragment(opcode: Data, is_final: bool, payload: &[u8]) -> Message {
    let header = FrameHeader { is_final, opcode: OpCode::Data(opcode), mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
    Message::Frame(Frame::from_payload(header, payload.to_vec().into()))
}

#[test]
fn packets_need_not_end_where_frames_end() {
    let rig = Rig::new(2);
    let mut socket = websocket(&rig);
    let (start, rest) = CONNECT.split_at(5);
    socket.send(Message::binary(start.to_vec())).unwrap();
    socket.send(fragment(Data::Binary, false, &rest[..3])).unwrap();
    socket.send(Message::Ping("are you there".into())).unwrap();
    // The rest of CONNECT and two packets more, in one frame.
    socket.send(fragment(Data::Continue, true, &[&rest[3..], PINGREQ, PINGREQ].concat())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("are you there".into()));
    let mut answer = Vec::new();
    while !answer.ends_with(&[PINGRESP, PINGRESP].concat()) {
        answer.extend(binary(&mut socket));
    }
    assert_eq!(answer[0], 0x20, "CONNACK first");
    // Larger than a frame may say in one or two octets, and larger than one read.
    let mut publish = [b"\x30".as_slice(), &[0xF1, 0x97, 0x09], b"\0\x01t\0"].concat();
    publish.extend(vec![b'x'; 150_509]);
    socket.send(Message::binary([b"\x82\x07\0\x01\0\0\x01t\0".as_slice(), &publish[..10]].concat())).unwrap();
    assert_eq!(binary(&mut socket)[0], 0x90, "SUBACK");
    socket.send(Message::binary(publish[10..].to_vec())).unwrap();
    let mut echo = Vec::new();
    while echo.len() < publish.len() {
        echo.extend(binary(&mut socket));
    }
    assert!(echo == publish);
}

#[test]
fn closing_is_answered_on_both_sides() {
    let rig = Rig::new(1);
    let mut socket = websocket(&rig);
    socket.send(Message::binary(CONNECT)).unwrap();
    assert_eq!(binary(&mut socket)[0], 0x20);
    socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() })).unwrap();
    match socket.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Normal),
        other => panic!("{other:?}"),
    }
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
    rig.await_connections(0);

    // The other way round: DISCONNECT makes the broker close.
    let mut socket = websocket(&rig);
    socket.send(Message::binary([CONNECT, b"\xe0\0"].concat())).unwrap();
    assert_eq!(binary(&mut socket)[0], 0x20);
    match socket.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Normal),
        other => panic!("{other:?}"),
    }
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn a_text_frame_ends_the_connection_and_publishes_the_will() {
    let rig = Rig::new(1);
    let mut watcher = Device::connect(&rig.ws(), ProtocolVersion::V5, "watcher");
    watcher.subscribe("will", QoS::AtMostOnce);
    let mut socket = websocket(&rig);
    // With a will: topic `will`, payload `x`.
    socket.send(Message::binary(b"\x10\x18\0\x04MQTT\x05\x06\0\0\0\0\x01b\0\0\x04will\0\x01x".as_slice())).unwrap();
    assert_eq!(binary(&mut socket)[0], 0x20);
    socket.send(Message::text("hello")).unwrap();
    match socket.read().unwrap() {
        Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Unsupported),
        other => panic!("{other:?}"),
    }
    watcher.expect_message("will", "x");
}

#[test]
fn an_identity_is_one_over_websocket_too() {
    let rig = Rig::new(2);
    let pump = rig.pki.device("pump-7");
    let mut device = Device::connect(&rig.wss(&pump), ProtocolVersion::V5, "pump-7");
    let connection = rig.connections().pop().unwrap();
    assert_eq!(connection.entry.transport, Transport::SecureWebSocket);
    assert_eq!(connection.entry.peer.identity().unwrap().name().as_str(), "pump-7");
    let report = rig.revoke(&pump);
    assert_eq!((report.found, report.closed), (1, 1));
    device.expect_ended(ReasonCode::AdministrativeAction);
    assert!(Device::try_open(&rig.wss(&pump), ProtocolVersion::V5).is_err());
}

#[test]
fn a_unix_socket_says_who_is_at_the_other_end() {
    let rig = Rig::new(1);
    let _device = Device::connect(&rig.unix(), ProtocolVersion::V311, "local");
    let entry = rig.connections().pop().unwrap().entry;
    let PeerAddress::Unix(Some(peer)) = entry.address else { panic!("{:?}", entry.address) };
    assert_eq!(u32::try_from(peer.pid).unwrap(), std::process::id());
    assert_eq!(entry.transport, Transport::Tcp);
    assert_eq!(&*entry.listener, "unix");
}

fn answer(rig: &Rig, listener: &str, bytes: &[u8]) -> String {
    let mut socket = rig.raw(listener);
    socket.write_all(bytes).unwrap();
    let mut got = Vec::new();
    let _ = socket.read_to_end(&mut got);
    String::from_utf8_lossy(&got).into_owned()
}

#[test]
fn who_speaks_something_else_is_told_and_logged() {
    capture_log();
    let rig = Rig::new(1);
    let page = answer(&rig, "ws", b"GET /mqtt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 426 ") && page.contains("MQTT broker"), "{page}");
    await_log(&["signet::refused", "listener=\"ws\"", "check=\"WebSocket\"", "asks for no WebSocket", "hint="]);
    assert!(answer(&rig, "ws", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert_eq!(answer(&rig, "ws", CONNECT), "");
    await_log(&["signet::refused", "listener=\"ws\"", "MQTT without WebSocket"]);
    assert_eq!(answer(&rig, "ws", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), "");
    await_log(&["signet::refused", "listener=\"ws\"", "TLS handshake on a listener without TLS"]);
    assert_eq!(answer(&rig, "mqtt", b"GET /mqtt HTTP/1.1\r\n\r\n"), "");
    await_log(&["signet::refused", "listener=\"mqtt\"", "speaks HTTP", "wss"]);
    for listener in ["mqtt", "mqtts", "ws", "wss"] {
        answer(&rig, listener, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
        await_log(&["signet::refused", &format!("listener=\"{listener}\""), "PROXY header", "proxy_protocol"]);
    }
    rig.await_connections(0);
}

#[test]
fn an_upgrade_that_does_not_come_is_waited_for_no_longer_than_a_handshake() {
    capture_log();
    let rig = Rig::with(1, |config| config.listeners[2].handshake_timeout = Duration::from_millis(200));
    let mut socket = rig.raw("ws");
    socket.write_all(b"GET /mqtt HTTP/1.1\r\n").unwrap();
    let mut got = Vec::new();
    let _ = socket.read_to_end(&mut got);
    assert_eq!(got, b"");
    await_log(&["signet::refused", "listener=\"ws\"", "no complete WebSocket upgrade", "handshake_timeout"]);
}

#[test]
fn a_page_of_somebody_else_may_not_use_the_certificate_of_a_browser() {
    let rig = Rig::new(1);
    let request = |origin: &str| {
        format!(
            "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        )
    };
    assert!(answer(&rig, "ws", request("https://evil.example").as_bytes()).starts_with("HTTP/1.1 403 "));
    let mut socket = rig.raw("ws");
    socket.write_all(request("https://localhost").as_bytes()).unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
}

#[test]
fn shutting_down_says_good_bye_over_websocket() {
    let rig = Rig::new(2);
    let pump = rig.pki.device("pump-7");
    let mut devices = [
        Device::connect(&rig.ws(), ProtocolVersion::V5, "a"),
        Device::connect(&rig.wss(&pump), ProtocolVersion::V5, "b"),
        Device::connect(&rig.unix(), ProtocolVersion::V5, "c"),
    ];
    let upgraded = Device::open(&rig.ws(), ProtocolVersion::V5);
    let stopping = std::thread::spawn(move || rig.server.shutdown(Duration::from_secs(20)).unwrap());
    for device in &mut devices {
        device.expect_ended(ReasonCode::ServerShuttingDown);
    }
    drop((devices, upgraded));
    stopping.join().unwrap();
}

#[test]
fn every_version_connects_over_every_transport() {
    let rig = Rig::new(2);
    let pump = rig.pki.device("pump-7");
    for version in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
        for target in [rig.tcp(), rig.tls(&pump), rig.ws(), rig.wss(&pump), rig.unix()] {
            let (device, connack) = Device::introduce(&target, connect_packet(version, "pump-7"));
            assert_eq!(connack.reason_code, ReasonCode::Success, "{version:?} {target:?}");
            device.leave(ReasonCode::Success);
        }
    }
}

/// Each ping is answered, and answers that nobody reads would pile up.
#[test]
fn who_sends_pings_and_reads_no_pongs_is_not_read_either() {
    let rig = Rig::new(1);
    let mut socket = websocket(&rig);
    socket.send(Message::binary(CONNECT)).unwrap();
    assert_eq!(binary(&mut socket)[0], 0x20);
    let mut raw = socket.get_ref().try_clone().unwrap();
    raw.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    // Masked pings of 125 octets, until the broker takes no more: the buffers of two sockets are full.
    let ping = [[0x89, 0x80 | 125].as_slice(), &[0; 4], &[b'p'; 125]].concat();
    let block = ping.repeat(500);
    let (mut sent, mut at) = (0_usize, 0);
    while let Ok(count) = raw.write(&block[at..]) {
        sent += count;
        at = (at + count) % block.len();
        assert!(sent < 200_000_000, "the broker goes on reading");
    }
    // Once it is read again, everything is answered, and MQTT goes on behind it.
    raw.set_write_timeout(None).unwrap();
    let rest = block[at..].to_vec();
    let finishing = std::thread::spawn(move || {
        raw.write_all(&rest).unwrap();
        raw.write_all(&[0x82, 0x80 | 2, 0, 0, 0, 0, 0xC0, 0]).unwrap();
    });
    while !matches!(socket.read().unwrap(), Message::Binary(bytes) if bytes == PINGRESP) {}
    finishing.join().unwrap();
}
