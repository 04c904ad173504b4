//! Lets in whoever shows a token that was signed for him.

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use signet_mqtt::Password;
use signet_policy::{Applicant, Grant, Outcome};
use zeroize::Zeroizing;

use super::checks::ClaimRules;
use super::jwks::{Jwks, JwksConfig};
use super::keys::{KEYS_MAXIMUM, Key, KeySet, Verified, decode_secret};
use super::token::{NoToken, Token};
use crate::backend::Backend;
use crate::source::{Authenticator, BoxFuture, Failure};

/// Where the token is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenPlace {
    /// In the Password.
    #[default]
    Password,
    /// In the User Name that the client sends.
    Username,
}

/// What tokens are verified with. It may hold a secret.
#[derive(Clone)]
pub enum JwtKeys {
    /// A secret, for HS256, HS384 and HS512.
    Secret(Zeroizing<Vec<u8>>),
    /// Public keys, each the text of a PEM file and the file's name for messages.
    PublicKeys(Vec<(String, Vec<u8>)>),
    /// A set that somebody else keeps.
    Jwks(JwksConfig),
}

impl JwtKeys {
    /// A secret that stands in base64, with either alphabet and with padding or without.
    ///
    /// # Errors
    /// In words: it is no base64.
    pub fn base64_secret(text: &str) -> Result<Self, String> {
        decode_secret(text).map(|secret| Self::Secret(Zeroizing::new(secret)))
    }
}

/// Which tokens count.
#[derive(Clone)]
pub struct JwtConfig {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where the token is.
    pub from: TokenPlace,
    /// How it may be signed.
    pub algorithms: Vec<Algorithm>,
    /// With which keys.
    pub keys: JwtKeys,
    /// Bytes of a token. 16 KiB are enough for most.
    pub token_maximum: usize,
    /// What it has to say.
    pub claims: ClaimRules,
}

/// Verifies tokens.
#[derive(Debug)]
pub struct JwtAuthenticator {
    name: Arc<str>,
    from: TokenPlace,
    algorithms: Vec<Algorithm>,
    keys: Keys,
    token_maximum: usize,
    claims: ClaimRules,
}

#[derive(Debug)]
enum Keys {
    Fixed(KeySet),
    Fetched(Jwks),
}

impl JwtAuthenticator {
    /// Reads the keys; a set that somebody else keeps is fetched when the first token comes. `backend` is for that set.
    ///
    /// # Errors
    /// In words: an algorithm without a key, or a key without an algorithm, or one that is none.
    pub fn new(config: &JwtConfig, backend: Arc<Backend>) -> Result<Self, String> {
        if config.algorithms.is_empty() {
            return Err("algorithms: name at least one".to_owned());
        }
        let keys = match &config.keys {
            JwtKeys::Secret(secret) => {
                let key = Key::secret(secret, &config.algorithms).map_err(|why| format!("secret: {why}"))?;
                warn_of_short(secret, config);
                Keys::Fixed(KeySet::new(vec![key]))
            }
            JwtKeys::PublicKeys(files) if files.len() > KEYS_MAXIMUM => {
                return Err(format!("public_key: {} files, more than {KEYS_MAXIMUM}", files.len()));
            }
            JwtKeys::PublicKeys(files) => {
                let read = |(name, pem): &(String, Vec<u8>)| {
                    Key::from_pem(pem, &config.algorithms).map_err(|why| format!("public_key: `{name}`: {why}"))
                };
                Keys::Fixed(KeySet::new(files.iter().map(read).collect::<Result<_, String>>()?))
            }
            JwtKeys::Jwks(jwks) => {
                if let Some(secret) = config.algorithms.iter().find(|algorithm| format!("{algorithm:?}").starts_with("HS")) {
                    return Err(format!("algorithms: {secret:?} takes a secret, which no set of keys may hold"));
                }
                Keys::Fetched(Jwks::new(jwks, &config.algorithms, backend)?)
            }
        };
        if let Keys::Fixed(keys) = &keys
            && let Some(algorithm) = keys.missing(&config.algorithms)
        {
            return Err(format!("algorithms: there is no key for {algorithm:?}"));
        }
        Ok(Self {
            name: Arc::clone(&config.name),
            from: config.from,
            algorithms: config.algorithms.clone(),
            keys,
            token_maximum: config.token_maximum,
            claims: config.claims.clone(),
        })
    }

    async fn verdict(&self, applicant: &Applicant) -> Result<Outcome, Failure> {
        let (text, missing) = match self.from {
            TokenPlace::Password => (applicant.password.as_ref().map(Password::expose), "it sends no password"),
            TokenPlace::Username => (applicant.claimed_username.as_deref().map(str::as_bytes), "it sends no user name"),
        };
        let Some(text) = text else { return Ok(Outcome::Unknown(missing.to_owned())) };
        let token = match Token::read(text, self.token_maximum) {
            Ok(token) => token,
            Err(NoToken::Other(why)) => return Ok(Outcome::Unknown(why.to_owned())),
            Err(NoToken::Unfit(why)) => return Ok(Outcome::Deny(why)),
        };
        if !self.algorithms.contains(&token.algorithm) {
            return Ok(Outcome::Deny(format!("its token is signed by {:?}, which `algorithms` does not name", token.algorithm)));
        }
        match self.verify(&token).await? {
            Verified::Yes => {}
            Verified::WrongSignature => return Ok(Outcome::Deny("its token's signature is wrong".to_owned())),
            Verified::NoKey => return Ok(Outcome::Deny("its token is signed with a key that nobody knows".to_owned())),
        }
        let Some(claims) = token.claims() else { return Ok(Outcome::Deny("its token's claims are no object of JSON".to_owned())) };
        Ok(match self.claims.check(&claims, applicant, &self.name) {
            Ok(grant) => Outcome::Allow(Box::new(Grant { has_secret_username: self.from == TokenPlace::Username, ..grant })),
            Err(why) => Outcome::Deny(why),
        })
    }

    async fn verify(&self, token: &Token<'_>) -> Result<Verified, Failure> {
        match &self.keys {
            Keys::Fixed(keys) => Ok(keys.verify(token)),
            Keys::Fetched(jwks) => match jwks.current().await?.verify(token) {
                // The key may be newer than the set.
                Verified::NoKey => Ok(jwks.after_miss().await?.verify(token)),
                verified => Ok(verified),
            },
        }
    }
}

impl Authenticator for JwtAuthenticator {
    fn authenticate<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(self.verdict(applicant))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Fetched(jwks) => Some(jwks.backend()),
        }
    }
}

/// A short secret can be found by trying (RFC 7518 §3.2), and yet may stand in tokens that are out there.
fn warn_of_short(secret: &[u8], config: &JwtConfig) {
    let wanted = config.algorithms.iter().map(|algorithm| match algorithm {
        Algorithm::HS384 => 48,
        Algorithm::HS512 => 64,
        _ => 32,
    });
    if let Some(wanted) = wanted.max().filter(|wanted| secret.len() < *wanted) {
        let bytes = secret.len();
        tracing::warn!(target: "signet::auth", authenticator = &*config.name, "the secret has {bytes} bytes; who has a token can find one of less than {wanted} by trying");
    }
}

impl fmt::Debug for JwtKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::PublicKeys(_) => "PublicKeys",
            Self::Jwks(_) => "Jwks",
        })
    }
}
