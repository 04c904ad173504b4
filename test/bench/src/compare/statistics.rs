//! What many measurements of the same say together.

/// The middle of some numbers, and how far they spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// None without numbers.
    pub(super) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), least: *sorted.first()?, most: *sorted.last()? })
    }

    /// `1.20 (1.10–1.40)`, with as many digits as its size deserves.
    pub(super) fn text(&self) -> String {
        format!("{} ({}–{})", number(self.median), number(self.least), number(self.most))
    }
}

/// Three digits that count, and never an exponent.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// Those that two brokers have of the same round, divided: `of` by `by`. Each is a pair of round and value.
pub(super) fn ratios(of: &[(u32, f64)], by: &[(u32, f64)]) -> Vec<f64> {
    let of_round = |round: u32| by.iter().find(|(other, value)| *other == round && *value > 0.0).map(|(_, value)| *value);
    of.iter().filter_map(|(round, value)| Some(value / of_round(*round)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), Some(Spread { median: 3.0, least: 1.0, most: 9.0 }));
        assert_eq!(Spread::of([5.0]), Some(Spread { median: 5.0, least: 5.0, most: 5.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn only_the_same_round_is_divided() {
        let ours = [(1, 1.0), (2, 3.0), (3, 8.0)];
        let theirs = [(3, 2.0), (1, 4.0)];
        assert_eq!(ratios(&ours, &theirs), [0.25, 4.0]);
        assert!(ratios(&ours, &[(1, 0.0)]).is_empty());
    }

    #[test]
    fn numbers_have_the_digits_that_count() {
        assert_eq!(number(1219.6), "1220");
        assert_eq!(number(16.63), "16.6");
        assert_eq!(number(1.256), "1.26");
        assert_eq!(number(0.1304), "0.130");
        assert_eq!(Spread::of([0.5, 2.0, 1.0]).unwrap().text(), "1.00 (0.500–2.00)");
    }
}
