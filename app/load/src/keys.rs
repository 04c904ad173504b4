//! Randomness for WebSocket: a fresh key for every frame (RFC 6455 §5.3), without a system call for each.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// As much as the system gives whole (getrandom(2)).
const POOL: usize = 256;

/// Random octets, each given out once.
#[derive(Debug)]
pub(crate) struct Keys {
    pool: [u8; POOL],
    used: usize,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self { pool: [0; POOL], used: POOL }
    }

    /// `N` octets, at most [`POOL`].
    ///
    /// # Errors
    /// The system has none.
    pub(crate) fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let fresh = self.pool.get(self.used..).and_then(|left| left.first_chunk().copied());
        let octets = match fresh {
            Some(octets) => octets,
            None => {
                self.fill()?;
                *self.pool.first_chunk().ok_or(io::ErrorKind::InvalidInput)?
            }
        };
        self.used += N;
        Ok(octets)
    }

    fn fill(&mut self) -> io::Result<()> {
        if getrandom(&mut self.pool, GetRandomFlags::empty())? < POOL {
            return Err(io::Error::other("the system gives too few random octets"));
        }
        self.used = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_octets_are_given_out_twice() {
        let mut keys = Keys::new();
        let mut seen = HashSet::new();
        for _ in 0..POOL {
            // Two of eight random octets are never alike, and no part of the pool is passed over or given again.
            assert!(seen.insert(keys.take::<8>().unwrap()));
            assert!(seen.insert(keys.take::<8>().unwrap()));
        }
        assert_eq!(seen.len(), 2 * POOL);
    }
}
