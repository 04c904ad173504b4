//! One side of a bridge: packets in, packets out, buffers between, and the Keep Alive.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use signet_mqtt::{DecodeLimits, Decoder, Packet, ProtocolVersion, Role, encode};

use crate::error::{End, Fault};
use crate::keep_alive::{Due, KeepAlive};
use crate::stream::Stream;

/// How much is read at a time.
const READ_CHUNK: usize = 64 * 1024;

/// The largest buffer that is kept when nothing is in it.
const KEPT: usize = 1024 * 1024;

/// A connection to one of the two brokers.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) end: End,
    stream: Stream,
    version: ProtocolVersion,
    decoder: Decoder,
    inbound: BytesMut,
    outbound: BytesMut,
    /// Edge-triggered: reading may bring something.
    pub(crate) readable: bool,
    /// Edge-triggered: writing may be possible.
    pub(crate) writable: bool,
    keep_alive: KeepAlive,
}

impl Side {
    pub(crate) fn new(end: End, stream: Stream, version: ProtocolVersion, maximum_packet_size: u32) -> Self {
        // What the other broker lets its own clients write is not ours to judge, so only the size is bounded.
        let limits =
            DecodeLimits { maximum_packet_size, maximum_user_properties: 65_535, maximum_topic_levels: 65_535, ..DecodeLimits::default() };
        let mut decoder = Decoder::new(Role::Server, limits);
        decoder.set_version(version);
        Self {
            end,
            stream,
            version,
            decoder,
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            readable: true,
            writable: true,
            keep_alive: KeepAlive::new(0, Instant::now()),
        }
    }

    pub(crate) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(crate) fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Begins to watch over the connection.
    pub(crate) fn keep_alive(&mut self, seconds: u16) {
        self.keep_alive = KeepAlive::new(seconds, Instant::now());
    }

    /// Octets that wait to be written.
    pub(crate) fn unsent(&self) -> usize {
        self.outbound.len()
    }

    pub(crate) fn queue(&mut self, packet: &Packet) {
        encode(packet, self.version, &mut self.outbound);
    }

    /// The next packet that is whole.
    pub(crate) fn packet(&mut self) -> Result<Option<Packet>, Fault> {
        let decoded = self.decoder.decode(&self.inbound).map_err(|source| Fault::Malformed { end: self.end, source })?;
        let Some((packet, consumed)) = decoded else { return Ok(None) };
        self.inbound.advance(consumed);
        if self.inbound.is_empty() && self.inbound.capacity() > KEPT {
            // One large packet must not cost its size for as long as the connection lasts.
            self.inbound = BytesMut::new();
        }
        Ok(Some(packet))
    }

    /// Reads once.
    pub(crate) fn read(&mut self) -> Result<(), Fault> {
        let held = self.inbound.len();
        self.inbound.resize(held + READ_CHUNK, 0);
        let outcome = self.stream.read(self.inbound.get_mut(held..).unwrap_or_default());
        self.inbound.truncate(held + outcome.as_ref().copied().unwrap_or(0));
        match outcome {
            Ok(0) => Err(Fault::Closed { end: self.end }),
            Ok(_) => {
                self.keep_alive.received();
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(())
            }
            Err(source) => Err(Fault::Lost { end: self.end, source }),
        }
    }

    /// Writes what the socket takes. `true`: nothing is left.
    pub(crate) fn flush(&mut self) -> Result<bool, Fault> {
        let lost = |end, source| Fault::Lost { end, source };
        while self.writable && !self.outbound.is_empty() {
            match self.stream.write(&self.outbound) {
                Ok(count) => {
                    self.outbound.advance(count);
                    self.keep_alive.sent(Instant::now());
                    if self.outbound.is_empty() && self.outbound.capacity() > KEPT {
                        self.outbound = BytesMut::new();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(source) => return Err(lost(self.end, source)),
            }
        }
        let all = self.outbound.is_empty() && self.stream.flush().map_err(|source| lost(self.end, source))?;
        Ok(all)
    }

    /// Sends what the Keep Alive asks for. `is_read`: what comes from this side is read at the moment.
    pub(crate) fn watch_over(&mut self, now: Instant, is_read: bool) -> Result<(), Fault> {
        if !is_read {
            self.keep_alive.not_listening(now);
        }
        match self.keep_alive.due(now) {
            Due::Nothing => Ok(()),
            Due::Dead => Err(Fault::Silent { end: self.end }),
            Due::Ping => {
                self.queue(&Packet::Pingreq);
                self.keep_alive.pinged(now);
                Ok(())
            }
        }
    }

    /// How long to wait at most before looking at the Keep Alive again.
    pub(crate) fn patience(&self, now: Instant) -> Option<Duration> {
        self.keep_alive.next().map(|at| at.saturating_duration_since(now))
    }
}
