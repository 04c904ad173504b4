//! Packets over a transport: encode and write, read and decode, with a deadline.

use std::time::Instant;

use bytes::BytesMut;
use signet_mqtt::{DecodeLimits, Decoder, Packet, ProtocolVersion, Role};

use crate::transport::ReadOutcome;
use crate::{ClientError, Interrupter, Transport};

/// How much is read from the socket at a time.
const READ_CHUNK: usize = 16 * 1024;

/// Content type alert and the major version of every TLS (RFC 8446 §5.1).
const TLS_ALERT: [u8; 2] = [21, 3];

/// A connection on which whole packets travel.
#[derive(Debug)]
pub struct Wire {
    transport: Transport,
    version: ProtocolVersion,
    decoder: Decoder,
    inbound: BytesMut,
    outbound: BytesMut,
    /// The octets of the packet that was received last.
    last: BytesMut,
}

/// What waiting for a packet ended with.
#[derive(Debug)]
pub enum Received {
    /// One whole packet.
    Packet(Packet),
    /// The deadline passed first.
    TimedOut,
    /// [`Interrupter::interrupt`] was called.
    Interrupted,
    /// The other side closed the connection.
    Closed,
}

impl Wire {
    /// `limits` bound what the broker can make us hold: the buffer never grows beyond one packet and one read.
    #[must_use]
    pub fn new(transport: Transport, version: ProtocolVersion, limits: DecodeLimits) -> Self {
        let mut decoder = Decoder::new(Role::Server, limits);
        decoder.set_version(version);
        Self { transport, version, decoder, inbound: BytesMut::new(), outbound: BytesMut::new(), last: BytesMut::new() }
    }

    /// The version that packets are encoded for.
    #[must_use]
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// A handle that ends a [`Wire::receive`] from another thread.
    ///
    /// # Errors
    /// When the socket cannot be duplicated.
    pub fn interrupter(&self) -> Result<Interrupter, ClientError> {
        self.transport.interrupter()
    }

    /// Lets the [`Interrupter`]s of `former` end the waits of this one.
    pub(crate) fn succeed(&mut self, former: &Self) -> Result<(), ClientError> {
        self.transport.succeed(&former.transport)
    }

    /// Writes one packet.
    ///
    /// # Errors
    /// [`ClientError::Lost`] when the connection is gone.
    pub fn send(&mut self, packet: &Packet) -> Result<(), ClientError> {
        self.outbound.clear();
        signet_mqtt::encode(packet, self.version, &mut self.outbound);
        self.transport.write_all(&self.outbound)
    }

    /// Writes bytes as they are: for rigs that test what a broker does with malformed input.
    ///
    /// # Errors
    /// [`ClientError::Lost`] when the connection is gone.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.transport.write_all(bytes)
    }

    /// Waits for one whole packet until `deadline`; without one, for ever.
    ///
    /// # Errors
    /// [`ClientError::Malformed`] when the broker sends something that is not MQTT, [`ClientError::SpeaksTls`] when that is TLS,
    /// [`ClientError::Lost`] or a TLS error when the connection breaks.
    pub fn receive(&mut self, deadline: Option<Instant>) -> Result<Received, ClientError> {
        loop {
            // A TLS alert record, which no MQTT packet looks like: a server never sends CONNECT.
            if self.inbound.starts_with(&TLS_ALERT) {
                return Err(ClientError::SpeaksTls);
            }
            if let Some((packet, consumed)) = self.decoder.decode(&self.inbound)? {
                self.last = self.inbound.split_to(consumed);
                return Ok(Received::Packet(packet));
            }
            match self.transport.read(&mut self.inbound, READ_CHUNK, deadline)? {
                ReadOutcome::Data => {}
                ReadOutcome::TimedOut => return Ok(Received::TimedOut),
                ReadOutcome::Interrupted => return Ok(Received::Interrupted),
                ReadOutcome::Closed => return Ok(Received::Closed),
            }
        }
    }

    /// The packet that was received last as it was on the wire, for who has to know the order of its properties.
    #[must_use]
    pub fn last_received(&self) -> &[u8] {
        &self.last
    }

    /// Ends the connection: TLS close_notify where there is TLS, then the socket.
    pub fn close(&mut self) {
        self.transport.close();
    }
}
