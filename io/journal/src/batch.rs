//! A buffer in which a batch is put together, so that it can be written at once.

use crate::format::{ALIGNMENT, BATCH_HEADER_LENGTH, BatchHeader, Identity, wide};

/// A batch that is being put together. Keeps its memory from one to the next.
#[derive(Debug)]
pub struct Batch {
    /// Room for the header, then the payload.
    bytes: Vec<u8>,
}

impl Default for Batch {
    fn default() -> Self {
        Self { bytes: vec![0; BATCH_HEADER_LENGTH] }
    }
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes everything out of it.
    pub fn clear(&mut self) {
        self.bytes.truncate(BATCH_HEADER_LENGTH);
    }

    /// Adds to the payload.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What was added so far.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(BATCH_HEADER_LENGTH..).unwrap_or_default()
    }

    /// Gives memory back that exceeds `bytes`, after an exceptionally large batch.
    pub fn shrink(&mut self, bytes: usize) {
        self.bytes.shrink_to(bytes.max(BATCH_HEADER_LENGTH));
    }

    /// The bytes as they are to stand in the file; [`Self::unseal`] turns them into a payload again.
    pub(crate) fn seal(&mut self, mut header: BatchHeader, identity: Identity, offset: u64) -> &[u8] {
        header.checksum = crc32c::crc32c(self.payload());
        if let Some(room) = self.bytes.first_chunk_mut::<BATCH_HEADER_LENGTH>() {
            *room = header.encode(identity, offset);
        }
        while !wide(self.bytes.len()).is_multiple_of(ALIGNMENT) {
            self.bytes.push(0);
        }
        &self.bytes
    }

    pub(crate) fn unseal(&mut self, payload: usize) {
        self.bytes.truncate(BATCH_HEADER_LENGTH + payload);
    }
}
