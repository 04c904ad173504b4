//! Connections that failed, by reason: a thousand refusals are one line.

/// Different reasons that are told.
const REASONS: usize = 5;

/// How many failed, and the first reasons.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures {
    count: u64,
    reasons: Vec<(String, u64)>,
}

impl Failures {
    pub(crate) fn add(&mut self, reason: String) {
        self.count += 1;
        if let Some((_, times)) = self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            *times += 1;
        } else if self.reasons.len() < REASONS {
            self.reasons.push((reason, 1));
        }
    }

    /// All of them, also those whose reason is not told.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One line for each reason; `what` failed.
    pub(crate) fn lines(&self, what: &str) -> Vec<String> {
        let line = |(reason, times): &(String, u64)| format!("{times} of the {what} failed: {reason}");
        self.reasons.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_only_the_first_are_told() {
        let mut failures = Failures::default();
        assert!(failures.is_empty());
        for reason in ["a", "b", "a", "c", "d", "e", "f", "f"] {
            failures.add(reason.to_owned());
        }
        assert_eq!(failures.count(), 8);
        let lines = failures.lines("connections");
        assert_eq!(lines.len(), REASONS);
        assert_eq!(lines[0], "2 of the connections failed: a");
    }
}
