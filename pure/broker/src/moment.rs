//! Time as the caller gives it; the core never reads a clock.

/// A point in time: milliseconds since 1970, as the server's clock counts them. It never goes back within a process, all shards of a
/// process read the same, and what one process stored the next one can compare with its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// 1970.
    pub const ZERO: Self = Self(0);

    /// The moment so many milliseconds after 1970.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment so many milliseconds later; stops at the end of time instead of wrapping.
    #[must_use]
    pub const fn plus_millis(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// The moment so many seconds later.
    #[must_use]
    pub fn plus_seconds(self, seconds: u32) -> Self {
        self.plus_millis(u64::from(seconds).saturating_mul(1000))
    }

    /// Milliseconds from `earlier` to here, zero if it is not earlier.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
