//! What came from a client and is not decoded yet.

use signet_mqtt::{DecodeError, DecodeLimits, Decoder, Packet, ProtocolVersion, Role};

/// Bytes of one client, in plaintext, with their decoder. Holds no memory between packets.
pub(crate) struct Inbound {
    decoder: Decoder,
    bytes: Vec<u8>,
    /// How much of `bytes` is decoded.
    done: usize,
}

impl Inbound {
    pub(crate) fn new(limits: DecodeLimits) -> Self {
        Self { decoder: Decoder::new(Role::Client, limits), bytes: Vec::new(), done: 0 }
    }

    /// The next whole packet. `None`: more bytes are needed. The decoder refuses a packet that is too large from its first bytes, so what can
    /// wait here is bounded by the largest packet and one read.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, DecodeError> {
        let rest = self.bytes.get(self.done..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let Some((packet, used)) = self.decoder.decode(rest)? else { return Ok(None) };
        self.done += used;
        Ok(Some(packet))
    }

    /// The buffer to append to. `spare` is swapped in when there is none, and comes back with [`Self::settle`]: that way the connections of a
    /// shard share one buffer as long as packets arrive whole.
    pub(crate) fn buffer(&mut self, spare: &mut Vec<u8>) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            std::mem::swap(&mut self.bytes, spare);
        }
        &mut self.bytes
    }

    /// Forgets what is decoded and gives the buffer back when nothing is left.
    pub(crate) fn settle(&mut self, spare: &mut Vec<u8>) {
        if self.done >= self.bytes.len() {
            self.clear(spare);
        } else if self.done > 0 {
            self.bytes.drain(..self.done);
            self.done = 0;
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, spare: &mut Vec<u8>) {
        self.bytes.clear();
        self.done = 0;
        if spare.capacity() == 0 {
            std::mem::swap(&mut self.bytes, spare);
        } else {
            self.bytes = Vec::new();
        }
    }

    /// The first bytes that are not decoded, to tell what a client that does not speak MQTT speaks.
    pub(crate) fn head(&self) -> &[u8] {
        self.bytes.get(self.done..).unwrap_or_default()
    }

    /// The protocol version of the CONNECT.
    pub(crate) fn version(&self) -> Option<ProtocolVersion> {
        self.decoder.version()
    }
}
