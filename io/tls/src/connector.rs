//! The client end of TLS over a blocking socket: what `signet pub` and `signet sub` use.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use crate::{MinimumVersion, TlsError};

/// How a client connects.
#[derive(Clone, Debug, Default)]
pub struct ConnectorConfig {
    /// PEM files with the trust anchors of the server.
    pub ca_files: Vec<PathBuf>,
    /// PEM file with the client's certificate and intermediates. Needs `key`.
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of `certificate`.
    pub key: Option<PathBuf>,
    /// Accept any server name, expiry and issuer: the channel is encrypted to nobody in particular.
    pub insecure: bool,
    /// The oldest version to accept.
    pub minimum_version: MinimumVersion,
}

/// A client configuration that was loaded and checked.
#[derive(Clone)]
pub struct Connector {}

impl Connector {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// A file that cannot be read or used, a key without certificate, a key that does not match.
    pub fn new(config: &ConnectorConfig) -> Result<Self, TlsError> {
        todo!()
    }

    /// Performs the handshake on `socket`, within its read and write time-outs. `server` is the host name or address the
    /// certificate has to carry.
    ///
    /// # Errors
    /// The server is not trusted, refused us (with the alert it sent), or the socket failed.
    pub fn connect(&self, server: &str, socket: TcpStream) -> Result<TlsStream, TlsError> {
        todo!()
    }
}

/// An encrypted blocking stream. `read` honours the socket's read time-out (`WouldBlock` or `TimedOut`; the stream stays usable)
/// and returns 0 only after the server's `close_notify`; an alert of the server is an error whose text names it.
pub struct TlsStream {}

impl TlsStream {
    /// The socket, to set time-outs or to shut it down.
    pub fn socket(&self) -> &TcpStream {
        todo!()
    }

    /// Sends `close_notify` and flushes; the socket stays open for reading.
    ///
    /// # Errors
    /// The socket failed.
    pub fn close(&mut self) -> io::Result<()> {
        todo!()
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        todo!()
    }
}

impl Write for TlsStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        todo!()
    }
    fn flush(&mut self) -> io::Result<()> {
        todo!()
    }
}
