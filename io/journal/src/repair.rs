//! Cutting damage out of a journal, so that it can be opened with what is left.
//!
//! Whole batches stay where they are. A damaged stretch becomes a filler, which stands for the batches that are lost; a damaged end becomes
//! zeros; a missing file is made anew without batches. Before anything is written over, the file is copied.

use std::io;
use std::path::PathBuf;

use crate::error::JournalError;
use crate::folder::{File, Folder};
use crate::format::{
    ALIGNMENT, BATCH_HEADER, BatchHeader, Identity, OTHER_VERSION, SEGMENT_HEADER, narrow, segment_header, segment_name, wide,
};
use crate::journal::create_segment;
use crate::open::remove_unfinished;
use crate::report::{Damage, Part, Repaired};
use crate::survey::{Gap, MISSING_MAXIMUM, Survey};

/// A file made in place of a missing one: as small as the file system gives.
const STAND_IN: u64 = 4 << 10;

/// Cuts out all damage that [`crate::check()`] reports, and says what was lost. The torn end is left to the next opening. Interrupted, it can
/// be run again.
///
/// # Errors
/// [`JournalError::Unrepairable`] before anything is changed; otherwise as the system reports.
pub fn repair(folder: &dyn Folder) -> Result<Repaired, JournalError> {
    remove_unfinished(folder)?;
    let survey = Survey::take(folder, &mut |_, _| Ok(()))?;
    let mut repaired = Repaired::default();
    if survey.gaps.is_empty() {
        return Ok(repaired);
    }
    let journal = repairable(folder, &survey)?;
    let mut copied = Vec::new();
    for gap in &survey.gaps {
        let filler = filler_of(folder, &survey, gap)?;
        for damage in &gap.damages {
            if damage.part != Part::File && !copied.contains(&damage.segment) {
                copied.push(damage.segment);
                repaired.copies.push(copy(folder, damage.segment)?);
            }
            clear(folder, Identity { journal, segment: damage.segment }, damage)?;
        }
        if let Some(filler) = filler {
            filler.write(folder, journal)?;
        }
        match gap.first.zip(gap.next) {
            Some((first, next)) => repaired.batches_lost += next.saturating_sub(first),
            None => repaired.is_uncounted |= gap.damages.iter().any(|damage| damage.part != Part::Header),
        }
        repaired.damages.extend(gap.damages.iter().cloned());
    }
    folder.sync().map_err(|source| JournalError::Io { action: "sync the directory of", path: folder.path(""), source })?;
    Ok(repaired)
}

/// The journal's id, if anything can be done at all.
fn repairable(folder: &dyn Folder, survey: &Survey) -> Result<u64, JournalError> {
    let unrepairable = |why: &str| JournalError::Unrepairable { path: folder.path(""), why: why.to_owned() };
    let damages = || survey.gaps.iter().flat_map(|gap| &gap.damages);
    if damages().any(|damage| damage.what == OTHER_VERSION) {
        return Err(unrepairable(OTHER_VERSION));
    }
    if damages().filter(|damage| damage.part == Part::File).count() >= MISSING_MAXIMUM {
        return Err(unrepairable("too many files are missing"));
    }
    for gap in &survey.gaps {
        filler_of(folder, survey, gap)?;
    }
    survey.journal.ok_or_else(|| unrepairable("no file has a header that can be read, so nothing tells whole batches from damaged ones"))
}

/// What stands for lost batches.
struct Filler {
    segment: u64,
    offset: u64,
    length: u64,
    first: u64,
    last: u64,
}

impl Filler {
    fn write(&self, folder: &dyn Folder, journal: u64) -> Result<(), JournalError> {
        let header = BatchHeader {
            is_filler: true,
            length: u32::try_from(self.length).unwrap_or(u32::MAX),
            number: self.first,
            synced_through: self.last,
            oldest: 0,
            checksum: 0,
        };
        let bytes = header.encode(Identity { journal, segment: self.segment }, self.offset);
        change(folder, self.segment, |file| {
            // The file may have lost its end.
            file.allocate(self.offset + self.length)?;
            file.write_at(&bytes, self.offset)
        })
    }
}

/// Where the filler of a gap goes, if it needs one.
fn filler_of(folder: &dyn Folder, survey: &Survey, gap: &Gap) -> Result<Option<Filler>, JournalError> {
    // Nothing comes behind it: the next batch that is written takes the first lost number.
    let Some(next) = gap.next else { return Ok(None) };
    let first = gap.first.unwrap_or_else(|| next.saturating_sub(1));
    let filler = |segment, offset, length| Ok(Some(Filler { segment, offset, length, first, last: next.saturating_sub(1).max(first) }));
    // Zeros may not stand before a batch, so this one is needed even if no number is missing.
    if let Some(damage) = gap.damages.iter().find(|damage| damage.part == Part::Batches && damage.bytes >= BATCH_HEADER) {
        return filler(damage.segment, damage.offset, damage.bytes);
    }
    if gap.first.is_none_or(|first| first >= next) {
        return Ok(None);
    }
    for damage in &gap.damages {
        match damage.part {
            Part::File => return filler(damage.segment, SEGMENT_HEADER, BATCH_HEADER),
            Part::Rest => return filler(damage.segment, damage.offset, BATCH_HEADER),
            _ => {}
        }
    }
    // Only numbers are missing: the end of the segment before was read as zeros, or not at all.
    let jump = gap.damages.first().filter(|damage| damage.offset <= SEGMENT_HEADER);
    match jump.and_then(|damage| survey.segments.iter().rev().find(|segment| segment.number < damage.segment)) {
        Some(segment) => filler(segment.number, segment.used, BATCH_HEADER),
        None => Err(JournalError::Unrepairable {
            path: folder.path(""),
            why: "numbers of batches are missing where no batch can have been".to_owned(),
        }),
    }
}

/// Takes away what is damaged.
fn clear(folder: &dyn Folder, identity: Identity, damage: &Damage) -> Result<(), JournalError> {
    match damage.part {
        Part::File => create_segment(folder, identity, STAND_IN).map(drop).map_err(|source| JournalError::Io {
            action: "make",
            path: damage.file.clone(),
            source,
        }),
        Part::Header => change(folder, identity.segment, |file| {
            file.allocate(SEGMENT_HEADER)?;
            file.write_at(&segment_header(identity), 0)
        }),
        Part::Batches | Part::Rest => change(folder, identity.segment, |file| {
            let end = (damage.offset + damage.bytes).next_multiple_of(ALIGNMENT).min(file.length()?);
            let zeros = vec![0; narrow(end.saturating_sub(damage.offset))];
            file.write_at(&zeros, damage.offset)
        }),
    }
}

fn change(folder: &dyn Folder, segment: u64, change: impl FnOnce(&dyn File) -> io::Result<()>) -> Result<(), JournalError> {
    let name = segment_name(segment);
    let changed = folder.open(&name).and_then(|file| change(file.as_ref()).and_then(|()| file.sync()));
    changed.map_err(|source| JournalError::Io { action: "repair", path: folder.path(&name), source })
}

/// A copy of the segment as it is, under a name that is not taken.
fn copy(folder: &dyn Folder, segment: u64) -> Result<PathBuf, JournalError> {
    let name = segment_name(segment);
    let failed = |source| JournalError::Io { action: "copy", path: folder.path(&name), source };
    let taken = folder.names().map_err(failed)?;
    let first = format!("{name}.damaged");
    let mut aside = first.clone();
    let mut count = 1;
    while taken.contains(&aside) {
        count += 1;
        aside = format!("{first}-{count}");
    }
    let copied = folder.open(&name).and_then(|from| {
        let mut bytes = vec![0; narrow(from.length()?)];
        from.read_at(&mut bytes, 0)?;
        let to = folder.create(&aside)?;
        to.allocate(wide(bytes.len()))?;
        to.write_at(&bytes, 0)?;
        to.sync()?;
        folder.sync()
    });
    copied.map_err(failed)?;
    Ok(folder.path(&aside))
}
