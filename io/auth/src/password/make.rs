//! New hashes.

use argon2::{Algorithm, Version};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha512};

use super::HashError;
use super::cost::{self, Argon2Cost, Mac};

/// The kind of a new hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewHash {
    /// Argon2id with 19 MiB, two passes and one lane, as OWASP recommends: `$argon2id$…`. Ours.
    Argon2id,
    /// SHA-512 of password and salt as Mosquitto 1.6 and before write it: `$6$…`.
    MosquittoSha512,
    /// PBKDF2 as Mosquitto 2.0 writes it: `$7$…`.
    MosquittoPbkdf2 {
        /// Mosquitto 2.0 takes 101, and 2.1 takes 1,000.
        iterations: u32,
    },
}

/// KiB.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Bytes.
const HASH: usize = 32;

impl NewHash {
    /// A hash of this password with a new random salt. Argon2id takes tens of milliseconds: it belongs into the [`crate::HashingPool`].
    ///
    /// # Errors
    /// There is no randomness, or too many iterations were asked for.
    pub fn make(self, password: &[u8]) -> Result<String, HashError> {
        match self {
            Self::Argon2id => {
                let salt = salt::<16>()?;
                let hash = cost::argon2(&argon2id(), HASH, password, &salt)?;
                Ok(argon2_text(&salt, &hash))
            }
            Self::MosquittoSha512 => {
                let salt = salt::<12>()?;
                let hash = Sha512::new().chain_update(password).chain_update(salt).finalize();
                Ok(format!("$6${}${}", STANDARD.encode(salt), STANDARD.encode(hash)))
            }
            Self::MosquittoPbkdf2 { iterations } => {
                let salt = salt::<12>()?;
                let hash = cost::pbkdf2(Mac::Sha512, iterations, 64, password, &salt)?;
                Ok(format!("$7${iterations}${}${}", STANDARD.encode(salt), STANDARD.encode(hash)))
            }
        }
    }
}

fn argon2id() -> Argon2Cost {
    Argon2Cost { algorithm: Algorithm::Argon2id, version: Version::V0x13, memory: MEMORY, passes: PASSES, lanes: LANES }
}

fn argon2_text(salt: &[u8], hash: &[u8]) -> String {
    format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash))
}

fn salt<const BYTES: usize>() -> Result<[u8; BYTES], HashError> {
    let mut salt = [0; BYTES];
    rand::fill(&mut salt).map_err(|_| HashError::new("the system has no randomness for a salt"))?;
    Ok(salt)
}

pub(super) fn argon2_decoy() -> String {
    argon2_text(&[0; 16], &[0; HASH])
}

/// With the cost that most programs take.
pub(super) fn bcrypt_decoy() -> String {
    format!("$2b$10${}", ".".repeat(53))
}

/// With the cost that passlib takes.
pub(super) fn scrypt_decoy() -> String {
    format!("$scrypt$ln=16,r=8,p=1${}${}", STANDARD_NO_PAD.encode([0; 16]), STANDARD_NO_PAD.encode([0; HASH]))
}
