//! A connected socket of either family behind one face, and the listening ones that it comes from.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::net::sockopt::{set_tcp_nodelay, socket_peercred};
use signet_net::{ListenSocket, PeerAddress, UnixListening, UnixPeer};

/// A connected socket.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Tells the peer that nothing more comes.
    pub(crate) fn shut_write(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
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

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.register(registry, token, interests),
            Self::Unix(socket) => socket.register(registry, token, interests),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.reregister(registry, token, interests),
            Self::Unix(socket) => socket.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.deregister(registry),
            Self::Unix(socket) => socket.deregister(registry),
        }
    }
}

/// A listening socket, watched by the accept thread.
pub(crate) enum Listening {
    Tcp(TcpListener),
    Unix {
        socket: UnixListener,
        /// Removes the file when nobody listens any more.
        _file: UnixListening,
    },
}

impl Listening {
    pub(crate) fn new(socket: ListenSocket) -> io::Result<Self> {
        Ok(match socket {
            ListenSocket::Tcp(socket) => {
                // An MQTT packet is small and somebody waits for it. Linux passes the option on to every connection of the socket: one call for all.
                set_tcp_nodelay(&socket, true)?;
                Self::Tcp(TcpListener::from_std(socket))
            }
            ListenSocket::Unix(socket) => Self::Unix { socket: UnixListener::from_std(socket.try_clone()?), _file: socket },
        })
    }

    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => registry.register(socket, token, Interest::READABLE),
            Self::Unix { socket, .. } => registry.register(socket, token, Interest::READABLE),
        }
    }

    pub(crate) fn accept(&self) -> io::Result<(Socket, PeerAddress)> {
        match self {
            Self::Tcp(socket) => socket.accept().map(|(socket, address)| (Socket::Tcp(socket), address.into())),
            Self::Unix { socket, .. } => socket.accept().map(|(socket, _)| {
                let process = socket_peercred(&socket).ok();
                let peer = process.map(|process| UnixPeer { uid: process.uid.as_raw(), pid: process.pid.as_raw_nonzero().get() });
                (Socket::Unix(socket), PeerAddress::Unix(peer))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_send_small_packets_at_once() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let listening = Listening::new(ListenSocket::Tcp(socket)).unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        let (Socket::Tcp(connection), _) = listening.accept().unwrap() else { panic!("a TCP socket gives TCP connections") };
        assert!(connection.nodelay().unwrap());
    }
}
