//! The keys that every `[[authenticator]]` and `[[access_source]]` has.

use std::ops::Range;
use std::time::Duration;

use signet_auth::BackendConfig;

use super::super::problem::Problems;
use super::super::section::{At, Section};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// As they are written.
pub(super) struct Common {
    pub(super) place: Range<usize>,
    name: Option<At<String>>,
    timeout: Option<At<Duration>>,
    concurrent_maximum: Option<At<u64>>,
    waiting_maximum: Option<At<u64>>,
    cache_ttl: Option<At<Duration>>,
    cache_maximum: Option<At<u64>>,
    breaker_failures: Option<At<u64>>,
    breaker_pause: Option<At<Duration>>,
}

impl Common {
    pub(super) fn read(section: &Section<'_>, table: &str, problems: &Problems) -> Self {
        let name = section.string("name");
        if let Some(at) = name.as_ref().filter(|at| at.value.is_empty()) {
            problems.at(&at.span, format!("{table} with an empty `name`"), Some("write a name, or leave the key out".to_owned()));
        }
        Self {
            place: name.as_ref().map_or_else(|| section.span.clone(), |at| at.span.clone()),
            name,
            timeout: section.duration("timeout", Duration::from_millis(10), HOUR / 12),
            concurrent_maximum: section.number("connections", 1, 1_000),
            waiting_maximum: section.number("waiting_maximum", 1, 10_000_000),
            cache_ttl: section.duration("cache", Duration::ZERO, HOUR * 24),
            cache_maximum: section.number("cache_maximum", 0, 10_000_000),
            breaker_failures: section.number("breaker_failures", 0, 1_000_000),
            breaker_pause: section.duration("breaker_pause", SECOND / 10, HOUR),
        }
    }

    /// The name, or that of its type.
    pub(super) fn name(&self, kind: &str) -> String {
        self.name.as_ref().map_or_else(|| kind.to_owned(), |at| at.value.clone())
    }

    pub(super) fn backend(&self, name: &str, kind: &'static str) -> BackendConfig {
        let default = BackendConfig::new(name, kind);
        let count =
            |at: &Option<At<u64>>, default: usize| at.as_ref().map_or(default, |at| usize::try_from(at.value).unwrap_or(usize::MAX));
        let time = |at: &Option<At<Duration>>, default: Duration| at.as_ref().map_or(default, |at| at.value);
        BackendConfig {
            timeout: time(&self.timeout, default.timeout),
            concurrent_maximum: count(&self.concurrent_maximum, default.concurrent_maximum),
            waiting_maximum: count(&self.waiting_maximum, default.waiting_maximum),
            cache_ttl: time(&self.cache_ttl, default.cache_ttl),
            cache_maximum: self.cache_maximum.as_ref().map_or(default.cache_maximum, |at| at.value),
            breaker_failures: self
                .breaker_failures
                .as_ref()
                .map_or(default.breaker_failures, |at| u32::try_from(at.value).unwrap_or(u32::MAX)),
            breaker_pause: time(&self.breaker_pause, default.breaker_pause),
            ..default
        }
    }
}
