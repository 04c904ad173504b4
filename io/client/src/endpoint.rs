//! Where to connect, and how both ends prove themselves there.

use std::path::PathBuf;

use signet_psk::{DeviceName, Psk};
use signet_tls::MinimumVersion;

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
    /// Wherever the service records of this domain lead (RFC 2782): `_mqtt._tcp`, and with TLS `_secure-mqtt._tcp`. The broker's certificate has to be
    /// for the host that the record names, and nothing proves the record: whoever can forge answers of name servers chooses that host.
    Service {
        /// The domain, without the name of the service.
        domain: String,
    },
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
    /// A directory of such files: those with names such as `5ed36f99.0` where there are any, else all.
    pub ca_path: Option<PathBuf>,
    /// The trust anchors of the system too.
    pub use_os_trust: bool,
    /// PEM file with our certificate, followed by its intermediates.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of that certificate.
    pub key: Option<PathBuf>,
    /// Accept any certificate from the broker. For tests only: whoever answers is believed.
    pub insecure: bool,
    /// Accept what OpenSSL does of certificates, and Mosquitto's users have: a host name in the common name where no subjectAltName has one, a
    /// certificate of version 1 that one of the authorities issued, a self-signed certificate that is itself among the trust anchors.
    pub old_certificates: bool,
    /// A key instead of certificates: then nothing of the above counts.
    pub psk: Option<PskOptions>,
    /// The oldest version of TLS to accept.
    pub minimum_version: MinimumVersion,
    /// Cipher suites to offer as a list of OpenSSL; names of IANA may stand in it. With TLS 1.3 alone it is about suites of TLS 1.3, otherwise about those
    /// of TLS 1.2, and all of TLS 1.3 stay unless one of them is named.
    pub ciphers: Option<String>,
    /// The protocols to offer (ALPN), best first.
    pub alpn: Vec<String>,
    /// A file that gets the secrets of the connection, in the NSS key log format; made with mode 0600.
    pub key_log: Option<PathBuf>,
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

    /// Where the service records of a domain lead.
    pub fn service(domain: impl Into<String>) -> Self {
        Self { place: Place::Service { domain: domain.into() }, websocket: None }
    }

    /// The same place with MQTT in WebSocket; `path` begins with `/`.
    #[must_use]
    pub fn with_websocket(self, path: impl Into<String>) -> Self {
        Self { websocket: Some(path.into()), ..self }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => write!(out, "[{host}]:{port}")?,
            Place::Tcp { host, port } => write!(out, "{host}:{port}")?,
            Place::Unix(path) => write!(out, "unix:{}", path.display())?,
            Place::Service { domain } => write!(out, "the brokers of {domain}")?,
        }
        self.websocket.as_ref().map_or(Ok(()), |path| write!(out, " (WebSocket `{path}`)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        assert_eq!(Endpoint::tcp("::1", 8883).to_string(), "[::1]:8883");
        assert_eq!(Endpoint::tcp("h", 80).with_websocket("/mqtt").to_string(), "h:80 (WebSocket `/mqtt`)");
    }
}
