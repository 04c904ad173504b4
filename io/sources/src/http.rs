//! One fetch over HTTP/1.1, with every bound that a server which means harm, or is broken, has to meet.
//!
//! - The address is connected to, the head read, and each part of the body read within `timeout` each; all together may take ten times that.
//! - The body has at most `maximum_size` bytes, by Content-Length and by count.
//! - Redirects are not followed: where a list comes from is for the operator or the CA to say, not for whoever answers there.
//! - https is verified against the CA file of the profile, or the system's; there is no way to turn that off.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use signet_http::{BodyBounds, Https, Stream, Url, body, words};
use signet_tls::Connector;
use tokio::time::{Instant, timeout_at};

/// How often `timeout` fits into a whole fetch.
const WHOLE: u32 = 10;

/// What the server said a copy is known by (RFC 9110 §8.8), to ask for a newer one only.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Validators {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// What to send.
pub(crate) enum Ask<'a> {
    /// A GET, conditional when there is a copy.
    List(Option<&'a Validators>),
    /// An OCSP request in the path (RFC 6960 §A.1).
    Get(String),
    /// An OCSP request in the body.
    Post(Vec<u8>),
}

/// Bounds of a fetch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) timeout: Duration,
    pub(crate) maximum_size: usize,
}

/// What came back.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// 304: the copy at hand is current.
    Unchanged,
    /// 200.
    Body { bytes: Vec<u8>, validators: Validators },
}

/// Why nothing came back. The text is for people and names no URL: whoever reports it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) text: String,
    /// Whether somebody answered, though not with what was asked for: another form of the question may do better.
    pub(crate) answered: bool,
}

/// Nobody answered.
impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self { text, answered: false }
    }
}

/// Fetches once.
pub(crate) async fn fetch(url: &Url, ask: Ask<'_>, https: Option<&Connector>, bounds: Bounds) -> Result<Fetched, Failure> {
    let whole = Instant::now() + bounds.timeout.saturating_mul(WHOLE);
    let step = || (Instant::now() + bounds.timeout).min(whole);
    let late = |what: &str| format!("{what} within {}", seconds(bounds.timeout));
    let conditional = matches!(ask, Ask::List(Some(_)));
    let request = request(url, ask)?;
    let https = Https { connector: https.cloned(), server_name: None, trust_key: "https_trust" };
    let stream = timeout_at(step(), Stream::connect(url, &https)).await.map_err(|_| late("cannot connect"))??;
    let (mut sender, connection) =
        timeout_at(step(), handshake(TokioIo::new(stream))).await.map_err(|_| late("no HTTP"))?.map_err(|error| words(&error))?;
    // Dropping it with the fetch closes the socket.
    let _driving = Driving(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let response = timeout_at(step(), send(&mut sender, request)).await.map_err(|_| late("the server does not answer"))??;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if conditional => return Ok(Fetched::Unchanged),
        status => return Err(Failure { text: refusal(status, response.headers()), answered: true }),
    }
    let validators = validators(response.headers());
    let bounds = BodyBounds { maximum_size: bounds.maximum_size, timeout: bounds.timeout, until: whole };
    let bytes = body(response.into_body(), bounds).await?.into();
    Ok(Fetched::Body { bytes, validators })
}

/// The task that moves the connection's bytes; it ends with the fetch.
struct Driving(tokio::task::JoinHandle<()>);

impl Drop for Driving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn request(url: &Url, ask: Ask<'_>) -> Result<Request<Full<Bytes>>, String> {
    let (method, path, body) = match &ask {
        Ask::List(_) => (Method::GET, url.path().to_owned(), Vec::new()),
        Ask::Get(segment) => (Method::GET, url.with_segment(segment), Vec::new()),
        Ask::Post(body) => (Method::POST, url.path().to_owned(), body.clone()),
    };
    let mut builder = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, url.authority())
        .header(header::USER_AGENT, concat!("signet/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    match ask {
        Ask::List(Some(known)) => {
            let fields = [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.last_modified)];
            for (name, value) in fields {
                if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
                    builder = builder.header(name, value);
                }
            }
        }
        Ask::List(None) | Ask::Get(_) => {}
        Ask::Post(_) => builder = builder.header(header::CONTENT_TYPE, "application/ocsp-request"),
    }
    builder.body(Full::new(body.into())).map_err(|error| format!("the request cannot be written: {error}"))
}

async fn send(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
    sender.send_request(request).await.map_err(|error| words(&error))
}

fn validators(headers: &HeaderMap) -> Validators {
    // Longer ones come from nobody who means well, and would be kept.
    // Changed in the second in which it was sent: another change in that second would have the same date, and at some servers the same tag
    // (RFC 9110 §8.8.2.2).
    if headers.get(header::DATE).is_some() && headers.get(header::DATE) == headers.get(header::LAST_MODIFIED) {
        return Validators::default();
    }
    let field = |name: HeaderName| headers.get(name)?.to_str().ok().filter(|value| value.len() <= 256).map(str::to_owned);
    Validators { etag: field(header::ETAG), last_modified: field(header::LAST_MODIFIED) }
}

fn refusal(status: StatusCode, headers: &HeaderMap) -> String {
    let place = headers.get(header::LOCATION).and_then(|place| place.to_str().ok()).filter(|_| status.is_redirection());
    match place {
        Some(place) => {
            let place: String = place.chars().take(200).flat_map(char::escape_debug).collect();
            format!("the server answers {status} and points to `{place}`; redirects are not followed: name that address itself")
        }
        None => format!("the server answers {status}"),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests;
