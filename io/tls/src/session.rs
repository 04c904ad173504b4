//! The client end of TLS on a socket that never blocks: for a thread that waits for several sockets at once.
//!
//! Reading does not wait for writing here, as it does in [`TlsStream`](crate::TlsStream): two programs that both read only when they have
//! written everything can wait for each other for ever.

use std::io::{self, ErrorKind, Read, Write};

use rustls::{ClientConnection, HandshakeKind, ProtocolVersion};

use crate::TlsError;
use crate::cipher_suite::registered_name;
use crate::connector::{failed, worded};
use crate::key_exchange::registered_group;

/// TLS of an established connection, without its socket.
pub struct TlsSession {
    connection: ClientConnection,
}

impl TlsSession {
    pub(crate) fn new(connection: ClientConnection) -> Self {
        Self { connection }
    }

    /// Goes on with the handshake as far as the socket lets it.
    ///
    /// # Errors
    /// `WouldBlock` when it waits for the socket; else the handshake failed, and [`Self::failure`] says why.
    pub fn handshake(&mut self, socket: &mut (impl Read + Write)) -> io::Result<()> {
        loop {
            self.flush(socket)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            if self.connection.read_tls(socket)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Err(error) = self.connection.process_new_packets() {
                // The alert that says so to the server; the error counts more than whether it arrives.
                let _ = self.flush(socket);
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }

    /// Version and cipher suite, such as `TLSv1.3` and `TLS_AES_128_GCM_SHA256`, once the handshake is complete.
    #[must_use]
    pub fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        let version = match self.connection.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => "TLSv1.2",
        };
        Some((version, registered_name(self.connection.negotiated_cipher_suite()?.suite()).unwrap_or("unknown")))
    }

    /// The group of the key exchange by its registered name, such as `x25519`, once the handshake is complete. `None` where there was no key exchange:
    /// in a session of TLS 1.2 that was taken up again.
    #[must_use]
    pub fn key_exchange_group(&self) -> Option<&'static str> {
        Some(registered_group(self.connection.negotiated_key_exchange_group()?.name()).unwrap_or("unknown"))
    }

    /// Whether the handshake took up a session of before, once it is complete.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// What an error of [`Self::handshake`] with `server` means.
    #[must_use]
    pub fn failure(server: &str, error: io::Error) -> TlsError {
        failed(server, error)
    }

    /// Reads plaintext; 0 after the server's `close_notify`.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there now, `UnexpectedEof` when the stream ends without `close_notify`; an alert of the server is an
    /// error that holds [`TlsError::Refused`].
    pub fn read(&mut self, socket: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            if self.connection.read_tls(socket)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.connection.process_new_packets().map_err(|error| worded(io::Error::new(ErrorKind::InvalidData, error)))?;
        }
    }

    /// Takes some of the plaintext, as soon as what was taken before is written, and writes what the socket takes.
    ///
    /// # Errors
    /// `WouldBlock` when the socket takes no more; else the socket failed.
    pub fn write(&mut self, socket: &mut impl Write, plaintext: &[u8]) -> io::Result<usize> {
        self.flush(socket)?;
        let count = self.connection.writer().write(plaintext)?;
        match self.flush(socket) {
            // It is taken: the rest goes out with the next call.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(count),
            Err(error) => Err(error),
            Ok(()) => Ok(count),
        }
    }

    /// Writes what waits, which may be answers of TLS itself.
    ///
    /// # Errors
    /// `WouldBlock` when something is left; else the socket failed.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(socket)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Whether something waits to be written.
    pub fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Prepares `close_notify`; [`Self::flush`] sends it.
    pub fn close(&mut self) {
        self.connection.send_close_notify();
    }
}

impl std::fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsSession")
    }
}
