//! Where to connect: a host name becomes addresses, and the first address that answers becomes a socket.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::ClientError;

/// The broker's host and port, as the user wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A host name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
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
}

impl Endpoint {
    /// Opens a TCP connection to the first address of the host that answers, within `timeout` for all of them together.
    ///
    /// # Errors
    /// [`ClientError::Resolve`] when the name has no address, [`ClientError::Unreachable`] with the last address's error otherwise.
    pub fn connect(&self, timeout: Duration) -> Result<TcpStream, ClientError> {
        let resolve = |source| ClientError::Resolve { host: self.host.clone(), source };
        let addresses = (self.host.as_str(), self.port).to_socket_addrs().map_err(resolve)?;
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
        Err(ClientError::Unreachable { endpoint: self.clone(), source: last })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') { write!(out, "[{}]:{}", self.host, self.port) } else { write!(out, "{}:{}", self.host, self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_resolve_is_told_apart_from_a_refused_connection() {
        let unknown = Endpoint { host: "no-such-host.invalid".into(), port: 1883 };
        assert!(matches!(unknown.connect(Duration::from_secs(5)), Err(ClientError::Resolve { .. })));

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let refused = Endpoint { host: "127.0.0.1".into(), port };
        let error = refused.connect(Duration::from_secs(5)).unwrap_err();
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        assert_eq!(Endpoint { host: "::1".into(), port: 8883 }.to_string(), "[::1]:8883");
    }
}
