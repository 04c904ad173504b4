//! Finds the master. The library's own search has time limits that cannot be set, and opens a connection only to look at a role.
//!
//! <https://redis.io/docs/latest/develop/reference/sentinel-clients/>: ask one sentinel after the other, connect to the master that it names, and see
//! whether it thinks so too.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};

use super::config::RedisAddress;
use super::connect::{Connector, Login};
use crate::source::Failure;

/// A connection to the master. The first sentinel whose word is true counts.
pub(super) async fn connect_to_master(
    connector: &Connector,
    sentinels: &[RedisAddress],
    master: &str,
    login: &Login<'_>,
) -> Result<MultiplexedConnection, Failure> {
    let mut failures = Vec::new();
    for sentinel in sentinels {
        match by_word_of(connector, sentinel, master, login).await {
            Ok(connection) => return Ok(connection),
            Err(Failure(words)) => failures.push(words),
        }
    }
    Err(Failure(format!("no sentinel leads to a master `{master}`: {}", failures.join("; "))))
}

async fn by_word_of(
    connector: &Connector,
    sentinel: &RedisAddress,
    master: &str,
    login: &Login<'_>,
) -> Result<MultiplexedConnection, Failure> {
    let limit = connector.config.connect_timeout;
    let late = |_| Failure(format!("{sentinel} says nothing for {limit:?}"));
    let address = tokio::time::timeout(limit, async {
        let mut connection = connector.open(sentinel, login).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
        let answer: Result<Option<(String, u16)>, RedisError> = question.query_async(&mut connection).await;
        match answer {
            Ok(Some((host, port))) => Ok(RedisAddress::Network { host, port }),
            Ok(None) => Err(Failure(format!("{sentinel} knows no master `{master}`"))),
            Err(error) => Err(Failure(format!("{sentinel} does not say where the master is: {error}"))),
        }
    });
    let address = address.await.map_err(late)??;
    let mut connection = connector.open_server(&address).await?;
    let question = redis::cmd("ROLE");
    let role = tokio::time::timeout(limit, question.query_async::<Value>(&mut connection)).await;
    let role = role.map_err(|_| Failure(format!("{address} does not say its role for {limit:?}")))?;
    match role {
        Ok(role) if is_master(&role) => Ok(connection),
        Ok(_) => Err(Failure(format!("{sentinel} says that {address} is the master, and it says that it is not"))),
        // Whoever may not ask takes the sentinel's word.
        Err(error) if error.code() == Some("NOPERM") => Ok(connection),
        Err(error) => Err(Failure(format!("{address} does not say its role: {error}"))),
    }
}

fn is_master(role: &Value) -> bool {
    let Value::Array(parts) = role else { return false };
    matches!(parts.first(), Some(Value::BulkString(name)) if name == b"master")
}
