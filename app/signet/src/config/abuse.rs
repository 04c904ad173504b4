//! The keys of `[limits]` about who tries too often: `attempts_…`, `hold_off…`, `identity_connect_rate` and `flapping_…`. Defaults live with the
//! bounds themselves.

use std::time::Duration;

use signet_net::{ParseSourceError, Source};
use signet_server::AbuseLimits;

use super::section::Section;

/// Events in a window: more than this is no bound.
const EVENTS_MAX: u64 = 1_000_000;

/// Sets a number.
type SetNumber = fn(&mut AbuseLimits, u32);

/// Sets a time.
type SetTime = fn(&mut AbuseLimits, Duration);

const NUMBERS: [(&str, SetNumber); 3] = [
    ("attempts_maximum", |limits, value| limits.attempts_maximum = value),
    ("identity_connect_rate", |limits, value| limits.identity_connect_rate = value),
    ("flapping_maximum", |limits, value| limits.flapping_maximum = value),
];

const TIMES: [(&str, SetTime); 5] = [
    ("attempts_window", |limits, value| limits.attempts_window = value),
    ("hold_off", |limits, value| limits.hold_off = value),
    ("hold_off_maximum", |limits, value| limits.hold_off_maximum = value),
    ("flapping_window", |limits, value| limits.flapping_window = value),
    ("flapping_hold_off", |limits, value| limits.flapping_hold_off = value),
];

const EXEMPT: &str = "attempts_exempt";

const SHORTEST: Duration = Duration::from_secs(1);

const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Reads the keys; what is left out keeps its value.
pub(super) fn read(section: &Section<'_>, limits: &mut AbuseLimits) {
    for (key, set) in NUMBERS {
        if let Some(value) = section.number(key, 0, EVENTS_MAX) {
            set(limits, u32::try_from(value.value).unwrap_or(u32::MAX));
        }
    }
    let mut shortest_maximum = None;
    for (key, set) in TIMES {
        if let Some(value) = section.duration(key, SHORTEST, LONGEST) {
            set(limits, value.value);
            if matches!(key, "hold_off" | "hold_off_maximum") {
                shortest_maximum = Some(value);
            }
        }
    }
    if let Some(at) = shortest_maximum
        && limits.hold_off > limits.hold_off_maximum
    {
        section.refuse(&at, "`hold_off` is longer than `hold_off_maximum`", "the first hold-off is the shortest: raise `hold_off_maximum`");
    }
    if let Some(sources) = section.strings(EXEMPT) {
        let hint = "write networks such as \"10.0.0.0/8\", or addresses";
        let parsed = sources.value.iter().filter_map(|text| match text.value.parse::<Source>() {
            Ok(source) => Some(source),
            Err(error) => {
                section.refuse(text, &ParseSourceError::to_string(&error), hint);
                None
            }
        });
        limits.attempts_exempt = parsed.collect();
    }
}

/// Reports the keys where they have no meaning.
pub(super) fn refuse(section: &Section<'_>) {
    const HINT: &str = "it counts over all listeners: set it in [limits]";
    for (key, _) in NUMBERS {
        if let Some(at) = section.number(key, 0, u64::MAX) {
            section.misplaced(&at, key, HINT);
        }
    }
    for (key, _) in TIMES {
        if let Some(at) = section.duration(key, Duration::ZERO, Duration::MAX) {
            section.misplaced(&at, key, HINT);
        }
    }
    if let Some(at) = section.strings(EXEMPT) {
        section.misplaced(&at, EXEMPT, HINT);
    }
}
