//! What is the same wherever a password is stored: it is verified in the pool, and for somebody who is not there something else is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use signet_mqtt::Password;
use signet_policy::{Grant, Outcome};

use crate::hashing::HashingPool;
use crate::password::{HashError, PasswordHash};
use crate::password_source::Record;
use crate::source::Failure;

/// Verifies passwords.
pub(crate) struct Verifier {
    pool: HashingPool,
    /// What is verified instead for somebody who is not there: the last one who was, as soon as there was one, because real hashes may cost more or less
    /// than a made one.
    decoy: Mutex<(PasswordHash, Arc<Record>)>,
}

impl Verifier {
    /// With a decoy of this kind until somebody has logged in.
    pub(crate) fn new(hash: &PasswordHash, pool: HashingPool) -> Self {
        let (password_hash, salt) = hash.decoy();
        let decoy = Record { password_hash: Some(password_hash), salt, ..Record::default() };
        Self { pool, decoy: Mutex::new((hash.clone(), Arc::new(decoy))) }
    }

    /// What is to be said of somebody with this password about whom that is known.
    pub(crate) async fn verdict(&self, password: &Password, hash: &PasswordHash, record: &Arc<Record>) -> Result<Outcome, Failure> {
        // An empty one is none: everybody would know it.
        if record.password_hash.as_deref().is_none_or(<[u8]>::is_empty) {
            return self.turn_away(password, Outcome::Deny("its entry has no password".to_owned())).await;
        }
        match self.verify(password, hash, record).await? {
            Ok(true) => {}
            Ok(false) => return Ok(Outcome::Deny("wrong password".to_owned())),
            Err(error) => return Ok(Outcome::Deny(format!("its stored password cannot be used: {error}"))),
        }
        *self.decoy.lock().unwrap_or_else(PoisonError::into_inner) = (hash.clone(), Arc::clone(record));
        Ok(Outcome::Allow(Box::new(Grant {
            superuser: record.superuser,
            groups: record.groups.clone(),
            attributes: record.attributes.clone(),
            expires_at: record.expires_at,
            ..Grant::default()
        })))
    }

    /// Says something that no password changes, and takes as long as for a wrong one: otherwise the time of the answer would tell which names there
    /// are.
    pub(crate) async fn turn_away(&self, password: &Password, outcome: Outcome) -> Result<Outcome, Failure> {
        let (hash, decoy) = self.decoy.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Whether it fits is of no interest.
        self.verify(password, &hash, &decoy).await.map(drop)?;
        Ok(outcome)
    }

    async fn verify(&self, password: &Password, hash: &PasswordHash, record: &Arc<Record>) -> Result<Result<bool, HashError>, Failure> {
        let (own, password, record) = (hash.clone(), password.clone(), Arc::clone(record));
        let verify = move || own.verify(password.expose(), record.password_hash.as_deref().unwrap_or_default(), record.salt.as_deref());
        // The pool's bound is there for what takes long; ten thousand of these take no longer than a few of those.
        if hash.is_quick() { Ok(verify()) } else { self.pool.run(verify).await }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verifier").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_digest_does_not_wait_for_slow_hashes() {
        let pool = HashingPool::new(1);
        let (over, wait) = std::sync::mpsc::channel::<()>();
        let slow = pool.clone();
        let slow = tokio::spawn(async move { slow.run(move || wait.recv().is_ok()).await });
        // Once it has the only place, and as many wait for that as may.
        tokio::task::yield_now().await;
        let record = Record { password_hash: Some(b"public".to_vec()), ..Record::default() };
        let (verifier, record) = (Verifier::new(&PasswordHash::Plain, pool), Arc::new(record));
        let password = |text: &str| Password::new(text.as_bytes().to_vec());
        for (text, expected) in [("public", true), ("Public", false)] {
            let text = password(text);
            let verdict = verifier.verdict(&text, &PasswordHash::Plain, &record);
            let verdict = tokio::time::timeout(Duration::from_secs(30), verdict).await.expect("it does not wait").unwrap();
            assert_eq!(matches!(verdict, Outcome::Allow(_)), expected, "{verdict:?}");
        }
        over.send(()).unwrap();
        assert!(slow.await.unwrap().unwrap());
    }
}
