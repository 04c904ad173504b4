//! A look at every file of a journal, in order and without changing anything: opening, checking and repairing all begin with it.

use std::path::PathBuf;

use crate::error::JournalError;
use crate::folder::Folder;
use crate::format::{Identity, SEGMENT_HEADER, SEGMENT_HEADER_LENGTH, narrow, read_segment_header, segment_name, segment_number, wide};
use crate::journal::Place;
use crate::report::{Cut, Damage, Part, SegmentReport};
use crate::walk::{Found, Step, Walk};

/// Who is shown the payload of every batch, the oldest first.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(Place, &[u8]) -> Result<(), String>;

/// Of a hole in the numbers of segments, no more files than these are told one by one.
pub(crate) const MISSING_MAXIMUM: usize = 1000;

/// One segment of the survey.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) number: u64,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// Up to the end of the last whole batch.
    pub(crate) used: u64,
    /// Whether there is anything but zeros behind its header.
    pub(crate) has_content: bool,
    pub(crate) batches: u64,
}

/// Damages without a whole batch between them.
#[derive(Debug)]
pub(crate) struct Gap {
    pub(crate) damages: Vec<Damage>,
    /// The number that the first lost batch has; nothing if there is no whole batch before.
    pub(crate) first: Option<u64>,
    /// The number of the next whole batch; nothing if there is none.
    pub(crate) next: Option<u64>,
}

/// What a survey found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The id in the headers; nothing if no header is readable.
    pub(crate) journal: Option<u64>,
    pub(crate) segments: Vec<Surveyed>,
    pub(crate) gaps: Vec<Gap>,
    /// The torn end: its segment, and the cut.
    pub(crate) torn: Option<(u64, Cut)>,
    /// Of the last whole batch before the first gap; zero if there is none.
    pub(crate) last_number: u64,
    /// The oldest segment that was needed when the last whole batch was written.
    pub(crate) oldest: u64,
}

impl Survey {
    /// Reads everything. `visit` sees the batches up to the first gap.
    pub(crate) fn take(folder: &dyn Folder, visit: Visit<'_>) -> Result<Self, JournalError> {
        let numbers = numbers(folder)?;
        let survey = Self { journal: journal_of(folder, &numbers)?, ..Self::default() };
        let mut course = Course { folder, visit, survey, expected: None, first_number: None, synced_behind: 0, oldest: 0, is_open: false };
        let mut buffer = Vec::new();
        let mut previous = None;
        for number in numbers {
            if let Some(previous) = previous {
                course.missing(previous + 1, number);
            }
            if number == 1 {
                course.expected = Some(1);
            }
            let file = segment_name(number);
            read_all(folder, &file, &mut buffer)?;
            course.segment(number, &buffer)?;
            previous = Some(number);
        }
        Ok(course.conclude())
    }

    /// The first damage.
    pub(crate) fn damage(&self) -> Option<&Damage> {
        self.gaps.first().and_then(|gap| gap.damages.first())
    }

    pub(crate) fn reports(&self, folder: &dyn Folder) -> Vec<SegmentReport> {
        let report = |segment: &Surveyed| SegmentReport {
            file: folder.path(&segment_name(segment.number)),
            bytes: segment.bytes,
            bytes_used: segment.used.min(segment.bytes),
            batches: segment.batches,
        };
        self.segments.iter().map(report).collect()
    }
}

/// Where a survey stands.
struct Course<'a> {
    folder: &'a dyn Folder,
    visit: Visit<'a>,
    survey: Survey,
    /// The number that the next batch must have.
    expected: Option<u64>,
    /// The number of the first whole batch.
    first_number: Option<u64>,
    /// The largest `synced_through` of the batches behind the first gap.
    synced_behind: u64,
    /// The largest `oldest` of all batches.
    oldest: u64,
    /// Whether no whole batch came since the last damage.
    is_open: bool,
}

impl Course<'_> {
    fn path(&self, number: u64) -> PathBuf {
        self.folder.path(&segment_name(number))
    }

    fn missing(&mut self, from: u64, to: u64) {
        for number in (from..to).take(MISSING_MAXIMUM) {
            self.damage(number, 0, 0, "the file is missing", Part::File);
        }
    }

    fn damage(&mut self, segment: u64, offset: u64, bytes: u64, what: &'static str, part: Part) {
        let damage = Damage { file: self.path(segment), offset, bytes, what, segment, part };
        match self.survey.gaps.last_mut() {
            Some(gap) if self.is_open => gap.damages.push(damage),
            _ => self.survey.gaps.push(Gap { damages: vec![damage], first: self.expected, next: None }),
        }
        self.is_open = true;
        self.expected = None;
    }

    fn segment(&mut self, number: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let identity = Identity { journal: self.survey.journal.unwrap_or(0), segment: number };
        let flaw = match read_segment_header(bytes) {
            Ok(found) if found.journal != identity.journal => Some("the segment belongs to another journal"),
            Ok(found) if found.segment != number => Some("the segment's header has another number than its name"),
            Ok(_) => None,
            Err(flaw) => Some(flaw),
        };
        if let Some(what) = flaw {
            let expected = self.expected;
            self.damage(number, 0, SEGMENT_HEADER, what, Part::Header);
            // The batches behind it may all be there.
            self.expected = expected;
        }
        let walk = Walk { identity, bytes, base: 0 };
        let mut surveyed = Surveyed { number, bytes: wide(bytes.len()), used: SEGMENT_HEADER, has_content: false, batches: 0 };
        let mut offset = SEGMENT_HEADER;
        loop {
            match walk.step(offset, self.expected) {
                Step::End => break,
                Step::Batch(found) => {
                    surveyed.used = found.end;
                    surveyed.batches += u64::from(!found.header.is_filler);
                    self.batch(number, &found)?;
                    offset = found.end;
                }
                Step::Bad(what) => {
                    // What has too low a number is left over from somewhere and nothing to go on with.
                    let next = walk.find(offset).filter(|next| self.expected.is_none_or(|expected| next.header.number > expected));
                    let end = next.as_ref().map_or_else(|| walk.end_of_content(offset), |next| next.offset);
                    let part = if next.is_some() { Part::Batches } else { Part::Rest };
                    self.damage(number, offset, end - offset, what, part);
                    surveyed.has_content = true;
                    let Some(next) = next else { break };
                    offset = next.offset;
                }
            }
        }
        surveyed.has_content |= surveyed.used > SEGMENT_HEADER;
        self.survey.segments.push(surveyed);
        Ok(())
    }

    fn batch(&mut self, segment: u64, found: &Found<'_>) -> Result<(), JournalError> {
        let header = &found.header;
        self.expected = Some(found.last_number() + 1);
        self.first_number.get_or_insert(header.number);
        self.oldest = self.oldest.max(header.oldest);
        if let Some(gap) = self.survey.gaps.last_mut() {
            if self.is_open {
                gap.next = Some(header.number);
            }
            self.is_open = false;
            // A filler knows nothing of what was synced.
            if !header.is_filler {
                self.synced_behind = self.synced_behind.max(header.synced_through);
            }
            return Ok(());
        }
        self.survey.last_number = found.last_number();
        self.survey.oldest = self.survey.oldest.max(header.oldest);
        if header.is_filler {
            return Ok(());
        }
        let place = Place { segment, offset: found.payload_offset() };
        (self.visit)(place, found.payload).map_err(|message| JournalError::Content {
            file: self.path(segment),
            offset: found.offset,
            message,
        })
    }

    fn conclude(mut self) -> Survey {
        self.find_torn();
        // What a torn end says about other segments does not count: it may have been said too early.
        let oldest = if self.survey.torn.is_some() { self.survey.oldest } else { self.oldest };
        if let Some(present) = self.survey.segments.first().map(|segment| segment.number)
            && oldest < present
            && oldest > 0
        {
            let damage = |number| Damage {
                file: self.path(number),
                offset: 0,
                bytes: 0,
                what: "the file is missing",
                segment: number,
                part: Part::File,
            };
            let mut damages: Vec<Damage> = (oldest..present).take(MISSING_MAXIMUM).map(damage).collect();
            // Numbers begin with one in the first segment; of any other it is not known with which.
            let first = (oldest == 1).then_some(1);
            match self.survey.gaps.first_mut() {
                // No whole batch stands before that one either.
                Some(gap) if gap.next == self.first_number => {
                    damages.append(&mut gap.damages);
                    *gap = Gap { damages, first, next: gap.next };
                }
                _ => self.survey.gaps.insert(0, Gap { damages, first, next: self.first_number }),
            }
        }
        self.survey
    }

    /// Unsynced batches that did not reach the disk whole are no damage: nothing that was promised depends on them. That is so if everything
    /// bad is in the last segment that has content, and no batch behind the first bad one was written after a sync of that one.
    fn find_torn(&mut self) {
        let Some(gap) = self.survey.gaps.first() else { return };
        let (Some(damage), Some(first)) = (gap.damages.first(), gap.first) else { return };
        let last = self.survey.segments.iter().rev().find(|segment| segment.has_content).map(|segment| segment.number);
        let batches = |damage: &Damage| matches!(damage.part, Part::Batches | Part::Rest) && Some(damage.segment) == last;
        if self.survey.gaps.iter().all(|gap| gap.damages.iter().all(batches)) && self.synced_behind < first {
            let end = self.survey.gaps.iter().flat_map(|gap| &gap.damages).map(|damage| damage.offset + damage.bytes).max();
            let used = self.survey.segments.iter().find(|segment| segment.number == damage.segment).map_or(0, |segment| segment.used);
            let bytes = end.unwrap_or(damage.offset).max(used) - damage.offset;
            let cut = Cut { file: damage.file.clone(), offset: damage.offset, bytes };
            self.survey.torn = Some((damage.segment, cut));
            self.survey.gaps.clear();
        }
    }
}

/// The numbers of the segments there are, rising.
fn numbers(folder: &dyn Folder) -> Result<Vec<u64>, JournalError> {
    let names = folder.names().map_err(|source| JournalError::Io { action: "list the files of", path: folder.path(""), source })?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The id in the first header that is readable.
fn journal_of(folder: &dyn Folder, numbers: &[u64]) -> Result<Option<u64>, JournalError> {
    let mut buffer = Vec::new();
    for number in numbers {
        let name = segment_name(*number);
        let failed = |source| JournalError::Io { action: "read", path: folder.path(&name), source };
        let file = folder.open(&name).map_err(failed)?;
        buffer.clear();
        buffer.resize(narrow(file.length().map_err(failed)?).min(SEGMENT_HEADER_LENGTH), 0);
        file.read_at(&mut buffer, 0).map_err(failed)?;
        if let Ok(identity) = read_segment_header(&buffer) {
            return Ok(Some(identity.journal));
        }
    }
    Ok(None)
}

fn read_all(folder: &dyn Folder, name: &str, buffer: &mut Vec<u8>) -> Result<(), JournalError> {
    let failed = |source| JournalError::Io { action: "read", path: folder.path(name), source };
    let file = folder.open(name).map_err(failed)?;
    buffer.clear();
    buffer.resize(narrow(file.length().map_err(failed)?), 0);
    file.read_at(buffer, 0).map_err(failed)
}
