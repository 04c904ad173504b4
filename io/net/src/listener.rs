//! Listening sockets of transports that keep order and lose nothing [MQTT-4.2.0-1]: bound all at once or not at all, with an error that says who to ask and what to try.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::ListenAddress;
use crate::interface::{self, Interface};
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
    /// The interface is not there, or has not this address.
    #[error("listener `{listener}`: {found}; `ip address` lists interfaces and their addresses")]
    Interface {
        /// The listener's name.
        listener: String,
        /// What is missing.
        found: String,
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

/// How listening sockets are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindRules {
    /// Permissions of unix sockets, as in `chmod`: connecting takes the right to write.
    pub unix_mode: u32,
    /// The network interface whose addresses are meant, by its name. `0.0.0.0` and `[::]` then stand for its first address of that family.
    pub interface: Option<String>,
}

impl Default for BindRules {
    fn default() -> Self {
        Self { unix_mode: 0o660, interface: None }
    }
}

/// Listens on every address of `addresses`; port 0 takes any free port. When one address fails, none is kept. Each socket comes with the address
/// that was asked for. A family that this machine, or the interface, does not have is left out where every address of the other is asked for too.
///
/// # Errors
/// Names the listener, the address, and what to try.
pub fn bind(listener: &str, addresses: &[ListenAddress], rules: &BindRules) -> Result<Vec<(ListenAddress, ListenSocket)>, ListenError> {
    let interface = match &rules.interface {
        None => None,
        Some(name) => Some(Interface::find(name).map_err(|found| ListenError::Interface { listener: listener.to_owned(), found })?),
    };
    let mut sockets = Vec::new();
    for address in addresses {
        let bound = match address {
            ListenAddress::Unix(path) => unix_socket::bind(path, rules.unix_mode).map(ListenSocket::Unix),
            ListenAddress::Ip(asked) => match interface.as_ref().map_or(Ok(Some(*asked)), |interface| interface.address_for(*asked)) {
                Ok(Some(ip)) => bind_tcp(ip).map(ListenSocket::Tcp),
                Ok(None) => Err(io::ErrorKind::AddrNotAvailable.into()),
                Err(found) => return Err(ListenError::Interface { listener: listener.to_owned(), found }),
            },
        };
        match bound {
            Ok(socket) => sockets.push((address.clone(), socket)),
            Err(error) if is_missing_family(&error) && has_twin(address, addresses) => {}
            Err(source) => return Err(explain(listener, address, source)),
        }
    }
    if sockets.is_empty() && !addresses.is_empty() {
        let found = match &interface {
            Some(interface) => format!("the interface `{}` has no address to listen on", interface.name()),
            None => "this machine has no address to listen on".to_owned(),
        };
        return Err(ListenError::Interface { listener: listener.to_owned(), found });
    }
    Ok(sockets)
}

/// Whether there are no addresses of this family here.
fn is_missing_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(interface::NO_SUCH_FAMILY)
}

/// Whether `address` stands for every address of its family, and another one does so for the other family, with the same port.
fn has_twin(address: &ListenAddress, all: &[ListenAddress]) -> bool {
    let any = |address: &ListenAddress| match address {
        ListenAddress::Ip(ip) if ip.ip().is_unspecified() => Some((ip.is_ipv4(), ip.port())),
        _ => None,
    };
    any(address).is_some_and(|(is_ipv4, port)| all.iter().any(|other| any(other) == Some((!is_ipv4, port))))
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
        bind(listener, addresses, &BindRules::default()).unwrap().into_iter().map(|(_, socket)| socket).collect()
    }

    fn on(interface: &str) -> BindRules {
        BindRules { interface: Some(interface.to_owned()), ..BindRules::default() }
    }

    #[test]
    fn an_interface_stands_for_its_addresses() {
        let any: ListenAddress = "0.0.0.0:0".parse().unwrap();
        let sockets = bind("mqtt", std::slice::from_ref(&any), &on("lo")).unwrap();
        assert_eq!(sockets[0].0, any, "what was asked for comes back");
        let ListenAddress::Ip(address) = sockets[0].1.local_address().unwrap() else { panic!("TCP") };
        assert_eq!(address.ip().to_string(), "127.0.0.1");
        assert!(bind("mqtt", &[local()], &on("lo")).is_ok(), "its own address");
        for (address, interface, words) in
            [("192.0.2.1:0", "lo", "has not the address `192.0.2.1`"), ("0.0.0.0:0", "no-such0", "no interface `no-such0`")]
        {
            let error = bind("mqtt", &[address.parse().unwrap()], &on(interface)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn only_a_family_that_stands_beside_the_other_may_be_missing() {
        let all: Vec<ListenAddress> =
            ["0.0.0.0:1883", "[::]:1883", "[::]:1884", "127.0.0.1:1883"].iter().map(|text| text.parse().unwrap()).collect();
        let found: Vec<bool> = all.iter().map(|address| has_twin(address, &all)).collect();
        assert_eq!(found, [true, true, false, false]);
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
        let error = bind("mqtts", &[local(), taken.clone()], &BindRules::default()).unwrap_err();
        assert!(matches!(error, ListenError::InUse { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("`mqtts`") && text.contains(&taken.to_string()) && text.contains("ss -ltnp"), "{text}");
    }

    #[test]
    fn an_address_of_another_machine_is_named() {
        let error = bind("mqtt", &["192.0.2.1:0".parse().unwrap()], &BindRules::default()).unwrap_err();
        assert!(matches!(error, ListenError::NoSuchAddress { .. }), "{error:?}");
    }
}
