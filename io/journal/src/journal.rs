//! The open journal: appending, syncing, going on to the next segment, taking the oldest away.

use std::collections::VecDeque;
use std::io;

use crate::batch::Batch;
use crate::error::{AppendError, JournalError};
use crate::folder::{File, Folder, is_no_room};
use crate::format::{
    BATCH_HEADER, BatchHeader, Identity, PAYLOAD_MAXIMUM, SEGMENT_HEADER, UNFINISHED_SUFFIX, batch_length, narrow, segment_header,
    segment_name, wide,
};
use crate::walk::{Step, Walk};

/// Segments that are kept ready behind the one that is written, at least. When the disk is full, what is urgent goes on for so long.
const SPARES: usize = 2;

/// What can be set about a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalConfig {
    /// Length of a segment file: 4 KiB to 1 GiB, a multiple of 4 KiB. A larger batch gets a larger segment of its own.
    pub segment_bytes: u64,
    /// The most bytes all segments may take together, at least eight segments.
    pub maximum_bytes: Option<u64>,
}

impl JournalConfig {
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        let bytes = self.segment_bytes;
        if !(4 << 10..=1 << 30).contains(&bytes) || !bytes.is_multiple_of(4 << 10) {
            return Err(JournalError::Config(format!("segments of `{bytes}` bytes: expected 4096 to 1073741824 and a multiple of 4096")));
        }
        match self.maximum_bytes {
            Some(maximum) if maximum < 8 * bytes => Err(JournalError::Config(format!(
                "at most `{maximum}` bytes with segments of {bytes}: expected at least eight segments, {}",
                8 * bytes
            ))),
            _ => Ok(()),
        }
    }
}

/// A place in the journal. It never moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of the segment, from one.
    pub segment: u64,
    /// Bytes from the start of its file; fits 32 bits.
    pub offset: u64,
}

/// A closed or current segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// Up to where batches stand in it.
    pub(crate) used: u64,
}

/// An empty segment, ready to be written.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    pub(crate) file: Box<dyn File>,
}

/// A segment that is not needed any more and waits for that to be on disk.
#[derive(Debug)]
struct Retired {
    segment: Segment,
    /// The batch that says so.
    said_by: Option<u64>,
}

/// An open journal. For one thread; after a [`JournalError`] it must not be used any more, and what was not synced counts as lost.
#[derive(Debug)]
pub struct Journal {
    pub(crate) folder: Box<dyn Folder>,
    pub(crate) config: JournalConfig,
    pub(crate) id: u64,
    /// The oldest first, the one that is written last. Never empty.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) tail: Box<dyn File>,
    /// Whether a write without room may have left something behind the last batch.
    is_littered: bool,
    pub(crate) spares: VecDeque<Spare>,
    /// How many of those there should be.
    spares_wanted: usize,
    retired: VecDeque<Retired>,
    /// Of the last batch.
    pub(crate) number: u64,
    pub(crate) synced_through: u64,
    syncs: u64,
    /// Of all files.
    pub(crate) bytes_total: u64,
    /// Of all segments up to where batches stand in them.
    pub(crate) bytes_used: u64,
}

impl Journal {
    pub(crate) fn new(folder: Box<dyn Folder>, config: JournalConfig, id: u64, first: (Segment, Box<dyn File>)) -> Self {
        let (segment, tail) = first;
        Self {
            folder,
            config,
            id,
            bytes_total: segment.bytes,
            bytes_used: segment.used,
            segments: VecDeque::from([segment]),
            tail,
            is_littered: false,
            spares: VecDeque::new(),
            spares_wanted: SPARES,
            retired: VecDeque::new(),
            number: 0,
            synced_through: 0,
            syncs: 0,
        }
    }

    /// Writes a batch at the end and says where its payload begins. It is not durable before [`Self::sync`].
    ///
    /// # Errors
    /// [`AppendError::NoRoom`]: nothing happened, and the same batch may be tried again. Otherwise the journal is at its end.
    pub fn append(&mut self, batch: &mut Batch) -> Result<Place, AppendError> {
        let payload = wide(batch.payload().len());
        if payload > PAYLOAD_MAXIMUM {
            return Err(JournalError::TooLarge { bytes: payload, maximum: PAYLOAD_MAXIMUM }.into());
        }
        let needed = batch_length(payload);
        if self.room() < needed {
            self.roll(needed)?;
        }
        let tail = self.tail();
        let header = BatchHeader {
            is_filler: false,
            length: u32::try_from(payload).unwrap_or(u32::MAX),
            number: self.number + 1,
            synced_through: self.synced_through,
            oldest: self.segments.front().map_or(tail.number, |oldest| oldest.number),
            checksum: 0,
        };
        let bytes = batch.seal(header, Identity { journal: self.id, segment: tail.number }, tail.used);
        let written = self.tail.write_at(bytes, tail.used);
        batch.unseal(narrow(payload));
        if let Err(source) = written {
            self.is_littered = true;
            return Err(self.refused("write", tail.number, source));
        }
        self.number += 1;
        if let Some(last) = self.segments.back_mut() {
            last.used += needed;
            self.bytes_used += needed;
        }
        for retired in &mut self.retired {
            retired.said_by.get_or_insert(self.number);
        }
        Ok(Place { segment: tail.number, offset: tail.used + BATCH_HEADER })
    }

    /// Makes all batches durable. Then removes the segments that are retired.
    ///
    /// # Errors
    /// Whatever it is, it is final: what was not synced counts as lost.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.sync_tail()?;
        while let Some(retired) = self.retired.front() {
            if retired.said_by.is_none_or(|number| number > self.synced_through) {
                break;
            }
            let Segment { number, bytes, .. } = retired.segment;
            self.remove(number)?;
            self.bytes_total -= bytes;
            self.retired.pop_front();
        }
        Ok(())
    }

    fn sync_tail(&mut self) -> Result<(), JournalError> {
        if self.synced_through < self.number {
            let tail = self.tail();
            self.tail.sync().map_err(|source| self.failed("sync", tail.number, source))?;
            self.synced_through = self.number;
            self.syncs += 1;
        }
        Ok(())
    }

    /// Removes a segment. Each one durably, before the next: so there is never a hole.
    pub(crate) fn remove(&self, number: u64) -> Result<(), JournalError> {
        let name = segment_name(number);
        self.folder.remove(&name).and_then(|()| self.folder.sync()).map_err(|source| self.failed("remove", number, source))
    }

    /// The oldest segment is not needed any more. It is removed by the sync after the next batch, which says so. Never the one that is
    /// written.
    pub fn retire_oldest(&mut self) {
        if self.segments.len() > 1
            && let Some(segment) = self.segments.pop_front()
        {
            self.bytes_used -= segment.used;
            self.retired.push_back(Retired { segment, said_by: None });
        }
    }

    /// Takes [`Self::retire_oldest`] back for all segments of which no batch has said it yet: what was to be said could not be written.
    pub fn take_retired_back(&mut self) {
        while let Some(retired) = self.retired.pop_back_if(|retired| retired.said_by.is_none()) {
            self.bytes_used += retired.segment.used;
            self.segments.push_front(retired.segment);
        }
    }

    /// Whether a segment waits for a batch to be removed after.
    #[must_use]
    pub fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// From here on so many more segments are kept ready than anybody needs.
    pub fn keep_more_ready(&mut self, more: usize) {
        self.spares_wanted = SPARES.saturating_add(more);
    }

    /// Makes the spare segments that are missing. Says why not, when there is no room for them.
    ///
    /// # Errors
    /// The same as of [`Self::sync`].
    pub fn prepare(&mut self) -> Result<Option<String>, JournalError> {
        while self.spares.len() < self.spares_wanted {
            match self.make_spare() {
                Ok(()) => {}
                Err(AppendError::NoRoom(why)) => return Ok(Some(why)),
                Err(AppendError::Failed(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Goes on in the next segment, which gets room for a batch of `needed` bytes.
    fn roll(&mut self, needed: u64) -> Result<(), AppendError> {
        // What is in a later segment was written after all before it was on disk: recovery relies on it.
        self.sync_tail()?;
        if self.spares.is_empty() {
            self.make_spare()?;
        }
        let Some(mut spare) = self.spares.pop_front() else { return Err(AppendError::NoRoom("no spare segment".to_owned())) };
        if spare.bytes < SEGMENT_HEADER + needed {
            let bytes = (SEGMENT_HEADER + needed).next_multiple_of(4 << 10);
            if let Err(source) = spare.file.allocate(bytes) {
                let refused = self.refused("enlarge", spare.number, source);
                self.spares.push_front(spare);
                return Err(refused);
            }
            self.bytes_total += bytes - spare.bytes;
            spare.bytes = bytes;
        }
        self.sweep()?;
        self.segments.push_back(Segment { number: spare.number, bytes: spare.bytes, used: SEGMENT_HEADER });
        self.bytes_used += SEGMENT_HEADER;
        self.tail = spare.file;
        Ok(())
    }

    /// Takes away what a write without room left behind the last batch of the segment that is written: it was never a batch, but once a later
    /// segment has some, recovery would take it for one that is damaged.
    fn sweep(&mut self) -> Result<(), JournalError> {
        if self.is_littered {
            let Segment { number, bytes, used } = self.tail();
            let swept = self.tail.truncate(used).and_then(|()| self.tail.sync());
            swept.map_err(|source| self.failed("clear the end of", number, source))?;
            self.bytes_total -= bytes - used;
            if let Some(last) = self.segments.back_mut() {
                last.bytes = used;
            }
            self.is_littered = false;
        }
        Ok(())
    }

    /// One more segment. It gets its name only when its header is durable, so that there is never one with half a header.
    fn make_spare(&mut self) -> Result<(), AppendError> {
        let bytes = self.config.segment_bytes;
        if let Some(maximum) = self.config.maximum_bytes
            && self.bytes_total + bytes > maximum
        {
            return Err(AppendError::NoRoom(format!("the configured maximum of {maximum} bytes is reached")));
        }
        let last = self.spares.back().map_or_else(|| self.tail().number, |spare| spare.number);
        let file = create_segment(self.folder.as_ref(), Identity { journal: self.id, segment: last + 1 }, bytes)
            .map_err(|source| self.refused("make", last + 1, source))?;
        self.spares.push_back(Spare { number: last + 1, bytes, file });
        self.bytes_total += bytes;
        Ok(())
    }

    /// Their numbers have no hole.
    fn segment(&self, number: u64) -> Option<Segment> {
        let first = self.segments.front()?.number;
        self.segments.get(narrow(number.checked_sub(first)?)).copied()
    }

    /// The segment that is written.
    pub(crate) fn tail(&self) -> Segment {
        // There always is one; see `segments`.
        self.segments.back().copied().unwrap_or(Segment { number: 0, bytes: 0, used: 0 })
    }

    /// Bytes that still fit into the segment that is written.
    fn room(&self) -> u64 {
        let tail = self.tail();
        tail.bytes.saturating_sub(tail.used)
    }

    /// Bytes of payload that can be written, roughly, without another file.
    #[must_use]
    pub fn reserve(&self) -> u64 {
        self.room() + self.spares.iter().map(|spare| spare.bytes.saturating_sub(SEGMENT_HEADER)).sum::<u64>()
    }

    /// Bytes of all segment files, spare and retired ones included.
    #[must_use]
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// Bytes that batches take, of which the segment that is written has only what was written.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.bytes_used
    }

    /// Segment files, spare ones included.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.segments.len() + self.spares.len() + self.retired.len()
    }

    /// Where the batches of the oldest segment begin, and where they end; nothing while there is none but the one that is written.
    #[must_use]
    pub fn oldest(&self) -> Option<(Place, u64)> {
        let oldest = self.segments.front().filter(|_| self.segments.len() > 1)?;
        Some((Place { segment: oldest.number, offset: SEGMENT_HEADER }, oldest.used))
    }

    /// Syncs since the journal was opened.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Whether there are batches that are not durable yet.
    #[must_use]
    pub fn has_unsynced(&self) -> bool {
        self.synced_through < self.number
    }

    /// The segments with what is in them, the oldest first: the first place and the end of each.
    pub fn contents(&self) -> impl Iterator<Item = (Place, u64)> {
        self.segments.iter().map(|segment| (Place { segment: segment.number, offset: SEGMENT_HEADER }, segment.used))
    }

    /// Reads batches from `from` on, which is where one begins: so many as fit into about `bytes`, at least one. Shows the payloads and says
    /// where to go on; nothing at the end of the segment.
    ///
    /// # Errors
    /// The file cannot be read, or is not any more as it was written.
    pub fn read(
        &self,
        from: Place,
        bytes: usize,
        buffer: &mut Vec<u8>,
        mut visit: impl FnMut(Place, &[u8]),
    ) -> Result<Option<Place>, JournalError> {
        let failed = |source| self.failed("read", from.segment, source);
        let Some(segment) = self.segment(from.segment) else { return Ok(None) };
        let file = self.folder.open(&segment_name(from.segment)).map_err(failed)?;
        // At least the header that says how long the first one is.
        let mut length = wide(bytes).max(BATCH_HEADER).min(segment.used.saturating_sub(from.offset));
        let identity = Identity { journal: self.id, segment: from.segment };
        loop {
            buffer.clear();
            buffer.resize(narrow(length), 0);
            file.read_at(buffer, from.offset).map_err(failed)?;
            // A batch that is longer than what was asked for is read whole all the same.
            let whole = BatchHeader::decode(buffer, identity, from.offset).map(|header| batch_length(header.length.into()));
            match whole {
                Some(whole) if whole > length && from.offset + whole <= segment.used => length = whole,
                _ => break,
            }
        }
        let walk = Walk { identity, bytes: buffer, base: from.offset };
        let mut offset = from.offset;
        while offset < segment.used {
            match walk.step(offset, None) {
                Step::Batch(found) if found.end <= from.offset + length => {
                    if !found.header.is_filler {
                        visit(Place { segment: from.segment, offset: found.payload_offset() }, found.payload);
                    }
                    offset = found.end;
                }
                // The rest of it was not read.
                _ if offset > from.offset => break,
                _ => {
                    let source = io::Error::new(io::ErrorKind::InvalidData, "a batch is not any more as it was written");
                    return Err(failed(source));
                }
            }
        }
        Ok((offset < segment.used).then_some(Place { segment: from.segment, offset }))
    }

    /// The error to give when a batch is whole, but what is in it makes no sense.
    #[must_use]
    pub fn content_error(&self, place: Place, message: String) -> JournalError {
        JournalError::Content { file: self.folder.path(&segment_name(place.segment)), offset: place.offset, message }
    }

    fn failed(&self, action: &'static str, segment: u64, source: io::Error) -> JournalError {
        JournalError::Io { action, path: self.folder.path(&segment_name(segment)), source }
    }

    fn refused(&self, action: &'static str, segment: u64, source: io::Error) -> AppendError {
        if is_no_room(&source) {
            AppendError::NoRoom(self.failed(action, segment, source).to_string())
        } else {
            AppendError::Failed(self.failed(action, segment, source))
        }
    }
}

/// A new, empty and durable segment of so many bytes.
pub(crate) fn create_segment(folder: &dyn Folder, identity: Identity, bytes: u64) -> io::Result<Box<dyn File>> {
    let name = segment_name(identity.segment);
    let unfinished = format!("{name}{UNFINISHED_SUFFIX}");
    let made = folder.create(&unfinished).and_then(|file| {
        file.allocate(bytes)?;
        file.write_at(&segment_header(identity), 0)?;
        file.sync()?;
        folder.rename(&unfinished, &name)?;
        folder.sync()?;
        Ok(file)
    });
    if made.is_err() {
        // It may be there with less room than it needs, and take what there is from others.
        let _ = folder.remove(&unfinished);
    }
    made
}
