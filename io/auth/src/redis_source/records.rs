//! Passwords' hashes in Redis.

use std::sync::Arc;

use signet_identity::Facts;
use signet_policy::{Applicant, ProvenNames};

use super::command::{RedisCommand, RedisCommandError};
use super::connections::RedisConnections;
use super::fields::RedisFields;
use super::question::Answer;
use super::reply;
use crate::check::SourceCheck;
use crate::key::QueryKey;
use crate::password_source::{Record, RecordSource};
use crate::source::{BoxFuture, Failure};

/// What is asked about a client, and what of the answer counts.
///
/// HGETALL brings fields with their names, HMGET and HGET are asked for fields by their names: `password_hash` or `password`, `salt`, `is_superuser`, and
/// what [`RedisFields`] names. Everything else brings values in order: the hash, then its salt, or what [`RedisFields::positions`] says.
#[derive(Debug, Clone)]
pub struct RedisLookup {
    command: RedisCommand,
    superuser_command: Option<RedisCommand>,
    fields: RedisFields,
    /// Of what the command brings back in order; `None`: it brings the names along.
    names: Option<Vec<String>>,
}

impl RedisLookup {
    /// The answer to `superuser_command`, if there is one, makes a superuser too: `1` and nothing else, as in EMQX 4.
    ///
    /// # Errors
    /// The command asks the same for everybody, or does not bring what is asked for.
    pub fn new(command: RedisCommand, superuser_command: Option<RedisCommand>, fields: RedisFields) -> Result<Self, RedisCommandError> {
        for command in [Some(&command), superuser_command.as_ref()].into_iter().flatten() {
            if command.is_same_for_all() {
                let name = command.name();
                return Err(RedisCommandError(format!(
                    "asks the same for every client: `{name}` needs a placeholder, `%u` or `${{username}}`"
                )));
            }
        }
        let names = if command.name() == "HGETALL" {
            if !fields.positions.is_empty() {
                return Err(RedisCommandError("has names for what HGETALL brings, which has names of its own".to_owned()));
            }
            None
        } else {
            let names = fields.names(command.reply_names());
            fields.check(&names).map_err(RedisCommandError)?;
            Some(names)
        };
        Ok(Self { command, superuser_command, fields, names })
    }
}

/// Looks clients up.
#[derive(Debug)]
pub struct RedisRecords {
    connections: Arc<RedisConnections>,
    lookup: RedisLookup,
}

impl RedisRecords {
    /// Asks over these connections.
    #[must_use]
    pub fn new(connections: Arc<RedisConnections>, lookup: RedisLookup) -> Self {
        Self { connections, lookup }
    }

    /// Whether Redis takes the commands.
    pub async fn check(&self) -> SourceCheck {
        match (self.connections.check(&self.lookup.command).await, &self.lookup.superuser_command) {
            (SourceCheck::Fine, Some(command)) => self.connections.check(command).await,
            (found, _) => found,
        }
    }

    async fn look_up(&self, applicant: &Applicant) -> Result<Option<Record>, Failure> {
        let RedisLookup { command, fields: wanted, names, .. } = &self.lookup;
        let words = command.fill(&applicant.facts()).map_err(Failure)?;
        let found = match self.connections.ask(&words, command.is_script()).await? {
            Answer::Unusable(why) => Err(why),
            Answer::Value(value) => {
                let fields = match names {
                    Some(names) => reply::placed(value, names),
                    None => reply::pairs(value),
                };
                fields.and_then(|fields| wanted.record(&fields))
            }
        };
        let mut record = match found {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            // There is something, and nobody can log in by it.
            Err(why) => {
                tracing::warn!(target: "signet::auth", command = command.name(), "a client's entry in Redis is no use: {why}");
                return Ok(Some(Record::default()));
            }
        };
        record.superuser = record.superuser || self.is_superuser(applicant).await?;
        Ok(Some(record))
    }

    /// What is known of somebody who knows the password: who claims the name of a superuser, and is looked up by another one, is none.
    fn proven_facts<'a>(&self, applicant: &'a Applicant) -> Facts<'a> {
        applicant.proven_facts(self.lookup.command.proves())
    }

    async fn is_superuser(&self, applicant: &Applicant) -> Result<bool, Failure> {
        let Some(command) = &self.lookup.superuser_command else { return Ok(false) };
        let Ok(words) = command.fill(&self.proven_facts(applicant)) else { return Ok(false) };
        let Answer::Value(value) = self.connections.ask(&words, command.is_script()).await? else { return Ok(false) };
        let names = [String::new()];
        let first = reply::placed(value, &names).ok().and_then(|mut fields| fields.pop());
        Ok(first.and_then(|(_, value)| value).is_some_and(|value| value == b"1"))
    }
}

impl RecordSource for RedisRecords {
    fn proves(&self) -> ProvenNames {
        self.lookup.command.proves()
    }

    fn key(&self, applicant: &Applicant) -> Result<QueryKey, String> {
        let facts = applicant.facts();
        let words = self.lookup.command.fill(&facts)?;
        let proven = self.proven_facts(applicant);
        let more = self.lookup.superuser_command.as_ref().and_then(|command| command.fill(&proven).ok()).unwrap_or_default();
        // How many words the first has is the same for all clients.
        Ok(QueryKey::of(words.iter().chain(&more).map(Vec::as_slice)))
    }

    fn find<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Option<Record>, Failure>> {
        Box::pin(self.look_up(applicant))
    }
}
