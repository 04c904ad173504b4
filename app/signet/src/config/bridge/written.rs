//! `[[bridge]]` exactly as written: types checked, keys known, nothing interpreted.

use std::ops::Range;
use std::time::Duration;

use signet_bridge::Direction;
use signet_mqtt::{ProtocolVersion, QoS};

use super::{DAY, HOUR, SECOND};
use crate::config::file::Header;
use crate::config::section::{At, Section};

/// `[[bridge]]` as written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(super) header: Header,
    pub(super) name: Option<At<String>>,
    pub(super) remote: WrittenRemote,
    pub(super) topics: Vec<WrittenTopic>,
    pub(super) session: WrittenSession,
    pub(super) notifications: Option<At<(bool, bool)>>,
    pub(super) notification_topic: Option<At<String>>,
    pub(super) timings: WrittenTimings,
    pub(super) hops_maximum: Option<At<u64>>,
}

#[derive(Debug)]
pub(super) struct WrittenRemote {
    pub(super) addresses: Option<At<Vec<At<String>>>>,
    pub(super) round_robin: bool,
    pub(super) is_tls: Option<At<bool>>,
    pub(super) protocol: ProtocolVersion,
    pub(super) try_private: bool,
    pub(super) client_identifier: Option<At<String>>,
    pub(super) username: Option<At<String>>,
    pub(super) password_file: Option<At<String>>,
    pub(super) tls: WrittenTls,
}

#[derive(Debug)]
pub(super) struct WrittenTls {
    pub(super) trust: Option<At<Vec<At<String>>>>,
    pub(super) certificate: Option<At<String>>,
    pub(super) key: Option<At<String>>,
    pub(super) tls13_only: Option<At<bool>>,
}

#[derive(Debug)]
pub(super) struct WrittenTopic {
    pub(super) span: Range<usize>,
    pub(super) filter: Option<At<String>>,
    pub(super) direction: Option<At<Direction>>,
    pub(super) has_direction: bool,
    pub(super) qos: QoS,
    pub(super) local_prefix: String,
    pub(super) remote_prefix: String,
}

#[derive(Debug)]
pub(super) struct WrittenSession {
    pub(super) clean_start: bool,
    pub(super) expiry: Duration,
    pub(super) keep_alive: Duration,
    pub(super) inflight_maximum: u64,
    pub(super) queued_messages_maximum: Option<At<u64>>,
    pub(super) queued_bytes_maximum: Option<At<u64>>,
}

#[derive(Debug)]
pub(super) struct WrittenTimings {
    pub(super) connect_timeout: Duration,
    pub(super) minimum: Option<At<Duration>>,
    pub(super) maximum: Option<At<Duration>>,
}

impl Written {
    pub(crate) fn read(section: Section<'_>) -> Self {
        let written = Self {
            header: Header::of(&section),
            name: section.string("name"),
            remote: WrittenRemote::read(&section),
            topics: section.sections("topic").into_iter().map(WrittenTopic::read).collect(),
            session: WrittenSession::read(&section),
            notifications: section.choice(
                "notifications",
                &[("local", (true, false)), ("remote", (false, true)), ("both", (true, true)), ("none", (false, false))],
            ),
            notification_topic: section.string("notification_topic"),
            timings: WrittenTimings {
                connect_timeout: section.duration("connect_timeout", SECOND, 300 * SECOND).map_or(10 * SECOND, |at| at.value),
                minimum: section.duration("reconnect_minimum", SECOND / 10, HOUR),
                maximum: section.duration("reconnect_maximum", SECOND / 10, DAY),
            },
            hops_maximum: section.number("hops_maximum", 0, 255),
        };
        section.finish();
        written
    }
}

impl WrittenRemote {
    fn read(section: &Section<'_>) -> Self {
        Self {
            addresses: section.strings("addresses"),
            round_robin: section.boolean("round_robin").is_some_and(|at| at.value),
            is_tls: section.choice("transport", &[("tcp", false), ("tls", true)]),
            protocol: section
                .choice("protocol", &[("5.0", ProtocolVersion::V5), ("3.1.1", ProtocolVersion::V311)])
                .map_or(ProtocolVersion::V5, |at| at.value),
            try_private: section.boolean("try_private").is_none_or(|at| at.value),
            client_identifier: section.string("client_identifier"),
            username: section.string("username"),
            password_file: section.string("password_file"),
            tls: WrittenTls {
                trust: section.strings("trust"),
                certificate: section.string("certificate"),
                key: section.string("key"),
                tls13_only: section.choice("tls_min", &[("1.2", false), ("1.3", true)]),
            },
        }
    }
}

impl WrittenTls {
    pub(super) fn first_written(&self) -> Option<(&'static str, Range<usize>)> {
        let spans = [
            ("trust", self.trust.as_ref().map(|at| at.span.clone())),
            ("certificate", self.certificate.as_ref().map(|at| at.span.clone())),
            ("key", self.key.as_ref().map(|at| at.span.clone())),
            ("tls_min", self.tls13_only.as_ref().map(|at| at.span.clone())),
        ];
        spans.into_iter().filter_map(|(key, span)| Some((key, span?))).min_by_key(|(_, span)| span.start)
    }
}

impl WrittenTopic {
    fn read(section: Section<'_>) -> Self {
        let topic = Self {
            span: section.span.clone(),
            filter: section.string("filter"),
            has_direction: section.keys().iter().any(|key| key == "direction"),
            direction: section.choice("direction", &[("in", Direction::In), ("out", Direction::Out), ("both", Direction::Both)]),
            qos: match section.number("qos", 0, 2).map(|at| at.value) {
                Some(0) => QoS::AtMostOnce,
                Some(2) => QoS::ExactlyOnce,
                _ => QoS::AtLeastOnce,
            },
            local_prefix: section.string("local_prefix").map_or_else(String::new, |at| at.value),
            remote_prefix: section.string("remote_prefix").map_or_else(String::new, |at| at.value),
        };
        section.finish();
        topic
    }
}

impl WrittenSession {
    fn read(section: &Section<'_>) -> Self {
        Self {
            clean_start: section.boolean("clean_start").is_some_and(|at| at.value),
            expiry: section.duration("session_expiry", SECOND, 36_500 * DAY).map_or(30 * DAY, |at| at.value),
            keep_alive: section.duration("keep_alive", Duration::ZERO, 18 * HOUR).map_or(60 * SECOND, |at| at.value),
            inflight_maximum: section.number("inflight_maximum", 1, 65_535).map_or(20, |at| at.value),
            queued_messages_maximum: section.number("queued_messages_maximum", 1, 1 << 40),
            queued_bytes_maximum: section.size("queued_bytes_maximum", 1, 1 << 50),
        }
    }
}
