//! The client's half of the upgrade, for `signet pub` and `sub`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::upgrade::{MAXIMUM_HEAD, accept};

/// Why a server's answer to an upgrade is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientHandshakeError {
    /// Another status than 101.
    #[error("the server refuses the WebSocket: HTTP status {status}{}", reason(.text))]
    Refused {
        /// Status code.
        status: u16,
        /// The first line of the answer's body, if it came at once.
        text: String,
    },
    /// Not an answer to this request.
    #[error("the server does not speak WebSocket for MQTT: {0}")]
    Malformed(&'static str),
}

fn reason(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(" ({text})") }
}

/// Host and port as a URL and HTTP write them (RFC 3986 §3.2): an IPv6 address goes into brackets, if it has none.
#[must_use]
pub fn authority(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// An upgrade under way.
#[derive(Debug)]
pub struct ClientHandshake {
    key: String,
    answer: Vec<u8>,
}

impl ClientHandshake {
    /// Appends the request to `wire`. `host` is the authority of the URL, `path` begins with `/`, `nonce` is random.
    pub fn start(host: &str, path: &str, nonce: [u8; 16], wire: &mut Vec<u8>) -> Self {
        let key = STANDARD.encode(nonce);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        wire.extend_from_slice(request.as_bytes());
        Self { key, answer: Vec::new() }
    }

    /// Takes what the server sent. `None`: more is needed; otherwise the octets that came behind the answer.
    ///
    /// # Errors
    /// The server refuses, or does not speak WebSocket.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<Vec<u8>>, ClientHandshakeError> {
        self.answer.extend_from_slice(input);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let end = match response.parse(&self.answer) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) if self.answer.len() < MAXIMUM_HEAD => return Ok(None),
            Ok(httparse::Status::Partial) => return Err(ClientHandshakeError::Malformed("its answer does not end")),
            Err(_) => return Err(ClientHandshakeError::Malformed("its answer is not HTTP")),
        };
        let behind = self.answer.get(end..).unwrap_or_default();
        let status = response.code.unwrap_or_default();
        if status != 101 {
            let text = String::from_utf8_lossy(behind).lines().next().unwrap_or_default().chars().take(300).collect();
            return Err(ClientHandshakeError::Refused { status, text });
        }
        let value = |name: &str| {
            let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.and_then(|header| str::from_utf8(header.value).ok()).map(str::trim)
        };
        if value("sec-websocket-accept") != Some(accept(&self.key).as_str()) {
            return Err(ClientHandshakeError::Malformed("it did not answer to our key"));
        }
        if value("sec-websocket-protocol") != Some("mqtt") {
            return Err(ClientHandshakeError::Malformed("it did not agree to the subprotocol `mqtt`"));
        }
        Ok(Some(behind.to_vec()))
    }
}
