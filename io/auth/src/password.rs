//! Password hashes as password files, data bases and other brokers hold them.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// How passwords are hashed in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordHash {
    /// As they are.
    Plain,
    /// SHA-256, in hex, with a salt or without.
    Sha256(SaltPosition),
}

/// Where the salt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaltPosition {
    /// There is none.
    None,
    /// Before the password.
    Prefix,
    /// Behind the password.
    Suffix,
}

/// Why a hash cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HashError(pub String);

impl PasswordHash {
    /// Whether a password is the one of a stored hash.
    ///
    /// # Errors
    /// The stored hash is none of this kind.
    pub fn verify(&self, password: &[u8], stored: &[u8], salt: Option<&[u8]>) -> Result<bool, HashError> {
        match self {
            Self::Plain => Ok(password.ct_eq(stored).into()),
            Self::Sha256(position) => {
                let salt = salt.unwrap_or_default();
                let parts = match position {
                    SaltPosition::None => [&[], password],
                    SaltPosition::Prefix => [salt, password],
                    SaltPosition::Suffix => [password, salt],
                };
                let made = hex::encode(Sha256::digest(parts.concat()));
                Ok(made.as_bytes().ct_eq(&stored.to_ascii_lowercase()).into())
            }
        }
    }
}
