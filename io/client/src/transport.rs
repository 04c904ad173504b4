//! One byte stream behind every kind of connection, read with a deadline and interruptible from another thread.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use signet_net::websocket::{ClientHandshake, CloseCode, Frames, Role};
use signet_psk::{PskConnector, PskSettings, PskStream};
use signet_tls::{Connector, ConnectorConfig, TlsError, TlsStream};

use crate::dial::{Dialed, SocketOptions, dial};
use crate::socket::{Socket, SocketRef};
use crate::{ClientError, Endpoint, TlsOptions};

/// Octets read at a time while the upgrade to WebSocket goes on.
const UPGRADE_CHUNK: usize = 4096;

/// A connected socket, with or without TLS and WebSocket.
pub struct Transport {
    stream: Stream,
    /// With what came behind the answer to the upgrade and was not read yet.
    websocket: Option<(Frames, Vec<u8>)>,
    interrupt: Arc<Interrupt>,
}

/// What a connection and those who may end its waits share; it outlives the connection where a client connects anew.
#[derive(Debug, Default)]
struct Interrupt {
    is_asked: AtomicBool,
    /// The socket to wake up, once somebody may want to.
    socket: Mutex<Option<Socket>>,
}

enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream>),
    Psk(Box<PskStream>),
}

/// How one read ended.
pub(crate) enum ReadOutcome {
    Data,
    TimedOut,
    Interrupted,
    Closed,
}

/// Ends a wait for packets from another thread, for instance when a signal asks the program to stop.
#[derive(Clone, Debug)]
pub struct Interrupter(Arc<Interrupt>);

impl Interrupter {
    /// Lets the current or next wait end with [`crate::Received::Interrupted`]. Sending still works, so that a DISCONNECT can follow.
    pub fn interrupt(&self) {
        self.0.is_asked.store(true, Ordering::SeqCst);
        if let Some(socket) = self.0.socket.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // The blocked read returns as if the other side had closed; the flag tells the two apart.
            let _ = socket.borrow().shutdown(Shutdown::Read);
        }
    }
}

impl Transport {
    /// Connects, with `tls` performs the handshake, and asks for a WebSocket where the endpoint says so; all of it within about `timeout` per step.
    ///
    /// # Errors
    /// The name, the address, the TLS files, or a handshake: each with its own variant of [`ClientError`].
    pub fn open(endpoint: &Endpoint, tls: Option<&TlsOptions>, timeout: Duration) -> Result<Self, ClientError> {
        Self::open_by(endpoint, &SocketOptions::default(), tls, timeout)
    }

    /// The same with a socket of one's own choice.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_by(endpoint: &Endpoint, options: &SocketOptions, tls: Option<&TlsOptions>, timeout: Duration) -> Result<Self, ClientError> {
        // The files are read before the network is touched: a missing file is the user's to mend, whatever the broker does.
        let connector = tls.map(Proof::new).transpose()?;
        let Dialed { socket, host, authority } = dial(endpoint, options, tls.is_some(), timeout)?;
        let stream = match (connector, socket) {
            (None, socket) => Stream::Plain(socket),
            (Some(_), Socket::Unix(_)) => return Err(ClientError::NoTlsOverUnix),
            (Some(connector), Socket::Tcp(socket)) => {
                socket.set_read_timeout(Some(timeout)).map_err(ClientError::Lost)?;
                socket.set_write_timeout(Some(timeout)).map_err(ClientError::Lost)?;
                connector.connect(&host, socket).map_err(ClientError::Tls)?
            }
        };
        let mut transport = Self { stream, websocket: None, interrupt: Arc::default() };
        if let Some(path) = &endpoint.websocket {
            transport.upgrade(&authority, path, Instant::now() + timeout)?;
        }
        Ok(transport)
    }

    /// Asks for a WebSocket.
    fn upgrade(&mut self, authority: &str, path: &str, deadline: Instant) -> Result<(), ClientError> {
        let mut request = Vec::new();
        let mut handshake = ClientHandshake::start(authority, path, random()?, &mut request);
        self.write_raw(&request)?;
        let mut buffer = BytesMut::new();
        loop {
            buffer.clear();
            match self.read_raw(&mut buffer, UPGRADE_CHUNK, Some(deadline))? {
                ReadOutcome::Data => {}
                ReadOutcome::TimedOut => return Err(ClientError::WebSocket("no answer to the upgrade".to_owned())),
                ReadOutcome::Interrupted => return Err(ClientError::Interrupted),
                ReadOutcome::Closed => return Err(ClientError::WebSocket("the connection was closed instead of an answer".to_owned())),
            }
            if let Some(rest) = handshake.receive(&buffer).map_err(|error| ClientError::WebSocket(error.to_string()))? {
                self.websocket = Some((Frames::new(Role::Client), rest));
                return Ok(());
            }
        }
    }

    /// A handle that ends a blocked read.
    ///
    /// # Errors
    /// When the system cannot duplicate the socket.
    pub fn interrupter(&self) -> Result<Interrupter, ClientError> {
        let socket = self.socket().try_clone().map_err(ClientError::Lost)?;
        *self.interrupt.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
        Ok(Interrupter(Arc::clone(&self.interrupt)))
    }

    /// Lets those who may end the waits of `former` end this one's.
    pub(crate) fn succeed(&mut self, former: &Self) -> Result<(), ClientError> {
        self.interrupt = Arc::clone(&former.interrupt);
        self.interrupter().map(drop)
    }

    /// Appends at most about `chunk` bytes to `buffer`.
    pub(crate) fn read(&mut self, buffer: &mut BytesMut, chunk: usize, deadline: Option<Instant>) -> Result<ReadOutcome, ClientError> {
        if self.websocket.is_none() {
            return self.read_raw(buffer, chunk, deadline);
        }
        let mut framed = BytesMut::new();
        loop {
            // What came with the answer to the upgrade stands before what the socket has.
            if let Some((_, rest)) = &mut self.websocket {
                framed.extend_from_slice(&std::mem::take(rest));
            }
            if framed.is_empty() {
                match self.read_raw(&mut framed, chunk, deadline)? {
                    ReadOutcome::Data => {}
                    other => return Ok(other),
                }
            }
            let (mut plaintext, mut answer) = (Vec::new(), Vec::new());
            let Some((frames, _)) = &mut self.websocket else { return Ok(ReadOutcome::Closed) };
            let mut key = || random().ok();
            let received = frames.receive_as_client(&framed, &mut plaintext, &mut answer, &mut key);
            framed.clear();
            // The other side may be gone; what it said before still counts.
            let written = self.write_raw(&answer);
            buffer.extend_from_slice(&plaintext);
            match received {
                Err(error) => return Err(ClientError::WebSocket(error.to_string())),
                Ok(_) if !plaintext.is_empty() => return Ok(ReadOutcome::Data),
                Ok(true) => return Ok(ReadOutcome::Closed),
                Ok(false) => written?,
            }
        }
    }

    fn read_raw(&mut self, buffer: &mut BytesMut, chunk: usize, deadline: Option<Instant>) -> Result<ReadOutcome, ClientError> {
        loop {
            if self.interrupt.is_asked.load(Ordering::SeqCst) {
                return Ok(ReadOutcome::Interrupted);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // A zero time-out means "for ever" to the system, so the last look is one millisecond long.
            let time_out = left.map(|left| left.max(Duration::from_millis(1)));
            self.socket().set_read_timeout(time_out).map_err(ClientError::Lost)?;
            let held = buffer.len();
            buffer.resize(held + chunk, 0);
            let outcome = match (&mut self.stream, buffer.get_mut(held..).unwrap_or_default()) {
                (Stream::Plain(socket), room) => socket.read(room),
                (Stream::Tls(stream), room) => stream.read(room),
                (Stream::Psk(stream), room) => stream.read(room),
            };
            buffer.truncate(held + outcome.as_ref().copied().unwrap_or(0));
            match outcome {
                Ok(0) if self.interrupt.is_asked.load(Ordering::SeqCst) => return Ok(ReadOutcome::Interrupted),
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
                Err(_) if self.interrupt.is_asked.load(Ordering::SeqCst) => return Ok(ReadOutcome::Interrupted),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(ReadOutcome::Closed),
                Err(error) => return Err(broken(error)),
            }
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let Some((frames, _)) = &self.websocket else { return self.write_raw(bytes) };
        let mut framed = Vec::with_capacity(bytes.len() + 14);
        frames.send(bytes, Some(random()?), &mut framed);
        self.write_raw(&framed)
    }

    fn write_raw(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Psk(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
        .map_err(broken)
    }

    pub(crate) fn close(&mut self) {
        if let Some((frames, _)) = &mut self.websocket {
            let mut close = Vec::new();
            frames.close(CloseCode::Normal, random().ok(), &mut close);
            let _ = self.write_raw(&close);
        }
        match &mut self.stream {
            Stream::Plain(_) => {}
            Stream::Tls(stream) => drop(stream.close()),
            Stream::Psk(stream) => drop(stream.close()),
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    fn socket(&self) -> SocketRef<'_> {
        match &self.stream {
            Stream::Plain(socket) => socket.borrow(),
            Stream::Tls(stream) => SocketRef::Tcp(stream.socket()),
            Stream::Psk(stream) => SocketRef::Tcp(stream.socket()),
        }
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match (&self.stream, &self.websocket) {
            (Stream::Plain(_), None) => "tcp",
            (Stream::Tls(_) | Stream::Psk(_), None) => "tls",
            (Stream::Plain(_), Some(_)) => "ws",
            (Stream::Tls(_) | Stream::Psk(_), Some(_)) => "wss",
        };
        write!(out, "Transport({kind}, peer {})", self.socket().peer())
    }
}

/// Random octets.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], ClientError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| ClientError::WebSocket("the system gives no random numbers".to_owned()))?;
    Ok(bytes)
}

/// By what both ends prove themselves.
enum Proof {
    Certificates(Connector),
    Key(PskConnector),
}

impl Proof {
    fn new(options: &TlsOptions) -> Result<Self, ClientError> {
        match &options.psk {
            None => connector(options).map(Self::Certificates),
            Some(psk) => {
                let settings = PskSettings {
                    minimum_version: options.minimum_version,
                    cipher_suites: options.ciphers.clone(),
                    alpn: options.alpn.clone(),
                    key_log: options.key_log.clone(),
                };
                PskConnector::with(psk.identity.clone(), psk.key.clone(), settings).map(Self::Key).map_err(ClientError::Tls)
            }
        }
    }

    fn connect(&self, host: &str, socket: TcpStream) -> Result<Stream, TlsError> {
        match self {
            Self::Certificates(connector) => Ok(Stream::Tls(Box::new(connector.connect(host, socket)?))),
            Self::Key(connector) => Ok(Stream::Psk(Box::new(connector.connect(host, socket)?))),
        }
    }
}

fn connector(options: &TlsOptions) -> Result<Connector, ClientError> {
    let config = ConnectorConfig {
        any_name: false,
        staple_required: false,
        ca_files: options.ca_file.iter().cloned().collect(),
        ca_directory: options.ca_path.clone(),
        system_trust: options.use_os_trust,
        certificate: options.certificate.clone(),
        key: options.key.clone(),
        insecure: options.insecure,
        old_certificates: options.old_certificates,
        minimum_version: options.minimum_version,
        tls12_only: false,
        cipher_suites: options.ciphers.iter().cloned().collect(),
        key_exchange_groups: Vec::new(),
        alpn: options.alpn.clone(),
        key_log: options.key_log.clone(),
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
