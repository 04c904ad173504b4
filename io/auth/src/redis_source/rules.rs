//! Access rules in Redis.

use std::sync::Arc;

use signet_identity::PlaceholderStyle;
use signet_policy::{Client, RuleRow, SourceRules};

use super::command::{Placeholders, RedisCommand, RedisCommandError};
use super::connections::RedisConnections;
use super::question::Answer;
use super::reply::{self, Field};
use crate::backend::{Backend, Remembered};
use crate::check::SourceCheck;
use crate::key::QueryKey;
use crate::source::{BoxFuture, Failure, RuleSource};

/// Looks up what a client may do: names of fields are topic filters, their values `publish`, `subscribe`, `all`, 1 (subscribe), 2 (publish), 3 (both), or an
/// object in JSON with `action`, `qos` and `retain`. They only allow.
///
/// HGETALL brings such fields, HMGET is asked for some of them, and scripts and LRANGE bring a list of both in turn.
#[derive(Debug)]
pub struct RedisRules {
    connections: Arc<RedisConnections>,
    command: RedisCommand,
    /// Whose placeholders stand in the topic filters.
    style: PlaceholderStyle,
    /// Whether what is not allowed here is denied, in place of asking whoever is next.
    is_complete: bool,
    remembered: Remembered<Arc<SourceRules>>,
}

impl RedisRules {
    /// Asks through `backend`, whose name is that of the source. The topic filters have the placeholders of the command.
    ///
    /// # Errors
    /// The command brings one value and no pairs.
    pub fn new(
        connections: Arc<RedisConnections>,
        command: RedisCommand,
        is_complete: bool,
        backend: Arc<Backend>,
    ) -> Result<Self, RedisCommandError> {
        Self::check_command(&command)?;
        let style = match command.placeholders() {
            Placeholders::Emqx4 => PlaceholderStyle::Emqx4,
            Placeholders::Emqx5 | Placeholders::Signet => PlaceholderStyle::Emqx5,
        };
        Ok(Self { connections, command, style, is_complete, remembered: Remembered::new(backend) })
    }

    /// Whether Redis takes the command.
    pub async fn check(&self) -> SourceCheck {
        self.connections.check(&self.command).await
    }

    /// Whether a command brings pairs.
    ///
    /// # Errors
    /// It brings one value.
    pub fn check_command(command: &RedisCommand) -> Result<(), RedisCommandError> {
        if !matches!(command.name(), "HGETALL" | "HMGET" | "LRANGE") && !command.is_script() {
            return Err(RedisCommandError(format!(
                "begins with `{}`, which brings no pairs of topic filter and action: expected HGETALL",
                command.name()
            )));
        }
        Ok(())
    }

    async fn look_up(&self, words: &[Vec<u8>]) -> Result<Arc<SourceRules>, Failure> {
        let rules = match self.connections.ask(words, self.command.is_script()).await? {
            Answer::Unusable(why) => Err(why),
            Answer::Value(value) => {
                let names = self.command.reply_names();
                let fields = if names.is_empty() { reply::pairs(value) } else { reply::placed(value, &names) };
                fields.and_then(|fields| self.read(&fields))
            }
        };
        Ok(Arc::new(rules.unwrap_or_else(|why| {
            tracing::warn!(target: "signet::auth", source = &*self.name(), "a client's rules in Redis are no use, and it may do nothing by them: {why}");
            self.nothing(true)
        })))
    }

    fn read(&self, fields: &[Field]) -> Result<SourceRules, String> {
        let mut rows = Vec::new();
        for (topic, value) in fields {
            let Some(value) = value else { continue };
            let value = std::str::from_utf8(value).map_err(|_| "an action is no UTF-8".to_owned())?;
            rows.push(RuleRow::allowing(topic, value).map_err(|error| error.to_string())?);
        }
        let rules = SourceRules::from_rows(self.name(), self.style, &rows).map_err(|error| error.to_string())?;
        Ok(SourceRules { is_complete: self.is_complete, ..rules })
    }

    async fn ask(&self, client: &Client) -> Result<SourceRules, Failure> {
        // Nothing is known about somebody who cannot be asked about.
        let Ok(words) = self.command.fill(&client.facts()) else { return Ok(self.nothing(self.is_complete)) };
        let key = QueryKey::of(words.iter().map(Vec::as_slice));
        let rules = self.remembered.ask(key, self.look_up(&words)).await?;
        Ok((*rules).clone())
    }

    fn name(&self) -> Arc<str> {
        Arc::clone(&self.remembered.backend().config().name)
    }

    fn nothing(&self, is_complete: bool) -> SourceRules {
        SourceRules { source: self.name(), rules: Vec::new(), is_complete }
    }
}

impl RuleSource for RedisRules {
    fn rules<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<SourceRules, Failure>> {
        Box::pin(self.ask(client))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}
