//! One connection: a socket that never blocks, with TLS and WebSocket or without, and what waits to be sent.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use signet_tls::{TlsError, TlsSession};

use crate::error::words;
use crate::keys::Keys;
use crate::websocket::WebSocket;

/// Octets read from a socket at a time.
const CHUNK: usize = 256 * 1024;

/// What TLS may hold of a record whose end comes with the next read: a record has at most 2^14 octets, and some of its own.
const RECORD: usize = 20 * 1024;

const TOO_LARGE: &str = "a packet is larger than any we expect";

/// Where octets pass through, shared by all connections: one that is idle holds no buffers.
#[derive(Debug)]
pub(crate) struct Buffers {
    ciphertext: Vec<u8>,
    plaintext: Vec<u8>,
    /// What was in frames, behind what was held.
    unframed: Vec<u8>,
    pub(crate) keys: Keys,
}

impl Buffers {
    /// With room for packets of so many octets.
    pub(crate) fn new(largest_packet: usize) -> Self {
        Self {
            ciphertext: vec![0; CHUNK],
            plaintext: vec![0; CHUNK + RECORD + 2 * largest_packet],
            unframed: Vec::new(),
            keys: Keys::new(),
        }
    }
}

/// What the system has said about a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The other end has closed, or the socket has failed.
    pub(crate) ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Of TCP.
    Connecting,
    /// Of TLS.
    Handshaking,
    Open,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    socket: TcpStream,
    session: Option<Box<TlsSession>>,
    websocket: Option<Box<WebSocket>>,
    stage: Stage,
    /// Packets to be sent.
    out: Vec<u8>,
    /// Octets of it that are, or of the frames of the WebSocket.
    sent: usize,
    /// The beginning of a packet whose end has not come.
    rest: Vec<u8>,
}

impl Link {
    /// A socket that is connecting; `first` is sent as soon as it can be.
    pub(crate) fn new(socket: TcpStream, session: Option<TlsSession>, websocket: Option<WebSocket>, first: Vec<u8>) -> Self {
        Self {
            socket,
            session: session.map(Box::new),
            websocket: websocket.map(Box::new),
            stage: Stage::Connecting,
            out: first,
            sent: 0,
            rest: Vec::new(),
        }
    }

    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Where to put packets; [`Self::write`] sends them.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub(crate) fn session(&self) -> Option<&TlsSession> {
        self.session.as_deref()
    }

    /// Gives memory back, for a connection that will be idle.
    pub(crate) fn shrink(&mut self) {
        self.out = Vec::new();
        self.rest = Vec::new();
        if let Some(websocket) = &mut self.websocket {
            websocket.shrink();
        }
    }

    /// Does what the socket lets it. `take` gets everything that has come and was not taken yet, and says how much of it it takes; it may put
    /// packets into the buffer it is given.
    ///
    /// # Errors
    /// The connection has ended, with the reason for people.
    pub(crate) fn proceed(
        &mut self,
        host: &str,
        readiness: Readiness,
        buffers: &mut Buffers,
        mut take: impl FnMut(&mut Vec<u8>, &[u8]) -> usize,
    ) -> Result<(), String> {
        if self.stage == Stage::Connecting && !self.is_connected().map_err(|error| words(&error))? {
            return Ok(());
        }
        if self.stage == Stage::Handshaking && !self.handshake(host)? {
            return Ok(());
        }
        if readiness.readable || readiness.ended {
            self.read(readiness.ended, buffers, &mut take)?;
        }
        if readiness.writable || self.wants_write() {
            self.write(&mut buffers.keys)?;
        }
        Ok(())
    }

    fn wants_write(&self) -> bool {
        !self.out.is_empty()
            || self.websocket.as_ref().is_some_and(|websocket| websocket.wants_write())
            || self.session.as_ref().is_some_and(|session| session.wants_write())
    }

    fn is_connected(&mut self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(error),
        }
        // Somebody waits for each packet.
        let _ = self.socket.set_nodelay(true);
        self.stage = if self.session.is_some() { Stage::Handshaking } else { Stage::Open };
        Ok(true)
    }

    fn handshake(&mut self, host: &str) -> Result<bool, String> {
        let Some(session) = &mut self.session else { return Ok(true) };
        match session.handshake(&mut self.socket) {
            Ok(()) => {
                self.stage = Stage::Open;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(match TlsSession::failure(host, error) {
                TlsError::Socket { source, .. } if source.kind() == ErrorKind::UnexpectedEof => {
                    "the broker closed the connection during the TLS handshake".to_owned()
                }
                TlsError::Socket { source, .. } => words(&source),
                error => first_line(&error),
            }),
        }
    }

    fn read(&mut self, ended: bool, buffers: &mut Buffers, take: &mut impl FnMut(&mut Vec<u8>, &[u8]) -> usize) -> Result<(), String> {
        loop {
            let got = if self.websocket.is_some() { self.read_framed(buffers, take)? } else { self.read_packets(buffers, take)? };
            if got.closed {
                return Err("the broker closed the connection".to_owned());
            }
            // What comes after a short read is told by another event, but not an end that came with it.
            if got.drained || (got.short && !ended) {
                return Ok(());
            }
        }
    }

    /// Reads packets once.
    fn read_packets(&mut self, buffers: &mut Buffers, take: &mut impl FnMut(&mut Vec<u8>, &[u8]) -> usize) -> Result<Got, String> {
        let held = self.rest.len();
        let Some(start) = buffers.plaintext.get_mut(..held) else { return Err(TOO_LARGE.to_owned()) };
        start.copy_from_slice(&self.rest);
        self.rest.clear();
        let got = self.receive(held, buffers)?;
        let whole = buffers.plaintext.get(..held + got.count).unwrap_or_default();
        if !whole.is_empty() {
            let taken = if got.count > 0 { take(&mut self.out, whole) } else { 0 };
            self.rest.extend_from_slice(whole.get(taken..).unwrap_or_default());
        }
        Ok(got)
    }

    /// Reads frames once, and the packets in them.
    fn read_framed(&mut self, buffers: &mut Buffers, take: &mut impl FnMut(&mut Vec<u8>, &[u8]) -> usize) -> Result<Got, String> {
        let mut got = self.receive(0, buffers)?;
        let Some(websocket) = &mut self.websocket else { return Ok(got) };
        let Buffers { plaintext, unframed, keys, .. } = buffers;
        unframed.clear();
        unframed.append(&mut self.rest);
        let held = unframed.len();
        let received = websocket.receive(plaintext.get(..got.count).unwrap_or_default(), unframed, keys);
        // What came before the end of the WebSocket counts.
        let taken = if unframed.len() > held { take(&mut self.out, unframed) } else { 0 };
        self.rest.extend_from_slice(unframed.get(taken..).unwrap_or_default());
        got.closed |= received?;
        if self.rest.len() > plaintext.len() {
            return Err(TOO_LARGE.to_owned());
        }
        Ok(got)
    }

    /// Reads once, behind the first `held` octets of the plaintext.
    fn receive(&mut self, held: usize, buffers: &mut Buffers) -> Result<Got, String> {
        let Some(session) = &mut self.session else {
            let room = buffers.plaintext.get_mut(held..).unwrap_or_default();
            let space = room.len();
            if space == 0 {
                return Err(TOO_LARGE.to_owned());
            }
            return Ok(match read_once(&mut self.socket, room)? {
                Some(count) => Got { count, closed: count == 0, short: count < space, drained: false },
                None => Got { count: 0, closed: false, short: true, drained: true },
            });
        };
        let read = read_once(&mut self.socket, &mut buffers.ciphertext)?;
        let count = read.unwrap_or(0);
        let mut got = Got { count: 0, closed: read == Some(0), short: count < buffers.ciphertext.len(), drained: read.is_none() };
        let mut feed = Feed(buffers.ciphertext.get(..count).unwrap_or_default());
        loop {
            let room = buffers.plaintext.get_mut(held + got.count..).unwrap_or_default();
            if room.is_empty() {
                return Err(TOO_LARGE.to_owned());
            }
            match session.read(&mut feed, room) {
                Ok(0) => {
                    got.closed = true;
                    return Ok(got);
                }
                Ok(count) => got.count += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(got),
                Err(error) => {
                    // The alert that says so to the server; the error counts more than whether it arrives.
                    let _ = session.flush(&mut self.socket);
                    return Err(words(&error));
                }
            }
        }
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// As [`Self::proceed`].
    pub(crate) fn write(&mut self, keys: &mut Keys) -> Result<(), String> {
        if self.stage != Stage::Open {
            return Ok(());
        }
        let queue = match &mut self.websocket {
            None => &mut self.out,
            Some(websocket) => websocket.framed(&mut self.out, keys).map_err(|error| words(&error))?,
        };
        while let Some(left) = queue.get(self.sent..).filter(|left| !left.is_empty()) {
            let written = match &mut self.session {
                None => self.socket.write(left),
                Some(session) => session.write(&mut self.socket, left),
            };
            match written {
                Ok(0) => return Err("the socket takes nothing".to_owned()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(words(&error)),
            }
        }
        queue.clear();
        self.sent = 0;
        match self.session.as_mut().map_or(Ok(()), |session| session.flush(&mut self.socket)) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(words(&error)),
            _ => Ok(()),
        }
    }

    /// Sends what is left and says that nothing more comes, as far as that can be said without waiting.
    pub(crate) fn close(&mut self, keys: &mut Keys) {
        // The connection ends either way.
        if let Some(websocket) = &mut self.websocket {
            let _ = websocket.framed(&mut self.out, keys);
            websocket.close(keys);
        }
        let _ = self.write(keys);
        if let Some(session) = &mut self.session {
            session.close();
            let _ = session.flush(&mut self.socket);
        }
    }
}

/// What one read brought.
#[derive(Debug)]
struct Got {
    /// Octets of plaintext.
    count: usize,
    /// Nothing more will come.
    closed: bool,
    /// The socket had less than there was room for.
    short: bool,
    /// The socket had nothing.
    drained: bool,
}

/// `None`: nothing is there now.
fn read_once(socket: &mut TcpStream, room: &mut [u8]) -> Result<Option<usize>, String> {
    loop {
        match socket.read(room) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(words(&error)),
        }
    }
}

/// Ciphertext that was read already.
struct Feed<'a>(&'a [u8]);

impl Read for Feed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.0.read(buffer)
    }
}

/// An error of TLS without its hint: a reason stands in one line.
fn first_line(error: &TlsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
