//! What tells one question to a backend from another.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

/// Of this process: what is remembered lets nobody guess passwords who does not have it too.
static SECRET: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut secret = [0; 32];
    if aws_lc_rs::rand::fill(&mut secret).is_err() {
        // The system's randomness by another way, which cannot fail; less of it is in it.
        for (at, part) in secret.chunks_mut(8).enumerate() {
            part.copy_from_slice(&RandomState::new().hash_one(at).to_be_bytes());
        }
    }
    secret
});

/// A digest of everything a question depends on. Fields keep their bounds: `("ab", "c")` is not `("a", "bc")`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct QueryKey([u8; 32]);

impl QueryKey {
    /// Of these fields in this order.
    pub fn of<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut digest = Sha256::new();
        digest.update(*SECRET);
        for field in fields {
            digest.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(field);
        }
        Self(digest.finalize().into())
    }
}

impl fmt::Debug for QueryKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it is of may be a password, which a digest lets people guess.
        formatter.write_str("QueryKey")
    }
}
