//! Where to connect: a host name becomes addresses, and the first address that answers becomes a socket; or a unix socket.

use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use signet_psk::{DeviceName, Psk};

use crate::ClientError;
use crate::socket::Socket;

/// Where the broker is, and what carries MQTT to it besides TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The socket.
    pub place: Place,
    /// With the path of the URL where MQTT goes in WebSocket, such as `/mqtt`.
    pub websocket: Option<String>,
}

/// Which socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// TCP.
    Tcp {
        /// A host name, an IPv4 address, or an IPv6 address without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A unix socket at this path.
    Unix(PathBuf),
}

/// A key that we share with the broker, and the name under which it keeps it.
#[derive(Clone, Debug)]
pub struct PskOptions {
    /// The identity.
    pub identity: DeviceName,
    /// The key.
    pub key: Psk,
}

/// How to prove the broker to us, and us to the broker.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// PEM file with the trust anchors of the broker's certificate.
    pub ca_file: Option<PathBuf>,
    /// PEM file with our certificate, followed by its intermediates.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of that certificate.
    pub key: Option<PathBuf>,
    /// Accept any certificate from the broker. For tests only: whoever answers is believed.
    pub insecure: bool,
    /// A key instead of certificates: then nothing of the above counts.
    pub psk: Option<PskOptions>,
}

impl Endpoint {
    /// MQTT over TCP, or with TLS.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self { place: Place::Tcp { host: host.into(), port }, websocket: None }
    }

    /// MQTT over a unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::Unix(path.into()), websocket: None }
    }

    /// The same place with MQTT in WebSocket; `path` begins with `/`.
    #[must_use]
    pub fn with_websocket(self, path: impl Into<String>) -> Self {
        Self { websocket: Some(path.into()), ..self }
    }

    /// Opens a connection: TCP to the first address of the host that answers, within `timeout` for all of them together.
    ///
    /// # Errors
    /// [`ClientError::Resolve`] when the name has no address, [`ClientError::Unreachable`] with the last address's error otherwise.
    pub(crate) fn connect(&self, timeout: Duration) -> Result<Socket, ClientError> {
        let unreachable = |source| ClientError::Unreachable { endpoint: Box::new(self.clone()), source };
        match &self.place {
            Place::Unix(path) => UnixStream::connect(path).map(Socket::Unix).map_err(unreachable),
            Place::Tcp { host, port } => connect_tcp(host, *port, timeout, unreachable).map(Socket::Tcp),
        }
    }
}

fn connect_tcp(
    host: &str,
    port: u16,
    timeout: Duration,
    unreachable: impl FnOnce(std::io::Error) -> ClientError,
) -> Result<TcpStream, ClientError> {
    let resolve = |source| ClientError::Resolve { host: host.to_owned(), source };
    let addresses = (host, port).to_socket_addrs().map_err(resolve)?;
    let deadline = Instant::now() + timeout;
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                // Small packets are answered at once; waiting to fill a segment only adds latency.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => write!(out, "[{host}]:{port}")?,
            Place::Tcp { host, port } => write!(out, "{host}:{port}")?,
            Place::Unix(path) => write!(out, "unix:{}", path.display())?,
        }
        self.websocket.as_ref().map_or(Ok(()), |path| write!(out, " (WebSocket `{path}`)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_resolve_is_told_apart_from_a_refused_connection() {
        let unknown = Endpoint::tcp("no-such-host.invalid", 1883);
        assert!(matches!(unknown.connect(Duration::from_secs(5)), Err(ClientError::Resolve { .. })));

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let refused = Endpoint::tcp("127.0.0.1", port);
        let error = refused.connect(Duration::from_secs(5)).unwrap_err();
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.hint().is_some());
        let nobody = Endpoint::unix("/nowhere/mqtt.sock").connect(Duration::from_secs(5)).unwrap_err();
        assert!(nobody.to_string().contains("unix:/nowhere/mqtt.sock"), "{nobody}");
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        assert_eq!(Endpoint::tcp("::1", 8883).to_string(), "[::1]:8883");
        assert_eq!(Endpoint::tcp("h", 80).with_websocket("/mqtt").to_string(), "h:80 (WebSocket `/mqtt`)");
    }
}
