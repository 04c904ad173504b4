//! One connection to one server, and what its errors mean.

use std::fmt;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode, PgTypeInfo};
use sqlx::{AssertSqlSafe, Column as _, ConnectOptions as _, Either, Executor as _, SqlSafeStr as _, Statement as _, TypeInfo as _};
use zeroize::Zeroizing;

use super::row::{SqlRow, is_readable_mysql, is_readable_postgres};
use super::{SqlAddress, SqlEngine, SqlError, SqlServer, SqlTls};
use crate::pool::Connect;
use crate::source::{BoxFuture, Failure};

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection does not work, or what was prepared on it does not any more: another one may.
    Connection(String),
    /// The data base cannot make anything of a value.
    BadValue(String),
    /// The query, the rights or the data base are wrong.
    Wrong(String),
}

/// Makes connections to one server.
pub(super) struct Connector {
    server: SqlServer,
    /// What was in the files.
    tls: Option<Material>,
}

/// PEM.
struct Material {
    authorities: Vec<u8>,
    /// Certificate and key.
    client: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
}

impl Material {
    /// `None`: no TLS.
    fn read(server: &SqlServer) -> Result<Option<Self>, SqlError> {
        let SqlTls::Required { ca_files, client } = &server.tls else { return Ok(None) };
        if matches!(server.address, SqlAddress::Socket { .. }) {
            return Err(SqlError("TLS is for servers that are reached by TCP, and this one is reached by a socket".to_owned()));
        }
        let read = |file: &Path| std::fs::read(file).map_err(|error| SqlError(format!("`{}` cannot be read: {error}", file.display())));
        let mut authorities = Vec::new();
        for file in ca_files {
            authorities.extend(read(file)?);
            authorities.push(b'\n');
        }
        let client = match client {
            Some((certificate, key)) => Some((read(certificate)?, Zeroizing::new(read(key)?))),
            None => None,
        };
        Ok(Some(Self { authorities, client }))
    }
}

/// A connection.
pub(super) enum Connection {
    PostgreSql(PgConnection),
    MySql(MySqlConnection),
}

impl Connector {
    pub(super) fn new(server: SqlServer) -> Result<Self, SqlError> {
        let tls = Material::read(&server)?;
        Ok(Self { server, tls })
    }

    /// Everything is said, because sqlx takes what is not from the environment.
    fn postgres(&self) -> PgConnectOptions {
        let server = &self.server;
        let mut options = PgConnectOptions::new_without_pgpass().database(&server.database).username(&server.username);
        options = options.password(&password(server)).application_name("signet");
        options = match &server.address {
            SqlAddress::Tcp { host, port } => options.host(host).port(*port),
            SqlAddress::Socket { path, port } => options.host("localhost").socket(path).port(*port),
        };
        options = match &self.tls {
            None => options.ssl_mode(PgSslMode::Disable),
            Some(Material { authorities, client }) => {
                options = options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(authorities.clone());
                match client {
                    Some((certificate, key)) => options.ssl_client_cert_from_pem(certificate).ssl_client_key_from_pem(key),
                    None => options,
                }
            }
        };
        options.disable_statement_logging()
    }

    fn mysql(&self) -> MySqlConnectOptions {
        let server = &self.server;
        let mut options = MySqlConnectOptions::new().database(&server.database).username(&server.username).charset("utf8mb4");
        if server.password.is_some() {
            options = options.password(&password(server));
        }
        options = match &server.address {
            SqlAddress::Tcp { host, port } => options.host(host).port(*port),
            SqlAddress::Socket { path, .. } => options.socket(path),
        };
        options = match &self.tls {
            None => options.ssl_mode(MySqlSslMode::Disabled),
            Some(Material { authorities, client }) => {
                options = options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca_from_pem(authorities.clone());
                match client {
                    Some((certificate, key)) => options.ssl_client_cert_from_pem(certificate).ssl_client_key_from_pem(key),
                    None => options,
                }
            }
        };
        options.disable_statement_logging()
    }

    async fn open(&self) -> Result<Connection, sqlx::Error> {
        let limit = self.server.query_timeout.as_millis().max(1);
        // Whoever has given up waiting should not leave the server working.
        match self.server.engine {
            SqlEngine::PostgreSql => {
                let mut connection = self.postgres().connect().await?;
                connection.execute(AssertSqlSafe(format!("SET statement_timeout = {limit}"))).await?;
                Ok(Connection::PostgreSql(connection))
            }
            SqlEngine::MySql => {
                let mut connection = self.mysql().connect().await?;
                // Each of the two reads its own comment: MariaDB counts in seconds, MySQL in milliseconds.
                let (seconds, rest) = (limit / 1000, limit % 1000);
                let set = format!(
                    "SET @signet = 1 /*M!100108 , SESSION max_statement_time = {seconds}.{rest:03} */ /*!50708 , SESSION max_execution_time = {limit} */"
                );
                connection.execute(AssertSqlSafe(set)).await?;
                Ok(Connection::MySql(connection))
            }
        }
    }
}

fn password(server: &SqlServer) -> String {
    server.password.as_ref().map(|password| String::from_utf8_lossy(password.expose()).into_owned()).unwrap_or_default()
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(formatter)
    }
}

impl Connect for Connector {
    type Connection = Connection;

    fn connect(&self) -> BoxFuture<'_, Result<Connection, Failure>> {
        Box::pin(async {
            let server = &self.server;
            self.open().await.map_err(|error| {
                let (Trouble::Connection(why) | Trouble::BadValue(why) | Trouble::Wrong(why)) = trouble(error);
                Failure(format!("no connection to {} at {}: {why}", server.engine.name(), server.address))
            })
        })
    }
}

impl Connection {
    /// The first rows of a prepared query, at most `maximum` of them.
    pub(super) async fn ask(&mut self, text: &Arc<str>, values: &[Option<String>], maximum: usize) -> Result<Answer, Trouble> {
        let sql = AssertSqlSafe(Arc::clone(text));
        match self {
            Self::PostgreSql(connection) => {
                let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(value.clone()));
                rows(connection.fetch_many(query), maximum, SqlRow::of_postgres).await
            }
            Self::MySql(connection) => {
                let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(value.clone()));
                rows(connection.fetch_many(query), maximum, SqlRow::of_mysql).await
            }
        }
    }

    /// The columns of a query and, where they are of a type that is not read, its name.
    pub(super) async fn describe(&mut self, text: &Arc<str>, values: usize) -> Result<Vec<(String, String)>, Trouble> {
        let sql = AssertSqlSafe(Arc::clone(text)).into_sql_str();
        match self {
            Self::PostgreSql(connection) => {
                // Values come as text, and the server has to know: it would take them for something else.
                let types: Vec<PgTypeInfo> = std::iter::repeat_n(<str as sqlx::Type<sqlx::Postgres>>::type_info(), values).collect();
                let statement = connection.prepare_with(sql, &types).await.map_err(trouble)?;
                let columns = statement.columns().iter();
                let name = |info: &PgTypeInfo| if is_readable_postgres(info) { String::new() } else { info.name().to_owned() };
                Ok(columns.map(|column| (column.name().to_owned(), name(column.type_info()))).collect())
            }
            Self::MySql(connection) => {
                let statement = connection.prepare(sql).await.map_err(trouble)?;
                let columns = statement.columns().iter();
                let name = |info: &sqlx::mysql::MySqlTypeInfo| if is_readable_mysql(info) { String::new() } else { info.name().to_owned() };
                Ok(columns.map(|column| (column.name().to_owned(), name(column.type_info()))).collect())
            }
        }
    }
}

/// What a query brought.
pub(super) struct Answer {
    /// The first rows.
    pub(super) rows: Vec<SqlRow>,
    /// Whether there were others.
    pub(super) has_more: bool,
    /// Whether all of it was read, so that the connection can be used for something else.
    pub(super) is_over: bool,
}

/// So many rows are read and thrown away, so that the connection can be kept.
const PASSED_OVER_MAXIMUM: usize = 100;

/// What sqlx gives rows with.
type Rows<'a, Q, R> = Pin<Box<dyn Stream<Item = Result<Either<Q, R>, sqlx::Error>> + Send + 'a>>;

/// Reads rows one by one: a query that brings all clients there are costs no memory.
async fn rows<Q, R>(
    mut stream: Rows<'_, Q, R>,
    maximum: usize,
    read: impl Fn(&R) -> Result<SqlRow, sqlx::Error>,
) -> Result<Answer, Trouble> {
    let (mut rows, mut passed_over) = (Vec::new(), 0);
    while let Some(next) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        match next.map_err(trouble)? {
            Either::Left(_) => {}
            Either::Right(row) if rows.len() < maximum => rows.push(read(&row).map_err(trouble)?),
            Either::Right(_) if passed_over < PASSED_OVER_MAXIMUM => passed_over += 1,
            Either::Right(_) => return Ok(Answer { rows, has_more: true, is_over: false }),
        }
    }
    Ok(Answer { rows, has_more: passed_over > 0, is_over: true })
}

/// What an error means. The words of sqlx and of the servers hold no password.
fn trouble(error: sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => of_database(error.as_ref()),
        sqlx::Error::Io(error) => Trouble::Connection(error.to_string()),
        sqlx::Error::Protocol(why) => Trouble::Connection(format!("the server does not speak as expected: {why}")),
        sqlx::Error::Tls(error) => Trouble::Connection(format!("TLS failed: {error}")),
        sqlx::Error::Configuration(error) => Trouble::Wrong(error.to_string()),
        error => Trouble::Wrong(error.to_string()),
    }
}

fn of_database(error: &dyn DatabaseError) -> Trouble {
    let code = error.code().unwrap_or_default();
    let number = error.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
    let shown = number.map_or_else(|| code.to_string(), |number| number.to_string());
    let message = format!("{} ({shown})", error.message());
    match number {
        // The session was ended: by a shutdown, an administrator, or because it was idle for long. Or the statement has to be prepared anew.
        Some(1053 | 1243 | 1615 | 1927 | 4031) => Trouble::Connection(message),
        // The value has characters that the column's character set does not have, or is no number or date.
        Some(1267 | 1292 | 1300 | 1366 | 1406 | 3854 | 3988) => Trouble::BadValue(message),
        Some(_) if code.starts_with("22") => Trouble::BadValue(message),
        Some(_) => Trouble::Wrong(message),
        // Class 08, connections; 57P, shutdown; a plan that does not fit the table any more, and a prepared statement that is gone.
        None if code.starts_with("08") || code.starts_with("57P") || matches!(&*code, "0A000" | "26000") => Trouble::Connection(message),
        // Class 22, data exceptions: a text that is no UUID, a number too large, a character that the data base cannot hold.
        None if code.starts_with("22") => Trouble::BadValue(message),
        // Operators and functions that do not take a text.
        None if code == "42883" => Trouble::Wrong(format!("{message}; values are text: write `${{username}}::integer`, or `column::text`")),
        None => Trouble::Wrong(message),
    }
}
