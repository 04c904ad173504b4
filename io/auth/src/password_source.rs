//! Authentication by user name (or whatever else names a client) and password: one place says what the password's hash is, everything else is the same for
//! all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use signet_policy::{Applicant, Grant, Outcome, ProvenNames};

use crate::backend::{Backend, Remembered};
use crate::hashing::HashingPool;
use crate::key::QueryKey;
use crate::password::PasswordHash;
use crate::source::{Authenticator, BoxFuture, Failure};
use crate::verifier::Verifier;

/// What a source knows about somebody.
#[derive(Clone, Default)]
pub struct Record {
    /// The hash of the password, as it is stored; `None`: there is an entry without one, and nobody can log in by it.
    pub password_hash: Option<Vec<u8>>,
    /// Its salt, where that is stored beside it.
    pub salt: Option<Vec<u8>>,
    /// Whether the client may do everything.
    pub superuser: bool,
    /// Groups of the client.
    pub groups: BTreeSet<Arc<str>>,
    /// Attributes of the client.
    pub attributes: BTreeMap<Arc<str>, Arc<str>>,
    /// When the session ends, in Unix seconds.
    pub expires_at: Option<i64>,
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Record").field("superuser", &self.superuser).finish_non_exhaustive()
    }
}

/// A place where passwords are kept.
pub trait RecordSource: fmt::Debug + Send + Sync {
    /// What tells the question about this client from others.
    ///
    /// # Errors
    /// There is nothing to ask about: in words, what the client does not show.
    fn key(&self, applicant: &Applicant) -> Result<QueryKey, String>;

    /// Which names of a client are its own if it knows the password of what is found: those by which it is looked up.
    fn proves(&self) -> ProvenNames;

    /// What is known about the client; `None`: nothing.
    ///
    /// # Errors
    /// The source could not be asked.
    fn find<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Option<Record>, Failure>>;
}

/// What names the user in a file or in the built-in store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKey {
    /// The user name.
    Username,
    /// The Client Identifier.
    ClientIdentifier,
}

impl UserKey {
    /// Which names are a client's that knows the password of what is found by them.
    #[must_use]
    pub fn proves(self) -> ProvenNames {
        match self {
            Self::Username => ProvenNames::USERNAME,
            Self::ClientIdentifier => ProvenNames::CLIENT_IDENTIFIER,
        }
    }

    /// The name of this client.
    pub fn of<'a>(&self, applicant: &'a Applicant) -> Option<&'a str> {
        match self {
            Self::Username => applicant.client.username(),
            Self::ClientIdentifier => Some(applicant.client.client_identifier().as_str()),
        }
    }
}

/// Vouches for who knows the password.
#[derive(Debug)]
pub struct PasswordAuthenticator {
    source: Arc<dyn RecordSource>,
    remembered: Remembered<Option<Arc<Record>>>,
    hash: PasswordHash,
    verifier: Verifier,
}

impl PasswordAuthenticator {
    /// Asks `source` through `backend`.
    #[must_use]
    pub fn new(source: Arc<dyn RecordSource>, backend: Arc<Backend>, hash: PasswordHash, pool: HashingPool) -> Self {
        Self { source, remembered: Remembered::new(backend), verifier: Verifier::new(&hash, pool), hash }
    }

    async fn verdict(&self, applicant: &Applicant) -> Result<Outcome, Failure> {
        let Some(password) = &applicant.password else { return Ok(Outcome::Unknown("it sends no password".to_owned())) };
        let key = match self.source.key(applicant) {
            Ok(key) => key,
            Err(why) => return Ok(Outcome::Unknown(why)),
        };
        let found = self.remembered.ask(key, async { Ok(self.source.find(applicant).await?.map(Arc::new)) }).await?;
        match found {
            Some(record) => {
                let outcome = self.verifier.verdict(password, &self.hash, &record).await?;
                let is_over = record.expires_at.is_some_and(|end| end <= applicant.now);
                // Whoever does not know the password is told nothing else than that.
                Ok(match outcome {
                    Outcome::Allow(_) if is_over => Outcome::Deny("its entry has expired".to_owned()),
                    Outcome::Allow(grant) => Outcome::Allow(Box::new(Grant { proven: self.source.proves(), ..*grant })),
                    other => other,
                })
            }
            None => self.verifier.turn_away(password, Outcome::Unknown("it is not there".to_owned())).await,
        }
    }
}

impl Authenticator for PasswordAuthenticator {
    fn authenticate<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(self.verdict(applicant))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}
