//! What reads bytes before MQTT: PROXY headers, the upgrade to WebSocket and its frames.

use std::sync::Arc;

use signet_net::websocket::{Frames, MAXIMUM_HEAD, Origins, Role, UpgradeRules, WebSocket};
use signet_net::{MAXIMUM_HEADER, ProxyVersions, read_proxy_header};

/// A PROXY header and what comes behind it.
///
/// # Panics
/// When a part of a header is judged otherwise than the whole.
pub fn proxy(data: &[u8]) {
    let whole = read_proxy_header(data, ProxyVersions::Any);
    match &whole {
        Ok(Some((header, used))) => {
            assert!(*used <= data.len() && *used <= MAXIMUM_HEADER);
            assert_eq!(read_proxy_header(data.get(..*used).unwrap_or_default(), ProxyVersions::Any), whole);
            for cut in [0, 1, used / 2, used.saturating_sub(1)] {
                assert_eq!(read_proxy_header(data.get(..cut).unwrap_or_default(), ProxyVersions::Any), Ok(None), "cut at {cut}");
            }
            if header.is_local {
                assert!(header.source.is_none() && header.tls.is_none(), "a proxy that speaks for itself brings no client");
            }
            let certificate = header.tls.as_ref().and_then(|tls| tls.verified_certificate());
            assert!(certificate.is_none() || header.tls.as_ref().is_some_and(|tls| tls.is_tls()));
        }
        Ok(None) => assert!(data.len() < MAXIMUM_HEADER, "an unfinished header is bounded"),
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 400 && !message.contains(char::is_control), "{message:?}");
        }
    }
}

/// A WebSocket from its first octet, and its frames alone.
///
/// # Panics
/// When octets that come one by one make something else than the same octets at once.
pub fn websocket(data: &[u8]) {
    assert_eq!(upgrade(data, data.len().max(1)), upgrade(data, 1));
    for role in [Role::Server, Role::Client] {
        assert_eq!(frames(role, data, data.len().max(1)), frames(role, data, 1));
    }
}

type Outcome = (Vec<u8>, Vec<u8>, Option<bool>);

fn upgrade(data: &[u8], portion: usize) -> (Vec<u8>, bool) {
    let rules = UpgradeRules { path: Some("/mqtt".to_owned()), origins: Origins::SameHost(Vec::new()) };
    let mut socket = WebSocket::new(Arc::new(rules));
    let (mut plaintext, mut wire) = (Vec::new(), Vec::new());
    for portion in data.chunks(portion) {
        let result = socket.receive(portion, &mut plaintext, &mut wire);
        assert!(socket.held() <= 2 * MAXIMUM_HEAD + 128, "a connection holds {} octets", socket.held());
        if let Err(error) = &result {
            let message = error.to_string();
            assert!(message.len() < 1000 && !message.contains(char::is_control) && !error.hint().is_empty(), "{message:?}");
            assert_eq!(socket.receive(data, &mut plaintext, &mut wire).as_ref(), Err(error), "an error is the last word");
        }
        if !matches!(result, Ok(received) if !received.closed) {
            break;
        }
    }
    (plaintext, socket.is_upgrading())
}

fn frames(role: Role, data: &[u8], portion: usize) -> Outcome {
    let mut frames = Frames::new(role);
    let (mut plaintext, mut wire) = (Vec::new(), Vec::new());
    for portion in data.chunks(portion) {
        match frames.receive(portion, &mut plaintext, &mut wire) {
            Ok(false) => {}
            Ok(true) => return (plaintext, wire, Some(true)),
            Err(_) => return (plaintext, wire, Some(false)),
        }
    }
    assert!(plaintext.len() <= data.len() && wire.len() <= data.len() + 4, "nothing is made of nothing");
    (plaintext, wire, None)
}

/// PROXY headers of both versions.
#[must_use]
pub fn proxies() -> Vec<Vec<u8>> {
    let header = |family: u8, body: &[u8]| {
        let length = u16::try_from(body.len()).unwrap_or_default().to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n\x21".as_slice(), &[family], &length, body].concat()
    };
    let tls = b"\x20\0\x13\x05\0\0\0\0\x22\0\x06pump-7\x28\0\x02\x30\0";
    vec![
        b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 1883\r\n\x10\x0d".to_vec(),
        b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        header(0x11, &[[192, 0, 2, 1, 198, 51, 100, 1, 0x9C, 0x40, 7, 0x5B].as_slice(), tls].concat()),
        header(0x21, &[0; 36]),
        header(0x31, &[0; 216]),
        header(0x00, b"\x04\0\x01\0"),
        [b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".as_slice(), b"rest"].concat(),
    ]
}

/// An upgrade with frames behind it, and frames of every kind.
#[must_use]
pub fn websockets() -> Vec<Vec<u8>> {
    let request = b"GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: https://a\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
    let data = b"\x82\x82\x01\x02\x03\x04\xc1\x02";
    let long = [b"\x82\xfe\0\x80\x01\x02\x03\x04".as_slice(), &[7; 128]].concat();
    let fragments = b"\x02\x81\x01\x02\x03\x04a\x89\x80\0\0\0\0\x00\x80\x01\x02\x03\x04\x80\x81\x01\x02\x03\x04b";
    let close = b"\x88\x82\0\0\0\0\x03\xe8";
    vec![
        [request.as_slice(), data, close].concat(),
        request.to_vec(),
        data.to_vec(),
        long,
        fragments.to_vec(),
        close.to_vec(),
        b"\x82\x02\xd0\x00\x8a\x00\x88\x02\x03\xe8".to_vec(),
    ]
}
