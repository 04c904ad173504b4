//! The name that was meant, for one that nobody has.

use std::collections::BTreeSet;

use super::{Desk, PAGE};

/// Certificates looked through for a likely name.
const EXAMINED_MAXIMUM: u64 = 100_000;

/// The nearest of `names`, if it is near enough to be a slip of the pen.
pub(super) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let allowed = (wanted.chars().count() / 3).clamp(1, 4);
    let distances = names.into_iter().map(|name| (strsim::damerau_levenshtein(wanted, name), name));
    distances.filter(|(distance, _)| (1..=allowed).contains(distance)).min().map(|(_, name)| name.to_owned())
}

impl Desk {
    /// The nearest name in the inventory. A ledger that cannot be read has no suggestion.
    pub(super) fn nearest_name(&self, wanted: &str) -> Option<String> {
        let mut names = BTreeSet::new();
        let mut after = 0;
        while after < EXAMINED_MAXIMUM {
            let records = self.ledger.list(after, PAGE).ok()?;
            let Some(last) = records.last() else { break };
            after = last.sequence;
            names.extend(records.into_iter().map(|record| record.intent.name));
        }
        nearest(wanted, names.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_found_and_a_stranger_is_not() {
        assert_eq!(nearest("pmup-7", ["pump-7", "pump-77", "valve"]), Some("pump-7".to_owned()));
        assert_eq!(nearest("pump-7", ["pump-7"]), None, "that is the name itself");
        assert_eq!(nearest("boiler", ["pump-7", "valve"]), None);
    }
}
