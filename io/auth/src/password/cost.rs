//! Functions that are slow on purpose, and how slow they may be: whoever writes a stored hash chooses what one log-in costs here.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::pbkdf2 as fast;
use sha2::Sha224;

use super::HashError;

/// Rounds of PBKDF2. OWASP asks for 600,000 of SHA-256.
const ITERATIONS_MAXIMUM: u32 = 10_000_000;
/// Bytes that PBKDF2 may make.
const LENGTH_MAXIMUM: usize = 512;
/// KiB that Argon2 or scrypt may fill.
const MEMORY_MAXIMUM: u64 = 1024 * 1024;
/// KiB that Argon2 or scrypt may go through.
const WORK_MAXIMUM: u64 = 4 * MEMORY_MAXIMUM;
/// Lanes of Argon2 and scrypt.
const LANES_MAXIMUM: u32 = 64;
/// 2^16 rounds of bcrypt take seconds.
const BCRYPT_COST_MAXIMUM: u32 = 16;

/// The hash function below PBKDF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mac {
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Mac {
    /// By its name: `sha256`; `sha` is SHA-1.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sha" | "sha1" => Self::Sha1,
            "sha224" => Self::Sha224,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return None,
        })
    }

    /// Bytes of its digests.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// # Errors
/// The bounds.
pub(super) fn check_pbkdf2(iterations: u32, length: usize) -> Result<NonZeroU32, HashError> {
    if !(1..=LENGTH_MAXIMUM).contains(&length) {
        return Err(HashError(format!("PBKDF2 makes {length} bytes here, and may make 1 to {LENGTH_MAXIMUM}")));
    }
    NonZeroU32::new(iterations)
        .filter(|iterations| iterations.get() <= ITERATIONS_MAXIMUM)
        .ok_or_else(|| HashError(format!("PBKDF2 has {iterations} iterations here, and may have 1 to {ITERATIONS_MAXIMUM}")))
}

pub(crate) fn pbkdf2(mac: Mac, iterations: u32, length: usize, password: &[u8], salt: &[u8]) -> Result<Vec<u8>, HashError> {
    let iterations = check_pbkdf2(iterations, length)?;
    let mut made = vec![0; length];
    let algorithm = match mac {
        Mac::Sha1 => fast::PBKDF2_HMAC_SHA1,
        Mac::Sha256 => fast::PBKDF2_HMAC_SHA256,
        Mac::Sha384 => fast::PBKDF2_HMAC_SHA384,
        Mac::Sha512 => fast::PBKDF2_HMAC_SHA512,
        Mac::Sha224 => {
            pbkdf2::pbkdf2_hmac::<Sha224>(password, salt, iterations.get(), &mut made);
            return Ok(made);
        }
    };
    fast::derive(algorithm, iterations, salt, password, &mut made);
    Ok(made)
}

/// # Errors
/// The bounds.
pub(super) fn check_bcrypt(cost: u32) -> Result<(), HashError> {
    if (4..=BCRYPT_COST_MAXIMUM).contains(&cost) {
        return Ok(());
    }
    Err(HashError(format!("bcrypt has the cost {cost} here, and may have 4 to {BCRYPT_COST_MAXIMUM}")))
}

/// What makes an Argon2 hash.
pub(super) struct Argon2Cost {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    /// KiB.
    pub(super) memory: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Argon2Cost {
    /// # Errors
    /// The bounds.
    pub(super) fn check(&self) -> Result<(), HashError> {
        check_memory("Argon2", u64::from(self.memory), u64::from(self.passes), self.lanes)
    }
}

pub(super) fn argon2(cost: &Argon2Cost, length: usize, password: &[u8], salt: &[u8]) -> Result<Vec<u8>, HashError> {
    cost.check()?;
    let unusable = |error| HashError(format!("Argon2 does not accept the stored hash: {error}"));
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(length)).map_err(unusable)?;
    let mut made = vec![0; length];
    Argon2::new(cost.algorithm, cost.version, params).hash_password_into(password, salt, &mut made).map_err(unusable)?;
    Ok(made)
}

/// What makes a scrypt hash.
pub(super) struct ScryptCost {
    /// The logarithm of N.
    pub(super) log_n: u8,
    pub(super) r: u32,
    pub(super) p: u32,
}

impl ScryptCost {
    /// # Errors
    /// The bounds.
    pub(super) fn check(&self) -> Result<(), HashError> {
        let blocks = 1_u64.checked_shl(u32::from(self.log_n)).unwrap_or(u64::MAX);
        let memory = blocks.saturating_mul(u64::from(self.r)).saturating_mul(128) / 1024;
        check_memory("scrypt", memory, u64::from(self.p), self.p)
    }
}

pub(super) fn scrypt(cost: &ScryptCost, length: usize, password: &[u8], salt: &[u8]) -> Result<Vec<u8>, HashError> {
    cost.check()?;
    // The length in the parameters is that of PHC strings that the crate writes itself.
    let params = scrypt::Params::new(cost.log_n, cost.r, cost.p, scrypt::Params::RECOMMENDED_LEN)
        .map_err(|error| HashError(format!("scrypt does not accept the stored hash: {error}")))?;
    let mut made = vec![0; length];
    scrypt::scrypt(password, salt, &params, &mut made)
        .map_err(|error| HashError(format!("scrypt does not accept the stored hash: {error}")))?;
    Ok(made)
}

fn check_memory(name: &str, memory: u64, passes: u64, lanes: u32) -> Result<(), HashError> {
    if memory > MEMORY_MAXIMUM {
        return Err(HashError(format!("{name} fills {memory} KiB here, and may fill {MEMORY_MAXIMUM} KiB")));
    }
    if memory.saturating_mul(passes) > WORK_MAXIMUM {
        return Err(HashError(format!("{name} goes {passes} times through {memory} KiB here, and may go through {WORK_MAXIMUM} KiB")));
    }
    if lanes > LANES_MAXIMUM {
        return Err(HashError(format!("{name} has {lanes} lanes here, and may have {LANES_MAXIMUM}")));
    }
    Ok(())
}
