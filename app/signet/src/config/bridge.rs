//! `[[bridge]]`: another broker, what is carried over, and every file with the place that names it.

mod remote;
mod written;

use std::collections::HashSet;
use std::num::{NonZeroU16, NonZeroU32};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_bridge::{
    BridgeConfig, Direction, LocalSession, Notification, Outgoing, Reconnect, RemoteTls, Schedule, SessionSettings, Start, TopicRule,
};
use signet_broker::Limits;
use signet_mqtt::{Password, TopicName};
use signet_policy::{BRIDGE_IDENTIFIERS, bridge_identifier};
use signet_tls::ConnectorConfig;

use super::problem::Problems;
use super::section::{At, written as in_words};
pub(crate) use written::Written;
use written::{ScheduleKind, StartKind, WrittenLocal, WrittenOutgoing, WrittenSession, WrittenStart, WrittenTimings, WrittenTopic};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A bridge as it is meant.
#[derive(Debug, Clone)]
pub(crate) struct Bridge {
    config: BridgeConfig,
    /// Where the password is; it is read when the bridge is started.
    pub(crate) password_file: Option<At<PathBuf>>,
    /// Where the TLS files were named; the trust first.
    pub(crate) tls_place: Option<Range<usize>>,
    queued_messages_maximum: Option<usize>,
    queued_bytes_maximum: Option<usize>,
}

impl WrittenTopic {
    fn resolve(self, problems: &Problems) -> Option<TopicRule> {
        let place = self.filter.as_ref().map_or_else(|| self.span.clone(), |at| at.span.clone());
        if !self.has_direction {
            let hint = "add direction = \"out\" (to the other broker), \"in\" (from it) or \"both\"";
            problems.at(&self.span, "[[bridge.topic]] has no `direction`", Some(hint.to_owned()));
        }
        let rule = TopicRule {
            filter: self.filter.map_or_else(String::new, |at| at.value),
            // Without a direction the rest is looked at all the same.
            direction: self.direction.as_ref().map_or(Direction::Both, |at| at.value),
            qos: self.qos,
            local_prefix: self.local_prefix,
            remote_prefix: self.remote_prefix,
        };
        if let Err(error) = rule.check() {
            problems.at(&place, error.to_string(), None);
            return None;
        }
        self.direction.map(|_| rule)
    }
}

impl WrittenSession {
    fn settings(&self, maximum_packet_size: u32) -> SessionSettings {
        let (inflight_maximum, expiry) = (narrow(self.inflight_maximum), self.remote_expiry.as_ref().map_or(self.expiry, |at| at.value));
        SessionSettings {
            clean_start: self.clean_start,
            expiry: seconds(expiry),
            keep_alive: u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX),
            inflight_maximum,
            receive_maximum: self.receive_maximum.as_ref().map_or(inflight_maximum, |at| narrow(at.value)),
            maximum_packet_size,
            topic_alias_maximum: self.topic_alias_maximum.as_ref().map_or(0, |at| u16::try_from(at.value).unwrap_or(u16::MAX)),
        }
    }
}

impl WrittenLocal {
    fn resolve(self, name: &str, session: &WrittenSession, problems: &Problems) -> Option<LocalSession> {
        let client_identifier = match &self.client_identifier {
            None => bridge_identifier(name),
            Some(at) if at.value.starts_with(BRIDGE_IDENTIFIERS) => {
                let hint = "leave it out: that is what the session is called then";
                problems.at(&at.span, format!("`{BRIDGE_IDENTIFIERS}` belongs to the bridges by their names"), Some(hint.to_owned()));
                return None;
            }
            Some(at) => remote::client_identifier(at, "local_client_identifier", name, problems)?,
        };
        Some(LocalSession {
            client_identifier,
            username: self.username.map(|at| at.value.into()),
            clean_start: self.clean_start.as_ref().map_or(session.clean_start, |at| at.value),
            expiry: seconds(session.expiry),
        })
    }
}

impl WrittenOutgoing {
    fn resolve(&self) -> Outgoing {
        let size = self.packet_size_maximum.as_ref().and_then(|at| u32::try_from(at.value).ok());
        Outgoing { retain: self.retain, maximum_packet_size: size.and_then(NonZeroU32::new), unsubscribe: self.unsubscribe }
    }
}

impl WrittenStart {
    fn resolve(self, local: Option<&LocalSession>, problems: &Problems) -> Start {
        let kind = self.kind.as_ref().map_or(StartKind::Automatic, |at| at.value);
        let of_lazy = [
            ("idle_timeout", self.idle_timeout.as_ref().map(|at| &at.span)),
            ("lazy_threshold", self.lazy_threshold.as_ref().map(|at| &at.span)),
        ];
        if kind != StartKind::Lazy {
            for (key, span) in of_lazy.into_iter().filter_map(|(key, span)| Some((key, span?))) {
                problems.at(span, format!("`{key}` has no meaning without start = \"lazy\""), None);
            }
        }
        match kind {
            StartKind::Automatic => Start::Automatic,
            StartKind::Once => Start::Once,
            StartKind::Lazy => {
                if let (Some(at), Some(true)) = (&self.kind, local.map(|local| local.clean_start)) {
                    let hint = "set local_clean_start = false";
                    problems.at(&at.span, "a lazy bridge waits for messages that `clean_start` forgets", Some(hint.to_owned()));
                }
                Start::Lazy {
                    threshold: self.lazy_threshold.map_or_else(|| narrow(10), |at| narrow(at.value)),
                    idle: self.idle_timeout.map_or(60 * SECOND, |at| at.value),
                }
            }
        }
    }
}

/// `u32::MAX` stands for ever, which is about what comes near it.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// A number that was checked to be one.
fn narrow(number: u64) -> NonZeroU16 {
    u16::try_from(number).ok().and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MAX)
}

/// Gives all bridges their meaning. `base` is the directory of the configuration file, `limits` are the server's own.
pub(crate) fn resolve(written: Vec<Written>, base: &Path, limits: &Limits, problems: &Problems) -> Vec<Bridge> {
    let mut names = HashSet::new();
    let mut sessions = HashSet::new();
    let mut bridges = Vec::new();
    for written in written {
        let place = written.name.as_ref().map_or_else(|| written.header.span.clone(), |at| at.span.clone());
        let Some(bridge) = Bridge::resolve(written, base, limits, problems) else { continue };
        let name = &bridge.config.name;
        if !names.insert(name.clone()) {
            problems.at(&place, format!("two bridges are called `{name}`"), Some("give each its own `name`".to_owned()));
        }
        let remote = &bridge.config.remote;
        for address in &remote.addresses {
            if !sessions.insert((address.clone(), remote.client_identifier.as_str().to_owned())) {
                problems.at(
                    &place,
                    format!("another bridge has the Client Identifier `{}` at `{address}` already", remote.client_identifier.as_str()),
                    Some("give each bridge its own `client_identifier`, or they end each other's connections".to_owned()),
                );
            }
        }
        bridges.push(bridge);
    }
    bridges
}

impl Bridge {
    fn resolve(written: Written, base: &Path, limits: &Limits, problems: &Problems) -> Option<Self> {
        let Written { header, name, remote, topics, local, session, outgoing, notifications, notification_topic, start, timings, .. } =
            written;
        if topics.is_empty() && !header.has("topic") {
            let hint = "add a [[bridge.topic]] with filter = \"sensors/#\" and direction = \"out\"";
            problems.at(&header.span, "[[bridge]] carries nothing", Some(hint.to_owned()));
        }
        let topics: Vec<TopicRule> = topics.into_iter().filter_map(|topic| topic.resolve(problems)).collect();
        header.lacks("name", "[[bridge]] has no `name`", "add name = \"hq\", which stands in log lines and topics", problems);
        let name = name.filter(|at| is_name(at, problems));
        let remote = remote::resolve(remote, name.as_ref().map_or("", |at| &at.value), &header, base, problems);
        let local = local.resolve(name.as_ref().map_or("", |at| &at.value), &session, problems);
        let start = start.resolve(local.as_ref(), problems);
        let reconnect = reconnect(&timings, problems);
        let (name, (remote, password_file, tls_place), local) = (name?.value, remote?, local?);
        let (is_local, is_remote) = notifications.as_ref().map_or((false, false), |at| at.value);
        let notification = match notifications {
            Some(at) if is_local || is_remote => {
                let names = (&*name, remote.client_identifier.as_str());
                Some(Notification { topic: notification(notification_topic, names, is_local, &at, problems)?, is_local, is_remote })
            }
            _ => None,
        };
        let wide = |at: Option<At<u64>>| at.map(|at| usize::try_from(at.value).unwrap_or(usize::MAX));
        let config = BridgeConfig {
            name,
            remote,
            topics,
            local,
            session: session.settings(limits.maximum_packet_size),
            outgoing: outgoing.resolve(),
            notification,
            start,
            reconnect,
            reload: written.reload,
            retained_each_time: written.retained_each_time,
            hops_maximum: written.hops_maximum.map_or(8, |at| u8::try_from(at.value).unwrap_or(u8::MAX)),
        };
        Some(Self {
            config,
            password_file,
            tls_place,
            queued_messages_maximum: wide(session.queued_messages_maximum),
            queued_bytes_maximum: wide(session.queued_bytes_maximum),
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Where it goes and what it carries, in a few words.
    pub(crate) fn summary(&self) -> String {
        let addresses: Vec<String> = self.config.remote.addresses.iter().map(ToString::to_string).collect();
        let topics = match self.config.topics.len() {
            1 => "1 topic".to_owned(),
            many => format!("{many} topics"),
        };
        format!("{topics}, {} to {}", self.config.remote.version, addresses.join(" or "))
    }

    /// The TLS of its connections, if any.
    pub(crate) fn tls(&self) -> Option<&ConnectorConfig> {
        match self.config.remote.tls.as_ref()? {
            RemoteTls::Certificates(config) => Some(config),
            RemoteTls::Key { .. } => None,
        }
    }

    /// The same for `signet-bridge`, with the password.
    pub(crate) fn config(&self) -> std::io::Result<BridgeConfig> {
        let mut config = self.config.clone();
        if let Some(at) = &self.password_file {
            config.remote.password = Some(password(&at.value)?);
        }
        Ok(config)
    }

    /// What it may do here.
    pub(crate) fn rights(&self) -> Option<signet_policy::BridgeRights> {
        // A list that is none was reported where it stands.
        self.config.rights().ok()
    }

    /// The bounds of its session, where they differ from everybody's.
    pub(crate) fn limits(&self, general: &Limits) -> Limits {
        // What a lazy bridge waits for has to be under way to it.
        let waiting = if let Start::Lazy { threshold, .. } = self.config.start { threshold.get() } else { 0 };
        Limits {
            // Before MQTT 5.0 the other broker cannot be told to have fewer under way.
            receive_maximum: u16::MAX,
            maximum_inflight: self.config.session.inflight_maximum.get().max(waiting),
            session_expiry_maximum: self.config.local.expiry.max(general.session_expiry_maximum),
            // Whom listeners take is no concern of who connects from within.
            connect: signet_broker::ConnectRules::default(),
            subscriptions_maximum: general.subscriptions_maximum.max(self.config.topics.len()),
            queued_messages_maximum: self.queued_messages_maximum.unwrap_or(general.queued_messages_maximum),
            queued_bytes_maximum: self.queued_bytes_maximum.unwrap_or(general.queued_bytes_maximum),
            ..general.clone()
        }
    }

    /// Whether it tells its state below `$SYS/` itself.
    pub(crate) fn tells_itself(&self) -> bool {
        self.config.notification.as_ref().is_some_and(|to| to.is_local && is_state_topic(to.topic.as_str()))
    }
}

/// Reads a password: the whole file, without the line end that editors add.
fn password(path: &Path) -> std::io::Result<Password> {
    let mut bytes = std::fs::read(path)?;
    while bytes.last().is_some_and(|last| matches!(last, b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(Password::new(bytes))
}

/// It becomes a level of topics and a part of identifiers.
fn is_name(written: &At<String>, problems: &Problems) -> bool {
    let is_good = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let good = !written.value.is_empty() && written.value.len() <= 64 && written.value.chars().all(is_good);
    if !good {
        let hint = "write up to 64 letters, digits and - _ .";
        problems.at(&written.span, format!("`{}` is not a name for a bridge", written.value), Some(hint.to_owned()));
    }
    good
}

/// The topics below `$SYS/` where bridges tell their state.
fn is_state_topic(topic: &str) -> bool {
    topic.strip_prefix("$SYS/broker/connection/").is_some_and(|rest| rest.len() > "/state".len() && rest.ends_with("/state"))
}

/// Where the state is told. Everything else below `$SYS/` this broker tells by itself. `names`: that of the bridge and its Client Identifier over
/// there, which is filled in.
fn notification(
    written: Option<At<String>>,
    (name, client_identifier): (&str, &str),
    is_local: bool,
    whom: &At<(bool, bool)>,
    problems: &Problems,
) -> Option<TopicName> {
    let span = written.as_ref().map_or_else(|| whom.span.clone(), |at| at.span.clone());
    let text = written.map_or_else(|| format!("$SYS/broker/connection/{name}/state"), |at| at.value);
    match TopicName::new(text.replace("${client_identifier}", client_identifier)) {
        Ok(topic) if is_local && topic.as_str().starts_with("$SYS/") && !is_state_topic(topic.as_str()) => {
            let hint = "set `notification_topic` to a topic of your own, or one that is called $SYS/broker/connection/NAME/state";
            problems.at(&span, "what is below `$SYS/` this broker tells by itself", Some(hint.to_owned()));
            None
        }
        Ok(topic) => Some(topic),
        Err(error) => {
            problems.at(&span, error.to_string(), None);
            None
        }
    }
}

fn reconnect(written: &WrittenTimings, problems: &Problems) -> Reconnect {
    let kind = written.schedule.as_ref().map_or(ScheduleKind::Doubling, |at| at.value);
    let (first, longest) = if kind == ScheduleKind::Jitter { (5 * SECOND, 30 * SECOND) } else { (SECOND, 60 * SECOND) };
    let minimum = written.minimum.as_ref().map_or(first, |at| at.value);
    let maximum = written.maximum.as_ref().map_or(longest, |at| at.value);
    let without_meaning = [
        ("reconnect_maximum", written.maximum.as_ref().filter(|_| kind == ScheduleKind::Constant)),
        ("reconnect_stable", written.stable.as_ref().filter(|_| kind != ScheduleKind::Jitter)),
    ];
    for (key, at) in without_meaning.into_iter().filter_map(|(key, at)| Some((key, at?))) {
        problems.at(&at.span, format!("`{key}` has no meaning with this `reconnect`"), None);
    }
    if minimum > maximum && kind != ScheduleKind::Constant {
        let at = written.maximum.as_ref().or(written.minimum.as_ref());
        let span = at.map_or(0..0, |at| at.span.clone());
        let found = format!("`reconnect_maximum` ({}) is less than `reconnect_minimum` ({})", in_words(maximum), in_words(minimum));
        problems.at(&span, found, Some("raise the first or lower the second".to_owned()));
    }
    let schedule = match kind {
        ScheduleKind::Doubling => Schedule::Doubling { minimum, maximum },
        ScheduleKind::Constant => Schedule::Constant(minimum),
        ScheduleKind::Jitter => {
            Schedule::Jitter { base: minimum, cap: maximum, stable: written.stable.as_ref().map_or(Duration::ZERO, |at| at.value) }
        }
    };
    Reconnect { schedule, timeout: written.connect_timeout }
}

#[cfg(test)]
mod tests;
