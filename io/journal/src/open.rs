//! Opening a journal: what was synced is shown in order, what had not reached the disk whole is cut off, what is damaged is refused.

use std::collections::VecDeque;
use std::io;

use crate::error::JournalError;
use crate::folder::Folder;
use crate::format::{Identity, UNFINISHED_SUFFIX, segment_name};
use crate::journal::{Journal, JournalConfig, Place, Segment, Spare, create_segment};
use crate::report::Cut;
use crate::survey::Survey;

impl Journal {
    /// Opens the journal in `folder`, or begins one if there are no segments. `visit` is shown the payload of every batch in order; what it
    /// learned counts only if this returns successfully. Gives what was cut off, if anything.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] with the first damage, when something is missing that had been synced; nothing is changed then.
    /// [`JournalError::Content`] with what `visit` said. Otherwise as the system reports, no room for the first segments included.
    pub fn open(
        folder: Box<dyn Folder>,
        config: JournalConfig,
        mut visit: impl FnMut(Place, &[u8]) -> Result<(), String>,
    ) -> Result<(Self, Option<Cut>), JournalError> {
        config.check()?;
        remove_unfinished(folder.as_ref())?;
        let survey = Survey::take(folder.as_ref(), &mut visit)?;
        if let Some(damage) = survey.damage() {
            return Err(JournalError::Damaged(Box::new(damage.clone())));
        }
        let oldest = survey.oldest;
        let (journal, cut) =
            if survey.segments.is_empty() { (Self::begin(folder, config)?, None) } else { Self::resume(folder, config, survey)? };
        let mut journal = journal;
        // Removed already, but for the crash that came between.
        while let Some(first) = journal.segments.front().filter(|first| first.number < oldest && journal.segments.len() > 1).copied() {
            journal.remove(first.number)?;
            journal.segments.pop_front();
            journal.bytes_total -= first.bytes;
            journal.bytes_used -= first.used;
        }
        let _ = journal.prepare()?;
        Ok((journal, cut))
    }

    fn begin(folder: Box<dyn Folder>, config: JournalConfig) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io { action: "make the first segment in", path: folder.path(""), source };
        let id = random().map_err(failed)?;
        let file = create_segment(folder.as_ref(), Identity { journal: id, segment: 1 }, config.segment_bytes).map_err(failed)?;
        let first = Segment { number: 1, bytes: config.segment_bytes, used: crate::format::SEGMENT_HEADER };
        Ok(Self::new(folder, config, id, (first, file)))
    }

    fn resume(folder: Box<dyn Folder>, config: JournalConfig, survey: Survey) -> Result<(Self, Option<Cut>), JournalError> {
        let failed = |action, number| {
            let path = folder.path(&segment_name(number));
            move |source: io::Error| JournalError::Io { action, path, source }
        };
        let mut segments: Vec<Segment> =
            survey.segments.iter().map(|segment| Segment { number: segment.number, bytes: segment.bytes, used: segment.used }).collect();
        let last = survey.segments.iter().rposition(|segment| segment.has_content).unwrap_or(0);
        let empty = segments.split_off((last + 1).min(segments.len()));
        let Some(mut tail) = segments.pop() else { return Self::begin(folder, config).map(|journal| (journal, None)) };
        let file = folder.open(&segment_name(tail.number)).map_err(failed("open", tail.number))?;
        if let Some((_, cut)) = &survey.torn {
            // Written again, the same numbers would stand in the same places: nothing old may be left behind them.
            file.truncate(cut.offset).map_err(failed("cut", tail.number))?;
            tail.used = cut.offset;
            tail.bytes = cut.offset;
        }
        if tail.bytes < config.segment_bytes && file.allocate(config.segment_bytes).is_ok() {
            tail.bytes = config.segment_bytes;
        }
        // What was read may be in memory only: the process may have died, not the machine.
        file.sync().map_err(failed("sync", tail.number))?;
        folder.sync().map_err(failed("sync the directory of", tail.number))?;
        let mut spares = VecDeque::new();
        for segment in empty {
            let file = folder.open(&segment_name(segment.number)).map_err(failed("open", segment.number))?;
            spares.push_back(Spare { number: segment.number, bytes: segment.bytes, file });
        }
        let mut journal = Self::new(folder, config, survey.journal.unwrap_or(0), (tail, file));
        for segment in segments.into_iter().rev() {
            journal.bytes_total += segment.bytes;
            journal.bytes_used += segment.used;
            journal.segments.push_front(segment);
        }
        journal.bytes_total += spares.iter().map(|spare: &Spare| spare.bytes).sum::<u64>();
        journal.spares = spares;
        journal.number = survey.last_number;
        journal.synced_through = survey.last_number;
        Ok((journal, survey.torn.map(|(_, cut)| cut)))
    }
}

/// Segments that never got their name.
pub(crate) fn remove_unfinished(folder: &dyn Folder) -> Result<(), JournalError> {
    let failed = |source| JournalError::Io { action: "remove unfinished segments from", path: folder.path(""), source };
    for name in folder.names().map_err(failed)? {
        if name.ends_with(UNFINISHED_SUFFIX) {
            folder.remove(&name).map_err(failed)?;
        }
    }
    Ok(())
}

/// The id of a new journal.
fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if filled < bytes.len() {
        return Err(io::Error::other("the system gave too few random bytes"));
    }
    Ok(u64::from_le_bytes(bytes))
}
