//! Room from what is dead: the oldest segment is read in slices, what is still needed of it is written again at the end, and the file goes.
//!
//! First in, first out: so a record that takes something back never has to be moved (see [`crate::index`]). The bound: of the bytes that
//! batches take, at most twice what is live plus four segments, as long as no single post is larger than a slice. While posts come, four bytes are looked at for each one
//! that is written, which is what the bound needs; a segment of which nothing is live goes unread.

use signet_journal::{JournalError, Place};

use crate::engine::{Engine, narrow};
use crate::record::{Record, put_first_free, records, retell};
use crate::recover::location;

/// Looked at in a round in which nothing else is written.
const SLICE: usize = 1 << 20;
/// Looked at in one round, at most.
const SLICE_MAXIMUM: usize = 8 << 20;
/// Looked at for each byte that is written.
const PACE: usize = 4;
/// Files removed in one round, at most: each costs the disk some work.
const REMOVED_MAXIMUM: usize = 4;

/// Where compaction stands.
#[derive(Debug, Default)]
pub(crate) struct Compaction {
    /// The next batch to look at, in the oldest segment; nothing: at its beginning.
    next: Option<Place>,
    buffer: Vec<u8>,
    moved: u64,
}

impl Compaction {
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }
}

impl Engine {
    /// Whether there is anything to be gained now.
    pub(crate) fn wants_compaction(&self) -> bool {
        let Some((oldest, _)) = self.journal.oldest() else { return false };
        let live_in_oldest = narrow(oldest).map_or(0, |(segment, _)| self.index.live_in(segment));
        if live_in_oldest == 0 {
            return true;
        }
        // Without room, what is moved must leave some for what is urgent meanwhile; what is begun is finished even if that has taken it.
        let margin = if self.compaction.next.is_some() { 0 } else { self.segment_bytes / 16 };
        if self.is_tight && self.journal.reserve() < live_in_oldest + margin {
            return false;
        }
        let (used, live) = (self.journal.bytes_used(), self.index.live());
        let is_tight =
            self.is_tight || self.maximum_bytes.is_some_and(|maximum| self.journal.bytes_total() + 2 * self.segment_bytes > maximum);
        // Headers of batches are never live, so all that is used is never all live.
        let bound = if is_tight { live / 16 * 17 + self.segment_bytes } else { live / 4 * 7 + self.segment_bytes };
        used > bound.max(if is_tight { 0 } else { 3 * self.segment_bytes })
    }

    /// Puts into the batch what is needed of the next slice, for a round in which `others` bytes are written besides. Nothing may wait to be
    /// settled.
    pub(crate) fn compact(&mut self, others: usize) -> Result<(), JournalError> {
        let unit = SLICE.min(usize::try_from(self.segment_bytes / 4).unwrap_or(SLICE));
        let mut budget = others.saturating_mul(PACE).clamp(unit, SLICE_MAXIMUM.max(unit));
        let mut removed = 0;
        while budget > 0 && removed < REMOVED_MAXIMUM && self.wants_compaction() {
            let Some((oldest, end)) = self.journal.oldest() else { break };
            let segment = narrow(oldest).map_or(0, |(segment, _)| segment);
            // Where it stopped may be gone: see `rescue`.
            let from = self.compaction.next.filter(|next| next.segment == oldest.segment).unwrap_or(oldest);
            if self.index.live_in(segment) > 0 && from.offset < end {
                self.compaction.next = self.slice(from, budget)?;
                let looked_at = self.compaction.next.map_or(end, |next| next.offset).saturating_sub(from.offset);
                budget = budget.saturating_sub(usize::try_from(looked_at).unwrap_or(usize::MAX).max(1));
                if self.compaction.next.is_some() {
                    continue;
                }
            }
            self.compaction.next = None;
            // Ids may have been used up that no record knows any more.
            let mut record = Vec::new();
            put_first_free(&mut record, self.index.first_free());
            self.batch.extend(&record);
            self.journal.retire_oldest();
            removed += 1;
            // What was moved counts as living in the old place until it is settled.
            if self.index.live_in(segment) > 0 {
                break;
            }
        }
        Ok(())
    }

    /// Looks at one stretch of the oldest segment. Says where to go on in it.
    fn slice(&mut self, from: Place, bytes: usize) -> Result<Option<Place>, JournalError> {
        let mut buffer = std::mem::take(&mut self.compaction.buffer);
        let before = self.batch.payload().len();
        let (index, batch) = (&self.index, &mut self.batch);
        let mut record = Vec::new();
        let next = self.journal.read(from, bytes, &mut buffer, |place, payload| {
            let Ok((segment, offset)) = narrow(place) else { return };
            for located in records(payload).flatten() {
                if !index.is_needed(&located.record, location(segment, offset, located.offset, located.bytes.len())) {
                    continue;
                }
                if let Record::MessageQueued { id, received_at, recipients, message } = located.record {
                    record.clear();
                    retell(&mut record, (id, received_at), (recipients, message), |session| index.messages().stage(session, id));
                    batch.extend(&record);
                } else {
                    batch.extend(located.bytes);
                }
            }
        })?;
        self.compaction.moved += u64::try_from(self.batch.payload().len() - before).unwrap_or(0);
        buffer.shrink_to(SLICE_MAXIMUM);
        self.compaction.buffer = buffer;
        Ok(next)
    }
}
