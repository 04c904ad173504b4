//! From a host name to a connected socket, with or without TLS. Blocks, each step within the time-out.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use signet_psk::PskConnector;
use signet_tls::{Connector, TlsError};
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use crate::config::{Remote, RemoteAddress, RemoteTls, SocketOptions, TcpKeepAlive};
use crate::error::Fault;
use crate::stream::Stream;

/// What a connection is protected with, its files read.
enum Protection {
    Certificates(Connector),
    Key(PskConnector),
}

impl Protection {
    fn of(tls: &RemoteTls) -> Result<Self, TlsError> {
        match tls {
            RemoteTls::Certificates(config) => Connector::new(config).map(Self::Certificates),
            RemoteTls::Key { identity, key, settings } => {
                PskConnector::with(identity.clone(), key.clone(), settings.clone()).map(Self::Key)
            }
        }
    }

    fn connect(&self, host: &str, socket: TcpStream) -> Result<Stream, TlsError> {
        let broken = |source| TlsError::Socket { server: host.to_owned(), source };
        match self {
            Self::Certificates(connector) => {
                let (session, socket) = connector.connect(host, socket)?.into_parts();
                socket.set_nonblocking(true).map_err(broken)?;
                Ok(Stream::Tls(Box::new(session), mio::net::TcpStream::from_std(socket)))
            }
            Self::Key(connector) => {
                let stream = connector.connect(host, socket)?;
                stream.socket().set_nonblocking(true).map_err(broken)?;
                let socket = stream.socket().try_clone().map_err(broken)?;
                Ok(Stream::Psk(Box::new(stream), mio::net::TcpStream::from_std(socket)))
            }
        }
    }
}

/// Connects to the first address of the host that answers.
pub(crate) fn dial(address: &RemoteAddress, remote: &Remote, timeout: Duration) -> Result<Stream, Fault> {
    // The files first: the network needs no bothering while they are wrong.
    let protection = remote.tls.as_ref().map(Protection::of).transpose()?;
    let socket = connect(address, &remote.socket, timeout)?;
    let failed = |source| Fault::Unreachable { address: address.clone(), source };
    let Some(protection) = protection else {
        socket.set_nonblocking(true).map_err(failed)?;
        return Ok(Stream::Tcp(mio::net::TcpStream::from_std(socket)));
    };
    socket.set_read_timeout(Some(timeout)).map_err(failed)?;
    socket.set_write_timeout(Some(timeout)).map_err(failed)?;
    Ok(protection.connect(&address.host, socket)?)
}

/// The TCP connection alone.
pub(crate) fn connect(address: &RemoteAddress, options: &SocketOptions, timeout: Duration) -> Result<TcpStream, Fault> {
    let resolve = |source| Fault::Resolve { host: address.host.clone(), source };
    let candidates = (address.host.as_str(), address.port).to_socket_addrs().map_err(resolve)?;
    let deadline = Instant::now() + timeout;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let own = options.bind_address.as_deref().map(|own| (own, 0).to_socket_addrs()).transpose();
    let own: Option<Vec<SocketAddr>> =
        own.map_err(|source| Fault::Resolve { host: options.bind_address.clone().unwrap_or_default(), source })?.map(Iterator::collect);
    for candidate in candidates {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match connect_one(candidate, own.as_deref(), options, left) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(Fault::Unreachable { address: address.clone(), source: last })
}

fn connect_one(to: SocketAddr, own: Option<&[SocketAddr]>, options: &SocketOptions, timeout: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(own) = own {
        // An address to connect from has one family, and reaches only that.
        let fits = own.iter().find(|own| own.is_ipv4() == to.is_ipv4());
        let fits =
            fits.ok_or_else(|| io::Error::new(io::ErrorKind::AddrNotAvailable, "the address to connect from is of another family"))?;
        socket.bind(&SockAddr::from(*fits))?;
    }
    if let Some(TcpKeepAlive { idle, interval, count }) = options.keep_alive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(count))?;
    }
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    socket.connect_timeout(&SockAddr::from(to), timeout)?;
    // Somebody waits for each packet; a refusal means that the peer is gone, which the next write shows.
    let _ = socket.set_tcp_nodelay(true);
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn options_are_those_of_the_socket_and_the_other_end_sees_where_it_comes_from() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = RemoteAddress { host: "localhost".to_owned(), port: listener.local_addr().unwrap().port() };
        let second = Duration::from_secs(1);
        let options = SocketOptions {
            bind_address: Some("127.0.0.9".to_owned()),
            keep_alive: Some(TcpKeepAlive { idle: 7 * second, interval: 3 * second, count: 4 }),
            user_timeout: Some(9 * second),
        };
        let socket = Socket::from(connect(&address, &options, 10 * second).unwrap());
        assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.9");
        assert!(socket.keepalive().unwrap());
        let found =
            (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap(), socket.tcp_keepalive_retries().unwrap());
        assert_eq!(found, (7 * second, 3 * second, 4));
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(9 * second));
        let plain = Socket::from(connect(&address, &SocketOptions::default(), 10 * second).unwrap());
        assert!(!plain.keepalive().unwrap());
        // No address of the other family is tried, and one of nobody's cannot be bound.
        let elsewhere = SocketOptions { bind_address: Some("203.0.113.1".to_owned()), ..options };
        assert!(connect(&address, &elsewhere, second).is_err());
    }
}
