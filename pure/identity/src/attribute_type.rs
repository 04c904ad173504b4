//! Attribute types of names by the short names people know: RFC 4519, RFC 2985, and the spelling that OpenSSL prints.

use std::borrow::Cow;

use crate::der::{self, DerError};

/// An attribute type that has a short name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    encoded: &'static [u8],
    /// The dotted OID.
    pub(crate) oid: &'static str,
    /// The short name.
    pub(crate) name: &'static str,
}

/// The dotted OID of content octets, and the short name; without an allocation where there is a short name.
pub(crate) fn read(encoded: &[u8]) -> Result<(Cow<'static, str>, Option<&'static str>), DerError> {
    match KNOWN.iter().find(|known| known.encoded == encoded) {
        Some(known) => Ok((Cow::Borrowed(known.oid), Some(known.name))),
        None => Ok((Cow::Owned(der::oid_text(encoded)?), None)),
    }
}

/// The type with that short name, in any case.
pub(crate) fn by_name(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

const fn known(encoded: &'static [u8], oid: &'static str, name: &'static str) -> Known {
    Known { encoded, oid, name }
}

/// The frequent ones first: the table is searched from the front.
const KNOWN: [Known; 33] = [
    known(&[0x55, 4, 3], "2.5.4.3", "CN"),
    known(&[0x55, 4, 6], "2.5.4.6", "C"),
    known(&[0x55, 4, 10], "2.5.4.10", "O"),
    known(&[0x55, 4, 11], "2.5.4.11", "OU"),
    known(&[0x55, 4, 5], "2.5.4.5", "serialNumber"),
    known(&[0x55, 4, 7], "2.5.4.7", "L"),
    known(&[0x55, 4, 8], "2.5.4.8", "ST"),
    known(&[0x55, 4, 4], "2.5.4.4", "SN"),
    known(&[0x55, 4, 9], "2.5.4.9", "street"),
    known(&[0x55, 4, 12], "2.5.4.12", "title"),
    known(&[0x55, 4, 13], "2.5.4.13", "description"),
    known(&[0x55, 4, 15], "2.5.4.15", "businessCategory"),
    known(&[0x55, 4, 16], "2.5.4.16", "postalAddress"),
    known(&[0x55, 4, 17], "2.5.4.17", "postalCode"),
    known(&[0x55, 4, 18], "2.5.4.18", "postOfficeBox"),
    known(&[0x55, 4, 20], "2.5.4.20", "telephoneNumber"),
    known(&[0x55, 4, 41], "2.5.4.41", "name"),
    known(&[0x55, 4, 42], "2.5.4.42", "GN"),
    known(&[0x55, 4, 43], "2.5.4.43", "initials"),
    known(&[0x55, 4, 44], "2.5.4.44", "generationQualifier"),
    known(&[0x55, 4, 45], "2.5.4.45", "x500UniqueIdentifier"),
    known(&[0x55, 4, 46], "2.5.4.46", "dnQualifier"),
    known(&[0x55, 4, 51], "2.5.4.51", "houseIdentifier"),
    known(&[0x55, 4, 65], "2.5.4.65", "pseudonym"),
    known(&[0x55, 4, 72], "2.5.4.72", "role"),
    known(&[0x55, 4, 97], "2.5.4.97", "organizationIdentifier"),
    known(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "1.2.840.113549.1.9.1", "emailAddress"),
    known(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2], "1.2.840.113549.1.9.2", "unstructuredName"),
    known(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 8], "1.2.840.113549.1.9.8", "unstructuredAddress"),
    known(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "0.9.2342.19200300.100.1.1", "UID"),
    known(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 3], "0.9.2342.19200300.100.1.3", "mail"),
    known(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "0.9.2342.19200300.100.1.25", "DC"),
    known(&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 3], "1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_and_text_of_the_table_are_the_same_oid() {
        for known in &KNOWN {
            assert_eq!(der::oid_text(known.encoded).unwrap(), known.oid, "{}", known.name);
        }
    }

    #[test]
    fn short_names_are_found_in_any_case() {
        assert_eq!(by_name("emailaddress").map(|known| known.oid), Some("1.2.840.113549.1.9.1"));
        assert_eq!(by_name("OUU"), None);
    }
}
