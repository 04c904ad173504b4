//! Keys that devices share with the broker, in Redis.

use std::sync::Arc;

use signet_identity::{DeviceName, Facts};
use zeroize::Zeroizing;

use super::command::{RedisCommand, RedisCommandError};
use super::connections::RedisConnections;
use super::question::Answer;
use super::reply;
use crate::backend::{Backend, Remembered};
use crate::check::SourceCheck;
use crate::key::QueryKey;
use crate::source::{BoxFuture, Failure, KeySource, SharedKey};

/// Looks up the key of a device by its name, and by nothing else: nothing else is known of it before it has proved that it holds the key.
#[derive(Debug)]
pub struct RedisKeys {
    connections: Arc<RedisConnections>,
    command: RedisCommand,
    remembered: Remembered<SharedKey>,
}

impl RedisKeys {
    /// Asks through `backend`.
    ///
    /// # Errors
    /// As [`Self::check_command`].
    pub fn new(connections: Arc<RedisConnections>, command: RedisCommand, backend: Arc<Backend>) -> Result<Self, RedisCommandError> {
        Self::check_command(&command)?;
        Ok(Self { connections, command, remembered: Remembered::new(backend) })
    }

    /// Whether Redis takes the command.
    pub async fn check(&self) -> SourceCheck {
        self.connections.check(&self.command).await
    }

    /// Whether a command brings one value, which depends on the device's name and on nothing else.
    ///
    /// # Errors
    /// It does not.
    pub fn check_command(command: &RedisCommand) -> Result<(), RedisCommandError> {
        let name = command.name();
        if !matches!(name, "GET" | "GETRANGE" | "HGET" | "LINDEX") && !command.is_script() {
            return Err(RedisCommandError(format!(
                "begins with `{name}`, which brings more than one value: expected, for example, `HGET psk:${{device}} key`"
            )));
        }
        if let Some(other) = command.fields().find(|field| field.name() != "device") {
            return Err(RedisCommandError(format!(
                "holds `{}`, which nobody knows before the key is proved: `${{device}}` is the identity that the client names, and all there is",
                other.placeholder()
            )));
        }
        if command.is_same_for_all() {
            return Err(RedisCommandError(format!("asks the same for every device: `{name}` needs the placeholder `${{device}}`")));
        }
        Ok(())
    }

    async fn look_up(&self, words: &[Vec<u8>]) -> Result<SharedKey, Failure> {
        let found = match self.connections.ask(words, self.command.is_script()).await? {
            Answer::Unusable(why) => Err(why),
            Answer::Value(value) => reply::single(value),
        };
        Ok(match found {
            Ok(None) => SharedKey::None,
            Ok(Some(octets)) => SharedKey::of(Zeroizing::new(octets)),
            Err(why) => SharedKey::Unusable(why),
        })
    }

    async fn ask(&self, device: &DeviceName) -> Result<SharedKey, Failure> {
        let facts = Facts { device: Some(device), ..Facts::default() };
        // A name that the command cannot hold has nothing there.
        let words = match self.command.fill(&facts) {
            Ok(words) => words,
            Err(why) => return Ok(SharedKey::Unusable(why)),
        };
        let key = QueryKey::of(words.iter().map(Vec::as_slice));
        self.remembered.ask(key, self.look_up(&words)).await
    }
}

impl KeySource for RedisKeys {
    fn key<'a>(&'a self, device: &'a DeviceName) -> BoxFuture<'a, Result<SharedKey, Failure>> {
        Box::pin(self.ask(device))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}
