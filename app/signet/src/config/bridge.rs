//! `[[bridge]]`: another broker, what is carried over, and every file with the place that names it.

mod written;

use std::collections::HashSet;
use std::num::NonZeroU16;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_bridge::{BridgeConfig, Direction, Notification, Reconnect, Remote, RemoteAddress, SessionSettings, TopicRule};
use signet_broker::Limits;
use signet_mqtt::{ClientIdentifier, Password, TopicName};
use signet_tls::{ConnectorConfig, MinimumVersion};

use super::file::Header;
use super::problem::Problems;
use super::section::{At, written as in_words};
pub(crate) use written::Written;
use written::{WrittenRemote, WrittenSession, WrittenTimings, WrittenTls, WrittenTopic};

/// Ports that brokers have by custom.
const PORT_PLAIN: u16 = 1883;
const PORT_TLS: u16 = 8883;

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
    /// `u32::MAX` stands for ever, which is about what comes near it.
    fn settings(&self, maximum_packet_size: u32) -> SessionSettings {
        SessionSettings {
            clean_start: self.clean_start,
            expiry: u32::try_from(self.expiry.as_secs()).unwrap_or(u32::MAX),
            keep_alive: u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX),
            inflight_maximum: u16::try_from(self.inflight_maximum).ok().and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MAX),
            maximum_packet_size,
        }
    }
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
        let Written { header, name, remote, topics, session, notifications, notification_topic, timings, hops_maximum } = written;
        if topics.is_empty() && !header.has("topic") {
            let hint = "add a [[bridge.topic]] with filter = \"sensors/#\" and direction = \"out\"";
            problems.at(&header.span, "[[bridge]] carries nothing", Some(hint.to_owned()));
        }
        let topics: Vec<TopicRule> = topics.into_iter().filter_map(|topic| topic.resolve(problems)).collect();
        header.lacks("name", "[[bridge]] has no `name`", "add name = \"hq\", which stands in log lines and topics", problems);
        let name = name.filter(|at| is_name(at, problems));
        let remote = resolve_remote(remote, name.as_ref().map_or("", |at| &at.value), &header, base, problems);
        let reconnect = reconnect(&timings, problems);
        let (name, (remote, password_file, tls_place)) = (name?.value, remote?);
        let (is_local, is_remote) = notifications.as_ref().map_or((false, false), |at| at.value);
        let notification = match notifications {
            Some(at) if is_local || is_remote => {
                Some(Notification { topic: notification(notification_topic, &name, is_local, &at, problems)?, is_local, is_remote })
            }
            _ => None,
        };
        let narrow = |at: Option<At<u64>>| at.map(|at| usize::try_from(at.value).unwrap_or(usize::MAX));
        let config = BridgeConfig {
            name,
            remote,
            topics,
            session: session.settings(limits.maximum_packet_size),
            notification,
            reconnect,
            hops_maximum: hops_maximum.map_or(8, |at| u8::try_from(at.value).unwrap_or(u8::MAX)),
        };
        Some(Self {
            config,
            password_file,
            tls_place,
            queued_messages_maximum: narrow(session.queued_messages_maximum),
            queued_bytes_maximum: narrow(session.queued_bytes_maximum),
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
        self.config.remote.tls.as_ref()
    }

    /// The same for `signet-bridge`, with the password.
    pub(crate) fn config(&self) -> std::io::Result<BridgeConfig> {
        let mut config = self.config.clone();
        config.remote.password = self.password_file.as_ref().map(|at| password(&at.value)).transpose()?;
        Ok(config)
    }

    /// What it may do here.
    pub(crate) fn rights(&self) -> Option<signet_policy::BridgeRights> {
        // A list that is none was reported where it stands.
        self.config.rights().ok()
    }

    /// The bounds of its session, where they differ from everybody's.
    pub(crate) fn limits(&self, general: &Limits) -> Limits {
        Limits {
            // Before MQTT 5.0 the other broker cannot be told to have fewer under way.
            receive_maximum: u16::MAX,
            maximum_inflight: self.config.session.inflight_maximum.get(),
            session_expiry_maximum: self.config.session.expiry.max(general.session_expiry_maximum),
            // Whom listeners take is no concern of who connects from within.
            connect: signet_broker::ConnectRules::default(),
            subscriptions_maximum: general.subscriptions_maximum.max(self.config.topics.len()),
            queued_messages_maximum: self.queued_messages_maximum.unwrap_or(general.queued_messages_maximum),
            queued_bytes_maximum: self.queued_bytes_maximum.unwrap_or(general.queued_bytes_maximum),
            ..general.clone()
        }
    }

    /// Everything, as it takes a restart to change it.
    pub(crate) fn fixed_part(&self) -> String {
        let username = &self.config.remote.username;
        let files = (self.password_file.as_ref().map(|at| &at.value), self.tls());
        format!("{:?} {username:?} {files:?} {:?} {:?}", self.config, self.queued_messages_maximum, self.queued_bytes_maximum)
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

type ResolvedRemote = (Remote, Option<At<PathBuf>>, Option<Range<usize>>);

fn resolve_remote(written: WrittenRemote, name: &str, header: &Header, base: &Path, problems: &Problems) -> Option<ResolvedRemote> {
    header.lacks("addresses", "[[bridge]] has no `addresses`", "add addresses = [\"broker.example.com:8883\"]", problems);
    let hint = "add transport = \"tls\", or \"tcp\" for no encryption";
    header.lacks("transport", "[[bridge]] has no `transport`", hint, problems);
    let is_tls = written.is_tls?.value;
    let tls_place = written.tls.first_written();
    if let Some((key, span)) = tls_place.as_ref().filter(|_| !is_tls) {
        let hint = "set transport = \"tls\", or remove the TLS keys of this bridge";
        problems.at(span, format!("`{key}` has no meaning with transport = \"tcp\""), Some(hint.to_owned()));
    }
    let tls = if is_tls { Some(resolve_tls(written.tls, header, base, problems)?) } else { None };
    let addresses = addresses(written.addresses?, if is_tls { PORT_TLS } else { PORT_PLAIN }, problems);
    if let Some(password) = written.password_file.as_ref().filter(|_| written.username.is_none() && !written.protocol.has_properties()) {
        let hint = "add `username`, which MQTT 3.1.1 wants beside a password";
        problems.at(&password.span, "`password_file` without `username`", Some(hint.to_owned()));
    }
    let remote = Remote {
        addresses,
        round_robin: written.round_robin,
        version: written.protocol,
        try_private: written.try_private,
        tls,
        client_identifier: client_identifier(written.client_identifier, name, problems)?,
        username: written.username.map(|at| at.value.into()),
        password: None,
    };
    let password_file = written.password_file.map(|at| at.map(|path| base.join(path)));
    Some((remote, password_file, tls_place.map(|(_, span)| span)))
}

fn resolve_tls(written: WrittenTls, header: &Header, base: &Path, problems: &Problems) -> Option<ConnectorConfig> {
    let hint = "add trust = [\"hq-ca.pem\"], the certification authorities of the other broker's certificate";
    header.lacks("trust", "[[bridge]] with transport = \"tls\" has no `trust`", hint, problems);
    for (one, other, missing) in [(&written.certificate, &written.key, "key"), (&written.key, &written.certificate, "certificate")] {
        if let (Some(at), None) = (one, other) {
            problems.at(
                &at.span,
                format!("a client certificate takes both files: `{missing}` is missing"),
                Some(format!("add `{missing}`")),
            );
        }
    }
    let path = |at: At<String>| base.join(at.value);
    Some(ConnectorConfig {
        ca_files: written.trust?.value.into_iter().map(path).collect(),
        certificate: written.certificate.map(path),
        key: written.key.map(path),
        insecure: false,
        minimum_version: if written.tls13_only.is_some_and(|at| at.value) { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 },
    })
}

fn addresses(written: At<Vec<At<String>>>, port: u16, problems: &Problems) -> Vec<RemoteAddress> {
    if written.value.is_empty() {
        let hint = "write addresses = [\"broker.example.com:8883\"]";
        problems.at(&written.span, "`addresses` is empty: there is no broker to connect to", Some(hint.to_owned()));
    }
    let read = |at: &At<String>| {
        let address = address(&at.value, port);
        if address.is_none() {
            let hint = "write \"HOST\" or \"HOST:PORT\", and an IPv6 address in brackets: \"[2001:db8::1]:8883\"";
            problems.at(&at.span, format!("`{}` is not a host with a port", at.value), Some(hint.to_owned()));
        }
        address
    };
    written.value.iter().filter_map(read).collect()
}

fn address(text: &str, default_port: u16) -> Option<RemoteAddress> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_host = !host.is_empty() && !host.contains(|character: char| character.is_whitespace() || character == '/');
    let port = port.map_or(Some(default_port), |port| port.parse().ok().filter(|port| *port != 0))?;
    is_host.then(|| RemoteAddress { host: host.to_owned(), port })
}

/// `${name}` and `${hostname}` are filled in.
fn client_identifier(written: Option<At<String>>, name: &str, problems: &Problems) -> Option<ClientIdentifier> {
    let Some(written) = written else { return Some(ClientIdentifier::new(format!("signet.{name}"))) };
    let mut text = written.value.replace("${name}", name);
    if text.contains("${hostname}") {
        text = text.replace("${hostname}", &rustix::system::uname().nodename().to_string_lossy());
    }
    let problem = match text.as_str() {
        "" => "`client_identifier` is empty: the session could not be found again",
        text if text.contains("${") => "`client_identifier` has an unknown placeholder",
        text if text.len() > usize::from(u16::MAX) || text.contains('\0') => "`client_identifier` is no text of MQTT",
        _ => return Some(ClientIdentifier::new(text)),
    };
    problems.at(&written.span, problem, Some("write a text in which ${name} and ${hostname} may stand".to_owned()));
    None
}

/// Where the state is told. Below `$SYS/` this broker tells it by itself.
fn notification(
    written: Option<At<String>>,
    name: &str,
    is_local: bool,
    whom: &At<(bool, bool)>,
    problems: &Problems,
) -> Option<TopicName> {
    let span = written.as_ref().map_or_else(|| whom.span.clone(), |at| at.span.clone());
    let text = written.map_or_else(|| format!("$SYS/broker/connection/{name}/state"), |at| at.value);
    match TopicName::new(text) {
        Ok(topic) if is_local && topic.as_str().starts_with("$SYS/") => {
            let hint = "set `notification_topic` to a topic of your own, or notifications = \"remote\"";
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
    let minimum = written.minimum.as_ref().map_or(SECOND, |at| at.value);
    let maximum = written.maximum.as_ref().map_or(60 * SECOND, |at| at.value);
    if minimum > maximum {
        let at = written.maximum.as_ref().or(written.minimum.as_ref());
        let span = at.map_or(0..0, |at| at.span.clone());
        let found = format!("`reconnect_maximum` ({}) is less than `reconnect_minimum` ({})", in_words(maximum), in_words(minimum));
        problems.at(&span, found, Some("raise the first or lower the second".to_owned()));
    }
    Reconnect { minimum, maximum, timeout: written.connect_timeout }
}

#[cfg(test)]
mod tests;
