//! Asks the servers of one configuration.
//!
//! A connection serves one question at a time and goes back when it was answered. A question that is given up takes its connection with it: an answer that
//! comes late is never taken for the next one's. How many questions there are at a time is the backend's business, and so nothing queues here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, RedisError, Value};

use super::config::{RedisConfig, RedisConfigError, RedisDeployment};
use super::connect::{Connector, Link};
use super::question::{Answer, is_of_connection, judge};
use crate::pool::{Held, Pool};
use crate::source::Failure;

/// After this time the sentinels are asked again who the master is: one that was cut off from the others would go on answering.
const MASTER_MAXIMUM_AGE: Duration = Duration::from_secs(30);

/// Connections to the servers of one configuration.
pub struct RedisConnections(Kind);

enum Kind {
    /// To one server, or to the one that is the master.
    Servers {
        pool: Pool<Connector>,
        age_maximum: Duration,
    },
    Cluster(Cluster),
}

struct Cluster {
    client: ClusterClient,
    /// One for all: it sends what is for one server over one connection, and has several servers. With its number.
    connection: tokio::sync::Mutex<(u64, Option<ClusterConnection>)>,
}

impl RedisConnections {
    /// Checks what can be checked without asking anybody. Nobody is connected to before the first question.
    ///
    /// # Errors
    /// What cannot be used, and why.
    pub fn new(config: RedisConfig) -> Result<Arc<Self>, RedisConfigError> {
        let connector = Connector::new(config)?;
        let config = &connector.config;
        let (maximum, limit) = (config.connections_maximum, config.connect_timeout);
        let kind = match &config.deployment {
            RedisDeployment::Cluster { addresses } => {
                let client = connector.cluster_client(addresses);
                let client = client.map_err(|error| RedisConfigError(format!("cannot be used: {error}")))?;
                Kind::Cluster(Cluster { client, connection: tokio::sync::Mutex::default() })
            }
            // The connector keeps to the limit, and says who did not answer; the pool is there for what it overlooks.
            RedisDeployment::Single { .. } => {
                Kind::Servers { pool: Pool::new(connector, maximum, limit.saturating_mul(2)), age_maximum: Duration::MAX }
            }
            RedisDeployment::Sentinel { addresses, .. } => {
                // Each of them may take that long, and whom it names, for a connection and for his role.
                let all = limit.saturating_mul(u32::try_from(addresses.len() * 4).unwrap_or(u32::MAX));
                Kind::Servers { pool: Pool::new(connector, maximum, all), age_maximum: MASTER_MAXIMUM_AGE }
            }
        };
        Ok(Arc::new(Self(kind)))
    }

    /// Asks. Has to be called within a tokio runtime.
    pub(super) async fn ask(&self, words: &[Vec<u8>], is_script: bool) -> Result<Answer, Failure> {
        judge(self.send(words).await?, is_script)
    }

    /// What is said, errors of the server included.
    pub(super) async fn send(&self, words: &[Vec<u8>]) -> Result<Result<Value, RedisError>, Failure> {
        let mut command = Cmd::new();
        for word in words {
            command.arg(word.as_slice());
        }
        match &self.0 {
            Kind::Servers { pool, age_maximum } => ask_server(pool, *age_maximum, &command).await,
            Kind::Cluster(cluster) => cluster.ask(&command).await,
        }
    }
}

/// Over a connection that is there, and if that turns out to be dead, over a new one: all commands only read, so that twice is as good as once.
async fn ask_server(pool: &Pool<Connector>, age_maximum: Duration, command: &Cmd) -> Result<Result<Value, RedisError>, Failure> {
    let mut held = take(pool, age_maximum).await?;
    let mut answer = command.query_async::<Value>(&mut held.connection.connection).await;
    if held.was_used && answer.as_ref().err().is_some_and(is_of_connection) {
        // The server has gone, and so the others are dead too.
        drop(held);
        pool.clear();
        held = take(pool, age_maximum).await?;
        answer = command.query_async::<Value>(&mut held.connection.connection).await;
    }
    if !answer.as_ref().err().is_some_and(is_of_connection) {
        held.give_back();
    }
    Ok(answer)
}

/// Takes a connection that is not too old.
async fn take(pool: &Pool<Connector>, age_maximum: Duration) -> Result<Held<'_, Connector>, Failure> {
    loop {
        let held = pool.take().await?;
        let Link { made, .. } = &held.connection;
        if !held.was_used || made.elapsed() < age_maximum {
            return Ok(held);
        }
    }
}

impl Cluster {
    async fn ask(&self, command: &Cmd) -> Result<Result<Value, RedisError>, Failure> {
        let (number, mut connection) = {
            let mut shared = self.connection.lock().await;
            let connection = match &shared.1 {
                Some(connection) => connection.clone(),
                None => {
                    let connection = self.client.get_async_connection().await;
                    let connection = connection.map_err(|error| Failure(format!("no server of the cluster can be asked: {error}")))?;
                    *shared = (shared.0.wrapping_add(1), Some(connection.clone()));
                    connection
                }
            };
            (shared.0, connection)
        };
        let answer = command.query_async::<Value>(&mut connection).await;
        if answer.as_ref().err().is_some_and(is_of_connection) {
            let mut shared = self.connection.lock().await;
            // Whoever comes next begins anew with the addresses of the configuration.
            if shared.0 == number {
                shared.1 = None;
            }
        }
        Ok(answer)
    }
}

impl fmt::Debug for RedisConnections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Servers { pool, .. } => formatter.debug_tuple("RedisConnections").field(pool).finish(),
            Kind::Cluster(_) => formatter.debug_struct("RedisConnections").finish_non_exhaustive(),
        }
    }
}
