//! The store without its thread: batches go to the journal, the index learns what they say, and what is dead makes room.
//!
//! One round is: [`Engine::compact`] and [`Engine::add`] put a batch together, [`Engine::write`] writes it, [`Engine::sync`] makes it
//! durable, [`Engine::settle`] lets the index know. Compaction of the next round builds on that, so settling comes before it.

use signet_broker::Image;
use signet_journal::{AppendError, Batch, Cut, Folder, Journal, JournalConfig, JournalError, Place};

use crate::compact::Compaction;
use crate::index::Index;
use crate::record::put_first_free;
use crate::recover::{self, Reader};
use crate::state::StoreStats;

/// Read at once when the journal is read from one end to the other.
const READ_BYTES: usize = 4 << 20;
/// Memory that a batch keeps when it was larger.
pub(crate) const BATCH_KEEPS: usize = 4 << 20;

/// See the file's documentation.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) journal: Journal,
    pub(crate) index: Index,
    pub(crate) segment_bytes: u64,
    pub(crate) maximum_bytes: Option<u64>,
    pub(crate) batch: Batch,
    /// Where the payload stands of a batch that was written and not settled.
    written: Option<Place>,
    pub(crate) compaction: Compaction,
    /// There are fewer spare segments than there should be.
    pub(crate) is_tight: bool,
    batches: u64,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done,
    /// Nothing happened; the same batch waits.
    NoRoom(String),
}

impl Engine {
    /// Reads the journal or begins one.
    pub(crate) fn open(folder: Box<dyn Folder>, config: JournalConfig) -> Result<(Self, Image, Option<Cut>), JournalError> {
        let mut index = Index::default();
        let (journal, cut) = Journal::open(folder, config, |place, payload| {
            let (segment, offset) = narrow(place)?;
            recover::apply(&mut index, segment, offset, payload).map_err(|error| error.to_string())
        })?;
        let mut reader = Reader::default();
        let mut buffer = Vec::new();
        for (first, _) in journal.contents() {
            let mut next = Some(first);
            let mut problem = None;
            while let Some(from) = next {
                next = journal.read(from, READ_BYTES, &mut buffer, |place, payload| {
                    let read = narrow(place)
                        .and_then(|(segment, offset)| reader.read(&index, segment, offset, payload).map_err(|error| error.to_string()));
                    problem = problem.take().or_else(|| read.err().map(|message| (place, message)));
                })?;
            }
            if let Some((place, message)) = problem {
                return Err(journal.content_error(place, message));
            }
        }
        let image = reader.finish(&mut index);
        let engine = Self {
            journal,
            index,
            segment_bytes: config.segment_bytes,
            maximum_bytes: config.maximum_bytes,
            batch: Batch::new(),
            written: None,
            compaction: Compaction::default(),
            is_tight: false,
            batches: 0,
        };
        Ok((engine, image, cut))
    }

    /// Adds records to the batch.
    pub(crate) fn add(&mut self, records: &[u8]) {
        self.batch.extend(records);
    }

    /// Bytes of the batch so far.
    pub(crate) fn pending(&self) -> usize {
        self.batch.payload().len()
    }

    /// Writes the batch, if there is anything in it.
    pub(crate) fn write(&mut self) -> Result<Written, JournalError> {
        if self.batch.payload().is_empty() {
            return Ok(Written::Done);
        }
        match self.journal.append(&mut self.batch) {
            Ok(place) => {
                self.batches += 1;
                self.written = Some(place);
                Ok(Written::Done)
            }
            Err(AppendError::NoRoom(why)) => Ok(Written::NoRoom(why)),
            Err(AppendError::Failed(error)) => Err(error),
        }
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        self.journal.sync()
    }

    /// Lets the index know what was written, and empties the batch.
    pub(crate) fn settle(&mut self) -> Result<(), JournalError> {
        if let Some(place) = self.written.take() {
            let applied = narrow(place).and_then(|(segment, offset)| {
                recover::apply(&mut self.index, segment, offset, self.batch.payload()).map_err(|error| error.to_string())
            });
            applied.map_err(|message| self.journal.content_error(place, message))?;
            self.batch.clear();
            self.batch.shrink(BATCH_KEEPS);
            let oldest = self.journal.contents().next().map(|(first, _)| narrow(first));
            if let Some(Ok((oldest, _))) = oldest {
                self.index.forget_segments_before(oldest);
            }
        }
        Ok(())
    }

    /// When the batch does not fit any more: segments of which nothing is live are removed by batches that do. What the batch that waits moves
    /// out of other segments is still needed there.
    pub(crate) fn rescue(&mut self) -> Result<(), JournalError> {
        self.journal.take_retired_back();
        while let Some((oldest, _)) = self.journal.oldest() {
            if narrow(oldest).map_or(0, |(segment, _)| self.index.live_in(segment)) > 0 {
                break;
            }
            let mut record = Vec::new();
            put_first_free(&mut record, self.index.first_free());
            let mut batch = Batch::new();
            batch.extend(&record);
            self.journal.retire_oldest();
            let place = match self.journal.append(&mut batch) {
                Ok(place) => place,
                Err(AppendError::NoRoom(_)) => break,
                Err(AppendError::Failed(error)) => return Err(error),
            };
            self.journal.sync()?;
            let applied = narrow(place)
                .and_then(|(segment, offset)| recover::apply(&mut self.index, segment, offset, &record).map_err(|error| error.to_string()));
            applied.map_err(|message| self.journal.content_error(place, message))?;
        }
        Ok(())
    }

    /// Keeps spare segments ready. Says why not, if there is no room.
    pub(crate) fn prepare(&mut self) -> Result<Option<String>, JournalError> {
        // When the disk is full, so much is written until compaction is worth while: see `wants_compaction`.
        let more = self.index.live() / 16 / self.segment_bytes;
        self.journal.keep_more_ready(usize::try_from(if more > 0 { more + 2 } else { 0 }).unwrap_or(usize::MAX));
        let why = self.journal.prepare()?;
        self.is_tight = why.is_some();
        Ok(why)
    }

    pub(crate) fn stats(&self) -> StoreStats {
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        StoreStats {
            bytes_live: self.index.live(),
            bytes_total: self.journal.bytes_total(),
            segments: wide(self.journal.segment_count()),
            batches: self.batches,
            syncs: self.journal.syncs(),
            bytes_moved: self.compaction.moved(),
            messages: wide(self.index.messages().count()),
            sessions: self.index.sessions(),
            retained: self.index.retained(),
        }
    }
}

/// The index keeps places in 32 bits.
pub(crate) fn narrow(place: Place) -> Result<(u32, u32), String> {
    let segment = u32::try_from(place.segment).map_err(|_| "the journal has used up its numbers of segments".to_owned())?;
    let offset = u32::try_from(place.offset).map_err(|_| "a segment is longer than any can be".to_owned())?;
    Ok((segment, offset))
}
