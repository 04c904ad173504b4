//! Which broker, and as whom.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use signet_mqtt::ProtocolVersion;
use signet_tls::Connector;

use crate::LoadError;

/// What every load needs to know.
#[derive(Clone, Debug)]
pub struct Target {
    /// As people write it: `broker.example.com:8883`.
    pub broker: String,
    /// The host name or address that the server's certificate has to carry.
    pub host: String,
    /// Where connections go to, see [`reachable`].
    pub address: SocketAddr,
    /// What connections are protected with, taken in turns: one for each certificate of a client. Empty: plain TCP.
    pub connectors: Vec<Connector>,
    /// MQTT goes through a WebSocket at this path, which begins with `/`.
    pub websocket: Option<String>,
    /// MQTT 3.1.1 or 5.0.
    pub version: ProtocolVersion,
    /// User Name of every CONNECT.
    pub username: Option<String>,
    /// Password of every CONNECT.
    pub password: Option<Vec<u8>>,
    /// Client Identifiers begin with this; then comes what makes them different from those of other runs, and a number.
    pub identifier_prefix: String,
    /// Connections that are being opened at a time; at least 1.
    pub concurrency: usize,
    /// Process identifiers of the broker: their processor time and memory are measured, with those of their children. Empty: nobody's.
    pub processes: Vec<u32>,
}

impl Target {
    /// `tcp`, `tls`, `ws` or `wss`.
    pub(crate) fn transport(&self) -> &'static str {
        match (self.connectors.is_empty(), self.websocket.is_some()) {
            (true, false) => "tcp",
            (false, false) => "tls",
            (true, true) => "ws",
            (false, true) => "wss",
        }
    }

    /// The version as in the report.
    pub(crate) fn mqtt(&self) -> &'static str {
        match self.version {
            ProtocolVersion::V31 => "3.1",
            ProtocolVersion::V311 => "3.1.1",
            ProtocolVersion::V5 => "5.0",
        }
    }
}

/// The first address of a host that takes a connection, which is closed at once: a load that cannot reach anybody need not begin.
///
/// # Errors
/// The name has no address, or nobody answers at any within `timeout` each.
pub fn reachable(host: &str, port: u16, timeout: Duration) -> Result<SocketAddr, LoadError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let candidates = (bare, port).to_socket_addrs().map_err(|source| LoadError::Resolve { host: host.to_owned(), source })?;
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for candidate in candidates {
        match TcpStream::connect_timeout(&candidate, timeout) {
            Ok(_) => return Ok(candidate),
            Err(error) => last = error,
        }
    }
    Err(LoadError::Unreachable { broker: format!("{host}:{port}"), source: last })
}
