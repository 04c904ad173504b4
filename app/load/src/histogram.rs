//! Latencies in buckets that are at most 0.8 % wide: constant memory, and adding costs a few instructions.

use crate::number::{float, index, wide};

/// Buckets per power of two, as a power of two.
const BITS: u32 = 7;
const PER_OCTAVE: u64 = 1 << BITS;
const BUCKETS: usize = 64 << BITS;

/// Counts of durations in nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    maximum: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, maximum: 0 }
    }
}

impl Histogram {
    /// Counts one duration, in nanoseconds.
    pub fn add(&mut self, nanoseconds: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(nanoseconds)) {
            *bucket += 1;
        }
        self.count += 1;
        self.maximum = self.maximum.max(nanoseconds);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, in nanoseconds; 0 when nothing was counted.
    #[must_use]
    pub fn maximum(&self) -> u64 {
        self.maximum
    }

    /// The duration in nanoseconds that so large a part (0 to 1) did not exceed, at most 0.8 % too high; 0 when nothing was counted.
    #[must_use]
    pub fn quantile(&self, part: f64) -> u64 {
        let mut left = float(self.count) * part.clamp(0.0, 1.0);
        for (at, count) in self.buckets.iter().enumerate() {
            left -= float(*count);
            if *count > 0 && left <= 0.0 {
                return upper_edge(wide(at)).min(self.maximum);
            }
        }
        self.maximum
    }

    /// Counts by powers of two: (nanoseconds from, nanoseconds below, count), from the first that is not empty to the last.
    #[must_use]
    pub fn octaves(&self) -> Vec<(u64, u64, u64)> {
        let mut octaves: Vec<(u64, u64, u64)> = Vec::new();
        for (at, count) in self.buckets.iter().enumerate() {
            let edge = upper_edge(wide(at));
            let from = 1_u64 << (63 - edge.max(1).leading_zeros());
            match octaves.last_mut() {
                Some((known, _, sum)) if *known == from => *sum += count,
                _ => octaves.push((from, from.saturating_mul(2), *count)),
            }
        }
        let first = octaves.iter().position(|(.., count)| *count > 0).unwrap_or(octaves.len());
        let last = octaves.iter().rposition(|(.., count)| *count > 0).map_or(0, |last| last + 1);
        octaves.get(first..last).unwrap_or_default().to_vec()
    }
}

/// Below 2^7 each number has its own bucket; above, each power of two has 2^7 of them.
fn bucket_of(number: u64) -> usize {
    let octave = 63_u32.saturating_sub(number.leading_zeros()).saturating_sub(BITS);
    index((u64::from(octave) << BITS) + (number >> octave))
}

/// The highest number in a bucket.
fn upper_edge(bucket: u64) -> u64 {
    let octave = (bucket >> BITS).saturating_sub(1);
    let within = bucket - (octave << BITS);
    // The last bucket ends with the last number.
    u32::try_from(octave).ok().and_then(|octave| (within + 1).checked_mul(1_u64.checked_shl(octave)?)).map_or(u64::MAX, |end| end - 1)
}

const _: () = assert!(PER_OCTAVE.is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_lies_in_a_bucket_that_is_narrow_enough() {
        let mut numbers: Vec<u64> = (0..2000).collect();
        numbers.extend((11..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + (1 << (bit - 3))]));
        numbers.push(u64::MAX);
        let mut before = (0, 0);
        for number in numbers {
            let bucket = bucket_of(number);
            assert!(bucket < BUCKETS);
            let edge = upper_edge(wide(bucket));
            assert!(edge >= number && edge - number <= number / 128, "{number}: {edge}");
            assert!(number < before.0 || bucket >= before.1, "{number}");
            before = (number, bucket);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_numbers() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.5), histogram.maximum(), histogram.octaves().len()), (0, 0, 0));
        for number in 1..=100_000 {
            histogram.add(number);
        }
        for (part, exact) in [(0.5, 50_000), (0.99, 99_000), (0.999, 99_900), (1.0, 100_000)] {
            let found = histogram.quantile(part);
            assert!(found >= exact && found <= exact + exact / 100, "{part}: {found}");
        }
        assert_eq!((histogram.count(), histogram.maximum()), (100_000, 100_000));
    }

    #[test]
    fn octaves_have_no_gaps_and_count_everything() {
        let mut histogram = Histogram::default();
        for number in [1000, 1023, 1024, 5000, 5000] {
            histogram.add(number);
        }
        assert_eq!(histogram.octaves(), [(512, 1024, 2), (1024, 2048, 1), (2048, 4096, 0), (4096, 8192, 2)]);
    }
}
