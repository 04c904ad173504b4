//! One socket with or without TLS, as plaintext in and plaintext out.

use std::io::{self, ErrorKind, Read, Write};

use signet_identity::Peer;
use signet_tls::{TlsConnection, TlsFailure};

use crate::socket::Socket;

/// Buffers that the connections of a shard take turns with.
pub(crate) struct Scratch {
    /// What the socket gave.
    read: Vec<u8>,
    /// What the socket is to get.
    wire: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { read: vec![0; 64 * 1024], wire: Vec::with_capacity(64 * 1024) }
    }
}

/// What reading once brought.
#[derive(Debug)]
pub(crate) enum ReadOutcome {
    /// So many octets from the socket; the plaintext was appended. The peer, when this completed its handshake.
    Data(usize, Option<Peer>),
    /// Nothing there now.
    Blocked,
    /// The peer will send no more.
    Ended,
    /// The socket failed.
    Lost(io::Error),
    /// TLS failed; the alert is on its way.
    Refused(TlsFailure),
}

/// One socket.
pub(crate) struct Pipe {
    pub(crate) socket: Socket,
    tls: Option<Box<TlsConnection>>,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
    /// Edge-triggered: reading may bring something.
    pub(crate) readable: bool,
    /// Edge-triggered: writing may be possible.
    pub(crate) writable: bool,
    /// The peer said `close_notify`.
    ended: bool,
}

impl Pipe {
    pub(crate) fn new(socket: Socket, tls: Option<Box<TlsConnection>>) -> Self {
        Self { socket, tls, unsent: Vec::new(), readable: true, writable: true, ended: false }
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the TLS handshake took up a session of before.
    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_resumed())
    }

    /// Octets that wait for the socket.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Reads once and appends the plaintext.
    pub(crate) fn read(&mut self, scratch: &mut Scratch, plaintext: &mut Vec<u8>) -> ReadOutcome {
        if self.ended {
            return ReadOutcome::Ended;
        }
        let count = match self.read_socket(&mut scratch.read) {
            Ok(Some(0)) => return ReadOutcome::Ended,
            Ok(Some(count)) => count,
            Ok(None) => return ReadOutcome::Blocked,
            Err(error) => return ReadOutcome::Lost(error),
        };
        let input = scratch.read.get_mut(..count).unwrap_or_default();
        let Some(tls) = &mut self.tls else {
            plaintext.extend_from_slice(input);
            return ReadOutcome::Data(count, None);
        };
        scratch.wire.clear();
        let received = tls.receive(input, plaintext, &mut scratch.wire);
        if let Err(error) = self.write_wire(&scratch.wire) {
            return ReadOutcome::Lost(error);
        }
        match received {
            Err(failure) => ReadOutcome::Refused(failure),
            Ok(received) => {
                // What came before close_notify counts; the end shows with the next read.
                self.ended |= received.closed;
                ReadOutcome::Data(count, received.peer)
            }
        }
    }

    /// Reads and forgets; `None` when nothing is there now, `Some(0)` at the end.
    pub(crate) fn discard(&mut self, scratch: &mut Scratch) -> io::Result<Option<usize>> {
        self.read_socket(&mut scratch.read)
    }

    fn read_socket(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.socket.read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Encrypts and writes; what the socket does not take waits for [`Self::flush`].
    pub(crate) fn send(&mut self, scratch: &mut Scratch, plaintext: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.write_wire(plaintext) };
        scratch.wire.clear();
        tls.send(plaintext, &mut scratch.wire).map_err(|failure| io::Error::other(failure.to_string()))?;
        self.write_wire(&scratch.wire)
    }

    /// Writes what waits. `true`: nothing waits any more.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while !self.unsent.is_empty() {
            let unsent = std::mem::take(&mut self.unsent);
            let written = self.write_socket(&unsent);
            self.unsent = unsent;
            match written? {
                None => return Ok(false),
                Some(count) => drop(self.unsent.drain(..count)),
            }
        }
        self.unsent = Vec::new();
        Ok(true)
    }

    /// Says good-bye in TLS; the rest is [`Self::flush`] and [`Self::shut`].
    pub(crate) fn close_notify(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        scratch.wire.clear();
        tls.close(&mut scratch.wire);
        self.write_wire(&scratch.wire)
    }

    /// Tells the peer that nothing more comes. The peer still gets what was written before: closing at once, with unread input, would reset the
    /// connection and could destroy it.
    pub(crate) fn shut(&self) -> io::Result<()> {
        self.socket.shut_write()
    }

    fn write_wire(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while self.unsent.is_empty() && !rest.is_empty() {
            match self.write_socket(rest)? {
                Some(count) => rest = rest.get(count..).unwrap_or_default(),
                None => break,
            }
        }
        self.unsent.extend_from_slice(rest);
        Ok(())
    }

    fn write_socket(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        if !self.writable {
            return Ok(None);
        }
        loop {
            match self.socket.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.writable = false;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
