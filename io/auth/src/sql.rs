//! PostgreSQL and MySQL (MariaDB): one query that finds a client's password, one that finds its rules.
//!
//! Queries are prepared, and whatever comes from a client goes beside them as text: no value ever becomes part of a query.

mod connection;
mod row;
mod rules;
mod source;
mod statement;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signet_mqtt::Password;

use crate::check::SourceCheck;
use crate::pool::Pool;
use crate::source::Failure;
use connection::{Answer, Connector, Trouble};
use row::SqlRow;

pub use rules::SqlRules;
pub use source::{SqlColumns, SqlRecords};
pub use statement::{SqlError, SqlStatement};

/// Which data base it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlEngine {
    /// PostgreSQL, or one that speaks like it.
    PostgreSql,
    /// MySQL or MariaDB.
    MySql,
}

impl SqlEngine {
    /// In one word, as in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PostgreSql => "postgresql",
            Self::MySql => "mysql",
        }
    }
}

/// Where a data base server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlAddress {
    /// Over TCP.
    Tcp {
        /// Name or address, which the certificate has to carry where TLS is used.
        host: String,
        /// Port.
        port: u16,
    },
    /// On the same machine: MySQL's socket, or the directory of PostgreSQL's with its port.
    Socket {
        /// The path.
        path: PathBuf,
        /// The port in the name of PostgreSQL's socket; 5432 if not said.
        port: u16,
    },
}

/// How the connection is protected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SqlTls {
    /// It is not.
    #[default]
    Off,
    /// By TLS, with a certificate of the server that is checked, its name too. Files are read once.
    Required {
        /// PEM files with certificates of authorities, besides those that are known to the public.
        ca_files: Vec<PathBuf>,
        /// PEM files with our certificate and its key, for a server that wants one.
        client: Option<(PathBuf, PathBuf)>,
    },
}

/// A data base server, and how it is reached.
#[derive(Debug, Clone)]
pub struct SqlServer {
    /// What it is.
    pub engine: SqlEngine,
    /// Where it is.
    pub address: SqlAddress,
    /// The data base there.
    pub database: String,
    /// Who we are there.
    pub username: String,
    /// Our password there, UTF-8.
    pub password: Option<Password>,
    /// How the connection is protected.
    pub tls: SqlTls,
    /// Connections at a time; at least one.
    pub pool_size: usize,
    /// How long it may take to make one.
    pub connect_timeout: Duration,
    /// How long the server works on one question before it gives up by itself: what a question may take.
    pub query_timeout: Duration,
}

/// Connections to one server, for all who ask there.
#[derive(Debug)]
pub struct SqlPool {
    engine: SqlEngine,
    pool: Pool<Connector>,
}

/// What a query brought.
#[derive(Debug)]
pub(crate) enum Found {
    /// The first rows, at most as many as wanted, and whether there are more.
    Rows {
        /// The rows.
        rows: Vec<SqlRow>,
        /// Whether there are more.
        has_more: bool,
    },
    /// The data base cannot make anything of a value that came from the client. Nobody has a name like that there.
    BadValue(String),
}

/// How often connections that were kept open may turn out to be dead: once, then all of them are closed.
const ATTEMPTS: u32 = 2;

impl SqlPool {
    /// Connects when the first question comes.
    ///
    /// # Errors
    /// A file for TLS that cannot be read.
    pub fn new(server: SqlServer) -> Result<Arc<Self>, SqlError> {
        let (engine, size, timeout) = (server.engine, server.pool_size, server.connect_timeout);
        Ok(Arc::new(Self { engine, pool: Pool::new(Connector::new(server)?, size, timeout) }))
    }

    /// What it is.
    #[must_use]
    pub fn engine(&self) -> SqlEngine {
        self.engine
    }

    /// Asks. Connections that were open and have died meanwhile, as when the server was restarted, are replaced once.
    pub(crate) async fn ask(&self, statement: &SqlStatement, values: &[Option<String>], maximum: usize) -> Result<Found, Failure> {
        let mut attempt = 1;
        loop {
            let mut held = self.pool.take().await?;
            let trouble = match held.connection.ask(statement.text(), values, maximum).await {
                Ok(Answer { rows, has_more, is_over }) => {
                    if is_over {
                        held.give_back();
                    }
                    return Ok(Found::Rows { rows, has_more });
                }
                Err(trouble) => trouble,
            };
            match trouble {
                Trouble::BadValue(why) => {
                    held.give_back();
                    return Ok(Found::BadValue(why));
                }
                Trouble::Connection(_) if held.was_used && attempt < ATTEMPTS => {
                    drop(held);
                    self.pool.clear();
                    attempt += 1;
                }
                Trouble::Connection(why) | Trouble::Wrong(why) => return Err(Failure(why)),
            }
        }
    }

    /// Lets the server look at a query, on a connection of its own, and at the columns that it brings.
    pub(crate) async fn check(&self, statement: &SqlStatement, columns: impl Fn(&[(String, String)]) -> Result<(), String>) -> SourceCheck {
        let mut held = match self.pool.take().await {
            Ok(held) => held,
            Err(failure) => return SourceCheck::Unreachable(failure.0),
        };
        match held.connection.describe(statement.text(), statement.value_count()).await {
            Ok(found) => {
                held.give_back();
                columns(&found).map_or_else(SourceCheck::Wrong, |()| SourceCheck::Fine)
            }
            Err(Trouble::Connection(why)) => SourceCheck::Unreachable(why),
            Err(Trouble::Wrong(why) | Trouble::BadValue(why)) => SourceCheck::Wrong(why),
        }
    }
}

impl fmt::Display for SqlAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(formatter, "{host}:{port}"),
            Self::Socket { path, .. } => path.display().fmt(formatter),
        }
    }
}
