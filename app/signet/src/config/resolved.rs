//! The configuration as it is meant: complete, checked, paths made absolute to the file. The only form the rest of the program sees.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_net::ListenAddress;
use signet_policy::{Rule, TopicPattern};
use tracing::Level;

use super::bridge::{self, Bridge};
use super::file::{Access, File};
use super::limits::Limits;
use super::listener::Listener;
use super::problem::Problems;
use super::section::At;
use super::store::Store;
use super::telemetry::Telemetry;
use super::who;

/// A whole configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The file it came from, as the user named it.
    pub(crate) path: PathBuf,
    pub(crate) data_dir: PathBuf,
    /// Threads of the data plane; one per processor when absent.
    pub(crate) shards: Option<u16>,
    pub(crate) log_level: Level,
    pub(crate) log_json: bool,
    pub(crate) admin_socket: PathBuf,
    pub(crate) ca: CaConfig,
    pub(crate) limits: Limits,
    pub(crate) telemetry: Telemetry,
    pub(crate) listeners: Vec<Listener>,
    /// Empty when no rule was written: then everything is allowed to whoever may connect.
    pub(crate) rules: Vec<Rule>,
    pub(crate) bridges: Vec<Bridge>,
    /// Whether a revocation publishes the will of the sessions it ends.
    pub(crate) publish_will_on_revoke: bool,
    pub(crate) store: Store,
}

/// Our own CA.
#[derive(Debug, Clone)]
pub(crate) struct CaConfig {
    pub(crate) dir: PathBuf,
    /// Where `dir` was written, if it was: a directory somebody named must exist.
    pub(crate) dir_written: Option<At<()>>,
    pub(crate) crl: PathBuf,
    pub(crate) crl_validity: Duration,
    pub(crate) device_validity: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Config {
    /// What holds in directory `base` when no file says anything: the usual places.
    pub(crate) fn nothing_written(base: &Path) -> Self {
        let base = if base == Path::new(".") { Path::new("") } else { base };
        let path = base.join("signet.toml");
        let problems = Problems::new(&path, "");
        Self::resolve(File::default(), &path, &problems)
    }

    /// Gives `file`, read from `path`, its meaning. What makes no sense is reported; the result is then not to be used.
    pub(crate) fn resolve(file: File, path: &Path, problems: &Problems) -> Self {
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let data_dir = at_base(&base, file.data_dir.as_ref(), "data");
        let ca_dir = at_base(&base, file.ca.dir.as_ref(), "ca");
        let listeners = resolve_listeners(file.listeners, &base, problems);
        Self {
            path: path.to_owned(),
            shards: file.shards.and_then(|at| u16::try_from(at.value).ok()),
            log_level: file.log.level.map_or(Level::INFO, |at| at.value),
            log_json: file.log.json.is_some_and(|at| at.value),
            admin_socket: file.admin_socket.map_or_else(|| data_dir.join("admin.sock"), |at| base.join(at.value)),
            ca: CaConfig {
                crl: file.ca.crl.map_or_else(|| ca_dir.join("crl.pem"), |at| base.join(at.value)),
                dir_written: file.ca.dir.map(|at| at.map(|_| ())),
                crl_validity: file.ca.crl_validity.map_or(DAY * 7, |at| at.value),
                device_validity: file.ca.device_validity.map_or(DAY * 365, |at| at.value),
                dir: ca_dir,
            },
            data_dir,
            bridges: bridge::resolve(file.bridges, &base, &file.limits.broker, problems),
            limits: file.limits,
            telemetry: file.telemetry,
            listeners,
            rules: file.access.into_iter().enumerate().filter_map(|(index, access)| rule(index, access, problems)).collect(),
            publish_will_on_revoke: file.publish_will.is_none_or(|at| at.value),
            store: file.store,
        }
    }
}

fn at_base(base: &Path, written: Option<&At<String>>, default: &str) -> PathBuf {
    base.join(written.map_or(default, |at| at.value.as_str()))
}

fn resolve_listeners(files: Vec<super::file::Listener>, base: &Path, problems: &Problems) -> Vec<Listener> {
    if files.is_empty() && problems.is_empty() {
        problems.whole(
            "no [[listener]]: nobody could connect",
            Some("`signet quickstart --no-serve` in an empty directory writes a commented example".to_owned()),
        );
    }
    let mut names: HashMap<String, ()> = HashMap::new();
    let mut addresses: Vec<(ListenAddress, String)> = Vec::new();
    let mut listeners = Vec::new();
    for (index, file) in files.into_iter().enumerate() {
        let header = file.header.span.clone();
        let place = file.name.as_ref().map_or_else(|| header.clone(), |name| name.span.clone());
        let binds = file.bind.clone();
        let Some(listener) = Listener::resolve(file, index, base, problems) else { continue };
        if names.insert(listener.name.clone(), ()).is_some() {
            problems.at(&place, format!("two listeners are called `{}`", listener.name), Some("give each its own `name`".to_owned()));
        }
        for (address, written) in listener.bind.iter().zip(binds.into_iter().flat_map(|at| at.value)) {
            if address.port() == Some(0) {
                continue;
            }
            if let Some((taken, other)) = addresses.iter().find(|(taken, _)| collide(taken, address)) {
                let message = if taken == address {
                    format!("`{address}` is bound twice, listener `{other}` has it already")
                } else {
                    format!("`{address}` cannot be bound beside `{taken}` of listener `{other}`: one of them stands for every address")
                };
                problems.at(&written.span, message, Some("give one of them another port".to_owned()));
            }
            addresses.push((address.clone(), listener.name.clone()));
        }
        listeners.push(listener);
    }
    listeners
}

/// Whether the system would refuse the second of two addresses. IPv6 sockets take no IPv4 connections here.
fn collide(one: &ListenAddress, other: &ListenAddress) -> bool {
    let (ListenAddress::Ip(one), ListenAddress::Ip(other)) = (one, other) else { return one == other };
    one.port() == other.port()
        && one.is_ipv4() == other.is_ipv4()
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

fn rule(index: usize, access: Access, problems: &Problems) -> Option<Rule> {
    let who = match &access.who {
        Some(written) => who::who(written, problems),
        None => {
            access.header.lacks("who", "[[access]] has no `who`", "add who = \"devices\", the clients with a certificate", problems);
            None
        }
    };
    if access.publish.is_empty() && access.subscribe.is_empty() {
        problems.at(
            &access.header.span,
            "[[access]] allows nothing",
            Some("add publish = [\"${device}/#\"] or subscribe = [\"${device}/#\"]".to_owned()),
        );
    }
    let publish = patterns(&access.publish, problems);
    let subscribe = patterns(&access.subscribe, problems);
    Some(Rule { name: format!("access rule {}", index + 1), who: who?, publish, subscribe })
}

fn patterns(written: &[At<String>], problems: &Problems) -> Vec<TopicPattern> {
    let read = |text: &At<String>| match TopicPattern::parse(&text.value) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            problems.at(&text.span, error.to_string(), None);
            None
        }
    };
    written.iter().filter_map(read).collect()
}
