//! `type = "redis"`, for authenticators, for access sources and for keys that devices share with the broker.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_auth::{
    Authenticator, Backend, BackendConfig, KeySource, PasswordAuthenticator, PasswordHash, Placeholders, RedisAddress, RedisCommand,
    RedisCommandError, RedisConfig, RedisConnections, RedisDeployment, RedisFields, RedisIdentity, RedisKeys, RedisLookup, RedisRecords,
    RedisRules, RedisTls, RuleSource, SourceCheck,
};
use zeroize::Zeroizing;

use super::super::problem::Problems;
use super::super::section::{At, Section};
use super::{AuthenticatorKind, KeySourceKind, SourceKind, Tools, password_hash, remote};
use crate::hint::plain;

/// Its name.
pub(super) const NAME: &str = "redis";

const SECOND: Duration = Duration::from_secs(1);

/// An authenticator.
#[derive(Debug)]
struct Users {
    servers: Servers,
    lookup: RedisLookup,
    hash: PasswordHash,
}

/// An access source.
#[derive(Debug)]
struct Rules {
    servers: Servers,
    command: RedisCommand,
    is_complete: bool,
}

/// One who has keys of devices.
#[derive(Debug)]
struct Keys {
    servers: Servers,
    command: RedisCommand,
}

/// Where Redis is; files are read when it is made.
#[derive(Debug)]
struct Servers {
    deployment: Deployment,
    addresses: Vec<RedisAddress>,
    tls: Option<Tls>,
    login: Login,
    database: u16,
    connect_timeout: Duration,
}

#[derive(Debug)]
enum Deployment {
    Single,
    Sentinel { master: String, login: Login },
    Cluster,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Sentinel,
    Cluster,
}

#[derive(Debug, Default)]
struct Login {
    username: Option<String>,
    password_file: Option<PathBuf>,
}

#[derive(Debug)]
struct Tls {
    trust: Vec<PathBuf>,
    identity: Option<remote::Identity>,
    server_name: Option<String>,
}

/// Reads the keys of an authenticator.
pub(super) fn read(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    let servers = Servers::read(section, base, problems);
    let hash = password_hash::read(section, PasswordHash::Auto, problems);
    let placeholders = placeholders(section);
    let command = command(section, "command", placeholders, problems);
    remote::missing(section, NAME, "command", "HMGET tls_domain:${cert.cn} password salt", problems);
    let superuser = command_if_written(section, "superuser_command", placeholders, problems);
    let names = |key| section.strings(key).map_or_else(Vec::new, |at| at.value.into_iter().map(|at| at.value.into()).collect());
    let name = |key| section.string(key).map(|at| at.value.into());
    let fields =
        RedisFields { positions: names("fields"), groups: name("groups"), expires_at: name("expire_at"), attributes: names("attributes") };
    let (at, superuser) = (command?, superuser?);
    let lookup = RedisLookup::new(at.value, superuser, fields).map_err(|error| complain(&at.span, "the command", &error, problems)).ok();
    Some(Arc::new(Users { servers: servers?, lookup: lookup?, hash: hash? }))
}

/// Reads the keys of an access source.
pub(super) fn read_source(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    let servers = Servers::read(section, base, problems);
    let command = command(section, "command", placeholders(section), problems);
    remote::missing(section, NAME, "command", "HGETALL mqtt_acl:${username}", problems);
    let is_complete = section.boolean("complete").is_some_and(|at| at.value);
    let at = command?;
    RedisRules::check_command(&at.value).map_err(|error| complain(&at.span, "the command", &error, problems)).ok()?;
    Some(Arc::new(Rules { servers: servers?, command: at.value, is_complete }))
}

/// Reads the keys of one who has keys of devices. Its only placeholder is `${device}`.
pub(super) fn read_keys(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn KeySourceKind>> {
    let servers = Servers::read(section, base, problems);
    let command = command(section, "command", Some(Placeholders::Signet), problems);
    remote::missing(section, NAME, "command", "HGET psk:${device} key", problems);
    let at = command?;
    RedisKeys::check_command(&at.value).map_err(|error| complain(&at.span, "the command", &error, problems)).ok()?;
    Some(Arc::new(Keys { servers: servers?, command: at.value }))
}

fn placeholders(section: &Section<'_>) -> Option<Placeholders> {
    let known = [("emqx4", Placeholders::Emqx4), ("emqx5", Placeholders::Emqx5), ("signet", Placeholders::Signet)];
    section.choice("placeholders", &known).map(|at| at.value)
}

fn command(section: &Section<'_>, key: &'static str, placeholders: Option<Placeholders>, problems: &Problems) -> Option<At<RedisCommand>> {
    let written = section.string(key)?;
    let command = RedisCommand::parse(&written.value, placeholders);
    let command = command.map_err(|error| complain(&written.span, &format!("`{key}`"), &error, problems)).ok()?;
    Some(At { value: command, span: written.span })
}

/// The same for one that need not be there; `None` if it is there and is none.
fn command_if_written(
    section: &Section<'_>,
    key: &'static str,
    placeholders: Option<Placeholders>,
    problems: &Problems,
) -> Option<Option<RedisCommand>> {
    let command = command(section, key, placeholders, problems);
    if command.is_none() && section.keys().iter().any(|known| known == key) {
        return None;
    }
    Some(command.map(|at| at.value))
}

fn complain(span: &std::ops::Range<usize>, what: &str, error: &RedisCommandError, problems: &Problems) {
    problems.at(span, format!("{what} {error}"), None);
}

impl Servers {
    fn read(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Self> {
        let known = [("single", Kind::Single), ("sentinel", Kind::Sentinel), ("cluster", Kind::Cluster)];
        let kind = section.choice("deployment", &known).map_or(Kind::Single, |at| at.value);
        let addresses = addresses(section, kind, problems);
        let master = section.string("master");
        let own = Login::read(section, ["username", "password_file"], base, problems);
        let sentinel = Login::read(section, ["sentinel_username", "sentinel_password_file"], base, problems);
        let database = section.number("database", 0, u64::from(u16::MAX));
        let connect_timeout = section.duration("connect_timeout", SECOND / 100, SECOND * 60).map_or(SECOND * 2, |at| at.value);
        let tls = Tls::read(section, kind, base, problems);
        if let Some(at) = database.as_ref().filter(|at| kind == Kind::Cluster && at.value != 0) {
            problems.at(&at.span, "a cluster has database 0 only", Some("leave `database` out".to_owned()));
        }
        if let Some(addresses) = &addresses
            && let Some(at) = addresses.iter().find(|at| matches!(at.value, RedisAddress::Unix(_)))
            && (kind == Kind::Cluster || matches!(tls, Some(Some(_))))
        {
            problems.at(&at.span, "a socket of this machine has no TLS and is in no cluster", None);
        }
        let deployment = match (kind, master) {
            (Kind::Sentinel, Some(master)) if !master.value.is_empty() => Deployment::Sentinel { master: master.value, login: sentinel? },
            (Kind::Sentinel, _) => {
                let hint = "add master = \"mymaster\", the name by which the sentinels know it";
                problems.at(&section.span, "deployment = \"sentinel\" without `master`", Some(hint.to_owned()));
                return None;
            }
            (_, Some(master)) => {
                section.misplaced(&master, "master", "only sentinels know masters by a name: add deployment = \"sentinel\"");
                return None;
            }
            (Kind::Single, None) => Deployment::Single,
            (Kind::Cluster, None) => Deployment::Cluster,
        };
        Some(Self {
            deployment,
            addresses: addresses?.into_iter().map(|at| at.value).collect(),
            tls: tls?,
            login: own?,
            database: database.map_or(0, |at| u16::try_from(at.value).unwrap_or(0)),
            connect_timeout,
        })
    }

    /// Reads the files and connects to nobody.
    fn connections(&self, backend: &BackendConfig) -> Result<Arc<RedisConnections>, String> {
        let mut addresses = self.addresses.clone();
        let deployment = match &self.deployment {
            Deployment::Single => RedisDeployment::Single { address: addresses.pop().ok_or("there is no address")? },
            Deployment::Cluster => RedisDeployment::Cluster { addresses },
            Deployment::Sentinel { master, login } => RedisDeployment::Sentinel {
                addresses,
                master: master.clone(),
                username: login.username.clone(),
                password: login.password()?,
            },
        };
        let config = RedisConfig {
            tls: self.tls.as_ref().map(Tls::load).transpose()?,
            username: self.login.username.clone(),
            password: self.login.password()?,
            database: self.database,
            connect_timeout: self.connect_timeout.min(backend.timeout),
            response_timeout: backend.timeout,
            connections_maximum: backend.concurrent_maximum,
            ..RedisConfig::new(deployment)
        };
        RedisConnections::new(config).map_err(|error| format!("the table {error}"))
    }

    fn files(&self) -> Vec<PathBuf> {
        let sentinel = match &self.deployment {
            Deployment::Sentinel { login, .. } => login.password_file.as_ref(),
            Deployment::Single | Deployment::Cluster => None,
        };
        let tls =
            self.tls.iter().flat_map(|tls| tls.trust.iter().chain(tls.identity.iter().flat_map(|(certificate, key)| [certificate, key])));
        self.login.password_file.iter().chain(sentinel).chain(tls).cloned().collect()
    }
}

fn addresses(section: &Section<'_>, kind: Kind, problems: &Problems) -> Option<Vec<At<RedisAddress>>> {
    let Some(written) = section.strings("addresses") else {
        remote::missing(section, NAME, "addresses", "127.0.0.1:6379", problems);
        return None;
    };
    let port = if kind == Kind::Sentinel { RedisAddress::SENTINEL_PORT } else { RedisAddress::PORT };
    if written.value.is_empty() || (kind == Kind::Single && written.value.len() > 1) {
        let hint = "one server has one address; for more add deployment = \"sentinel\" or \"cluster\"";
        problems.at(&written.span, format!("`addresses` has {} addresses", written.value.len()), Some(hint.to_owned()));
        return None;
    }
    let read = |at: &At<String>| match RedisAddress::parse(&at.value, port) {
        Ok(address) => Some(At { value: address, span: at.span.clone() }),
        Err(error) => {
            problems.at(&at.span, error.to_string(), None);
            None
        }
    };
    let addresses: Vec<_> = written.value.iter().map(read).collect();
    addresses.into_iter().collect()
}

impl Login {
    fn read(section: &Section<'_>, keys: [&'static str; 2], base: &Path, problems: &Problems) -> Option<Self> {
        let [username, password] = keys;
        let (name, file) = (section.string(username), section.string(password));
        if let (Some(at), None) = (&name, &file) {
            problems.at(
                &at.span,
                format!("`{username}` without `{password}`"),
                Some(format!("add `{password}`, a file with the password")),
            );
            return None;
        }
        Some(Self { username: name.map(|at| at.value), password_file: file.map(|at| base.join(at.value)) })
    }

    fn password(&self) -> Result<Option<Zeroizing<String>>, String> {
        self.password_file.as_deref().map(remote::password).transpose()
    }
}

impl Tls {
    /// `None`: reported.
    fn read(section: &Section<'_>, kind: Kind, base: &Path, problems: &Problems) -> Option<Option<Self>> {
        let is_tls = section.choice("transport", &[("tcp", false), ("tls", true)]).is_some_and(|at| at.value);
        let server_name = section.string("server_name");
        let (trust, identity) = remote::tls(section, is_tls, base, problems)?;
        let hint = if is_tls {
            "each server of a cluster has to have the name by which the cluster knows it"
        } else {
            "it needs transport = \"tls\""
        };
        if let Some(at) = server_name.as_ref().filter(|_| !is_tls || kind == Kind::Cluster) {
            section.misplaced(at, "server_name", hint);
            return None;
        }
        Some(is_tls.then(|| Self { trust, identity, server_name: server_name.map(|at| at.value) }))
    }

    fn load(&self) -> Result<RedisTls, String> {
        let read = |file: &PathBuf| std::fs::read(file).map_err(|error| format!("cannot read `{}`: {}", file.display(), plain(&error)));
        let mut authorities = Vec::new();
        for file in &self.trust {
            authorities.extend(read(file)?);
            authorities.push(b'\n');
        }
        let identity = match &self.identity {
            None => None,
            Some((certificate, key)) => Some(RedisIdentity { certificate: read(certificate)?, key: read(key)?.into() }),
        };
        Ok(RedisTls { authorities, identity, server_name: self.server_name.clone() })
    }
}

impl AuthenticatorKind for Users {
    fn make(&self, backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        let records = Arc::new(RedisRecords::new(self.servers.connections(backend.config())?, self.lookup.clone()));
        let looked_at = Arc::clone(&records);
        SourceCheck::report(&backend, async move { looked_at.check().await });
        Ok(Arc::new(PasswordAuthenticator::new(records, backend, self.hash.clone(), tools.hashing.clone())))
    }

    fn check(&self) -> Result<(), String> {
        self.servers.connections(&BackendConfig::new(NAME, NAME)).map(drop)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.servers.files()
    }
}

impl SourceKind for Rules {
    fn make(&self, backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn RuleSource>, String> {
        let connections = self.servers.connections(backend.config())?;
        let rules = RedisRules::new(connections, self.command.clone(), self.is_complete, Arc::clone(&backend));
        let rules = Arc::new(rules.map_err(|error| format!("the command {error}"))?);
        let looked_at = Arc::clone(&rules);
        SourceCheck::report(&backend, async move { looked_at.check().await });
        Ok(rules)
    }

    fn check(&self) -> Result<(), String> {
        self.servers.connections(&BackendConfig::new(NAME, NAME)).map(drop)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.servers.files()
    }
}

impl KeySourceKind for Keys {
    fn make(&self, backend: Arc<Backend>) -> Result<Arc<dyn KeySource>, String> {
        let connections = self.servers.connections(backend.config())?;
        let keys = RedisKeys::new(connections, self.command.clone(), Arc::clone(&backend));
        let keys = Arc::new(keys.map_err(|error| format!("the command {error}"))?);
        let looked_at = Arc::clone(&keys);
        SourceCheck::report(&backend, async move { looked_at.check().await });
        Ok(keys)
    }

    fn check(&self) -> Result<(), String> {
        self.servers.connections(&BackendConfig::new(NAME, NAME)).map(drop)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.servers.files()
    }
}

#[cfg(test)]
mod tests;
