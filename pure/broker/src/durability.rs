//! Which messages outlive the process, and whether their publishers wait for that.

/// What an acknowledgement of a message with QoS 1 or 2 says about the disk, and whether a retained message survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// It is on disk: power may fail.
    #[default]
    Always,
    /// It will be on disk after the flush interval: what was accepted within it may be lost with the power.
    Interval,
    /// It is in memory: a restart loses it.
    Off,
}

/// Which [`Durability`] a topic has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DurabilityRules {
    /// Where no prefix says otherwise.
    default: Durability,
    /// By topic prefix, the longest first.
    by_prefix: Vec<(String, Durability)>,
}

impl DurabilityRules {
    /// A prefix covers the topic of that name and every topic below it: `a/b` covers `a/b` and `a/b/c`, not `a/bc`. The longest one
    /// decides.
    #[must_use]
    pub fn new(default: Durability, by_prefix: impl IntoIterator<Item = (String, Durability)>) -> Self {
        let mut by_prefix: Vec<(String, Durability)> = by_prefix.into_iter().collect();
        by_prefix.sort_by(|one, other| other.0.len().cmp(&one.0.len()).then_with(|| one.0.cmp(&other.0)));
        Self { default, by_prefix }
    }

    /// The same prefixes with another default: a listener's own.
    #[must_use]
    pub fn with_default(&self, default: Durability) -> Self {
        Self { default, by_prefix: self.by_prefix.clone() }
    }

    /// What holds for a topic.
    #[must_use]
    pub fn of(&self, topic: &str) -> Durability {
        let covers = |prefix: &str| topic.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.by_prefix.iter().find(|(prefix, _)| covers(prefix)).map_or(self.default, |(_, durability)| *durability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_of_whole_levels_decides() {
        let rules = DurabilityRules::new(
            Durability::Always,
            [("a".to_owned(), Durability::Off), ("a/b".to_owned(), Durability::Interval), ("$SYS".to_owned(), Durability::Off)],
        );
        let cases = [
            ("a", Durability::Off),
            ("a/b", Durability::Interval),
            ("a/b/c", Durability::Interval),
            ("a/bc", Durability::Off),
            ("ab", Durability::Always),
            ("$SYS/x", Durability::Off),
        ];
        for (topic, expected) in cases {
            assert_eq!(rules.of(topic), expected, "`{topic}`");
        }
        assert_eq!(rules.with_default(Durability::Off).of("ab"), Durability::Off);
        assert_eq!(rules.with_default(Durability::Off).of("a/b"), Durability::Interval);
    }
}
