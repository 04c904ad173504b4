//! The key under which a certificate is known everywhere else: digest of the issuer's Name, and serial number (RFC 5280 §4.1.2.2).

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::error::IdentityError;
use crate::text::shown;

/// A certificate's serial number: an unsigned integer of at most 20 octets (RFC 5280 §4.1.2.2).
///
/// Kept without the sign octet of DER, so that the same number read from a certificate, a CRL or a command line is equal. A negative
/// number, which RFC 5280 forbids but old software made, is taken by its octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SerialNumber([u8; Self::MAXIMUM_OCTETS]); // right-aligned: byte order is number order

impl SerialNumber {
    /// The longest serial number, in octets.
    pub const MAXIMUM_OCTETS: usize = 20;

    /// From the content octets of a DER INTEGER. `None` when it is empty or longer than 20 octets after leading zeros.
    #[must_use]
    pub fn from_der_integer(content: &[u8]) -> Option<Self> {
        if content.is_empty() {
            return None;
        }
        let first = content.iter().position(|octet| *octet != 0).unwrap_or(content.len());
        let magnitude = content.get(first..)?;
        let mut octets = [0; Self::MAXIMUM_OCTETS];
        let start = Self::MAXIMUM_OCTETS.checked_sub(magnitude.len())?;
        octets.get_mut(start..)?.copy_from_slice(magnitude);
        Some(Self(octets))
    }

    /// The 20 octets, big-endian, filled up with zeros on the left.
    #[must_use]
    pub fn to_padded(self) -> [u8; Self::MAXIMUM_OCTETS] {
        self.0
    }

    /// From the form that [`Self::to_padded`] gives.
    #[must_use]
    pub fn from_padded(octets: [u8; Self::MAXIMUM_OCTETS]) -> Self {
        Self(octets)
    }

    /// The number without leading zero octets; at least one octet.
    #[must_use]
    pub fn as_octets(&self) -> &[u8] {
        let first = self.0.iter().position(|octet| *octet != 0).unwrap_or(Self::MAXIMUM_OCTETS - 1);
        self.0.get(first..).unwrap_or_default()
    }

    /// The number in decimal digits, as `openssl x509` cannot print it but many data bases hold it.
    #[must_use]
    pub fn to_decimal(&self) -> String {
        // Digits from the last to the first, by long division of the octets.
        let mut number = self.0;
        let mut digits = Vec::new();
        loop {
            let mut remainder = 0_u16;
            for octet in &mut number {
                let part = remainder << 8 | u16::from(*octet);
                // A remainder is below 10, so the quotient is below 256.
                *octet = u8::try_from(part / 10).unwrap_or(u8::MAX);
                remainder = part % 10;
            }
            digits.push(char::from(b'0' + u8::try_from(remainder).unwrap_or(0)));
            if number.iter().all(|octet| *octet == 0) {
                return digits.into_iter().rev().collect();
            }
        }
    }
}

/// Upper-case hex octets with colons: `4F:01:A0`.
impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.as_octets().iter().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            write!(f, "{octet:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}

/// Hex digits in any case, with or without colons between octets.
impl FromStr for SerialNumber {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |reason: &str| IdentityError::InvalidText { value: shown(text), what: "serial number", reason: reason.to_owned() };
        let mut octets = Vec::new();
        if text.contains(':') {
            for part in text.split(':') {
                if !matches!(part.len(), 1 | 2) {
                    return Err(invalid("expected two hex digits between colons, such as `4F:01`"));
                }
                octets.push(u8::from_str_radix(part, 16).map_err(|_| invalid("expected hex digits"))?);
            }
        } else {
            let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
            octets = hex::decode(padded).map_err(|_| invalid("expected hex digits, such as `4F01` or `4F:01`"))?;
        }
        Self::from_der_integer(&octets).ok_or_else(|| invalid("expected 1 to 20 octets"))
    }
}

/// SHA-256 of a Name as it is encoded in DER: what makes two issuers the same here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameDigest([u8; 32]);

impl NameDigest {
    /// The digest of a whole DER Name, its SEQUENCE header included. Names are compared by their octets, as path building does
    /// (RFC 5280 §4.1.2.4: a CA encodes its name the same way everywhere).
    #[must_use]
    pub fn of(name_der: &[u8]) -> Self {
        Self(Sha256::digest(name_der).into())
    }

    /// From stored octets.
    #[must_use]
    pub fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The digest's octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The first four octets as hex, enough to tell issuers apart in a log line.
impl fmt::Display for NameDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in self.0.iter().take(4) {
            write!(f, "{octet:02X}")?;
        }
        f.write_str("…")
    }
}

impl fmt::Debug for NameDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameDigest({})", hex::encode(self.0))
    }
}

/// SHA-256 of a SubjectPublicKeyInfo: the same for every certificate of one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a whole DER SubjectPublicKeyInfo, its SEQUENCE header included.
    #[must_use]
    pub fn of(spki_der: &[u8]) -> Self {
        Self(Sha256::digest(spki_der).into())
    }

    /// From stored octets.
    #[must_use]
    pub fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The digest's octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 lower-case hex digits.
impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({self})")
    }
}

/// A certification authority: its Name and its key. Two authorities of one Name and different keys are two; one that renews its certificate
/// with the same key stays the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct AuthorityId {
    /// The digest of the Name under which it issues.
    pub name: NameDigest,
    /// Its key.
    pub key: KeyDigest,
}

/// One certificate of a verified path, and the key that signed it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PathCertificate {
    /// The certificate.
    pub id: CertificateId,
    /// The key of its issuer, under which the path was verified.
    pub issuer_key: KeyDigest,
}

impl PathCertificate {
    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> AuthorityId {
        AuthorityId { name: self.id.issuer(), key: self.issuer_key }
    }
}

/// Which certificate: its issuer's name and its serial number, which together are unique (RFC 5280 §4.1.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CertificateId {
    issuer: NameDigest,
    serial: SerialNumber,
}

impl CertificateId {
    /// Puts an id together.
    #[must_use]
    pub fn new(issuer: NameDigest, serial: SerialNumber) -> Self {
        Self { issuer, serial }
    }

    /// The digest of the issuer's Name.
    #[must_use]
    pub fn issuer(&self) -> NameDigest {
        self.issuer
    }

    /// The serial number.
    #[must_use]
    pub fn serial(&self) -> SerialNumber {
        self.serial
    }

    /// 32 octets of issuer digest, then 20 of serial number: a key whose byte order is the id's order.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 52] {
        let mut bytes = [0; 52];
        let (issuer, serial) = bytes.split_at_mut(32);
        issuer.copy_from_slice(&self.issuer.0);
        serial.copy_from_slice(&self.serial.0);
        bytes
    }

    /// From the form that [`Self::to_bytes`] gives; `None` when it has another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (issuer, serial) = bytes.split_at_checked(32)?;
        Some(Self { issuer: NameDigest(issuer.try_into().ok()?), serial: SerialNumber(serial.try_into().ok()?) })
    }
}

/// `AB12CD34…:4F:01`: issuer digest cut short, then the serial number.
impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.issuer, self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_octet_and_leading_zeros_do_not_matter() {
        let plain = SerialNumber::from_der_integer(&[0x9f, 1]).unwrap();
        assert_eq!(SerialNumber::from_der_integer(&[0, 0x9f, 1]).unwrap(), plain);
        assert_eq!(SerialNumber::from_der_integer(&[0, 0, 0x9f, 1]).unwrap(), plain);
        assert_eq!("9f01".parse::<SerialNumber>().unwrap(), plain);
        assert_eq!("00:9F:01".parse::<SerialNumber>().unwrap(), plain);
        assert_eq!(plain.to_string(), "9F:01");
        assert_eq!(plain.as_octets(), [0x9f, 1]);
    }

    #[test]
    fn zero_is_one_octet() {
        let zero = SerialNumber::from_der_integer(&[0]).unwrap();
        assert_eq!(zero.to_string(), "00");
        assert_eq!("0".parse::<SerialNumber>().unwrap(), zero);
    }

    #[test]
    fn length_is_bounded() {
        assert!(SerialNumber::from_der_integer(&[]).is_none());
        assert!(SerialNumber::from_der_integer(&[1; 21]).is_none());
        let mut longest = vec![0];
        longest.extend([0xff; 20]);
        assert_eq!(SerialNumber::from_der_integer(&longest).unwrap().as_octets(), [0xff; 20]);
    }

    #[test]
    fn order_is_the_order_of_numbers() {
        let mut numbers = [vec![1, 0], vec![0xff], vec![2], vec![1, 0, 0]].map(|octets| SerialNumber::from_der_integer(&octets).unwrap());
        numbers.sort();
        assert_eq!(numbers.map(|number| number.to_string()), ["02", "FF", "01:00", "01:00:00"]);
    }

    #[test]
    fn decimal_digits() {
        let decimal = |octets: &[u8]| SerialNumber::from_der_integer(octets).unwrap().to_decimal();
        assert_eq!([decimal(&[0]), decimal(&[9]), decimal(&[10]), decimal(&[1, 0])], ["0", "9", "10", "256"]);
        assert_eq!(decimal(&[&[0][..], &[0xff; 20]].concat()), "1461501637330902918203684832716283019655932542975");
    }

    proptest::proptest! {
        #[test]
        fn decimal_digits_are_those_of_the_number(number: u128) {
            let serial = SerialNumber::from_der_integer(&[&[0][..], &number.to_be_bytes()].concat()).unwrap();
            proptest::prop_assert_eq!(serial.to_decimal(), number.to_string());
        }
    }

    #[test]
    fn wrong_text_is_refused_with_its_reason() {
        for text in ["", ":", "4F:", "4F:1G", "xyz", "4F:123", "é"] {
            let error = text.parse::<SerialNumber>().unwrap_err().to_string();
            assert!(error.contains("is not a serial number"), "{error}");
        }
        assert!("11".repeat(21).parse::<SerialNumber>().is_err());
    }

    #[test]
    fn an_id_survives_its_stored_form() {
        let id = CertificateId::new(NameDigest::of(b"name"), SerialNumber::from_der_integer(&[7, 8]).unwrap());
        assert_eq!(CertificateId::from_bytes(&id.to_bytes()), Some(id));
        assert_eq!(CertificateId::from_bytes(&[0; 51]), None);
        assert_eq!(CertificateId::from_bytes(&[0; 53]), None);
        assert!(id.to_string().ends_with("…:07:08"));
    }
}
