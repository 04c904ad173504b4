//! The configuration as it is meant: complete, checked, paths made absolute to the file. The only form the rest of the program sees.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_mosquitto::Notice;
use signet_mqtt::QoS;
use signet_net::ListenAddress;
use signet_policy::{Conditions, Effect, QosSet, Rule, TopicPattern};
use signet_server::ServerConfig;
use signet_sources::SourceLimits;

use super::auth::Authentication;
use super::bridge::{self, Bridge};
use super::file::{Access, File};
use super::limits::Limits;
use super::listener::Listener;
use super::log::LogConfig;
use super::mentions::Known;
use super::origin::Origin;
use super::problem::{Problems, suggestion};
use super::process::Process;
use super::section::At;
use super::store::Store;
use super::telemetry::Telemetry;
use super::trust::Profile;
use super::who;

/// A whole configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) source: Source,
    pub(crate) data_dir: PathBuf,
    pub(crate) log: LogConfig,
    pub(crate) process: Process,
    pub(crate) admin_socket: PathBuf,
    pub(crate) ca: CaConfig,
    pub(crate) limits: Limits,
    pub(crate) telemetry: Telemetry,
    /// Trust profiles, those that listeners make by their own keys among them.
    pub(crate) profiles: Vec<Profile>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) authentication: Authentication,
    /// Empty when no rule was written: then everything is allowed to whoever may connect.
    pub(crate) rules: Vec<Rule>,
    pub(crate) bridges: Vec<Bridge>,
    pub(crate) revocation: RevocationConfig,
    pub(crate) store: Store,
}

/// Where a configuration came from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// To be read again.
    pub(crate) origin: Origin,
    /// What its user should know, where it was written for another program.
    pub(crate) notices: Vec<Notice>,
    /// Where the command line wants the secrets of TLS connections, whatever the file says.
    pub(crate) key_log: Option<PathBuf>,
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
        let trusted: Vec<(Option<String>, Option<String>)> = file.trust.iter().map(super::trust::Written::names).collect();
        let mut profiles: Vec<Profile> = file.trust.into_iter().filter_map(|written| Profile::resolve(written, &base, problems)).collect();
        let named =
            file.authentication.chain().into_iter().chain(file.listeners.iter().filter_map(|listener| listener.authentication.as_ref()));
        let named: Vec<At<String>> = named.flat_map(super::auth::profiles_named).collect();
        let authentication = file.authentication.resolve(problems);
        let mut known = Known {
            listeners: file.listeners.iter().enumerate().map(|(index, listener)| listener.name(index)).collect(),
            profiles: trusted.iter().filter_map(|(name, _)| name.clone()).collect(),
            tenants: trusted.into_iter().filter_map(|(_, tenant)| tenant).collect(),
            has_given_groups: authentication.gives_groups(),
        };
        let listeners = resolve_listeners(file.listeners, &mut profiles, (&base, &authentication), problems);
        check_profiles(&profiles, &listeners, problems);
        check_chains(&named, &profiles, problems);
        let rules = file.access.into_iter().enumerate().filter_map(|(index, access)| rule(index, access, problems)).collect();
        known.profiles.extend(profiles.iter().map(|profile| profile.name.to_string()));
        known.check(problems);
        Self {
            source: Source { origin: Origin::Native(path.to_owned()), notices: Vec::new(), key_log: None },
            log: file.log,
            process: file.process,
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
            profiles,
            listeners,
            authentication,
            rules,
            revocation: RevocationConfig::resolve(&file.revocation),
            store: file.store,
        }
    }
}

impl Config {
    /// The same with the secrets of TLS connections in this file, if one is named, whatever the configuration says.
    pub(crate) fn with_key_log(mut self, path: Option<&Path>) -> Self {
        let Some(path) = path else { return self };
        for listener in &mut self.listeners {
            listener.write_secrets_to(path);
        }
        self.source.key_log = Some(path.to_owned());
        self
    }

    /// Keeps everything below another directory than the one it says, if the places of other things were not written themselves.
    pub(super) fn move_data(&mut self, directory: PathBuf) {
        for place in [&mut self.admin_socket, &mut self.ca.dir, &mut self.ca.crl] {
            if let Ok(below) = place.strip_prefix(&self.data_dir) {
                *place = directory.join(below);
            } else if place.is_relative() {
                *place = directory.join(&*place);
            }
        }
        self.data_dir = directory;
    }
}

fn at_base(base: &Path, written: Option<&At<String>>, default: &str) -> PathBuf {
    base.join(written.map_or(default, |at| at.value.as_str()))
}

/// What holds for every revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RevocationConfig {
    /// Whether the Will of a device that is not believed any more is published.
    pub(crate) publish_will: bool,
    /// Whether its session stays for its next certificate.
    pub(crate) keep_session: bool,
    /// Refused connections that are kept for whoever asks.
    pub(crate) refusals_kept: usize,
    /// Audit records that are kept.
    pub(crate) audit_kept: u64,
    /// What lists and answers from elsewhere may cost.
    pub(crate) limits: SourceLimits,
}

impl RevocationConfig {
    fn resolve(written: &super::file::Revocation) -> Self {
        let count =
            |at: &Option<At<u64>>, default: usize| at.as_ref().map_or(default, |at| usize::try_from(at.value).unwrap_or(usize::MAX));
        let limits = SourceLimits::default();
        Self {
            publish_will: written.publish_will.as_ref().is_none_or(|at| at.value),
            keep_session: written.keep_session.as_ref().is_none_or(|at| at.value),
            refusals_kept: count(&written.refusals_kept, ServerConfig::REFUSALS_KEPT),
            audit_kept: written.audit_kept.as_ref().map_or(100_000, |at| at.value),
            limits: SourceLimits {
                maximum_size: count(&written.list_size_maximum, limits.maximum_size),
                urls_from_certificates: count(&written.addresses_maximum, limits.urls_from_certificates),
                concurrent_fetches: count(&written.fetches_maximum, limits.concurrent_fetches),
                ocsp_answers: count(&written.ocsp_answers_maximum, limits.ocsp_answers),
                asked_at_once: count(&written.ocsp_questions_maximum, limits.asked_at_once),
            },
        }
    }
}

/// Names must lead somewhere, and to one profile only.
fn check_profiles(profiles: &[Profile], listeners: &[Listener], problems: &Problems) {
    for (index, profile) in profiles.iter().enumerate() {
        // Two listeners of one name were reported as such.
        let listeners_of_name = listeners.iter().filter(|listener| *listener.name == *profile.name).count();
        if listeners_of_name < 2 && profiles.iter().take(index).any(|other| other.name == profile.name) {
            let hint = "give each its own `name`; a listener with `trust` of its own has a profile of the listener's name";
            problems.at(&profile.place, format!("two trust profiles are called `{}`", profile.name), Some(hint.to_owned()));
        }
    }
    let names: Vec<&str> = profiles.iter().map(|profile| &*profile.name).collect();
    for at in listeners.iter().flat_map(Listener::profiles) {
        if !names.contains(&&*at.value) {
            let hint = suggestion(&at.value, &names);
            problems.at(&at.span, format!("there is no trust profile `{}`", at.value), Some(hint));
        }
    }
}

/// Trust profiles that chains name have to be there.
fn check_chains(named: &[At<String>], profiles: &[Profile], problems: &Problems) {
    for at in named.iter().filter(|at| !profiles.iter().any(|profile| *profile.name == *at.value)) {
        let names: Vec<&str> = profiles.iter().map(|profile| &*profile.name).collect();
        problems.at(&at.span, format!("there is no trust profile `{}`", at.value), Some(suggestion(&at.value, &names)));
    }
}

fn resolve_listeners(
    files: Vec<super::file::Listener>,
    profiles: &mut Vec<Profile>,
    (base, authentication): (&Path, &Authentication),
    problems: &Problems,
) -> Vec<Listener> {
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
        let Some((listener, profile)) = Listener::resolve(file, index, (base, authentication), problems) else { continue };
        profiles.extend(profile);
        if names.insert(listener.name.clone(), ()).is_some() {
            problems.at(&place, format!("two listeners are called `{}`", listener.name), Some("give each its own `name`".to_owned()));
        }
        for (address, written) in listener.bind.iter().zip(&listener.bind_places) {
            if address.port() == Some(0) {
                continue;
            }
            if let Some((taken, other)) = addresses.iter().find(|(taken, _)| collide(taken, address)) {
                let message = if taken == address {
                    format!("`{address}` is bound twice, listener `{other}` has it already")
                } else {
                    format!("`{address}` cannot be bound beside `{taken}` of listener `{other}`: one of them stands for every address")
                };
                problems.at(written, message, Some("give one of them another port".to_owned()));
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
        let message = match access.effect {
            Effect::Allow => "[[access]] allows nothing",
            Effect::Deny => "[[access]] denies nothing",
        };
        problems.at(&access.header.span, message, Some("add publish = [\"${device}/#\"] or subscribe = [\"${device}/#\"]".to_owned()));
    }
    let publish = patterns(&access.publish, problems);
    let subscribe = patterns(&access.subscribe, problems);
    for (key, at) in [("retain", &access.retain), ("will", &access.will)] {
        if let Some(at) = at.as_ref().filter(|_| access.publish.is_empty()) {
            let hint = "it is about messages that a client sends; add `publish`, or remove it";
            problems.at(&at.span, format!("`{key}` has no meaning without `publish`"), Some(hint.to_owned()));
        }
    }
    let qos = access.qos.map(|at| at.value.into_iter().filter_map(qos).collect::<QosSet>());
    let name = access.name.map_or_else(|| format!("access rule {}", index + 1), |at| format!("access rule `{}`", at.value));
    let conditions =
        Conditions { qos: qos.filter(|set| !set.is_all()), retain: access.retain.map(|at| at.value), will: access.will.map(|at| at.value) };
    Some(Rule { name, effect: access.effect, who: who?, publish, subscribe, conditions })
}

fn qos(level: u64) -> Option<QoS> {
    match level {
        0 => Some(QoS::AtMostOnce),
        1 => Some(QoS::AtLeastOnce),
        2 => Some(QoS::ExactlyOnce),
        _ => None,
    }
}

pub(super) fn patterns(written: &[At<String>], problems: &Problems) -> Vec<TopicPattern> {
    let read = |text: &At<String>| match TopicPattern::parse(&text.value) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            problems.at(&text.span, error.to_string(), None);
            None
        }
    };
    written.iter().filter_map(read).collect()
}
