//! A connection to fetch over: TCP, or TLS on it. TLS itself is `signet-tls`'s; here is only the waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use signet_tls::{Connector, TlsError, TlsSession};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes of plaintext taken over at once.
const CHUNK: usize = 16 * 1024;

/// An open connection.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls { session: Box<TlsSession>, socket: TcpStream },
}

impl Stream {
    /// Makes TLS of it and verifies that the server is `host`.
    pub(crate) async fn secure(mut socket: TcpStream, connector: &Connector, host: &str) -> Result<Self, String> {
        let mut session = connector.session(host).map_err(|error| error.to_string())?;
        let shaken = std::future::poll_fn(|context| pending(session.handshake(&mut Waiting { socket: &mut socket, context }))).await;
        match shaken {
            Ok(()) => Ok(Self::Tls { session: Box::new(session), socket }),
            Err(error) => Err(words(TlsSession::failure(host, error))),
        }
    }
}

/// Hints for the command line client are none for whoever configures sources.
fn words(error: TlsError) -> String {
    match error {
        TlsError::Peer { server, found, .. } if found.contains("CA that we trust") => {
            format!("TLS with `{server}`: {found}; name the file of its CA with `https_trust`")
        }
        TlsError::Peer { server, found, .. } => format!("TLS with `{server}`: {found}"),
        TlsError::Refused { found, .. } => found.replace("the broker", "the server"),
        other => other.to_string(),
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
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Tls { session, socket } => {
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
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, buffer),
            Self::Tls { session, socket } => pending(session.write(&mut Waiting { socket, context }, buffer)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Tls { session, socket } => pending(session.flush(&mut Waiting { socket, context })),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Tls { session, socket } => {
                session.close();
                ready!(pending(session.flush(&mut Waiting { socket, context })))?;
                Pin::new(socket).poll_shutdown(context)
            }
        }
    }
}
