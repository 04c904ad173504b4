//! The upgrade from HTTP/1.1 to WebSocket (RFC 6455 §4.2) and its refusals, which people read in browsers and logs.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets of request line and headers together. The time for them is the handshake's.
pub const MAXIMUM_HEAD: usize = 8 * 1024;

/// Headers of a request. Browsers send about 15.
const MAXIMUM_HEADERS: usize = 64;

/// What every server appends to the key (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Subprotocols, the preferred one first [MQTT-6.0.0-3]. The second is what MQTT 3.1 clients say.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// Which web pages may connect. A browser says with `Origin` where the page came from; other clients need not say it and can say what they
/// like, so a request without it passes always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Every page.
    Any,
    /// Pages of the host that the request itself is for, and of the listed origins.
    SameHost(Vec<String>),
    /// Pages of these origins, each as a browser writes it: `https://host` or `https://host:port`.
    Listed(Vec<String>),
}

/// What an upgrade must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeRules {
    /// The one path that is served; a query behind it is ignored. `None`: any path is.
    pub path: Option<String>,
    /// Who may ask.
    pub origins: Origins,
}

/// A refused upgrade. The response is in the output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found}")]
pub struct UpgradeError {
    found: String,
    hint: &'static str,
    status: &'static str,
}

impl UpgradeError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

/// A request as far as it has come.
#[derive(Debug)]
pub(super) struct Head {
    rules: Arc<UpgradeRules>,
    octets: Vec<u8>,
}

impl Head {
    pub(super) fn new(rules: Arc<UpgradeRules>) -> Self {
        Self { rules, octets: Vec::new() }
    }

    pub(super) fn held(&self) -> usize {
        self.octets.capacity()
    }

    /// Takes octets; when the head is complete and good, writes the response and returns how many of `input` belong to it.
    pub(super) fn receive(&mut self, input: &[u8], wire: &mut Vec<u8>) -> Result<Option<usize>, UpgradeError> {
        let before = self.octets.len();
        let room = MAXIMUM_HEAD.saturating_sub(before).min(input.len());
        self.octets.extend_from_slice(input.get(..room).unwrap_or_default());
        let result = self.judge(before);
        match result {
            Ok(None) => Ok(None),
            Ok(Some((end, response))) => {
                wire.extend_from_slice(response.as_bytes());
                self.octets = Vec::new();
                Ok(Some(end.saturating_sub(before)))
            }
            Err(error) => {
                // A client that does not speak HTTP would not understand an answer in it.
                if !error.status.is_empty() {
                    wire.extend_from_slice(response(&error).as_bytes());
                }
                self.octets = Vec::new();
                Err(error)
            }
        }
    }

    /// `before`: how much was looked at already.
    fn judge(&self, before: usize) -> Result<Option<(usize, String)>, UpgradeError> {
        check_first(&self.octets)?;
        // The end may begin in the last three octets of what came before.
        let from = before.saturating_sub(3);
        let tail = self.octets.get(from..).unwrap_or_default();
        let Some(end) = tail.windows(4).position(|window| window == b"\r\n\r\n") else {
            if self.octets.len() >= MAXIMUM_HEAD {
                let found = format!("the HTTP request has more than {MAXIMUM_HEAD} octets of headers");
                return Err(refuse("431 Request Header Fields Too Large", found, "a browser's cookies may be too many"));
            }
            return Ok(None);
        };
        let end = from + end + 4;
        let accepted = judge_request(self.octets.get(..end).unwrap_or_default(), &self.rules)?;
        Ok(Some((end, accepted)))
    }
}

/// Clients of other protocols, told apart by the first octets.
fn check_first(octets: &[u8]) -> Result<(), UpgradeError> {
    let no_http = |found: &str, hint| Err(refuse("", found, hint));
    match octets {
        [] => Ok(()),
        [0x10, ..] => no_http(
            "the client speaks MQTT without WebSocket",
            "connect it to a listener with `transport = \"tcp\"` or `\"tls\"`, or let it use WebSocket (ws:// or wss://)",
        ),
        [0x16, ..] => no_http(
            "the client starts a TLS handshake on a listener without TLS",
            "connect to a listener with `transport = \"wss\"`, or use ws:// instead of wss://",
        ),
        octets if crate::is_proxy_header(octets) => {
            no_http("a proxy sends a PROXY header here", "set `proxy_protocol` and `proxy_trusted` for this listener")
        }
        [b'A'..=b'Z', ..] => Ok(()),
        _ => no_http("what the client sent is not HTTP", "is it a WebSocket client?"),
    }
}

fn refuse(status: &'static str, found: impl Into<String>, hint: &'static str) -> UpgradeError {
    UpgradeError { found: found.into(), hint, status }
}

fn response(error: &UpgradeError) -> String {
    let more = match error.status.get(..3) {
        Some("405") => "Allow: GET\r\n",
        Some("426") => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        _ => "",
    };
    let connection = if more.starts_with("Upgrade") { "Upgrade, close" } else { "close" };
    let body = format!("{}: {}\n", error.found, error.hint);
    format!(
        "HTTP/1.1 {}\r\n{more}Connection: {connection}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        error.status,
        body.len()
    )
}

/// The response to a request that may pass.
fn judge_request(head: &[u8], rules: &UpgradeRules) -> Result<String, UpgradeError> {
    const BAD: &str = "400 Bad Request";
    let mut headers = [httparse::EMPTY_HEADER; MAXIMUM_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(end)) if end == head.len() => {}
        // Two line feeds end a head too, for some readers: headers behind them would count for a proxy in between and not here.
        Ok(httparse::Status::Complete(_)) => {
            return Err(refuse(BAD, "the head of the HTTP request ends before its last line", "is it a WebSocket client?"));
        }
        Ok(httparse::Status::Partial) => return Err(refuse(BAD, "the HTTP request ends too soon", "is it a WebSocket client?")),
        Err(httparse::Error::TooManyHeaders) => {
            let found = format!("the HTTP request has more than {MAXIMUM_HEADERS} headers");
            return Err(refuse("431 Request Header Fields Too Large", found, "is there a proxy that adds some?"));
        }
        Err(error) => return Err(refuse(BAD, format!("the HTTP request is malformed: {error}"), "is it a WebSocket client?")),
    }
    if request.method != Some("GET") || request.version != Some(1) {
        let hint = "WebSocket begins with GET and HTTP/1.1; a proxy in between has to speak HTTP/1.1 to this listener";
        return Err(refuse("405 Method Not Allowed", "the HTTP request is not GET with HTTP/1.1", hint));
    }
    let headers = Headers(request.headers);
    if let Some(path) = &rules.path {
        check_path(request.path.unwrap_or_default(), path)?;
    }
    if !headers.has_token("upgrade", "websocket") {
        let hint = "this is the WebSocket endpoint of an MQTT broker: connect an MQTT client to it";
        return Err(refuse("426 Upgrade Required", "an HTTP request that asks for no WebSocket", hint));
    }
    if !headers.has_token("connection", "upgrade") {
        let hint = "does a proxy in between drop `Connection: Upgrade`? nginx needs `proxy_set_header Connection \"upgrade\"`";
        return Err(refuse(BAD, "the HTTP request has no `Connection: Upgrade`", hint));
    }
    if headers.one("sec-websocket-version") != Some("13") {
        return Err(refuse(
            "426 Upgrade Required",
            "the client asks for another version of WebSocket than 13",
            "bring the client up to date",
        ));
    }
    let key = headers.one("sec-websocket-key").filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16));
    let Some(key) = key else {
        return Err(refuse(BAD, "`Sec-WebSocket-Key` is not one key of 16 octets in base64", "is it a WebSocket client?"));
    };
    let Some(host) = headers.one("host") else {
        return Err(refuse(BAD, "the HTTP request has not one `Host`", "is it a WebSocket client?"));
    };
    if headers.all("content-length").any(|length| length != "0") || headers.all("transfer-encoding").next().is_some() {
        return Err(refuse(BAD, "the HTTP request has a body", "is it a WebSocket client?"));
    }
    check_origin(&headers, host, &rules.origins)?;
    // [MQTT-6.0.0-3], [MQTT-6.0.0-4]
    let Some(subprotocol) = SUBPROTOCOLS.into_iter().find(|name| headers.tokens("sec-websocket-protocol").any(|offered| offered == *name))
    else {
        let hint = "let the client ask for the subprotocol `mqtt`: `new WebSocket(url, \"mqtt\")`";
        return Err(refuse(BAD, "the client offers no subprotocol `mqtt`", hint));
    };
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
         Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n",
        accept(key)
    ))
}

/// The proof that the server has read the key (RFC 6455 §4.2.2).
pub(super) fn accept(key: &str) -> String {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key.as_bytes());
    digest.update(GUID.as_bytes());
    STANDARD.encode(digest.finish())
}

fn check_path(target: &str, expected: &str) -> Result<(), UpgradeError> {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if path == expected {
        return Ok(());
    }
    let path: String = path.chars().take(100).collect();
    let found = format!("the client asks for the path `{}`, `{expected}` is served here", path.escape_debug());
    Err(refuse("404 Not Found", found, "let the client use that path, or set `websocket_path` for this listener"))
}

fn check_origin(headers: &Headers<'_, '_>, host: &str, rule: &Origins) -> Result<(), UpgradeError> {
    let mut origins = headers.all("origin");
    let (origin, second) = (origins.next(), origins.next());
    let passes = match (origin, second, rule) {
        (_, Some(_), _) => false,
        (None, ..) | (_, _, Origins::Any) => true,
        (Some(origin), _, Origins::Listed(listed)) => is_listed(origin, listed),
        (Some(origin), _, Origins::SameHost(listed)) => is_same_host(origin, host) || is_listed(origin, listed),
    };
    if passes {
        return Ok(());
    }
    let origin: String = origin.unwrap_or_default().chars().take(200).collect();
    let found = format!("a web page of `{}` may not connect here", origin.escape_debug());
    Err(refuse("403 Forbidden", found, "if it should, add its origin to `websocket_origins` of this listener"))
}

fn is_listed(origin: &str, listed: &[String]) -> bool {
    listed.iter().any(|known| known.eq_ignore_ascii_case(origin))
}

/// Whether a page of `origin` was loaded from the host that `host` names. Ports may differ: the page comes from a web server beside this one.
fn is_same_host(origin: &str, host: &str) -> bool {
    let name = |authority: &str| {
        let end = if authority.starts_with('[') { authority.find(']').map(|at| at + 1) } else { authority.find(':') };
        authority.get(..end.unwrap_or(authority.len())).unwrap_or_default().to_ascii_lowercase()
    };
    origin.split_once("://").is_some_and(|(_, authority)| !authority.is_empty() && name(authority) == name(host))
}

/// The headers of a request, by name.
struct Headers<'a, 'b>(&'a [httparse::Header<'b>]);

impl Headers<'_, '_> {
    /// The values under a name; one that is not text is the empty text, which fits nothing.
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| str::from_utf8(header.value).unwrap_or_default().trim())
    }

    /// The value under a name that stands there once.
    fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The members of a comma-separated list, which may be spread over several headers.
    fn tokens(&self, name: &str) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(|value| value.split(',')).map(str::trim)
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|found| found.eq_ignore_ascii_case(token))
    }
}
