//! Which of several values: `[0]` the first, `[-1]` the last, in the order of the certificate.

/// A place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Index {
    from_end: bool,
    skip: usize,
}

impl Index {
    /// The largest number that may be written, far beyond what any certificate holds.
    const MAXIMUM: usize = 9999;

    /// Reads what stands between the brackets.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (from_end, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit()) && digits.len() <= 4;
        let number = is_number.then(|| digits.parse::<usize>().ok()).flatten().filter(|number| *number <= Self::MAXIMUM)?;
        // There is no `[-0]`.
        let skip = if from_end { number.checked_sub(1)? } else { number };
        Some(Self { from_end, skip })
    }

    /// The element at the place; without one, the first.
    pub(crate) fn pick<T>(index: Option<Self>, mut list: impl DoubleEndedIterator<Item = T>) -> Option<T> {
        match index {
            None => list.next(),
            Some(Self { from_end: false, skip }) => list.nth(skip),
            Some(Self { from_end: true, skip }) => list.nth_back(skip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_either_end() {
        let pick = |text: &str| Index::pick(Some(Index::parse(text).unwrap()), ["a", "b", "c"].into_iter());
        assert_eq!(
            [pick("0"), pick("2"), pick("3"), pick("-1"), pick("-3"), pick("-4")],
            [Some("a"), Some("c"), None, Some("c"), Some("a"), None]
        );
        assert_eq!(Index::pick(None, [1, 2].into_iter()), Some(1));
        for text in ["", "-", "-0", "+1", "1x", "10000", "99999999999999999999", "é"] {
            assert_eq!(Index::parse(text), None, "{text}");
        }
    }
}
