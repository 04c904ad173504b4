//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677) as Authentication Methods of MQTT 5: the server's side.
//!
//! The client proves that it knows the password without sending it, and the server that it knows the user. What is stored lets nobody log in. Without
//! channel binding: there is no client of MQTT that has one.

mod keys;
mod messages;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use signet_policy::{Applicant, Credential, Grant, Outcome};

use crate::exchange::{Exchange, Progress};
use crate::source::{Authenticator, BoxFuture, Failure};

pub use keys::{ITERATIONS_MAXIMUM, ITERATIONS_MINIMUM, SCRAM_ITERATIONS, ScramKeys, ScramMechanism, prepared};
use messages::{ClientFinal, ClientFirst};

/// Octets of randomness in the server's part of the nonce.
const NONCE: usize = 24;

/// What a source knows about somebody.
#[derive(Debug)]
pub struct ScramUser {
    /// Its keys; `None`: it has none of this mechanism, and cannot log in by it.
    pub keys: Option<ScramKeys>,
    /// It is there, and cannot log in.
    pub is_disabled: bool,
    /// What it is given.
    pub grant: Grant,
}

/// A place where keys are kept.
pub trait ScramSource: fmt::Debug + Send + Sync {
    /// What is known about the user with this prepared name; `None`: nothing.
    ///
    /// # Errors
    /// The source could not be asked.
    fn find<'a>(
        &'a self,
        applicant: &'a Applicant,
        name: &'a str,
        mechanism: ScramMechanism,
    ) -> BoxFuture<'a, Result<Option<ScramUser>, Failure>>;

    /// Whether something that a client was let in by still holds; `None`: it is not from here.
    fn holds(&self, credential: &Credential) -> Option<bool> {
        let _ = credential;
        None
    }
}

/// Vouches for who proves by SCRAM that it knows the password.
#[derive(Debug)]
pub struct ScramAuthenticator {
    source: Arc<dyn ScramSource>,
    mechanisms: Vec<ScramMechanism>,
    decoy: Decoy,
}

/// Makes salts for those who are not there. The same name gets the same one for as long as the process lives, as a real user would.
#[derive(Clone)]
struct Decoy {
    key: hmac::Key,
    iterations: u32,
}

impl ScramAuthenticator {
    /// Offers these mechanisms. `iterations` is what most users have, so that nobody sees by it who is there.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn new(source: Arc<dyn ScramSource>, mechanisms: Vec<ScramMechanism>, iterations: u32) -> Result<Self, Failure> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(|_| Failure::new("the system has no randomness"))?;
        Ok(Self { source, mechanisms, decoy: Decoy { key: hmac::Key::new(hmac::HMAC_SHA256, &secret), iterations } })
    }
}

impl Authenticator for ScramAuthenticator {
    fn authenticate<'a>(&'a self, _applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        let names: Vec<&str> = self.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
        let why = format!("it does not authenticate by the method {}", names.join(" or "));
        Box::pin(std::future::ready(Ok(Outcome::Unknown(why))))
    }

    fn exchange(&self, method: &str) -> Option<Box<dyn Exchange>> {
        let mechanism = *self.mechanisms.iter().find(|mechanism| mechanism.name() == method)?;
        let mut random = [0; NONCE];
        // Without randomness there is no nonce, and without one the first step fails.
        let nonce = rand::fill(&mut random).ok().map(|()| STANDARD.encode(random));
        Some(Box::new(ScramExchange { source: Arc::clone(&self.source), mechanism, decoy: self.decoy.clone(), nonce, stage: Stage::Begin }))
    }

    fn holds(&self, credential: &Credential) -> Option<bool> {
        self.source.holds(credential)
    }
}

/// One exchange.
struct ScramExchange {
    source: Arc<dyn ScramSource>,
    mechanism: ScramMechanism,
    decoy: Decoy,
    /// The server's part; `None`: there is no randomness.
    nonce: Option<String>,
    stage: Stage,
}

/// What comes next from the client.
enum Stage {
    /// Its first message.
    Begin,
    /// Its proof.
    Proof(Box<Challenged>),
    /// Nothing.
    Over,
}

/// A client that was told salt and iterations.
struct Challenged {
    name: String,
    gs2_header: String,
    nonce: String,
    /// `client-first-bare,server-first`
    so_far: String,
    keys: ScramKeys,
    /// What comes of a proof that fits; `None` for somebody who is not there.
    user: Option<ScramUser>,
}

impl ScramExchange {
    async fn begin(&mut self, applicant: &Applicant, data: &[u8]) -> Result<Progress, Failure> {
        let first = match ClientFirst::parse(data) {
            Ok(first) => first,
            Err(why) => return Ok(refused(why)),
        };
        let Ok(name) = prepared(&first.username) else {
            return Ok(refused("the user name cannot be prepared as SASLprep (RFC 4013) asks for"));
        };
        if applicant.claimed_username.as_deref().is_some_and(|claimed| *claimed != *name) {
            return Ok(refused("the user name in CONNECT is another one than that in the exchange"));
        }
        let own = self.nonce.take().ok_or_else(|| Failure::new("the system has no randomness"))?;
        let user = self.source.find(applicant, &name, self.mechanism).await?;
        let keys = user.as_ref().and_then(|user| user.keys.clone()).unwrap_or_else(|| self.decoy.keys(self.mechanism, &name));
        let nonce = format!("{}{own}", first.nonce);
        let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(&keys.salt), keys.iterations);
        let so_far = format!("{},{server_first}", first.bare);
        self.stage = Stage::Proof(Box::new(Challenged { name, gs2_header: first.gs2_header, nonce, so_far, keys, user }));
        Ok(Progress::Challenge(server_first.into()))
    }
}

impl Challenged {
    fn finish(self, data: &[u8]) -> Progress {
        let last = match ClientFinal::parse(data) {
            Ok(last) => last,
            Err(why) => return refused(why),
        };
        if last.channel_binding != self.gs2_header.as_bytes() {
            return refused("its last message has another channel binding than its first one");
        }
        if last.nonce != self.nonce {
            return refused("its last message has another nonce than the server gave it");
        }
        let authenticated = format!("{},{}", self.so_far, last.without_proof);
        let fits = self.keys.verify(authenticated.as_bytes(), &last.proof);
        let Some(user) = self.user else { return over(Outcome::Unknown("the user is not there".to_owned())) };
        if user.keys.is_none() {
            return refused("the user has no keys for this mechanism: set its password again, with --scram");
        }
        if user.is_disabled {
            return refused("the user is disabled");
        }
        if !fits {
            return refused("wrong password");
        }
        let signature = STANDARD.encode(self.keys.server_signature(authenticated.as_bytes()));
        let grant = Grant { username: Some(self.name.into()), ..user.grant };
        Progress::Over(Outcome::Allow(Box::new(grant)), format!("v={signature}").into())
    }
}

impl Decoy {
    fn keys(&self, mechanism: ScramMechanism, name: &str) -> ScramKeys {
        let made = |what: &str| hmac::sign(&self.key, format!("{}\0{what}\0{name}", mechanism.name()).as_bytes()).as_ref().to_vec();
        let mut salt = made("salt");
        salt.truncate(keys::SALT);
        // No proof leads to it: what a proof leads to is a digest, and this is none of anything that is known.
        let mut stored_key = made("key");
        stored_key.resize(mechanism.length(), 0);
        ScramKeys { mechanism, salt, iterations: self.iterations, server_key: stored_key.clone(), stored_key }
    }
}

fn refused(why: impl Into<String>) -> Progress {
    over(Outcome::Deny(why.into()))
}

fn over(outcome: Outcome) -> Progress {
    Progress::Over(outcome, Bytes::new())
}

impl Exchange for ScramExchange {
    fn step<'a>(&'a mut self, applicant: &'a Applicant, data: Bytes) -> BoxFuture<'a, Result<Progress, Failure>> {
        Box::pin(async move {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Begin => self.begin(applicant, &data).await,
                Stage::Proof(challenged) => Ok(challenged.finish(&data)),
                Stage::Over => Ok(refused("the exchange is over")),
            }
        })
    }
}

impl fmt::Debug for ScramExchange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScramExchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

impl fmt::Debug for Decoy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Decoy").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
