//! Reading and writing the parts of which records are made.

use bytestring::ByteString;
use signet_broker::{Moment, SessionId};
use signet_mqtt::PacketId;

use super::RecordError;

const ENDS: RecordError = RecordError::Malformed("it ends too early");

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (value, rest) = self.0.split_first_chunk::<N>().ok_or(ENDS)?;
        self.0 = rest;
        Ok(*value)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RecordError> {
        self.take::<1>().map(|[value]| value)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, RecordError> {
        self.take().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RecordError> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, RecordError> {
        self.take().map(u64::from_le_bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take()
    }

    pub(crate) fn session(&mut self) -> Result<SessionId, RecordError> {
        self.u64().map(SessionId)
    }

    pub(crate) fn moment(&mut self) -> Result<Option<Moment>, RecordError> {
        self.u64().map(|value| (value != u64::MAX).then(|| Moment::from_millis(value)))
    }

    pub(crate) fn packet_id(&mut self) -> Result<PacketId, RecordError> {
        PacketId::new(self.u16()?).ok_or(RecordError::Malformed("Packet Identifier 0"))
    }

    pub(crate) fn varint(&mut self) -> Result<u64, RecordError> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError::Malformed("a length of too many octets"))
    }

    fn count(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (value, rest) = self.0.split_at_checked(count).ok_or(ENDS)?;
        self.0 = rest;
        Ok(value)
    }

    /// Bytes behind their length in four bytes.
    pub(crate) fn sized(&mut self) -> Result<&'a [u8], RecordError> {
        let length = usize::try_from(self.u32()?).map_err(|_| ENDS)?;
        self.count(length)
    }

    /// Bytes behind their variable length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let length = usize::try_from(self.varint()?).map_err(|_| ENDS)?;
        self.count(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, RecordError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| RecordError::Malformed("text that is not UTF-8"))
    }

    pub(crate) fn byte_string(&mut self) -> Result<ByteString, RecordError> {
        self.text().map(ByteString::from)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Everything has been read.
    pub(crate) fn end(&self) -> Result<(), RecordError> {
        if self.0.is_empty() { Ok(()) } else { Err(RecordError::Malformed("it goes on behind its end")) }
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7F);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(bytes);
}
