//! Password hashes as password files, data bases, directories and other brokers hold them.
//!
//! What costs time here belongs into the [`crate::HashingPool`].

mod configured;
mod cost;
mod described;
mod make;
mod text;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

pub use configured::HashOptions;
pub use cost::Mac;
pub(crate) use cost::pbkdf2;
pub use make::NewHash;

/// How passwords are hashed in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordHash {
    /// Each stored hash says itself what it is: `$2b$…`, `$argon2id$…`, `$scrypt$…`, `$pbkdf2-sha256$…`, `pbkdf2_sha256$…` (Django), `$6$…` and `$7$…`
    /// (Mosquitto), `{SSHA}…` (LDAP). What describes nothing is never taken for a password.
    Auto,
    /// As they are.
    Plain,
    /// MD5, in hex or base64.
    Md5(SaltPosition),
    /// SHA-1, in hex or base64.
    Sha1(SaltPosition),
    /// SHA-256, in hex or base64.
    Sha256(SaltPosition),
    /// SHA-512, in hex or base64.
    Sha512(SaltPosition),
    /// PBKDF2, in hex or base64; the salt is stored beside it.
    Pbkdf2 {
        /// The hash function below.
        mac: Mac,
        /// Rounds, 1 to 10,000,000.
        iterations: u32,
        /// Bytes of the result, 1 to 512.
        length: usize,
    },
    /// bcrypt, `$2a$`, `$2b$` or `$2y$`, up to cost 16. As everywhere, it looks at the first 72 bytes of a password.
    Bcrypt,
    /// scrypt, `$scrypt$ln=…,r=…,p=…$…`, up to 1 GiB.
    Scrypt,
    /// Argon2, `$argon2id$…`, `$argon2i$…` or `$argon2d$…`, up to 1 GiB.
    Argon2,
}

/// Where the salt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaltPosition {
    /// There is none, and one that is stored is not looked at.
    None,
    /// Before the password.
    Prefix,
    /// Behind the password.
    Suffix,
}

/// Why a hash cannot be used. Never with the hash itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HashError(pub String);

impl HashError {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl PasswordHash {
    /// Whether a password is the one of a stored hash. The time it takes does not depend on where they differ.
    ///
    /// # Errors
    /// The stored hash is none of this kind, or asks for more memory or time than one log-in may cost.
    pub fn verify(&self, password: &[u8], stored: &[u8], salt: Option<&[u8]>) -> Result<bool, HashError> {
        let salt = salt.unwrap_or_default();
        match self {
            // Their digests, because the lengths are secret too.
            Self::Plain => Ok(Sha256::digest(password).ct_eq(&Sha256::digest(stored)).into()),
            Self::Md5(position) => same_text(&digest::<Md5>(*position, password, salt), stored),
            Self::Sha1(position) => same_text(&digest::<Sha1>(*position, password, salt), stored),
            Self::Sha256(position) => same_text(&digest::<Sha256>(*position, password, salt), stored),
            Self::Sha512(position) => same_text(&digest::<Sha512>(*position, password, salt), stored),
            Self::Pbkdf2 { mac, iterations, length } => same_text(&pbkdf2(*mac, *iterations, *length, password, salt)?, stored),
            Self::Auto => described::verify(password, described::utf8(stored)?, None),
            Self::Bcrypt => described::verify(password, described::utf8(stored)?, Some(described::Family::Bcrypt)),
            Self::Scrypt => described::verify(password, described::utf8(stored)?, Some(described::Family::Scrypt)),
            Self::Argon2 => described::verify(password, described::utf8(stored)?, Some(described::Family::Argon2)),
        }
    }

    /// Whether a stored hash could be verified at all, without a password and without computing anything.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn check(&self, stored: &[u8]) -> Result<(), HashError> {
        let length = match self {
            Self::Plain => return Ok(()),
            Self::Md5(_) => 16,
            Self::Sha1(_) => 20,
            Self::Sha256(_) => 32,
            Self::Sha512(_) => 64,
            Self::Pbkdf2 { length, .. } => *length,
            Self::Auto => return described::check(described::utf8(stored)?, None),
            Self::Bcrypt => return described::check(described::utf8(stored)?, Some(described::Family::Bcrypt)),
            Self::Scrypt => return described::check(described::utf8(stored)?, Some(described::Family::Scrypt)),
            Self::Argon2 => return described::check(described::utf8(stored)?, Some(described::Family::Argon2)),
        };
        text::hex_or_base64(stored, length).map(|_| ())
    }

    /// Whether verifying takes microseconds, a single digest, and needs no thread of its own.
    pub(crate) fn is_quick(&self) -> bool {
        matches!(self, Self::Plain | Self::Md5(_) | Self::Sha1(_) | Self::Sha256(_) | Self::Sha512(_))
    }

    /// A stored hash and salt of this kind that no password fits and that costs about as much to verify as a real one: for users who do not exist, so that the
    /// time of the answer does not tell.
    #[must_use]
    pub fn decoy(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let hex = |length: usize| ("0".repeat(length.saturating_mul(2)).into_bytes(), Some(vec![b'0'; 16]));
        let text = |text: String| (text.into_bytes(), None);
        match self {
            Self::Plain => text("0".repeat(16)),
            Self::Md5(_) => hex(16),
            Self::Sha1(_) => hex(20),
            Self::Sha256(_) => hex(32),
            Self::Sha512(_) => hex(64),
            Self::Pbkdf2 { length, .. } => hex(*length),
            Self::Bcrypt => text(make::bcrypt_decoy()),
            Self::Scrypt => text(make::scrypt_decoy()),
            Self::Auto | Self::Argon2 => text(make::argon2_decoy()),
        }
    }
}

/// The digest of a password with its salt.
fn digest<D: Digest>(position: SaltPosition, password: &[u8], salt: &[u8]) -> Vec<u8> {
    let (first, second) = match position {
        SaltPosition::None => (password, &[][..]),
        SaltPosition::Prefix => (salt, password),
        SaltPosition::Suffix => (password, salt),
    };
    D::new().chain_update(first).chain_update(second).finalize().to_vec()
}

/// Whether a stored text is that of a computed hash.
fn same_text(made: &[u8], stored: &[u8]) -> Result<bool, HashError> {
    let stored = text::hex_or_base64(stored, made.len())?;
    Ok(made.ct_eq(&stored).into())
}

#[cfg(test)]
mod tests;
