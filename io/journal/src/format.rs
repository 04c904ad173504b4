//! What the files look like. All numbers are little-endian.
//!
//! A segment `0000000000000001.seg` is a header of 64 bytes, then batches without gaps, each at a multiple of 8, then zeros to its end:
//!
//! ```text
//! segment: magic 8 | version 4 | 0 4 | journal 8 | segment 8 | 0 28 | crc32c 4 of all before
//! batch:   magic 4 | length 4 | number 8 | synced_through 8 | oldest 8 | crc32c 4 of the payload | crc32c 4 of all before, of journal,
//!          segment and offset | payload | zeros to a multiple of 8
//! ```
//!
//! The journal's id is random and in every checksum, and so is the place: bytes of another journal or place, or bytes that a client made look
//! like a batch, are never taken for one. Numbers of batches rise by one. `synced_through` is the last batch known to be on disk when this
//! one was written, which is how recovery tells a torn tail from damage. `oldest` is the oldest segment that was still needed, which is
//! how a missing one is noticed. A filler is what repair writes over damage: a batch without a payload that stands for the numbers from
//! `number` to `synced_through`; its length is that of everything it covers.

/// Bytes before the first batch.
pub(crate) const SEGMENT_HEADER: u64 = 64;
/// The same as the length of a buffer.
pub(crate) const SEGMENT_HEADER_LENGTH: usize = 64;
/// Bytes before a batch's payload.
pub(crate) const BATCH_HEADER: u64 = 40;
/// The same as the length of a buffer.
pub(crate) const BATCH_HEADER_LENGTH: usize = 40;
/// Batches begin at multiples of this.
pub(crate) const ALIGNMENT: u64 = 8;
/// The largest payload: a place in a segment is to fit 32 bits.
pub(crate) const PAYLOAD_MAXIMUM: u64 = 1 << 30;

const SEGMENT_MAGIC: [u8; 8] = *b"SIGNETJ\n";
const BATCH_MAGIC: [u8; 4] = *b"SjBa";
const FILLER_MAGIC: [u8; 4] = *b"SjFi";
const VERSION: u32 = 1;
/// What is wrong with a segment that is not damaged at all.
pub(crate) const OTHER_VERSION: &str = "the segment has the format of another version of this program";
const SUFFIX: &str = ".seg";
/// A segment whose header is not durable yet.
pub(crate) const UNFINISHED_SUFFIX: &str = ".new";

/// Which file of which journal: part of every checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) journal: u64,
    pub(crate) segment: u64,
}

pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

pub(crate) fn narrow(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:016}{SUFFIX}")
}

/// The number of a segment of this name; nothing if it is another file.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    (segment_name(number) == name).then_some(number)
}

/// A batch of so many payload bytes in the file.
pub(crate) fn batch_length(payload: u64) -> u64 {
    (BATCH_HEADER + payload).next_multiple_of(ALIGNMENT)
}

pub(crate) fn segment_header(identity: Identity) -> Vec<u8> {
    let mut header = Vec::with_capacity(SEGMENT_HEADER_LENGTH);
    header.extend_from_slice(&SEGMENT_MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&identity.journal.to_le_bytes());
    header.extend_from_slice(&identity.segment.to_le_bytes());
    header.resize(SEGMENT_HEADER_LENGTH - 4, 0);
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    header
}

/// Whose segment it is, or what is wrong with its header.
pub(crate) fn read_segment_header(bytes: &[u8]) -> Result<Identity, &'static str> {
    let mut reader = Reader(bytes);
    let fields = (|| {
        let magic = reader.take::<8>()?;
        let version = reader.u32()?;
        let _ = reader.u32()?;
        let identity = Identity { journal: reader.u64()?, segment: reader.u64()? };
        let _ = reader.take::<28>()?;
        Some((magic, version, identity, reader.u32()?))
    })();
    let Some((magic, version, identity, checksum)) = fields else {
        return Err("the file is too short for the header of a segment");
    };
    if magic != SEGMENT_MAGIC {
        return Err("it does not begin like a segment");
    }
    if bytes.get(..SEGMENT_HEADER_LENGTH - 4).map(crc32c::crc32c) != Some(checksum) {
        return Err("the checksum of the segment's header is wrong");
    }
    if version != VERSION {
        return Err(OTHER_VERSION);
    }
    Ok(identity)
}

/// What stands in front of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) is_filler: bool,
    pub(crate) length: u32,
    pub(crate) number: u64,
    pub(crate) synced_through: u64,
    pub(crate) oldest: u64,
    pub(crate) checksum: u32,
}

impl BatchHeader {
    pub(crate) fn encode(&self, identity: Identity, offset: u64) -> [u8; BATCH_HEADER_LENGTH] {
        let mut out = [0; BATCH_HEADER_LENGTH];
        let mut rest = out.as_mut_slice();
        put(&mut rest, &if self.is_filler { FILLER_MAGIC } else { BATCH_MAGIC });
        put(&mut rest, &self.length.to_le_bytes());
        put(&mut rest, &self.number.to_le_bytes());
        put(&mut rest, &self.synced_through.to_le_bytes());
        put(&mut rest, &self.oldest.to_le_bytes());
        put(&mut rest, &self.checksum.to_le_bytes());
        let checksum = header_checksum(out.split_last_chunk::<4>().map_or(&[], |(head, _)| head), identity, offset);
        if let Some(last) = out.last_chunk_mut::<4>() {
            *last = checksum.to_le_bytes();
        }
        out
    }

    /// The header that begins `bytes`, which stand at `offset`; nothing if there is none.
    pub(crate) fn decode(bytes: &[u8], identity: Identity, offset: u64) -> Option<Self> {
        let header = bytes.first_chunk::<BATCH_HEADER_LENGTH>()?;
        let mut reader = Reader(header);
        let magic = reader.take::<4>()?;
        if magic != BATCH_MAGIC && magic != FILLER_MAGIC {
            return None;
        }
        let found = Self {
            is_filler: magic == FILLER_MAGIC,
            length: reader.u32()?,
            number: reader.u64()?,
            synced_through: reader.u64()?,
            oldest: reader.u64()?,
            checksum: reader.u32()?,
        };
        let (head, _) = header.split_last_chunk::<4>()?;
        (reader.u32()? == header_checksum(head, identity, offset)).then_some(found)
    }
}

/// The place is part of the checksum, so that a batch is one in its own place only.
fn header_checksum(head: &[u8], identity: Identity, offset: u64) -> u32 {
    let mut checksum = crc32c::crc32c(head);
    for part in [identity.journal, identity.segment, offset] {
        checksum = crc32c::crc32c_append(checksum, &part.to_le_bytes());
    }
    checksum
}

fn put(rest: &mut &mut [u8], value: &[u8]) {
    if let Some((into, after)) = std::mem::take(rest).split_at_mut_checked(value.len()) {
        into.copy_from_slice(value);
        *rest = after;
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (value, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*value)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        assert_eq!(segment_name(12), "0000000000000012.seg");
        assert_eq!(segment_number("0000000000000012.seg"), Some(12));
        for other in ["12.seg", "0000000000000000.seg", "+000000000000012.seg", "0000000000000012.seg.damaged", "0000000000000012.new"] {
            assert_eq!(segment_number(other), None, "{other}");
        }
    }

    #[test]
    fn a_batch_is_one_in_its_own_place_only() {
        let here = Identity { journal: 7, segment: 3 };
        let header = BatchHeader { is_filler: false, length: 5, number: 9, synced_through: 8, oldest: 2, checksum: 1 };
        let bytes = header.encode(here, 64);
        assert_eq!(BatchHeader::decode(&bytes, here, 64), Some(header));
        assert_eq!(BatchHeader::decode(&bytes, here, 72), None);
        assert_eq!(BatchHeader::decode(&bytes, Identity { segment: 4, ..here }, 64), None);
        assert_eq!(BatchHeader::decode(&bytes, Identity { journal: 8, ..here }, 64), None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(BatchHeader::decode(&flipped, here, 64), None, "bit {bit}");
        }
    }

    #[test]
    fn a_segment_says_whose_it_is() {
        let identity = Identity { journal: 0xABCD, segment: 77 };
        let bytes = segment_header(identity);
        assert_eq!(wide(bytes.len()), SEGMENT_HEADER);
        assert_eq!(read_segment_header(&bytes), Ok(identity));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read_segment_header(&flipped).is_err(), "bit {bit}");
        }
        assert!(read_segment_header(&bytes[..63]).is_err());
    }
}
