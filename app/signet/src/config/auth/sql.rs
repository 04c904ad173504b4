//! `type = "postgresql"` and `type = "mysql"`, for authenticators and for access sources.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_auth::{
    Authenticator, Backend, PasswordAuthenticator, PasswordHash, RuleSource, SourceCheck, SqlAddress, SqlColumns, SqlEngine, SqlPool,
    SqlRecords, SqlRules, SqlServer, SqlStatement, SqlTls,
};
use signet_identity::PlaceholderStyle;

use super::super::problem::Problems;
use super::super::section::Section;
use super::remote::{Address, Remote, required};
use super::{AuthenticatorKind, SourceKind, Tools, password_hash};

/// Their names.
pub(super) const POSTGRESQL: &str = "postgresql";
pub(super) const MYSQL: &str = "mysql";

/// An authenticator.
#[derive(Debug)]
struct Users {
    database: Database,
    statement: SqlStatement,
    columns: SqlColumns,
    hash: PasswordHash,
}

/// An access source.
#[derive(Debug)]
struct Rules {
    database: Database,
    statement: SqlStatement,
    style: PlaceholderStyle,
}

/// Where the data base is.
#[derive(Debug)]
struct Database {
    engine: SqlEngine,
    remote: Remote<bool>,
    username: String,
    name: String,
}

/// Reads the keys of an authenticator with PostgreSQL.
pub(super) fn read_postgresql(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    read(SqlEngine::PostgreSql, section, base, problems)
}

/// Reads the keys of an authenticator with MySQL.
pub(super) fn read_mysql(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    read(SqlEngine::MySql, section, base, problems)
}

/// Reads the keys of an access source with PostgreSQL.
pub(super) fn read_postgresql_source(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    read_source(SqlEngine::PostgreSql, section, base, problems)
}

/// Reads the keys of an access source with MySQL.
pub(super) fn read_mysql_source(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    read_source(SqlEngine::MySql, section, base, problems)
}

fn read(engine: SqlEngine, section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    let database = Database::read(engine, section, base, problems);
    let hash = password_hash::read(section, PasswordHash::Auto, problems);
    let example = "SELECT password_hash, salt, is_superuser FROM mqtt_user WHERE username = ${username} LIMIT 1";
    let statement = statement(engine, section, example, problems);
    let attributes = section.strings("attributes").map_or_else(Vec::new, |list| list.value.into_iter().map(|at| at.value.into()).collect());
    let column = |key| section.string(key).map(|at| at.value.into());
    let columns = SqlColumns { attributes, groups: column("groups"), expires_at: column("expire_at") };
    Some(Arc::new(Users { database: database?, statement: statement?, columns, hash: hash? }))
}

fn read_source(engine: SqlEngine, section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    let database = Database::read(engine, section, base, problems);
    let example = "SELECT permission, action, topic, qos, retain FROM mqtt_acl WHERE username = ${username}";
    let statement = statement(engine, section, example, problems);
    let style = placeholders(section);
    let statement = statement?;
    Some(Arc::new(Rules { database: database?, style: style.unwrap_or_else(|| statement.style()), statement }))
}

/// Whose placeholders the topics of rules are written with.
pub(super) fn placeholders(section: &Section<'_>) -> Option<PlaceholderStyle> {
    let known = [("emqx4", PlaceholderStyle::Emqx4), ("emqx5", PlaceholderStyle::Emqx5)];
    section.choice("placeholders", &known).map(|at| at.value)
}

fn statement(engine: SqlEngine, section: &Section<'_>, example: &str, problems: &Problems) -> Option<SqlStatement> {
    let written = required(section, engine.name(), "query", example, problems)?;
    match SqlStatement::parse(engine, &written.value) {
        Ok(statement) => Some(statement),
        Err(error) => {
            problems.at(&written.span, error.to_string(), None);
            None
        }
    }
}

impl Database {
    fn read(engine: SqlEngine, section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Self> {
        let port = if engine == SqlEngine::PostgreSql { 5432 } else { 3306 };
        let remote = Remote::read(section, engine.name(), &[("tcp", (false, port)), ("tls", (true, port))], base, problems);
        let name = required(section, engine.name(), "database", "mqtt", problems);
        let remote = remote?;
        let Some(username) = remote.username.clone() else {
            let message = format!("a table of type \"{}\" has no `username`", engine.name());
            problems.at(&section.span, message, Some("add username = \"signet\", and `password_file`".to_owned()));
            return None;
        };
        if remote.transport && matches!(remote.address, Address::Unix(_)) {
            problems.at(&section.span, "a socket of this machine has no TLS", Some("leave `transport` out".to_owned()));
            return None;
        }
        Some(Self { engine, remote, username, name: name?.value })
    }

    /// Reads the files and connects to nobody.
    fn pool(&self, backend: &Backend) -> Result<Arc<SqlPool>, String> {
        let (remote, config) = (&self.remote, backend.config());
        let address = match &remote.address {
            Address::Network { host, port } => SqlAddress::Tcp { host: host.clone(), port: *port },
            Address::Unix(path) => SqlAddress::Socket { path: path.clone(), port: 5432 },
        };
        let tls = match remote.transport {
            false => SqlTls::Off,
            true => SqlTls::Required { ca_files: remote.trust.clone(), client: remote.identity.clone() },
        };
        let server = SqlServer {
            engine: self.engine,
            address,
            database: self.name.clone(),
            username: self.username.clone(),
            password: remote.password()?,
            tls,
            pool_size: config.concurrent_maximum,
            connect_timeout: remote.connect_timeout(config.timeout),
            query_timeout: config.timeout,
        };
        SqlPool::new(server).map_err(|error| error.to_string())
    }
}

impl Users {
    fn records(&self, backend: &Backend) -> Result<SqlRecords, String> {
        let pool = self.database.pool(backend)?;
        SqlRecords::new(pool, self.statement.clone(), self.columns.clone()).map_err(|error| error.to_string())
    }
}

impl AuthenticatorKind for Users {
    fn make(&self, backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        let records = Arc::new(self.records(&backend)?);
        let looked_at = Arc::clone(&records);
        SourceCheck::report(&backend, async move { looked_at.check().await });
        Ok(Arc::new(PasswordAuthenticator::new(records, backend, self.hash.clone(), tools.hashing.clone())))
    }

    fn check(&self) -> Result<(), String> {
        let backend = Backend::new(signet_auth::BackendConfig::new(self.database.engine.name(), self.database.engine.name()));
        self.records(&backend).map(drop)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.database.remote.files()
    }
}

impl SourceKind for Rules {
    fn make(&self, backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn RuleSource>, String> {
        let pool = self.database.pool(&backend)?;
        let name = Arc::clone(&backend.config().name);
        let rules = Arc::new(SqlRules::new(name, pool, self.statement.clone(), self.style, Arc::clone(&backend)));
        let looked_at = Arc::clone(&rules);
        SourceCheck::report(&backend, async move { looked_at.check().await });
        Ok(rules)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.database.remote.files()
    }
}

#[cfg(test)]
mod tests;
