//! How many bytes of each segment are needed.

use std::collections::VecDeque;

use super::Location;

#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The segment that the first number is about.
    first: u32,
    live: VecDeque<u64>,
    total: u64,
}

impl Segments {
    fn slot(&mut self, segment: u32) -> Option<&mut u64> {
        if self.live.is_empty() {
            self.first = segment;
        }
        let index = usize::try_from(segment.checked_sub(self.first)?).ok()?;
        if self.live.len() <= index {
            self.live.resize(index + 1, 0);
        }
        self.live.get_mut(index)
    }

    pub(super) fn add(&mut self, location: Location) {
        if let Some(live) = self.slot(location.segment) {
            *live += u64::from(location.length);
            self.total += u64::from(location.length);
        }
    }

    pub(super) fn subtract(&mut self, location: Location) {
        if let Some(live) = self.slot(location.segment) {
            *live = live.saturating_sub(location.length.into());
            self.total = self.total.saturating_sub(location.length.into());
        }
    }

    pub(super) fn of(&self, segment: u32) -> u64 {
        let index = segment.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.live.get(index)).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether there was anything to forget.
    pub(super) fn forget_before(&mut self, segment: u32) -> bool {
        let first = self.first;
        while self.first < segment && self.live.pop_front().is_some() {
            self.first += 1;
        }
        self.first > first
    }
}
