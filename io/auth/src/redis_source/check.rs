//! A look at Redis before somebody has to be asked about.

use redis::{RedisError, Value};

use super::command::RedisCommand;
use super::connections::RedisConnections;
use super::question::is_of_connection;
use crate::check::SourceCheck;

impl RedisConnections {
    /// Whether Redis can be asked, knows the command, and knows it as one that does not write; and whether it has the script that is named by its digest.
    /// Where this program may not ask for that it is taken to be so.
    pub(super) async fn check(&self, command: &RedisCommand) -> SourceCheck {
        let name = command.name();
        let info = match self.look(&["COMMAND", "INFO", name]).await {
            Ok(info) => info,
            Err(found) => return found,
        };
        if let Some(Value::Array(found)) = info {
            match found.first() {
                None | Some(Value::Nil) => {
                    return SourceCheck::Wrong(format!("Redis does not know `{name}`: this version has no such command"));
                }
                Some(Value::Array(known)) if is_flagged(known, "write") => {
                    return SourceCheck::Wrong(format!("Redis says that `{name}` writes"));
                }
                Some(_) => {}
            }
        }
        let Some(digest) = command.script_digest() else { return SourceCheck::Fine };
        match self.look(&["SCRIPT", "EXISTS", digest]).await {
            Err(found) => found,
            Ok(Some(Value::Array(found))) if matches!(found.as_slice(), [Value::Int(0)]) => {
                SourceCheck::Wrong(format!("Redis has no script `{digest}`: load it with SCRIPT LOAD, or write it out with EVAL_RO"))
            }
            Ok(_) => SourceCheck::Fine,
        }
    }

    /// What Redis says; nothing where it does not want to say.
    async fn look(&self, words: &[&str]) -> Result<Option<Value>, SourceCheck> {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let unreachable = |error: &RedisError| SourceCheck::Unreachable(error.to_string());
        match self.send(&words).await {
            Ok(Ok(value)) => Ok(Some(value)),
            Ok(Err(error)) if is_of_connection(&error) => Err(unreachable(&error)),
            Ok(Err(_)) => Ok(None),
            Err(failure) => Err(SourceCheck::Unreachable(failure.0)),
        }
    }
}

/// Whether a command has a flag, by what COMMAND INFO says: name, arity, flags, and more.
fn is_flagged(known: &[Value], wanted: &str) -> bool {
    let Some(Value::Array(flags) | Value::Set(flags)) = known.get(2) else { return false };
    flags.iter().any(|flag| match flag {
        Value::SimpleString(flag) => flag == wanted,
        Value::BulkString(flag) => flag == wanted.as_bytes(),
        _ => false,
    })
}
