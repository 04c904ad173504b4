//! Distinguished Names and subjectAltName (RFC 5280 §4.1.2.4, §4.2.1.6; text form RFC 4514).

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::der::{self, DerError, Element, Reader};
use crate::error::IdentityError;
use crate::text::is_hidden;

/// A Distinguished Name: a sequence of RDNs, each a set of one or more attributes, in the order of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    rdns: Vec<Vec<Attribute>>,
}

/// One attribute of a Distinguished Name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    oid: String,
    value: AttributeValue,
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Any of the ASN.1 character strings, as text, and its DER encoding.
    Text {
        /// The characters.
        text: String,
        /// The whole encoding.
        der: Vec<u8>,
    },
    /// Something else: its DER encoding.
    Der(Vec<u8>),
}

/// A name in subjectAltName.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectAltName {
    /// dNSName.
    Dns(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// rfc822Name.
    Email(String),
    /// iPAddress, version 4 or 6.
    Ip(IpAddr),
    /// A form without a use here: otherName, directoryName, registeredID and the like.
    Other,
}

impl Subject {
    /// Reads a Name from its DER, the SEQUENCE header included. `field` is the name of the field in an error: `subject`, `issuer`.
    ///
    /// # Errors
    /// [`IdentityError::Unreadable`] when it is malformed, or text is not valid in its character set.
    pub fn from_name_der(der: &[u8], field: &'static str) -> Result<Self, IdentityError> {
        read_name(der).map(|rdns| Self { rdns }).map_err(|error| IdentityError::Unreadable { field, reason: error.to_string() })
    }

    /// The RDNs in the order of the certificate, most general first as a rule.
    #[must_use]
    pub fn rdns(&self) -> &[Vec<Attribute>] {
        &self.rdns
    }

    /// The first common name, if it is text.
    #[must_use]
    pub fn cn(&self) -> Option<&str> {
        self.attribute("CN")
    }

    /// The first attribute of that short name (`CN`, `OU`, `emailAddress`, in any case) or dotted OID, if it is text.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.rdns.iter().flatten().find(|attribute| attribute.is_named(name)).and_then(Attribute::text)
    }

    /// The text form of RFC 4514: last RDN first, separated by `,`, the attributes of one RDN by `+`.
    ///
    /// Control and invisible characters are written as `\` and two hex digits for each octet, other characters outside ASCII as themselves.
    /// Otherwise equal to what OpenSSL prints with `-nameopt RFC2253,-esc_msb`.
    #[must_use]
    pub fn rfc4514(&self) -> String {
        let mut text = String::new();
        for (index, rdn) in self.rdns.iter().rev().enumerate() {
            for (inner, attribute) in rdn.iter().rev().enumerate() {
                text.push_str(match (index, inner) {
                    (0, 0) => "",
                    (_, 0) => ",",
                    _ => "+",
                });
                attribute.write_rfc4514(&mut text);
            }
        }
        text
    }
}

impl Attribute {
    /// The attribute type as a dotted OID.
    #[must_use]
    pub fn oid(&self) -> &str {
        &self.oid
    }

    /// The short name, if the type has a common one.
    #[must_use]
    pub fn short_name(&self) -> Option<&'static str> {
        SHORT_NAMES.iter().find(|(oid, _)| *oid == self.oid).map(|(_, name)| *name)
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &AttributeValue {
        &self.value
    }

    /// The value if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            AttributeValue::Text { text, .. } => Some(text),
            AttributeValue::Der(_) => None,
        }
    }

    fn is_named(&self, name: &str) -> bool {
        self.oid == name || self.short_name().is_some_and(|short| short.eq_ignore_ascii_case(name))
    }

    /// `CN=text`, or `1.2.3=#` and the DER in hex where the type has no short name or the value is no text (RFC 4514 §2.4).
    fn write_rfc4514(&self, out: &mut String) {
        match (self.short_name(), &self.value) {
            (Some(name), AttributeValue::Text { text, .. }) => {
                out.push_str(name);
                out.push('=');
                write_escaped(text, out);
            }
            (name, AttributeValue::Text { der, .. } | AttributeValue::Der(der)) => {
                out.push_str(name.unwrap_or(&self.oid));
                out.push_str("=#");
                out.push_str(&hex::encode_upper(der));
            }
        }
    }
}

/// RFC 4514 §2.4: what is escaped where.
fn write_escaped(text: &str, out: &mut String) {
    let last = text.chars().count().saturating_sub(1);
    for (index, character) in text.chars().enumerate() {
        let at_edge = (character == ' ' && (index == 0 || index == last)) || (character == '#' && index == 0);
        if is_hidden(character) {
            for octet in character.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\{octet:02X}");
            }
            continue;
        }
        if at_edge || matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
}

fn read_name(der: &[u8]) -> Result<Vec<Vec<Attribute>>, DerError> {
    let mut name = Reader::document(der)?;
    let mut rdns = Vec::new();
    while !name.is_empty() {
        let mut set = Reader::new(name.expect(der::SET)?.content);
        let mut rdn = Vec::new();
        while !set.is_empty() {
            let mut attribute = set.sequence()?;
            let oid = der::oid_text(attribute.expect(der::OBJECT_IDENTIFIER)?.content)?;
            let value = read_value(attribute.element()?)?;
            attribute.finish()?;
            rdn.push(Attribute { oid, value });
        }
        if rdn.is_empty() {
            return Err(DerError::Content("found an empty RDN"));
        }
        rdns.push(rdn);
    }
    Ok(rdns)
}

/// Text out of each of the ASN.1 character strings that names use (RFC 5280 §4.1.2.4 and what came before it).
fn read_value(element: Element<'_>) -> Result<AttributeValue, DerError> {
    let content = element.content;
    let text = match element.tag {
        UTF8_STRING => {
            std::str::from_utf8(content).map(str::to_owned).map_err(|_| DerError::Content("found a UTF8String that is not UTF-8"))?
        }
        NUMERIC_STRING | PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING => ascii(content)?.to_owned(),
        // T.61 in certificates has always meant Latin-1 in practice.
        TELETEX_STRING => content.iter().map(|octet| char::from(*octet)).collect(),
        BMP_STRING => wide(content, 2)?,
        UNIVERSAL_STRING => wide(content, 4)?,
        _ => return Ok(AttributeValue::Der(element.encoded.to_vec())),
    };
    Ok(AttributeValue::Text { text, der: element.encoded.to_vec() })
}

fn ascii(content: &[u8]) -> Result<&str, DerError> {
    std::str::from_utf8(content)
        .ok()
        .filter(|text| text.is_ascii())
        .ok_or(DerError::Content("found characters outside ASCII in a string type that has none"))
}

/// UCS-2 and UCS-4: one big-endian number for each character.
fn wide(content: &[u8], width: usize) -> Result<String, DerError> {
    let number = |unit: &[u8]| unit.iter().fold(0_u32, |number, octet| (number << 8) | u32::from(*octet));
    let units = content.chunks_exact(width);
    if !units.remainder().is_empty() {
        return Err(DerError::Content("found a string that ends inside a character"));
    }
    units
        .map(|unit| char::from_u32(number(unit)))
        .collect::<Option<_>>()
        .ok_or(DerError::Content("found a string with a code that is no character"))
}

/// Reads the content of subjectAltName (RFC 5280 §4.2.1.6).
pub(crate) fn read_san(value: &[u8]) -> Result<Vec<SubjectAltName>, DerError> {
    let mut names = Reader::document(value)?;
    let mut san = Vec::new();
    while !names.is_empty() {
        let Element { tag, content, .. } = names.element()?;
        let text = || ascii(content).map(str::to_owned);
        san.push(match tag {
            0x81 => SubjectAltName::Email(text()?),
            0x82 => SubjectAltName::Dns(text()?),
            0x86 => SubjectAltName::Uri(text()?),
            0x87 => SubjectAltName::Ip(address(content)?),
            0xa0 | 0xa3 | 0xa4 | 0xa5 | 0x88 => SubjectAltName::Other,
            _ => return Err(DerError::Content("found a form of name that does not exist")),
        });
    }
    if san.is_empty() {
        return Err(DerError::Content("found no name; expected one or more"));
    }
    Ok(san)
}

fn address(content: &[u8]) -> Result<IpAddr, DerError> {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        return Ok(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(content).map(IpAddr::from).map_err(|_| DerError::Content("found an IP address of neither 4 nor 16 octets"))
}

const UTF8_STRING: u8 = 0x0c;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const VISIBLE_STRING: u8 = 0x1a;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;

/// Attribute types by the names people know: RFC 4519, RFC 2985, and the spelling that OpenSSL prints.
const SHORT_NAMES: [(&str, &str); 24] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

#[cfg(test)]
mod tests;
