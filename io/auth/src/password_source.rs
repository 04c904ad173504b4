//! Authentication by user name (or whatever else names a client) and password: one place says what the password's hash is, everything else is the same for
//! all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use signet_mqtt::Password;
use signet_policy::{Applicant, Grant, Outcome};

use crate::backend::{Backend, Remembered};
use crate::hashing::HashingPool;
use crate::key::QueryKey;
use crate::password::{HashError, PasswordHash};
use crate::source::{Authenticator, BoxFuture, Failure};

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
    pool: HashingPool,
    /// What is verified instead for somebody who is not there: the last one who was, as soon as there was one, because real hashes may cost more or less
    /// than a made one.
    decoy: Mutex<Arc<Record>>,
}

impl PasswordAuthenticator {
    /// Asks `source` through `backend`.
    #[must_use]
    pub fn new(source: Arc<dyn RecordSource>, backend: Arc<Backend>, hash: PasswordHash, pool: HashingPool) -> Self {
        let (password_hash, salt) = hash.decoy();
        let decoy = Mutex::new(Arc::new(Record { password_hash: Some(password_hash), salt, ..Record::default() }));
        Self { source, remembered: Remembered::new(backend), hash, pool, decoy }
    }

    async fn verdict(&self, applicant: &Applicant) -> Result<Outcome, Failure> {
        let Some(password) = &applicant.password else { return Ok(Outcome::Unknown("it sends no password".to_owned())) };
        let key = match self.source.key(applicant) {
            Ok(key) => key,
            Err(why) => return Ok(Outcome::Unknown(why)),
        };
        let found = self.remembered.ask(key, async { Ok(self.source.find(applicant).await?.map(Arc::new)) }).await?;
        let Some(record) = found else {
            self.verify_decoy(password).await?;
            return Ok(Outcome::Unknown("it is not there".to_owned()));
        };
        if record.password_hash.is_none() {
            self.verify_decoy(password).await?;
            return Ok(Outcome::Deny("its entry has no password".to_owned()));
        }
        match self.verify(password, &record).await? {
            Ok(true) => {}
            Ok(false) => return Ok(Outcome::Deny("wrong password".to_owned())),
            Err(error) => return Ok(Outcome::Deny(format!("its stored password cannot be used: {error}"))),
        }
        let outcome = Outcome::Allow(Box::new(Grant {
            superuser: record.superuser,
            groups: record.groups.clone(),
            attributes: record.attributes.clone(),
            expires_at: record.expires_at,
            ..Grant::default()
        }));
        *self.decoy.lock().unwrap_or_else(PoisonError::into_inner) = record;
        Ok(outcome)
    }

    async fn verify(&self, password: &Password, record: &Arc<Record>) -> Result<Result<bool, HashError>, Failure> {
        let (hash, password, record) = (self.hash.clone(), password.clone(), Arc::clone(record));
        let verify = move || hash.verify(password.expose(), record.password_hash.as_deref().unwrap_or_default(), record.salt.as_deref());
        self.pool.run(verify).await
    }

    /// Takes as long as for somebody who is there: otherwise the time of the answer would tell which names there are.
    async fn verify_decoy(&self, password: &Password) -> Result<(), Failure> {
        let decoy = Arc::clone(&self.decoy.lock().unwrap_or_else(PoisonError::into_inner));
        // Whether it fits is of no interest.
        self.verify(password, &decoy).await.map(drop)
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
