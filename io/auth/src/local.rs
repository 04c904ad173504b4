//! Users whose passwords are in memory: those of a password file, and the built-in ones.

use std::fmt;
use std::sync::Arc;

use signet_policy::{Applicant, Credential, Outcome};

use crate::hashing::HashingPool;
use crate::password::PasswordHash;
use crate::password_source::{Record, UserKey};
use crate::source::{Authenticator, BoxFuture, Failure};
use crate::verifier::Verifier;

/// One user.
#[derive(Debug, Clone)]
pub struct LocalUser {
    /// What is known about it.
    pub record: Arc<Record>,
    /// How its password was hashed.
    pub hash: PasswordHash,
    /// It is there, and cannot log in.
    pub is_disabled: bool,
    /// What a client holds that logs in as this user.
    pub credential: Credential,
}

/// Where such users are.
pub trait LocalUsers: fmt::Debug + Send + Sync {
    /// The user with this name.
    fn find(&self, name: &str) -> Option<LocalUser>;

    /// Whether something that a client was let in by still holds; `None`: it is not from here.
    fn holds(&self, credential: &Credential) -> Option<bool>;
}

/// Vouches for who knows the password of one of them.
#[derive(Debug)]
pub struct LocalAuthenticator {
    users: Arc<dyn LocalUsers>,
    key: UserKey,
    verifier: Verifier,
}

impl LocalAuthenticator {
    /// Looks a client up by `key`. `hash` is how most passwords are hashed there.
    #[must_use]
    pub fn new(users: Arc<dyn LocalUsers>, key: UserKey, hash: &PasswordHash, pool: HashingPool) -> Self {
        Self { users, key, verifier: Verifier::new(hash, pool) }
    }

    async fn verdict(&self, applicant: &Applicant) -> Result<Outcome, Failure> {
        let Some(password) = &applicant.password else { return Ok(Outcome::Unknown("it sends no password".to_owned())) };
        let Some(name) = self.key.of(applicant) else { return Ok(Outcome::Unknown("it has no user name".to_owned())) };
        match self.users.find(name) {
            None => self.verifier.turn_away(password, Outcome::Unknown("it is not there".to_owned())).await,
            Some(user) if user.is_disabled => self.verifier.turn_away(password, Outcome::Deny("the user is disabled".to_owned())).await,
            Some(user) => {
                let mut outcome = self.verifier.verdict(password, &user.hash, &user.record).await?;
                if let Outcome::Allow(grant) = &mut outcome {
                    grant.proven = self.key.proves();
                    grant.credentials.push(user.credential);
                }
                Ok(outcome)
            }
        }
    }
}

impl Authenticator for LocalAuthenticator {
    fn authenticate<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(self.verdict(applicant))
    }

    fn holds(&self, credential: &Credential) -> Option<bool> {
        self.users.holds(credential)
    }
}

#[cfg(test)]
mod tests;
