//! Listening sockets of transports that keep order and lose nothing [MQTT-4.2.0-1]: bound all at once or not at all, with an error that says who to ask and what to try.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::ListenAddress;
use crate::unix_socket::{self, UnixListening};

/// Connections that may wait for `accept`. Large, because a fleet reconnects all at once; the kernel caps it at `net.core.somaxconn`.
pub(crate) const BACKLOG: i32 = 4096;

/// A listening address that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody listens there already.
    #[error(
        "listener `{listener}`: address `{address}` is in use by another process; find it with `{}`, stop it or choose another `bind`",
        finder(address)
    )]
    InUse {
        /// The listener's name.
        listener: String,
        /// The address.
        address: ListenAddress,
    },
    /// The process may not listen there.
    #[error("listener `{listener}`: no permission to listen on `{address}`; {}, or choose another `bind`", permission(address))]
    Permission {
        /// The listener's name.
        listener: String,
        /// The address.
        address: ListenAddress,
    },
    /// No interface of this machine has the address.
    #[error("listener `{listener}`: no interface of this machine has the address `{address}`; `ip address` lists them")]
    NoSuchAddress {
        /// The listener's name.
        listener: String,
        /// The address.
        address: ListenAddress,
    },
    /// Something stands at the path of a unix socket that is no socket; it is left alone.
    #[error("listener `{listener}`: there is a file at `{address}` that is no socket; move it away or choose another `bind`")]
    NotASocket {
        /// The listener's name.
        listener: String,
        /// The address.
        address: ListenAddress,
    },
    /// Anything else the system refused.
    #[error("listener `{listener}`: cannot listen on `{address}`: {source}")]
    Other {
        /// The listener's name.
        listener: String,
        /// The address.
        address: ListenAddress,
        /// What the system said.
        source: io::Error,
    },
}

fn finder(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Ip(address) => format!("ss -ltnp 'sport = :{}'", address.port()),
        ListenAddress::Unix(path) => format!("ss -lxp src {}", path.display()),
    }
}

fn permission(address: &ListenAddress) -> &'static str {
    match address {
        ListenAddress::Ip(_) => "ports below 1024 need CAP_NET_BIND_SERVICE",
        ListenAddress::Unix(_) => "the directory must be writable for the user that runs this",
    }
}

/// A listening socket, non-blocking.
#[derive(Debug)]
pub enum ListenSocket {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket; its file goes away with it.
    Unix(UnixListening),
}

impl ListenSocket {
    /// Where it listens, with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp(socket) => socket.local_addr().map(ListenAddress::Ip),
            Self::Unix(socket) => Ok(ListenAddress::Unix(socket.path().to_owned())),
        }
    }
}

/// Listens on every address of `addresses`; port 0 takes any free port. When one address fails, none is kept. `unix_mode` are the permissions
/// of unix sockets, as in `chmod`: connecting takes the right to write.
///
/// # Errors
/// Names the listener, the address, and what to try.
pub fn bind(listener: &str, addresses: &[ListenAddress], unix_mode: u32) -> Result<Vec<ListenSocket>, ListenError> {
    let bind_one = |address: &ListenAddress| match address {
        ListenAddress::Ip(ip) => bind_tcp(*ip).map(ListenSocket::Tcp).map_err(|source| explain(listener, address, source)),
        ListenAddress::Unix(path) => {
            unix_socket::bind(path, unix_mode).map(ListenSocket::Unix).map_err(|source| explain(listener, address, source))
        }
    };
    addresses.iter().map(bind_one).collect()
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
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

fn explain(listener: &str, address: &ListenAddress, source: io::Error) -> ListenError {
    let (listener, address) = (listener.to_owned(), address.clone());
    match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { listener, address },
        io::ErrorKind::PermissionDenied => ListenError::Permission { listener, address },
        io::ErrorKind::AddrNotAvailable => ListenError::NoSuchAddress { listener, address },
        io::ErrorKind::AlreadyExists => ListenError::NotASocket { listener, address },
        _ => ListenError::Other { listener, address, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> ListenAddress {
        "127.0.0.1:0".parse().unwrap()
    }

    fn bound(listener: &str, addresses: &[ListenAddress]) -> Vec<ListenSocket> {
        bind(listener, addresses, 0o600).unwrap()
    }

    #[test]
    fn two_addresses_are_bound_together() {
        let sockets = bound("mqtt", &[local(), local()]);
        let ports: Vec<u16> = sockets.iter().map(|socket| socket.local_address().unwrap().port().unwrap()).collect();
        assert_eq!(ports.len(), 2);
        assert_ne!(ports[0], ports[1]);
    }

    #[test]
    fn all_addresses_of_both_families_share_a_port() {
        let first = bound("mqtt", &["0.0.0.0:0".parse().unwrap()]);
        let port = first[0].local_address().unwrap().port().unwrap();
        let second = bound("mqtt", &[format!("[::]:{port}").parse().unwrap()]);
        assert_eq!(second[0].local_address().unwrap().port(), Some(port));
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_try() {
        let first = bound("mqtt", &[local()]);
        let taken = first[0].local_address().unwrap();
        let error = bind("mqtts", &[local(), taken.clone()], 0o600).unwrap_err();
        assert!(matches!(error, ListenError::InUse { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("`mqtts`") && text.contains(&taken.to_string()) && text.contains("ss -ltnp"), "{text}");
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let error = bind("mqtt", &["192.0.2.1:0".parse().unwrap()], 0o600).unwrap_err();
        assert!(matches!(error, ListenError::NoSuchAddress { .. }), "{error:?}");
    }
}
