//! A listener of Mosquitto's HTTP API: `GET` alone, over plain TCP or TLS, one request per connection, few connections at a time, each for a few
//! seconds at most. What is answered is [`HttpApi`]'s business; here are the octets.
//!
//! By hand like `/metrics`, and for the same reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use signet_tls::{ListenerTls, TlsConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Connections at a time; further ones wait in the system's queue.
const CONNECTIONS: usize = 16;

/// From accept to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Octets of a request, headers included.
const REQUEST_BYTES_MAX: usize = 16 * 1024;

/// What somebody waits for who has shown credentials that do not count: guessing has to be slow.
const PENANCE: Duration = Duration::from_secs(1);

/// One `GET`.
#[derive(Debug)]
pub struct HttpRequest {
    /// The path, decoded, without the query.
    pub path: String,
    /// User name and password of HTTP basic authentication (RFC 7617).
    pub credentials: Option<(String, Zeroizing<String>)>,
    /// Where it comes from.
    pub address: SocketAddr,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub enum HttpAnswer {
    /// 200, with more headers (each ends with `\r\n`).
    Found {
        /// More headers.
        headers: String,
        /// The content.
        body: Vec<u8>,
    },
    /// 401: somebody else has to ask.
    NotAuthorized,
    /// 404.
    NotFound,
}

/// Who answers.
pub trait HttpApi: Send + Sync + 'static {
    /// The TLS of new connections; `None`: there is none.
    fn tls(&self) -> Option<Arc<ListenerTls>>;

    /// Answers a request. May wait.
    fn answer(&self, request: HttpRequest) -> HttpAnswer;
}

/// Answers on a listening socket, which is not to block, until `stop` is done. To be called inside a tokio runtime.
///
/// # Errors
/// The system does not take the socket.
pub async fn serve_http_api(
    socket: std::net::TcpListener,
    api: Arc<dyn HttpApi>,
    stop: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        // Closed only by us, and we do not.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => return Ok(()),
        };
        match accepted {
            Ok((socket, address)) => {
                let api = Arc::clone(&api);
                tokio::spawn(async move {
                    // Too slow, or gone: nobody else has to know.
                    drop(tokio::time::timeout(PATIENCE, answer(socket, address, api)).await);
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for the HTTP API");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection, with or without TLS.
struct Stream {
    socket: TcpStream,
    tls: Option<Box<TlsConnection>>,
}

impl Stream {
    /// Appends what comes. `false`: nothing more will.
    async fn read(&mut self, plaintext: &mut Vec<u8>) -> std::io::Result<bool> {
        let mut part = [0; 4096];
        let count = self.socket.read(&mut part).await?;
        let input = part.get_mut(..count).unwrap_or_default();
        let Some(tls) = &mut self.tls else {
            plaintext.extend_from_slice(input);
            return Ok(count > 0);
        };
        let mut wire = Vec::new();
        let received = tls.receive(input, plaintext, &mut wire);
        self.socket.write_all(&wire).await?;
        let received = received.map_err(|failure| std::io::Error::other(failure.to_string()))?;
        Ok(count > 0 && !received.closed)
    }

    async fn write(&mut self, plaintext: &[u8]) -> std::io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.socket.write_all(plaintext).await };
        let mut wire = Vec::new();
        tls.send(plaintext, &mut wire).map_err(|failure| std::io::Error::other(failure.to_string()))?;
        self.socket.write_all(&wire).await
    }

    async fn close(&mut self) -> std::io::Result<()> {
        if let Some(tls) = &mut self.tls {
            let mut wire = Vec::new();
            tls.close(&mut wire);
            self.socket.write_all(&wire).await?;
        }
        self.socket.shutdown().await
    }
}

async fn answer(socket: TcpStream, address: SocketAddr, api: Arc<dyn HttpApi>) -> std::io::Result<()> {
    let tls = match api.tls() {
        Some(tls) => Some(Box::new(TlsConnection::new(tls).map_err(|error| std::io::Error::other(error.to_string()))?)),
        None => None,
    };
    let mut stream = Stream { socket, tls };
    let mut head = Zeroizing::new(Vec::new());
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < REQUEST_BYTES_MAX {
        if !stream.read(&mut head).await? {
            return Ok(());
        }
    }
    let (head, body) = match asked(&head, address) {
        Err(refused) => refused.response(),
        Ok(request) => {
            let has_tried = request.credentials.is_some();
            let answered = tokio::task::spawn_blocking(move || api.answer(request)).await;
            if has_tried && matches!(answered, Ok(HttpAnswer::NotAuthorized)) {
                tokio::time::sleep(PENANCE).await;
            }
            match answered {
                Ok(HttpAnswer::Found { headers, body }) => (response("200 OK", &headers, body.len()), body),
                Ok(HttpAnswer::NotAuthorized) => Refused::NotAuthorized.response(),
                Ok(HttpAnswer::NotFound) => Refused::NotFound.response(),
                Err(_) => Refused::Failed.response(),
            }
        }
    };
    stream.write(head.as_bytes()).await?;
    stream.write(&body).await?;
    stream.close().await
}

/// Why there is nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    NotHttp,
    NotAllowed,
    NotAuthorized,
    NotFound,
    Failed,
}

impl Refused {
    fn response(self) -> (String, Vec<u8>) {
        let (status, headers, body) = match self {
            Self::NotHttp => ("400 Bad Request", "", "Bad request.\n"),
            Self::NotAllowed => ("405 Method Not Allowed", "Allow: GET\r\n", "Invalid HTTP Method\n"),
            Self::NotAuthorized => ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"Mosquitto API\"\r\n", "Not authorised\n"),
            Self::NotFound => ("404 Not Found", "", "Not found.\n"),
            Self::Failed => ("500 Internal Server Error", "", "Internal server error.\n"),
        };
        (response(status, headers, body.len()), body.as_bytes().to_vec())
    }
}

fn response(status: &str, headers: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n")
}

/// What a request asks for (RFC 9112 §3).
fn asked(head: &[u8], address: SocketAddr) -> Result<HttpRequest, Refused> {
    let text = std::str::from_utf8(head).map_err(|_| Refused::NotHttp)?;
    let (head, _) = text.split_once("\r\n\r\n").ok_or(Refused::NotHttp)?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(Refused::NotHttp);
    };
    if !version.starts_with("HTTP/1.") {
        return Err(Refused::NotHttp);
    }
    if method != "GET" {
        return Err(Refused::NotAllowed);
    }
    let target = target.split_once('?').map_or(target, |(path, _)| path);
    let path = decoded(target).filter(|path| path.starts_with('/') && !path.contains('\0')).ok_or(Refused::NotFound)?;
    let mut said = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let (first, second) = (said.next(), said.next());
    // Two would leave open which of them counts.
    let credentials = if second.is_some() { None } else { first.and_then(|(_, value)| basic(value.trim())) };
    Ok(HttpRequest { path, credentials, address })
}

/// `Basic` and user name, colon, password in base64.
fn basic(value: &str) -> Option<(String, Zeroizing<String>)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let octets = Zeroizing::new(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded.trim()).ok()?);
    let (username, password) = std::str::from_utf8(&octets).ok()?.split_once(':')?;
    Some((username.to_owned(), Zeroizing::new(password.to_owned())))
}

/// Percent-encoding (RFC 3986 §2.1) undone.
fn decoded(target: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(target.len());
    let mut rest = target.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        octets.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Result<HttpRequest, Refused> {
        asked(text.as_bytes(), "127.0.0.1:1".parse().unwrap())
    }

    #[test]
    fn only_get_of_a_path_is_a_request() {
        for (text, expected) in [
            ("GET /api/v1/version HTTP/1.1\r\nHost: x\r\n\r\n", Ok("/api/v1/version")),
            ("GET /a%20b%2Fc?x=/y HTTP/1.0\r\n\r\n", Ok("/a b/c")),
            ("POST /api/v1/version HTTP/1.1\r\n\r\n", Err(Refused::NotAllowed)),
            ("HEAD / HTTP/1.1\r\n\r\n", Err(Refused::NotAllowed)),
            ("GET / HTTP/2\r\n\r\n", Err(Refused::NotHttp)),
            ("GET  / HTTP/1.1\r\n\r\n", Err(Refused::NotHttp)),
            ("GET / HTTP/1.1\r\n", Err(Refused::NotHttp)),
            ("GET /%00 HTTP/1.1\r\n\r\n", Err(Refused::NotFound)),
            ("GET /%f HTTP/1.1\r\n\r\n", Err(Refused::NotFound)),
            ("GET /%ff HTTP/1.1\r\n\r\n", Err(Refused::NotFound)),
            ("GET api HTTP/1.1\r\n\r\n", Err(Refused::NotFound)),
        ] {
            assert_eq!(ask(text).map(|request| request.path), expected.map(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn credentials_come_once_and_in_the_basic_scheme() {
        let with = |header: &str| ask(&format!("GET / HTTP/1.1\r\n{header}\r\n\r\n")).unwrap().credentials;
        assert_eq!(with("Authorization: Basic YWxpY2U6c2U6Y3JldA=="), Some(("alice".to_owned(), "se:cret".to_owned().into())));
        assert_eq!(with("authorization:basic YWxpY2U6").map(|found| found.0), Some("alice".to_owned()));
        for header in ["Host: x", "Authorization: Bearer YWxpY2U6", "Authorization: Basic !", "Authorization: Basic YWxpY2U="] {
            assert_eq!(with(header), None, "{header}");
        }
        assert_eq!(with("Authorization: Basic YWxpY2U6\r\nAuthorization: Basic Ym9iOg=="), None);
    }
}
