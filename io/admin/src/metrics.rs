//! `/metrics` over plain HTTP, for scrapers. One request per connection, few connections at a time, each for a few seconds at most: whoever can
//! reach the port can read the numbers, and do nothing else.
//!
//! By hand instead of through axum, which puts no bound on what a silent peer may hold.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections at a time; further ones wait in the system's queue.
const CONNECTIONS: usize = 8;

/// From accept to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Octets of a request, headers included.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Where the numbers come from.
pub trait MetricsSource: Send + Sync {
    /// All of them as Prometheus reads them. May wait.
    fn metrics(&self) -> String;
}

/// A listening socket for scrapers.
#[derive(Debug)]
pub struct MetricsSocket {
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsSocket {
    /// Listens. Call inside a tokio runtime.
    ///
    /// # Errors
    /// What the system says, such as that the port is taken.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address and port it really has.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done.
    pub async fn serve(self, source: Arc<dyn MetricsSource>, stop: impl Future<Output = ()> + Send) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut stop = std::pin::pin!(stop);
        loop {
            // Closed only by us, and we do not.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => return,
            };
            match accepted {
                Ok((socket, _)) => {
                    let source = Arc::clone(&source);
                    tokio::spawn(async move {
                        // Too slow, or gone: nobody else has to know.
                        drop(tokio::time::timeout(PATIENCE, answer(socket, source)).await);
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for /metrics");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

/// What is asked for (RFC 9112 §3).
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Metrics { body: bool },
    NotFound,
    NotAllowed,
    NotHttp,
}

async fn answer(mut socket: TcpStream, source: Arc<dyn MetricsSource>) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        let mut part = [0; 1024];
        let count = socket.read(&mut part).await?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(part.get(..count).unwrap_or_default());
    }
    let (status, text, with_body) = match asked(&request) {
        Asked::Metrics { body } => match tokio::task::spawn_blocking(move || source.metrics()).await {
            Ok(text) => ("200 OK", text, body),
            Err(error) => ("500 Internal Server Error", format!("{error}\n"), true),
        },
        Asked::NotFound => ("404 Not Found", "the numbers are at /metrics\n".to_owned(), true),
        Asked::NotAllowed => ("405 Method Not Allowed", "only GET and HEAD\n".to_owned(), true),
        Asked::NotHttp => ("400 Bad Request", "this is not HTTP/1\n".to_owned(), true),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nAllow: GET, HEAD\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        text.len()
    );
    socket.write_all(head.as_bytes()).await?;
    if with_body {
        socket.write_all(text.as_bytes()).await?;
    }
    socket.shutdown().await
}

fn asked(request: &[u8]) -> Asked {
    let line = request.split(|byte| *byte == b'\r').next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Asked::NotHttp;
    };
    if !version.starts_with("HTTP/1.") {
        return Asked::NotHttp;
    }
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
        ("GET", "/metrics") => Asked::Metrics { body: true },
        ("HEAD", "/metrics") => Asked::Metrics { body: false },
        ("GET" | "HEAD", _) => Asked::NotFound,
        _ => Asked::NotAllowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Asked::Metrics { body: true }),
            ("GET /metrics?name=x HTTP/1.0\r\n\r\n", Asked::Metrics { body: true }),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", Asked::Metrics { body: false }),
            ("GET / HTTP/1.1\r\n\r\n", Asked::NotFound),
            ("POST /metrics HTTP/1.1\r\n\r\n", Asked::NotAllowed),
            ("GET /metrics", Asked::NotHttp),
            ("GET /metrics HTTP/2 \r\n", Asked::NotHttp),
            ("\x16\x03\x01", Asked::NotHttp),
        ] {
            assert_eq!(asked(request.as_bytes()), expected, "{request:?}");
        }
    }
}
