//! From an endpoint to a connected socket: service records, addresses, a local address, a proxy; all within one time limit.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use signet_net::websocket::authority;
use socket2::{Domain, Protocol, SockAddr, Type};

use crate::ClientError;
use crate::endpoint::{Endpoint, Place};
use crate::service;
use crate::socket::Socket;
use crate::socks5::{self, Socks5Proxy};

/// How the socket is made and the broker reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// The local address to connect from, as an address or a name of this machine.
    pub bind_address: Option<String>,
    /// Small packets go out at once (`TCP_NODELAY`) instead of waiting for more.
    pub no_delay: bool,
    /// Through this proxy, which looks up the broker's name.
    pub proxy: Option<Socks5Proxy>,
    /// Whom to ask for service records ([`Place::Service`]); those of `/etc/resolv.conf` where none is given.
    pub name_servers: Vec<SocketAddr>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { bind_address: None, no_delay: true, proxy: None, name_servers: Vec::new() }
    }
}

/// A connected socket, and whom it leads to.
#[derive(Debug)]
pub(crate) struct Dialed {
    pub(crate) socket: Socket,
    /// The name that the broker's certificate has to hold.
    pub(crate) host: String,
    /// Host and port as HTTP writes them.
    pub(crate) authority: String,
}

/// Connects: to the first place that answers, within `timeout` for all of them together.
///
/// # Errors
/// [`ClientError::Resolve`] and [`ClientError::Service`] when a name leads nowhere, [`ClientError::Proxy`] when the proxy does not help,
/// [`ClientError::Unreachable`] with the last place's error otherwise.
pub(crate) fn dial(endpoint: &Endpoint, options: &SocketOptions, is_secure: bool, timeout: Duration) -> Result<Dialed, ClientError> {
    let deadline = Instant::now() + timeout;
    let targets = match &endpoint.place {
        Place::Unix(path) => {
            let socket = UnixStream::connect(path).map_err(|source| unreachable(endpoint, source))?;
            return Ok(Dialed { socket: Socket::Unix(socket), host: "localhost".to_owned(), authority: "localhost".to_owned() });
        }
        Place::Tcp { host, port } => vec![(host.clone(), *port)],
        Place::Service { domain } => service::look_up(domain, is_secure, &options.name_servers, deadline)?,
    };
    let mut last = unreachable(endpoint, io::Error::new(io::ErrorKind::NotFound, "there is no address"));
    for (host, port) in targets {
        match dial_tcp(endpoint, options, (&host, port), deadline) {
            Ok(socket) => {
                let authority = authority(&host, port);
                return Ok(Dialed { socket: Socket::Tcp(socket), host, authority });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn dial_tcp(endpoint: &Endpoint, options: &SocketOptions, (host, port): (&str, u16), deadline: Instant) -> Result<TcpStream, ClientError> {
    let Some(proxy) = &options.proxy else { return connect(endpoint, options, (host, port), deadline) };
    let mut socket = connect(endpoint, options, (&proxy.host, proxy.port), deadline)?;
    socks5::ask(&mut socket, proxy, (host, port), deadline)?;
    Ok(socket)
}

/// One host: every address of it, from every local address that fits.
fn connect(endpoint: &Endpoint, options: &SocketOptions, (host, port): (&str, u16), deadline: Instant) -> Result<TcpStream, ClientError> {
    let addresses = resolve(host, port)?;
    let local = options.bind_address.as_deref().map(|address| resolve(address, 0)).transpose()?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match open(address, local.as_deref(), left) {
            Ok(socket) => {
                // Where it fails packets only go out a little later.
                let _ = socket.set_nodelay(options.no_delay);
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(endpoint, last))
}

fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ClientError> {
    (host, port).to_socket_addrs().map(Iterator::collect).map_err(|source| ClientError::Resolve { host: host.to_owned(), source })
}

fn open(address: SocketAddr, local: Option<&[SocketAddr]>, timeout: Duration) -> io::Result<TcpStream> {
    let Some(local) = local else { return TcpStream::connect_timeout(&address, timeout) };
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    let mut bound = Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "the local address has no address of this family"));
    for own in local.iter().filter(|own| own.is_ipv4() == address.is_ipv4()) {
        bound = socket.bind(&SockAddr::from(*own));
        if bound.is_ok() {
            break;
        }
    }
    bound?;
    socket.connect_timeout(&SockAddr::from(address), timeout)?;
    Ok(socket.into())
}

fn unreachable(endpoint: &Endpoint, source: io::Error) -> ClientError {
    ClientError::Unreachable { endpoint: Box::new(endpoint.clone()), source }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn dial_plain(endpoint: &Endpoint) -> Result<Dialed, ClientError> {
        dial(endpoint, &SocketOptions::default(), false, PATIENCE)
    }

    #[test]
    fn a_name_that_does_not_resolve_is_told_apart_from_a_refused_connection() {
        let unknown = Endpoint::tcp("no-such-host.invalid", 1883);
        assert!(matches!(dial_plain(&unknown), Err(ClientError::Resolve { .. })));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = dial_plain(&Endpoint::tcp("127.0.0.1", port)).unwrap_err();
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.hint().is_some());
        let nobody = dial_plain(&Endpoint::unix("/nowhere/mqtt.sock")).unwrap_err();
        assert!(nobody.to_string().contains("unix:/nowhere/mqtt.sock"), "{nobody}");
    }

    #[test]
    fn a_local_address_is_where_the_connection_comes_from() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::tcp("127.0.0.1", listener.local_addr().unwrap().port());
        let from = |address: &str| {
            let options = SocketOptions { bind_address: Some(address.to_owned()), ..SocketOptions::default() };
            dial(&endpoint, &options, false, PATIENCE)
        };
        let dialed = from("127.0.0.9").unwrap();
        assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.9");
        drop(dialed);
        // An address of nobody here, one of the other family, and a name of nobody.
        assert!(
            matches!(from("192.0.2.1"), Err(ClientError::Unreachable { source, .. }) if source.kind() == io::ErrorKind::AddrNotAvailable)
        );
        assert!(matches!(from("::1"), Err(ClientError::Unreachable { .. })));
        assert!(matches!(from("no-such-host.invalid"), Err(ClientError::Resolve { host, .. }) if host == "no-such-host.invalid"));
    }
}
