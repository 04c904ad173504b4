//! A connection to ask over: TCP, or TLS on it. TLS itself is `signet-tls`'s; here is only the waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use signet_tls::{Connector, TlsSession};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::url::Url;
use crate::words::{plain, tls_words};

/// Bytes of plaintext taken over at once.
const CHUNK: usize = 16 * 1024;

/// How to know an https server.
#[derive(Debug, Clone, Default)]
pub struct Https {
    /// Who may vouch for it, and what we show. `None`: nobody, and https is not to be had.
    pub connector: Option<Connector>,
    /// The name that its certificate has to carry, where that is not the host of the address.
    pub server_name: Option<String>,
    /// The key of the configuration that names the CA's file, for messages.
    pub trust_key: &'static str,
}

impl Https {
    pub(crate) fn without_connector(&self) -> String {
        format!("there is no CA to check the https server with: name a file with `{}`", self.trust_key)
    }
}

/// An open connection.
pub struct Stream {
    kind: Kind,
}

enum Kind {
    Plain(TcpStream),
    Tls { session: Box<TlsSession>, socket: TcpStream },
}

impl Stream {
    /// Connects to the host of an address, and makes TLS of it if that is https.
    ///
    /// # Errors
    /// In words: nobody is there, or the server is not who it has to be.
    pub async fn connect(url: &Url, https: &Https) -> Result<Self, String> {
        let socket = TcpStream::connect((url.host(), url.port()))
            .await
            .map_err(|error| format!("cannot connect to {}:{}: {}", url.host(), url.port(), plain(&error)))?;
        // A request is one write; nothing is won by waiting for more.
        let _ = socket.set_nodelay(true);
        if !url.is_https() {
            return Ok(Self { kind: Kind::Plain(socket) });
        }
        let connector = https.connector.as_ref().ok_or_else(|| https.without_connector())?;
        Self::secure(socket, connector, https.server_name.as_deref().unwrap_or_else(|| url.host()), https.trust_key).await
    }

    /// Makes TLS of it and verifies that the server is `host`.
    async fn secure(mut socket: TcpStream, connector: &Connector, host: &str, trust_key: &str) -> Result<Self, String> {
        let mut session = connector.session(host).map_err(|error| error.to_string())?;
        let shaken = std::future::poll_fn(|context| pending(session.handshake(&mut Waiting { socket: &mut socket, context }))).await;
        match shaken {
            Ok(()) => Ok(Self { kind: Kind::Tls { session: Box::new(session), socket } }),
            Err(error) => Err(tls_words(&TlsSession::failure(host, error), trust_key)),
        }
    }
}

/// The socket as TLS wants to see it: what would wait wakes the task later.
struct Waiting<'a, 'b> {
    socket: &'a mut TcpStream,
    context: &'a mut Context<'b>,
}

impl Read for Waiting<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match Pin::new(&mut *self.socket).poll_read(self.context, &mut buffer) {
            Poll::Ready(outcome) => outcome.map(|()| buffer.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Waiting<'_, '_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write(self.context, buffer) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pending<T>(outcome: io::Result<T>) -> Poll<io::Result<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        outcome => Poll::Ready(outcome),
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            Kind::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Kind::Tls { session, socket } => {
                let mut chunk = [0; CHUNK];
                let wanted = buffer.remaining().min(CHUNK);
                let part = chunk.get_mut(..wanted).unwrap_or_default();
                let outcome = pending(session.read(&mut Waiting { socket, context }, part));
                // What TLS has to say itself (a key update) goes out although nobody writes.
                if session.wants_write() {
                    match session.flush(&mut Waiting { socket, context }) {
                        Err(error) if error.kind() != ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                        _ => {}
                    }
                }
                let count = ready!(outcome)?;
                buffer.put_slice(chunk.get(..count).unwrap_or_default());
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().kind {
            Kind::Plain(socket) => Pin::new(socket).poll_write(context, buffer),
            Kind::Tls { session, socket } => pending(session.write(&mut Waiting { socket, context }, buffer)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            Kind::Plain(socket) => Pin::new(socket).poll_flush(context),
            Kind::Tls { session, socket } => pending(session.flush(&mut Waiting { socket, context })),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            Kind::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Kind::Tls { session, socket } => {
                session.close();
                ready!(pending(session.flush(&mut Waiting { socket, context })))?;
                Pin::new(socket).poll_shutdown(context)
            }
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.kind {
            Kind::Plain(_) => "Stream(plain)",
            Kind::Tls { .. } => "Stream(TLS)",
        })
    }
}
