//! From batch to batch through the bytes of a segment.

use crate::format::{ALIGNMENT, BATCH_HEADER, BatchHeader, Identity, batch_length, narrow, wide};

/// One whole batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) offset: u64,
    /// Where the next one begins.
    pub(crate) end: u64,
    pub(crate) header: BatchHeader,
    /// Empty for a filler.
    pub(crate) payload: &'a [u8],
}

impl Found<'_> {
    /// The last number it stands for.
    pub(crate) fn last_number(&self) -> u64 {
        if self.header.is_filler { self.header.synced_through.max(self.header.number) } else { self.header.number }
    }

    /// Where its payload begins.
    pub(crate) fn payload_offset(&self) -> u64 {
        self.offset + BATCH_HEADER
    }
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    Batch(Found<'a>),
    /// Nothing but zeros, if anything.
    End,
    /// No batch, or not the one that has to come.
    Bad(&'static str),
}

/// Bytes of a segment, the first of which stands at `base` in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk<'a> {
    pub(crate) identity: Identity,
    pub(crate) bytes: &'a [u8],
    pub(crate) base: u64,
}

impl<'a> Walk<'a> {
    fn from(&self, offset: u64) -> &'a [u8] {
        offset.checked_sub(self.base).and_then(|start| self.bytes.get(narrow(start)..)).unwrap_or_default()
    }

    /// What stands at `offset`, where the batch `expected` has to come if that is known.
    pub(crate) fn step(&self, offset: u64, expected: Option<u64>) -> Step<'a> {
        match self.batch_at(offset) {
            Ok(found) if expected.is_none_or(|expected| expected == found.header.number) => Step::Batch(found),
            Ok(_) => Step::Bad("a batch with another number than the one before demands"),
            Err(_) if is_zero(self.from(offset)) => Step::End,
            Err(why) => Step::Bad(why),
        }
    }

    fn batch_at(&self, offset: u64) -> Result<Found<'a>, &'static str> {
        let bytes = self.from(offset);
        let header = BatchHeader::decode(bytes, self.identity, offset).ok_or("no header of a batch, or its checksum is wrong")?;
        let length = u64::from(header.length);
        if header.is_filler {
            let too_short = length < BATCH_HEADER || !length.is_multiple_of(ALIGNMENT) || length > wide(bytes.len());
            return if too_short {
                Err("a filler of no possible length")
            } else {
                Ok(Found { offset, end: offset + length, header, payload: &[] })
            };
        }
        let payload = bytes.get(narrow(BATCH_HEADER)..narrow(BATCH_HEADER + length)).ok_or("a batch that is longer than its segment")?;
        if crc32c::crc32c(payload) != header.checksum {
            return Err("the checksum of a batch is wrong");
        }
        Ok(Found { offset, end: offset + batch_length(length), header, payload })
    }

    /// The first whole batch that begins at `offset` or behind.
    pub(crate) fn find(&self, offset: u64) -> Option<Found<'a>> {
        let mut offset = offset.next_multiple_of(ALIGNMENT);
        let end = self.base + wide(self.bytes.len());
        while offset < end {
            // The checksum of a header keeps out what only looks like one, so that no payload makes this slow.
            if let Ok(found) = self.batch_at(offset) {
                return Some(found);
            }
            offset += ALIGNMENT;
        }
        None
    }

    /// Behind the last byte that is not zero, from `offset` on.
    pub(crate) fn end_of_content(&self, offset: u64) -> u64 {
        let bytes = self.from(offset);
        let trailing = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        offset + wide(bytes.len() - trailing)
    }
}

/// By words: a fresh segment is 16 MiB of zeros.
fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| u64::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}
