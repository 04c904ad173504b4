//! A blocking socket of either family.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The same, borrowed from whoever reads and writes.
#[derive(Clone, Copy)]
pub(crate) enum SocketRef<'a> {
    Tcp(&'a TcpStream),
    Unix(&'a UnixStream),
}

impl Socket {
    pub(crate) fn borrow(&self) -> SocketRef<'_> {
        match self {
            Self::Tcp(socket) => SocketRef::Tcp(socket),
            Self::Unix(socket) => SocketRef::Unix(socket),
        }
    }
}

impl SocketRef<'_> {
    pub(crate) fn set_read_timeout(self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_read_timeout(timeout),
            Self::Unix(socket) => socket.set_read_timeout(timeout),
        }
    }

    pub(crate) fn shutdown(self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(how),
            Self::Unix(socket) => socket.shutdown(how),
        }
    }

    pub(crate) fn try_clone(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Socket::Tcp),
            Self::Unix(socket) => socket.try_clone().map(Socket::Unix),
        }
    }

    /// The address of the other end, for debugging.
    pub(crate) fn peer(self) -> String {
        match self {
            Self::Tcp(socket) => socket.peer_addr().map_or_else(|_| "gone".to_owned(), |address| address.to_string()),
            Self::Unix(_) => "unix".to_owned(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
