//! From a host name to a connected socket, with or without TLS. Blocks, each step within the time-out.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use signet_tls::{Connector, ConnectorConfig};

use crate::RemoteAddress;
use crate::error::Fault;
use crate::stream::Stream;

/// Connects to the first address of the host that answers.
pub(crate) fn dial(address: &RemoteAddress, tls: Option<&ConnectorConfig>, timeout: Duration) -> Result<Stream, Fault> {
    // The files first: the network needs no bothering while they are wrong.
    let connector = tls.map(Connector::new).transpose()?;
    let socket = connect(address, timeout)?;
    let failed = |source| Fault::Unreachable { address: address.clone(), source };
    let Some(connector) = connector else {
        socket.set_nonblocking(true).map_err(failed)?;
        return Ok(Stream::Tcp(mio::net::TcpStream::from_std(socket)));
    };
    socket.set_read_timeout(Some(timeout)).map_err(failed)?;
    socket.set_write_timeout(Some(timeout)).map_err(failed)?;
    let (session, socket) = connector.connect(&address.host, socket)?.into_parts();
    socket.set_nonblocking(true).map_err(failed)?;
    Ok(Stream::Tls(Box::new(session), mio::net::TcpStream::from_std(socket)))
}

fn connect(address: &RemoteAddress, timeout: Duration) -> Result<TcpStream, Fault> {
    let resolve = |source| Fault::Resolve { host: address.host.clone(), source };
    let candidates = (address.host.as_str(), address.port).to_socket_addrs().map_err(resolve)?;
    let deadline = Instant::now() + timeout;
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for candidate in candidates {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&candidate, left) {
            Ok(socket) => {
                // Somebody waits for each packet; a refusal means that the peer is gone, which the next write shows.
                let _ = socket.set_nodelay(true);
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(Fault::Unreachable { address: address.clone(), source: last })
}
