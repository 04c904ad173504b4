//! The sockets of a bridge behind one face, none of which ever blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use signet_psk::PskStream;
use signet_tls::TlsSession;

/// A connected socket, with or without TLS.
#[derive(Debug)]
pub(crate) enum Stream {
    /// To this broker.
    Unix(UnixStream),
    /// To the other broker.
    Tcp(TcpStream),
    /// To the other broker, encrypted.
    Tls(Box<TlsSession>, TcpStream),
    /// To the other broker, encrypted with a key that both know.
    /// The second is the same socket, to be waited for.
    Psk(Box<PskStream>, TcpStream),
}

impl Stream {
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Unix(socket) => registry.register(socket, token, interest),
            Self::Tcp(socket) | Self::Tls(_, socket) | Self::Psk(_, socket) => registry.register(socket, token, interest),
        }
    }

    /// Reads what is there; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = match self {
            Self::Unix(socket) => socket.read(buffer),
            Self::Tcp(socket) => socket.read(buffer),
            Self::Tls(session, socket) => session.read(socket, buffer),
            Self::Psk(stream, _) => stream.read(buffer),
        };
        match outcome {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            other => other,
        }
    }

    /// Writes what the socket takes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.write(bytes),
            Self::Tcp(socket) => socket.write(bytes),
            Self::Tls(session, socket) => session.write(socket, bytes),
            Self::Psk(stream, _) => stream.write(bytes),
        }
    }

    /// Writes what TLS holds back. `false`: something is left.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        let Self::Tls(session, socket) = self else { return Ok(true) };
        match session.flush(socket) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Says that nothing more comes, as far as that can be said without waiting.
    pub(crate) fn close(&mut self) {
        // The connection ends either way.
        match self {
            Self::Tls(session, _) => session.close(),
            Self::Psk(stream, _) => drop(stream.close()),
            Self::Unix(_) | Self::Tcp(_) => {}
        }
        let _ = self.flush();
        let _ = match self {
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
            Self::Tcp(socket) | Self::Tls(_, socket) | Self::Psk(_, socket) => socket.shutdown(Shutdown::Write),
        };
    }
}
