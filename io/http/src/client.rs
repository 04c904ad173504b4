//! A client that asks one server again and again and keeps connections open in between.
//!
//! A connection that was kept may have been closed by the server at the very moment in which it is used again: then, and only then, the question is
//! asked a second time, on a new connection.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use crate::body::{BodyBounds, body};
use crate::stream::{Https, Stream};
use crate::url::Url;
use crate::words::words;

/// Header fields of an answer. Beyond it the answer is none.
const HEADERS_MAXIMUM: usize = 64;
/// Bytes of the head of an answer.
const HEAD_MAXIMUM: usize = 16 * 1024;

/// Whom to ask, and within which bounds.
#[derive(Debug, Clone)]
pub struct HttpClientConfig {
    /// Scheme, host and port count; path and query do not.
    pub server: Url,
    /// How to know it, for https.
    pub https: Https,
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// How long a question may take, connecting included.
    pub timeout: Duration,
    /// Bytes of the body of an answer.
    pub body_maximum: usize,
    /// Connections that are kept while nobody uses them.
    pub idle_maximum: usize,
    /// How long such a connection is kept.
    pub idle_timeout: Duration,
}

/// What is sent. It may hold secrets, so it cannot be printed.
#[derive(Clone)]
pub struct Question {
    /// GET or POST.
    pub method: Method,
    /// Path and query, as they stand in the request.
    pub target: String,
    /// Header fields besides Host and User-Agent.
    pub headers: HeaderMap,
    /// The body; nothing for GET.
    pub body: Bytes,
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The media type without its parameters, in lower case.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// The client.
pub struct HttpClient {
    config: HttpClientConfig,
    host: HeaderValue,
    idle: Mutex<Vec<Connection>>,
}

/// An open connection.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driving: Driving,
    since: Instant,
}

/// The task that moves the connection's bytes; it ends with the connection.
struct Driving(tokio::task::JoinHandle<Result<(), hyper::Error>>);

impl Driving {
    /// Why a connection ended over which nothing can be sent: TLS may have said so after its handshake.
    async fn end(&mut self, error: &hyper::Error) -> String {
        match (&mut self.0).await {
            Ok(Err(cause)) => words(&cause),
            _ => words(error),
        }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why a connection gave no answer.
struct Broken {
    why: String,
    /// It ended before anything of an answer came, as one does that the server had closed.
    is_unanswered: bool,
}

impl HttpClient {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// In words: https without a CA to check the server with, or a host that cannot stand in a header field.
    pub fn new(config: HttpClientConfig) -> Result<Self, String> {
        if config.server.is_https() && config.https.connector.is_none() {
            return Err(config.https.without_connector());
        }
        let host = HeaderValue::from_str(&config.server.authority()).map_err(|_| format!("`{}` is no host", config.server.authority()))?;
        Ok(Self { config, host, idle: Mutex::default() })
    }

    /// Whom it asks.
    #[must_use]
    pub fn server(&self) -> &Url {
        &self.config.server
    }

    /// Asks. Has to be called within a tokio runtime.
    ///
    /// # Errors
    /// In words, without anything of the question: nobody answers, or not within the bounds, or not in HTTP.
    pub async fn ask(&self, question: &Question) -> Result<Answer, String> {
        let until = Instant::now() + self.config.timeout;
        let late = |_| format!("no answer within {} s", self.config.timeout.as_secs_f64());
        timeout_at(until, self.exchange(question, until)).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    async fn exchange(&self, question: &Question, until: Instant) -> Result<Answer, String> {
        while let Some(mut kept) = self.take() {
            if kept.sender.ready().await.is_err() {
                continue;
            }
            match self.ask_over(kept, question, until).await {
                Err(Broken { is_unanswered: true, .. }) => break,
                outcome => return outcome.map_err(|broken| broken.why),
            }
        }
        let connection = self.connect().await?;
        self.ask_over(connection, question, until).await.map_err(|broken| broken.why)
    }

    async fn ask_over(&self, mut connection: Connection, question: &Question, until: Instant) -> Result<Answer, Broken> {
        let request = self.request(question).map_err(|why| Broken { why, is_unanswered: false })?;
        let response = match connection.sender.send_request(request).await {
            Ok(response) => response,
            Err(error) => {
                let why = if error.is_canceled() { connection.driving.end(&error).await } else { words(&error) };
                return Err(Broken { why, is_unanswered: !error.is_parse() });
            }
        };
        let status = response.status().as_u16();
        let content_type = response.headers().get(header::CONTENT_TYPE).map(media_type);
        let bounds = BodyBounds { maximum_size: self.config.body_maximum, timeout: self.config.timeout, until };
        let body = body(response.into_body(), bounds).await.map_err(|why| Broken { why, is_unanswered: false })?;
        self.keep(connection);
        Ok(Answer { status, content_type, body })
    }

    async fn connect(&self) -> Result<Connection, String> {
        let late = |_| format!("cannot connect within {} s", self.config.connect_timeout.as_secs_f64());
        let opening = Stream::connect(&self.config.server, &self.config.https);
        let stream = timeout_at(Instant::now() + self.config.connect_timeout, opening).await.map_err(late)??;
        let (sender, connection) = Builder::new()
            .max_headers(HEADERS_MAXIMUM)
            .max_buf_size(HEAD_MAXIMUM)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| words(&error))?;
        let driving = Driving(tokio::spawn(connection));
        Ok(Connection { sender, driving, since: Instant::now() })
    }

    fn request(&self, question: &Question) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(&*question.target)
            .body(Full::new(question.body.clone()))
            // The library's words are about the form and hold nothing of the values.
            .map_err(|error| format!("the request cannot be written: {error}"))?;
        let headers = request.headers_mut();
        *headers = question.headers.clone();
        headers.insert(header::HOST, self.host.clone());
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(concat!("signet/", env!("CARGO_PKG_VERSION"))));
        Ok(request)
    }

    /// The connection that was used last, which the server has most likely not closed.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.sender.is_closed() && connection.since.elapsed() < self.config.idle_timeout);
        idle.pop()
    }

    fn keep(&self, mut connection: Connection) {
        connection.since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.config.idle_maximum {
            idle.push(connection);
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("server", &self.config.server).finish_non_exhaustive()
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

/// RFC 9110 §8.3.1.
fn media_type(value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
