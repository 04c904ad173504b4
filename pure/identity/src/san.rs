//! Names in subjectAltName (RFC 5280 §4.2.1.6).

use std::net::IpAddr;

use crate::der::{self, DerError, Element, Reader};
use crate::string::{ascii, text_of};
use crate::subject::Subject;

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
    /// directoryName.
    DirectoryName(Subject),
    /// otherName.
    OtherName {
        /// The dotted OID that says what it is.
        type_id: String,
        /// The value where it is one of ASN.1's character strings.
        text: Option<String>,
        /// The value's whole encoding.
        der: Vec<u8>,
    },
    /// registeredID, a dotted OID.
    RegisteredId(String),
    /// x400Address or ediPartyName, which have no use here.
    Other,
}

/// Reads the content of subjectAltName.
pub(crate) fn read_san(value: &[u8]) -> Result<Vec<SubjectAltName>, DerError> {
    let mut names = Reader::document(value)?;
    let mut san = Vec::new();
    while !names.is_empty() {
        san.push(read_name(names.element()?)?);
    }
    if san.is_empty() {
        return Err(DerError::Content("found no name; expected one or more"));
    }
    Ok(san)
}

fn read_name(Element { tag, content, .. }: Element<'_>) -> Result<SubjectAltName, DerError> {
    let text = || ascii(content).map(str::to_owned);
    Ok(match tag {
        OTHER_NAME => other_name(content)?,
        EMAIL => SubjectAltName::Email(text()?),
        DNS => SubjectAltName::Dns(text()?),
        // Name is a CHOICE, so its tag is explicit although the module's tags are implicit (X.680 §31.2.7).
        DIRECTORY_NAME => SubjectAltName::DirectoryName(Subject::read(content)?),
        URI => SubjectAltName::Uri(text()?),
        IP => SubjectAltName::Ip(address(content)?),
        REGISTERED_ID => SubjectAltName::RegisteredId(der::oid_text(content)?),
        X400_ADDRESS | EDI_PARTY_NAME => SubjectAltName::Other,
        _ => return Err(DerError::Content("found a form of name that does not exist")),
    })
}

/// `type-id`, then `value [0] EXPLICIT ANY`.
fn other_name(content: &[u8]) -> Result<SubjectAltName, DerError> {
    let mut name = Reader::new(content);
    let type_id = der::oid_text(name.expect(der::OBJECT_IDENTIFIER)?.content)?;
    let mut wrapped = Reader::new(name.expect(0xa0)?.content);
    name.finish()?;
    let value = wrapped.element()?;
    wrapped.finish()?;
    Ok(SubjectAltName::OtherName { type_id, text: text_of(value)?, der: value.encoded.to_vec() })
}

fn address(content: &[u8]) -> Result<IpAddr, DerError> {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        return Ok(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(content).map(IpAddr::from).map_err(|_| DerError::Content("found an IP address of neither 4 nor 16 octets"))
}

/// The tags of GeneralName.
pub(crate) const OTHER_NAME: u8 = 0xa0;
pub(crate) const EMAIL: u8 = 0x81;
pub(crate) const DNS: u8 = 0x82;
pub(crate) const X400_ADDRESS: u8 = 0xa3;
pub(crate) const DIRECTORY_NAME: u8 = 0xa4;
pub(crate) const EDI_PARTY_NAME: u8 = 0xa5;
pub(crate) const URI: u8 = 0x86;
pub(crate) const IP: u8 = 0x87;
pub(crate) const REGISTERED_ID: u8 = 0x88;
