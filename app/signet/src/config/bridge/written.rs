//! `[[bridge]]` exactly as written: types checked, keys known, nothing interpreted.

use std::ops::Range;
use std::time::Duration;

use signet_bridge::{Direction, ReloadRule};
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
    pub(super) local: WrittenLocal,
    pub(super) session: WrittenSession,
    pub(super) outgoing: WrittenOutgoing,
    pub(super) notifications: Option<At<(bool, bool)>>,
    pub(super) notification_topic: Option<At<String>>,
    pub(super) start: WrittenStart,
    pub(super) timings: WrittenTimings,
    pub(super) reload: ReloadRule,
    pub(super) retained_each_time: bool,
    pub(super) hops_maximum: Option<At<u64>>,
}

#[derive(Debug)]
pub(super) struct WrittenRemote {
    pub(super) addresses: Option<At<Vec<At<String>>>>,
    pub(super) round_robin: bool,
    pub(super) return_to_first: Option<At<Duration>>,
    pub(super) is_tls: Option<At<bool>>,
    pub(super) protocol: ProtocolVersion,
    pub(super) try_private: bool,
    pub(super) client_identifier: Option<At<String>>,
    pub(super) username: Option<At<String>>,
    pub(super) password: Option<At<String>>,
    pub(super) password_file: Option<At<String>>,
    pub(super) socket: WrittenSocket,
    pub(super) tls: WrittenTls,
}

#[derive(Debug)]
pub(super) struct WrittenSocket {
    pub(super) bind_address: Option<At<String>>,
    pub(super) keep_alive_idle: Option<At<Duration>>,
    pub(super) keep_alive_interval: Option<At<Duration>>,
    pub(super) keep_alive_count: Option<At<u64>>,
    pub(super) user_timeout: Option<At<Duration>>,
}

#[derive(Debug)]
pub(super) struct WrittenLocal {
    pub(super) client_identifier: Option<At<String>>,
    pub(super) username: Option<At<String>>,
    pub(super) clean_start: Option<At<bool>>,
}

#[derive(Debug)]
pub(super) struct WrittenOutgoing {
    pub(super) retain: bool,
    pub(super) packet_size_maximum: Option<At<u64>>,
    pub(super) unsubscribe: bool,
}

/// The kinds of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartKind {
    Automatic,
    Once,
    Lazy,
}

#[derive(Debug)]
pub(super) struct WrittenStart {
    pub(super) kind: Option<At<StartKind>>,
    pub(super) idle_timeout: Option<At<Duration>>,
    pub(super) lazy_threshold: Option<At<u64>>,
}

/// The kinds of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScheduleKind {
    Doubling,
    Constant,
    Jitter,
}

#[derive(Debug)]
pub(super) struct WrittenTls {
    pub(super) trust: Option<At<Vec<At<String>>>>,
    pub(super) certificate: Option<At<String>>,
    pub(super) key: Option<At<String>>,
    pub(super) tls13_only: Option<At<bool>>,
    pub(super) trust_directory: Option<At<String>>,
    pub(super) trust_system: Option<At<bool>>,
    pub(super) any_name: Option<At<bool>>,
    pub(super) old_certificates: Option<At<bool>>,
    pub(super) staple_required: Option<At<bool>>,
    pub(super) cipher_suites: Option<At<Vec<At<String>>>>,
    pub(super) alpn: Option<At<Vec<At<String>>>>,
    pub(super) psk_identity: Option<At<String>>,
    pub(super) psk: Option<At<String>>,
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
    pub(super) remote_expiry: Option<At<Duration>>,
    pub(super) keep_alive: Duration,
    pub(super) inflight_maximum: u64,
    pub(super) receive_maximum: Option<At<u64>>,
    pub(super) topic_alias_maximum: Option<At<u64>>,
    pub(super) queued_messages_maximum: Option<At<u64>>,
    pub(super) queued_bytes_maximum: Option<At<u64>>,
}

#[derive(Debug)]
pub(super) struct WrittenTimings {
    pub(super) connect_timeout: Duration,
    pub(super) schedule: Option<At<ScheduleKind>>,
    pub(super) minimum: Option<At<Duration>>,
    pub(super) maximum: Option<At<Duration>>,
    pub(super) stable: Option<At<Duration>>,
}

impl Written {
    pub(crate) fn read(section: Section<'_>) -> Self {
        let written = Self {
            header: Header::of(&section),
            name: section.string("name"),
            remote: WrittenRemote::read(&section),
            topics: section.sections("topic").into_iter().map(WrittenTopic::read).collect(),
            local: WrittenLocal {
                client_identifier: section.string("local_client_identifier"),
                username: section.string("local_username"),
                clean_start: section.boolean("local_clean_start"),
            },
            session: WrittenSession::read(&section),
            outgoing: WrittenOutgoing {
                retain: section.boolean("outgoing_retain").is_none_or(|at| at.value),
                packet_size_maximum: section.size("outgoing_packet_size_maximum", 0, 1 << 28),
                unsubscribe: section.boolean("unsubscribe_outgoing").is_some_and(|at| at.value),
            },
            notifications: section.choice(
                "notifications",
                &[("local", (true, false)), ("remote", (false, true)), ("both", (true, true)), ("none", (false, false))],
            ),
            notification_topic: section.string("notification_topic"),
            start: WrittenStart {
                kind: section.choice("start", &[("automatic", StartKind::Automatic), ("once", StartKind::Once), ("lazy", StartKind::Lazy)]),
                idle_timeout: section.duration("idle_timeout", SECOND, 365 * DAY),
                lazy_threshold: section.number("lazy_threshold", 1, 65_535),
            },
            timings: WrittenTimings {
                connect_timeout: section.duration("connect_timeout", SECOND, 300 * SECOND).map_or(10 * SECOND, |at| at.value),
                schedule: section.choice(
                    "reconnect",
                    &[("doubling", ScheduleKind::Doubling), ("constant", ScheduleKind::Constant), ("jitter", ScheduleKind::Jitter)],
                ),
                minimum: section.duration("reconnect_minimum", SECOND / 10, HOUR),
                maximum: section.duration("reconnect_maximum", SECOND / 10, DAY),
                stable: section.duration("reconnect_stable", Duration::ZERO, 365 * DAY),
            },
            reload: section
                .choice("reload", &[("immediate", ReloadRule::Immediate), ("lazy", ReloadRule::Lazy)])
                .map_or(ReloadRule::Immediate, |at| at.value),
            retained_each_time: section.choice("retained", &[("new", false), ("always", true)]).is_some_and(|at| at.value),
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
            return_to_first: section.duration("return_to_first", Duration::ZERO, DAY),
            is_tls: section.choice("transport", &[("tcp", false), ("tls", true)]),
            protocol: section
                .choice("protocol", &[("5.0", ProtocolVersion::V5), ("3.1.1", ProtocolVersion::V311), ("3.1", ProtocolVersion::V31)])
                .map_or(ProtocolVersion::V5, |at| at.value),
            try_private: section.boolean("try_private").is_none_or(|at| at.value),
            client_identifier: section.string("client_identifier"),
            username: section.string("username"),
            password: section.string("password"),
            password_file: section.string("password_file"),
            socket: WrittenSocket {
                bind_address: section.string("bind_address"),
                keep_alive_idle: section.duration("tcp_keep_alive_idle", SECOND, DAY),
                keep_alive_interval: section.duration("tcp_keep_alive_interval", SECOND, DAY),
                keep_alive_count: section.number("tcp_keep_alive_count", 1, 127),
                user_timeout: section.duration("tcp_user_timeout", Duration::ZERO, DAY),
            },
            tls: WrittenTls {
                trust: section.strings("trust"),
                certificate: section.string("certificate"),
                key: section.string("key"),
                tls13_only: section.choice("tls_min", &[("1.2", false), ("1.3", true)]),
                trust_directory: section.string("trust_directory"),
                trust_system: section.boolean("trust_system"),
                any_name: section.choice("server_name", &[("check", false), ("ignore", true)]),
                old_certificates: section.boolean("old_certificates"),
                staple_required: section.boolean("ocsp_staple_required"),
                cipher_suites: section.strings("cipher_suites"),
                alpn: section.strings("alpn"),
                psk_identity: section.string("psk_identity"),
                psk: section.string("psk"),
            },
        }
    }
}

impl WrittenTls {
    pub(super) fn first_written(&self) -> Option<(&'static str, Range<usize>)> {
        fn span<T>(at: Option<&At<T>>) -> Option<Range<usize>> {
            at.map(|at| at.span.clone())
        }
        let spans = [
            ("trust", span(self.trust.as_ref())),
            ("certificate", span(self.certificate.as_ref())),
            ("key", span(self.key.as_ref())),
            ("tls_min", span(self.tls13_only.as_ref())),
            ("trust_directory", span(self.trust_directory.as_ref())),
            ("trust_system", span(self.trust_system.as_ref())),
            ("server_name", span(self.any_name.as_ref())),
            ("old_certificates", span(self.old_certificates.as_ref())),
            ("ocsp_staple_required", span(self.staple_required.as_ref())),
            ("cipher_suites", span(self.cipher_suites.as_ref())),
            ("alpn", span(self.alpn.as_ref())),
            ("psk_identity", span(self.psk_identity.as_ref())),
            ("psk", span(self.psk.as_ref())),
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
            remote_expiry: section.duration("remote_session_expiry", Duration::ZERO, 36_500 * DAY),
            keep_alive: section.duration("keep_alive", Duration::ZERO, 18 * HOUR).map_or(60 * SECOND, |at| at.value),
            inflight_maximum: section.number("inflight_maximum", 1, 65_535).map_or(20, |at| at.value),
            receive_maximum: section.number("receive_maximum", 1, 65_535),
            topic_alias_maximum: section.number("topic_alias_maximum", 0, 65_535),
            queued_messages_maximum: section.number("queued_messages_maximum", 1, 1 << 40),
            queued_bytes_maximum: section.size("queued_bytes_maximum", 1, 1 << 50),
        }
    }
}
