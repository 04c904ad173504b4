//! Decoder: bytes of one connection in, at most one packet out per call.

use crate::packet::Packet;
use crate::{DecodeError, DecodeLimits, ProtocolVersion, Role};

/// Decoder of one direction of one connection. It holds no bytes: the caller keeps what was read until a packet is whole.
#[derive(Clone, Debug)]
pub struct Decoder {
    sender: Role,
    limits: DecodeLimits,
    version: Option<ProtocolVersion>,
}

impl Decoder {
    /// A decoder of what `sender` sends. The version is learned from a client's CONNECT; a client sets it, before the first packet of
    /// its server, with [`Decoder::set_version`] (MQTT 5.0 until then).
    #[must_use]
    pub fn new(sender: Role, limits: DecodeLimits) -> Self {
        Self {
            sender,
            limits,
            version: None,
        }
    }

    /// The version learned or set. A CONNECT that fails behind its Protocol Version has set it already.
    #[must_use]
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.version
    }

    /// Sets the version, for a client that has sent its CONNECT.
    pub fn set_version(&mut self, version: ProtocolVersion) {
        self.version = Some(version);
    }

    /// The first packet in `input` and the bytes it took, or `None` while it is not whole. Errors that the fixed header shows are
    /// reported without waiting for the rest.
    ///
    /// # Errors
    /// [`DecodeError`]: the connection is to be closed; decoding on makes no sense.
    pub fn decode(&mut self, input: &[u8]) -> Result<Option<(Packet, usize)>, DecodeError> {
        let _ = (input, self.sender, self.limits);
        todo!()
    }

    /// How many bytes are missing, at least, until [`Decoder::decode`] yields a packet or an error; 0 when it would now.
    #[must_use]
    pub fn needed(&self, input: &[u8]) -> usize {
        let _ = input;
        todo!()
    }
}
