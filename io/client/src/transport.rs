//! One byte stream behind plain TCP and TLS, read with a deadline and interruptible from another thread.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use signet_tls::{Connector, ConnectorConfig, TlsError, TlsStream};

use crate::{ClientError, Endpoint, TlsOptions};

/// A connected socket, with or without TLS.
pub struct Transport {
    stream: Stream,
    interrupted: Arc<AtomicBool>,
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
}

/// How one read ended.
pub(crate) enum ReadOutcome {
    Data,
    TimedOut,
    Interrupted,
    Closed,
}

/// Ends a wait for packets from another thread, for instance when a signal asks the program to stop.
#[derive(Debug)]
pub struct Interrupter {
    interrupted: Arc<AtomicBool>,
    socket: TcpStream,
}

impl Interrupter {
    /// Lets the current or next wait end with [`crate::Received::Interrupted`]. Sending still works, so that a DISCONNECT can follow.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
        // The blocked read returns as if the other side had closed; the flag tells the two apart.
        let _ = self.socket.shutdown(Shutdown::Read);
    }
}

impl Transport {
    /// Connects, and with `tls` performs the handshake; all of it within about `timeout` per step.
    ///
    /// # Errors
    /// The name, the address, the TLS files, or the handshake: each with its own variant of [`ClientError`].
    pub fn open(endpoint: &Endpoint, tls: Option<&TlsOptions>, timeout: Duration) -> Result<Self, ClientError> {
        // The files are read before the network is touched: a missing file is the user's to mend, whatever the broker does.
        let connector = tls.map(connector).transpose()?;
        let socket = endpoint.connect(timeout)?;
        let stream = match connector {
            None => Stream::Tcp(socket),
            Some(connector) => {
                socket.set_read_timeout(Some(timeout)).map_err(ClientError::Lost)?;
                socket.set_write_timeout(Some(timeout)).map_err(ClientError::Lost)?;
                Stream::Tls(Box::new(connector.connect(&endpoint.host, socket).map_err(ClientError::Tls)?))
            }
        };
        Ok(Self { stream, interrupted: Arc::new(AtomicBool::new(false)) })
    }

    /// A handle that ends a blocked read.
    ///
    /// # Errors
    /// When the system cannot duplicate the socket.
    pub fn interrupter(&self) -> Result<Interrupter, ClientError> {
        let socket = self.socket().try_clone().map_err(ClientError::Lost)?;
        Ok(Interrupter { interrupted: Arc::clone(&self.interrupted), socket })
    }

    /// Appends at most `chunk` bytes to `buffer`.
    pub(crate) fn read(&mut self, buffer: &mut BytesMut, chunk: usize, deadline: Option<Instant>) -> Result<ReadOutcome, ClientError> {
        loop {
            if self.interrupted.load(Ordering::SeqCst) {
                return Ok(ReadOutcome::Interrupted);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // A zero time-out means "for ever" to the system, so the last look is one millisecond long.
            let time_out = left.map(|left| left.max(Duration::from_millis(1)));
            self.socket().set_read_timeout(time_out).map_err(ClientError::Lost)?;
            let held = buffer.len();
            buffer.resize(held + chunk, 0);
            let outcome = match (&mut self.stream, buffer.get_mut(held..).unwrap_or_default()) {
                (Stream::Tcp(socket), room) => socket.read(room),
                (Stream::Tls(stream), room) => stream.read(room),
            };
            buffer.truncate(held + outcome.as_ref().copied().unwrap_or(0));
            match outcome {
                Ok(0) if self.interrupted.load(Ordering::SeqCst) => return Ok(ReadOutcome::Interrupted),
                Ok(0) => return Ok(ReadOutcome::Closed),
                Ok(_) => return Ok(ReadOutcome::Data),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if left.is_some_and(|left| left <= Duration::from_millis(1))
                        || deadline.is_some_and(|deadline| deadline <= Instant::now())
                    {
                        return Ok(ReadOutcome::TimedOut);
                    }
                }
                Err(_) if self.interrupted.load(Ordering::SeqCst) => return Ok(ReadOutcome::Interrupted),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(ReadOutcome::Closed),
                Err(error) => return Err(broken(error)),
            }
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        match &mut self.stream {
            Stream::Tcp(socket) => socket.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
        .map_err(broken)
    }

    pub(crate) fn close(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            let _ = stream.close();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Tcp(socket) => socket,
            Stream::Tls(stream) => stream.socket(),
        }
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.stream {
            Stream::Tcp(_) => "tcp",
            Stream::Tls(_) => "tls",
        };
        write!(out, "Transport({kind}, peer {:?})", self.socket().peer_addr().ok())
    }
}

fn connector(options: &TlsOptions) -> Result<Connector, ClientError> {
    let config = ConnectorConfig {
        ca_files: options.ca_file.iter().cloned().collect(),
        certificate: options.certificate.clone(),
        key: options.key.clone(),
        insecure: options.insecure,
        ..ConnectorConfig::default()
    };
    Connector::new(&config).map_err(ClientError::Tls)
}

/// A TLS alert reads the same whether it came during the handshake (TLS 1.2) or after it (TLS 1.3).
fn broken(error: io::Error) -> ClientError {
    match error.downcast::<TlsError>() {
        Ok(refused) => ClientError::Tls(refused),
        Err(error) => ClientError::Lost(error),
    }
}
