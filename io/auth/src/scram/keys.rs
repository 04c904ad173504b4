//! What is stored of a password for SCRAM (RFC 5802 §3).

use std::fmt;

use aws_lc_rs::{digest, hmac, rand};
use subtle::ConstantTimeEq as _;

use crate::password::{HashError, Mac};

/// The least rounds of PBKDF2 (RFC 7677 §4).
pub const ITERATIONS_MINIMUM: u32 = 4096;
/// The most: every client has to compute them, a small device too.
pub const ITERATIONS_MAXIMUM: u32 = 10_000_000;
/// Rounds unless told otherwise: what a small device computes in a part of a second.
pub const SCRAM_ITERATIONS: u32 = 10_000;
/// Octets of a new salt.
pub(super) const SALT: usize = 16;

/// A mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

impl ScramMechanism {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Its name, as an Authentication Method too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Octets of its digests.
    pub(super) fn length(self) -> usize {
        self.mac().length()
    }

    fn mac(self) -> Mac {
        match self {
            Self::Sha256 => Mac::Sha256,
            Self::Sha512 => Mac::Sha512,
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data).as_ref().to_vec()
    }
}

/// The keys of one user for one mechanism.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// The mechanism.
    pub mechanism: ScramMechanism,
    /// The salt.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// StoredKey.
    pub stored_key: Vec<u8>,
    /// ServerKey.
    pub server_key: Vec<u8>,
}

impl ScramKeys {
    /// Of a password, with a new random salt. 4,096 iterations take a few milliseconds, more take more: it belongs into the [`crate::HashingPool`].
    ///
    /// # Errors
    /// The password cannot be prepared, the iterations are outside of their bounds, or there is no randomness.
    pub fn make(mechanism: ScramMechanism, password: &str, iterations: u32) -> Result<Self, HashError> {
        let mut salt = vec![0; SALT];
        rand::fill(&mut salt).map_err(|_| HashError::new("the system has no randomness for a salt"))?;
        Self::of(mechanism, password, salt, iterations)
    }

    /// The same with a salt that is known.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn of(mechanism: ScramMechanism, password: &str, salt: Vec<u8>, iterations: u32) -> Result<Self, HashError> {
        if !(ITERATIONS_MINIMUM..=ITERATIONS_MAXIMUM).contains(&iterations) {
            return Err(HashError(format!(
                "SCRAM has {iterations} iterations here, and may have {ITERATIONS_MINIMUM} to {ITERATIONS_MAXIMUM}"
            )));
        }
        let password = prepared(password).map_err(|_| HashError::new("the password cannot be prepared as SASLprep (RFC 4013) asks for"))?;
        let salted = crate::password::pbkdf2(mechanism.mac(), iterations, mechanism.length(), password.as_bytes(), &salt)?;
        let stored_key = mechanism.digest(&mechanism.hmac(&salted, b"Client Key"));
        let server_key = mechanism.hmac(&salted, b"Server Key");
        Ok(Self { mechanism, salt, iterations, stored_key, server_key })
    }

    /// Whether a client's proof over what was said is one of somebody who knows the password.
    pub(super) fn verify(&self, authenticated: &[u8], proof: &[u8]) -> bool {
        let signature = self.mechanism.hmac(&self.stored_key, authenticated);
        if proof.len() != signature.len() {
            return false;
        }
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(one, other)| one ^ other).collect();
        self.mechanism.digest(&client_key).ct_eq(&self.stored_key).into()
    }

    pub(super) fn server_signature(&self, authenticated: &[u8]) -> Vec<u8> {
        self.mechanism.hmac(&self.server_key, authenticated)
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScramKeys").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// A name or password as SASLprep (RFC 4013) writes it, so that two ways to type the same are the same.
///
/// # Errors
/// It is empty, or has characters that are not allowed.
pub fn prepared(text: &str) -> Result<String, HashError> {
    let unusable = || HashError::new("it is empty, or has characters that SASLprep (RFC 4013) does not allow");
    let prepared = stringprep::saslprep(text).map_err(|_| unusable())?;
    if prepared.is_empty() { Err(unusable()) } else { Ok(prepared.into_owned()) }
}
