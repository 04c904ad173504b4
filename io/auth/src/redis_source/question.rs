//! What an answer of Redis means: a value, an entry that is no use, or that Redis cannot be asked.

use redis::{ErrorKind, RedisError, Value};

use crate::source::Failure;

/// What Redis said.
#[derive(Debug)]
pub(super) enum Answer {
    /// This.
    Value(Value),
    /// That what is there for this client is no use, in words. The backend is well: one client's entry, which the client may have chosen by the name that
    /// it claims, does not make it fail for others.
    Unusable(String),
}

/// Whether the connection is at fault, or the server behind it no longer the right one. A server that knows what it says does not count.
pub(super) fn is_of_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {
            matches!(error.code(), Some("LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "READONLY" | "NOAUTH" | "MOVED"))
        }
        _ => true,
    }
}

/// Puts an error where it belongs.
pub(super) fn judge(answer: Result<Value, RedisError>, is_script: bool) -> Result<Answer, Failure> {
    let error = match answer {
        Ok(value) => return Ok(Answer::Value(value)),
        Err(error) => error,
    };
    let advice = match error.code() {
        Some("WRONGTYPE") => return Ok(Answer::Unusable("its key holds something else than the command reads".to_owned())),
        // An error in a script may be one in the data of one client.
        Some("ERR") if is_script => return Ok(Answer::Unusable(format!("the script failed: {error}"))),
        Some("NOAUTH") => "; Redis wants a password: set `password`, and `username` unless it is the default user",
        Some("NOPERM") => "; allow the user of this program the command and the keys",
        Some("NOSCRIPT") => "; load the script with SCRIPT LOAD after each start of Redis, or write it out with EVAL_RO",
        Some("LOADING") => "; it is starting",
        _ => "",
    };
    Err(Failure(format!("Redis did not answer: {error}{advice}")))
}
