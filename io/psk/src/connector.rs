//! The client end of TLS with a pre-shared key over a blocking socket: what `signet pub` and `signet sub` use.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use signet_identity::DeviceName;
use signet_tls::{MinimumVersion, TlsError};

use crate::engine::{self, ClientEngine};
use crate::key::Psk;

/// Identity and key of a client, and how it speaks.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "openssl"), expect(dead_code, reason = "without the library nobody connects"))]
pub struct PskConnector {
    pub(crate) identity: DeviceName,
    pub(crate) key: Psk,
    pub(crate) settings: PskSettings,
}

/// What a client may choose besides its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PskSettings {
    /// The oldest version to accept.
    pub minimum_version: MinimumVersion,
    /// The cipher suites to offer in TLS 1.2, or with [`MinimumVersion::Tls13`] in TLS 1.3, as a list of OpenSSL; all that fit a key with none.
    pub cipher_suites: Option<String>,
    /// The protocols to offer (ALPN, RFC 7301), best first, each of 1 to 255 octets.
    pub alpn: Vec<String>,
    /// A file that gets the secrets of the connections, in the NSS key log format.
    pub key_log: Option<PathBuf>,
}

impl PskConnector {
    /// A client that speaks TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// This build has no OpenSSL.
    pub fn new(identity: DeviceName, key: Psk) -> Result<Self, TlsError> {
        Self::with(identity, key, PskSettings::default())
    }

    /// A client that speaks as `settings` say. Whether their cipher suites can be used shows when it connects.
    ///
    /// # Errors
    /// This build has no OpenSSL.
    pub fn with(identity: DeviceName, key: Psk, settings: PskSettings) -> Result<Self, TlsError> {
        engine::check()?;
        Ok(Self { identity, key, settings })
    }

    /// Performs the handshake on `socket`, within its read and write time-outs. `server` is for messages: whoever completes the handshake has the
    /// key, and that is the proof.
    ///
    /// # Errors
    /// The server refused us ([`TlsError::Refused`]), has another key or none, or the socket failed.
    pub fn connect(&self, server: &str, socket: TcpStream) -> Result<PskStream, TlsError> {
        ClientEngine::connect(self, server, socket).map(PskStream)
    }
}

/// An encrypted blocking stream. `read` honours the socket's read time-out (`WouldBlock` or `TimedOut`; the stream stays usable); an alert of the
/// server is an error that holds [`TlsError::Refused`].
pub struct PskStream(ClientEngine);

impl PskStream {
    /// The socket, to set time-outs or to shut it down.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        self.0.socket()
    }

    /// The protocol version that was agreed on, such as `TLSv1.3`.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.0.version()
    }

    /// Sends `close_notify`; the socket stays open for reading.
    ///
    /// # Errors
    /// The socket failed.
    pub fn close(&mut self) -> io::Result<()> {
        self.0.close()
    }
}

impl std::fmt::Debug for PskStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PskStream").field("version", &self.version()).finish_non_exhaustive()
    }
}

impl Read for PskStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for PskStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
