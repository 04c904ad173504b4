//! One TCP connection to the broker, packet by packet, with the codec of the broker itself and none of its sockets.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use signet_mqtt::{Connack, Connect, DecodeLimits, Decoder, Packet, ProtocolVersion, Role, encode};

/// How long an answer may take that has to come. Only the bound after which a run failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a look at the connection found.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A packet.
    Packet(Packet),
    /// Nothing in the time given.
    Nothing,
    /// The connection is gone.
    Lost,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TcpStream,
    version: ProtocolVersion,
    decoder: Decoder,
    input: BytesMut,
    output: BytesMut,
}

impl Line {
    /// Connects and sends the CONNECT. Nothing if nobody listens or the connection ends before CONNACK: a broker that dies does that.
    pub(crate) fn introduce(port: u16, connect: Connect) -> Option<(Self, Connack)> {
        let mut line = Self::open(port, connect.version)?;
        if !line.send(&Packet::Connect(Box::new(connect))) {
            return None;
        }
        match line.next(PATIENCE) {
            Seen::Packet(Packet::Connack(connack)) => Some((line, *connack)),
            Seen::Packet(other) => panic!("expected CONNACK first [MQTT-3.2.0-1], got {other:?}"),
            Seen::Nothing => panic!("no CONNACK within {PATIENCE:?}"),
            Seen::Lost => None,
        }
    }

    fn open(port: u16, version: ProtocolVersion) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nodelay(true).ok()?;
        // A broker that reads nothing more must not hold up its end for ever.
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        let mut decoder = Decoder::new(Role::Server, DecodeLimits::default());
        decoder.set_version(version);
        Some(Self { stream, version, decoder, input: BytesMut::with_capacity(64 * 1024), output: BytesMut::new() })
    }

    /// Puts a packet into the buffer that the next [`Self::flush`] writes.
    pub(crate) fn push(&mut self, packet: &Packet) {
        encode(packet, self.version, &mut self.output);
    }

    /// Writes what was put into the buffer. False if the connection is gone.
    pub(crate) fn flush(&mut self) -> bool {
        let written = self.stream.write_all(&self.output).is_ok();
        self.output.clear();
        written
    }

    /// Writes one packet. False if the connection is gone.
    pub(crate) fn send(&mut self, packet: &Packet) -> bool {
        self.push(packet);
        self.flush()
    }

    /// The next packet, waiting for it no longer than this.
    pub(crate) fn next(&mut self, wait: Duration) -> Seen {
        let deadline = Instant::now() + wait;
        loop {
            match self.decoder.decode(&self.input) {
                Ok(Some((packet, consumed))) => {
                    let _ = self.input.split_to(consumed);
                    return Seen::Packet(packet);
                }
                Ok(None) => {}
                Err(error) => panic!("the broker sent a malformed packet: {error}"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // A timeout of zero would mean to wait for ever.
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Seen::Lost,
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Seen::Nothing,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Seen::Lost,
            }
        }
    }

    /// The next packet, which has to come.
    pub(crate) fn expect(&mut self) -> Packet {
        match self.next(PATIENCE) {
            Seen::Packet(packet) => packet,
            other => panic!("expected a packet, got {other:?}"),
        }
    }
}
