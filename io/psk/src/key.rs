//! One key: bounded, wiped when dropped, never shown.

use std::sync::OnceLock;

use aws_lc_rs::digest;
use signet_identity::KeyMark;
use zeroize::{Zeroize, Zeroizing};

/// A pre-shared key.
#[derive(Clone, PartialEq, Eq)]
pub struct Psk(Zeroizing<Vec<u8>>);

/// Why octets are no pre-shared key. Says nothing of what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PskError {
    /// Outside of the bounds.
    #[error("the key has {0} octets; 1 to {max} are possible", max = Psk::MAXIMUM)]
    Length(usize),
    /// Not pairs of hexadecimal digits.
    #[error("the key is not written in pairs of hexadecimal digits")]
    NotHexadecimal,
}

impl Psk {
    /// The longest key, in octets. TLS hashes it, so more than 64 add nothing.
    pub const MAXIMUM: usize = 64;

    /// The shortest key that a listener takes unless it is told otherwise, in octets. Whoever listens to one handshake can try short keys at home.
    pub const MINIMUM_BY_DEFAULT: usize = 16;

    /// Takes 1 to [`Self::MAXIMUM`] octets.
    ///
    /// # Errors
    /// There are more, or none.
    pub fn new(octets: &[u8]) -> Result<Self, PskError> {
        if octets.is_empty() || octets.len() > Self::MAXIMUM {
            return Err(PskError::Length(octets.len()));
        }
        Ok(Self(Zeroizing::new(octets.to_vec())))
    }

    /// Reads hexadecimal digits of either case.
    ///
    /// # Errors
    /// As [`Self::new`], or the text is something else.
    pub fn from_hex(text: &[u8]) -> Result<Self, PskError> {
        if text.len() > 2 * Self::MAXIMUM {
            return Err(PskError::Length(text.len() / 2));
        }
        let mut octets = [0; Self::MAXIMUM];
        let read = match octets.get_mut(..text.len() / 2) {
            Some(space) => hex::decode_to_slice(text, space).map_err(|_| PskError::NotHexadecimal).and_then(|()| Self::new(space)),
            None => Err(PskError::NotHexadecimal),
        };
        octets.zeroize();
        read
    }

    /// A key that nobody has.
    pub(crate) fn of_nobody() -> Option<Self> {
        let mut octets = Zeroizing::new(vec![0; 32]);
        aws_lc_rs::rand::fill(&mut octets).ok()?;
        Some(Self(octets))
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// By which it can be recognised without being held.
    pub(crate) fn mark(&self) -> Option<KeyMark> {
        static SECRET: OnceLock<Option<[u8; 32]>> = OnceLock::new();
        let secret = SECRET.get_or_init(|| {
            let mut secret = [0; 32];
            aws_lc_rs::rand::fill(&mut secret).ok()?;
            Some(secret)
        });
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(secret.as_ref()?);
        context.update(&self.0);
        let digest = context.finish();
        Some(KeyMark::new(digest.as_ref().first_chunk().copied()?))
    }
}

impl std::fmt::Debug for Psk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Psk")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_bounds_and_do_not_show() {
        assert_eq!(Psk::new(&[]).unwrap_err(), PskError::Length(0));
        assert_eq!(Psk::new(&[7; 65]).unwrap_err(), PskError::Length(65));
        assert_eq!(Psk::from_hex(&[b'a'; 130]).unwrap_err(), PskError::Length(65));
        for text in ["xyz0", "abc", "ab cd", "ä0"] {
            assert_eq!(Psk::from_hex(text.as_bytes()).unwrap_err(), PskError::NotHexadecimal, "{text}");
        }
        assert_eq!(Psk::from_hex(b"").unwrap_err(), PskError::Length(0));
        let key = Psk::from_hex(b"00FFab12").unwrap();
        assert_eq!(key.octets(), [0, 0xff, 0xab, 0x12]);
        assert_eq!(format!("{key:?}"), "Psk");
        assert!(!PskError::NotHexadecimal.to_string().contains("xyz"));
    }

    #[test]
    fn a_mark_is_that_of_one_key() {
        let mark = |octets: &[u8]| Psk::new(octets).unwrap().mark().unwrap();
        assert_eq!(mark(b"0123456789abcdef"), mark(b"0123456789abcdef"));
        assert_ne!(mark(b"0123456789abcdef"), mark(b"0123456789abcdeg"));
        assert_eq!(format!("{:?}", mark(b"x")), "KeyMark");
    }
}
