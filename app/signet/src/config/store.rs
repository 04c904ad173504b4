//! `[store]`: whether and how what was acknowledged is kept on disk.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_broker::{Durability, DurabilityRules};
use signet_server::StoreConfig;

use super::problem::Problems;
use super::section::{At, Section};

/// The section as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    /// Otherwise everything is kept in memory, as long as the process lives.
    pub(crate) enabled: bool,
    /// For messages of which neither a topic nor a listener says anything else.
    pub(crate) durability: Durability,
    /// The first levels of topics, each once.
    pub(crate) topics: Vec<(String, Durability)>,
    /// How long what nobody waits for may stay in memory.
    pub(crate) flush_interval: Duration,
    /// Octets of one journal file.
    pub(crate) segment_size: u64,
    /// Octets of all of them; `None`: as much as the disk has.
    pub(crate) maximum_size: Option<u64>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            enabled: true,
            durability: Durability::Always,
            topics: Vec::new(),
            flush_interval: Duration::from_secs(1),
            segment_size: 16 * MIB,
            maximum_size: None,
        }
    }
}

/// The words of every key that says how durable something is.
pub(crate) const DURABILITY: [(&str, Durability); 3] =
    [("always", Durability::Always), ("interval", Durability::Interval), ("off", Durability::Off)];

const MIB: u64 = 1 << 20;

/// Segments that there must be room for: what compaction leaves at the least, and one to write the living part into.
const SEGMENTS_MIN: u64 = 8;

impl Store {
    /// Reads the section; keys left out keep their defaults.
    pub(crate) fn read(section: Section<'_>, problems: &Problems) -> Self {
        let default = Self::default();
        let topics = [("topics_always", Durability::Always), ("topics_interval", Durability::Interval), ("topics_off", Durability::Off)];
        let topics = topics.map(|(key, durability)| (section.strings(key).map_or_else(Vec::new, |list| list.value), durability));
        let segment_size = section.size("segment_size", MIB, 1024 * MIB).map_or(default.segment_size, |at| at.value);
        let maximum_size = section.size("maximum_size", 0, 1 << 50).filter(|at| at.value > 0);
        if let Some(at) = maximum_size.as_ref().filter(|at| at.value < segment_size.saturating_mul(SEGMENTS_MIN)) {
            let hint = format!("allow {SEGMENTS_MIN} times `segment_size` at least, so that there is room to clean up; 0 is no limit");
            problems.at(&at.span, "`maximum_size` is too small for segments of this size", Some(hint));
        }
        let store = Self {
            enabled: section.boolean("enabled").map_or(default.enabled, |at| at.value),
            durability: section.choice("durability", &DURABILITY).map_or(default.durability, |at| at.value),
            topics: prefixes(topics, problems),
            flush_interval: section
                .duration("flush_interval", Duration::from_millis(10), Duration::from_secs(60))
                .map_or(default.flush_interval, |at| at.value),
            segment_size,
            maximum_size: maximum_size.map(|at| at.value),
        };
        section.finish();
        store
    }

    /// Which topics are how durable, where no listener says otherwise.
    pub(crate) fn durability(&self) -> DurabilityRules {
        DurabilityRules::new(self.durability, self.topics.iter().cloned())
    }

    /// The same for `signet-store`: where it is and how large.
    pub(crate) fn place(&self, data_dir: &Path) -> StoreConfig {
        StoreConfig {
            segment_bytes: self.segment_size,
            flush_interval: self.flush_interval,
            maximum_bytes: self.maximum_size,
            ..StoreConfig::new(directory(data_dir))
        }
    }
}

/// Where the journal of a data directory is.
pub(crate) fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// The prefixes of the three lists. None may be in two of them, nor be a Topic Filter: it would match nothing. A prefix covers whole levels,
/// so one that ends in a slash means the same without it.
fn prefixes(lists: [(Vec<At<String>>, Durability); 3], problems: &Problems) -> Vec<(String, Durability)> {
    let mut seen = HashSet::new();
    let mut prefixes = Vec::new();
    for (list, durability) in lists {
        for written in list {
            let prefix = written.value.strip_suffix('/').unwrap_or(&written.value).to_owned();
            if prefix.is_empty() || prefix.contains(['+', '#']) {
                let hint = "write the first levels of the topics, such as \"telemetry\"; for all topics set `durability`";
                problems.at(&written.span, format!("`{}` is not the beginning of topics", written.value), Some(hint.to_owned()));
            } else if !seen.insert(prefix.clone()) {
                problems.at(&written.span, format!("`{prefix}` is listed twice"), Some("list it once".to_owned()));
            } else {
                prefixes.push((prefix, durability));
            }
        }
    }
    prefixes
}
