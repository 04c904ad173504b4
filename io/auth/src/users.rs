//! The built-in users as a running broker holds them: all in memory, changed in one place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use signet_policy::{Applicant, Credential, Grant};

use crate::local::{LocalUser, LocalUsers};
use crate::password::PasswordHash;
use crate::password_source::Record;
use crate::scram::{ScramKeys, ScramMechanism, ScramSource, ScramUser};
use crate::source::{BoxFuture, Failure};

/// Before the names of users in those of credentials.
const PREFIX: &str = "users/";

/// One user.
#[derive(Clone, Default)]
pub struct BuiltInUser {
    /// How its password was hashed, the hash, and the salt where it stands beside it; `None`: it cannot log in with a password.
    pub password: Option<(PasswordHash, String, Option<String>)>,
    /// Its keys for SCRAM.
    pub scram: Vec<ScramKeys>,
    /// Whether it may do everything.
    pub superuser: bool,
    /// Its groups.
    pub groups: BTreeSet<Arc<str>>,
    /// Its attributes.
    pub attributes: BTreeMap<Arc<str>, Arc<str>>,
    /// It is there, and cannot log in.
    pub is_disabled: bool,
}

/// All of them.
#[derive(Default)]
pub struct UserStore {
    users: RwLock<HashMap<Arc<str>, Known>>,
    /// The last version that was given to anybody: no two are the same, not even of one name that went and came back.
    version: AtomicU64,
}

struct Known {
    record: Arc<Record>,
    hash: PasswordHash,
    scram: Arc<[ScramKeys]>,
    is_disabled: bool,
    version: u64,
}

impl UserStore {
    /// Nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name of a user's credential.
    #[must_use]
    pub fn credential(name: &str) -> String {
        format!("{PREFIX}{name}")
    }

    /// Puts a user there, in place of the one with its name. Clients that are connected as this user hold something that is of the past then, unless
    /// `keeps_sessions` says that it goes on to hold.
    pub fn put(&self, name: &str, user: BuiltInUser, keeps_sessions: bool) {
        let mut known = Known::new(user, self.next_version());
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = users.get(name).filter(|_| keeps_sessions) {
            known.version = before.version;
        }
        users.insert(name.into(), known);
    }

    /// Takes a user away.
    pub fn remove(&self, name: &str) {
        self.users.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Those who are there, in place of all before.
    pub fn load(&self, users: impl IntoIterator<Item = (Arc<str>, BuiltInUser)>) {
        let users = users.into_iter().map(|(name, user)| (name, Known::new(user, self.next_version())));
        let users: HashMap<Arc<str>, Known> = users.collect();
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = users;
    }

    /// The version of a user's credential that holds; `None`: none does, because the user is not there or disabled.
    #[must_use]
    pub fn current(&self, name: &str) -> Option<u64> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        users.get(name).filter(|known| !known.is_disabled).map(|known| known.version)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn next_version(&self) -> u64 {
        self.version.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }
}

impl Known {
    fn new(user: BuiltInUser, version: u64) -> Self {
        let (hash, password_hash, salt) = match user.password {
            Some((hash, stored, salt)) => (hash, Some(stored.into_bytes()), salt.map(String::into_bytes)),
            None => (PasswordHash::Auto, None, None),
        };
        let Record { expires_at, .. } = Record::default();
        let record =
            Record { password_hash, salt, superuser: user.superuser, groups: user.groups, attributes: user.attributes, expires_at };
        Self { record: Arc::new(record), hash, scram: user.scram.into(), is_disabled: user.is_disabled, version }
    }

    fn credential(&self, name: &str) -> Credential {
        Credential { name: UserStore::credential(name).into(), version: self.version }
    }
}

impl LocalUsers for UserStore {
    fn find(&self, name: &str) -> Option<LocalUser> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        let known = users.get(name)?;
        Some(LocalUser {
            record: Arc::clone(&known.record),
            hash: known.hash.clone(),
            is_disabled: known.is_disabled,
            credential: known.credential(name),
        })
    }

    fn holds(&self, credential: &Credential) -> Option<bool> {
        let name = credential.name.strip_prefix(PREFIX)?;
        Some(self.current(name) == Some(credential.version))
    }
}

impl ScramSource for UserStore {
    fn find<'a>(
        &'a self,
        _applicant: &'a Applicant,
        name: &'a str,
        mechanism: ScramMechanism,
    ) -> BoxFuture<'a, Result<Option<ScramUser>, Failure>> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        let found = users.get(name).map(|known| ScramUser {
            keys: known.scram.iter().find(|keys| keys.mechanism == mechanism).cloned(),
            is_disabled: known.is_disabled,
            grant: Grant {
                superuser: known.record.superuser,
                groups: known.record.groups.clone(),
                attributes: known.record.attributes.clone(),
                credentials: vec![known.credential(name)],
                ..Grant::default()
            },
        });
        Box::pin(std::future::ready(Ok(found)))
    }

    fn holds(&self, credential: &Credential) -> Option<bool> {
        LocalUsers::holds(self, credential)
    }
}

impl fmt::Debug for UserStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UserStore").field("users", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for BuiltInUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BuiltInUser").field("superuser", &self.superuser).finish_non_exhaustive()
    }
}
