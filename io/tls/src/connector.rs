//! The client end of TLS over a blocking socket: what `signet pub` and `signet sub` use.
//!
//! In TLS 1.3 a client is done before the server has looked at its certificate, so a refusal shows only with the first read or a failed write:
//! both turn the server's alert into words.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, InvalidMessage, OtherError, ProtocolVersion, StreamOwned,
    SupportedProtocolVersion,
};
use rustls_pki_types::ServerName;

use crate::cipher_suite::restricted;
use crate::key_exchange::with_groups;
use crate::key_log::KeyLogFile;
use crate::server_roots::ServerRoots;
use crate::server_verifier::{AnyServer, OldServer};
use crate::session::TlsSession;
use crate::staple::Particular;
use crate::{Credentials, MinimumVersion, PeerFault, TlsError};

/// Servers whose tickets are kept: the smallest number that the library rounds to one server.
const REMEMBERED_SERVERS: usize = 8;

/// How a client connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectorConfig {
    /// PEM files with the trust anchors of the server.
    pub ca_files: Vec<PathBuf>,
    /// A directory of such files: those with names such as `5ed36f99.0` where there are any, else all.
    pub ca_directory: Option<PathBuf>,
    /// The trust anchors of the system too.
    pub system_trust: bool,
    /// PEM file with the client's certificate and intermediates. Needs `key`.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of `certificate`.
    pub key: Option<PathBuf>,
    /// Accept any server name, expiry and issuer: the channel is encrypted, but to nobody in particular.
    pub insecure: bool,
    /// Accept what OpenSSL does and a certificate of today needs not: a host name in the common name where no subjectAltName has one, a certificate
    /// of version 1 that one of the authorities issued, a self-signed certificate that is itself among the trust anchors.
    pub old_certificates: bool,
    /// Accept a certificate for another name. Issuer and dates are checked all the same.
    pub any_name: bool,
    /// Accept a server only with a stapled OCSP response by which its certificate is good (RFC 6066 §8).
    pub staple_required: bool,
    /// The oldest version to accept.
    pub minimum_version: MinimumVersion,
    /// TLS 1.2 and nothing newer: for whoever compares the versions. It contradicts a `minimum_version` of TLS 1.3.
    pub tls12_only: bool,
    /// The cipher suites to offer, by the names of IANA or OpenSSL or as lists of OpenSSL; all with none. Names of TLS 1.3 choose among those of TLS 1.3,
    /// the others among those of TLS 1.2.
    pub cipher_suites: Vec<String>,
    /// The groups of the key exchange to offer, best first, by their registered names ([`crate::key_exchange_groups`]); those that the engine likes best
    /// with none. TLS 1.2 is not spoken where all of them are for TLS 1.3 only.
    pub key_exchange_groups: Vec<String>,
    /// The protocols to offer (ALPN, RFC 7301), best first.
    pub alpn: Vec<String>,
    /// A file that gets the secrets of the connections, in the NSS key log format.
    pub key_log: Option<PathBuf>,
}

/// A client configuration that was loaded and checked.
#[derive(Clone, Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
}

impl Connector {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// A file that cannot be read or used, a key without certificate, a key that does not match, no trust anchor.
    pub fn new(config: &ConnectorConfig) -> Result<Self, TlsError> {
        let library = |error: Error| TlsError::Library(error.to_string());
        let (provider, versions) = restricted(&config.cipher_suites, config.minimum_version)?;
        let versions = if config.tls12_only { older_only(versions)? } else { versions };
        let (provider, versions) = with_groups(&config.key_exchange_groups, provider, versions)?;
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions).map_err(library)?;
        let builder = if config.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer))
        } else if config.any_name || config.staple_required {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Particular::load(config)?))
        } else if config.old_certificates {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(OldServer::new(ServerRoots::load(config)?)?))
        } else {
            builder.with_root_certificates(ServerRoots::load(config)?.store)
        };
        let mut client = match (&config.certificate, &config.key) {
            (Some(certificate), Some(key)) => {
                let certified = Credentials::read(certificate, key)?.certified;
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::unwrap_or_clone(certified))))
            }
            (None, None) => builder.with_no_client_auth(),
            (Some(_), None) => return Err(TlsError::Setting("a client certificate without its key; give `--key FILE` too".to_owned())),
            (None, Some(_)) => return Err(TlsError::Setting("a client key without its certificate; give `--cert FILE` too".to_owned())),
        };
        // A command line client connects once; what it does not keep nobody can steal.
        client.resumption = Resumption::disabled();
        client.alpn_protocols = alpn(&config.alpn)?;
        if let Some(path) = &config.key_log {
            client.key_log = Arc::new(KeyLogFile::open(path)?);
        }
        Ok(Self { config: Arc::new(client) })
    }

    /// The same for connections that take up the TLS session of one before where the server gives tickets (RFC 8446 §2.2, RFC 5077), as devices do that
    /// come again. The result remembers few tickets, and shares none with `self`.
    #[must_use]
    pub fn with_resumption(&self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption = Resumption::in_memory_sessions(REMEMBERED_SERVERS);
        Self { config: Arc::new(config) }
    }

    /// Performs the handshake on `socket`, within its read and write time-outs. `server` is the host name or address that the
    /// server's certificate has to carry.
    ///
    /// # Errors
    /// The server is not trusted, refused us ([`TlsError::Refused`]), or the socket failed.
    pub fn connect(&self, server: &str, socket: TcpStream) -> Result<TlsStream, TlsError> {
        let mut stream = TlsStream { inner: StreamOwned::new(self.connection(server)?, socket) };
        while stream.inner.conn.is_handshaking() {
            stream.inner.conn.complete_io(&mut stream.inner.sock).map_err(|source| failed(server, source))?;
        }
        Ok(stream)
    }

    /// The client end for a socket that never blocks: nothing is sent yet, [`TlsSession::handshake`] comes first. `server` as in
    /// [`Self::connect`].
    ///
    /// # Errors
    /// `server` is no name that a certificate could carry.
    pub fn session(&self, server: &str) -> Result<TlsSession, TlsError> {
        Ok(TlsSession::new(self.connection(server)?))
    }

    /// The configuration itself, for a library that makes its own connections and brings the same rustls along.
    #[must_use]
    pub fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    fn connection(&self, server: &str) -> Result<ClientConnection, TlsError> {
        let name = ServerName::try_from(server.trim_start_matches('[').trim_end_matches(']').to_owned())
            .map_err(|_| TlsError::Setting(format!("`{server}` is neither a host name nor an address")))?;
        ClientConnection::new(Arc::clone(&self.config), name).map_err(|error| TlsError::Library(error.to_string()))
    }
}

/// Those of `versions` before TLS 1.3.
fn older_only(versions: &'static [&'static SupportedProtocolVersion]) -> Result<&'static [&'static SupportedProtocolVersion], TlsError> {
    let older = versions.iter().position(|version| version.version == ProtocolVersion::TLSv1_2).and_then(|at| versions.get(at..=at));
    older.ok_or_else(|| TlsError::Setting("TLS 1.2 only, and TLS 1.3 at least: no version is left".to_owned()))
}

/// As on the wire: 1 to 255 octets each.
fn alpn(protocols: &[String]) -> Result<Vec<Vec<u8>>, TlsError> {
    let fits = |protocol: &String| match protocol.len() {
        1..=255 => Ok(protocol.as_bytes().to_vec()),
        length => Err(TlsError::Setting(format!("a protocol for ALPN has 1 to 255 octets, and one here has {length}"))),
    };
    protocols.iter().map(fits).collect()
}

/// An encrypted blocking stream. `read` honours the socket's read time-out (`WouldBlock` or `TimedOut`; the stream stays usable)
/// and returns 0 only after the server's `close_notify`; an alert of the server is an error that holds [`TlsError::Refused`].
pub struct TlsStream {
    inner: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsStream {
    /// The socket, to set time-outs or to shut it down.
    pub fn socket(&self) -> &TcpStream {
        &self.inner.sock
    }

    /// The same connection for a socket that never blocks. What TLS has read already stays with it: read before waiting.
    pub fn into_parts(self) -> (TlsSession, TcpStream) {
        (TlsSession::new(self.inner.conn), self.inner.sock)
    }

    /// Sends `close_notify` and flushes; the socket stays open for reading.
    ///
    /// # Errors
    /// The socket failed.
    pub fn close(&mut self) -> io::Result<()> {
        self.inner.conn.send_close_notify();
        self.flush()
    }

    /// The protocol version that was agreed on, such as `TLSv1_3`.
    pub fn version(&self) -> &'static str {
        self.inner.conn.protocol_version().and_then(|version| version.as_str()).unwrap_or("unknown")
    }

    /// A write that fails because the server hung up: what it said before is still in the socket.
    fn last_words(&mut self, write_error: io::Error) -> io::Error {
        if !matches!(write_error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) {
            return worded(write_error);
        }
        while let Ok(count) = self.inner.conn.read_tls(&mut self.inner.sock) {
            match self.inner.conn.process_new_packets() {
                Ok(_) if count > 0 => {}
                Ok(_) => break,
                Err(error) => return worded(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        write_error
    }
}

impl std::fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStream").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(worded)
    }
}

impl Write for TlsStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.write(buffer).map_err(|error| self.last_words(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().map_err(|error| self.last_words(error))
    }
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<Error>())
}

/// An I/O error that holds [`TlsError::Refused`] when the server sent an alert.
pub(crate) fn worded(error: io::Error) -> io::Error {
    match tls_error(&error).and_then(refused_by_server) {
        Some(refused) => io::Error::new(io::ErrorKind::PermissionDenied, refused),
        None => error,
    }
}

/// A handshake's failure in words.
pub(crate) fn failed(server: &str, source: io::Error) -> TlsError {
    let server = server.to_owned();
    let Some(error) = tls_error(&source) else { return TlsError::Socket { server, source } };
    if let Some(refused) = refused_by_server(error) {
        return refused;
    }
    let (fault, found, hint) = fault(error);
    TlsError::Peer { server, found, hint: hint.to_owned(), fault }
}

/// What is wrong with the server, and what to do.
fn fault(error: &Error) -> (PeerFault, String, &'static str) {
    const OTHER_NAME: &str = "connect by a name that the certificate holds (`-h NAME`)";
    let Error::InvalidCertificate(certificate) = error else {
        return match error {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                let hint = "is this a plain TCP port? 8883 is the usual one for TLS";
                (PeerFault::NotTls, "what it sends is not TLS".to_owned(), hint)
            }
            other => (PeerFault::Protocol, other.to_string(), "see the server's log"),
        };
    };
    match certificate {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            PeerFault::UnknownIssuer,
            "its certificate was not issued by a CA that we trust".to_owned(),
            "give the CA of the server's certificate with `--cafile FILE`",
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let found = format!("its certificate is not for `{}` but for {}", expected.to_str(), presented_names(presented));
            (PeerFault::WrongName, found, OTHER_NAME)
        }
        CertificateError::NotValidForName => (PeerFault::WrongName, "its certificate is for another name".to_owned(), OTHER_NAME),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (PeerFault::Expired, error.to_string(), "see the server's log")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (PeerFault::NotYetValid, error.to_string(), "see the server's log")
        }
        // What is wrong with a stapled response says it itself.
        CertificateError::Other(OtherError(words)) => (PeerFault::Certificate, words.to_string(), "see the server's log"),
        CertificateError::Revoked => (PeerFault::Certificate, "its certificate is revoked".to_owned(), "see the server's log"),
        _ => (PeerFault::Certificate, error.to_string(), "see the server's log"),
    }
}

/// The names of a certificate as people write them. The library lists them as `DnsName("a")` and `IpAddress(127.0.0.1)`.
fn presented_names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest.trim_end_matches(')'));
        format!("`{}`", inner.trim_matches('"'))
    };
    if presented.is_empty() { "no name at all".to_owned() } else { presented.iter().map(bare).collect::<Vec<_>>().join(", ") }
}

/// The words for an alert that says that the server does not want us.
fn refused_by_server(error: &Error) -> Option<TlsError> {
    let Error::AlertReceived(alert) = error else { return None };
    let (found, hint) = refusal(*alert);
    Some(TlsError::Refused { found, hint: hint.to_owned(), alert: Some(u8::from(*alert)) })
}

fn refusal(alert: AlertDescription) -> (String, &'static str) {
    let (found, hint) = match alert {
        AlertDescription::CertificateRevoked => {
            ("the broker refused this certificate: it is revoked", "issue a new one with `signet device add NAME --force`")
        }
        AlertDescription::CertificateExpired => (
            "the broker refused this certificate: it is expired or not yet valid",
            "look at its dates (`openssl x509 -noout -dates -in FILE`) and at this machine's clock",
        ),
        AlertDescription::UnknownCA => (
            "the broker refused this certificate: it does not know the CA that issued it",
            "the file holds the certificate and then its intermediates; the listener's `trust` names the root",
        ),
        AlertDescription::CertificateRequired => ("the broker wants a client certificate", "give one with `--cert FILE --key FILE`"),
        AlertDescription::UnsupportedCertificate => {
            ("the broker refused this certificate: it is of a kind that devices may not use", "the broker's log says which check failed")
        }
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            ("the broker refused this certificate", "the broker's log says which check failed")
        }
        AlertDescription::AccessDenied => {
            ("the broker refused this certificate: it holds no acceptable device name", "the broker's log says which check failed")
        }
        AlertDescription::HandshakeFailure => (
            "the broker found no TLS settings in common with us, or wants a client certificate",
            "give one with `--cert FILE --key FILE`, or see the broker's log",
        ),
        other => return (format!("the broker ended the TLS connection with the alert {other:?}"), "see the broker's log"),
    };
    (found.to_owned(), hint)
}
