//! What a client is given besides being let in, by those who vouched for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytestring::ByteString;

use crate::proven::ProvenNames;
use crate::rule::Rule;

/// What authenticators gave a client. All of them that had to agree add to it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grant {
    /// Whether the client may do everything, within its tenant.
    pub superuser: bool,
    /// Groups that rules can name.
    pub groups: BTreeSet<Arc<str>>,
    /// Attributes that rules and templates can look at, by name.
    pub attributes: BTreeMap<Arc<str>, Arc<str>>,
    /// Rules of its own, in the order in which they are asked, before all others.
    pub rules: Vec<SourceRules>,
    /// Rules that access sources have about it, by the name of the source: asked where the source stands among the others. A source that could not
    /// be asked is not there, and then denies.
    pub fetched: BTreeMap<Arc<str>, SourceRules>,
    /// When the session ends, in Unix seconds.
    pub expires_at: Option<i64>,
    /// Which of the names under which the client comes the authenticator answers for: it has held something that only their owner has against them.
    pub proven: ProvenNames,
    /// The user name that was proven by a method which carries one itself; it counts where the client has no other.
    pub username: Option<ByteString>,
    /// Whether what the client sent as its user name is a secret, such as a token, and no name: then it has none but [`Self::username`].
    pub has_secret_username: bool,
    /// What it was let in by, as far as that can be taken back while it is connected.
    pub credentials: Vec<Credential>,
}

/// Something that a client was let in by, and that somebody may take back or replace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    /// Its name among all of them: where it is kept, `/`, and its name there.
    pub name: Arc<str>,
    /// Which one of this name: another one when it was replaced.
    pub version: u64,
}

/// The rules that one source has about one client.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRules {
    /// The source's name in the configuration.
    pub source: Arc<str>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// Whether what none of them covers is denied here; otherwise whoever is next is asked.
    pub is_complete: bool,
}

impl Grant {
    /// A grant of nothing but that these names are the client's.
    #[must_use]
    pub fn proving(proven: ProvenNames) -> Self {
        Self { proven, ..Self::default() }
    }

    /// What two who both vouch for a client give it: all of both, and the earlier end. Of an attribute that both give the later counts,
    /// of a user name the earlier.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        self.superuser |= later.superuser;
        self.groups.extend(later.groups);
        self.attributes.extend(later.attributes);
        self.rules.extend(later.rules);
        self.fetched.extend(later.fetched);
        self.expires_at = self.expires_at.into_iter().chain(later.expires_at).min();
        self.proven = self.proven.or(later.proven);
        self.username = self.username.or(later.username);
        self.has_secret_username |= later.has_secret_username;
        self.credentials.extend(later.credentials);
        self
    }
}

/// Where a connection came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as far as it is known.
    pub address: Option<std::net::IpAddr>,
    /// The listener's name.
    pub listener: Arc<str>,
}
