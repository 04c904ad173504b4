//! Who has to vouch for clients, and who has rules about them: `[authentication]`, `[[authenticator]]`,
//! `[[access_source]]`, and who has their keys: `[[psk_lookup]]`.
//!
//! What all types have in common is read here; each type reads its own keys in a file of its name and gives a [`AuthenticatorKind`], [`SourceKind`]
//! or [`KeySourceKind`], which makes the real thing when the broker starts.

mod acl_file;
mod chain;
mod common;
mod condition;
mod endpoint;
mod exposure;
mod http;
mod jwt;
mod ldap;
mod password_file;
mod password_hash;
mod redis;
mod remote;
mod scram;
mod services;
mod sql;
#[cfg(test)]
mod testing;
mod users;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_auth::{AccessAsker, Authenticator, Backend, BackendConfig, DynamicSecurity, HashingPool, KeySource, RuleSource, UserStore};
use signet_policy::{AccessSource, Chain, Otherwise, ProvenNames, Who};

use super::problem::{Problems, suggestion};
use super::section::{At, Section};
pub(crate) use chain::profiles_named;
pub(crate) use services::{DynamicSecurityFiles, Services};

/// An authenticator of one type, as it is configured.
pub(crate) trait AuthenticatorKind: fmt::Debug + Send + Sync {
    /// Makes it. Runs inside of the runtime, and must not wait for whoever is not there.
    ///
    /// # Errors
    /// In words: a file that cannot be read, a key that is none.
    fn make(&self, backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn Authenticator>, String>;

    /// Whether it can be made, as far as that shows without anybody being asked; for `signet check`.
    ///
    /// # Errors
    /// As [`Self::make`].
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Files that are read when it is made: a change of one is taken over like a reload.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Whether there has to be a `[dynamic_security]`.
    fn needs_dynamic_security(&self) -> bool {
        false
    }
}

/// An access source of one type, as it is configured.
pub(crate) trait SourceKind: fmt::Debug + Send + Sync {
    /// Makes it, as [`AuthenticatorKind::make`].
    ///
    /// # Errors
    /// In words.
    fn make(&self, backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn RuleSource>, String>;

    /// What stands for it among the access rules: rules about each client, which [`Self::make`] gives somebody to ask for. A type that has its rules in
    /// a file, or that is asked about each topic, says so here.
    ///
    /// # Errors
    /// In words: a file that cannot be read, or that has no rules in it.
    fn access_source(&self, name: &Arc<str>, dynamic_security: Option<&Arc<DynamicSecurity>>) -> Result<AccessSource, String> {
        let _ = dynamic_security;
        let name = Arc::clone(name);
        Ok(if self.is_asked_each_time() { AccessSource::Asked(name) } else { AccessSource::Fetched(name) })
    }

    /// Whether it can be made, as [`AuthenticatorKind::check`], or read.
    ///
    /// # Errors
    /// In words.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }

    /// Whether it is asked each time a client wants to do something, in place of having rules: then it is [`Self::make_asker`] that makes it.
    fn is_asked_each_time(&self) -> bool {
        false
    }

    /// Makes one that is asked each time, as [`Self::make`].
    ///
    /// # Errors
    /// In words.
    fn make_asker(&self, backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn AccessAsker>, String> {
        let _ = (backend, tools);
        Err("it has rules about clients, and is not asked each time".to_owned())
    }

    /// Whether it has rules about each client.
    fn is_fetched(&self) -> bool {
        true
    }

    /// As [`AuthenticatorKind::files`].
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// As [`AuthenticatorKind::needs_dynamic_security`].
    fn needs_dynamic_security(&self) -> bool {
        false
    }
}

/// One who has pre-shared keys of devices, as it is configured.
pub(crate) trait KeySourceKind: fmt::Debug + Send + Sync {
    /// Makes it, as [`AuthenticatorKind::make`].
    ///
    /// # Errors
    /// In words.
    fn make(&self, backend: Arc<Backend>) -> Result<Arc<dyn KeySource>, String>;

    /// Whether it can be made, as [`AuthenticatorKind::check`].
    ///
    /// # Errors
    /// In words.
    fn check(&self) -> Result<(), String>;

    /// As [`AuthenticatorKind::files`].
    fn files(&self) -> Vec<PathBuf>;
}

/// What those who vouch may need of the program.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    /// Computes password hashes.
    pub(crate) hashing: HashingPool,
    /// The built-in users.
    pub(crate) users: Arc<UserStore>,
    /// Dynamic security, if it was there when the broker started.
    pub(crate) dynamic_security: Option<Arc<DynamicSecurity>>,
}

/// Reads the keys of one type. What makes no sense is reported; the result is then missing.
type Reader<T> = fn(&Section<'_>, &Path, &Problems) -> Option<Arc<T>>;

/// Every type of authenticator, by its name.
const AUTHENTICATORS: &[(&str, Reader<dyn AuthenticatorKind>)] = &[
    (condition::NAME, condition::read),
    (services::NAME, services::read),
    (ldap::NAME, ldap::read),
    (sql::MYSQL, sql::read_mysql),
    (http::NAME, http::read),
    (jwt::NAME, jwt::read),
    (password_file::NAME, password_file::read),
    (sql::POSTGRESQL, sql::read_postgresql),
    (redis::NAME, redis::read),
    (scram::NAME, scram::read),
    (users::NAME, users::read),
];

/// Every type of access source, by its name.
const SOURCES: &[(&str, Reader<dyn SourceKind>)] = &[
    (acl_file::MOSQUITTO, acl_file::mosquitto),
    (acl_file::EMQX, acl_file::emqx),
    (services::NAME, services::read_source),
    (http::NAME, http::read_source),
    (ldap::NAME, ldap::read_source),
    (redis::NAME, redis::read_source),
    (sql::MYSQL, sql::read_mysql_source),
    (sql::POSTGRESQL, sql::read_postgresql_source),
];

/// Every type of those who have keys, by its name.
const KEY_SOURCES: &[(&str, Reader<dyn KeySourceKind>)] = &[(redis::NAME, redis::read_keys)];

/// Everything about who vouches for clients, as it is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Authentication {
    /// For listeners that have no chain of their own; `None`: a certificate is enough.
    pub(crate) chain: Option<Arc<Chain>>,
    /// Names that listeners believe that do not say so themselves.
    pub(crate) believed: ProvenNames,
    pub(crate) authenticators: Vec<AuthenticatorConfig>,
    /// Names of authenticators whose own table is reported already: chains that name them are not wrong for that.
    unreadable: Vec<Arc<str>>,
    pub(crate) sources: Vec<SourceConfig>,
    pub(crate) key_sources: Vec<KeySourceConfig>,
    /// Password hashes that are computed at a time.
    pub(crate) hashing_threads: usize,
    /// How long the rules of access sources count for a client that is connected; `None`: as long as it is.
    pub(crate) rules_last: Option<Duration>,
    /// What clients may ask of the broker by messages.
    pub(crate) services: Services,
}

/// One `[[authenticator]]`.
#[derive(Debug, Clone)]
pub(crate) struct AuthenticatorConfig {
    pub(crate) name: Arc<str>,
    /// Where it stands, for what goes wrong when it is made.
    pub(crate) place: Range<usize>,
    pub(crate) backend: BackendConfig,
    pub(crate) kind: Arc<dyn AuthenticatorKind>,
    when: Option<Who>,
    on_deny: Otherwise,
    on_unknown: Otherwise,
    on_failure: Otherwise,
}

/// One `[[access_source]]`.
#[derive(Debug, Clone)]
pub(crate) struct SourceConfig {
    pub(crate) name: Arc<str>,
    pub(crate) place: Range<usize>,
    pub(crate) backend: BackendConfig,
    pub(crate) kind: Arc<dyn SourceKind>,
    /// About whom it has something to say; `None`: everybody.
    when: Option<Who>,
}

/// One `[[psk_lookup]]`.
#[derive(Debug, Clone)]
pub(crate) struct KeySourceConfig {
    pub(crate) name: Arc<str>,
    pub(crate) place: Range<usize>,
    pub(crate) backend: BackendConfig,
    pub(crate) kind: Arc<dyn KeySourceKind>,
}

/// A chain as it is written: of `[authentication]` or of a listener.
pub(crate) type WrittenChain = At<Vec<At<String>>>;

/// Everything as it is written, the tables read already: only chains need to know all names.
#[derive(Debug, Default)]
pub(crate) struct Written {
    chain: Option<WrittenChain>,
    believe: Option<At<Vec<At<String>>>>,
    authenticators: Vec<AuthenticatorConfig>,
    unreadable: Vec<Arc<str>>,
    sources: Vec<SourceConfig>,
    key_sources: Vec<KeySourceConfig>,
    hashing_threads: Option<At<u64>>,
    rules_last: Option<At<Duration>>,
    services: Services,
}

impl Written {
    /// Reads all tables of the file.
    pub(crate) fn read(top: &Section<'_>, base: &Path, problems: &Problems) -> Self {
        let mut written = Self { services: Services::read(top, base), ..Self::default() };
        if let Some(section) = top.section("authentication") {
            written.chain = section.strings("chain");
            written.believe = section.strings("believe");
            written.hashing_threads = section.number("hashing_threads", 1, 64);
            written.rules_last = section.duration("access_refresh", Duration::from_secs(1), Duration::from_secs(86_400));
            section.finish();
        }
        for section in top.sections("authenticator") {
            match authenticator(&section, base, problems) {
                Ok(read) => written.authenticators.push(read),
                Err(name) => written.unreadable.push(name),
            }
            section.finish();
        }
        for section in top.sections("access_source") {
            let read = source(&section, base, problems);
            section.finish();
            written.sources.extend(read);
        }
        for section in top.sections("psk_lookup") {
            let read = key_source(&section, base, problems);
            section.finish();
            written.key_sources.extend(read);
        }
        check_names(&written, problems);
        written
    }

    /// The chain for all listeners.
    pub(crate) fn chain(&self) -> Option<&WrittenChain> {
        self.chain.as_ref()
    }

    /// Gives everything but the listeners' own chains its meaning.
    pub(crate) fn resolve(self, problems: &Problems) -> Authentication {
        let mut resolved = Authentication {
            chain: None,
            believed: self.believe.as_ref().map_or_else(ProvenNames::default, |at| super::identity::believe(at, problems)),
            authenticators: self.authenticators,
            unreadable: self.unreadable,
            sources: self.sources,
            key_sources: self.key_sources,
            hashing_threads: self.hashing_threads.map_or(2, |at| usize::try_from(at.value).unwrap_or(2)),
            rules_last: Some(self.rules_last.map_or(Duration::from_secs(60), |at| at.value)),
            services: self.services,
        };
        resolved.check_dynamic_security(problems);
        resolved.chain = self.chain.and_then(|written| resolved.chain_of(&written, problems));
        resolved
    }
}

impl Authentication {
    /// Reports what is to ask dynamic security, where there is none.
    fn check_dynamic_security(&self, problems: &Problems) {
        if self.services.dynamic_security.is_some() {
            return;
        }
        let authenticators = self.authenticators.iter().filter(|config| config.kind.needs_dynamic_security()).map(|config| &config.place);
        let sources = self.sources.iter().filter(|config| config.kind.needs_dynamic_security()).map(|config| &config.place);
        for place in authenticators.chain(sources) {
            let hint = "add a table [dynamic_security] with file = \"dynamic-security.json\"".to_owned();
            problems.at(place, "there is no [dynamic_security] to ask", Some(hint));
        }
    }

    /// Reports what cannot be made.
    pub(super) fn check(&self, problems: &Problems) {
        self.services.check(problems);
        for authenticator in &self.authenticators {
            if let Err(why) = authenticator.kind.check() {
                problems.at(&authenticator.place, why, None);
            }
        }
        for source in &self.sources {
            if let Err(why) = source.kind.check() {
                problems.at(&source.place, why, None);
            }
        }
        for keys in &self.key_sources {
            if let Err(why) = keys.kind.check() {
                problems.at(&keys.place, why, None);
            }
        }
    }

    /// The name of the `[[psk_lookup]]` that a listener names. What is not there is reported.
    pub(super) fn key_source(&self, written: &At<String>, problems: &Problems) -> Option<Arc<str>> {
        let found = self.key_sources.iter().find(|keys| *keys.name == *written.value);
        if found.is_none() {
            let names: Vec<&str> = self.key_sources.iter().map(|keys| &*keys.name).collect();
            let hint = if names.is_empty() { "add a table [[psk_lookup]]".to_owned() } else { suggestion(&written.value, &names) };
            problems.at(&written.span, format!("there is no [[psk_lookup]] `{}`", written.value), Some(hint));
        }
        found.map(|keys| Arc::clone(&keys.name))
    }

    /// The access sources, in order, as they stand behind the access rules. Files are read anew.
    ///
    /// # Errors
    /// One of them cannot be read: its name, and why.
    pub(crate) fn access_sources(
        &self,
        dynamic_security: Option<&Arc<DynamicSecurity>>,
    ) -> Result<Vec<(Option<Who>, AccessSource)>, String> {
        let made = |source: &SourceConfig| {
            let made = source.kind.access_source(&source.name, dynamic_security).map(|made| (source.when.clone(), made));
            made.map_err(|why| format!("[[access_source]] `{}`: {why}", source.name))
        };
        self.sources.iter().map(made).collect()
    }

    /// Whether somebody may put clients into groups.
    pub(super) fn gives_groups(&self) -> bool {
        let gives = [ldap::NAME, sql::MYSQL, sql::POSTGRESQL, redis::NAME, jwt::NAME, scram::NAME, users::NAME];
        !self.unreadable.is_empty() || self.authenticators.iter().any(|config| gives.contains(&config.backend.kind))
    }

    /// The files whose change is taken over like a reload.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let authenticators = self.authenticators.iter().flat_map(|authenticator| authenticator.kind.files());
        let sources = self.sources.iter().flat_map(|source| source.kind.files());
        authenticators.chain(sources).chain(self.key_sources.iter().flat_map(|keys| keys.kind.files())).collect()
    }
}

/// `Err`: it was reported, and this would have been its name.
fn authenticator(section: &Section<'_>, base: &Path, problems: &Problems) -> Result<AuthenticatorConfig, Arc<str>> {
    let common = common::Common::read(section, "[[authenticator]]", problems);
    let when = section.string("when").and_then(|written| super::who::who(&written, problems));
    let otherwise = [("deny", Otherwise::Deny), ("continue", Otherwise::Continue)];
    let on_deny = section.choice("on_deny", &otherwise).map_or(Otherwise::Deny, |at| at.value);
    let on_unknown = section.choice("on_unknown", &otherwise).map_or(Otherwise::Continue, |at| at.value);
    let on_failure = section.choice("on_failure", &otherwise).map_or(Otherwise::Deny, |at| at.value);
    let Some((kind, read)) = reader(section, "[[authenticator]]", AUTHENTICATORS, problems) else {
        return Err(common.name("").into());
    };
    let settings = read(section, base, problems);
    let name = common.name(kind);
    if chain::BUILT_IN.iter().any(|(known, _)| *known == name) || name.starts_with("certificate:") || name.contains(" and ") {
        let hint = "`certificate`, `psk`, `anonymous`, `everyone`, `no_username` and `nobody` are always there, and ` and ` joins names; choose another name";
        problems.at(&common.place, format!("an authenticator cannot be called `{name}`"), Some(hint.to_owned()));
    }
    let Some(kind_settings) = settings else { return Err(name.into()) };
    Ok(AuthenticatorConfig {
        backend: common.backend(&name, kind),
        place: common.place,
        name: name.into(),
        kind: kind_settings,
        when,
        on_deny,
        on_unknown,
        on_failure,
    })
}

fn source(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<SourceConfig> {
    let common = common::Common::read(section, "[[access_source]]", problems);
    let when = section.string("when").and_then(|written| super::who::who(&written, problems));
    let (kind, read) = reader(section, "[[access_source]]", SOURCES, problems)?;
    let settings = read(section, base, problems);
    let name = common.name(kind);
    Some(SourceConfig { backend: common.backend(&name, kind), place: common.place, name: name.into(), kind: settings?, when })
}

fn key_source(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<KeySourceConfig> {
    let common = common::Common::read(section, "[[psk_lookup]]", problems);
    let (kind, read) = reader(section, "[[psk_lookup]]", KEY_SOURCES, problems)?;
    let settings = read(section, base, problems);
    let name = common.name(kind);
    // An authenticator of this type may have the same name, and numbers of both are told apart by name and type.
    Some(KeySourceConfig { backend: common.backend(&name, "psk_lookup"), place: common.place, name: name.into(), kind: settings? })
}

/// What reads the keys of the type that the table names.
fn reader<T: ?Sized>(
    section: &Section<'_>,
    table: &str,
    known: &'static [(&'static str, Reader<T>)],
    problems: &Problems,
) -> Option<(&'static str, Reader<T>)> {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let Some(written) = section.string("type") else {
        if !section.keys().iter().any(|key| key == "type") {
            problems.at(&section.span, format!("{table} has no `type`"), Some(format!("there are {}", names.join(", "))));
        }
        return None;
    };
    match known.iter().find(|(name, _)| *name == written.value) {
        Some(found) => Some(*found),
        None => {
            problems.at(&written.span, format!("there is no type `{}`", written.value), Some(suggestion(&written.value, &names)));
            None
        }
    }
}

/// Names must lead to one only. Access sources, authenticators and those who have keys are told apart by where they stand.
fn check_names(written: &Written, problems: &Problems) {
    let authenticators: Vec<_> = written.authenticators.iter().map(|config| (&config.name, &config.place)).collect();
    let sources: Vec<_> = written.sources.iter().map(|config| (&config.name, &config.place)).collect();
    let key_sources: Vec<_> = written.key_sources.iter().map(|config| (&config.name, &config.place)).collect();
    for (what, named) in [("authenticators", authenticators), ("access sources", sources), ("tables [[psk_lookup]]", key_sources)] {
        for (index, (name, place)) in named.iter().enumerate() {
            if named.iter().take(index).any(|(other, _)| other == name) {
                let hint = "give each its own `name`".to_owned();
                problems.at(place, format!("two {what} are called `{name}`"), Some(hint));
            }
        }
    }
}
