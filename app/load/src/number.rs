//! Whole numbers as the fractions that are computed and shown.

/// The nearest fraction: above 2^53 it is not exact, which no rate or mean needs.
#[expect(clippy::as_conversions, reason = "there is no lossless conversion, and none is needed")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// Every length and count here fits.
pub(crate) fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The same back; what does not fit is no index of anything.
pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// `part` of `whole`, and 0 of nothing.
pub(crate) fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// With three digits behind the point, as JSON shows it.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
