//! Upgrades and frames octet by octet; other people's clients are in io/server/tests and test/e2e.

use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn rules(origins: Origins) -> Arc<UpgradeRules> {
    Arc::new(UpgradeRules { path: Some("/mqtt".to_owned()), origins })
}

/// A good request, with lines replaced or added.
fn request(change: impl Fn(String) -> String) -> String {
    let text = format!(
        "GET /mqtt HTTP/1.1\r\nHost: broker.example:8884\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    );
    change(text)
}

fn with_header(line: &str) -> String {
    request(|text| text.replacen("\r\n", &format!("\r\n{line}\r\n"), 1))
}

fn answer(rules: &Arc<UpgradeRules>, request: &str) -> Result<String, String> {
    let mut socket = WebSocket::new(Arc::clone(rules));
    let (mut plaintext, mut wire) = (Vec::new(), Vec::new());
    let result = socket.receive(request.as_bytes(), &mut plaintext, &mut wire);
    let text = String::from_utf8(wire).unwrap();
    match result {
        Ok(received) => {
            assert_eq!(received.opened, text.starts_with("HTTP/1.1 101 "), "{text}");
            Ok(text)
        }
        Err(error) => Err(format!("{error}\n{text}")),
    }
}

fn status(rules: &Arc<UpgradeRules>, request: &str) -> String {
    let text = answer(rules, request).unwrap_or_else(|text| text);
    text.split("HTTP/1.1 ").nth(1).unwrap_or("- no answer").chars().take(3).collect()
}

// === The upgrade ===

#[test]
fn the_answer_of_the_specification() {
    let text = answer(&rules(Origins::Any), &request(|text| text)).unwrap();
    assert!(text.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "RFC 6455 §1.3: {text}");
    assert!(
        text.contains("Sec-WebSocket-Protocol: mqtt\r\n") && text.contains("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"),
        "{text}"
    );
}

#[test]
fn every_cut_of_a_request_waits_for_the_rest() {
    let text = request(|text| text);
    let mut socket = WebSocket::new(rules(Origins::Any));
    let (mut plaintext, mut wire) = (Vec::new(), Vec::new());
    for (at, octet) in text.bytes().enumerate() {
        let received = socket.receive(&[octet], &mut plaintext, &mut wire).unwrap();
        assert_eq!(received.opened, at + 1 == text.len());
        assert_eq!(socket.is_upgrading(), at + 1 < text.len());
    }
    assert!(wire.starts_with(b"HTTP/1.1 101 "));
    assert_eq!(socket.held(), 0, "the request is forgotten");
}

#[test]
fn frames_may_come_together_with_the_request() {
    let mut socket = WebSocket::new(rules(Origins::Any));
    let mut input = request(|text| text).into_bytes();
    input.extend(frame(0x82, b"\xc0\x00"));
    let (mut plaintext, mut wire) = (Vec::new(), Vec::new());
    let received = socket.receive(&input, &mut plaintext, &mut wire).unwrap();
    assert_eq!((received.opened, plaintext.as_slice()), (true, b"\xc0\x00".as_slice()));
}

#[test]
fn requests_that_are_refused() {
    let any = rules(Origins::Any);
    let without =
        |name: &str| request(|text| text.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\r\n")).collect());
    for (expected, request, words) in [
        ("426", "GET /mqtt HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "asks for no WebSocket"),
        ("404", request(|text| text.replace("/mqtt", "/")), "the path `/`, `/mqtt` is served"),
        ("404", request(|text| text.replace("/mqtt", "/mqtt/")), "`/mqtt` is served"),
        ("405", request(|text| text.replace("GET", "POST")), "not GET"),
        ("405", request(|text| text.replace("HTTP/1.1", "HTTP/1.0")), "not GET with HTTP/1.1"),
        ("400", without("Connection"), "no `Connection: Upgrade`"),
        ("400", without("Host"), "`Host`"),
        ("400", without("Sec-WebSocket-Key"), "`Sec-WebSocket-Key`"),
        ("400", request(|text| text.replace(KEY, "c2hvcnQ=")), "`Sec-WebSocket-Key`"),
        ("400", with_header(&format!("Sec-WebSocket-Key: {KEY}")), "`Sec-WebSocket-Key`"),
        ("426", request(|text| text.replace("Version: 13", "Version: 8")), "another version"),
        ("400", without("Sec-WebSocket-Protocol"), "no subprotocol"),
        ("400", request(|text| text.replace("Protocol: mqtt", "Protocol: mqtt5, soap")), "no subprotocol"),
        ("400", with_header("Content-Length: 5"), "has a body"),
        ("400", with_header("Transfer-Encoding: chunked"), "has a body"),
        ("400", request(|text| text.replace("Host:", "Ho st:")), "malformed"),
        ("400", format!("{}Origin: https://evil.example\r\n\r\n", request(|text| text.replace("\r\n", "\n"))), "ends before"),
        ("431", with_header(&format!("Cookie: {}", "a".repeat(MAXIMUM_HEAD))), "of headers"),
        ("431", with_header(&["X: y"; 70].join("\r\n")), "more than 64 headers"),
    ] {
        let text = answer(&any, &request).expect_err(&request);
        assert!(text.contains(words), "{text}");
        assert_eq!(status(&any, &request), expected, "{request}");
        assert!(text.contains("\r\nContent-Length: "), "{text}");
    }
}

#[test]
fn the_subprotocol_is_one_of_two() {
    let any = rules(Origins::Any);
    let offered = |list: &str| answer(&any, &request(|text| text.replace("Protocol: mqtt", &format!("Protocol: {list}")))).unwrap();
    assert!(offered("soap, mqtt").contains("Protocol: mqtt\r\n"));
    assert!(offered("mqttv3.1, mqtt").contains("Protocol: mqtt\r\n"));
    assert!(offered("mqttv3.1").contains("Protocol: mqttv3.1\r\n"));
}

#[test]
fn clients_of_other_protocols_get_no_http_and_the_log_a_word() {
    let any = rules(Origins::Any);
    for (input, words) in [
        (b"\x10\x0d\0\x04MQTT".as_slice(), "MQTT without WebSocket"),
        (b"\x16\x03\x01", "TLS handshake"),
        (b"PROXY TCP4 1", "PROXY header"),
        (b"\0\0", "not HTTP"),
    ] {
        let mut wire = Vec::new();
        let error = WebSocket::new(Arc::clone(&any)).receive(input, &mut Vec::new(), &mut wire).unwrap_err();
        assert!(error.to_string().contains(words) && !error.hint().is_empty(), "{error}");
        assert!(wire.is_empty());
    }
}

#[test]
fn origins() {
    let listed = vec!["https://app.example".to_owned()];
    let page = |rule: &Origins, origin: &str| status(&rules(rule.clone()), &with_header(&format!("Origin: {origin}")));
    for origin in ["https://evil.example", "null", "https://broker.example"] {
        assert_eq!(page(&Origins::Any, origin), "101");
    }
    let same = Origins::SameHost(listed.clone());
    for origin in ["https://broker.example", "https://BROKER.example:443", "http://broker.example:3000", "https://app.example"] {
        assert_eq!(page(&same, origin), "101", "{origin}");
    }
    for origin in ["https://evil.example", "null", "https://broker.example.evil.example", "https://", "", "https://app.example:444"] {
        assert_eq!(page(&same, origin), "403", "{origin}");
    }
    let only = Origins::Listed(listed);
    assert_eq!(page(&only, "https://APP.example"), "101");
    assert_eq!(page(&only, "https://broker.example"), "403");
    assert_eq!(status(&rules(only.clone()), &request(|text| text)), "101", "clients that are no browsers send none");
    assert_eq!(status(&rules(only), &with_header("Origin: https://app.example\r\nOrigin: https://app.example")), "403");
    let six = with_header("Origin: https://[2001:db8::1]").replace("broker.example:8884", "[2001:db8::1]:8884");
    assert_eq!(status(&rules(same), &six), "101");
}

// === Frames ===

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    let key = [0x37, 0xfa, 0x21, 0x3d];
    frame.extend(key);
    frame.extend(payload.iter().enumerate().map(|(at, octet)| octet ^ key[at % 4]));
    frame
}

struct Outcome {
    plaintext: Vec<u8>,
    wire: Vec<u8>,
    result: Result<bool, FrameError>,
}

fn receive(input: &[u8], portion: usize) -> Outcome {
    let mut frames = Frames::new(Role::Server);
    let mut outcome = Outcome { plaintext: Vec::new(), wire: Vec::new(), result: Ok(false) };
    for portion in input.chunks(portion) {
        outcome.result = frames.receive(portion, &mut outcome.plaintext, &mut outcome.wire);
        if outcome.result != Ok(false) {
            break;
        }
    }
    outcome
}

#[test]
fn payload_comes_out_whatever_the_portions() {
    let long: Vec<u8> = (0..70_000_u32).map(|number| (number % 251).to_le_bytes()[0]).collect();
    let mut input = Vec::new();
    let mut expected = Vec::new();
    for payload in [b"".as_slice(), b"a", &long[..125], &long[..126], &long[..65_535], &long] {
        input.extend(frame(0x82, payload));
        expected.extend_from_slice(payload);
    }
    // One message in four frames, with a ping and a pong within.
    for (first, payload) in [(0x02, b"one".as_slice()), (0x00, b""), (0x89, b"?"), (0x00, b"two"), (0x8A, b"unasked"), (0x80, b"three")] {
        input.extend(frame(first, payload));
    }
    expected.extend_from_slice(b"onetwothree");
    for portion in [1, 2, 3, 7, 4096, usize::MAX] {
        let outcome = receive(&input, portion);
        assert_eq!(outcome.result, Ok(false));
        assert!(outcome.plaintext == expected, "portions of {portion}");
        assert_eq!(outcome.wire, [0x8A, 1, b'?'], "the pong");
    }
}

#[test]
fn nothing_is_held_between_frames() {
    let mut frames = Frames::new(Role::Server);
    let (mut plaintext, mut wire) = (Vec::new(), Vec::new());
    frames.receive(&frame(0x82, &[7; 100_000]), &mut plaintext, &mut wire).unwrap();
    frames.receive(&frame(0x89, &[7; 125]), &mut plaintext, &mut wire).unwrap();
    assert_eq!(frames.held(), 0);
    assert!(size_of::<WebSocket>() <= 104, "{}", size_of::<WebSocket>());
}

#[test]
fn frames_that_may_not_come() {
    let unmasked = [0x82, 0x01, b'a'].to_vec();
    let padded_16 = [0x82, 0x80 | 126, 0, 125].to_vec();
    let padded_64 = [&[0x82, 0x80 | 127][..], &65_535_u64.to_be_bytes()].concat();
    let huge = [&[0x82, 0x80 | 127][..], &u64::MAX.to_be_bytes()].concat();
    let with_key = |mut header: Vec<u8>| {
        header.extend([1, 2, 3, 4]);
        header
    };
    for (input, code, words) in [
        (unmasked, 1002_u16, "not masked"),
        (with_key(padded_16), 1002, "as few octets"),
        (with_key(padded_64), 1002, "as few octets"),
        (with_key(huge), 1002, "larger than there are"),
        (frame(0x81, b"text"), 1003, "text frame"),
        (frame(0xC2, b""), 1002, "reserved bit"),
        (frame(0x92, b""), 1002, "reserved bit"),
        (frame(0x83, b""), 1002, "opcode"),
        (frame(0x8B, b""), 1002, "opcode"),
        (frame(0x80, b""), 1002, "continuation"),
        ([frame(0x02, b"a"), frame(0x82, b"b")].concat(), 1002, "new message"),
        (frame(0x09, b""), 1002, "fragmented"),
        (frame(0x89, &[0; 126]), 1002, "more than 125"),
        (frame(0x88, b"\x03"), 1002, "half a close code"),
        (frame(0x88, &1005_u16.to_be_bytes()), 1002, "may not be sent"),
        (frame(0x88, &999_u16.to_be_bytes()), 1002, "may not be sent"),
        (frame(0x88, b"\x03\xe8\xff"), 1007, "not UTF-8"),
    ] {
        for portion in [1, usize::MAX] {
            let outcome = receive(&input, portion);
            let error = outcome.result.expect_err(words).to_string();
            assert!(error.contains(words), "{error}");
            assert_eq!(outcome.wire, [&[0x88, 2][..], &code.to_be_bytes()].concat(), "{words}");
        }
    }
}

#[test]
fn a_close_is_answered_once_and_ends_it() {
    let input = [frame(0x82, b"last"), frame(0x88, b"\x03\xe8bye"), frame(0x82, b"too late")].concat();
    for portion in [1, usize::MAX] {
        let outcome = receive(&input, portion);
        assert_eq!(outcome.result, Ok(true));
        assert_eq!(outcome.plaintext, b"last");
        assert_eq!(outcome.wire, [0x88, 2, 0x03, 0xe8]);
    }
    assert_eq!(receive(&frame(0x88, b""), 1).wire, [0x88, 0]);

    let mut frames = Frames::new(Role::Server);
    let (mut plaintext, mut wire) = (Vec::new(), Vec::new());
    frames.close(CloseCode::Normal, None, &mut wire);
    frames.close(CloseCode::GoingAway, None, &mut wire);
    frames.send(b"nothing goes behind a close", None, &mut wire);
    assert_eq!(frames.receive(&frame(0x88, b"\x03\xe8"), &mut plaintext, &mut wire), Ok(true));
    assert_eq!(wire, [0x88, 2, 0x03, 0xe8], "one close frame each way");
}

#[test]
fn both_roles_understand_each_other() {
    let long = vec![9; 70_000];
    for payload in [b"".as_slice(), b"x", &long[..126], &long[..65_536], &long] {
        let (mut to_server, mut to_client, mut out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut server, mut client) = (Frames::new(Role::Server), Frames::new(Role::Client));
        client.send(payload, Some([1, 2, 3, 4]), &mut to_server);
        assert_eq!(server.receive(&to_server, &mut out, &mut to_client), Ok(false));
        assert_eq!(out, payload);
        server.send(payload, None, &mut to_client);
        out.clear();
        assert_eq!(client.receive(&to_client, &mut out, &mut to_server), Ok(false));
        assert_eq!(out, payload);
    }
    let mut client = Frames::new(Role::Client);
    let mut wire = Vec::new();
    assert!(client.receive_as_client(&frame(0x82, b""), &mut Vec::new(), &mut wire, &mut || Some([1, 2, 3, 4])).is_err());
    assert_eq!(wire[1], 0x80 | 2, "a client's close is masked");
}

// === The client's upgrade ===

#[test]
fn the_clients_upgrade_is_accepted_by_the_server() {
    let mut wire = Vec::new();
    let mut client = ClientHandshake::start("broker.example:8884", "/mqtt", [7; 16], &mut wire);
    let mut answer = Vec::new();
    let mut server = WebSocket::new(rules(Origins::SameHost(Vec::new())));
    assert!(server.receive(&wire, &mut Vec::new(), &mut answer).unwrap().opened);
    let end = answer.len();
    answer.extend(b"\x8a\x00");
    for octet in &answer[..end - 1] {
        assert_eq!(client.receive(&[*octet]), Ok(None));
    }
    assert_eq!(client.receive(&answer[end - 1..]), Ok(Some(b"\x8a\x00".to_vec())));
}

#[test]
fn the_client_checks_the_answer() {
    let receive = |answer: &str| ClientHandshake::start("h", "/", [7; 16], &mut Vec::new()).receive(answer.as_bytes());
    let refused = receive("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nwhat\n").unwrap_err().to_string();
    assert!(refused.contains("404") && refused.contains("(what)"), "{refused}");
    let good = upgrade::accept("BwcHBwcHBwcHBwcHBwcHBw==");
    for (accept, protocol, words) in [("x", "mqtt", "our key"), (good.as_str(), "soap", "subprotocol")] {
        let answer = format!("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n");
        assert!(receive(&answer).unwrap_err().to_string().contains(words));
    }
    assert!(receive("\x20\x02\0\0").is_err());
    assert!(receive(&format!("HTTP/1.1 101 x\r\nA: {}\r\n", "b".repeat(MAXIMUM_HEAD))).is_err());
}

#[test]
fn every_path_is_served_where_none_is_named() {
    let any = Arc::new(UpgradeRules { path: None, origins: Origins::Listed(vec!["capacitor://localhost".to_owned()]) });
    for path in ["/", "/mqtt", "/ws/x?y=1"] {
        let request = with_header("Origin: capacitor://localhost").replace("GET /mqtt ", &format!("GET {path} "));
        assert!(answer(&any, &request).unwrap().starts_with("HTTP/1.1 101 "), "{path}");
    }
}
