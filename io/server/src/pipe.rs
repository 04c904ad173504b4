//! One socket and what lies between it and MQTT: a PROXY header at the start, TLS, WebSocket. Plaintext in and plaintext out.

use std::io::{self, ErrorKind, Read, Write};

use signet_identity::Peer;
use signet_net::websocket::{CloseCode, WebSocket, WebSocketError};
use signet_net::{ProxyHeader, Transport};
use signet_psk::PskQuestion;
use signet_tls::{Check, Refusal};

use crate::proxy::ProxyReceiver;
use crate::secure::Secure;
use crate::socket::Socket;

/// Buffers that the connections of a shard take turns with.
pub(crate) struct Scratch {
    /// What the socket gave.
    read: Vec<u8>,
    /// What the socket is to get.
    wire: Vec<u8>,
    /// Frames of WebSocket on their way in, out of TLS.
    frames_in: Vec<u8>,
    /// Frames of WebSocket on their way out, into TLS.
    frames_out: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { read: vec![0; 64 * 1024], wire: Vec::with_capacity(64 * 1024), frames_in: Vec::new(), frames_out: Vec::new() }
    }
}

/// What reading once brought besides plaintext.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    /// The PROXY header, once.
    pub(crate) proxied: Option<Box<ProxyHeader>>,
    /// Who TLS says it is, once.
    pub(crate) peer: Option<Peer>,
    /// Who has to be asked for the key by which the client names itself; it waits for the answer.
    pub(crate) question: Option<PskQuestion>,
}

/// What reading once brought.
#[derive(Debug)]
pub(crate) enum ReadOutcome {
    /// So many octets from the socket; the plaintext was appended.
    Data(usize, Opening),
    /// Nothing there now.
    Blocked,
    /// The peer will send no more.
    Ended,
    /// The socket failed.
    Lost(io::Error),
    /// A layer failed; what it has to say to the peer is on its way.
    Refused(Box<Refusal>),
}

/// What lies between the socket and MQTT, outermost first.
#[derive(Default)]
pub(crate) struct Layers {
    /// Until the header has come.
    pub(crate) proxy: Option<Box<ProxyReceiver>>,
    pub(crate) tls: Option<Secure>,
    pub(crate) websocket: Option<Box<WebSocket>>,
}

impl Layers {
    /// What has to happen before MQTT can be spoken.
    pub(crate) fn awaited(&self) -> Option<Check> {
        if self.proxy.is_some() {
            return Some(Check::Proxy);
        }
        match &self.tls {
            Some(tls) if tls.is_waiting() => return Some(Check::PresharedKey),
            Some(tls) if tls.is_handshaking() => return Some(Check::Handshake),
            _ => {}
        }
        self.websocket.as_ref().filter(|websocket| websocket.is_upgrading()).map(|_| Check::WebSocket)
    }
}

/// One socket.
pub(crate) struct Pipe {
    pub(crate) socket: Socket,
    layers: Layers,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
    /// `unsent` goes together with what is sent next, or by [`Self::let_go`].
    holds: bool,
    /// Edge-triggered: reading may bring something.
    readable: bool,
    /// The peer's end or a failure was reported: reading has to go on until it shows.
    hung_up: bool,
    /// Edge-triggered: writing may be possible.
    pub(crate) writable: bool,
    /// The peer said that it sends no more: by the end of its stream, by `close_notify`, or by closing its WebSocket.
    ended: bool,
    /// A layer asks something: with the answer it goes on with what it has.
    resumes: bool,
}

impl Pipe {
    pub(crate) fn new(socket: Socket, layers: Layers) -> Self {
        Self {
            socket,
            layers,
            unsent: Vec::new(),
            holds: false,
            readable: true,
            hung_up: false,
            writable: true,
            ended: false,
            resumes: false,
        }
    }

    /// The system says that reading may bring something; `hung_up`: also the peer's end, or a failure.
    pub(crate) fn may_read(&mut self, hung_up: bool) {
        self.readable = true;
        self.hung_up |= hung_up;
    }

    /// Another shard begins to watch the socket: the system reports once more what can be read.
    pub(crate) fn change_hands(&mut self) {
        self.readable = false;
        self.writable = true;
    }

    /// Whether the peer has said that it sends no more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn transport(&self) -> Transport {
        match (&self.layers.tls, &self.layers.websocket) {
            (None, None) => Transport::Tcp,
            (Some(_), None) => Transport::Tls,
            (None, Some(_)) => Transport::WebSocket,
            (Some(_), Some(_)) => Transport::SecureWebSocket,
        }
    }

    /// Whether the TLS handshake took up a session of before; `None` without TLS.
    /// Version and cipher suite of TLS, where there is TLS, as OpenSSL calls them.
    pub(crate) fn negotiated(&self) -> Option<(&'static str, &'static str)> {
        self.layers.tls.as_ref()?.negotiated()
    }

    pub(crate) fn is_resumed(&self) -> Option<bool> {
        self.layers.tls.as_ref().map(|tls| tls.is_resumed())
    }

    /// What has to happen before MQTT can be spoken.
    pub(crate) fn awaited(&self) -> Option<Check> {
        self.layers.awaited()
    }

    fn is_waiting(&self) -> bool {
        self.layers.tls.as_ref().is_some_and(|tls| tls.is_waiting())
    }

    /// Octets that wait for the socket.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Whether the socket has not taken what it was given.
    pub(crate) fn is_behind(&self) -> bool {
        !self.holds && !self.unsent.is_empty()
    }

    /// Reads once and appends the plaintext.
    pub(crate) fn read(&mut self, scratch: &mut Scratch, plaintext: &mut Vec<u8>) -> ReadOutcome {
        if self.ended {
            return ReadOutcome::Ended;
        }
        if self.is_waiting() {
            return ReadOutcome::Blocked;
        }
        let count = match std::mem::take(&mut self.resumes) {
            true => 0,
            false => match self.read_socket(&mut scratch.read) {
                Ok(Some(0)) => return ReadOutcome::Ended,
                Ok(Some(count)) => count,
                Ok(None) => return ReadOutcome::Blocked,
                Err(error) => return ReadOutcome::Lost(error),
            },
        };
        scratch.wire.clear();
        let mut opening = Opening::default();
        let start = plaintext.len();
        let received = self.receive(count, scratch, plaintext, &mut opening);
        // The answer wakes the shard, and may be here before the socket has anything new.
        self.resumes = opening.question.is_some();
        // Where CONNECT comes with the end of the handshake, its answer goes with the ticket. Who has sent nothing yet may be waiting for our end of it
        // (TLS 1.2, RFC 5246 §7.3).
        if received.is_ok() && opening.peer.is_some() && plaintext.len() > start {
            self.unsent.extend_from_slice(&scratch.wire);
            self.holds = true;
        } else if let Err(error) = self.write_wire(&scratch.wire) {
            return ReadOutcome::Lost(error);
        }
        match received {
            Ok(()) => ReadOutcome::Data(count, opening),
            Err(refusal) => ReadOutcome::Refused(refusal),
        }
    }

    /// Takes what the socket gave through the layers. What they answer is in `scratch.wire`.
    fn receive(&mut self, count: usize, scratch: &mut Scratch, plaintext: &mut Vec<u8>, opening: &mut Opening) -> Result<(), Box<Refusal>> {
        let Scratch { read, wire, frames_in, frames_out } = scratch;
        let mut input = read.get_mut(..count).unwrap_or_default();
        if let Some(proxy) = &mut self.layers.proxy {
            let Some((header, used)) = proxy.receive(input)? else { return Ok(()) };
            self.layers.proxy = None;
            opening.proxied = Some(Box::new(header));
            input = input.get_mut(used..).unwrap_or_default();
        }
        let Some(websocket) = &mut self.layers.websocket else {
            return match &mut self.layers.tls {
                None => {
                    plaintext.extend_from_slice(input);
                    Ok(())
                }
                Some(tls) => {
                    self.ended |= decrypt(tls, input, plaintext, wire, opening)?;
                    Ok(())
                }
            };
        };
        let frames: &[u8] = match &mut self.layers.tls {
            None => input,
            Some(tls) => {
                frames_in.clear();
                // What came before close_notify counts; the end shows with the next read.
                self.ended |= decrypt(tls, input, frames_in, wire, opening)?;
                frames_in
            }
        };
        frames_out.clear();
        let start = plaintext.len();
        let received = websocket.receive(frames, plaintext, frames_out);
        match &mut self.layers.tls {
            None => wire.extend_from_slice(frames_out),
            Some(tls) if !frames_out.is_empty() => tls.send(frames_out, wire).map_err(|failure| failure.0)?,
            Some(_) => {}
        }
        match received {
            Ok(received) => self.ended |= received.closed,
            Err(error) => {
                // Nothing that came in the same breath as the failure is worth acting on.
                plaintext.truncate(start);
                return Err(Box::new(websocket_refusal(&error)));
            }
        }
        Ok(())
    }

    /// Reads and forgets; `None` when nothing is there now or will be any more, `Some(0)` at the end.
    pub(crate) fn discard(&mut self, scratch: &mut Scratch) -> io::Result<Option<usize>> {
        if self.ended { Ok(None) } else { self.read_socket(&mut scratch.read) }
    }

    fn read_socket(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if !self.readable {
            return Ok(None);
        }
        loop {
            match self.socket.read(buffer) {
                Ok(count) => {
                    self.ended |= count == 0;
                    // A buffer that is not filled means that nothing was left (epoll(7)): what comes later is reported. The end might be there
                    // already.
                    self.readable = count == buffer.len() || self.hung_up;
                    return Ok(Some(count));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Frames, encrypts and writes; what the socket does not take waits for [`Self::flush`].
    pub(crate) fn send(&mut self, scratch: &mut Scratch, plaintext: &[u8]) -> io::Result<()> {
        let framed = match &self.layers.websocket {
            None => plaintext,
            Some(websocket) => {
                scratch.frames_out.clear();
                websocket.send(plaintext, &mut scratch.frames_out);
                &scratch.frames_out
            }
        };
        let Some(tls) = &mut self.layers.tls else { return self.write_wire(framed) };
        scratch.wire.clear();
        tls.send(framed, &mut scratch.wire).map_err(|failure| io::Error::other(failure.to_string()))?;
        self.write_wire(&scratch.wire)
    }

    /// Writes what waits for the socket. `true`: nothing waits for it any more.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        if self.holds {
            return Ok(true);
        }
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

    /// Writes what was kept to go together with something, when nothing else is sent in this turn.
    pub(crate) fn let_go(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.holds) { self.flush().map(drop) } else { Ok(()) }
    }

    /// Says good-bye in each layer; the rest is [`Self::flush`] and [`Self::shut`].
    pub(crate) fn close_notify(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        scratch.wire.clear();
        scratch.frames_out.clear();
        if let Some(websocket) = &mut self.layers.websocket {
            websocket.close(CloseCode::Normal, &mut scratch.frames_out);
        }
        match &mut self.layers.tls {
            None => scratch.wire.extend_from_slice(&scratch.frames_out),
            Some(tls) => {
                // After a failure of TLS there is nothing to say it in.
                if !scratch.frames_out.is_empty() && tls.send(&scratch.frames_out, &mut scratch.wire).is_err() {
                    scratch.wire.clear();
                }
                tls.close(&mut scratch.wire);
            }
        }
        self.write_wire(&scratch.wire)
    }

    /// Tells the peer that nothing more comes. The peer still gets what was written before: closing at once, with unread input, would reset the
    /// connection and could destroy it.
    pub(crate) fn shut(&self) -> io::Result<()> {
        self.socket.shut_write()
    }

    fn write_wire(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.holds {
            self.unsent.extend_from_slice(bytes);
            return self.let_go();
        }
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

/// Runs TLS over `input`. Returns whether the peer has said `close_notify`.
fn decrypt(
    tls: &mut Secure,
    input: &mut [u8],
    plaintext: &mut Vec<u8>,
    wire: &mut Vec<u8>,
    opening: &mut Opening,
) -> Result<bool, Box<Refusal>> {
    let received = tls.receive(input, plaintext, wire)?;
    (opening.peer, opening.question) = (received.peer, received.question);
    Ok(received.closed)
}

/// A PROXY header on a listener that takes none.
pub(crate) fn unexpected_proxy() -> Refusal {
    Refusal::without_certificate(
        Check::Proxy,
        "a PROXY header comes first, and this listener takes none",
        "set `proxy_protocol` and `proxy_trusted` for this listener, or let the proxy send none",
    )
}

fn websocket_refusal(error: &WebSocketError) -> Refusal {
    Refusal::without_certificate(Check::WebSocket, error.to_string(), error.hint())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A plain pipe and the peer's end of its socket.
    fn pair() -> (Pipe, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Pipe::new(Socket::Unix(mio::net::UnixStream::from_std(ours)), Layers::default()), theirs)
    }

    fn read(pipe: &mut Pipe) -> (ReadOutcome, Vec<u8>) {
        let mut plaintext = Vec::new();
        (pipe.read(&mut Scratch::new(), &mut plaintext), plaintext)
    }

    fn received(peer: &mut UnixStream) -> Vec<u8> {
        let mut buffer = [0; 64];
        peer.read(&mut buffer).map_or(Vec::new(), |count| buffer.get(..count).unwrap_or_default().to_vec())
    }

    #[test]
    fn nothing_is_asked_for_after_a_read_that_did_not_fill_the_buffer() {
        let (mut pipe, mut peer) = pair();
        peer.write_all(b"one").unwrap();
        let (outcome, plaintext) = read(&mut pipe);
        assert!(matches!(outcome, ReadOutcome::Data(3, _)) && plaintext == b"one");
        peer.write_all(b"two").unwrap();
        assert!(matches!(read(&mut pipe).0, ReadOutcome::Blocked), "the system has not reported it");
        pipe.may_read(false);
        assert!(matches!(read(&mut pipe).0, ReadOutcome::Data(3, _)));
    }

    #[test]
    fn an_end_that_was_reported_with_the_last_octets_is_seen() {
        let (mut pipe, mut peer) = pair();
        peer.write_all(b"last").unwrap();
        drop(peer);
        pipe.may_read(true);
        assert!(matches!(read(&mut pipe).0, ReadOutcome::Data(4, _)) && !pipe.has_ended());
        assert!(matches!(read(&mut pipe).0, ReadOutcome::Ended) && pipe.has_ended());
    }

    #[test]
    fn what_is_held_goes_with_what_comes_next_or_when_nothing_does() {
        let (mut pipe, mut peer) = pair();
        let hold = |pipe: &mut Pipe, peer: &mut UnixStream| {
            pipe.unsent.extend_from_slice(b"ticket");
            pipe.holds = true;
            assert!(pipe.flush().unwrap() && received(peer).is_empty());
        };
        hold(&mut pipe, &mut peer);
        pipe.send(&mut Scratch::new(), b"+connack").unwrap();
        assert_eq!(received(&mut peer), b"ticket+connack");
        hold(&mut pipe, &mut peer);
        pipe.let_go().unwrap();
        assert_eq!(received(&mut peer), b"ticket");
        assert_eq!(pipe.unsent(), 0);
        hold(&mut pipe, &mut peer);
        pipe.close_notify(&mut Scratch::new()).unwrap();
        assert_eq!(received(&mut peer), b"ticket", "also where it ends");
    }
}
