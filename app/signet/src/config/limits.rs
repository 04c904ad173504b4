//! `[limits]`: every bound of what one client may use up, as a table of keys. Defaults live with the bounds themselves.

use std::time::Duration;

use signet_mqtt::{DecodeLimits, QoS};
use signet_server::ServerLimits;

use super::section::Section;

/// The bounds of the broker and of its decoder, set together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    pub(crate) broker: signet_broker::Limits,
    pub(crate) decode: DecodeLimits,
    pub(crate) server: ServerLimits,
}

/// One numeric key: its range and what it sets.
struct Setting {
    key: &'static str,
    least: u64,
    most: u64,
    set: fn(&mut Limits, u64),
}

const GIB: u64 = 1 << 30;

/// A packet cannot be longer than what its Remaining Length can say, plus five octets of fixed header (§2.1.4).
const PACKET_BYTES_MAX: u64 = 268_435_460;

const SETTINGS: &[Setting] = &[
    Setting {
        key: "maximum_packet_size",
        least: 128,
        most: PACKET_BYTES_MAX,
        set: |limits, value| {
            limits.broker.maximum_packet_size = narrow_u32(value);
            limits.decode.maximum_packet_size = narrow_u32(value);
        },
    },
    Setting {
        key: "maximum_connect_size",
        least: 128,
        most: PACKET_BYTES_MAX,
        set: |limits, value| {
            limits.decode.maximum_connect_size = narrow_u32(value);
        },
    },
    Setting {
        key: "user_properties_maximum",
        least: 0,
        most: 65_535,
        set: |limits, value| {
            limits.decode.maximum_user_properties = narrow_usize(value);
        },
    },
    Setting {
        key: "filters_per_packet_maximum",
        least: 1,
        most: 65_535,
        set: |limits, value| {
            limits.decode.maximum_filters = narrow_usize(value);
        },
    },
    Setting {
        key: "topic_bytes_maximum",
        least: 1,
        most: 65_535,
        set: |limits, value| {
            limits.decode.maximum_topic_length = narrow_usize(value);
        },
    },
    Setting {
        key: "topic_levels_maximum",
        least: 1,
        most: 1024,
        set: |limits, value| {
            limits.broker.topic_levels_maximum = narrow_u16(value);
            limits.decode.maximum_topic_levels = limits.decode.maximum_topic_levels.max(narrow_usize(value));
        },
    },
    Setting { key: "receive_maximum", least: 1, most: 65_535, set: |limits, value| limits.broker.receive_maximum = narrow_u16(value) },
    Setting { key: "maximum_inflight", least: 1, most: 65_535, set: |limits, value| limits.broker.maximum_inflight = narrow_u16(value) },
    Setting {
        key: "topic_alias_maximum",
        least: 0,
        most: 65_535,
        set: |limits, value| {
            limits.broker.topic_alias_maximum = narrow_u16(value);
        },
    },
    Setting {
        key: "client_identifier_bytes_maximum",
        least: 23,
        most: 65_535,
        set: |limits, value| {
            limits.broker.client_identifier_bytes_maximum = narrow_u16(value);
        },
    },
    Setting {
        key: "sessions_maximum",
        least: 1,
        most: 100_000_000,
        set: |limits, value| {
            limits.broker.total.sessions_maximum = narrow_usize(value);
        },
    },
    Setting {
        key: "subscriptions_maximum",
        least: 1,
        most: 1_000_000,
        set: |limits, value| {
            limits.broker.subscriptions_maximum = narrow_usize(value);
        },
    },
    Setting {
        key: "queued_messages_maximum",
        least: 1,
        most: 100_000_000,
        set: |limits, value| {
            limits.broker.queued_messages_maximum = narrow_usize(value);
        },
    },
    Setting {
        key: "queued_bytes_maximum",
        least: 1024,
        most: 64 * GIB,
        set: |limits, value| {
            limits.broker.queued_bytes_maximum = narrow_usize(value);
        },
    },
    Setting {
        key: "retained_messages_maximum",
        least: 0,
        most: 1_000_000_000,
        set: |limits, value| {
            limits.broker.total.retained_messages_maximum = narrow_usize(value);
        },
    },
    Setting {
        key: "retained_bytes_maximum",
        least: 0,
        most: 1024 * GIB,
        set: |limits, value| {
            limits.broker.total.retained_bytes_maximum = narrow_usize(value);
        },
    },
];

impl Limits {
    /// Reads the section; keys left out keep their defaults.
    pub(crate) fn read(section: Section<'_>) -> Self {
        let mut limits = Self::default();
        for setting in SETTINGS {
            if let Some(value) = section.number(setting.key, setting.least, setting.most) {
                (setting.set)(&mut limits, value.value);
            }
        }
        if let Some(qos) = section.number("maximum_qos", 0, 2) {
            limits.broker.maximum_qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
                .into_iter()
                .find(|known| u64::from(u8::from(*known)) == qos.value)
                .unwrap_or(limits.broker.maximum_qos);
        }
        if let Some(longest) = section.duration("keep_alive_maximum", Duration::ZERO, Duration::from_secs(65_535)) {
            limits.broker.keep_alive_maximum = narrow_u16(longest.value.as_secs());
        }
        let forever = Duration::from_secs(u64::from(u32::MAX));
        if let Some(longest) = section.duration("session_expiry_maximum", Duration::ZERO, forever) {
            limits.broker.session_expiry_maximum = narrow_u32(longest.value.as_secs());
        }
        section.finish();
        limits
    }
}

// The ranges above keep each value inside its type; the fallbacks are never reached.

fn narrow_u16(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn narrow_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn narrow_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
