//! Hashes as text.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::HashError;

/// Standard base64, with padding or without.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What base64 says, written with `+` or, as passlib does, with `.`.
///
/// # Errors
/// It is no base64. `what` names it.
pub(super) fn base64(text: &str, what: &str) -> Result<Vec<u8>, HashError> {
    LENIENT.decode(text.replace('.', "+")).map_err(|_| HashError(format!("the {what} is not base64")))
}

/// A hash of `length` bytes, in hex of either case, or in base64 where its text is of another length than that in hex.
///
/// # Errors
/// It is neither.
pub(super) fn hex_or_base64(stored: &[u8], length: usize) -> Result<Vec<u8>, HashError> {
    let wrong = || HashError(format!("the stored hash has {} characters, and is not {length} bytes in hex or base64", stored.len()));
    let decoded = if stored.len() == length.saturating_mul(2) {
        hex::decode(stored).map_err(|_| wrong())?
    } else {
        LENIENT.decode(stored).map_err(|_| wrong())?
    };
    if decoded.len() == length { Ok(decoded) } else { Err(wrong()) }
}

/// The fields of `$a$b$c`, without the empty one before the first `$`.
pub(super) fn fields(text: &str) -> Vec<&str> {
    text.strip_prefix('$').unwrap_or(text).split('$').collect()
}

/// Numbers by name, as in `m=19456,t=2,p=1`.
pub(super) struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self(text)
    }

    /// The number with this name; `None`: it is not there.
    ///
    /// # Errors
    /// It is no number.
    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, HashError> {
        let found = self.0.split(',').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
        let number = |(_, value): (&str, &str)| {
            value.parse().map_err(|_| HashError(format!("the parameter `{name}` of the stored hash is no number")))
        };
        found.map(number).transpose()
    }

    /// The number with this name, which has to be there.
    ///
    /// # Errors
    /// It is not, or is no number.
    pub(super) fn required(&self, name: &str) -> Result<u32, HashError> {
        self.number(name)?.ok_or_else(|| HashError(format!("the stored hash does not say its parameter `{name}`")))
    }
}
