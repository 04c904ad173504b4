//! Access rules in a directory.

use std::sync::Arc;

use signet_identity::{Facts, IdentityError};
use signet_policy::{Client, SourceRules};

use super::{Found, LdapDirectory, LdapRuleAttributes, LdapSearch};
use crate::backend::{Backend, Remembered};
use crate::key::QueryKey;
use crate::source::{BoxFuture, Failure, RuleSource};

/// Access rules in the entries of clients.
#[derive(Debug)]
pub struct LdapRules {
    name: Arc<str>,
    directory: Arc<LdapDirectory>,
    search: LdapSearch,
    attributes: LdapRuleAttributes,
    remembered: Remembered<SourceRules>,
}

impl LdapRules {
    /// Finds the entry of a client by a search. `name` is the source's in the configuration.
    #[must_use]
    pub fn new(
        name: Arc<str>,
        directory: Arc<LdapDirectory>,
        search: LdapSearch,
        attributes: LdapRuleAttributes,
        backend: Arc<Backend>,
    ) -> Self {
        Self { name, directory, search, attributes, remembered: Remembered::new(backend) }
    }

    async fn find(&self, client: &Client) -> Result<SourceRules, Failure> {
        let facts = client.facts();
        let asked = (self.search.base.render(&facts), self.search.filter.render(&facts));
        let (base, filter) = match asked {
            (Ok(base), Ok(filter)) => (base, filter),
            // No entry can be that of a client which has no such name; of one whose name cannot be asked about, nobody knows.
            _ if self.search.lacks(&facts) => return Ok(self.rules(false)),
            _ => return Ok(self.rules(true)),
        };
        let key = QueryKey::of([base.as_bytes(), filter.as_bytes()]);
        self.remembered.ask(key, self.ask(&facts)).await
    }

    async fn ask(&self, facts: &Facts<'_>) -> Result<SourceRules, Failure> {
        match self.directory.find(&self.search, facts, &self.attributes.wanted()).await? {
            Ok(Found::Entry(entry)) => Ok(self.attributes.read(&self.name, &entry)),
            Ok(Found::Nothing) => Ok(self.rules(false)),
            Ok(Found::Several) => {
                tracing::warn!(target: "signet::auth", source = &*self.name, "a client may do nothing, because the search finds several entries");
                Ok(self.rules(true))
            }
            Err(_) => Ok(self.rules(true)),
        }
    }

    /// No rules; `denies`: and nobody else is asked.
    fn rules(&self, denies: bool) -> SourceRules {
        SourceRules { source: Arc::clone(&self.name), rules: Vec::new(), is_complete: denies }
    }
}

impl LdapSearch {
    /// Whether a client has no value for one of the placeholders at all.
    fn lacks(&self, facts: &Facts<'_>) -> bool {
        let is_missing = |error: Result<(), IdentityError>| matches!(error, Err(IdentityError::MissingField { .. }));
        self.base.expressions().chain(self.filter.expressions()).any(|expression| is_missing(expression.value(facts).map(drop)))
    }
}

impl RuleSource for LdapRules {
    fn rules<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<SourceRules, Failure>> {
        Box::pin(self.find(client))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}
