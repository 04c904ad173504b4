//! Against the server's half, which checks masks and the upgrade.

use std::collections::HashSet;
use std::sync::Arc;

use signet_net::websocket::{Origins, UpgradeRules, WebSocket as Server, WebSocketReceived};

use super::*;

/// Both ends, before anything was sent, and the keys of the client.
fn ends(path: &str) -> (WebSocket, Server, Keys) {
    let mut keys = Keys::new();
    let client = WebSocket::ask("broker.example.com:8883", path, &mut keys).unwrap();
    let rules = UpgradeRules { path: Some("/mqtt".to_owned()), origins: Origins::Any };
    (client, Server::new(Arc::new(rules)), keys)
}

/// Takes what is to be sent.
fn sent(client: &mut WebSocket, out: &mut Vec<u8>, keys: &mut Keys) -> Vec<u8> {
    std::mem::take(client.framed(out, keys).unwrap())
}

/// Both ends after the upgrade.
fn open() -> (WebSocket, Server, Keys) {
    let (mut client, mut server, mut keys) = ends("/mqtt");
    let (mut plaintext, mut answer) = (Vec::new(), Vec::new());
    let request = sent(&mut client, &mut Vec::new(), &mut keys);
    server.receive(&request, &mut plaintext, &mut answer).unwrap();
    assert!(!client.receive(&answer, &mut plaintext, &mut keys).unwrap());
    assert!(plaintext.is_empty());
    (client, server, keys)
}

#[test]
fn nothing_of_mqtt_goes_before_the_upgrade_and_what_comes_behind_the_answer_counts() {
    let (mut client, mut server, mut keys) = ends("/mqtt");
    let mut out = b"CONNECT".to_vec();
    let request = sent(&mut client, &mut out, &mut keys);
    let text = String::from_utf8(request.clone()).unwrap();
    assert!(text.starts_with("GET /mqtt HTTP/1.1\r\nHost: broker.example.com:8883\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    assert_eq!(out, b"CONNECT");
    let (mut plaintext, mut answer) = (Vec::new(), Vec::new());
    let opened = server.receive(&request, &mut plaintext, &mut answer).unwrap();
    assert_eq!(opened, WebSocketReceived { opened: true, closed: false });
    server.send(b"early", &mut answer);
    for octet in answer.chunks(1) {
        assert!(!client.receive(octet, &mut plaintext, &mut keys).unwrap());
    }
    assert_eq!(plaintext, b"early");
    let frames = sent(&mut client, &mut out, &mut keys);
    assert!(out.is_empty() && !frames.windows(7).any(|window| window == b"CONNECT"), "it is not masked: {frames:?}");
    plaintext.clear();
    server.receive(&frames, &mut plaintext, &mut answer).unwrap();
    assert_eq!(plaintext, b"CONNECT");
}

#[test]
fn much_goes_in_several_frames_with_a_key_each() {
    let (mut client, mut server, mut keys) = open();
    let sent_ = vec![b'x'; 5 * FRAME + 1];
    let wire = sent(&mut client, &mut sent_.clone(), &mut keys);
    // Two octets, a length of two, and the key.
    let whole = wire.chunks(FRAME + 8).map(|frame| (frame[1], frame[4..8].to_vec()));
    let seen: HashSet<_> = whole.take(5).inspect(|(second, _)| assert_eq!(*second, 0x80 | 126)).collect();
    assert_eq!(seen.len(), 5, "{seen:?}");
    let (mut plaintext, mut answer) = (Vec::new(), Vec::new());
    server.receive(&wire, &mut plaintext, &mut answer).unwrap();
    assert!(plaintext == sent_ && answer.is_empty());
}

#[test]
fn a_ping_is_answered_unless_too_much_waits() {
    let (mut client, mut server, mut keys) = open();
    let ping = [0x89, 2, b'h', b'i'];
    assert!(!client.receive(&ping, &mut Vec::new(), &mut keys).unwrap());
    assert!(client.wants_write());
    let pong = sent(&mut client, &mut Vec::new(), &mut keys);
    assert_eq!((pong[0], pong[1], pong.len()), (0x8A, 0x82, 8));
    assert!(server.receive(&pong, &mut Vec::new(), &mut Vec::new()).is_ok());
    let waiting = client.framed(&mut vec![0; BACKLOG], &mut keys).unwrap().len();
    client.receive(&ping, &mut Vec::new(), &mut keys).unwrap();
    assert_eq!(client.framed(&mut Vec::new(), &mut keys).unwrap().len(), waiting);
}

#[test]
fn either_end_closes() {
    let (mut client, mut server, mut keys) = open();
    client.close(&mut keys);
    let wire = sent(&mut client, &mut Vec::new(), &mut keys);
    assert!(server.receive(&wire, &mut Vec::new(), &mut Vec::new()).unwrap().closed);
    let (mut client, mut server, mut keys) = open();
    let (mut wire, mut plaintext) = (Vec::new(), Vec::new());
    server.send(b"DISCONNECT", &mut wire);
    server.close(CloseCode::GoingAway, &mut wire);
    assert!(client.receive(&wire, &mut plaintext, &mut keys).unwrap());
    assert_eq!(plaintext, b"DISCONNECT");
}

#[test]
fn a_refusal_says_why() {
    let (mut client, mut server, mut keys) = ends("/other");
    let request = sent(&mut client, &mut Vec::new(), &mut keys);
    let mut answer = Vec::new();
    server.receive(&request, &mut Vec::new(), &mut answer).unwrap_err();
    let refused = client.receive(&answer, &mut Vec::new(), &mut keys).unwrap_err();
    assert!(refused.contains("HTTP status 404") && refused.contains("`/other`"), "{refused}");
    let (mut client, _, mut keys) = ends("/mqtt");
    let refused = client.receive(b"\x20\x02\x00\x00", &mut Vec::new(), &mut keys).unwrap_err();
    assert!(refused.contains("does not speak WebSocket"), "{refused}");
}
