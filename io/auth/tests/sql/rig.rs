//! One of the two servers, with a table of clients.

use std::sync::Arc;
use std::time::Duration;

use signet_auth::{
    Backend, BackendConfig, HashingPool, PasswordAuthenticator, PasswordHash, SqlAddress, SqlColumns, SqlEngine, SqlPool, SqlRecords,
    SqlServer, SqlStatement, SqlTls,
};
use signet_mqtt::Password;
use signet_testkit::{MariadbServer, PostgresServer};

/// The query of most tests.
pub(crate) const QUERY: &str = "SELECT password_hash, is_superuser FROM mqtt_user WHERE username = ${username} LIMIT 1";

/// A server.
pub(crate) enum Rig {
    Postgres(PostgresServer),
    Mariadb(MariadbServer),
}

impl Rig {
    /// One with the clients `ann` (password `secret`), `root` (password `root`, may do everything) and `nobody`, who has no password. The user `signet`
    /// may read them.
    pub(crate) fn start(engine: SqlEngine) -> Self {
        let rig = match engine {
            SqlEngine::PostgreSql => Self::Postgres(PostgresServer::start()),
            SqlEngine::MySql => Self::Mariadb(MariadbServer::start()),
        };
        rig.fill();
        rig
    }

    pub(crate) fn fill(&self) {
        match self {
            Self::Postgres(server) => {
                server.execute("CREATE USER signet PASSWORD 'sesame'; GRANT CREATE, USAGE ON SCHEMA public TO signet");
            }
            Self::Mariadb(server) => {
                server.execute("CREATE USER signet@'%' IDENTIFIED BY 'sesame'; GRANT SELECT ON mqtt.* TO signet@'%'");
            }
        }
        self.execute(
            "CREATE TABLE mqtt_user (username VARCHAR(100) PRIMARY KEY, password_hash VARCHAR(100), salt VARCHAR(40), is_superuser BOOLEAN, \
             team VARCHAR(40), member_of VARCHAR(100), ends BIGINT)",
        );
        self.execute("INSERT INTO mqtt_user VALUES ('ann', 'secret', NULL, false, 'blue', 'a, b', 1900000000)");
        self.execute(
            "INSERT INTO mqtt_user VALUES ('root', 'root', '', true, NULL, NULL, NULL), ('nobody', NULL, '', false, NULL, NULL, NULL)",
        );
        if let Self::Postgres(server) = self {
            server.execute("GRANT SELECT ON mqtt_user TO signet");
        }
    }

    pub(crate) fn engine(&self) -> SqlEngine {
        match self {
            Self::Postgres(_) => SqlEngine::PostgreSql,
            Self::Mariadb(_) => SqlEngine::MySql,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Postgres(server) => server.port(),
            Self::Mariadb(server) => server.port(),
        }
    }

    pub(crate) fn execute(&self, statements: &str) -> String {
        match self {
            Self::Postgres(server) => server.execute(statements),
            Self::Mariadb(server) => server.execute(statements),
        }
    }

    /// The same, and signet may read the new table.
    pub(crate) fn table(&self, name: &str, statement: &str) {
        self.execute(statement);
        if let Self::Postgres(server) = self {
            server.execute(&format!("GRANT SELECT ON {name} TO signet"));
        }
    }

    pub(crate) fn stop(&mut self) {
        match self {
            Self::Postgres(server) => server.stop(),
            Self::Mariadb(server) => server.stop(),
        }
    }

    pub(crate) fn start_again(&mut self) {
        match self {
            Self::Postgres(server) => server.start_again(),
            Self::Mariadb(server) => server.start_again(),
        }
    }

    /// How signet reaches it.
    pub(crate) fn server(&self) -> SqlServer {
        SqlServer {
            engine: self.engine(),
            address: SqlAddress::Tcp { host: "127.0.0.1".to_owned(), port: self.port() },
            database: if self.engine() == SqlEngine::MySql { "mqtt" } else { "postgres" }.to_owned(),
            username: "signet".to_owned(),
            password: Some(Password::new("sesame")),
            tls: SqlTls::Off,
            pool_size: 8,
            connect_timeout: Duration::from_secs(60),
            query_timeout: Duration::from_secs(60),
        }
    }

    pub(crate) fn statement(&self, query: &str) -> SqlStatement {
        SqlStatement::parse(self.engine(), query).unwrap()
    }

    /// Passwords as they are, found by a query.
    pub(crate) fn users(&self, query: &str) -> PasswordAuthenticator {
        self.users_at(self.server(), query, crate::people::patient(self.engine().name()))
    }

    pub(crate) fn users_at(&self, server: SqlServer, query: &str, config: BackendConfig) -> PasswordAuthenticator {
        let records = SqlRecords::new(SqlPool::new(server).unwrap(), self.statement(query), SqlColumns::default()).unwrap();
        PasswordAuthenticator::new(Arc::new(records), Backend::new(config), PasswordHash::Plain, HashingPool::new(4))
    }
}

/// Runs a test against both.
macro_rules! against_both {
    ($(#[$attribute:meta])* $name:ident) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(crate::rig::Rig::start(signet_auth::SqlEngine::PostgreSql)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                super::$name(crate::rig::Rig::start(signet_auth::SqlEngine::MySql)).await;
            }
        }
    };
}
pub(crate) use against_both;
