//! Vouches for who knows the password of an entry.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand;
use signet_identity::Facts;
use signet_policy::{Applicant, Grant, Outcome, ProvenNames};

use super::entry::Entry;
use super::{Bound, Found, LdapAttributes, LdapDirectory, LdapDn, LdapError, LdapSearch};
use crate::backend::{Backend, Remembered};
use crate::hashing::HashingPool;
use crate::key::QueryKey;
use crate::password::{HashError, PasswordHash};
use crate::source::{Authenticator, BoxFuture, Failure};

/// Where the entry of a client is, for a bind.
#[derive(Debug, Clone)]
pub enum LdapWho {
    /// Under this name.
    Dn(LdapDn),
    /// Wherever a search finds it.
    Search(LdapSearch),
}

/// How a client proves itself.
#[derive(Debug, Clone)]
pub enum LdapProof {
    /// The directory checks the password: a bind with it succeeds.
    Bind(LdapWho),
    /// We check it, against an attribute that the account may read. Of several values any counts.
    Password {
        /// Finds the entry.
        search: LdapSearch,
        /// The attribute, `userPassword`.
        attribute: Arc<str>,
        /// What it holds where no scheme stands before it; with [`PasswordHash::Auto`] nothing without a scheme counts.
        hash: PasswordHash,
    },
}

impl LdapProof {
    /// Which names of a client are its own if it knows the password of the entry.
    fn proves(&self) -> ProvenNames {
        match self {
            Self::Bind(LdapWho::Dn(dn)) => dn.proves(),
            Self::Bind(LdapWho::Search(search)) | Self::Password { search, .. } => search.base.proves().or(search.filter.proves()),
        }
    }
}

/// Passwords in a directory.
pub struct LdapAuthenticator {
    name: Arc<str>,
    directory: Arc<LdapDirectory>,
    proof: LdapProof,
    attributes: LdapAttributes,
    hashing: HashingPool,
    remembered: Remembered<Arc<Known>>,
    /// Goes into the keys of answers that depend on a password: nobody who sees a key can try passwords on it.
    salt: [u8; 32],
    /// What is verified instead for somebody who is not there, so that the time of the answer does not tell.
    decoy: Mutex<Arc<[u8]>>,
}

/// What the directory has said about somebody.
#[derive(Debug)]
enum Known {
    /// The entry, which holds a password or whose password was right.
    Entry(Entry),
    /// There is none.
    Nobody,
    /// It speaks against the client.
    Deny(String),
}

impl LdapAuthenticator {
    /// Asks `directory` through `backend`. `name` is the authenticator's in the configuration.
    ///
    /// # Errors
    /// A search or name that is the same for every client, or no randomness.
    pub fn new(
        name: Arc<str>,
        directory: Arc<LdapDirectory>,
        proof: LdapProof,
        attributes: LdapAttributes,
        backend: Arc<Backend>,
        hashing: HashingPool,
    ) -> Result<Self, LdapError> {
        let has_placeholders = match &proof {
            LdapProof::Bind(LdapWho::Dn(dn)) => dn.has_placeholders(),
            LdapProof::Bind(LdapWho::Search(search)) | LdapProof::Password { search, .. } => {
                search.base.has_placeholders() || search.filter.has_placeholders()
            }
        };
        if !has_placeholders {
            return Err(LdapError("no placeholder says which client is meant; write `(uid=${username})`".to_owned()));
        }
        let mut salt = [0; 32];
        rand::fill(&mut salt).map_err(|_| LdapError("the system gives no randomness".to_owned()))?;
        let hash = if let LdapProof::Password { hash, .. } = &proof { hash } else { &PasswordHash::Auto };
        let decoy = Mutex::new(hash.decoy().0.into());
        Ok(Self { name, directory, proof, attributes, hashing, remembered: Remembered::new(backend), salt, decoy })
    }

    async fn verdict(&self, applicant: &Applicant) -> Result<Outcome, Failure> {
        let Some(password) = &applicant.password else { return Ok(Outcome::Unknown("it sends no password".to_owned())) };
        // A bind with a name and without a password is one as nobody, and succeeds (RFC 4513 §5.1.2).
        if password.expose().is_empty() {
            return Ok(Outcome::Deny("its password is empty".to_owned()));
        }
        let facts = applicant.facts();
        match &self.proof {
            LdapProof::Bind(who) => {
                let Ok(password) = std::str::from_utf8(password.expose()) else {
                    return Ok(Outcome::Deny("its password is no UTF-8".to_owned()));
                };
                self.by_bind(who, &facts, password).await
            }
            LdapProof::Password { search, attribute, hash } => self.by_password(search, attribute, hash, applicant).await,
        }
    }

    async fn by_bind(&self, who: &LdapWho, facts: &Facts<'_>, password: &str) -> Result<Outcome, Failure> {
        let rendered = match who {
            LdapWho::Dn(dn) => dn.render(facts).map(|dn| (dn, String::new())),
            LdapWho::Search(search) => search.base.render(facts).and_then(|base| Ok((base, search.filter.render(facts)?))),
        };
        let (name, filter) = match rendered {
            Ok(rendered) => rendered,
            Err(why) => return Ok(Outcome::Unknown(why)),
        };
        let key = QueryKey::of([&self.salt, name.as_bytes(), filter.as_bytes(), password.as_bytes()]);
        let known = self.remembered.ask(key, async {
            let known = match who {
                LdapWho::Dn(_) => self.bind_by_name(&name, password).await?,
                LdapWho::Search(search) => self.bind_by_search(search, facts, password).await?,
            };
            Ok(Arc::new(known))
        });
        Ok(match &*known.await? {
            Known::Entry(entry) => self.allow(entry),
            Known::Nobody => Outcome::Unknown("it is not there".to_owned()),
            Known::Deny(why) => Outcome::Deny(why.clone()),
        })
    }

    async fn bind_by_name(&self, dn: &str, password: &str) -> Result<Known, Failure> {
        let wanted = self.attributes.wanted();
        let (bound, entry) = self.directory.bind(dn, password, &wanted).await?;
        Ok(match (bound, entry) {
            (Bound::Yes, Some(entry)) => Known::Entry(entry),
            (Bound::Yes, None) if wanted.is_empty() => Known::Entry(Entry::default()),
            (Bound::Yes, None) => {
                Known::Deny("its password is right, but it may not read its own entry; use a search with an account".to_owned())
            }
            (Bound::No(why), _) => Known::Deny(why),
            (Bound::Nobody, _) => Known::Nobody,
        })
    }

    async fn bind_by_search(&self, search: &LdapSearch, facts: &Facts<'_>, password: &str) -> Result<Known, Failure> {
        let entry = match self.directory.find(search, facts, &self.attributes.wanted()).await? {
            Ok(Found::Entry(entry)) => entry,
            Ok(Found::Nothing) | Err(_) => return Ok(Known::Nobody),
            Ok(Found::Several) => return Ok(Known::Deny("the search finds several entries".to_owned())),
        };
        let (bound, _) = self.directory.bind(&entry.dn, password, &[]).await?;
        Ok(match bound {
            Bound::Yes => Known::Entry(entry),
            Bound::No(why) => Known::Deny(why),
            Bound::Nobody => Known::Nobody,
        })
    }

    async fn by_password(
        &self,
        search: &LdapSearch,
        attribute: &Arc<str>,
        hash: &PasswordHash,
        applicant: &Applicant,
    ) -> Result<Outcome, Failure> {
        let facts = applicant.facts();
        let rendered = search.base.render(&facts).and_then(|base| Ok((base, search.filter.render(&facts)?)));
        let (base, filter) = match rendered {
            Ok(rendered) => rendered,
            Err(why) => return Ok(Outcome::Unknown(why)),
        };
        let key = QueryKey::of([base.as_bytes(), filter.as_bytes()]);
        let known = self.remembered.ask(key, async {
            let mut wanted = self.attributes.wanted();
            wanted.push(Arc::clone(attribute));
            let known = match self.directory.find(search, &facts, &wanted).await? {
                Ok(Found::Entry(entry)) => Known::Entry(entry),
                Ok(Found::Nothing) | Err(_) => Known::Nobody,
                Ok(Found::Several) => Known::Deny("the search finds several entries".to_owned()),
            };
            Ok(Arc::new(known))
        });
        let known = known.await?;
        let entry = match &*known {
            Known::Entry(entry) => entry,
            Known::Nobody => {
                self.verify_decoy(hash, applicant).await?;
                return Ok(Outcome::Unknown("it is not there".to_owned()));
            }
            Known::Deny(why) => return Ok(Outcome::Deny(why.clone())),
        };
        let stored: Vec<Arc<[u8]>> = entry.values(attribute).iter().take(VALUES_MAXIMUM).map(|value| value.as_slice().into()).collect();
        let Some(first) = stored.first().cloned() else {
            self.verify_decoy(hash, applicant).await?;
            return Ok(Outcome::Deny(format!("its entry has no `{attribute}`, or the account may not read it")));
        };
        match self.verify(hash, applicant, stored).await? {
            Ok(true) => {
                *self.decoy.lock().unwrap_or_else(PoisonError::into_inner) = first;
                Ok(self.allow(entry))
            }
            Ok(false) => Ok(Outcome::Deny("wrong password".to_owned())),
            Err(error) => Ok(Outcome::Deny(format!("its stored password cannot be used: {error}"))),
        }
    }

    fn allow(&self, entry: &Entry) -> Outcome {
        match self.attributes.grant(&self.name, entry) {
            Ok(grant) => Outcome::Allow(Box::new(Grant { proven: self.proof.proves(), ..grant })),
            Err(why) => Outcome::Deny(format!("its entry cannot be used: {why}")),
        }
    }

    fn decoy(&self) -> Arc<[u8]> {
        Arc::clone(&self.decoy.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes as long as for somebody who is there. Whether it fits is of no interest.
    async fn verify_decoy(&self, hash: &PasswordHash, applicant: &Applicant) -> Result<(), Failure> {
        self.verify(hash, applicant, vec![self.decoy()]).await.map(drop)
    }

    /// Whether the password is that of one of the stored values. One that cannot be used counts only when no other fits.
    async fn verify(&self, hash: &PasswordHash, applicant: &Applicant, stored: Vec<Arc<[u8]>>) -> Result<Result<bool, HashError>, Failure> {
        let Some(password) = applicant.password.clone() else { return Ok(Ok(false)) };
        let hash = hash.clone();
        let verify = move || {
            let mut verdict = Ok(false);
            for value in &stored {
                match verify_one(&hash, password.expose(), value) {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(error) => verdict = Err(error),
                }
            }
            verdict
        };
        self.hashing.run(verify).await
    }
}

/// Values of one password attribute that are tried.
const VALUES_MAXIMUM: usize = 8;

/// A value says itself how it is hashed, `{SSHA}…` (RFC 2307), or that it is not, or is what the operator says.
fn verify_one(hash: &PasswordHash, password: &[u8], stored: &[u8]) -> Result<bool, HashError> {
    for scheme in [&b"{CLEARTEXT}"[..], b"{CLEAR}"] {
        if let Some((found, rest)) = stored.split_at_checked(scheme.len())
            && found.eq_ignore_ascii_case(scheme)
        {
            return PasswordHash::Plain.verify(password, rest, None);
        }
    }
    if stored.starts_with(b"{") { PasswordHash::Auto.verify(password, stored, None) } else { hash.verify(password, stored, None) }
}

impl Authenticator for LdapAuthenticator {
    fn authenticate<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(self.verdict(applicant))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}

impl fmt::Debug for LdapAuthenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LdapAuthenticator").field("name", &self.name).field("directory", &self.directory).finish_non_exhaustive()
    }
}
