//! A CRL's number, by which a later list is told from an earlier one (RFC 5280 §5.2.3).

use std::fmt;

use signet_identity::SerialNumber;
use signet_identity::der::{self, DerError, Reader};

/// A CRL's number: at most 20 octets (RFC 5280 §5.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlNumber(SerialNumber);

impl CrlNumber {
    /// Reads an INTEGER of 0 or more, as crlNumber and deltaCRLIndicator hold it.
    pub(crate) fn read(value: &[u8]) -> Result<Self, DerError> {
        let mut reader = Reader::new(value);
        let content = reader.expect(der::INTEGER)?.content;
        reader.finish()?;
        if content.first().is_some_and(|first| *first >= 0x80) {
            return Err(DerError::Content("found a negative number"));
        }
        SerialNumber::from_der_integer(content).map(Self).ok_or(DerError::Content("expected 1 to 20 octets"))
    }
}

impl From<u64> for CrlNumber {
    fn from(number: u64) -> Self {
        let mut octets = [0; SerialNumber::MAXIMUM_OCTETS];
        let (_, low) = octets.split_at_mut(SerialNumber::MAXIMUM_OCTETS - 8);
        low.copy_from_slice(&number.to_be_bytes());
        Self(SerialNumber::from_padded(octets))
    }
}

/// Decimal when it fits into 64 bits, else hex octets.
impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = self.0.as_octets();
        if octets.len() <= 8 {
            write!(f, "{}", octets.iter().fold(0_u64, |number, octet| (number << 8) | u64::from(*octet)))
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl fmt::Debug for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CrlNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_until_they_are_too_long() {
        assert_eq!(CrlNumber::from(18).to_string(), "18");
        assert_eq!(CrlNumber::from(u64::MAX).to_string(), u64::MAX.to_string());
        let long = CrlNumber::read(&[2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(long.to_string(), "01:00:00:00:00:00:00:00:00");
        assert!(long > CrlNumber::from(u64::MAX));
        assert!(CrlNumber::read(&[2, 1, 0x80]).is_err());
    }
}
