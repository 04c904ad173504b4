//! `type = "ldap"`, for authenticators and for access sources.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_auth::{
    Authenticator, Backend, LdapAttributes, LdapAuthenticator, LdapDirectory, LdapDn, LdapFilter, LdapProof, LdapRuleAttributes, LdapRules,
    LdapScope, LdapSearch, LdapSecurity, LdapServer, LdapWho, PasswordHash, RuleSource, SourceCheck,
};
use signet_identity::PlaceholderStyle;

use super::super::problem::Problems;
use super::super::section::{At, Section};
use super::remote::{Address, Remote, missing};
use super::sql::placeholders;
use super::{AuthenticatorKind, SourceKind, Tools, password_hash};

/// Its name.
pub(super) const NAME: &str = "ldap";

/// An authenticator.
#[derive(Debug)]
struct Users {
    remote: Remote<LdapSecurity>,
    proof: LdapProof,
    attributes: LdapAttributes,
}

/// An access source.
#[derive(Debug)]
struct Rules {
    remote: Remote<LdapSecurity>,
    search: LdapSearch,
    attributes: LdapRuleAttributes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Bind,
    Search,
}

/// Reads the keys of an authenticator.
pub(super) fn read(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    let remote = remote(section, base, problems);
    let attributes = attributes(section);
    let proof = proof(section, problems);
    Some(Arc::new(Users { remote: remote?, proof: proof?, attributes }))
}

/// Reads the keys of an access source.
pub(super) fn read_source(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    let remote = remote(section, base, problems);
    let attributes = rule_attributes(section);
    let search = Search::read(section).resolve(section, problems);
    Some(Arc::new(Rules { remote: remote?, search: search?, attributes }))
}

fn remote(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Remote<LdapSecurity>> {
    let transports = [("tcp", (LdapSecurity::Off, 389)), ("starttls", (LdapSecurity::StartTls, 389)), ("tls", (LdapSecurity::Tls, 636))];
    let remote = Remote::read(section, NAME, &transports, base, problems)?;
    if remote.username.is_some() && remote.password_file.is_none() {
        problems.at(&section.span, "`username` without `password_file`", Some("add `password_file`, a file with its password".to_owned()));
        return None;
    }
    if remote.transport != LdapSecurity::Off && remote.trust.is_empty() {
        let hint = "add trust = [\"directory-ca.pem\"], or the file with the authorities of the system".to_owned();
        problems.at(&section.span, "LDAP over TLS has no `trust`", Some(hint));
        return None;
    }
    if matches!(remote.address, Address::Unix(_)) {
        problems.at(&section.span, "LDAP is reached by TCP", Some("write address = \"127.0.0.1:389\"".to_owned()));
        return None;
    }
    Some(remote)
}

fn proof(section: &Section<'_>, problems: &Problems) -> Option<LdapProof> {
    let methods = [("bind", Method::Bind), ("search", Method::Search)];
    let method = section.choice("method", &methods).map_or(Method::Bind, |at| at.value);
    let dn = section.string("dn");
    let search = Search::read(section);
    let hash = password_hash::read(section, PasswordHash::Auto, problems);
    let attribute = section.string("password_attribute");
    if method == Method::Search {
        if let Some(at) = &dn {
            section.misplaced(at, "dn", "method = \"search\" finds entries by `base_dn` and `filter`");
            return None;
        }
        let attribute = attribute.map_or_else(|| "userPassword".into(), |at| at.value.into());
        return Some(LdapProof::Password { search: search.resolve(section, problems)?, attribute, hash: hash? });
    }
    if let Some(at) = &attribute {
        section.misplaced(at, "password_attribute", "only method = \"search\" reads passwords");
        return None;
    }
    let Some(dn) = dn else { return Some(LdapProof::Bind(LdapWho::Search(search.resolve(section, problems)?))) };
    if let Some((key, at)) =
        [("base_dn", &search.base), ("filter", &search.filter)].into_iter().find_map(|(key, at)| Some((key, at.as_ref()?)))
    {
        section.misplaced(at, key, "with `dn` nothing is searched for");
        return None;
    }
    Some(LdapProof::Bind(LdapWho::Dn(parsed(&dn, LdapDn::parse, problems)?)))
}

/// How entries are found, as it is written.
struct Search {
    base: Option<At<String>>,
    filter: Option<At<String>>,
    scope: LdapScope,
}

impl Search {
    fn read(section: &Section<'_>) -> Self {
        let scopes = [("base", LdapScope::Base), ("one", LdapScope::One), ("subtree", LdapScope::Subtree)];
        let scope = section.choice("scope", &scopes).map_or(LdapScope::Subtree, |at| at.value);
        Self { base: section.string("base_dn"), filter: section.string("filter"), scope }
    }

    fn resolve(self, section: &Section<'_>, problems: &Problems) -> Option<LdapSearch> {
        let examples = [("base_dn", &self.base, "ou=devices,dc=example,dc=org"), ("filter", &self.filter, "(uid=${username})")];
        for (key, written, example) in examples {
            if written.is_none() {
                missing(section, NAME, key, example, problems);
            }
        }
        let base = self.base.and_then(|at| parsed(&at, LdapDn::parse, problems));
        let filter = self.filter.and_then(|at| parsed(&at, LdapFilter::parse, problems));
        Some(LdapSearch { base: base?, scope: self.scope, filter: filter? })
    }
}

fn parsed<T, E: ToString>(at: &At<String>, parse: impl FnOnce(&str) -> Result<T, E>, problems: &Problems) -> Option<T> {
    parse(&at.value).map_err(|error| problems.at(&at.span, error.to_string(), None)).ok()
}

fn attributes(section: &Section<'_>) -> LdapAttributes {
    let name = |key| section.string(key).map(|at| at.value.into());
    let rules = rule_attributes(section);
    LdapAttributes {
        superuser: name("superuser_attribute"),
        groups: name("groups_attribute"),
        attributes: section.strings("attributes").map_or_else(Vec::new, |list| list.value.into_iter().map(|at| at.value.into()).collect()),
        rules: section.boolean("rules").is_some_and(|at| at.value).then_some(rules),
    }
}

fn rule_attributes(section: &Section<'_>) -> LdapRuleAttributes {
    let default = LdapRuleAttributes::default();
    let name = |key, default: Arc<str>| section.string(key).map_or(default, |at| at.value.into());
    LdapRuleAttributes {
        publish: name("publish_attribute", default.publish),
        subscribe: name("subscribe_attribute", default.subscribe),
        all: name("all_attribute", default.all),
        rule: name("rule_attribute", default.rule),
        style: placeholders(section).unwrap_or(PlaceholderStyle::Emqx5),
    }
}

/// Reads the files and connects to nobody.
fn directory(remote: &Remote<LdapSecurity>, backend: &Backend) -> Result<Arc<LdapDirectory>, String> {
    let (host, port) = match &remote.address {
        Address::Network { host, port } if host.contains(':') => (format!("[{host}]"), *port),
        Address::Network { host, port } => (host.clone(), *port),
        Address::Unix(_) => return Err("LDAP is reached by TCP".to_owned()),
    };
    let config = backend.config();
    let server = LdapServer {
        host,
        port,
        security: remote.transport,
        ca_files: remote.trust.clone(),
        client: remote.identity.clone(),
        account: remote.username.clone().zip(remote.password()?),
        pool_size: config.concurrent_maximum,
        connect_timeout: remote.connect_timeout(config.timeout),
        query_timeout: config.timeout,
    };
    LdapDirectory::new(server).map_err(|error| error.to_string())
}

impl AuthenticatorKind for Users {
    fn make(&self, backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        let directory = directory(&self.remote, &backend)?;
        let looked_at = Arc::clone(&directory);
        SourceCheck::report(&backend, async move { looked_at.check().await });
        let name = Arc::clone(&backend.config().name);
        let made = LdapAuthenticator::new(name, directory, self.proof.clone(), self.attributes.clone(), backend, tools.hashing.clone());
        Ok(Arc::new(made.map_err(|error| error.to_string())?))
    }

    fn check(&self) -> Result<(), String> {
        let backend = Backend::new(signet_auth::BackendConfig::new(NAME, NAME));
        directory(&self.remote, &backend).map(drop)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.remote.files()
    }
}

impl SourceKind for Rules {
    fn make(&self, backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn RuleSource>, String> {
        let directory = directory(&self.remote, &backend)?;
        let looked_at = Arc::clone(&directory);
        SourceCheck::report(&backend, async move { looked_at.check().await });
        let name = Arc::clone(&backend.config().name);
        Ok(Arc::new(LdapRules::new(name, directory, self.search.clone(), self.attributes.clone(), backend)))
    }

    fn files(&self) -> Vec<PathBuf> {
        self.remote.files()
    }
}

#[cfg(test)]
mod tests;
