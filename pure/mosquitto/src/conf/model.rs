//! A configuration as it is meant: the broker, its listeners, bridges and plugins, each value with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::options::{self, Definition, Kind, Preset, Repeat};
use super::values::Value;
use crate::Place;

/// A value and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The line.
    pub place: Place,
}

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// To which paths are relative.
    pub directory: PathBuf,
    /// Options of the broker.
    pub global: Values,
    /// Whether options about security belong to listeners.
    pub is_per_listener: bool,
    /// Options about security where they do not.
    pub security: Security,
    /// Where clients connect, in the order of the files. Without effect with [`Self::is_local_only`].
    pub listeners: Vec<Listener>,
    /// Neither `listener` nor `port` nor `bind_address` is written: 127.0.0.1 and ::1 are listened on, and nothing else.
    pub is_local_only: bool,
    /// Other brokers.
    pub bridges: Vec<Bridge>,
    /// Plugins, in the order of the files.
    pub plugins: Vec<Plugin>,
}

/// Who may do what, at the broker or at one listener.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// `allow_anonymous`, `password_file`, `acl_file`, `psk_file`, `allow_zero_length_clientid`, `auto_id_prefix`.
    pub values: Values,
    /// Which of [`Settings::plugins`] are asked.
    pub plugins: Vec<usize>,
}

/// Where clients connect.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Where it listens.
    pub address: ListenerAddress,
    /// Its `listener`, or the option because of which it is there.
    pub place: Place,
    /// Its options.
    pub values: Values,
    /// Its own options about security. Without `per_listener_settings` only what `listener_allow_anonymous`, `listener_auto_id_prefix` and
    /// `plugin_use` say.
    pub security: Security,
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerAddress {
    /// Over TCP.
    Tcp {
        /// An address or a name; `None`: every address.
        host: Option<String>,
        /// From 1.
        port: u16,
    },
    /// On a unix socket of this path.
    Unix(String),
}

/// A plugin.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// From `plugin_load`.
    pub name: Option<String>,
    /// Its file.
    pub path: At<String>,
    /// Its options, without `plugin_opt_` before their names.
    pub options: Vec<(String, At<String>)>,
    /// `auth_plugin_deny_special_chars`.
    pub values: Values,
}

/// Another broker, and what goes there and comes from there.
#[derive(Debug, Clone)]
pub struct Bridge {
    /// Its name, at its `connection`.
    pub name: At<String>,
    /// Its options.
    pub values: Values,
}

/// A way to another broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// An address or a name.
    pub host: String,
    /// From 1.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') && !self.host.starts_with('[') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// What a bridge carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeTopic {
    /// A topic filter without the prefixes; empty: the prefixes are the whole topic.
    pub filter: String,
    /// Where it goes.
    pub direction: Direction,
    /// The highest QoS, up to 2.
    pub qos: u8,
    /// What its topics begin with here.
    pub local_prefix: String,
    /// What its topics begin with over there.
    pub remote_prefix: String,
}

/// Where messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the other broker.
    Out,
    /// From the other broker.
    In,
    /// Either way.
    Both,
}

/// How long to wait between attempts to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The time that is always waited, or the least.
    pub seconds: u32,
    /// The most; `None`: always the same time.
    pub most_seconds: Option<u32>,
    /// For how long a connection has to last until the next wait is the least again.
    pub stable_seconds: u32,
}

/// Options that are written, by their names.
#[derive(Debug, Clone, Default)]
pub struct Values {
    written: BTreeMap<&'static str, Vec<At<Value>>>,
}

impl Values {
    /// Keeps a value; false if a second one of this option is a mistake.
    pub(super) fn keep(&mut self, option: &Definition, name: &'static str, value: At<Value>) -> bool {
        let repeat = match option.kind {
            Kind::Text(repeat) | Kind::Path(repeat) | Kind::Prefix(repeat, _) => repeat,
            Kind::Words(words) => words.repeat,
            Kind::Destination | Kind::BridgeTopic => Repeat::Collected,
            _ => Repeat::LastWins,
        };
        let written = self.written.entry(name).or_default();
        match repeat {
            Repeat::Refused if !written.is_empty() => return false,
            Repeat::LastWins => written.clear(),
            Repeat::Refused | Repeat::Collected => {}
        }
        written.push(value);
        true
    }

    /// Everything that is written of an option.
    #[must_use]
    pub fn each(&self, name: &str) -> &[At<Value>] {
        debug_assert!(options::find(name).is_some_and(|option| option.name == name), "`{name}` is no option");
        self.written.get(name).map_or(&[], Vec::as_slice)
    }

    /// What counts of what is written.
    #[must_use]
    pub fn written(&self, name: &str) -> Option<&At<Value>> {
        self.each(name).last()
    }

    /// Where that is.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<&Place> {
        self.written(name).map(|at| &at.place)
    }

    /// Whether an option is true, written or by default.
    #[must_use]
    pub fn switch(&self, name: &str) -> bool {
        self.switch_written(name).unwrap_or_else(|| matches!(preset(name), Preset::Switch(true)))
    }

    /// Whether an option is true, if it is written.
    #[must_use]
    pub fn switch_written(&self, name: &str) -> Option<bool> {
        match self.written(name)?.value {
            Value::Switch(value) => Some(value),
            _ => None,
        }
    }

    /// A number, written or by default; 0 where there is no default.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        self.number_written(name).unwrap_or_else(|| if let Preset::Number(value) = preset(name) { value } else { 0 })
    }

    /// A number, if it is written.
    #[must_use]
    pub fn number_written(&self, name: &str) -> Option<i64> {
        match self.written(name)?.value {
            Value::Number(value) => Some(value),
            _ => None,
        }
    }

    /// A text or word, written or by default.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let default = || if let Preset::Text(value) = preset(name) { Some(value) } else { None };
        match &self.written(name) {
            Some(At { value: Value::Text(text), .. }) => Some(text),
            _ => default(),
        }
    }

    /// All options that are written.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &At<Value>)> {
        self.written.iter().flat_map(|(name, values)| values.iter().map(|value| (*name, value)))
    }
}

fn preset(name: &str) -> Preset {
    options::find(name).map_or(Preset::None, |option| option.default)
}

impl Settings {
    /// One in which nothing is written.
    pub(crate) fn empty(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            global: Values::default(),
            is_per_listener: false,
            security: Security::default(),
            listeners: Vec::new(),
            is_local_only: true,
            bridges: Vec::new(),
            plugins: Vec::new(),
        }
    }

    /// A path of the configuration as one that does not depend on the working directory.
    #[must_use]
    pub fn path(&self, written: &str) -> PathBuf {
        absolute(&self.directory, written)
    }

    /// Who may do what at a listener, besides its own exceptions: its own options or those of the broker.
    #[must_use]
    pub fn security_of<'a>(&'a self, listener: &'a Listener) -> &'a Security {
        if self.is_per_listener { &listener.security } else { &self.security }
    }

    /// The plugins that are asked at a listener, those of the broker first.
    pub fn plugins_of<'a>(&'a self, listener: &'a Listener) -> impl Iterator<Item = &'a Plugin> {
        self.security.plugins.iter().chain(&listener.security.plugins).filter_map(|index| self.plugins.get(*index))
    }
}

pub(super) fn absolute(directory: &Path, written: &str) -> PathBuf {
    directory.join(written)
}

impl Bridge {
    /// Ways to the other broker, at least one.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        match self.values.written("address") {
            Some(At { value: Value::Addresses(addresses), .. }) => addresses,
            _ => &[],
        }
    }

    /// What it carries, at least one.
    pub fn topics(&self) -> impl Iterator<Item = (&BridgeTopic, &Place)> {
        self.values.each("topic").iter().filter_map(|at| match &at.value {
            Value::Topic(topic) => Some((topic, &at.place)),
            _ => None,
        })
    }

    /// How long it waits between attempts.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        match self.values.written("restart_timeout").map(|at| &at.value) {
            Some(Value::Backoff(backoff)) => *backoff,
            _ => Backoff { seconds: 5, most_seconds: Some(30), stable_seconds: 0 },
        }
    }

    /// TCP keep alive: idle seconds, seconds between probes, number of probes.
    #[must_use]
    pub fn tcp_keep_alive(&self) -> Option<(u32, u32, u32)> {
        match self.values.written("bridge_tcp_keepalive").map(|at| &at.value) {
            Some(Value::Numbers(numbers)) => {
                let narrow: Vec<u32> = numbers.iter().filter_map(|number| u32::try_from(*number).ok()).collect();
                let [idle, interval, count] = *narrow.as_slice() else { return None };
                Some((idle, interval, count))
            }
            _ => None,
        }
    }

    /// Whether the session here ends with the connection.
    #[must_use]
    pub fn has_clean_local_session(&self) -> bool {
        self.values.switch_written("local_cleansession").unwrap_or_else(|| self.values.switch("cleansession"))
    }

    /// Its Client Identifier over there; `hostname` is that of this machine, or a placeholder for it.
    #[must_use]
    pub fn remote_client_identifier(&self, hostname: &str) -> String {
        self.values.text("remote_clientid").map_or_else(|| format!("{hostname}.{}", self.name.value), str::to_owned)
    }

    /// Its Client Identifier here.
    #[must_use]
    pub fn local_client_identifier(&self, hostname: &str) -> String {
        let own = self.values.text("local_clientid").map(str::to_owned);
        own.unwrap_or_else(|| format!("local.{}", self.remote_client_identifier(hostname)))
    }

    /// Whether it uses TLS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        let options = ["bridge_cafile", "bridge_capath", "bridge_psk"];
        options.iter().any(|option| self.values.written(option).is_some()) || self.values.switch("bridge_tls_use_os_certs")
    }
}
