//! Listening sockets: bound all at once or not at all, with an error that says who to ask and what to try.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait for `accept`. Large, because a fleet reconnects all at once; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// A listening address that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody listens there already.
    #[error(
        "listener `{listener}`: address `{address}` is in use by another process; find it with `ss -ltnp 'sport = :{port}'`, stop it or choose another `bind`",
        port = address.port()
    )]
    InUse {
        /// The listener's name.
        listener: String,
        /// The address.
        address: SocketAddr,
    },
    /// The process may not listen there.
    #[error(
        "listener `{listener}`: no permission to listen on `{address}`; ports below 1024 need CAP_NET_BIND_SERVICE, or choose another `bind`"
    )]
    Permission {
        /// The listener's name.
        listener: String,
        /// The address.
        address: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error("listener `{listener}`: no interface of this machine has the address `{address}`; `ip address` lists them")]
    NoSuchAddress {
        /// The listener's name.
        listener: String,
        /// The address.
        address: SocketAddr,
    },
    /// Anything else the system refused.
    #[error("listener `{listener}`: cannot listen on `{address}`: {source}")]
    Other {
        /// The listener's name.
        listener: String,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on every address of `addresses`; port 0 takes any free port. The sockets are non-blocking. When one address fails, none is kept.
///
/// # Errors
/// Names the listener, the address, and what to try.
pub fn bind(listener: &str, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ListenError> {
    addresses.iter().map(|address| bind_one(*address).map_err(|source| explain(listener, *address, source))).collect()
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are listed separately in the configuration, so one must not take the other's traffic.
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for the TIME_WAIT of old connections.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn explain(listener: &str, address: SocketAddr, source: io::Error) -> ListenError {
    let listener = listener.to_owned();
    match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { listener, address },
        io::ErrorKind::PermissionDenied => ListenError::Permission { listener, address },
        io::ErrorKind::AddrNotAvailable => ListenError::NoSuchAddress { listener, address },
        _ => ListenError::Other { listener, address, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn two_addresses_are_bound_together() {
        let sockets = bind("mqtt", &[local(), local()]).unwrap();
        let ports: Vec<u16> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        assert_eq!(ports.len(), 2);
        assert_ne!(ports[0], ports[1]);
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_try() {
        let first = bind("mqtt", &[local()]).unwrap();
        let taken = first[0].local_addr().unwrap();
        let error = bind("mqtts", &[local(), taken]).unwrap_err();
        assert!(matches!(error, ListenError::InUse { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("`mqtts`") && text.contains(&taken.to_string()) && text.contains("ss -ltnp"), "{text}");
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let error = bind("mqtt", &["192.0.2.1:0".parse().unwrap()]).unwrap_err();
        assert!(matches!(error, ListenError::NoSuchAddress { .. }), "{error:?}");
    }
}
