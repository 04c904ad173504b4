//! One measured number.

use std::fmt;
use std::time::Duration;

/// What was measured, how much, of what.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Of what.
    pub what: String,
    /// How much.
    pub value: f64,
    /// In what.
    pub unit: &'static str,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit }
    }

    /// A plain number.
    pub(crate) fn count(what: impl Into<String>, value: usize) -> Self {
        Self::new(what, f64::from(u32::try_from(value).unwrap_or(u32::MAX)), "")
    }

    /// In microseconds.
    pub(crate) fn micros(what: impl Into<String>, time: Duration) -> Self {
        Self::new(what, time.as_secs_f64() * 1e6, "µs")
    }

    /// In milliseconds.
    pub(crate) fn millis(what: impl Into<String>, time: Duration) -> Self {
        Self::new(what, time.as_secs_f64() * 1e3, "ms")
    }

    /// How many times `base` `time` is.
    pub(crate) fn ratio(what: impl Into<String>, time: Duration, base: Duration) -> Self {
        Self::new(what, time.as_secs_f64() / base.as_secs_f64().max(1e-9), "×")
    }
}

/// A row of a table.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.unit {
            "" => 0,
            "×" => 3,
            _ => 1,
        };
        write!(f, "| {} | {:.digits$} {} |", self.what, self.value, self.unit)
    }
}
